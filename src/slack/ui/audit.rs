//! The audit log as administrators read it, newest first. Break-glass stands out in words and by a sign, never by colour alone.

use super::text::{brief, cut_markup, date, name};
use super::{Message, blocks};
use crate::app::LoggedEvent;
use crate::domain::audit::AuditEventKind;
use crate::domain::audit_words::in_words;
use crate::domain::people::Directory;
use crate::domain::principal::Principal;
use serde_json::Value;

/// Most characters of one line.
const LINE: usize = 400;

/// Said above a log that somebody has changed.
const ALTERED: &str = "⚠️ *The audit log was changed after it had been sealed.* The marked rows, or the rows before them, are not what was recorded. Run `countersign audit verify` and compare the log with a back-up.";

/// The answer to `/approval audit`.
pub fn audit(events: &[LoggedEvent], directory: &Directory) -> Message {
    if events.is_empty() {
        return Message::plain("Nothing has happened yet.");
    }
    let mut blocks = Vec::new();
    if events.iter().any(|event| event.altered) {
        blocks.push(blocks::section(ALTERED));
    }
    blocks.extend(lines(events, directory));
    let hint = "Newest first. `countersign audit export` has everything, `countersign audit verify` checks it.";
    blocks.push(blocks::context(&[hint.to_owned()]));
    Message {
        text: format!(
            "Here are the latest {} events of the audit log.",
            events.len()
        ),
        blocks,
    }
}

/// The events, packed into sections; what does not fit into a message says so.
pub fn lines(events: &[LoggedEvent], directory: &Directory) -> Vec<Value> {
    let lines: Vec<String> = events.iter().map(|event| line(event, directory)).collect();
    blocks::packed(&lines, blocks::MESSAGE_BYTES)
}

fn line(event: &LoggedEvent, directory: &Directory) -> String {
    let who = match &event.actor {
        Principal::Person(id) => directory.name(id),
        Principal::Service(id) => id.as_str(),
        Principal::Operator => "The operator",
        Principal::Bot => "Countersign",
    };
    let who = name(who);
    let request = event
        .number
        .map_or_else(|| "a request".to_owned(), |number| format!("#{number}"));
    let mut did = in_words(event.what, &event.actor, &request);
    if event.number.is_some() && !did.contains(&request) {
        did = format!("{did} ({request})");
    }
    let note = event.note.as_deref().map(|note| brief(note, 200));
    let note = note.map_or_else(String::new, |note| format!(": {note}"));
    let altered = if event.altered {
        "⚠️ *CHANGED AFTERWARDS* "
    } else {
        ""
    };
    let mark = mark(event);
    let text = format!("{altered}{mark}{} *{who}* {did}{note}", date(event.at));
    cut_markup(&text, LINE)
}

/// What must not be overlooked.
fn mark(event: &LoggedEvent) -> &'static str {
    match (event.prominent, event.what) {
        (false, _) => "",
        (true, AuditEventKind::Recovered) => "🚨 *PAST THE RULES* ",
        (true, _) => "🚨 *BREAK-GLASS* ",
    }
}
