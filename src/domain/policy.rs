//! A policy as it gates one request: an immutable version of its template, pinned.

use super::document::Template;
use serde::{Deserialize, Serialize};

/// A policy that gates a request. A field that this release does not know could require more, so it is never skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gate {
    /// The template's version.
    pub version: i64,
    /// The template as it was then.
    pub template: Template,
    /// Where it is bound, in words: `organization`, `environment production`.
    pub bound: Vec<String>,
}
