//! What a session covers. Every list that is given must contain the target's resource; a list that is left out does not restrict
//! (docs/decisions.md D27).

use crate::domain::action::{Action, must_be_named};
use crate::domain::document::ActionGroup;
use crate::domain::id::{ActionId, ClusterId, EnvironmentId, ProjectId};
use crate::domain::resolve::Reach;
use crate::domain::target::Target;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An action, or one of the two groups that can be covered as a whole; written `release.deploy`, `project`, `cluster`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ScopeAction {
    /// Every action of this group, except actions that a policy gates only by naming them.
    Group(ActionGroup),
    /// This action.
    Action(ActionId),
}

impl From<String> for ScopeAction {
    fn from(text: String) -> Self {
        match text.as_str() {
            "project" => Self::Group(ActionGroup::Project),
            "cluster" => Self::Group(ActionGroup::Cluster),
            _ => Self::Action(ActionId::new(text)),
        }
    }
}

impl From<ScopeAction> for String {
    fn from(action: ScopeAction) -> String {
        action.to_string()
    }
}

impl fmt::Display for ScopeAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Group(ActionGroup::Project) => "project",
            Self::Group(ActionGroup::Cluster) => "cluster",
            Self::Group(ActionGroup::Security) => "security",
            Self::Action(id) => id.as_str(),
        })
    }
}

/// What a session covers: these actions, on targets that match all the lists that are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionScope {
    /// Actions and action groups.
    pub actions: Vec<ScopeAction>,
    /// Only these projects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projects: Option<Vec<ProjectId>>,
    /// Only these clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<ClusterId>>,
    /// Only these environments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environments: Option<Vec<EnvironmentId>>,
}

impl SessionScope {
    /// Whether the session covers this action on this target. It never covers a configuration change or the start of another
    /// session, whatever it names.
    pub fn covers(&self, action: &Action, target: &Target) -> bool {
        !must_be_named(&action.id)
            && self.actions.iter().any(|named| match named {
                ScopeAction::Group(group) => *group == action.group,
                ScopeAction::Action(id) => *id == action.id,
            })
            && self.reach().contains(target)
    }

    /// The resources that the session covers.
    pub fn reach(&self) -> Reach {
        Reach {
            projects: self.projects.clone(),
            clusters: self.clusters.clone(),
            environments: self.environments.clone(),
        }
    }
}

/// Written as `cluster.restart, cluster.sync; environments production`.
impl fmt::Display for SessionScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn named<T: AsRef<str>>(what: &str, list: Option<&Vec<T>>) -> Option<String> {
            let names: Vec<&str> = list?.iter().map(AsRef::as_ref).collect();
            let ending = if names.len() == 1 { "" } else { "s" };
            Some(format!("{what}{ending} {}", names.join(", ")))
        }
        let actions: Vec<String> = self
            .actions
            .iter()
            .map(|action| match action {
                ScopeAction::Group(_) => format!("every {action} action"),
                ScopeAction::Action(_) => action.to_string(),
            })
            .collect();
        let parts = [
            Some(actions.join(", ")),
            named("project", self.projects.as_ref()),
            named("cluster", self.clusters.as_ref()),
            named("environment", self.environments.as_ref()),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join("; "))
    }
}
