//! The canonical content that people approve, and where it is shown (threat SL9).

use super::pages::{BLOCK, Reading};
use super::text;
use super::{blocks, phrases};
use crate::domain::content::TextPayload;
use crate::domain::digest::canonical;
use crate::domain::document::ShowPayload;
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::request_details::RequestDetails;
use serde_json::{Value, json};

/// Most characters, in their shown form, of a payload that still stands on the card.
const ON_CARD: usize = BLOCK;
/// Most lines of a text that still stands on the card; a longer one is read in Review, page by page.
const LINES_ON_CARD: usize = 60;
/// The longest that a sign becomes in JSON, `\u0000`.
const LONGEST_SIGN: usize = 6;

/// How a card offers what is approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// All of it stands on the card, so Approve may stand there too.
    Whole,
    /// Not all of it: Review takes the place of Approve.
    Review,
    /// A policy keeps it from Slack; the card says so and keeps Approve.
    Hidden,
}

/// How this request's content is offered; the same at every moment of its life.
pub fn offer(shown: &RequestDetails) -> Offer {
    let gates = shown.request.gates.iter().chain(&shown.request.bypassed);
    let strictest = gates.map(strictness).max().unwrap_or_default();
    match strictest {
        ShowPayload::Never => Offer::Hidden,
        // a difference reads better than the document, and is not the document
        ShowPayload::Card if fits(shown) && shown.difference.is_none() => Offer::Whole,
        ShowPayload::Card | ShowPayload::Details => Offer::Review,
    }
}

fn strictness(gate: &PinnedPolicy) -> ShowPayload {
    gate.template.show_payload
}

fn fits(shown: &RequestDetails) -> bool {
    let payload = &shown.request.payload;
    // what is longer by far need not be read to know
    payload.len() <= LONGEST_SIGN * ON_CARD && target_fits(shown) && payload_fits(payload)
}

/// Whether a sentence says all of the target.
pub(super) fn target_fits(shown: &RequestDetails) -> bool {
    let target = shown.request.target.to_string();
    text::escape(&target).chars().count() <= phrases::PLACE
}

fn payload_fits(payload: &str) -> bool {
    let reading = of_payload(payload);
    // a string's JSON form is never shorter than what is shown of it
    let length = |block: &Value| block["text"]["text"].to_string().chars().count();
    reading.lines() <= LINES_ON_CARD
        && reading.blocks().iter().map(length).sum::<usize>() <= ON_CARD
}

/// The payload alone, as it is read.
fn of_payload(payload: &str) -> Reading {
    match TextPayload::read(payload) {
        Some(TextPayload { command, text }) => {
            let command = command.map(|words| json!({ "command": words }).to_string());
            Reading::with_text(command.unwrap_or_default(), &text.text)
        }
        None => Reading::json(payload.to_owned()),
    }
}

/// All of the payload, in code blocks that say what they are.
pub fn payload_blocks(payload: &str) -> Vec<Value> {
    let words = match TextPayload::read(payload) {
        None => "What runs, all of it:".to_owned(),
        Some(found) => {
            let kind = text::code(&found.text.content_type);
            let fed = found.command.map_or("", |_| "a command and its input, ");
            format!("What runs, all of it: {fed}{kind}")
        }
    };
    let mut blocks = vec![blocks::context(&[words])];
    blocks.extend(of_payload(payload).blocks());
    blocks
}

/// The canonical document whose digest people approve; nothing, where a policy keeps it from Slack.
pub fn document(shown: &RequestDetails) -> Option<String> {
    if offer(shown) == Offer::Hidden {
        return None;
    }
    let request = &shown.request;
    let action = Value::from(request.action.as_str());
    let target = canonical(&request.target).ok()?;
    let payload = &request.payload;
    Some(format!(
        r#"{{"action":{action},"payload":{payload},"target":{target}}}"#
    ))
}

/// The document as it is read: a text stands line by line behind the rest, which is JSON.
pub fn reading(shown: &RequestDetails) -> Option<Reading> {
    let document = document(shown)?;
    let request = &shown.request;
    let Some(TextPayload { command, text }) = TextPayload::read(&request.payload) else {
        return Some(Reading::json(document));
    };
    let mut head = json!({
        "action": request.action.as_str(),
        "contentType": text.content_type,
        "target": &request.target,
    });
    if let Some(command) = command {
        head["command"] = command.into();
    }
    let head = canonical(&head).ok()?;
    Some(Reading::with_text(head, &text.text))
}
