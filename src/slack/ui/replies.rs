//! What only the clicker is told: the specification's sentence first, then why, then who can and what to do.

use super::text::{code, escape};
use super::{Message, blocks, phrases};
use crate::app::{Changed, DecisionOutcome};
use crate::domain::decision::DecisionKind;
use crate::domain::eligibility::Ineligible;
use crate::domain::refusal::Refusal;
use crate::domain::request::{Outcome, Status};
use crate::domain::request_details::RequestDetails;
use crate::slack::inbound::account_access::AccessDenied;

/// A refusal. `shown` adds who can, where somebody may not.
pub fn refusal(refusal: &Refusal, shown: Option<&RequestDetails>) -> Message {
    let title = refusal.title();
    let mut text = match refusal {
        Refusal::Violations(violations) => {
            let lines: Vec<String> = violations
                .iter()
                .map(|violation| format!("\n• {}", escape(&violation.message)))
                .collect();
            format!("{title}: nothing was asked.{}", lines.concat())
        }
        _ => format!("{title}. {}", escape(&refusal.detail())),
    };
    if let (Refusal::NotEligible(_), Some(shown)) = (refusal, shown) {
        text += &who_instead(shown);
    }
    Message::plain(text)
}

fn who_instead(shown: &RequestDetails) -> String {
    if shown.is_pending() && !shown.waiting_for.is_empty() {
        format!(" {} can.", phrases::who_can(shown))
    } else {
        String::new()
    }
}

/// Nothing is promised; the same again is safe, because a decision counts once.
pub fn busy() -> Message {
    Message::plain("Countersign is busy and has not done this. Please try again in a moment.")
}

/// The database answers and takes no writes.
pub fn not_writable(why: &str) -> Message {
    Message::plain(format!(
        "Countersign cannot record anything right now: {}. Nothing has changed. Tell its operator, and try again once it is fixed.",
        escape(why)
    ))
}

/// The database does not answer, and what became of it is not known.
pub fn no_database() -> Message {
    Message::plain(
        "Countersign's database does not answer. Look at the request before you try again; nothing counts twice.",
    )
}

/// Nothing is decided without the configuration.
pub fn unreadable_config() -> Message {
    Message::plain(
        "Countersign cannot read its stored configuration, so it refuses everything. Nothing has changed. Tell its operator: the log and /readyz say why.",
    )
}

/// Something of ours is broken, and what became of it is not known.
pub fn broken() -> Message {
    Message::plain(
        "Something broke on our side. Look at the request before you try again; nothing counts twice.",
    )
}

/// The account could not be looked up, so that nothing was even tried.
pub fn unchecked() -> Message {
    Message::plain(
        "We could not check your Slack account just now, so nothing was recorded. Please try again in a moment.",
    )
}

/// A request has come through this door before.
pub fn decided(verdict: DecisionKind, decided: &DecisionOutcome) -> Message {
    let number = decided.number;
    let text = match (verdict, decided.status) {
        (DecisionKind::Reject, Status::Rejected) => {
            format!("You rejected #{number}. It has ended.")
        }
        (DecisionKind::Reject, status) => {
            format!("Your rejection of #{number} counts. It is {status}.")
        }
        (DecisionKind::Approve, Status::Pending) => {
            format!("You approved #{number}. More approvals are needed; see its card.")
        }
        (DecisionKind::Approve, status) => format!("You approved #{number}. It is {status} now."),
    };
    match &decided.note {
        Some(why) => Message::plain(format!("{text} {}", escape(why))),
        None => Message::plain(text),
    }
}

/// What was understood, when somebody asked.
pub fn submitted(shown: &RequestDetails, new: bool) -> Message {
    let number = shown.request.number;
    let sentence = phrases::sentence(shown);
    let text = match (new, shown.is_pending()) {
        (true, true) => format!(
            "Asked as *#{number}*: {sentence}. {}. {} can complete it. You get a message when it is decided.",
            phrases::standing(shown),
            phrases::who_can(shown)
        ),
        (true, false) => format!(
            "*#{number}*: {sentence}. {} Start it from the direct message that you get.",
            phrases::outcome_line(shown)
        ),
        (false, _) => format!(
            "You have asked for the same already, as *#{number}*: {sentence}. {}. Nothing new was asked.",
            phrases::standing(shown)
        ),
    };
    Message::plain(text)
}

/// A button whose value is not ours.
pub fn foreign_button() -> Message {
    Message::plain(format!(
        "This button is not one of ours. Find the request with {}.",
        code("/approval inbox")
    ))
}

/// In the place of a card that was posted twice.
pub fn old_copy() -> Message {
    Message::plain(
        "This copy of a card is not kept up to date. The newer one further down shows how the request stands.",
    )
}

/// In the place of a direct message about a request of which there is a newer one; without blocks of its own the old ones would stay.
pub fn old_message() -> Message {
    let text = "There is a newer message about this request further down; this one is not kept up to date.";
    Message {
        blocks: vec![blocks::section(text)],
        text: text.to_owned(),
    }
}

/// Taken back.
pub fn cancelled(shown: &RequestDetails) -> Message {
    let number = shown.request.number;
    Message::plain(format!(
        "#{number} is cancelled: {}.",
        phrases::sentence(shown)
    ))
}

/// What was granted has been taken up.
pub fn started(shown: &RequestDetails) -> Message {
    let number = shown.request.number;
    Message::plain(format!(
        "#{number} is yours to carry out now, this once: {}. Say how it ended with Done or Failed.",
        phrases::sentence(shown)
    ))
}

/// How it ended has been reported.
pub fn completed(shown: &RequestDetails, outcome: Outcome) -> Message {
    let number = shown.request.number;
    let ended = match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
    };
    Message::plain(format!("#{number} {ended}; that is recorded."))
}

/// An account that may do nothing here.
pub fn access_denied(why: AccessDenied) -> Message {
    Message::plain(format!(
        "you are not an eligible approver for this request. {why}"
    ))
}

/// Nobody of the directory.
pub fn not_listed(why: &Ineligible) -> Message {
    Message::plain(why.to_string())
}

/// Sent to another app, although it is signed for us.
pub fn another_app() -> Message {
    Message::plain(
        "This came to Countersign under another app's name, so nothing was done. Tell whoever runs Countersign to check SLACK_APP_ID.",
    )
}

/// A policy keeps the content from every Slack surface.
pub fn kept_out() -> Message {
    Message::plain("A policy keeps what runs out of Slack. Compare the digest instead.")
}

/// More than a form of Slack's can hold.
pub fn too_much() -> Message {
    Message::plain("This is too much for a form in Slack. Use the command line or the API for it.")
}

/// What became of a change of the configuration.
pub fn changed(changed: &Changed) -> Message {
    Message::plain(match changed {
        Changed::Applied(stored) => {
            format!(
                "Saved; it holds now, as version {} of the configuration.",
                stored.version
            )
        }
        Changed::Unchanged(_) => "Nothing has changed: it was like this before.".to_owned(),
        Changed::Requested(shown) => format!(
            "Policies gate this change, so it was asked as *#{}* and holds once it is approved. {} can complete it.",
            shown.request.number,
            phrases::who_can(shown)
        ),
    })
}

/// A policy that is not there any more.
pub fn no_such_policy() -> Message {
    Message::plain(format!(
        "There is no such policy any more. {} lists those there are.",
        code("/approval policies")
    ))
}

/// Slack's three seconds were over, or it did not answer.
pub fn no_modal() -> Message {
    Message::plain("Slack did not open the page in time. Please click again.")
}
