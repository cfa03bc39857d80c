//! Words and moments as the pages show them.

use crate::domain::decision::{DecisionKind, Via};
use crate::domain::document::Risk;
use crate::domain::people::Directory;
use crate::domain::principal::Principal;
use crate::domain::progress::PolicyProgress;
use crate::domain::request::{Outcome, State, Status};
use crate::domain::request_details::RequestDetails;
use crate::domain::time::Timestamp;

/// A moment, for programs and for people. The script shows it in the reader's own time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// RFC 3339.
    pub iso: String,
    /// `2026-11-23 10:00 UTC`
    pub text: String,
}

impl Moment {
    /// A moment to the minute.
    pub fn of(at: Timestamp) -> Self {
        Self {
            iso: at.rfc3339(),
            text: at.utc_minute(),
        }
    }
}

/// The word for a risk.
pub fn risk(risk: Risk) -> &'static str {
    match risk {
        Risk::Medium => "Medium",
        Risk::High => "High",
        Risk::Critical => "Critical",
    }
}

/// The word for where a request stands.
pub fn status(state: &State) -> &'static str {
    match state.status() {
        Status::Pending => "Pending",
        Status::Allowed => "Allowed",
        Status::Bypassed => "Break-glass",
        Status::Approved => "Approved",
        Status::Rejected => "Rejected",
        Status::Cancelled => "Cancelled",
        Status::Expired => "Expired",
        Status::Executed => "Executed",
        Status::Completed => match state {
            State::Completed {
                outcome: Outcome::Failed,
                ..
            } => "Failed",
            _ => "Succeeded",
        },
    }
}

/// The sign before the word, so that colour is not the only sign.
pub fn sign(state: &State) -> &'static str {
    match state.status() {
        Status::Pending => "○",
        Status::Allowed | Status::Approved | Status::Executed | Status::Completed => {
            if status(state) == "Failed" {
                "✗"
            } else {
                "✓"
            }
        }
        Status::Bypassed => "🚨",
        Status::Rejected => "✗",
        Status::Cancelled | Status::Expired => "–",
    }
}

/// Which colour the status has.
pub fn tone(state: &State) -> &'static str {
    match sign(state) {
        "○" => "open",
        "✓" => "good",
        "–" => "over",
        _ => "bad",
    }
}

/// How far a request is, in one line.
pub fn progress(shown: &RequestDetails) -> String {
    let open: Vec<&PolicyProgress> = shown.policies.iter().filter(|one| !one.satisfied).collect();
    match (shown.is_pending(), open.as_slice()) {
        (false, _) => String::new(),
        (true, []) => "waiting".to_owned(),
        (true, [one]) => format!("{} of {} approvals", one.have, one.need),
        (true, [one, more @ ..]) => format!(
            "{} of {} approvals, and {} more policies",
            one.have,
            one.need,
            more.len()
        ),
    }
}

/// What somebody decided.
pub fn decided(kind: DecisionKind) -> &'static str {
    match kind {
        DecisionKind::Approve => "approved",
        DecisionKind::Reject => "rejected",
    }
}

/// Who did something.
pub fn actor(actor: &Principal, directory: &Directory) -> String {
    match actor {
        Principal::Person(id) => directory.name(directory.canonical(id)).to_owned(),
        Principal::Service(id) => id.to_string(),
        Principal::Operator => "the operator".to_owned(),
        Principal::Bot => "Countersign".to_owned(),
    }
}

/// The interface that something came through.
pub fn via(via: Via) -> &'static str {
    match via {
        Via::Button | Via::Modal | Via::Command => "in Slack",
        Via::Web => "on the web",
        Via::Api => "by the API",
        Via::Cli => "on the server",
        Via::File => "by a configuration file",
        Via::Bot => "by Countersign",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_to_the_minute() {
        let moment = Moment::of(Timestamp(1_763_800_000_123));
        assert_eq!(moment.text, "2025-11-22 08:26 UTC");
        assert_eq!(moment.iso, "2025-11-22T08:26:40.123Z");
    }
}
