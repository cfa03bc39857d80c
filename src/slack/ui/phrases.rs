//! Sentences and lines that several views share.

use super::text::{any_of_many, brief, code, date, mention, name};
use crate::domain::audit::AuditEventKind;
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::document::Risk;
use crate::domain::progress::PolicyProgress;
use crate::domain::request::{Outcome, State, Status};
use crate::domain::request_details::{RequestDetails, TimelineEvent};
use crate::domain::time::Timestamp;
use crate::slack::api::channels::Audience;

/// Most characters of a target in a sentence; the fields of a card have all of it.
pub(super) const PLACE: usize = 800;
/// Names of people that are listed before the rest becomes a number.
const NAMES_SHOWN: usize = 5;

/// `Alice asks for Deploy release on api-platform / production / v1.4.2 (High risk)`.
pub fn sentence(shown: &RequestDetails) -> String {
    let who = name(&shown.who(&shown.request.requester));
    let what = name(&shown.action.name);
    let risk = risk(shown.action.risk);
    let place = place(shown);
    format!("{who} asks for {what}{place} ({risk} risk)")
}

/// ` on api-platform / production`, or nothing.
pub fn place(shown: &RequestDetails) -> String {
    let target = shown.request.target.to_string();
    if target.is_empty() {
        String::new()
    } else {
        format!(" on {}", brief(&target, PLACE))
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

/// `1 of 2 approvals; SRE has not approved`, or `satisfied, 2 of 2 approvals`.
pub fn progress(policy: &PolicyProgress) -> String {
    if policy.satisfied {
        let ending = if policy.need == 1 { "" } else { "s" };
        let (have, need) = (policy.have, policy.need);
        return format!("satisfied, {have} of {need} approval{ending}");
    }
    brief(&policy.explanation.text, 300)
}

/// A policy with its progress, as a line.
pub fn policy_line(policy: &PolicyProgress) -> String {
    let mark = if policy.satisfied { "✓" } else { "○" };
    let name = name(&policy.name);
    format!("{mark} *{name}*: {}", progress(policy))
}

/// A policy that a break-glass session let the request past, with what it had needed.
pub fn bypassed_line(policy: &PolicyProgress) -> String {
    let name = name(&policy.name);
    let missing = brief(&policy.missing.join("; "), 300);
    format!("🚨 *{name}*: bypassed by break-glass; {missing}")
}

/// `Bob approved <date>: looks fine`.
pub fn decision_line(shown: &RequestDetails, decision: &Decision) -> String {
    let who = name(shown.name(&decision.by));
    let did = match decision.verdict {
        DecisionKind::Approve => "approved",
        DecisionKind::Reject => "rejected",
    };
    let comment = decision.comment.as_deref().map(|c| brief(c, 200));
    let comment = comment.map_or_else(String::new, |comment| format!(": {comment}"));
    let left = if decision.author_left && decision.verdict == DecisionKind::Approve {
        " (no longer counts, since they are not active any more)"
    } else {
        ""
    };
    format!("*{who}* {did} {}{left}{comment}", date(decision.at))
}

/// The same for those who read it; another organization is not shown the comment.
pub fn decision_line_for(
    shown: &RequestDetails,
    decision: &Decision,
    audience: Audience,
) -> String {
    match audience {
        Audience::Own => decision_line(shown, decision),
        Audience::Shared => {
            let comment = None;
            decision_line(
                shown,
                &Decision {
                    comment,
                    ..decision.clone()
                },
            )
        }
    }
}

/// Who could complete it, as mentions where they are few.
pub fn waiting_for(shown: &RequestDetails) -> String {
    let few = shown.waiting_for.len() + shown.waiting_more <= NAMES_SHOWN;
    let names: Vec<String> = shown
        .waiting_for
        .iter()
        .map(|id| {
            if few {
                mention(shown.people.get(id), shown.name(id))
            } else {
                name(shown.name(id))
            }
        })
        .collect();
    any_of_many(&names, shown.waiting_more, NAMES_SHOWN)
}

/// Who could complete it, by name alone.
pub fn who_can(shown: &RequestDetails) -> String {
    let names = shown.waiting_for.iter().map(|id| name(shown.name(id)));
    any_of_many(&names.collect::<Vec<_>>(), shown.waiting_more, NAMES_SHOWN)
}

/// The bare outcome: `Approved`, `Executed`.
pub fn outcome(shown: &RequestDetails) -> &'static str {
    match shown.request.state.status() {
        Status::Pending => "Waiting",
        Status::Allowed => "Allowed",
        Status::Bypassed => "Break-glass",
        Status::Approved => "Approved",
        Status::Rejected => "Rejected",
        Status::Cancelled => "Cancelled",
        Status::Expired => "Expired",
        Status::Executed => "Executed",
        Status::Completed => match shown.request.state {
            State::Completed {
                outcome: Outcome::Failed,
                ..
            } => "Failed",
            _ => "Succeeded",
        },
    }
}

/// The outcome with people and time, for a request that waits for nobody any more.
pub fn outcome_line(shown: &RequestDetails) -> String {
    outcome_with(shown, &why(shown))
}

/// The same for people of another organization, who are not told why.
pub fn outcome_line_without_reason(shown: &RequestDetails) -> String {
    outcome_with(shown, "")
}

fn outcome_with(shown: &RequestDetails, why_cancelled: &str) -> String {
    let people = deciders(shown);
    let when = ended_at(shown).map_or_else(String::new, |at| format!(" {}", date(at)));
    match &shown.request.state {
        State::Pending { expires_at } => {
            format!(
                "Waits for {} until {}",
                waiting_for(shown),
                date(*expires_at)
            )
        }
        State::Granted { until, .. } => {
            let why = match shown.request.state.status() {
                Status::Allowed => "*Allowed*: no policy gates it".to_owned(),
                Status::Bypassed => "*Break-glass*: policies were bypassed".to_owned(),
                _ => format!("*Approved* by {people}"),
            };
            format!("{why}{when}. It can be executed until {}.", date(*until))
        }
        State::Rejected => format!("*Rejected* by {people}{when}."),
        State::Cancelled => {
            format!("*Cancelled* by {}{when}{why_cancelled}.", canceller(shown))
        }
        State::Expired => format!("*Expired*{when}. Ask again if it is still needed."),
        State::Executed { at } => format!("*Executed* {}.", date(*at)),
        State::Completed { outcome, at } => match outcome {
            Outcome::Succeeded => format!("*Succeeded*, executed {}.", date(*at)),
            Outcome::Failed => format!("*Failed*, executed {}.", date(*at)),
        },
    }
}

/// When it came into its state, where that is known.
fn ended_at(shown: &RequestDetails) -> Option<Timestamp> {
    let event = match shown.request.state.status() {
        Status::Cancelled => last(shown, AuditEventKind::RequestCancelled),
        Status::Expired => last(shown, AuditEventKind::RequestExpired),
        _ => return shown.request.decided_at,
    };
    event.map(|event| event.at)
}

fn last(shown: &RequestDetails, what: AuditEventKind) -> Option<&TimelineEvent> {
    shown.timeline.iter().rev().find(|event| event.what == what)
}

fn canceller(shown: &RequestDetails) -> String {
    last(shown, AuditEventKind::RequestCancelled).map_or_else(
        || "its requester".to_owned(),
        |event| name(&shown.who(&event.actor)),
    )
}

/// Why it was cancelled, where that is more than somebody's wish: it was replaced, or nobody is left who could approve it.
fn why(shown: &RequestDetails) -> String {
    let event = last(shown, AuditEventKind::RequestCancelled);
    event
        .and_then(|event| event.note.as_deref())
        .map_or_else(String::new, |note| {
            format!(": {}", brief(note.trim_end_matches('.'), 300))
        })
}

/// Those whose votes made the outcome.
fn deciders(shown: &RequestDetails) -> String {
    let verdict = if shown.request.state.status() == Status::Rejected {
        DecisionKind::Reject
    } else {
        DecisionKind::Approve
    };
    let names: Vec<String> = shown
        .decisions
        .iter()
        .filter(|decision| decision.verdict == verdict)
        .map(|decision| name(shown.name(&decision.by)))
        .collect();
    match names.as_slice() {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        names if names.len() > NAMES_SHOWN => {
            let more = names.len() - NAMES_SHOWN;
            format!("{} and {more} more", names[..NAMES_SHOWN].join(", "))
        }
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Where it stands in one plain sentence, for notifications and screen readers.
pub fn standing(shown: &RequestDetails) -> String {
    if !shown.is_pending() {
        return outcome(shown).to_owned();
    }
    let open: Vec<String> = shown
        .policies
        .iter()
        .filter(|policy| !policy.satisfied)
        .take(3)
        .map(progress)
        .collect();
    if open.is_empty() {
        "Waiting".to_owned()
    } else {
        open.join("; ")
    }
}

/// One line of a list: number, sentence, where it stands.
pub fn list_line(shown: &RequestDetails) -> String {
    format!(
        "*#{}* {}: {}",
        shown.request.number,
        sentence(shown),
        standing(shown)
    )
}

/// The action's id, as code.
pub fn action_code(shown: &RequestDetails) -> String {
    code(shown.request.action.as_str())
}
