//! Checks the dependencies between modules (docs/decisions.md D01): reads the source and refuses imports that are not allowed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules, each with the modules that its files may import. An import that is not listed is refused; a listed one must be used.
const ARROWS: [(&str, &[&str]); 15] = [
    ("domain", &[]),
    ("config", &["domain"]),
    ("net", &[]),
    // runs long-lived tasks of all modules
    ("supervisor", &[]),
    ("store", &["domain", "supervisor"]),
    ("app", &["domain", "store", "supervisor"]),
    ("slack", &["domain", "app", "net", "supervisor"]),
    ("http", &["domain", "app", "net"]),
    ("email", &["domain", "app"]),
    ("web", &["domain", "app", "net"]),
    ("worker", &["domain", "app"]),
    // it plays Slack for the bot, so it must not know the bot's view of Slack
    ("sandbox", &[]),
    (
        "bot",
        &[
            "domain", "app", "store", "slack", "http", "web", "worker", "net",
        ],
    ),
    ("cli", &["domain", "app", "http", "config", "net"]),
    // lib.rs and main.rs
    ("", &["cli", "config"]),
];

/// The folders of `slack`, each with the ones that it may use.
const SLACK_ARROWS: [(&str, &[&str]); 4] = [
    ("api", &[]),
    ("inbound", &["api"]),
    ("ui", &["api", "inbound"]),
    ("handlers", &["api", "inbound", "ui"]),
];

/// Imports that only single files may use, with the reason.
const EXCEPTIONS: [(&str, &[&str]); 21] = [
    // a policy is read within the limits of configuration files
    ("web/policies/form.rs", &["config"]),
    // they deliver rows that are due, through the Slack client
    ("worker/cards.rs", &["slack", "store"]),
    ("worker/outbox.rs", &["slack", "store"]),
    ("worker/undelivered.rs", &["slack", "store"]),
    ("worker/pause.rs", &["slack"]),
    ("worker/sessions.rs", &["slack", "store"]),
    ("worker/threads.rs", &["slack", "store"]),
    ("worker/waiting.rs", &["slack"]),
    ("worker/mod.rs", &["slack", "net"]),
    // it renders what the API shows
    ("worker/webhooks.rs", &["http", "net", "store"]),
    // it writes and sends e-mails
    ("worker/emails.rs", &["email", "store"]),
    // they open the database and build the bot
    ("cli/server.rs", &["bot", "store"]),
    ("cli/serve.rs", &["bot", "slack"]),
    ("cli/demo/mod.rs", &["bot", "sandbox"]),
    ("cli/demo/history.rs", &["bot"]),
    ("cli/demo/host.rs", &["bot", "slack", "sandbox"]),
    ("cli/token.rs", &["store"]),
    // it checks database and Slack separately
    ("cli/doctor/mod.rs", &["store"]),
    ("cli/doctor/workspace.rs", &["slack"]),
    // it logs in to the mail server
    ("cli/doctor/email.rs", &["email"]),
    // it reads the Slack workspace
    ("cli/init.rs", &["slack"]),
];

/// Words that may appear only in these places. A place is a path below `src`, or the beginning of one.
const ALONE: [(&str, &[&str]); 26] = [
    ("sqlx::", &["store/"]),
    ("SELECT ", &["store/"]),
    ("INSERT INTO ", &["store/"]),
    ("UPDATE ", &["store/"]),
    ("DELETE FROM ", &["store/"]),
    ("PRAGMA ", &["store/"]),
    (
        "slack_morphism::",
        &["slack/api/client.rs", "slack/api/error.rs"],
    ),
    (
        "lettre::",
        &["email/", "domain/email.rs", "worker/emails.rs"],
    ),
    (
        "axum::",
        &[
            "http/",
            "web/",
            "sandbox/",
            "slack/inbound/route.rs",
            "bot.rs",
            "cli/apply.rs",
            "cli/client.rs",
            "cli/server.rs",
        ],
    ),
    ("utoipa::", &["http/"]),
    ("askama::", &["web/"]),
    ("jsonwebtoken::", &["web/sign_in/"]),
    (
        "tokio_tungstenite::",
        &["slack/inbound/socket/", "sandbox/"],
    ),
    ("clap::", &["cli/", "config/"]),
    // only one file reads the system's time
    ("SystemTime::now", &["app/clock.rs"]),
    ("Utc::now", &[]),
    ("Local::now", &[]),
    // how long a click has waited in the queue decides nothing about requests
    (
        "Instant::now",
        &[
            "cli/",
            "app/clock.rs",
            "app/decide/mod.rs",
            "app/log_limit.rs",
            "store/settings.rs",
            // how long the bot takes to acknowledge, for the page
            "sandbox/deliver.rs",
        ],
    ),
    // these read the clock and draw random numbers at the same time
    ("now_v7", &["cli/client.rs"]),
    // waiting for time to pass needs a reason; all other code waits for events
    (
        "sleep(",
        &[
            "app/clock.rs",
            "app/long_poll.rs",
            "bot.rs",
            "cli/client.rs",
            "cli/wait.rs",
            "slack/api/client/",
            "http/server.rs",
            "http/write_deadline.rs",
            "slack/inbound/socket/",
            "supervisor/",
            // streams of open pages
            "web/updates/mod.rs",
            "worker/mod.rs",
        ],
    ),
    ("sleep_until(", &["cli/wait.rs"]),
    ("process::exit", &[]),
    // these panic if the output is closed; cli/output.rs replaces them
    ("print!", &[]),
    ("println!", &[]),
    ("eprint!", &[]),
    ("eprintln!", &[]),
];

/// Modules of pure functions: their results depend on their arguments only.
const PURE: [&str; 5] = [
    "domain/",
    "slack/ui/",
    "email/letter.rs",
    "email/requests.rs",
    "email/alerts.rs",
];

/// What pure modules must not use: IO, waiting, clocks, random numbers.
const IMPURE: [&str; 14] = [
    "async fn",
    "async {",
    "async move",
    ".await",
    "tokio::",
    "futures::",
    "std::fs",
    "std::net",
    "std::env",
    "Instant",
    "SystemTime",
    "getrandom",
    "hyper",
    "tracing::",
];

/// The longest file, in lines without unit tests; longer files hide what they do.
const LONGEST_FILE: usize = 450;

/// A document format is easiest to read in one file, which contains only declarations.
const LONG_ON_PURPOSE: [&str; 1] = ["domain/document.rs"];

/// The module of a file.
fn room_of(path: &str) -> &str {
    match path.split_once('/') {
        Some((room, _)) => room,
        None if path == "bot.rs" => "bot",
        None => "",
    }
}

/// The violations in one file, one sentence each.
fn faults(path: &str, text: &str) -> Vec<String> {
    if is_test_file(path) {
        return Vec::new();
    }
    let code = code_of(text);
    let room = room_of(path);
    let mut faults = Vec::new();
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
        return vec![format!(
            "{path}: `{room}` is no room of this house; draw its arrows first"
        )];
    };
    let besides = EXCEPTIONS.iter().find(|(file, _)| *file == path);
    for named in rooms_named(&code) {
        let excepted = besides.is_some_and(|(_, rooms)| rooms.contains(&named.as_str()));
        if named != room && !excepted && !allowed.contains(&named.as_str()) {
            faults.push(format!("{path}: `{room}` must not know `{named}`"));
        }
    }
    for (word, places) in ALONE {
        let here = places.iter().any(|place| path.starts_with(place));
        if !here && has_word(&code, word) {
            faults.push(format!("{path}: `{word}` belongs to {places:?} alone"));
        }
    }
    if PURE.iter().any(|place| path.starts_with(place)) {
        for word in IMPURE {
            if has_word(&code, word) {
                faults.push(format!("{path}: this is a pure place, but says `{word}`"));
            }
        }
    }
    if code.lines().count() > LONGEST_FILE && !LONG_ON_PURPOSE.contains(&path) {
        faults.push(format!("{path}: more than {LONGEST_FILE} lines; part it"));
    }
    faults
}

/// Tests may use what code must not.
fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

/// The text without comments and without the unit tests at its end.
fn code_of(text: &str) -> String {
    uncommented(&text[..end_of_code(text)])
}

/// Where the unit tests at the end of a file begin.
fn end_of_code(text: &str) -> usize {
    text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len())
}

fn uncommented(text: &str) -> String {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .fold(String::new(), |code, line| code + line + "\n")
}

/// Whether `word` occurs as a whole word.
fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|sign| sign.is_alphanumeric() || sign == '_')
    })
}

/// The modules that are named after `crate::`, also in `use crate::{..}`.
fn rooms_named(code: &str) -> BTreeSet<String> {
    let name_of = |text: &str| -> String {
        let text = text.trim_start();
        text.chars()
            .take_while(|sign| sign.is_alphanumeric() || *sign == '_')
            .collect()
    };
    let mut rooms = BTreeSet::new();
    for prefix in ["crate::", "countersign::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            match rest.strip_prefix('{') {
                Some(group) => rooms.extend(top_of_group(group).iter().map(|part| name_of(part))),
                None => {
                    rooms.insert(name_of(rest));
                }
            }
        }
    }
    rooms.retain(|name| {
        ARROWS
            .iter()
            .any(|(room, _)| !room.is_empty() && room == name)
    });
    rooms
}

/// The items of an import group, without nested groups.
fn top_of_group(group: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_u32;
    for sign in group.chars() {
        match sign {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(String::new()),
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(sign);
        }
    }
    parts
        .iter()
        .map(|part| part.trim_start_matches(',').to_owned())
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the source") {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Every source file below a folder of the repository: its path and its text.
pub fn every_file(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    sources(&root, &mut files);
    let read = |file: PathBuf| {
        let path = file.strip_prefix(&root).expect("below the folder");
        let path = path.display().to_string();
        (path, fs::read_to_string(&file).expect("a source file"))
    };
    files.into_iter().map(read).collect()
}

#[test]
fn modules_import_only_what_they_may() {
    let files = every_file("src");
    assert!(files.len() > 20, "the source was not found");
    let all: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| faults(path, text))
        .collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn every_allowed_import_is_used() {
    let mut used = BTreeSet::new();
    for (path, text) in every_file("src") {
        let code = code_of(&text);
        for named in rooms_named(&code) {
            used.insert((room_of(&path).to_owned(), named.clone()));
            used.insert((path.clone(), named));
        }
        for (word, places) in ALONE {
            let place = places.iter().find(|place| path.starts_with(**place));
            if let Some(place) = place.filter(|_| has_word(&code, word)) {
                used.insert(((*place).to_owned(), word.to_owned()));
            }
        }
    }
    let allowed = ARROWS.iter().chain(&EXCEPTIONS);
    let allowed = allowed.flat_map(|(from, to)| to.iter().map(move |to| (*from, *to)));
    let places = ALONE.iter();
    let places = places.flat_map(|(word, places)| places.iter().map(move |place| (*place, *word)));
    let unused: Vec<(&str, &str)> = allowed
        .chain(places)
        .filter(|(from, to)| !used.contains(&((*from).to_owned(), (*to).to_owned())))
        .collect();
    assert!(unused.is_empty(), "allowed, but not needed: {unused:?}");
}

/// Tests wait for events and never for time to pass.
#[test]
fn no_test_sleeps() {
    let outside = every_file("tests");
    assert!(outside.len() > 5, "the tests were not found");
    let within = every_file("src").into_iter().map(|(path, text)| {
        let tests = if is_test_file(&path) {
            0
        } else {
            end_of_code(&text)
        };
        (path, text[tests..].to_owned())
    });
    for (path, text) in outside.into_iter().chain(within) {
        if path == "it/architecture.rs" {
            continue; // this file contains the words
        }
        for word in ["sleep", "sleep_until"] {
            let call = format!("{word}(");
            let sleeps = uncommented(&text).lines().any(|line| has_word(line, &call));
            assert!(!sleeps, "{path}: a test sleeps");
        }
    }
}

/// The folders of `slack` that a file of `folder` uses and must not.
fn slack_faults(folder: &str, code: &str) -> Vec<String> {
    let allowed = SLACK_ARROWS.iter().find(|(name, _)| *name == folder);
    let allowed = allowed.map_or(&[][..], |(_, allowed)| *allowed);
    let names_after = |prefix: &str| -> Vec<String> {
        code.match_indices(prefix)
            .map(|(at, _)| {
                let rest = code[at + prefix.len()..].chars();
                rest.take_while(|sign| sign.is_alphanumeric() || "_{".contains(*sign))
                    .collect()
            })
            .collect()
    };
    let mut used = names_after("crate::slack::");
    // relative paths may lead out of a folder too
    used.extend(names_after("super::").into_iter().filter(|name| {
        let other = |(folder, _): &(&str, &[&str])| folder == name;
        SLACK_ARROWS.iter().any(other)
    }));
    used.retain(|name| name != folder && !allowed.contains(&name.as_str()));
    used
}

#[test]
fn slack_folders_form_no_circle() {
    for (path, text) in every_file("src/slack") {
        if path == "mod.rs" || is_test_file(&path) {
            continue;
        }
        let (folder, _) = path.split_once('/').expect("a file in one of the folders");
        assert!(
            SLACK_ARROWS.iter().any(|(name, _)| *name == folder),
            "{path}"
        );
        let faults = slack_faults(folder, &code_of(&text));
        assert!(faults.is_empty(), "{path} must not use {faults:?}");
    }
    assert_eq!(slack_faults("api", "use crate::slack::ui::text;"), ["ui"]);
    assert_eq!(
        slack_faults("inbound", "use super::super::handlers::Ack;"),
        ["handlers"]
    );
    assert_eq!(
        slack_faults("ui", "use crate::slack::{handlers, api};"),
        ["{handlers"]
    );
}

#[test]
fn forbidden_imports_are_found() {
    for (path, text) in [
        ("domain/a.rs", "use crate::app::App;"),
        ("domain/a.rs", "use crate::{domain::id::TeamId, store::Db};"),
        ("domain/a.rs", "fn f(db: &crate::store::Db) {}"),
        ("domain/a.rs", "pub async fn f() {}"),
        ("domain/a.rs", "use std::time::Instant;"),
        ("domain/a.rs", "let id = Uuid::now_v7();"),
        ("slack/ui/a.rs", "pub async fn f() {}"),
        ("app/a.rs", "use crate::slack::ui;"),
        ("app/a.rs", "use crate::http;"),
        ("app/a.rs", "let pool: sqlx::PgPool;"),
        ("app/submit.rs", "let now = SystemTime::now();"),
        ("app/submit.rs", "let now = chrono::Utc::now();"),
        (
            "app/submit.rs",
            "let text = \"SELECT number FROM requests\";",
        ),
        ("app/submit.rs", "tokio::time::sleep(a_while).await;"),
        ("store/clock.rs", "let now = SystemTime::now();"),
        ("store/a.rs", "use crate::app::App;"),
        ("slack/a.rs", "use crate::http::problem;"),
        ("slack/a.rs", "use crate::store::Db;"),
        (
            "http/a.rs",
            "use crate::{\n    domain::{id::TeamId, people::Person},\n    slack::views,\n};",
        ),
        ("http/a.rs", "use slack_morphism::prelude::*;"),
        ("http/a.rs", "use crate::bot::Bot;"),
        ("config/a.rs", "use crate::app::App;"),
        (
            "sandbox/a.rs",
            "use crate::slack::inbound::signature::sign;",
        ),
        ("worker/a.rs", "use crate::slack::api::client::Slack;"),
        ("cli/show.rs", "use crate::store::Db;"),
        ("cli/serve.rs", "use crate::sandbox::Sandbox;"),
        ("worker/a.rs", "use crate::http::App;"),
        ("cellar/a.rs", "fn f() {}"),
    ] {
        assert_eq!(faults(path, text).len(), 1, "{path}: {text}");
    }
    let long = "fn f() {}\n".repeat(LONGEST_FILE + 1);
    assert_eq!(faults("app/a.rs", &long).len(), 1);
}

#[test]
fn allowed_imports_pass() {
    for (path, text) in [
        (
            "domain/a.rs",
            "use crate::domain::id::TeamId;\n// crate::app is told of it\n",
        ),
        (
            "domain/a.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n",
        ),
        (
            "app/a.rs",
            "use crate::domain::{app::X, id::TeamId};\nuse crate::store::Db;",
        ),
        ("app/clock.rs", "let now = SystemTime::now();"),
        ("store/a.rs", "use sqlx::Row;"),
        (
            "slack/api/client.rs",
            "use crate::app::App;\nuse slack_morphism::prelude::*;",
        ),
        ("worker/cards.rs", "use crate::slack::api::client::Client;"),
        ("lib.rs", "pub mod app;"),
        (
            "cli/serve.rs",
            "use crate::{app, bot, config, http, slack};",
        ),
    ] {
        assert_eq!(faults(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}
