//! A policy as it gates one request: an immutable version of its template, pinned.

use super::document::{Level, PolicyTemplate};
use serde::{Deserialize, Serialize};

/// A policy that gates a request. A field that this release does not know could require more, so it is never skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinnedPolicy {
    /// The template's version.
    pub version: i64,
    /// The template as it was then.
    pub template: PolicyTemplate,
    /// Where it is bound, in words: `organization`, `environment production`.
    pub bound: Vec<String>,
    /// The level that the target leaves out, where the policy gates for that reason: it is bound to a resource of this level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Level>,
}

impl PinnedPolicy {
    /// Why it gates a target that does not name what it is bound to; nothing where the target names it.
    pub fn left_out_reason(&self) -> Option<String> {
        let level = self.left_out?.as_str();
        Some(format!(
            "no {level} is named, so the policies of every {level} apply"
        ))
    }
}
