//! What people are told while a request waits: reminders, escalations, the warning before expiry.

use super::text::{code, cut_markup, date, name};
use super::{Message, blocks, card_value, on_web, phrases};
use crate::app::WaitingDetails;
use crate::domain::english;
use crate::domain::id::{PersonId, PolicyId};
use crate::domain::request::State;
use crate::domain::request_details::RequestDetails;
use crate::domain::target::Target;
use crate::domain::whom::Asked;
use serde_json::Value;

/// Most characters of the command that asks again.
const COMMAND: usize = 1_000;

/// The people whose approvals would complete the request.
pub fn names(shown: &RequestDetails, asked: &[Asked]) -> String {
    let person = |asked: &Asked| match &asked.instead_of {
        None => name(shown.name(&asked.to)),
        Some(away) => format!(
            "{} (for {}, who is away)",
            name(shown.name(&asked.to)),
            name(shown.name(away))
        ),
    };
    english::list(&asked.iter().map(person).collect::<Vec<_>>())
}

/// A reminder for somebody who can approve, or who is told for somebody who is away.
pub fn reminder(waiting: &WaitingDetails, instead_of: Option<&PersonId>) -> Message {
    let shown = &waiting.shown;
    let why = match instead_of {
        None => "waits for you".to_owned(),
        Some(away) => {
            let away = name(shown.name(away));
            format!("waits for {away}, who is away and named you as delegate")
        }
    };
    let number = shown.request.number;
    let text = format!(
        "*Reminder: #{number} {why}.* {}{}",
        phrases::sentence(shown),
        expiry(shown)
    );
    told(shown, &text, true)
}

/// What an escalation says: what is missing, and on whom it waits.
pub fn escalation(waiting: &WaitingDetails, policy: &PolicyId) -> Option<Message> {
    let shown = &waiting.shown;
    let open = |progress: &&crate::domain::progress::PolicyProgress| {
        progress.policy == *policy && !progress.satisfied
    };
    let progress = shown.policies.iter().find(open)?;
    let number = shown.request.number;
    let who = names(shown, &waiting.asked);
    let who = if who.is_empty() {
        phrases::who_can(shown)
    } else {
        who
    };
    let text = format!(
        "*#{number} has waited too long for {}.* {}. Missing: {}. Waits for {who}{}",
        name(&progress.name),
        phrases::sentence(shown),
        phrases::progress(progress),
        expiry(shown)
    );
    Some(told(shown, &text, false))
}

/// The warning to the requester, with the way to ask again.
pub fn expiry_warning(shown: &RequestDetails) -> Message {
    let number = shown.request.number;
    let place = phrases::place(shown);
    let what = name(&shown.action.name);
    let text = format!(
        "*#{number} {what}*{place} still waits: {}{} {}",
        phrases::standing(shown),
        expiry(shown),
        again(shown)
    );
    told(shown, &text, false)
}

fn expiry(shown: &RequestDetails) -> String {
    match &shown.request.state {
        State::Pending { expires_at } => format!(". It expires {}.", date(*expires_at)),
        _ => ".".to_owned(),
    }
}

/// The command that asks for the same again. What had a payload is asked for where the payload is.
fn again(shown: &RequestDetails) -> String {
    let request = &shown.request;
    if request.payload != "null" {
        return "If it expires, ask again in the way in which you asked for it.".to_owned();
    }
    let Target {
        project,
        cluster,
        environment,
        release,
    } = &request.target;
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "'"));
    let mut words = vec!["/approval request".to_owned(), request.action.to_string()];
    let named: [(&str, Option<&str>); 5] = [
        ("project", project.as_ref().map(AsRef::as_ref)),
        ("cluster", cluster.as_ref().map(AsRef::as_ref)),
        ("env", environment.as_ref().map(AsRef::as_ref)),
        ("release", release.as_deref()),
        ("reason", request.reason.as_deref()),
    ];
    for (key, value) in named {
        words.extend(value.map(|value: &str| format!("{key}={}", quoted(value))));
    }
    let command = words.join(" ");
    if command.chars().count() > COMMAND {
        return format!(
            "If it expires, ask again with {}.",
            code("/approval request")
        );
    }
    format!("If it expires, ask again: {}", code(&command))
}

/// The buttons open the request as it is when they are pressed.
fn told(shown: &RequestDetails, text: &str, decides: bool) -> Message {
    let value = card_value(shown);
    let about = format!("request {}, {}", shown.request.number, shown.action.name);
    let button = |action_id: &str, words: &str| -> Value {
        blocks::button(action_id, words, &value, &format!("{words}: {about}"))
    };
    let mut buttons = Vec::new();
    if decides && on_web::applies(shown) {
        buttons.extend(on_web::button(shown));
    } else if decides {
        buttons.push(button("review", "Review"));
    }
    buttons.push(button("details", "Details"));
    Message {
        text: cut_markup(&text.replace('*', ""), 1_500),
        blocks: vec![blocks::section(text), blocks::actions(&buttons)],
    }
}
