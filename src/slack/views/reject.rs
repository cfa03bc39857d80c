//! Why somebody rejects: a rejection ends a request, and whoever asked should learn the reason.

use super::{card_value, form, kit, parts};
use crate::domain::shown::Shown;
use serde_json::Value;

/// The modal's `callback_id`.
pub const CALLBACK: &str = "reject";
/// The reason, as block and action.
pub const REASON: &str = "reason";

/// The form.
pub fn form(shown: &Shown) -> Value {
    let reason = form::Text {
        name: REASON,
        label: "Why?",
        hint: "One rejection ends the request. Whoever asked reads this.",
        ..form::Text::default()
    };
    let blocks = [
        kit::section(&parts::sentence(shown)),
        form::lines(&reason, None),
    ];
    let title = format!("Reject #{}", shown.request.number);
    let mut view = kit::modal(CALLBACK, &title, &card_value(shown), &blocks);
    view["submit"] = kit::plain_text("Reject request");
    view
}
