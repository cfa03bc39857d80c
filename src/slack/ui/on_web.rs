//! Requests whose approvals count on the web pages only (docs/policies.md): a link to the page takes the place of Approve and Review.
//! Reject stays, because rejecting is possible everywhere.

use super::{blocks, card_value};
use crate::domain::request_details::RequestDetails;
use crate::slack::api::channels::Audience;
use serde_json::Value;

/// The `action_id` of the link. Slack reports a press of it as well; it needs nothing but the acknowledgement.
pub const LINK: &str = "review_on_web";

/// Whether a pinned policy counts approvals on the web pages only.
pub fn applies(shown: &RequestDetails) -> bool {
    shown.request.web_only().is_some()
}

/// The button that opens the page; none if the pages have no address.
pub fn button(shown: &RequestDetails) -> Option<Value> {
    let page = shown.page.as_ref()?;
    let label = format!(
        "Review request {} on the web, {}",
        shown.request.number, shown.action.name
    );
    let mut button = blocks::button(LINK, "Review on the web", &card_value(shown), &label);
    button["url"] = page.as_str().into();
    Some(button)
}

/// Where people approve.
pub fn sentence(shown: &RequestDetails, audience: Audience) -> &'static str {
    match (audience, &shown.page) {
        (Audience::Shared, Some(_)) => "Approvals count on the web only: Details has the link.",
        (Audience::Own, Some(_)) => "Approvals count on the web only. Rejecting works here, too.",
        (_, None) => {
            "Approvals count on the web only, and the web pages have no address yet: ask the operator to set COUNTERSIGN_PUBLIC_URL. Rejecting works here, too."
        }
    }
}
