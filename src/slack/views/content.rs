//! The canonical content that people approve, and where it is shown (threat SL9).

use super::kit;
use super::text;
use crate::domain::digest::canonical;
use crate::domain::document::ShowPayload;
use crate::domain::policy::Gate;
use crate::domain::shown::Shown;
use serde_json::Value;

/// Most characters, in their shown form, of a payload that still stands on the card.
const ON_CARD: usize = 2_900;
/// Most characters of a target, in its shown form.
const TARGET_ON_CARD: usize = 1_500;
/// Most bytes of JSON of one page, so that a view stays far below what Slack echoes back (design 2.9).
const PAGE_BYTES: usize = 24_000;
/// Most shown characters of one code block.
const BLOCK: usize = 2_900;

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
pub fn offer(shown: &Shown) -> Offer {
    let gates = shown.request.gates.iter().chain(&shown.request.bypassed);
    let strictest = gates.map(strictness).max().unwrap_or_default();
    match strictest {
        ShowPayload::Never => Offer::Hidden,
        // a difference reads better than the document, and is not the document
        ShowPayload::Card if fits(shown) && shown.difference.is_none() => Offer::Whole,
        ShowPayload::Card | ShowPayload::Details => Offer::Review,
    }
}

fn strictness(gate: &Gate) -> ShowPayload {
    gate.template.show_payload
}

fn fits(shown: &Shown) -> bool {
    let target = shown.request.target.to_string();
    json_length(&shown.request.payload) <= ON_CARD
        && text::escape(&target).chars().count() <= TARGET_ON_CARD
}

fn json_length(content: &str) -> usize {
    // a string's JSON form is never shorter than what is shown of it
    let mut shown = String::new();
    content.chars().for_each(|c| text::push_json(&mut shown, c));
    Value::from(shown).to_string().chars().count()
}

/// The canonical document whose digest people approve; nothing, where a policy keeps it from Slack.
pub fn document(shown: &Shown) -> Option<String> {
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

/// Cuts a document into pages, each within a view's limits; joined they are the document.
pub fn pages(document: &str) -> Vec<&str> {
    split(document, PAGE_BYTES, |shown| {
        Value::from(shown).to_string().len() - 2
    })
}

/// Content as code blocks, within a section's limits.
pub fn blocks(content: &str) -> Vec<Value> {
    split(content, BLOCK, |shown| shown.chars().count())
        .into_iter()
        .map(|part| {
            let mut shown = String::from("```");
            part.chars().for_each(|c| text::push_json(&mut shown, c));
            shown.push_str("```");
            kit::section(&shown)
        })
        .collect()
}

/// Cuts where the cost of the shown form would exceed `most`; never within a character.
fn split(content: &str, most: usize, cost: impl Fn(&str) -> usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut spent) = (0, 0);
    let mut sign = String::new();
    for (at, c) in content.char_indices() {
        sign.clear();
        text::push_json(&mut sign, c);
        let price = cost(&sign);
        if spent + price > most {
            parts.push(&content[start..at]);
            (start, spent) = (at, 0);
        }
        spent += price;
    }
    parts.push(&content[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sl9_pages_hide_nothing(filler in 0_usize..60_000, harm in "[a-z<&`\u{202e}é😀]{1,40}") {
            let content = format!("{}{harm}{}", "<é😀\"".repeat(filler / 4), "x".repeat(filler));
            let pages = pages(&content);
            prop_assert_eq!(pages.concat(), content.as_str());
            for page in pages {
                let blocks = blocks(page);
                prop_assert!(blocks.len() <= 30, "{}", blocks.len());
                let json = Value::from(blocks.clone()).to_string();
                prop_assert!(json.len() < 40_000, "{}", json.len());
                for block in blocks {
                    let length = block["text"]["text"].as_str().map_or(0, |t| t.chars().count());
                    prop_assert!(length <= kit::SECTION && length > 6, "{length}");
                }
            }
        }
    }
}
