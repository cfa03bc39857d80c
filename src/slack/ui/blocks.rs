//! The few Block Kit parts that we use, within Slack's limits. Only old, stable kinds: a decision depends on them.

use super::text;
use serde_json::{Value, json};

/// Most characters of a section's text.
pub const SECTION: usize = 3_000;
/// Most characters of a field, and of a line of small print.
const SMALL: usize = 2_000;
/// Bytes of JSON for the lines of a message, which Slack refuses as a whole when it is too long.
pub const MESSAGE_BYTES: usize = 12_000;
/// Bytes of JSON for the lines of a modal or a Home tab; the whole view stays below what Slack echoes back.
pub const VIEW_BYTES: usize = 24_000;

/// A section of mrkdwn.
pub fn section(mrkdwn: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn_text(&text::cut_markup(mrkdwn, SECTION)) })
}

/// A section of people's own words, which Slack does not parse.
pub fn section_plain(words: &str) -> Value {
    section_brief(words, SECTION)
}

/// The same, of at most `most` characters in the form that is sent.
pub fn section_brief(words: &str, most: usize) -> Value {
    let words = text::cut(&text::plain(words), most);
    json!({ "type": "section", "text": plain_text(&words) })
}

/// Pairs of a name and mrkdwn, two in a row; at most ten.
pub fn fields(pairs: &[(&str, String)]) -> Value {
    let fields: Vec<Value> = pairs
        .iter()
        .take(10)
        .map(|(name, value)| mrkdwn_text(&text::cut_markup(&format!("*{name}*\n{value}"), SMALL)))
        .collect();
    json!({ "type": "section", "fields": fields })
}

/// Small print of mrkdwn.
pub fn context(lines: &[String]) -> Value {
    let elements: Vec<Value> = lines
        .iter()
        .take(10)
        .map(|line| mrkdwn_text(&text::cut_markup(line, SMALL)))
        .collect();
    json!({ "type": "context", "elements": elements })
}

/// A row of buttons.
pub fn actions(buttons: &[Value]) -> Value {
    json!({ "type": "actions", "elements": buttons })
}

/// A line across.
pub fn divider() -> Value {
    json!({ "type": "divider" })
}

/// A heading.
pub fn header(words: &str) -> Value {
    json!({ "type": "header", "text": plain_text(&text::cut(words, 150)) })
}

/// A button; `label` names the thing for screen readers.
pub fn button(action_id: &str, words: &str, value: &str, label: &str) -> Value {
    json!({
        "type": "button",
        "action_id": action_id,
        "text": plain_text(words),
        "value": value,
        "accessibility_label": text::cut(&text::plain(label), 75),
    })
}

/// Asks before a button does anything.
pub fn confirm(title: &str, words: &str, yes: &str, danger: bool) -> Value {
    let mut confirm = json!({
        "title": plain_text(&text::cut(title, 100)),
        "text": plain_text(&text::cut(&text::plain(words), 300)),
        "confirm": plain_text(yes),
        "deny": plain_text("Back"),
    });
    if danger {
        confirm["style"] = "danger".into();
    }
    confirm
}

/// A text that Slack does not parse; `:codes:` stay as they are.
pub fn plain_text(words: &str) -> Value {
    json!({ "type": "plain_text", "text": words, "emoji": false })
}

/// A modal's view; `title` is cut to the 24 characters that fit.
pub fn modal(callback_id: &str, title: &str, metadata: &str, blocks: &[Value]) -> Value {
    json!({
        "type": "modal",
        "callback_id": callback_id,
        "title": plain_text(&text::cut(title, 24)),
        "close": plain_text("Close"),
        "private_metadata": metadata,
        "blocks": blocks,
    })
}

fn mrkdwn_text(mrkdwn: &str) -> Value {
    json!({ "type": "mrkdwn", "text": mrkdwn, "verbatim": true })
}

/// Packs lines of mrkdwn into sections; stops at `most_bytes` of JSON and says so.
pub fn packed(lines: &[String], most_bytes: usize) -> Vec<Value> {
    let mut sections = Vec::new();
    let mut open = String::new();
    let mut bytes = 0;
    for line in lines {
        let line = text::cut_markup(line, SECTION - 200);
        bytes += Value::from(line.as_str()).to_string().len();
        if bytes > most_bytes {
            open.push_str(
                "\n… the rest is too long for Slack; the command line and the API have it",
            );
            break;
        }
        if open.chars().count() + line.chars().count() + 1 > SECTION - 100 {
            sections.push(section(&std::mem::take(&mut open)));
        }
        if !open.is_empty() {
            open.push('\n');
        }
        open.push_str(&line);
    }
    if !open.is_empty() {
        sections.push(section(&open));
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_lines_say_how_many_were_left_out() {
        let lines: Vec<String> = (0..100)
            .map(|n| format!("{n} {}", "x".repeat(500)))
            .collect();
        let sections = packed(&lines, 20_000);
        assert!(sections.len() < 10);
        for section in &sections {
            let length = section["text"]["text"]
                .as_str()
                .map_or(0, |t| t.chars().count());
            assert!((1..=SECTION).contains(&length), "{length}");
        }
        let last = sections.last().map(ToString::to_string).unwrap_or_default();
        assert!(last.contains("too long for Slack"), "{last}");
    }
}
