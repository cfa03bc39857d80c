//! Faults: ways in which the Web API fails on request.

use std::collections::{HashMap, VecDeque};

/// One way a call goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `Retry-After`.
    RateLimited {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// A bare HTTP status, such as 500, 502 or 503.
    Http(u16),
    /// An error of the Web API: `200 {"ok": false, "error": ..}`.
    ApiError(String),
    /// No effect and no answer until [`super::Sandbox::release_hung`], or until the client disconnects.
    Timeout,
    /// The call takes effect, but no answer comes.
    TimeoutAfterEffect,
    /// 200 with a body that is not JSON; the call has no effect.
    BadJson,
    /// The call takes effect; its answer arrives at one byte per second.
    SlowDrip,
    /// The connection ends without an answer; the call has no effect.
    Disconnect,
    /// The call takes effect, then the connection ends without an answer.
    DisconnectAfterEffect,
    /// The call takes effect; the connection ends in the middle of the answer's body.
    CutMidBody,
    /// 302 to another address.
    Redirect(String),
}

impl Fault {
    /// An error code of the Web API, such as `channel_not_found`.
    pub fn api(code: &str) -> Self {
        Self::ApiError(code.to_owned())
    }

    /// Whether the call takes effect although its answer is lost or damaged.
    pub(super) fn has_effect(&self) -> bool {
        matches!(
            self,
            Self::TimeoutAfterEffect
                | Self::SlowDrip
                | Self::DisconnectAfterEffect
                | Self::CutMidBody
        )
    }
}

/// Faults that are waiting for a call.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(super) struct Faults {
    any: VecDeque<Fault>,
    next: HashMap<String, VecDeque<Fault>>,
    always: HashMap<String, Fault>,
    pub(super) outage: bool,
    /// Every message and view is refused for some seconds, until this is switched off.
    pub(super) limited: bool,
    /// Whoever runs the bot has stopped it; nothing of the workspace is broken.
    pub(super) bot_stopped: bool,
    pub(super) paced: bool,
    posted: HashMap<String, i64>,
    pub(super) has_tiers: bool,
    listed: HashMap<String, VecDeque<i64>>,
}

/// The `Retry-After` while the workspace refuses everything.
const LIMITED_SECONDS: u32 = 5;

/// Slack accepts about one message per second and channel.
const PACE_MS: i64 = 1_000;

/// Methods of Slack's Tier 2, and how many calls of each it accepts per minute.
const TIER_2: [&str; 3] = ["auth.teams.list", "usergroups.list", "users.list"];
const TIER_2_CALLS: usize = 20;
const MINUTE_MS: i64 = 60_000;

impl Faults {
    pub(super) fn push(&mut self, method: Option<&str>, fault: Fault) {
        match method {
            Some(method) => self
                .next
                .entry(method.to_owned())
                .or_default()
                .push_back(fault),
            None => self.any.push_back(fault),
        }
    }

    pub(super) fn always(&mut self, method: &str, fault: Fault) {
        self.always.insert(method.to_owned(), fault);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the fault for this call. The order is: an outage, the queue of this method, the queue of any method, a permanent fault of the
    /// method, and at last Slack's rate limits if they are enforced.
    pub(super) fn take(
        &mut self,
        method: &str,
        channel: Option<&str>,
        now_ms: i64,
    ) -> Option<Fault> {
        if self.outage {
            return Some(Fault::Disconnect);
        }
        if self.limited && (method.starts_with("chat.") || method.starts_with("views.")) {
            return Some(Fault::RateLimited {
                retry_after: LIMITED_SECONDS,
            });
        }
        let own = self.next.get_mut(method).and_then(VecDeque::pop_front);
        own.or_else(|| self.any.pop_front())
            .or_else(|| self.always.get(method).cloned())
            .or_else(|| self.pace(method, channel?, now_ms))
            .or_else(|| self.tier(method, now_ms))
    }

    fn tier(&mut self, method: &str, now_ms: i64) -> Option<Fault> {
        if !self.has_tiers || !TIER_2.contains(&method) {
            return None;
        }
        let calls = self.listed.entry(method.to_owned()).or_default();
        calls.retain(|at| now_ms < at.saturating_add(MINUTE_MS));
        if calls.len() < TIER_2_CALLS {
            calls.push_back(now_ms);
            return None;
        }
        let free = calls.front()?.saturating_add(MINUTE_MS);
        let seconds = free
            .saturating_sub(now_ms)
            .div_euclid(1_000)
            .saturating_add(1);
        Some(Fault::RateLimited {
            retry_after: u32::try_from(seconds).unwrap_or(60),
        })
    }

    fn pace(&mut self, method: &str, channel: &str, now_ms: i64) -> Option<Fault> {
        if !self.paced || method != "chat.postMessage" {
            return None;
        }
        let last = self.posted.get(channel);
        if last.is_some_and(|last| now_ms < last.saturating_add(PACE_MS)) {
            return Some(Fault::RateLimited { retry_after: 1 });
        }
        self.posted.insert(channel.to_owned(), now_ms);
        None
    }

    /// The number of faults that no call has met.
    pub(super) fn waiting(&self) -> usize {
        self.any.len() + self.next.values().map(VecDeque::len).sum::<usize>()
    }
}
