//! Break-glass (specification: Break-Glass Override; docs/decisions.md D27): what a session covers, how it lives, and who may do what with it.

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
    /// Its id.
    pub id: SessionId,
    /// Who started it, or asked to.
    pub initiator: PersonId,
    /// The justification, in the initiator's words.
    pub reason: String,
    /// What it covers.
    pub scope: SessionScope,
    /// Who may act under it: people and services.
    pub responders: Vec<Principal>,
    /// How long it was to last.
    pub duration: Span,
    /// The security channel when it was asked for; used when the configuration names none any more.
    pub channel: ChannelId,
    /// The request by which it was asked for, where policies gate the start.
    pub request: Option<AskedBy>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Where it stands.
    pub state: SessionState,
}

impl Session {
    /// The session as the directory is now: whoever was only known as a member of the workspace, and is listed by now, goes by the
    /// listed id, so that nobody meets their own session as somebody else (threat R09).
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

/// The request that carries a gated start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedBy {
    /// Its id.
    pub id: RequestId,
    /// Its number.
    pub number: i64,
}

/// One request that a session let past its policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionUse {
    /// The request.
    pub request: RequestId,
    /// Its number.
    pub number: i64,
    /// What was asked for.
    pub action: super::id::ActionId,
    /// On what.
    pub target: Target,
    /// The responder whose call it was.
    pub by: Principal,
    /// For whom.
    pub requester: Principal,
    /// When.
    pub at: Timestamp,
    /// Where it stands.
    pub status: Status,
    /// How it ended, once that was reported.
    pub outcome: Option<Outcome>,
}

impl SessionUse {
    /// The same with everybody under the id they go by now.
    #[must_use]
    pub fn canonicalize_people(mut self, directory: &Directory) -> Self {
        directory.recognise(&mut self.by);
        directory.recognise(&mut self.requester);
        self
    }
}

/// A session with everything that is shown of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDetails {
    /// The session, as it is at that moment.
    pub session: Session,
    /// What was let past policies under it, oldest first, the first hundreds.
    pub uses: Vec<SessionUse>,
    /// The people who answer, by a token, for services that could act under it.
    pub token_owners: Vec<PersonId>,
    /// How everybody who occurs in it is called.
    pub names: BTreeMap<Principal, String>,
}

impl SessionDetails {
    /// How a principal is called.
    pub fn name(&self, principal: &Principal) -> String {
        let named = self.names.get(principal).cloned();
        named.unwrap_or_else(|| principal.to_string())
    }

    /// Everybody with a part in it besides initiator and responders: for whom something was done, and who answers for a service by a
    /// token.
    pub fn involved(&self) -> Vec<Principal> {
        involved(&self.uses, &self.token_owners)
    }

    /// How a person is called.
    pub fn name_of(&self, person: &PersonId) -> String {
        self.name(&Principal::Person(person.clone()))
    }
}

/// Everybody with a part in a session besides initiator and responders.
pub fn involved(uses: &[SessionUse], token_owners: &[PersonId]) -> Vec<Principal> {
    let acted_for = uses.iter().map(|one| one.requester.clone());
    let owners = token_owners.iter().cloned().map(Principal::Person);
    acted_for.chain(owners).collect()
}

#[cfg(test)]
mod tests;
