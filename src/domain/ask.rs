//! The unvalidated input of a new request, the validated result, and the violations (docs/decisions.md D38).

use super::action::Action;
use super::document::Level;
use super::eligibility::PeopleInvolved;
use super::id::{PersonId, PolicyId, SessionId};
use super::pinned_policy::PinnedPolicy;
use super::principal::Principal;
use super::suggestion;
use super::target::Target;
use super::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// The kinds of violations (docs/decisions.md D38).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the design's own words")]
pub enum ViolationCode {
    UnknownAction,
    UnknownResource,
    TargetRequired,
    ContradictsRegistry,
    ReasonRequired,
    Unsatisfiable,
    Payload,
    UnknownPerson,
    OwnRoute,
    Callback,
    Scope,
    Duration,
}

/// One rule that a request breaks, with a message that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// The policy that requires it, if a policy does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// The kind of violation.
    pub rule: ViolationCode,
    /// What is wrong and what to do.
    pub message: String,
    /// The unknown name, if that is the violation; cleared when suggestions are added.
    #[serde(skip)]
    pub unknown: Option<UnknownName>,
}

/// A name that does not exist; [`CompiledConfig::suggest_names`](super::compiled_config::CompiledConfig::suggest_names) adds
/// similar names to the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    /// What kind of thing the name stands for.
    pub kind: NameKind,
    /// The name as given.
    pub name: String,
}

/// The kinds of names that a request can contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// Actions.
    Action,
    /// Actions and action groups that a break-glass session can cover.
    SessionAction,
    /// Projects, clusters or environments.
    Resource(Level),
    /// People of the directory.
    Person,
    /// Configured services.
    Service,
}

impl Violation {
    /// A violation that no policy causes.
    pub fn new(rule: ViolationCode, message: impl Into<String>) -> Self {
        Self {
            policy: None,
            rule,
            message: message.into(),
            unknown: None,
        }
    }

    /// A violation about a name that does not exist; `what` says what was expected.
    pub(super) fn unknown(rule: ViolationCode, what: &str, unknown: UnknownName) -> Self {
        Self {
            policy: None,
            rule,
            message: suggestion::unknown_name(what, &unknown.name),
            unknown: Some(unknown),
        }
    }

    /// A violation about a resource of this level that does not exist.
    pub(super) fn unknown_resource(level: Level, name: &str) -> Self {
        let unknown = UnknownName {
            kind: NameKind::Resource(level),
            name: name.to_owned(),
        };
        Self::unknown(ViolationCode::UnknownResource, level.as_str(), unknown)
    }
}

/// The unvalidated input of a new request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The action's id, as given.
    pub action: String,
    /// The project, as given.
    pub project: Option<String>,
    /// The cluster, as given.
    pub cluster: Option<String>,
    /// The environment, as given.
    pub environment: Option<String>,
    /// The release, as given.
    pub release: Option<String>,
    /// The reason, as given.
    pub reason: Option<String>,
    /// The person or service that the request is for.
    pub requester: Principal,
    /// The principal whose token, click or command asks.
    pub submitted_by: Principal,
    /// The owners, by token, of the service that asks.
    pub owners: Vec<PersonId>,
    /// The authors, as given.
    pub authors: Vec<String>,
}

/// A valid ask, with the policies that gate it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmittedRequest {
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
