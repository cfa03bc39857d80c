//! Break-glass in Slack: red, short and complete. Every alert says it in words and by a sign, since colour alone says nothing.

use super::text::{any_of, brief, code, cut, cut_markup, date, escape, name};
use super::{Message, blocks, shared};
use crate::domain::break_glass::{
    SessionAlert, SessionDetails, SessionEvent, SessionState, SessionStatus, SessionUse, UseLine,
};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::id::{PersonId, SessionId};
use crate::domain::principal::Principal;
use crate::domain::time::{Span, Timestamp};
use crate::slack::api::channels::Audience;
use serde_json::{Value, json};

/// Ends a session before its time.
pub const REVOKE: &str = "bg_revoke";
/// Opens the form of a review.
pub const REVIEW: &str = "bg_review";
/// The note of a review, as block and action.
pub const NOTE: &str = "note";
/// Bytes of JSON for the lines of an alert, which has more to say than them.
const LINES_BYTES: usize = 8_000;
/// Most characters of a scope within a sentence.
const SCOPE: usize = 300;
/// What an alert begins with, wherever it is read.
const SIGN: &str = "🚨";

/// The alert, with the buttons that are of use while its session stands so. `mentions` are Slack's user ids.
pub fn alert(alert: &SessionAlert, status: Option<SessionStatus>, mentions: &[String]) -> Message {
    alert_for(alert, Audience::Own, status, mentions)
}

/// The same for those who read it; another organization is shown neither the justification nor the note of a review.
pub fn alert_for(
    alert: &SessionAlert,
    audience: Audience,
    status: Option<SessionStatus>,
    mentions: &[String],
) -> Message {
    let headline = headline(alert);
    let is_own = audience == Audience::Own;
    let mut blocks = vec![blocks::section(&format!(
        "{SIGN} *Break-glass*: {headline}"
    ))];
    blocks.push(if is_own {
        blocks::section_brief(&format!("Why: {}", alert.reason), 1_000)
    } else {
        blocks::context(&[shared::withheld(
            "The audit log has them: `countersign audit export`.",
        )])
    });
    let lines = match &alert.event {
        SessionEvent::Reviewed { .. } if !is_own => Vec::new(),
        _ => lines(alert),
    };
    if !lines.is_empty() {
        blocks.extend(blocks::packed(&lines, LINES_BYTES));
    }
    let mut small = vec![format!(
        "{} · session {}",
        date(alert.at),
        code(alert.session.as_str())
    )];
    if !mentions.is_empty() {
        let mentions: Vec<String> = mentions.iter().map(|id| format!("<@{id}>")).collect();
        small.push(format!("For {}", mentions.join(" ")));
    }
    blocks.push(blocks::context(&small));
    if let Some(button) = button(alert, status) {
        blocks.push(blocks::actions(&[button]));
    }
    let why = if is_own {
        format!(" Why: {}", brief(&alert.reason, 300))
    } else {
        String::new()
    };
    Message {
        text: cut_markup(&format!("Break-glass: {headline}.{why}"), 1_500),
        blocks,
    }
}

/// Who has done what, in one sentence.
fn headline(alert: &SessionAlert) -> String {
    let initiator = name(&alert.initiator);
    match &alert.event {
        SessionEvent::Started { until } => {
            format!("{initiator} has started a session, until {}", date(*until))
        }
        SessionEvent::Used { line, bypassed, .. } => {
            let policies = if bypassed.len() == 1 {
                "one policy".to_owned()
            } else {
                format!("{} policies", bypassed.len())
            };
            format!("{} bypassed {policies}", use_line(line))
        }
        SessionEvent::Ended {
            revoked_by,
            by_initiator,
            from,
            at,
            ..
        } => {
            let length = length(*from, *at);
            match revoked_by {
                Some(_) if *by_initiator => {
                    format!("{initiator} has ended their session after {length}")
                }
                Some(who) => format!(
                    "{} has ended the session of {initiator} after {length}",
                    name(who)
                ),
                None => format!("the session of {initiator} is over after {length}"),
            }
        }
        SessionEvent::CompletedLate { line, ended_at } => format!(
            "{} was completed after its session had ended {}",
            use_line(line),
            date(*ended_at)
        ),
        SessionEvent::Reviewed { by, .. } => {
            format!("{} has reviewed the session of {initiator}", name(by))
        }
        SessionEvent::ReviewOwed { ended_at } => format!(
            "nobody has reviewed the session of {initiator} yet; it ended {}",
            date(*ended_at)
        ),
    }
}

fn lines(alert: &SessionAlert) -> Vec<String> {
    match &alert.event {
        SessionEvent::Started { .. } => {
            let responders: Vec<String> = alert.responders.iter().map(|who| name(who)).collect();
            vec![
                format!("Covers {}", escape(&alert.scope.to_string())),
                format!("Responders: {}", escape_list(&responders)),
            ]
        }
        SessionEvent::Used {
            bypassed, gated, ..
        } => {
            let mut lines: Vec<String> = bypassed
                .iter()
                .map(|policy| {
                    let missing: Vec<String> =
                        policy.missing.iter().map(|text| escape(text)).collect();
                    format!("Bypassed *{}*: {}", name(&policy.name), missing.join("; "))
                })
                .collect();
            lines.extend(gated.iter().map(|other| {
                format!(
                    "*{}* gates it all the same, and waits for approvals",
                    name(other)
                )
            }));
            lines
        }
        SessionEvent::Ended { uses, more, .. } => {
            let mut lines: Vec<String> = uses
                .iter()
                .map(|line| {
                    let outcome = match line.status.as_str() {
                        "bypassed" | "expired" => "not executed",
                        other => other,
                    };
                    format!("• {} ({})", use_line(line), escape(outcome))
                })
                .collect();
            if *more > 0 {
                lines.push(format!("• and {more} more; the audit log has all of them"));
            }
            if lines.is_empty() {
                lines.push("Nothing was done under it.".to_owned());
            }
            lines.push("A review is owed, by somebody who took no part in it.".to_owned());
            lines
        }
        SessionEvent::Reviewed { note, .. } => vec![brief(note, 2_000)],
        SessionEvent::CompletedLate { .. } | SessionEvent::ReviewOwed { .. } => Vec::new(),
    }
}

fn escape_list(names: &[String]) -> String {
    if names.is_empty() {
        "nobody".to_owned()
    } else {
        names.join(", ")
    }
}

/// `#7 Cluster Restart on prod-eu-1 / production by Dan Davis`.
fn use_line(line: &UseLine) -> String {
    let place = if line.target.is_empty() {
        String::new()
    } else {
        format!(" on {}", brief(&line.target, 200))
    };
    format!(
        "#{} {}{place} by {}",
        line.number,
        name(&line.action),
        name(&line.who)
    )
}

/// `45 min`, `1 h 30 min`; less than a minute counts as one.
fn length(from: Timestamp, to: Timestamp) -> String {
    let whole = (to.0.saturating_sub(from.0) / 60_000).max(1);
    Span::minutes(whole).words()
}

fn button(alert: &SessionAlert, status: Option<SessionStatus>) -> Option<Value> {
    match (alert.event.asks_while(), status) {
        (Some(SessionStatus::Active), Some(SessionStatus::Active)) => {
            Some(revoke_button(&alert.session))
        }
        (Some(SessionStatus::Ended), Some(SessionStatus::Ended)) => {
            Some(review_button(&alert.session))
        }
        _ => None,
    }
}

fn revoke_button(session: &SessionId) -> Value {
    let label = format!("End the break-glass session {session}");
    let mut button = blocks::button(REVOKE, "End session", session.as_str(), &label);
    button["style"] = "danger".into();
    let words = "From then on policies gate everything again. What was allowed and has not been executed is lost.";
    button["confirm"] = blocks::confirm("End this session?", words, "End it", true);
    button
}

fn review_button(session: &SessionId) -> Value {
    let label = format!("Mark the break-glass session {session} reviewed");
    blocks::button(REVIEW, "Mark reviewed", session.as_str(), &label)
}

/// The form of a review.
pub fn review_form(shown: &SessionDetails) -> Value {
    let session = &shown.session;
    let mut blocks = vec![blocks::section(&sentence(shown))];
    blocks.push(blocks::section_plain(&format!(
        "Why: {}",
        cut(&session.reason, 2_000)
    )));
    let uses: Vec<String> = shown.uses.iter().map(|one| done(shown, one)).collect();
    blocks.extend(blocks::packed(&uses, blocks::MESSAGE_BYTES));
    blocks.push(json!({
        "type": "input",
        "block_id": NOTE,
        "label": blocks::plain_text("What did you find?"),
        "hint": blocks::plain_text("Was it needed, was it used for nothing else, and what would make it needless next time?"),
        "element": {
            "type": "plain_text_input",
            "action_id": NOTE,
            "multiline": true,
            "max_length": 3_000,
        },
    }));
    let mut view = blocks::modal(REVIEW, "Review", session.id.as_str(), &blocks);
    view["submit"] = blocks::plain_text("Mark reviewed");
    view
}

/// `Dan Davis's session, ended after 45 min: cluster.restart; cluster prod-eu-1`.
fn sentence(shown: &SessionDetails) -> String {
    let session = &shown.session;
    let who = name(&shown.name_of(&session.initiator));
    let scope = brief(&session.scope.to_string(), SCOPE);
    let stands = match &session.state {
        SessionState::Pending => "waits for its approvers".to_owned(),
        SessionState::NotStarted(why) => format!("was never started: {}", why.as_str()),
        SessionState::Active { until, .. } => format!("*active* until {}", date(*until)),
        SessionState::Ended { from, at, .. } => {
            format!(
                "ended {} after {}; *a review is owed*",
                date(*at),
                length(*from, *at)
            )
        }
        SessionState::Reviewed {
            from, at, review, ..
        } => format!(
            "ended {} after {}, reviewed by {}",
            date(*at),
            length(*from, *at),
            name(&shown.name_of(&review.by))
        ),
    };
    format!("{SIGN} *Break-glass* of {who}: {stands}. Covers {scope}")
}

fn done(shown: &SessionDetails, one: &SessionUse) -> String {
    let target = one.target.to_string();
    let outcome = one
        .outcome
        .map_or_else(|| one.status.as_str(), |outcome| outcome.as_str());
    format!(
        "• #{} {} on {} by {}: {outcome}",
        one.number,
        code(one.action.as_str()),
        brief(&target, 200),
        name(&shown.name(&one.by))
    )
}

/// What `/breakglass status` says: everything that is open, with the buttons that are of use to the one who asked.
pub fn status(open: &[SessionDetails], config: &CompiledConfig, person: &PersonId) -> Message {
    if open.is_empty() {
        return Message::plain("No break-glass session is active, and no review is owed.");
    }
    Message {
        text: match open.len() {
            1 => "One break-glass session is open.".to_owned(),
            many => format!("{many} break-glass sessions are open."),
        },
        blocks: rows(open, config, person, 12),
    }
}

/// What stands above all else on this person's Home tab while something is open.
pub fn above_home(
    open: &[SessionDetails],
    config: &CompiledConfig,
    person: &PersonId,
) -> Vec<Value> {
    if open.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![blocks::header("Break-glass")];
    blocks.extend(rows(open, config, person, 5));
    blocks.push(blocks::divider());
    blocks
}

/// As many sessions as there is room for, and how many more there are.
fn rows(
    open: &[SessionDetails],
    config: &CompiledConfig,
    person: &PersonId,
    most: usize,
) -> Vec<Value> {
    let listed = open.iter().take(most);
    let mut blocks: Vec<Value> = listed
        .flat_map(|shown| row(shown, config, person))
        .collect();
    if open.len() > most {
        let more = format!(
            "and {} more: {}",
            open.len() - most,
            code("/breakglass status")
        );
        blocks.push(blocks::context(&[more]));
    }
    blocks
}

/// One session in a list, with the button that is of use to this person.
fn row(shown: &SessionDetails, config: &CompiledConfig, person: &PersonId) -> Vec<Value> {
    let session = &shown.session;
    let mut section = blocks::section(&format!(
        "{}\nWhy: {}",
        sentence(shown),
        brief(&session.reason, 200)
    ));
    let who = Principal::Person(person.clone());
    let is_active = session.state.status() == SessionStatus::Active;
    if is_active && config.check_revoke(session, &who).is_ok() {
        section["accessory"] = revoke_button(&session.id);
    } else if config
        .check_review(session, &shown.involved(), person)
        .is_ok()
    {
        section["accessory"] = review_button(&session.id);
    }
    let used = match shown.uses.len() {
        0 => "nothing was done under it".to_owned(),
        1 => "used once".to_owned(),
        n => format!("used {n} times"),
    };
    vec![
        section,
        blocks::context(&[format!("{} · {used}", code(session.id.as_str()))]),
    ]
}

/// What became of a start, for the one who started it.
pub fn started(shown: &SessionDetails, request: Option<i64>) -> Message {
    let session = &shown.session;
    let scope = brief(&session.scope.to_string(), SCOPE);
    match (&session.state, request) {
        (SessionState::Active { until, .. }, _) => {
            let responders: Vec<String> = session
                .responders
                .iter()
                .map(|who| name(&shown.name(who)))
                .collect();
            Message::plain(format!(
                "{SIGN} The session is *active* until {}. It covers {scope}, for {}. Ask as usual: what it covers is allowed at once. End it with {} as soon as you can.",
                date(*until),
                any_of(&responders, 10),
                code(&format!("/breakglass revoke {}", session.id))
            ))
        }
        (_, Some(number)) => Message::plain(format!(
            "Policies gate the start of a session, so it was asked for as *#{number}*. It starts in the moment in which that is approved."
        )),
        (_, None) => Message::plain(sentence(shown)),
    }
}

/// A session that was ended or reviewed, for the one who did it.
pub fn done_with(shown: &SessionDetails) -> Message {
    Message::plain(format!("Done. {}.", sentence(shown)))
}

/// An alert that its channel refuses, for an administrator.
pub fn undeliverable(channel: &str, why: &str, said: &Message) -> Message {
    let text = format!(
        "{SIGN} *The channel <#{channel}> refuses an alert* ({}). Mend that: un-archive it, or invite the bot. Until then alerts reach nobody there. It says:",
        escape(why)
    );
    let mut blocks = vec![blocks::section(&text)];
    if said.blocks.is_empty() {
        blocks.push(blocks::section(&said.text));
    }
    let quiet = said
        .blocks
        .iter()
        .filter(|block| block["type"] != "actions");
    blocks.extend(quiet.cloned());
    Message {
        text: cut_markup(
            &format!("An alert was refused by its channel. {}", said.text),
            1_500,
        ),
        blocks,
    }
}
