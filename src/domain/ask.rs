//! The input of a new request, and what it becomes once it is valid (docs/decisions.md D38).

use super::action::Action;
use super::digest::Payload;
use super::eligibility::PeopleInvolved;
use super::id::{ChannelId, PersonId, SessionId};
use super::pinned_policy::PinnedPolicy;
use super::principal::{Caller, Principal};
use super::request_ref::RequestRef;
use super::target::Target;
use super::time::{Span, Timestamp};

/// The unvalidated input of a new request. Every interface reads its own form of input into it; nothing in it is believed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ask {
    /// The action's id.
    pub action: String,
    /// The project.
    pub project: Option<String>,
    /// The cluster.
    pub cluster: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// The release.
    pub release: Option<String>,
    /// The reason.
    pub reason: Option<String>,
    /// What would run or change; none reads as `null`.
    pub payload: Option<Payload>,
    /// The person that the request is for, if not the caller.
    pub requester: Option<PersonId>,
    /// The people who wrote what would run.
    pub authors: Vec<String>,
    /// The request that this one replaces.
    pub replaces: Option<RequestRef>,
    /// Where the outcome is sent.
    pub callback_url: Option<String>,
    /// The Slack channel in which somebody asked; it is told of the request.
    pub asked_in: Option<ChannelId>,
}

impl Ask {
    /// The person or service that the request of this caller is for.
    pub fn requester(&self, caller: &Caller) -> Principal {
        match &self.requester {
            Some(person) => Principal::Person(person.clone()),
            None => caller.principal.clone(),
        }
    }
}

/// A valid ask, with the policies that gate it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmittedRequest {
    /// The person or service that the request is for.
    pub requester: Principal,
    /// The action.
    pub action: Action,
    /// The target, with the environment of its cluster filled in.
    pub target: Target,
    /// The reason, trimmed; never blank.
    pub reason: Option<String>,
    /// The authors.
    pub authors: Vec<PersonId>,
    /// The policies that gate the request; empty means that it is allowed at once.
    pub gates: Vec<PinnedPolicy>,
    /// The observed policies.
    pub observed: Vec<PinnedPolicy>,
    /// The policies that a break-glass session bypasses.
    pub bypassed: Vec<PinnedPolicy>,
    /// That session, and when it ends.
    pub session: Option<(SessionId, Timestamp)>,
    /// The people who may not approve the request, and why.
    pub excluded: PeopleInvolved,
    /// How long the request may be pending: the shortest `expiresAfter`.
    pub expires_after: Span,
    /// How long the grant may be executed: the shortest `validFor`.
    pub valid_for: Span,
}
