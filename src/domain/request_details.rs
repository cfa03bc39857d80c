//! Everything that is displayed about one request. Cards, the API and the command line all render this.

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
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A request with everything that is displayed about it.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestDetails {
    /// The request.
    pub request: Request,
    /// Its action, with name, group and risk.
    pub action: Action,
    /// How far each policy is that gates the request.
    pub policies: Vec<PolicyProgress>,
    /// How far each observed policy would be.
    pub observed: Vec<PolicyProgress>,
    /// The policies that a break-glass session bypassed, each with what was missing.
    pub bypassed: Vec<PolicyProgress>,
    /// The break-glass session that the request belongs to.
    pub session: Option<SessionSummary>,
    /// The decisions, oldest first.
    pub decisions: Vec<Decision>,
    /// Names and Slack identities of everyone who occurs in the request.
    pub people: BTreeMap<PersonId, PersonSummary>,
    /// The first hundred people who could still contribute an approval, sorted by id; empty once the request is decided.
    pub waiting_for: Vec<PersonId>,
    /// How many more people could contribute.
    pub waiting_more: usize,
    /// The audit events, oldest first: the first event and the latest ones.
    pub timeline: Vec<TimelineEvent>,
    /// Whether events after the first one were left out.
    pub timeline_truncated: bool,
    /// The address of the request's page; `None` if there are no pages.
    pub page: Option<String>,
    /// For a configuration change: the difference from the version that it was based on.
    pub difference: Option<Difference>,
}

/// The displayed part of the session that bypassed policies, or that the request starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSummary {
    /// The session's id.
    pub id: SessionId,
    /// The session's justification.
    pub reason: String,
    /// The initiator's name.
    pub initiator: String,
}

/// How a person is displayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonSummary {
    /// The person's name.
    pub name: String,
    /// The person's Slack identities, for mentions and direct messages.
    pub slack: Vec<SlackIdentity>,
}

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEvent {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub what: AuditEventKind,
    /// Who did it.
    pub actor: Principal,
    /// The interface it came through.
    pub via: Via,
    /// The comment or message, if any.
    pub note: Option<String>,
}

impl RequestDetails {
    /// The name of a person, or the id of one who is no longer in the directory.
    pub fn name<'a>(&'a self, id: &'a PersonId) -> &'a str {
        self.people
            .get(id)
            .map_or(id.as_str(), |person| person.name.as_str())
    }

    /// The display name of a principal.
    pub fn principal_name<'a>(&'a self, principal: &'a Principal) -> &'a str {
        match principal {
            Principal::Person(id) => self.name(id),
            Principal::Service(id) => id.as_str(),
            Principal::Operator => "the operator",
            Principal::Bot => "Countersign",
        }
    }

    /// A principal in a sentence: a person by name, and `service ci`.
    pub fn who<'a>(&'a self, principal: &'a Principal) -> Cow<'a, str> {
        match principal {
            Principal::Service(id) => format!("service {id}").into(),
            other => self.principal_name(other).into(),
        }
    }

    /// Whether a decision of this person would be accepted now; `decide` checks it again. Recent memberships do not count.
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

    /// Whether the request waits for this person: they may decide and could contribute to what is missing.
    pub fn waits_for(&self, id: &PersonId, directory: &Directory) -> bool {
        let Request {
            gates, excluded, ..
        } = &self.request;
        self.is_pending()
            && (directory.person_as_of(id, self.request.created_at)).is_some_and(|person| {
                progress::waits_for(gates, excluded, &self.decisions, &person)
            })
    }

    /// Whether the request is pending.
    pub fn is_pending(&self) -> bool {
        self.request.state.status() == Status::Pending
    }
}
