//! Tickets, which are valid for a few uses during a short time: `trigger_id`s and `response_url`s.

use std::collections::BTreeMap;

use super::limits;

/// Why a ticket is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It was never issued.
    Unknown,
    /// It is too old.
    Expired,
    /// It is used up.
    Used,
}

/// The target of a `response_url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The person whose action created it.
    pub user: String,
    /// The channel of the action.
    pub channel: String,
    /// `ts` of the clicked message; `None` for a slash command.
    pub message_ts: Option<String>,
    issued_ms: i64,
    used: u32,
}

#[derive(Debug, Clone)]
struct Trigger {
    user: String,
    issued_ms: i64,
    used: bool,
}

/// The issued tickets, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Tickets {
    triggers: BTreeMap<u64, Trigger>,
    replies: BTreeMap<u64, Reply>,
    last: u64,
}

impl Tickets {
    /// Issues a `trigger_id` for a person.
    pub fn trigger(&mut self, user: &str, now_ms: i64) -> String {
        let old = |trigger: &Trigger| trigger.issued_ms < now_ms.saturating_sub(60_000);
        while self
            .triggers
            .first_entry()
            .is_some_and(|first| old(first.get()))
        {
            self.triggers.pop_first();
        }
        self.last += 1;
        let user = user.to_owned();
        let trigger = Trigger {
            user,
            issued_ms: now_ms,
            used: false,
        };
        self.triggers.insert(self.last, trigger);
        format!("{}.{}.{:016x}", self.last, now_ms, scramble(self.last))
    }

    /// Uses a trigger up and returns its person.
    pub fn exchange(&mut self, trigger_id: &str, now_ms: i64) -> Result<String, Refused> {
        let number = number_of(trigger_id, '.').ok_or(Refused::Unknown)?;
        if number > self.last {
            return Err(Refused::Unknown);
        }
        let trigger = self.triggers.get_mut(&number).ok_or(Refused::Expired)?;
        if trigger.used {
            return Err(Refused::Used);
        }
        if now_ms.saturating_sub(trigger.issued_ms) > limits::TRIGGER_LIFE_MS {
            return Err(Refused::Expired);
        }
        trigger.used = true;
        Ok(trigger.user.clone())
    }

    /// Issues a `response_url`, as a path below the sandbox's base URL.
    pub fn reply_path(
        &mut self,
        user: &str,
        channel: &str,
        message_ts: Option<&str>,
        now_ms: i64,
    ) -> String {
        let old =
            |reply: &Reply| reply.issued_ms < now_ms.saturating_sub(2 * limits::REPLY_LIFE_MS);
        while self
            .replies
            .first_entry()
            .is_some_and(|first| old(first.get()))
        {
            self.replies.pop_first();
        }
        self.last += 1;
        let reply = Reply {
            user: user.to_owned(),
            channel: channel.to_owned(),
            message_ts: message_ts.map(ToOwned::to_owned),
            issued_ms: now_ms,
            used: 0,
        };
        self.replies.insert(self.last, reply);
        let kind = if message_ts.is_some() {
            "actions"
        } else {
            "commands"
        };
        format!("/{kind}/{}-{:016x}", self.last, scramble(self.last))
    }

    /// The target of a `response_url`; counts one use.
    pub fn redeem(&mut self, ticket: &str, now_ms: i64) -> Result<Reply, Refused> {
        let number = number_of(ticket, '-').ok_or(Refused::Unknown)?;
        let reply = self.replies.get_mut(&number).ok_or(Refused::Unknown)?;
        if now_ms.saturating_sub(reply.issued_ms) > limits::REPLY_LIFE_MS {
            return Err(Refused::Expired);
        }
        if reply.used >= limits::REPLY_USES {
            return Err(Refused::Used);
        }
        reply.used += 1;
        Ok(reply.clone())
    }
}

/// The number at the start of a ticket, provided that the checksum at its end matches.
fn number_of(ticket: &str, between: char) -> Option<u64> {
    let number = ticket.split(between).next()?.parse().ok()?;
    let sign = ticket.rsplit(between).next()?;
    (sign == format!("{:016x}", scramble(number))).then_some(number)
}

/// Makes consecutive tickets look different. The sandbox keeps no secrets, so this need not be cryptographic.
fn scramble(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_lives_three_seconds_and_is_used_once() {
        let mut tickets = Tickets::default();
        let trigger = tickets.trigger("U1", 1_000);
        assert_eq!(tickets.exchange(&trigger, 4_000), Ok("U1".to_owned()));
        assert_eq!(tickets.exchange(&trigger, 4_000), Err(Refused::Used));
        let late = tickets.trigger("U1", 1_000);
        assert_eq!(tickets.exchange(&late, 4_001), Err(Refused::Expired));
        assert_eq!(tickets.exchange("9.9.9", 4_001), Err(Refused::Unknown));
        tickets.trigger("U2", 90_000);
        assert_eq!(tickets.exchange(&late, 90_000), Err(Refused::Expired));
    }

    #[test]
    fn a_response_url_works_five_times_within_thirty_minutes() {
        let mut tickets = Tickets::default();
        let path = tickets.reply_path("U1", "C1", Some("1.2"), 0);
        let ticket = path.trim_start_matches("/actions/").to_owned();
        for _ in 0..5 {
            let reply = tickets.redeem(&ticket, 0).expect("within its life");
            assert_eq!(reply.message_ts.as_deref(), Some("1.2"));
        }
        assert_eq!(tickets.redeem(&ticket, 0), Err(Refused::Used));
        let other = tickets.reply_path("U1", "C1", None, 0);
        let other = other.trim_start_matches("/commands/").to_owned();
        assert!(tickets.redeem(&other, 1_800_000).is_ok());
        assert_eq!(tickets.redeem(&other, 1_800_001), Err(Refused::Expired));
        assert_eq!(tickets.redeem("1-beef", 0), Err(Refused::Unknown));
    }
}
