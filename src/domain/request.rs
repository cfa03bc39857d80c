//! A request and its lifecycle (docs/decisions.md D20). This module defines the states and the transitions between them.

use super::action;
use super::digest::Digest;
use super::document::{DecideOn, ShowPayload};
use super::eligibility::PeopleInvolved;
use super::id::{ActionId, PersonId, RequestId, SessionId};
use super::pinned_policy::PinnedPolicy;
use super::principal::Principal;
use super::target::Target;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of a request's state, as stored and displayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Waits for decisions.
    Pending,
    /// No policy gates the request.
    Allowed,
    /// A break-glass session covers the request, so its policies are bypassed.
    Bypassed,
    /// Every pinned policy is satisfied.
    Approved,
    /// An eligible person rejected the request.
    Rejected,
    /// The request was cancelled, or another request replaced it.
    Cancelled,
    /// The request was not decided, or not executed, in time.
    Expired,
    /// The payload was handed to the executor.
    Executed,
    /// The outcome of the execution was reported.
    Completed,
}

impl Status {
    /// All statuses, in the order of a request's life.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Allowed,
        Self::Bypassed,
        Self::Approved,
        Self::Rejected,
        Self::Cancelled,
        Self::Expired,
        Self::Executed,
        Self::Completed,
    ];

    /// The word that is stored and displayed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Allowed => "allowed",
            Self::Bypassed => "bypassed",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Executed => "executed",
            Self::Completed => "completed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Status {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no status of a request"))
    }
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The execution succeeded.
    Succeeded,
    /// The execution failed.
    Failed,
}

impl Outcome {
    /// The word that is stored and displayed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// The state of a request. Each variant holds only the data that exists in that state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Waits for decisions until `expires_at` (exclusive).
    Pending {
        /// First moment at which decisions no longer count.
        expires_at: Timestamp,
    },
    /// May be executed until `until` (exclusive).
    Granted {
        /// Why the request may be executed.
        grant: Grant,
        /// First moment at which the request may no longer be executed.
        until: Timestamp,
    },
    /// An eligible person rejected the request.
    Rejected,
    /// The request was cancelled, or another request replaced it.
    Cancelled,
    /// The request was not decided, or not executed, in time.
    Expired,
    /// The grant was claimed for execution.
    Executed {
        /// When the grant was claimed.
        at: Timestamp,
    },
    /// The execution was reported as ended.
    Completed {
        /// When the grant was claimed.
        at: Timestamp,
        /// The reported outcome.
        outcome: Outcome,
    },
}

/// Why a request may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Grant {
    /// No policy gates the request.
    Allowed,
    /// A break-glass session covers the request.
    Bypassed,
    /// Every pinned policy is satisfied.
    Approved,
}

/// Error: the transition is not allowed in the current state, which it contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request is {0}")]
pub struct WrongState(pub Status);

impl State {
    /// The name of the state.
    pub fn status(&self) -> Status {
        match self {
            Self::Pending { .. } => Status::Pending,
            Self::Granted {
                grant: Grant::Allowed,
                ..
            } => Status::Allowed,
            Self::Granted {
                grant: Grant::Bypassed,
                ..
            } => Status::Bypassed,
            Self::Granted {
                grant: Grant::Approved,
                ..
            } => Status::Approved,
            Self::Rejected => Status::Rejected,
            Self::Cancelled => Status::Cancelled,
            Self::Expired => Status::Expired,
            Self::Executed { .. } => Status::Executed,
            Self::Completed { .. } => Status::Completed,
        }
    }

    /// When the state expires, if it expires.
    pub fn ends_at(&self) -> Option<Timestamp> {
        match self {
            Self::Pending { expires_at } => Some(*expires_at),
            Self::Granted { until, .. } => Some(*until),
            Self::Rejected
            | Self::Cancelled
            | Self::Expired
            | Self::Executed { .. }
            | Self::Completed { .. } => None,
        }
    }

    /// Approves a pending request at `now`; it may then be executed until `until`.
    pub fn approve(self, now: Timestamp, until: Timestamp) -> Result<Self, WrongState> {
        self.open_at(now)?;
        Ok(Self::Granted {
            grant: Grant::Approved,
            until,
        })
    }

    /// Rejects a pending request at `now`.
    pub fn reject(self, now: Timestamp) -> Result<Self, WrongState> {
        self.open_at(now)?;
        Ok(Self::Rejected)
    }

    /// Cancels a request that is pending or granted.
    pub fn cancel(self, now: Timestamp) -> Result<Self, WrongState> {
        match self.at(now) {
            Self::Pending { .. } | Self::Granted { .. } => Ok(Self::Cancelled),
            other => Err(WrongState(other.status())),
        }
    }

    /// Expires a request whose time is over.
    pub fn expire(self, now: Timestamp) -> Result<Self, WrongState> {
        match self.ends_at() {
            Some(end) if end <= now => Ok(Self::Expired),
            _ => Err(WrongState(self.status())),
        }
    }

    /// Claims the grant for execution, which is possible once.
    pub fn execute(self, now: Timestamp) -> Result<Self, WrongState> {
        match self.at(now) {
            Self::Granted { .. } => Ok(Self::Executed { at: now }),
            other => Err(WrongState(other.status())),
        }
    }

    /// Returns a granted request to pending, because more approvals are required now.
    pub fn reopen(self, now: Timestamp, expires_at: Timestamp) -> Result<Self, WrongState> {
        match self.at(now) {
            Self::Granted { .. } => Ok(Self::Pending { expires_at }),
            other => Err(WrongState(other.status())),
        }
    }

    /// Records the outcome of an execution.
    pub fn complete(self, outcome: Outcome) -> Result<Self, WrongState> {
        match self {
            Self::Executed { at } => Ok(Self::Completed { at, outcome }),
            other => Err(WrongState(other.status())),
        }
    }

    /// The state at `now`: a state whose time is over reads as expired, even before the sweep has stored that.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        match self.ends_at() {
            Some(end) if end <= now => Self::Expired,
            _ => self,
        }
    }

    fn open_at(&self, now: Timestamp) -> Result<(), WrongState> {
        match self.clone().at(now) {
            Self::Pending { .. } => Ok(()),
            other => Err(WrongState(other.status())),
        }
    }
}

/// A request: may this action run on this target with this payload? It holds everything that the decision depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The unique id, `req_...`.
    pub id: RequestId,
    /// The sequential number, displayed as `#42`.
    pub number: i64,
    /// Increases with every change, so that long polls and cards can detect changes.
    pub version: i64,
    /// The action to run.
    pub action: ActionId,
    /// What the action is done to.
    pub target: Target,
    /// The person or service that the request is for.
    pub requester: Principal,
    /// The principal whose token, click or command created the request.
    pub submitted_by: Principal,
    /// The people named as authors of what would run.
    pub authors: Vec<PersonId>,
    /// Why the requester wants it, in their own words.
    pub reason: Option<String>,
    /// The payload in canonical JSON; `null` if the request has none.
    pub payload: String,
    /// The digest of action, target and payload: what approvers approve.
    pub digest: Digest,
    /// The pinned policies that gate the request.
    pub gates: Vec<PinnedPolicy>,
    /// The observed policies: evaluated and recorded, but they do not gate the request.
    pub observed: Vec<PinnedPolicy>,
    /// The policies that a break-glass session bypassed.
    pub bypassed: Vec<PinnedPolicy>,
    /// The break-glass session that bypassed them.
    pub session: Option<SessionId>,
    /// The people who may not approve the request, and why.
    pub excluded: PeopleInvolved,
    /// The current state.
    pub state: State,
    /// When the request was created.
    pub created_at: Timestamp,
    /// When the request was allowed, bypassed, approved or rejected.
    pub decided_at: Option<Timestamp>,
    /// The request that this one replaces.
    pub replaces: Option<RequestId>,
    /// Where the submitter wants to be told of what happens to it; it lies under a configured webhook.
    pub callback_url: Option<String>,
}

impl Request {
    /// Whether this principal may see the payload: one that a policy never shows is shown to who asked and who submitted only.
    pub fn shows_payload_to(&self, principal: &Principal) -> bool {
        let gates = self.gates.iter().chain(&self.bypassed);
        let mut gates = gates.map(|gate| gate.template.show_payload);
        let is_hidden = gates.any(|show| show == ShowPayload::Never);
        !is_hidden || self.requester == *principal || self.submitted_by == *principal
    }

    /// The first pinned policy that counts approvals on the web pages only.
    pub fn web_only(&self) -> Option<&PinnedPolicy> {
        (self.gates.iter()).find(|gate| gate.template.decide_on == Some(DecideOn::Web))
    }

    /// What Countersign does itself in the transaction that approves the request, if anything; such a request is not executed by a
    /// caller. A configuration change and the start of a break-glass session have no target. A request that people create with the
    /// same action names an environment.
    pub fn effect(&self) -> Option<Effect> {
        if self.target != Target::default() {
            return None;
        }
        match self.action.as_str() {
            action::POLICY_UPDATE => Some(Effect::ConfigChange),
            action::BREAK_GLASS => Some(Effect::SessionStart),
            _ => None,
        }
    }
}

/// What Countersign does itself once a request is approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Apply a change of Countersign's own configuration.
    ConfigChange,
    /// Start a break-glass session.
    SessionStart,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);
    const LATER: Timestamp = Timestamp(2_000);

    fn every_state() -> Vec<State> {
        vec![
            State::Pending { expires_at: LATER },
            State::Granted {
                grant: Grant::Allowed,
                until: LATER,
            },
            State::Granted {
                grant: Grant::Bypassed,
                until: LATER,
            },
            State::Granted {
                grant: Grant::Approved,
                until: LATER,
            },
            State::Rejected,
            State::Cancelled,
            State::Expired,
            State::Executed { at: NOW },
            State::Completed {
                at: NOW,
                outcome: Outcome::Failed,
            },
        ]
    }

    type Command = (
        &'static str,
        fn(State, Timestamp) -> Result<State, WrongState>,
    );
    const COMMANDS: [Command; 7] = [
        ("approve", |state, now| state.approve(now, LATER)),
        ("reject", State::reject),
        ("cancel", State::cancel),
        ("expire", State::expire),
        ("execute", State::execute),
        ("reopen", |state, now| state.reopen(now, LATER)),
        ("complete", |state, _| state.complete(Outcome::Succeeded)),
    ];

    /// Every state with every transition, one millisecond before the state expires and at that moment.
    #[test]
    fn state_transitions() {
        let mut table = String::new();
        for state in every_state() {
            for (moment, now) in [("before its end", Timestamp(1_999)), ("at its end", LATER)] {
                let answers: Vec<String> = COMMANDS
                    .iter()
                    .map(|(name, command)| match command(state.clone(), now) {
                        Ok(next) => format!("{name} -> {}", next.status()),
                        Err(WrongState(status)) => format!("{name}: no, {status}"),
                    })
                    .collect();
                let answers = answers.join("\n  ");
                table = format!("{table}{} {moment}\n  {answers}\n", state.status());
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn every_status_parses_back() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("open".parse::<Status>().is_err());
    }
}
