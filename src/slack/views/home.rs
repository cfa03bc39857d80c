//! The Home tab: what waits for you on top, then what you asked for.

use super::text::{code, escape};
use super::{card_value, kit, parts};
use crate::domain::shown::Shown;
use serde_json::{Value, json};

/// The Home tab of a person.
pub fn home(waiting: &[Shown], yours: &[Shown]) -> Value {
    let title = format!("Waiting for you ({})", waiting.len());
    let mut blocks = vec![kit::header(&title)];
    if waiting.is_empty() {
        blocks.push(kit::section("Nothing waits for you."));
    }
    blocks.extend(waiting.iter().take(20).map(row));
    blocks.push(kit::divider());
    blocks.push(kit::header("Asked by you"));
    if yours.is_empty() {
        let example = code("/approval request");
        blocks.push(kit::section(&format!(
            "Nothing yet. Ask with {example}; {} shows how.",
            code("/approval help")
        )));
    }
    blocks.extend(yours.iter().take(10).map(row));
    json!({ "type": "home", "blocks": blocks })
}

/// The Home tab of somebody who may not use it, or at a bad moment.
pub fn unavailable(why: &str) -> Value {
    json!({ "type": "home", "blocks": [kit::section(&escape(why))] })
}

fn row(shown: &Shown) -> Value {
    let mut row = kit::section(&parts::list_line(shown));
    let label = format!("Details of request {}", shown.request.number);
    row["accessory"] = kit::button("details", "Details", &card_value(shown), &label);
    row
}
