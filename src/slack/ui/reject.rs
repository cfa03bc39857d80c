//! Why somebody rejects: a rejection ends a request, and whoever asked should learn the reason.

use super::{blocks, card_value, form, phrases};
use crate::domain::request_details::RequestDetails;
use serde_json::Value;

/// The modal's `callback_id`.
pub const CALLBACK: &str = "reject";
/// The reason, as block and action.
pub const REASON: &str = "reason";

/// The form.
pub fn form(shown: &RequestDetails) -> Value {
    let reason = form::Text {
        name: REASON,
        label: "Why?",
        hint: "One rejection ends the request. The requester reads this.",
        ..form::Text::default()
    };
    let blocks = [
        blocks::section(&phrases::sentence(shown)),
        form::lines(&reason, None),
    ];
    let title = format!("Reject #{}", shown.request.number);
    let mut view = blocks::modal(CALLBACK, &title, &card_value(shown), &blocks);
    view["submit"] = blocks::plain_text("Reject request");
    view
}
