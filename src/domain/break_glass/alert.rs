//! The alerts of the security channel. An alert contains the facts of one event as they were, so that a late delivery says the same
//! (docs/decisions.md D28).

use super::{Session, SessionScope, SessionStatus, SessionUse};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::id::{PersonId, RequestId, SessionId};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Maximum number of uses that one message lists; the others are only counted.
const LIST_LIMIT: usize = 30;

/// One event of a session, with everything that the alert displays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionAlert {
    /// The session's id.
    pub session: SessionId,
    /// The initiator's name.
    pub initiator: String,
    /// The justification.
    pub reason: String,
    /// Actions and resources that the session covers.
    pub scope: SessionScope,
    /// The responders' names.
    pub responders: Vec<String>,
    /// What happened.
    pub event: SessionEvent,
    /// When it happened; displayed so that a late alert is recognisable.
    pub at: Timestamp,
    /// People who are mentioned in the channel.
    pub mentioned: Vec<PersonId>,
}

/// What happened to a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum SessionEvent {
    /// The session started.
    Started {
        /// When the session will end.
        until: Timestamp,
    },
    /// A request bypassed policies.
    Used {
        /// The request's id.
        request: RequestId,
        /// The request, in one line.
        line: UseLine,
        /// The bypassed policies, each with what was missing.
        bypassed: Vec<Bypassed>,
        /// The names of policies that still gate the request.
        gated: Vec<String>,
    },
    /// The session ended.
    Ended {
        /// The name of the person who revoked it; `None` if its time was over.
        revoked_by: Option<String>,
        /// Whether the initiator revoked it. Names are not unique, so `revoked_by` does not say it.
        #[serde(default)]
        by_initiator: bool,
        /// When the session started.
        from: Timestamp,
        /// When the session ended.
        at: Timestamp,
        /// The uses of the session.
        uses: Vec<UseLine>,
        /// How many uses are not listed.
        more: usize,
    },
    /// An execution granted under the session was completed after the session's end.
    CompletedLate {
        /// The request, in one line.
        line: UseLine,
        /// When the session ended.
        ended_at: Timestamp,
    },
    /// The session was reviewed.
    Reviewed {
        /// The reviewer's name.
        by: String,
        /// The review note.
        note: String,
    },
    /// The session's review is overdue.
    ReviewOwed {
        /// When the session ended.
        ended_at: Timestamp,
    },
}

/// A bypassed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bypassed {
    /// The policy's name.
    pub name: String,
    /// What was missing, one phrase each.
    pub missing: Vec<String>,
}

/// One use, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseLine {
    /// The request's number.
    pub number: i64,
    /// The responder's name.
    pub who: String,
    /// The action's name.
    pub action: String,
    /// The target; empty if there is none.
    pub target: String,
    /// The status at the time of the event: `bypassed`, `executed`, `succeeded`.
    pub status: String,
}

impl SessionAlert {
    /// The alert for an event of this session.
    pub fn new(
        session: &Session,
        event: SessionEvent,
        config: &CompiledConfig,
        at: Timestamp,
    ) -> Self {
        Self {
            session: session.id.clone(),
            initiator: config.directory().name(&session.initiator).to_owned(),
            reason: session.reason.clone(),
            scope: session.scope.clone(),
            responders: session
                .responders
                .iter()
                .map(|responder| config.name_of(responder))
                .collect(),
            event,
            at,
            mentioned: config
                .told_of_sessions()
                .into_iter()
                .map(|person| person.id.clone())
                .collect(),
        }
    }
}

impl SessionEvent {
    /// The key of the alert among the session's posted alerts. `None` if the alert asks nobody to do anything, so that it never
    /// needs an update.
    pub fn part(&self) -> Option<&'static str> {
        match self {
            Self::Started { .. } => Some("started"),
            Self::Ended { .. } => Some("ended"),
            Self::ReviewOwed { .. } => Some("owed"),
            Self::Used { .. } | Self::CompletedLate { .. } | Self::Reviewed { .. } => None,
        }
    }

    /// The session status in which the alert asks people to do something.
    pub fn asks_while(&self) -> Option<SessionStatus> {
        match self {
            Self::Started { .. } => Some(SessionStatus::Active),
            Self::Ended { .. } | Self::ReviewOwed { .. } => Some(SessionStatus::Ended),
            Self::Used { .. } | Self::CompletedLate { .. } | Self::Reviewed { .. } => None,
        }
    }
}

impl UseLine {
    /// One use, in one line.
    pub fn of(one: &SessionUse, config: &CompiledConfig) -> Self {
        let action = config.action(&one.action);
        Self {
            number: one.number,
            who: config.name_of(&one.by),
            action: action.map_or_else(|| one.action.to_string(), |action| action.name.clone()),
            target: one.target.to_string(),
            status: match one.outcome {
                Some(outcome) => outcome.as_str().to_owned(),
                None => one.status.to_string(),
            },
        }
    }

    /// The uses that one message lists, and how many more there are.
    pub fn some_of(uses: &[SessionUse], config: &CompiledConfig) -> (Vec<Self>, usize) {
        let listed: Vec<Self> = uses
            .iter()
            .take(LIST_LIMIT)
            .map(|one| Self::of(one, config))
            .collect();
        let more = uses.len() - listed.len();
        (listed, more)
    }
}
