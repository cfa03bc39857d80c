//! Replies that only the person who clicked sees: what happened, why, and what to do next.

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
    let title = capitalized(&refusal.title());
    let mut text = match refusal {
        Refusal::Violations(violations) => {
            let lines: Vec<String> = violations
                .iter()
                .map(|violation| format!("\n• {}", escape(&violation.message)))
                .collect();
            format!("{title}: no request was created.{}", lines.concat())
        }
        _ => format!("{title}. {}", escape(&refusal.detail())),
    };
    if let Refusal::OnWebOnly {
        page: Some(page), ..
    } = refusal
    {
        // our own address, and the only one in the text that may be followed
        text = text.replace(&escape(page), &format!("<{page}|{page}>"));
    }
    if let (Refusal::NotEligible(_), Some(shown)) = (refusal, shown) {
        text += &who_instead(shown);
    }
    Message::plain(text)
}

/// The titles are sentences of the API, which begin with a small letter; a message begins with a capital one.
fn capitalized(title: &str) -> String {
    let mut rest = title.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(rest).collect()
    })
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
        "Countersign's database does not answer, and it is not known whether this was recorded. Check the request before you try again; a decision never counts twice.",
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
        "Countersign failed to complete this, and it is not known whether it was recorded. Check the request before you try again; a decision never counts twice.",
    )
}

/// The account could not be looked up, so that nothing was even tried.
pub fn unchecked() -> Message {
    Message::plain(
        "Countersign could not check your Slack account, so nothing was recorded. Please try again in a moment.",
    )
}

/// The reply to a decision.
pub fn decided(verdict: DecisionKind, decided: &DecisionOutcome) -> Message {
    let number = decided.number;
    let text = match (verdict, decided.status) {
        (DecisionKind::Reject, Status::Rejected) => {
            format!("You rejected #{number}. It has ended.")
        }
        (DecisionKind::Reject, status) => {
            format!("Your rejection of #{number} is recorded. The request is {status}.")
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
            "You already asked for the same as *#{number}*: {sentence}. {}. No new request was created.",
            phrases::standing(shown)
        ),
    };
    Message::plain(text)
}

/// A button whose value is not ours.
pub fn foreign_button() -> Message {
    Message::plain(format!(
        "Countersign does not recognize this button. Find the request with {}.",
        code("/approval inbox")
    ))
}

/// In the place of a card that was posted twice.
pub fn old_copy() -> Message {
    Message::plain(
        "This copy of the card is no longer updated. The newer card in this channel shows the current state of the request.",
    )
}

/// In the place of a direct message about a request of which there is a newer one; without blocks of its own the old ones would stay.
pub fn old_message() -> Message {
    let text = "There is a newer message about this request; this one is no longer updated.";
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
        "You started #{number}: {}. When you have finished, press Done or Failed.",
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
    Message::plain(format!("Recorded: #{number} {ended}."))
}

/// An account that may do nothing here.
pub fn access_denied(why: AccessDenied) -> Message {
    Message::plain(format!(
        "You are not an eligible approver for this request. {why}"
    ))
}

/// Nobody of the directory.
pub fn not_listed(why: &Ineligible) -> Message {
    Message::plain(why.to_string())
}

/// Sent to another app, although it is signed for us.
pub fn another_app() -> Message {
    Message::plain(
        "This came from another app's ID, so nothing was done. Ask the operator of Countersign to check SLACK_APP_ID.",
    )
}

/// A policy keeps the content from every Slack surface.
pub fn kept_out() -> Message {
    Message::plain(
        "A policy keeps the content of this request out of Slack. Compare the digest instead.",
    )
}

/// More than a form of Slack's can hold.
pub fn too_much() -> Message {
    Message::plain(
        "This has more content than a form in Slack can hold. Use the command line or the API instead.",
    )
}

/// What became of a change of the configuration.
pub fn changed(changed: &Changed) -> Message {
    Message::plain(match changed {
        Changed::Applied(stored) => {
            format!(
                "Saved. Version {} of the configuration is in force.",
                stored.version
            )
        }
        Changed::Unchanged(_) => "No changes: the configuration is already like this.".to_owned(),
        Changed::Requested(shown) => format!(
            "Policies gate this change, so it became request *#{}* and takes effect once it is approved. {} can complete it.",
            shown.request.number,
            phrases::who_can(shown)
        ),
    })
}

/// A policy that is not there any more.
pub fn no_such_policy() -> Message {
    Message::plain(format!(
        "This policy no longer exists. {} lists all policies.",
        code("/approval policies")
    ))
}

/// Slack's three seconds were over, or it did not answer.
pub fn no_modal() -> Message {
    Message::plain("Slack did not open the form in time. Please click again.")
}
