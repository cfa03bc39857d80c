//! What people and programs are shown of a request: the card, the API and the command line render this and nothing else.

use super::action::Action;
use super::audit::AuditEventKind;
use super::decision::{Decision, Via};
use super::diff::Difference;
use super::document::SlackIdentity;
use super::eligibility;
use super::id::{PersonId, SessionId};
use super::people::{Directory, Person};
use super::principal::Principal;
use super::progress::{self, PolicyProgress};
use super::request::{Request, Status};
use super::time::Timestamp;
use std::collections::BTreeMap;

/// A request with everything that is shown of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestDetails {
    /// The request.
    pub request: Request,
    /// Its action, with name, group and risk.
    pub action: Action,
    /// How far each policy is that gates it.
    pub policies: Vec<PolicyProgress>,
    /// How far each policy would be that is only tried out.
    pub observed: Vec<PolicyProgress>,
    /// The policies that a break-glass session let it past, each with what it had needed.
    pub bypassed: Vec<PolicyProgress>,
    /// The break-glass session it belongs to.
    pub session: Option<SessionSummary>,
    /// The decisions, oldest first.
    pub decisions: Vec<Decision>,
    /// Names and Slack identities of everybody who occurs in it.
    pub people: BTreeMap<PersonId, PersonSummary>,
    /// The people who could bring it forward now, by id, the first hundred; nobody once it is decided.
    pub waiting_for: Vec<PersonId>,
    /// How many people besides could.
    pub waiting_more: usize,
    /// What happened, oldest first: the first event and the latest ones.
    pub timeline: Vec<TimelineEvent>,
    /// Whether events between the first and the others are left out.
    pub timeline_truncated: bool,
    /// How a change of the configuration differs from the version it was made from.
    pub difference: Option<Difference>,
}

/// What is shown of the session that let a request past policies, or that it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSummary {
    /// Its id.
    pub id: SessionId,
    /// Its justification.
    pub reason: String,
    /// Who started it, by name.
    pub initiator: String,
}

/// How a person is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonSummary {
    /// The name.
    pub name: String,
    /// Slack identities, for mentions and direct messages.
    pub slack: Vec<SlackIdentity>,
}

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: AuditEventKind,
    /// Who.
    pub actor: Principal,
    /// Through which door.
    pub via: Via,
    /// A comment or message, where there was one.
    pub note: Option<String>,
}

impl RequestDetails {
    /// The name of a person, or the id of one who is no longer in the directory.
    pub fn name<'a>(&'a self, id: &'a PersonId) -> &'a str {
        self.people
            .get(id)
            .map_or(id.as_str(), |person| person.name.as_str())
    }

    /// How a principal is called.
    pub fn principal_name<'a>(&'a self, principal: &'a Principal) -> &'a str {
        match principal {
            Principal::Person(id) => self.name(id),
            Principal::Service(id) => id.as_str(),
            Principal::Operator => "the operator",
            Principal::Bot => "Countersign",
        }
    }

    /// Whether a decision of this person would be taken now, as far as can be seen from here; the door checks it again. What they
    /// have given themselves since it was asked does not count.
    pub fn takes_decision_of(&self, id: &PersonId, directory: &Directory) -> bool {
        let Request {
            gates, excluded, ..
        } = &self.request;
        let eligible = |person: &Person| eligibility::check(gates, excluded, person).is_ok();
        self.is_pending()
            && self.decisions.iter().all(|decision| decision.by != *id)
            && (directory.person_as_of(id, self.request.created_at))
                .is_some_and(|person| eligible(&person))
    }

    /// Whether it waits for this very person: they may decide, and could add to what is still missing.
    pub fn waits_for(&self, id: &PersonId, directory: &Directory) -> bool {
        let Request {
            gates, excluded, ..
        } = &self.request;
        self.is_pending()
            && (directory.person_as_of(id, self.request.created_at)).is_some_and(|person| {
                progress::waits_for(gates, excluded, &self.decisions, &person)
            })
    }

    /// Whether it still waits for decisions.
    pub fn is_pending(&self) -> bool {
        self.request.state.status() == Status::Pending
    }
}
