//! Details: everything about a request on one screen, and a decision with a comment.

use super::content::{self, Offer};
use super::text::{brief, code, date, name, plain};
use super::{blocks, card, card_value, config_diff, on_web, phrases};
use crate::domain::audit::AuditEventKind;
use crate::domain::audit_words::in_words;
use crate::domain::principal::Principal;
use crate::domain::progress::{Explanation, PolicyProgress};
use crate::domain::request_details::{RequestDetails, TimelineEvent};
use crate::slack::api::channels::Audience;
use serde_json::{Value, json};

/// The modal's `callback_id`.
pub const CALLBACK: &str = "decide";
/// The choice between approve and reject, as block and action.
pub const VERDICT: &str = "verdict";
/// The comment, as block and action.
pub const COMMENT: &str = "comment";

/// The lines of a difference that are listed.
const CHANGES: usize = 60;
/// The latest events that are listed.
const EVENTS: usize = 40;

/// The modal. For somebody who could decide it has a decision with a comment.
pub fn details(shown: &RequestDetails, takes_decision: bool) -> Value {
    let mut blocks = vec![blocks::section(&phrases::sentence(shown))];
    if let Some(reason) = &shown.request.reason {
        blocks.extend(reason_sections(reason));
    }
    // a decision can be made here without having seen the card
    if !content::target_fits(shown) {
        blocks.push(card::facts(shown, content::offer(shown)));
    }
    if content::offer(shown) == Offer::Whole && shown.request.payload != "null" {
        blocks.extend(content::payload_blocks(&shown.request.payload));
    }
    if let Some(difference) = shown
        .difference
        .as_ref()
        .filter(|_| content::offer(shown) != Offer::Hidden)
    {
        blocks.extend(config_diff::blocks(difference, CHANGES));
    }
    blocks.extend(blocks::packed(&lines(shown), blocks::VIEW_BYTES));
    let title = format!("Request #{}", shown.request.number);
    let mut view = blocks::modal(CALLBACK, &title, &card_value(shown), &blocks);
    if takes_decision {
        add_decision(&mut view, shown);
    }
    view
}

/// A reason may have more characters than a section.
fn reason_sections(reason: &str) -> Vec<Value> {
    let shown = format!("Why: {}", plain(reason));
    let signs: Vec<char> = shown.chars().collect();
    signs
        .chunks(2_900)
        .map(|part| blocks::section_plain(&part.iter().collect::<String>()))
        .collect()
}

fn lines(shown: &RequestDetails) -> Vec<String> {
    let request = &shown.request;
    let mut lines = vec![phrases::outcome_line(shown)];
    lines.extend(shown.policies.iter().flat_map(|policy| tree(policy, "")));
    lines.extend(shown.bypassed.iter().map(phrases::bypassed_line));
    let tried_out = " (observe mode, gates nothing)";
    lines.extend(
        shown
            .observed
            .iter()
            .flat_map(|policy| tree(policy, tried_out)),
    );
    if !shown.decisions.is_empty() {
        lines.push("*Decisions*".to_owned());
        lines.extend(
            shown
                .decisions
                .iter()
                .map(|decision| phrases::decision_line(shown, decision)),
        );
    }
    lines.push("*Timeline*".to_owned());
    let earlier = shown.timeline.len().saturating_sub(EVENTS);
    if shown.timeline_truncated {
        lines.push("Earlier events are in the audit log".to_owned());
    } else if earlier > 0 {
        lines.push(format!("{earlier} earlier events are in the audit log"));
    }
    let events = shown.timeline[earlier..].iter();
    lines.extend(events.map(|event| event_line(shown, event)));
    lines.push("*For the API and the command line*".to_owned());
    lines.push(format!("Request {}", code(request.id.as_str())));
    lines.push(format!("Digest {}", code(request.digest.as_str())));
    if let Some(replaced) = &request.replaces {
        lines.push(format!("Replaces {}", code(replaced.as_str())));
    }
    if let Some(session) = &shown.session {
        lines.push(format!("Break-glass session {}", code(session.id.as_str())));
    }
    lines
}

/// A policy and the parts of its quorum. The summary of the parts is on the card; here it would say the same once more.
fn tree(policy: &PolicyProgress, remark: &str) -> Vec<String> {
    let (mark, progress) = if policy.satisfied {
        ("✓", "satisfied")
    } else {
        ("○", "still open")
    };
    let name = name(&policy.name);
    let version = policy.version;
    let mut lines = vec![format!(
        "{mark} *{name}* (version {version}){remark}: {progress}"
    )];
    if !policy.description.is_empty() {
        lines.push(format!("    {}", brief(&policy.description, 300)));
    }
    let root = &policy.explanation;
    if root.children.is_empty() {
        branch(root, 1, &mut lines);
    }
    for part in &root.children {
        branch(part, 1, &mut lines);
    }
    lines
}

fn branch(node: &Explanation, depth: usize, lines: &mut Vec<String>) {
    let mark = if node.met { "✓" } else { "○" };
    let text = brief(&node.text, 300);
    // deeper than this no quorum nests, and a screen has no room
    let indent = "    ".repeat(depth.min(6));
    lines.push(format!("{indent}{mark} {text}"));
    for child in &node.children {
        branch(child, depth + 1, lines);
    }
}

fn event_line(shown: &RequestDetails, event: &TimelineEvent) -> String {
    let who = name(&shown.who(&event.actor));
    let did = in_words(event.what, &event.actor, "the request");
    let note = event.note.as_deref().filter(|_| !is_listed(shown, event));
    let note = note.map_or_else(String::new, |note| format!(": {}", brief(note, 300)));
    format!("{} {who} {did}{note}", date(event.at))
}

/// Whether the event is a decision that the decisions above list with its comment.
fn is_listed(shown: &RequestDetails, event: &TimelineEvent) -> bool {
    let Principal::Person(person) = &event.actor else {
        return false;
    };
    matches!(
        event.what,
        AuditEventKind::VoteApproved | AuditEventKind::VoteRejected
    ) && shown
        .decisions
        .iter()
        .any(|decision| decision.by == *person && decision.comment == event.note)
}

/// Approve can be chosen only where everything that is approved has been shown, and where it would count.
fn add_decision(view: &mut Value, shown: &RequestDetails) {
    let option =
        |value: &str, words: &str| json!({ "text": blocks::plain_text(words), "value": value });
    let web_only = on_web::applies(shown);
    let mut options = Vec::new();
    if content::offer(shown) != Offer::Review && !web_only {
        options.push(option("approve", "Approve"));
    }
    options.push(option("reject", "Reject; one rejection ends it"));
    let verdict = json!({
        "type": "input",
        "block_id": VERDICT,
        "label": blocks::plain_text("Your decision"),
        "element": { "type": "radio_buttons", "action_id": VERDICT, "options": options },
    });
    let comment = json!({
        "type": "input",
        "block_id": COMMENT,
        "optional": true,
        "label": blocks::plain_text("Comment"),
        "element": {
            "type": "plain_text_input",
            "action_id": COMMENT,
            "multiline": true,
            "max_length": 3_000,
        },
    });
    if let Some(blocks) = view["blocks"].as_array_mut() {
        if web_only {
            let mut open = blocks::section(on_web::sentence(shown, Audience::Own));
            if let Some(button) = on_web::button(shown) {
                open["accessory"] = button;
            }
            blocks.push(open);
        } else if content::offer(shown) == Offer::Review {
            let label = format!("Review request {}", shown.request.number);
            let mut review = blocks::section("To approve, read all of what runs first.");
            review["accessory"] = blocks::button("review", "Review", &card_value(shown), &label);
            blocks.push(review);
        }
        blocks.extend([verdict, comment]);
    }
    view["submit"] = blocks::plain_text("Send decision");
}
