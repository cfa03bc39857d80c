//! The target of an action.

use super::id::{ClusterId, EnvironmentId, ProjectId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The resources that a request names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// The cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// The environment; for a cluster, its environment is filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentId>,
    /// The release: free text of 1 to 200 printable characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.project.as_ref().map(ProjectId::as_str),
            self.cluster.as_ref().map(ClusterId::as_str),
            self.environment.as_ref().map(EnvironmentId::as_str),
            self.release.as_deref(),
        ];
        let named: Vec<&str> = parts.into_iter().flatten().collect();
        f.write_str(&named.join(" / "))
    }
}
