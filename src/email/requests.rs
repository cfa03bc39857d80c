//! What e-mails say about requests: that one waits for the reader, that it expires soon, and what became of it. They never show the
//! payload or a difference.

use super::letter::{Letter, name};
use crate::app::WaitingDetails;
use crate::domain::decision::DecisionKind;
use crate::domain::document::Risk;
use crate::domain::english;
use crate::domain::id::{PersonId, PolicyId};
use crate::domain::progress::PolicyProgress;
use crate::domain::request::{Outcome, State, Status};
use crate::domain::request_details::RequestDetails;

const WHY: &str = "Change which messages you receive with /approval notify in Slack.";
/// Names that are listed before the rest becomes a number.
const NAMES_SHOWN: usize = 5;

/// A waiting request, for somebody who can approve it or is told for somebody who is away. The first notice has the number 0.
pub fn waits(waiting: &WaitingDetails, instead_of: Option<&PersonId>, number: u32) -> Letter {
    let shown = &waiting.shown;
    let whose = match instead_of {
        None => "waits for you".to_owned(),
        Some(away) => format!(
            "waits for {}, who is away and named you as delegate",
            name(shown.name(away))
        ),
    };
    let reminder = if number == 0 { "" } else { "Reminder: " };
    let subject = format!("{reminder}{} waits for you", title(shown));
    let sentence = format!("{} {whose}. {}", title(shown), asks(shown));
    with_state(Letter::new(&subject, &sentence, WHY), shown).next(&decide(shown))
}

/// A request that has waited too long for a policy; `None` if the policy is satisfied by now.
pub fn escalated(waiting: &WaitingDetails, policy: &PolicyId) -> Option<Letter> {
    let shown = &waiting.shown;
    let open = |progress: &&PolicyProgress| progress.policy == *policy && !progress.satisfied;
    let policy = name(&shown.policies.iter().find(open)?.name);
    let subject = format!("{} has waited too long", title(shown));
    let sentence = format!(
        "{} has waited too long for {policy}. {}",
        title(shown),
        asks(shown)
    );
    let asked: Vec<String> = waiting
        .asked
        .iter()
        .map(|asked| name(shown.name(&asked.to)))
        .collect();
    let letter = Letter::new(&subject, &sentence, WHY).fact("Waits for", &listed(&asked));
    Some(with_state(letter, shown).next(&see(shown)))
}

/// The warning to the requester before a request expires.
pub fn expires(shown: &RequestDetails) -> Letter {
    let subject = format!("{} expires soon", title(shown));
    let sentence = format!("{} still waits for approvals.", title(shown));
    with_state(Letter::new(&subject, &sentence, WHY), shown).next(&see(shown))
}

/// What became of a request, for its requester. `None` if nobody decided: it was allowed at once.
pub fn outcome(shown: &RequestDetails) -> Option<Letter> {
    let state = &shown.request.state;
    let outcome = match state.status() {
        Status::Allowed | Status::Bypassed => return None,
        Status::Pending => "waits again, because more is required now",
        Status::Approved => "is approved",
        Status::Rejected => "was rejected",
        Status::Cancelled => "was cancelled",
        Status::Expired => "has expired",
        Status::Executed => "was approved and executed",
        Status::Completed => match state {
            State::Completed {
                outcome: Outcome::Failed,
                ..
            } => "was executed and failed",
            _ => "was executed and succeeded",
        },
    };
    let said = format!("{} {outcome}", title(shown));
    let letter = Letter::new(&said, &format!("{said}."), WHY);
    if state.status() == Status::Pending {
        return Some(with_state(letter, shown).next(&see(shown)));
    }
    let mut letter = letter.fact("On", &shown.request.target.to_string());
    for (verdict, label) in [
        (DecisionKind::Approve, "Approved by"),
        (DecisionKind::Reject, "Rejected by"),
    ] {
        letter = letter.fact(label, &deciders(shown, verdict));
    }
    if let State::Granted { until, .. } = state {
        letter = letter.fact("Can be executed until", &until.utc_minute());
    }
    Some(letter.next(&see(shown)))
}

/// `#1 Release Deploy`.
fn title(shown: &RequestDetails) -> String {
    format!("#{} {}", shown.request.number, name(&shown.action.name))
}

/// `Alice Anderson asks for it.`
fn asks(shown: &RequestDetails) -> String {
    let who = name(&shown.who(&shown.request.requester));
    format!("{who} asks for it.")
}

/// The facts of a request that waits.
fn with_state(letter: Letter, shown: &RequestDetails) -> Letter {
    let request = &shown.request;
    let risk = match shown.action.risk {
        Risk::Medium => "medium",
        Risk::High => "high",
        Risk::Critical => "critical",
    };
    let open: Vec<String> = shown
        .policies
        .iter()
        .filter(|policy| !policy.satisfied)
        .map(|policy| format!("{} ({})", name(&policy.name), policy.explanation.text))
        .collect();
    let letter = letter
        .fact("On", &request.target.to_string())
        .fact("Risk", risk)
        .fact("Reason", request.reason.as_deref().unwrap_or_default())
        .fact("Missing", &open.join("; "));
    match &request.state {
        State::Pending { expires_at } => letter.fact("Expires", &expires_at.utc_minute()),
        _ => letter,
    }
}

/// `Bob Brown, Carol Clark: not on a Friday`.
fn deciders(shown: &RequestDetails, verdict: DecisionKind) -> String {
    let decisions = shown.decisions.iter();
    let said: Vec<String> = decisions
        .filter(|decision| decision.verdict == verdict)
        .map(|decision| {
            let who = name(shown.name(&decision.by));
            match &decision.comment {
                Some(comment) => format!("{who} ({comment})"),
                None => who,
            }
        })
        .collect();
    listed(&said)
}

fn listed(names: &[String]) -> String {
    if names.len() <= NAMES_SHOWN {
        return english::list(names);
    }
    let more = names.len() - NAMES_SHOWN;
    format!("{} and {more} more", names[..NAMES_SHOWN].join(", "))
}

fn decide(shown: &RequestDetails) -> String {
    let number = shown.request.number;
    if let (Some(_), Some(page)) = (shown.request.web_only(), &shown.page) {
        return format!(
            "To decide, open {page}: approvals count on the web only. To reject it, you may also type /approval reject {number} in Slack."
        );
    }
    format!(
        "To decide, use its card in Slack or type /approval show {number} there; or run: countersign approve {number}"
    )
}

fn see(shown: &RequestDetails) -> String {
    let number = shown.request.number;
    format!("To see it, type /approval show {number} in Slack, or run: countersign show {number}")
}
