//! Text that people enter, as it is kept.

use crate::domain::refusal::Refusal;
use crate::domain::text;

/// What somebody entered for others to read; `what` names it where it is refused.
pub(super) fn entered(what: &str, text: Option<&str>) -> Result<Option<String>, Refusal> {
    text::entered(what, text).map_err(|broken| Refusal::Violations(vec![broken]))
}
