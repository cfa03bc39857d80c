//! What the security channel hears: the facts of one event as they were, so that a late delivery says the same (docs/decisions.md D28).

use super::{Session, SessionScope, SessionStatus, SessionUse};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::id::{PersonId, RequestId, SessionId};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Uses that one message lists; the rest is counted.
const LIST_LIMIT: usize = 30;

/// One event of a session, with everything that is said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionAlert {
    /// The session.
    pub session: SessionId,
    /// Who started it, by name.
    pub initiator: String,
    /// Its justification.
    pub reason: String,
    /// What it covers.
    pub scope: SessionScope,
    /// Who may act under it, by name.
    pub responders: Vec<String>,
    /// What has happened.
    pub event: SessionEvent,
    /// When, so that a late alert does not read as news.
    pub at: Timestamp,
    /// People who are mentioned in the channel.
    pub mentioned: Vec<PersonId>,
}

/// What has happened to a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum SessionEvent {
    /// It has begun.
    Started {
        /// When it will end.
        until: Timestamp,
    },
    /// A request went past policies.
    Used {
        /// The request.
        request: RequestId,
        /// What was asked, by whom.
        line: UseLine,
        /// The policies it went past, each with what was missing.
        bypassed: Vec<Bypassed>,
        /// Policies that gate it all the same.
        gated: Vec<String>,
    },
    /// It is over.
    Ended {
        /// Who revoked it; nobody where its time was over.
        revoked_by: Option<String>,
        /// Whether that was its initiator; names alone do not tell.
        #[serde(default)]
        by_initiator: bool,
        /// When it began.
        from: Timestamp,
        /// When it ended.
        at: Timestamp,
        /// What was done under it.
        uses: Vec<UseLine>,
        /// How many more there are than are listed.
        more: usize,
    },
    /// Something granted under it was completed after its end.
    CompletedLate {
        /// What.
        line: UseLine,
        /// When the session had ended.
        ended_at: Timestamp,
    },
    /// Somebody has looked into it.
    Reviewed {
        /// Who.
        by: String,
        /// What they found.
        note: String,
    },
    /// Its review has been owed for a long time.
    ReviewOwed {
        /// When it ended.
        ended_at: Timestamp,
    },
}

/// A policy that was bypassed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bypassed {
    /// Its name.
    pub name: String,
    /// What it had needed.
    pub missing: Vec<String>,
}

/// One use in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseLine {
    /// The request's number.
    pub number: i64,
    /// The responder, by name.
    pub who: String,
    /// The action's name.
    pub action: String,
    /// On what; empty where it has no target.
    pub target: String,
    /// Where it stood at that moment: `bypassed`, `executed`, `succeeded`.
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
    /// Which of a session's alerts it is; none for one that asks nobody for anything, and so needs no looking after.
    pub fn part(&self) -> Option<&'static str> {
        match self {
            Self::Started { .. } => Some("started"),
            Self::Ended { .. } => Some("ended"),
            Self::ReviewOwed { .. } => Some("owed"),
            Self::Used { .. } | Self::CompletedLate { .. } | Self::Reviewed { .. } => None,
        }
    }

    /// While its session stands so, the alert asks people to do something.
    pub fn asks_while(&self) -> Option<SessionStatus> {
        match self {
            Self::Started { .. } => Some(SessionStatus::Active),
            Self::Ended { .. } | Self::ReviewOwed { .. } => Some(SessionStatus::Ended),
            Self::Used { .. } | Self::CompletedLate { .. } | Self::Reviewed { .. } => None,
        }
    }
}

impl UseLine {
    /// A use, in a line.
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

    /// As many of these as one message lists, and how many more there are.
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
