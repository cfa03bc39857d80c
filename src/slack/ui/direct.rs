//! Direct messages to the one who asked.

use super::text::{code, cut_markup, escape};
use super::{Message, blocks, card_value, phrases};
use crate::domain::audit::AuditEventKind;
use crate::domain::decision::DecisionKind;
use crate::domain::document::Risk;
use crate::domain::request::{State, Status};
use crate::domain::request_details::{RequestDetails, TimelineEvent};
use serde_json::Value;

/// What became of a request, for its requester, as it stands now.
pub fn news(shown: &RequestDetails) -> Message {
    let request = &shown.request;
    let number = request.number;
    let what = escape(&shown.action.name);
    let place = phrases::place(shown);
    let outcome = match request.state.status() {
        Status::Pending => {
            format!(
                "waits again, because more is required now: {}.",
                phrases::standing(shown)
            )
        }
        Status::Rejected => format!("was rejected.{}", said_no(shown)),
        Status::Cancelled => "was cancelled.".to_owned(),
        Status::Expired => "has expired. Ask again if it is still needed.".to_owned(),
        Status::Allowed | Status::Approved | Status::Bypassed => next_step(shown),
        Status::Executed if started_here(shown) => {
            "is being executed. When you have finished, press Done or Failed.".to_owned()
        }
        Status::Executed => "was approved and executed.".to_owned(),
        Status::Completed => match request.state {
            State::Completed {
                outcome: crate::domain::request::Outcome::Failed,
                ..
            } => "was executed and failed.".to_owned(),
            _ => "was executed and succeeded.".to_owned(),
        },
    };
    let text = format!("*#{number} {what}*{place} {outcome}");
    let line = phrases::outcome_line(shown);
    let mut blocks = vec![blocks::section(&text), blocks::context(&[line])];
    let buttons = buttons(shown);
    if !buttons.is_empty() {
        blocks.push(blocks::actions(&buttons));
    }
    Message {
        blocks,
        text: cut_markup(&text.replace('*', ""), 1_500),
    }
}

/// Start, then Done and Failed, for what was asked in Slack: a program that asked carries it out itself.
fn buttons(shown: &RequestDetails) -> Vec<Value> {
    let value = card_value(shown);
    let about = format!("request {}, {}", shown.request.number, shown.action.name);
    let button = |action_id: &str, words: &str| {
        blocks::button(action_id, words, &value, &format!("{words}: {about}"))
    };
    // what is Critical or an emergency has no green button
    let is_ordinary = shown.action.risk != Risk::Critical && shown.bypassed.is_empty();
    let primary = |mut button: Value| {
        if is_ordinary {
            button["style"] = "primary".into();
        }
        button
    };
    let details = button("details", "Details");
    match shown.request.state.status() {
        Status::Allowed | Status::Approved | Status::Bypassed if asked_here(shown) => {
            vec![primary(button("start", "Start")), details]
        }
        Status::Executed if started_here(shown) => {
            let (done, failed) = (button("done", "Done"), button("failed", "Failed"));
            vec![primary(done), failed, details]
        }
        Status::Pending
        | Status::Allowed
        | Status::Approved
        | Status::Bypassed
        | Status::Executed
        | Status::Completed
        | Status::Rejected
        | Status::Cancelled
        | Status::Expired => Vec::new(),
    }
}

fn asked_here(shown: &RequestDetails) -> bool {
    let asked = shown.timeline.first();
    asked.is_some_and(|event| event.via.is_slack())
}

fn started_here(shown: &RequestDetails) -> bool {
    let started = |event: &&TimelineEvent| event.what == AuditEventKind::RequestExecuted;
    let event = shown.timeline.iter().rev().find(started);
    event.is_some_and(|event| event.via.is_slack())
}

fn next_step(shown: &RequestDetails) -> String {
    let word = match shown.request.state.status() {
        Status::Allowed => "is allowed",
        Status::Bypassed => "may run under break-glass",
        _ => "is approved",
    };
    if asked_here(shown) {
        return format!("{word}. Press Start when you begin; it can be started once.");
    }
    let number = shown.request.number;
    format!(
        "{word}. Execute it with {}.",
        code(&format!("countersign execute {number}"))
    )
}

fn said_no(shown: &RequestDetails) -> String {
    let rejection = shown
        .decisions
        .iter()
        .find(|decision| decision.verdict == DecisionKind::Reject);
    rejection.map_or_else(String::new, |decision| {
        format!(" {}", phrases::decision_line(shown, decision))
    })
}
