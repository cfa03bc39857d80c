//! What somebody asks for, what becomes of it, and the rules it can break (docs/decisions.md D38).

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

/// The rules a request can break (docs/decisions.md D38).
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

/// One broken rule, in words that say what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// The policy whose rule it is, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// The rule.
    pub rule: ViolationCode,
    /// What is wrong and what to do.
    pub message: String,
    /// The unknown name that it is about, until names have been suggested for it.
    #[serde(skip)]
    pub unknown: Option<UnknownName>,
}

/// A name that nothing goes by; [`CompiledConfig::suggest_names`](super::compiled_config::Rules::suggest_names) adds what may have been meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    /// Among which names it was looked for.
    pub kind: NameKind,
    /// The name as given.
    pub name: String,
}

/// The kinds of names that a request can get wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// Actions.
    Action,
    /// Actions and groups of actions that a break-glass session can cover.
    SessionAction,
    /// Projects, clusters or environments.
    Resource(Level),
    /// People of the directory.
    Person,
    /// Configured services.
    Service,
}

impl Violation {
    /// A broken rule that no policy made.
    pub fn new(rule: ViolationCode, message: impl Into<String>) -> Self {
        Self {
            policy: None,
            rule,
            message: message.into(),
            unknown: None,
        }
    }

    /// Something is named that does not exist; `what` says what it should have been.
    pub(super) fn unknown(rule: ViolationCode, what: &str, unknown: UnknownName) -> Self {
        Self {
            policy: None,
            rule,
            message: suggestion::unknown_name(what, &unknown.name),
            unknown: Some(unknown),
        }
    }

    /// A resource of this level does not exist.
    pub(super) fn unknown_resource(level: Level, name: &str) -> Self {
        let unknown = UnknownName {
            kind: NameKind::Resource(level),
            name: name.to_owned(),
        };
        Self::unknown(ViolationCode::UnknownResource, level.as_str(), unknown)
    }
}

/// What somebody asks for, before anything of it is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The action's id as given.
    pub action: String,
    /// The project as given.
    pub project: Option<String>,
    /// The cluster as given.
    pub cluster: Option<String>,
    /// The environment as given.
    pub environment: Option<String>,
    /// The release as given.
    pub release: Option<String>,
    /// The reason as given.
    pub reason: Option<String>,
    /// For whom.
    pub requester: Principal,
    /// Whose token, click or command asks.
    pub submitted_by: Principal,
    /// The owners of the service that asks.
    pub owners: Vec<PersonId>,
    /// Named authors, as given.
    pub authors: Vec<String>,
}

/// An ask that keeps every rule, with what gates it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmittedRequest {
    /// The action.
    pub action: Action,
    /// The target; a cluster's environment is filled in.
    pub target: Target,
    /// The reason, trimmed; never blank.
    pub reason: Option<String>,
    /// The authors.
    pub authors: Vec<PersonId>,
    /// The policies that gate it; empty means that it is allowed at once.
    pub gates: Vec<PinnedPolicy>,
    /// Policies that are only tried out.
    pub observed: Vec<PinnedPolicy>,
    /// Policies that a break-glass session lets it past.
    pub bypassed: Vec<PinnedPolicy>,
    /// That session, and its end.
    pub session: Option<(SessionId, Timestamp)>,
    /// Who may not approve it.
    pub excluded: PeopleInvolved,
    /// How long it may wait: the shortest `expiresAfter`.
    pub expires_after: Span,
    /// How long an approval may be executed: the shortest `validFor`.
    pub valid_for: Span,
}
