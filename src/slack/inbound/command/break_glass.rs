//! The grammar of `/breakglass`: strict, so that a word that is not understood starts nothing (threat SL14).

use super::{ParseError, first_word, straight_quotes, twice, unknown_word, unmarked, words};
use crate::domain::break_glass::SessionAsk;
use crate::domain::id::SessionId;
use crate::domain::text;

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BreakGlass {
    /// Nothing, or `help`.
    Help,
    /// Starts a session; what is missing is asked in a form.
    Start(SessionAsk),
    /// Ends a session early: this one, or the only one that is active.
    Revoke(Option<SessionId>),
    /// What is open.
    Status,
}

const VERBS: [&str; 4] = ["start", "revoke", "status", "help"];
const KEYS: [&str; 7] = [
    "actions",
    "cluster",
    "env",
    "project",
    "for",
    "responders",
    "reason",
];

/// Reads the text behind `/breakglass`.
pub fn parse(text: &str) -> Result<BreakGlass, ParseError> {
    let text = straight_quotes(&unmarked(text));
    let (verb, rest) = first_word(&text);
    match verb.to_lowercase().as_str() {
        "" | "help" => alone(rest, BreakGlass::Help),
        "status" => alone(rest, BreakGlass::Status),
        "revoke" | "end" => revoke(rest),
        "start" => start(rest).map(BreakGlass::Start),
        unknown => Err(unknown_word(unknown, &VERBS)),
    }
}

/// Whether nothing has to be asked any more.
pub fn is_complete(ask: &SessionAsk) -> bool {
    let resource = ask.projects.is_some() || ask.clusters.is_some() || ask.environments.is_some();
    !ask.actions.is_empty() && resource && !ask.reason.is_empty() && ask.duration.is_some()
}

fn alone(rest: &str, said: BreakGlass) -> Result<BreakGlass, ParseError> {
    if rest.is_empty() {
        Ok(said)
    } else {
        Err(ParseError(format!("Unexpected text: `{rest}`.")))
    }
}

fn revoke(rest: &str) -> Result<BreakGlass, ParseError> {
    if rest.is_empty() {
        return Ok(BreakGlass::Revoke(None));
    }
    let id = rest.parse().map_err(|_| {
        ParseError(format!(
            "`{rest}` is no session's id; it begins with bg_, and `/breakglass status` shows it."
        ))
    })?;
    Ok(BreakGlass::Revoke(Some(id)))
}

/// `key=value ..`, in any order, each key once; several values with commas between them.
fn start(rest: &str) -> Result<SessionAsk, ParseError> {
    let mut ask = SessionAsk::default();
    let mut seen: Vec<String> = Vec::new();
    for word in words(rest)? {
        let Some((key, value)) = word.split_once('=') else {
            return Err(ParseError(format!(
                "Unexpected word `{word}`; write for example cluster=prod-eu-1, and put quotes around values with spaces."
            )));
        };
        let key = singular(key);
        if seen.iter().any(|known| known == key) {
            return Err(twice(key));
        }
        if text::is_blank(value) {
            return Err(ParseError(format!("`{key}` has no value.")));
        }
        set(&mut ask, key, value)?;
        seen.push(key.to_owned());
    }
    Ok(ask)
}

/// One word for each thing that people call differently.
fn singular(key: &str) -> &str {
    match key {
        "action" => "actions",
        "clusters" => "cluster",
        "environment" | "environments" | "envs" => "env",
        "projects" => "project",
        "duration" => "for",
        "responder" => "responders",
        other => other,
    }
}

fn set(ask: &mut SessionAsk, key: &str, value: &str) -> Result<(), ParseError> {
    let list = || -> Vec<String> {
        let names = value.split(',').map(str::trim);
        names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    };
    match key {
        "actions" => ask.actions = list(),
        "cluster" => ask.clusters = Some(list()),
        "env" => ask.environments = Some(list()),
        "project" => ask.projects = Some(list()),
        "responders" => {
            ask.responders = list()
                .iter()
                .map(|name| name.trim_start_matches('@').to_owned())
                .collect();
        }
        "reason" => value.clone_into(&mut ask.reason),
        "for" => ask.duration = Some(value.parse().map_err(ParseError)?),
        unknown => return Err(unknown_word(unknown, &KEYS)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;

    fn started(text: &str) -> SessionAsk {
        match parse(text) {
            Ok(BreakGlass::Start(ask)) => ask,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_start_is_read_in_any_order_with_curly_quotes() {
        let ask = started(
            "start reason=“checkout is down” for=1h cluster=prod-eu-1 actions=cluster.restart,cluster.sync responders=dan,service:ci",
        );
        assert_eq!(ask.reason, "checkout is down");
        assert_eq!(ask.duration, Some(Span::hours(1)));
        assert_eq!(ask.clusters, Some(vec!["prod-eu-1".to_owned()]));
        assert_eq!(ask.actions, ["cluster.restart", "cluster.sync"]);
        assert_eq!(ask.responders, ["dan", "service:ci"]);
        assert!(is_complete(&ask));
        assert!(!is_complete(&started("start")));
        assert!(!is_complete(&started(
            "start actions=cluster reason='checkout is down' for=1h"
        )));
    }

    #[test]
    fn what_is_not_understood_starts_nothing_sl14() {
        for (text, says) in [
            ("begin", "Unknown word `begin`"),
            ("strat", "did you mean `start`"),
            ("start now", "Unexpected word `now`"),
            ("start for=soon", "no length of time"),
            ("start env=a envs=b", "`env` is given twice"),
            ("start why=x", "Unknown word `why`"),
            ("start reason=", "`reason` has no value"),
            ("start reason=\"open", "quote is not closed"),
            ("revoke 42", "no session's id"),
            ("status all", "Unexpected text: `all`"),
        ] {
            let misread = parse(text).expect_err(text).to_string();
            assert!(misread.contains(says), "{text}: {misread}");
        }
        assert_eq!(parse(""), Ok(BreakGlass::Help));
        assert_eq!(parse("revoke"), Ok(BreakGlass::Revoke(None)));
        assert_eq!(parse(" Status "), Ok(BreakGlass::Status));
    }
}
