//! A policy version that is stored with a request when the request is created.

use super::document::{Level, PolicyTemplate};
use serde::{Deserialize, Serialize};

/// A policy that gates a request. Reading fails on an unknown field, because it could stand for a stricter requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinnedPolicy {
    /// The policy's version.
    pub version: i64,
    /// The policy as it was in that version.
    pub template: PolicyTemplate,
    /// Where the policy is bound: `organization`, `environment production`.
    pub bound: Vec<String>,
    /// Set if the policy gates because the target leaves out this level: the policy is bound to a resource of the level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Level>,
}

impl PinnedPolicy {
    /// Why the policy gates a target that does not name the bound resource; `None` if the target names it.
    pub fn left_out_reason(&self) -> Option<String> {
        let level = self.left_out?.as_str();
        Some(format!(
            "no {level} is named, so the policies of every {level} apply"
        ))
    }
}
