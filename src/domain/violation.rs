//! The rules that the input of a request breaks (docs/decisions.md D38).

use super::document::Level;
use super::id::PolicyId;
use super::suggestion;
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

/// An input of a request, or of the start of a break-glass session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names of the inputs")]
pub enum AskField {
    /// None in particular: the request as a whole.
    #[default]
    Whole,
    Action,
    Project,
    Cluster,
    Environment,
    Release,
    Reason,
    Payload,
    Requester,
    Authors,
    CallbackUrl,
    Duration,
    Responders,
}

impl From<Level> for AskField {
    fn from(level: Level) -> Self {
        match level {
            Level::Organization => Self::Whole,
            Level::Project => Self::Project,
            Level::Cluster => Self::Cluster,
            Level::Environment => Self::Environment,
        }
    }
}

/// One rule that a request breaks, with a message that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// The input that it is about; forms show the message there.
    #[serde(skip)]
    pub field: AskField,
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
    pub fn new(field: AskField, rule: ViolationCode, message: impl Into<String>) -> Self {
        Self {
            field,
            policy: None,
            rule,
            message: message.into(),
            unknown: None,
        }
    }

    /// A violation about a name that does not exist; `what` says what was expected.
    pub(super) fn unknown(
        field: AskField,
        rule: ViolationCode,
        what: &str,
        unknown: UnknownName,
    ) -> Self {
        let message = suggestion::unknown_name(what, &unknown.name);
        Self {
            unknown: Some(unknown),
            ..Self::new(field, rule, message)
        }
    }

    /// A violation about a resource of this level that does not exist.
    pub(super) fn unknown_resource(level: Level, name: &str) -> Self {
        let unknown = UnknownName {
            kind: NameKind::Resource(level),
            name: name.to_owned(),
        };
        let rule = ViolationCode::UnknownResource;
        Self::unknown(level.into(), rule, level.as_str(), unknown)
    }
}
