//! The grammar of `/approval` (threat SL14): strict, so that a word that is not understood is no action.

pub mod break_glass;
mod preferences;

pub use preferences::quiet_of;

use crate::app::{RequestRef, stats_window};
use crate::domain::action::RequestType;
use crate::domain::ask::Ask;
use crate::domain::preferences::PreferencesChange;
use crate::domain::suggestion;
use crate::domain::text::{self, is_space};
use crate::domain::time::Span;
use chrono::NaiveDate;

/// An `/approval` command.
#[derive(Debug, Clone, PartialEq)]
pub enum Approval {
    /// Nothing, or `help`.
    Help,
    /// Submits a request; a form asks for whatever is missing.
    Request(Ask),
    /// Explains what would happen to a request.
    Explain(Ask),
    /// The pending requests, of one type or of all.
    Inbox(Option<RequestType>),
    /// One request.
    Show(RequestRef),
    /// Cancels a request.
    Cancel(RequestRef),
    /// Approves, with a comment.
    Approve(RequestRef, Option<String>),
    /// Rejects; without a reason, a form asks for it.
    Reject(RequestRef, Option<String>),
    /// The policies.
    Policies,
    /// The latest events of the audit log, so many of them.
    Audit(u32),
    /// How long requests wait for people, looking so far back.
    Stats(Span),
    /// What nobody should forget.
    Stale,
    /// Changes what they are told; an empty change shows it.
    Notify(PreferencesChange),
    /// Is away.
    Away {
        /// The day on which they are back.
        until: NaiveDate,
        /// Who is told instead of them.
        delegate: Option<String>,
    },
    /// Is back.
    Back,
}

/// Why a command was not understood, in a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

const VERBS: [&str; 15] = [
    "request", "inbox", "show", "cancel", "approve", "reject", "explain", "policies", "audit",
    "stats", "stale", "notify", "away", "back", "help",
];
/// Events of the audit log that are shown when nobody says how many.
const EVENTS: u32 = 10;
/// The most that are shown.
const MOST_EVENTS: u32 = 50;
const KEYS: [&str; 8] = [
    "project",
    "cluster",
    "environment",
    "env",
    "release",
    "reason",
    "payload",
    "action",
];

/// Reads the text behind `/approval`.
pub fn parse(text: &str) -> Result<Approval, ParseError> {
    let text = straight_quotes(&unmarked(text));
    let (verb, rest) = first_word(&text);
    match verb.to_lowercase().as_str() {
        "" | "help" => alone(rest, Approval::Help),
        "policies" => alone(rest, Approval::Policies),
        "stale" => alone(rest, Approval::Stale),
        "notify" => preferences::notify(rest),
        "away" => preferences::away(rest),
        "back" => alone(rest, Approval::Back),
        "inbox" => inbox(rest),
        "show" => only_number(rest).map(Approval::Show),
        "cancel" => only_number(rest).map(Approval::Cancel),
        "approve" => number(rest).map(|(request, said)| Approval::Approve(request, said)),
        "reject" => number(rest).map(|(request, said)| Approval::Reject(request, said)),
        "request" => ask(rest).map(Approval::Request),
        "explain" => ask_with_action(rest).map(Approval::Explain),
        "audit" => audit(rest),
        "stats" => stats_window((!rest.is_empty()).then_some(rest))
            .map(Approval::Stats)
            .map_err(ParseError),
        unknown => Err(unknown_word(unknown, &VERBS)),
    }
}

fn alone(rest: &str, approval: Approval) -> Result<Approval, ParseError> {
    if rest.is_empty() {
        Ok(approval)
    } else {
        Err(ParseError(format!("Unexpected text: `{rest}`.")))
    }
}

fn inbox(rest: &str) -> Result<Approval, ParseError> {
    if rest.is_empty() {
        return Ok(Approval::Inbox(None));
    }
    let wanted = rest.to_lowercase();
    let kind = RequestType::ALL
        .into_iter()
        .find(|kind| kind.as_str() == wanted);
    let kinds = RequestType::ALL.map(RequestType::as_str);
    kind.map(|kind| Approval::Inbox(Some(kind)))
        .ok_or_else(|| unknown_word(rest, &kinds))
}

fn only_number(rest: &str) -> Result<RequestRef, ParseError> {
    match number(rest)? {
        (request, None) => Ok(request),
        (_, Some(more)) => Err(ParseError(format!("Unexpected text: `{more}`."))),
    }
}

/// A request by number or id, and whatever stands behind it as it was typed.
fn number(rest: &str) -> Result<(RequestRef, Option<String>), ParseError> {
    let (word, said) = first_word(rest);
    if word.is_empty() {
        return Err(ParseError(
            "Name a request by its number, such as 42.".to_owned(),
        ));
    }
    let request = word
        .parse()
        .map_err(|_| ParseError(format!("`{word}` is not a request number, such as 42.")))?;
    let said = unquoted(said.trim());
    Ok((request, (!text::is_blank(said)).then(|| said.to_owned())))
}

/// `ACTION key=value ..`, in any order, each key once.
fn ask(rest: &str) -> Result<Ask, ParseError> {
    let mut ask = Ask::default();
    for word in words(rest)? {
        match word.split_once('=') {
            Some((key, value)) => set(&mut ask, key, value)?,
            None if ask.action.is_empty() => ask.action = word,
            None => {
                return Err(ParseError(format!(
                    "Unexpected word `{word}`; put quotes around values with spaces, such as reason=\"two words\"."
                )));
            }
        }
    }
    Ok(ask)
}

/// The same, for what no form can complete.
fn ask_with_action(rest: &str) -> Result<Ask, ParseError> {
    let ask = ask(rest)?;
    if ask.action.is_empty() {
        return Err(ParseError(
            "Name an action, such as release.deploy.".to_owned(),
        ));
    }
    Ok(ask)
}

fn audit(rest: &str) -> Result<Approval, ParseError> {
    if rest.is_empty() {
        return Ok(Approval::Audit(EVENTS));
    }
    match rest.parse() {
        Ok(events) if (1..=MOST_EVENTS).contains(&events) => Ok(Approval::Audit(events)),
        _ => Err(ParseError(format!(
            "`{rest}` is not a number of events from 1 to {MOST_EVENTS}."
        ))),
    }
}

fn set(ask: &mut Ask, key: &str, value: &str) -> Result<(), ParseError> {
    if text::is_blank(value) {
        return Err(ParseError(format!("`{key}` has no value.")));
    }
    if key == "payload" {
        return set_payload(ask, value);
    }
    let place = match key {
        "project" => &mut ask.project,
        "cluster" => &mut ask.cluster,
        "environment" | "env" => &mut ask.environment,
        "release" => &mut ask.release,
        "reason" => &mut ask.reason,
        "action" if ask.action.is_empty() => {
            value.clone_into(&mut ask.action);
            return Ok(());
        }
        "action" => return Err(twice(key)),
        unknown => return Err(unknown_word(unknown, &KEYS)),
    };
    if place.is_some() {
        return Err(twice(key));
    }
    *place = Some(value.to_owned());
    Ok(())
}

fn set_payload(ask: &mut Ask, value: &str) -> Result<(), ParseError> {
    if ask.payload.is_some() {
        return Err(twice("payload"));
    }
    let payload = serde_json::from_str(value).map_err(|error| {
        ParseError(format!(
            "`payload` is not valid JSON ({error}); write it as payload='{{\"key\": \"value\"}}'."
        ))
    })?;
    ask.payload = Some(payload);
    Ok(())
}

pub(super) fn twice(key: &str) -> ParseError {
    ParseError(format!("`{key}` is given twice; give it once."))
}

pub(super) fn unknown_word(word: &str, known: &[&str]) -> ParseError {
    ParseError(match suggestion::nearest(word, known) {
        Some(nearest) => format!("Unknown word `{word}`; did you mean `{nearest}`?"),
        None => format!("Unknown word `{word}`. Known words: {}.", known.join(", ")),
    })
}

/// Splits as a shell does. `#` begins no comment here, or the rest of a line would be lost unseen.
pub(super) fn words(text: &str) -> Result<Vec<String>, ParseError> {
    const HASH: char = '\u{e000}';
    let guarded = with_plain_spaces(text).replace('#', &HASH.to_string());
    let words = shlex::split(&guarded).ok_or_else(|| {
        ParseError(
            "A quote is not closed. Put double quotes around text with an apostrophe, such as reason=\"it's urgent\"."
                .to_owned(),
        )
    })?;
    Ok(words.iter().map(|word| word.replace(HASH, "#")).collect())
}

/// Phones and word processors put other spaces between words, such as no-break spaces: each is a space, but not between quotes, where
/// the text, or a payload, is somebody's own.
fn with_plain_spaces(text: &str) -> String {
    let mut quote = None;
    let mut is_escaped = false;
    text.chars()
        .map(|sign| {
            let plain = if quote.is_none() && !is_escaped && is_space(sign) {
                ' '
            } else {
                sign
            };
            if is_escaped {
                is_escaped = false;
            } else if sign == '\\' && quote != Some('\'') {
                is_escaped = true;
            } else if quote == Some(sign) {
                quote = None;
            } else if quote.is_none() && matches!(sign, '"' | '\'') {
                quote = Some(sign);
            }
            plain
        })
        .collect()
}

pub(super) fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.split_once(is_space) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    }
}

pub(super) fn unquoted(text: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
}

/// Keyboards of phones and Macs turn quotes into curly ones, which mean the same here.
pub(super) fn straight_quotes(text: &str) -> String {
    text.chars()
        .map(|sign| match sign {
            '“' | '”' | '„' | '‟' | '«' | '»' | '″' => '"',
            '‘' | '’' | '‚' | '‛' | '′' => '\'',
            other => other,
        })
        .collect()
}

/// Takes Slack's own marks back to what was typed: nodes first, entities last, so that nothing is decoded twice.
pub(super) fn unmarked(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        let Some((node, behind)) = after.split_once('>') else {
            plain.push('<');
            rest = after;
            continue;
        };
        plain.push_str(&node_text(node));
        rest = behind;
    }
    plain.push_str(rest);
    plain
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// `@U123|bob` was typed as `@bob`, `http://a.example|a.example` as `a.example`.
fn node_text(node: &str) -> String {
    let (target, label) = node.split_once('|').unwrap_or((node, ""));
    let named = |sign: &str, id: &str| {
        let name = if label.is_empty() { id } else { label };
        format!("{sign}{}", name.trim_start_matches(['@', '#']))
    };
    if let Some(id) = target.strip_prefix('@') {
        named("@", id)
    } else if let Some(id) = target.strip_prefix('#') {
        named("#", id)
    } else if let Some(id) = target.strip_prefix('!') {
        named("@", id.rsplit('^').next().unwrap_or(id))
    } else if !label.is_empty() && target.ends_with(label) {
        // only a label that is part of the address was typed by the user and not made up
        label.to_owned()
    } else {
        target.to_owned()
    }
}

#[cfg(test)]
mod tests;
