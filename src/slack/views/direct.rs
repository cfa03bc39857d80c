//! Direct messages to the one who asked.

use super::text::{code, escape};
use super::{Message, kit, parts};
use crate::domain::request::{State, Status};
use crate::domain::shown::Shown;
use crate::domain::vote::Verdict;

/// What became of a request, for its requester, as it stands now.
pub fn news(shown: &Shown) -> Message {
    let request = &shown.request;
    let number = request.number;
    let what = escape(&shown.action.name);
    let place = parts::place(shown);
    let outcome = match request.state.status() {
        Status::Pending => {
            format!(
                "waits again, because more is required now: {}.",
                parts::standing(shown)
            )
        }
        Status::Rejected => format!("was rejected.{}", said_no(shown)),
        Status::Cancelled => "was cancelled.".to_owned(),
        Status::Expired => "has expired. Ask again if it is still needed.".to_owned(),
        Status::Allowed | Status::Approved | Status::Bypassed => next_step(shown),
        Status::Executed => "was approved and has been carried out.".to_owned(),
        Status::Completed => match request.state {
            State::Completed {
                outcome: crate::domain::request::Outcome::Failed,
                ..
            } => "was carried out and failed.".to_owned(),
            _ => "was carried out and succeeded.".to_owned(),
        },
    };
    let text = format!("*#{number} {what}*{place} {outcome}");
    let line = parts::outcome_line(shown);
    Message {
        blocks: vec![kit::section(&text), kit::context(&[line])],
        text: kit::cut_markup(&text.replace('*', ""), 1_500),
    }
}

fn next_step(shown: &Shown) -> String {
    let word = match shown.request.state.status() {
        Status::Allowed => "is allowed",
        Status::Bypassed => "may run under break-glass",
        _ => "is approved",
    };
    let number = shown.request.number;
    format!(
        "{word}. Carry it out with {}.",
        code(&format!("countersign execute {number}"))
    )
}

fn said_no(shown: &Shown) -> String {
    let rejection = shown
        .votes
        .iter()
        .find(|vote| vote.verdict == Verdict::Reject);
    rejection.map_or_else(String::new, |vote| {
        format!(" {}", parts::vote_line(shown, vote))
    })
}

/// An alert for a channel; its text is plain.
pub fn alert(text: &str) -> Message {
    Message {
        text: kit::cut_markup(&escape(text), 1_500),
        blocks: vec![kit::section_plain(text)],
    }
}
