//! The body of a webhook: `{type, timestamp, data}`, with the request or session as the API shows them in lists.

use super::break_glass::SessionView;
use super::view::{RequestView, Viewer};
use crate::app::WebhookSubject;
use crate::domain::people::Directory;
use crate::domain::principal::Caller;
use crate::domain::webhook::WebhookMessage;
use serde_json::{Map, json};

/// The body of a webhook. A request's payload is never part of it.
pub fn webhook_body(
    webhook: &WebhookMessage,
    subject: &WebhookSubject,
    caller: &Caller,
    directory: &Directory,
) -> String {
    let mut data = Map::new();
    if let Some(request) = &subject.request {
        let view = RequestView::in_list(request, Viewer { caller, directory });
        data.insert("request".to_owned(), json!(view));
    }
    if let Some(session) = &subject.session {
        data.insert("session".to_owned(), json!(SessionView::of(session)));
    }
    json!({"type": webhook.event, "timestamp": webhook.at.rfc3339(), "data": data}).to_string()
}
