//! A request and its lifecycle (docs/decisions.md D20): which state follows which, and nothing else.

use super::action;
use super::digest::Digest;
use super::eligibility::PeopleInvolved;
use super::id::{ActionId, PersonId, RequestId, SessionId};
use super::pinned_policy::PinnedPolicy;
use super::principal::Principal;
use super::target::Target;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of a state, as stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Waits for decisions.
    Pending,
    /// No policy gates it.
    Allowed,
    /// A break-glass session covers it.
    Bypassed,
    /// Every policy is satisfied.
    Approved,
    /// An eligible person rejected it.
    Rejected,
    /// Taken back, or replaced.
    Cancelled,
    /// Nobody decided, or nobody executed it, in time.
    Expired,
    /// Handed to the one who runs it.
    Executed,
    /// Its outcome was reported.
    Completed,
}

impl Status {
    /// All of them, in the order of a request's life.
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

    /// The word that is stored and shown.
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

/// How what was executed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It did what it should.
    Succeeded,
    /// It did not.
    Failed,
}

impl Outcome {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// Where a request stands; what a state does not have cannot be read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Waits for decisions until `expires_at` (exclusive).
    Pending {
        /// From this moment on no decision counts.
        expires_at: Timestamp,
    },
    /// May be executed until `until` (exclusive).
    Granted {
        /// Why it may.
        grant: Grant,
        /// From this moment on it may not.
        until: Timestamp,
    },
    /// Ended by an eligible rejection.
    Rejected,
    /// Taken back, or replaced.
    Cancelled,
    /// Ended by time.
    Expired,
    /// Handed out for execution.
    Executed {
        /// When.
        at: Timestamp,
    },
    /// Executed, and its outcome reported.
    Completed {
        /// When it was executed.
        at: Timestamp,
        /// How it ended.
        outcome: Outcome,
    },
}

/// Why a request may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// No policy gates it.
    Allowed,
    /// A break-glass session covers it.
    Bypassed,
    /// Every policy is satisfied.
    Approved,
}

/// The command does not fit the state, which is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request is {0}")]
pub struct WrongState(pub Status);

impl State {
    /// The state's name.
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

    /// When time alone will end it, if it will.
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

    /// Every policy is satisfied at `now`.
    pub fn approve(self, now: Timestamp, until: Timestamp) -> Result<Self, WrongState> {
        self.open_at(now)?;
        Ok(Self::Granted {
            grant: Grant::Approved,
            until,
        })
    }

    /// An eligible person rejects at `now`.
    pub fn reject(self, now: Timestamp) -> Result<Self, WrongState> {
        self.open_at(now)?;
        Ok(Self::Rejected)
    }

    /// Takes it back; possible until it is executed.
    pub fn cancel(self, now: Timestamp) -> Result<Self, WrongState> {
        match self.at(now) {
            Self::Pending { .. } | Self::Granted { .. } => Ok(Self::Cancelled),
            other => Err(WrongState(other.status())),
        }
    }

    /// Time ends it.
    pub fn expire(self, now: Timestamp) -> Result<Self, WrongState> {
        match self.ends_at() {
            Some(end) if end <= now => Ok(Self::Expired),
            _ => Err(WrongState(self.status())),
        }
    }

    /// Hands it out for execution, once.
    pub fn execute(self, now: Timestamp) -> Result<Self, WrongState> {
        match self.at(now) {
            Self::Granted { .. } => Ok(Self::Executed { at: now }),
            other => Err(WrongState(other.status())),
        }
    }

    /// Sends what was granted without a session back to wait, because more is required now.
    pub fn reopen(self, now: Timestamp, expires_at: Timestamp) -> Result<Self, WrongState> {
        match self.at(now) {
            Self::Granted { .. } => Ok(Self::Pending { expires_at }),
            other => Err(WrongState(other.status())),
        }
    }

    /// Reports how the execution ended.
    pub fn complete(self, outcome: Outcome) -> Result<Self, WrongState> {
        match self {
            Self::Executed { at } => Ok(Self::Completed { at, outcome }),
            other => Err(WrongState(other.status())),
        }
    }

    /// The state as it is at `now`: what time has ended reads as expired, whether or not a sweep has come by.
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

/// What somebody asks to be allowed to do, with everything that decides about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// Its number, `#42` on the card.
    pub number: i64,
    /// Counts every change, so that a waiter or a card can tell what it has seen.
    pub version: i64,
    /// What is to be done.
    pub action: ActionId,
    /// To what.
    pub target: Target,
    /// For whom.
    pub requester: Principal,
    /// Whose token, click or command asked.
    pub submitted_by: Principal,
    /// Everybody named as having written what would run.
    pub authors: Vec<PersonId>,
    /// Why, in the requester's words.
    pub reason: Option<String>,
    /// The payload in canonical form; `null` where there is none.
    pub payload: String,
    /// What people approve: the digest of action, target and payload.
    pub digest: Digest,
    /// The policies that gate it, as pinned.
    pub gates: Vec<PinnedPolicy>,
    /// Policies that are only tried out on it.
    pub observed: Vec<PinnedPolicy>,
    /// Policies that a break-glass session bypassed.
    pub bypassed: Vec<PinnedPolicy>,
    /// The session that bypassed them.
    pub session: Option<SessionId>,
    /// Who may not approve it, and why.
    pub excluded: PeopleInvolved,
    /// Where it stands.
    pub state: State,
    /// When it was asked.
    pub created_at: Timestamp,
    /// When it was decided (allowed, bypassed, approved, rejected).
    pub decided_at: Option<Timestamp>,
    /// The request that this one replaces.
    pub replaces: Option<RequestId>,
}

impl Request {
    /// What Countersign itself does in the commit that approves it, if anything: nobody executes it by hand. A configuration change
    /// and a break-glass start have no target; what people ask for under the same actions names an environment.
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

/// What Countersign itself does once a request is approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It applies a change of its own configuration.
    ConfigChange,
    /// It starts a break-glass session.
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

    /// Every state with every command, a millisecond before its end and at its end.
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
