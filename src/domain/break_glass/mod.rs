//! Break-glass (docs/break-glass.md; docs/decisions.md D27): what a session covers, its states, and who may do what with it.

mod alert;
mod rights;
mod scope;
mod start;
mod state;

pub use alert::{Bypassed, SessionAlert, SessionEvent, UseLine};
pub use scope::{ScopeAction, SessionScope};
pub use start::{SessionAsk, SessionStart};
pub use state::{
    EndedBy, NotStarted, SessionReview, SessionState, SessionStatus, WrongSessionState,
};

use super::id::{ChannelId, PersonId, RequestId, SessionId};
use super::people::Directory;
use super::principal::Principal;
use super::request::{Outcome, Status};
use super::target::Target;
use super::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A break-glass session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session's id, `bg_...`.
    pub id: SessionId,
    /// The person who started the session, or requested its start.
    pub initiator: PersonId,
    /// The justification, in the initiator's words.
    pub reason: String,
    /// Actions and resources that the session covers.
    pub scope: SessionScope,
    /// The people and services that may act under the session.
    pub responders: Vec<Principal>,
    /// How long the session was to last.
    pub duration: Span,
    /// The security channel when the start was requested; used if the configuration no longer names one.
    pub channel: ChannelId,
    /// The request for the start, if policies gate it.
    pub request: Option<AskedBy>,
    /// When the start was requested.
    pub asked_at: Timestamp,
    /// The current state.
    pub state: SessionState,
}

impl Session {
    /// Replaces ids of people by their current ones. Without this, an initiator who was first known as a workspace member and is
    /// listed now could review their own session under the new id (threat R09).
    #[must_use]
    pub fn canonicalize_people(mut self, directory: &Directory) -> Self {
        self.initiator = directory.canonical(&self.initiator).clone();
        for responder in &mut self.responders {
            directory.recognise(responder);
        }
        self.state.recognise(directory);
        self
    }
}

/// The request for a gated start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedBy {
    /// The request's id.
    pub id: RequestId,
    /// The request's number.
    pub number: i64,
}

/// One request that a session let bypass policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionUse {
    /// The request's id.
    pub request: RequestId,
    /// The request's number.
    pub number: i64,
    /// The action.
    pub action: super::id::ActionId,
    /// The target.
    pub target: Target,
    /// The responder who made the call.
    pub by: Principal,
    /// The person or service that the request is for.
    pub requester: Principal,
    /// When the request was created.
    pub at: Timestamp,
    /// The request's current status.
    pub status: Status,
    /// The outcome, once it was reported.
    pub outcome: Option<Outcome>,
}

impl SessionUse {
    /// Replaces ids of people by their current ones.
    #[must_use]
    pub fn canonicalize_people(mut self, directory: &Directory) -> Self {
        directory.recognise(&mut self.by);
        directory.recognise(&mut self.requester);
        self
    }
}

/// A session with everything that is displayed about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDetails {
    /// The session, with its state at the time of display.
    pub session: Session,
    /// The uses, oldest first; limited to the first hundreds.
    pub uses: Vec<SessionUse>,
    /// The people who own, through a token, services that could act under the session.
    pub token_owners: Vec<PersonId>,
    /// Display names of all principals that occur in the session.
    pub names: BTreeMap<Principal, String>,
}

impl SessionDetails {
    /// The display name of a principal.
    pub fn name(&self, principal: &Principal) -> String {
        let named = self.names.get(principal).cloned();
        named.unwrap_or_else(|| principal.to_string())
    }

    /// Everyone involved besides initiator and responders: the requesters of the uses, and the owners of services by token.
    pub fn involved(&self) -> Vec<Principal> {
        involved(&self.uses, &self.token_owners)
    }

    /// The display name of a person.
    pub fn name_of(&self, person: &PersonId) -> String {
        self.name(&Principal::Person(person.clone()))
    }
}

/// Everyone involved in a session besides initiator and responders.
pub fn involved(uses: &[SessionUse], token_owners: &[PersonId]) -> Vec<Principal> {
    let acted_for = uses.iter().map(|one| one.requester.clone());
    let owners = token_owners.iter().cloned().map(Principal::Person);
    acted_for.chain(owners).collect()
}

#[cfg(test)]
mod tests;
