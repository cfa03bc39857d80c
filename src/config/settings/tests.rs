//! Every variable, good and bad, and the canaries of threat OP3.

use super::*;
use clap::{Args as _, Command, FromArgMatches as _};
use secrecy::ExposeSecret;
use std::collections::{BTreeMap, BTreeSet};

type Variables = BTreeMap<&'static str, &'static str>;

fn good() -> Variables {
    BTreeMap::from([
        (SIGNING_SECRET, "8f742231b10e8888abcd99yyyzzz85a5"),
        (BOT_TOKEN, "xoxb-sandbox-1"),
    ])
}

fn args(flags: &[&str]) -> ServeArgs {
    let command = ServeArgs::augment_args(Command::new("serve"));
    let words = std::iter::once("serve").chain(flags.iter().copied());
    let matches = command
        .try_get_matches_from(words)
        .expect("flags that clap knows");
    ServeArgs::from_arg_matches(&matches).expect("all arguments")
}

fn read(flags: &[&str], variables: &Variables) -> Result<Settings, SettingErrors> {
    Settings::read(&args(flags), |name| {
        variables.get(name).map(|&text| text.to_owned())
    })
}

fn complaints(flags: &[&str], variables: &Variables) -> Vec<(&'static str, String)> {
    match read(flags, variables) {
        Ok(_) => Vec::new(),
        Err(SettingErrors(all)) => all
            .into_iter()
            .map(|one| (one.variable, one.message))
            .collect(),
    }
}

/// The variables that hold secrets. They have no flag.
const SECRETS: [&str; 4] = [DATABASE_URL, SIGNING_SECRET, BOT_TOKEN, APP_TOKEN];

#[test]
fn two_variables_are_enough() {
    let settings = read(&[], &good()).expect("good");
    assert_eq!(settings.listen, "127.0.0.1:8080".parse().expect("address"));
    assert_eq!(
        settings.database_url.expose_secret(),
        "sqlite://countersign.db"
    );
    assert_eq!(
        settings.slack.api_url.at("/auth.test"),
        "https://slack.com/api/auth.test"
    );
    assert_eq!(settings.slack.signing_secrets.len(), 1);
    assert!(settings.slack.app_id.is_none());
    assert!(settings.admin_listen.is_none() && settings.config.is_none());
}

#[test]
fn all_setting_errors_are_reported_at_once() {
    let variables = Variables::from([
        (SIGNING_SECRET, ""),
        (BOT_TOKEN, "xoxp-1"),
        (APP_TOKEN, "xoxb-1"),
        (DATABASE_URL, "mysql://root@localhost/x"),
    ]);
    let flags = [
        "--listen",
        "localhost",
        "--admin-listen",
        "8081",
        "--slack-app-id",
        "B1",
        "--slack-api-url",
        "slack.com",
        "--log",
        "x=loud",
        "--log-format",
        "xml",
    ];
    insta::assert_snapshot!(read(&flags, &variables).expect_err("all wrong"), @r#"
        COUNTERSIGN_LISTEN is invalid: expected an IP address and a port, such as 127.0.0.1:8080 or [::]:8080
        COUNTERSIGN_ADMIN_LISTEN is invalid: expected an IP address and a port, such as 127.0.0.1:8080 or [::]:8080
        DATABASE_URL must begin with sqlite:// or postgres://, such as sqlite://countersign.db
        SLACK_BOT_TOKEN is invalid: expected a token that starts with "xoxb-" and contains no spaces
        SLACK_APP_TOKEN is invalid: expected a token that starts with "xapp-" and contains no spaces
        SLACK_SIGNING_SECRET is blank, or one of its two secrets is; anybody could sign with an empty secret
        SLACK_APP_ID is invalid: expected an ID that starts with "A" (app settings, Basic Information)
        SLACK_API_URL is not an address (relative URL without a base); write for example https://countersign.example.com
        RUST_LOG cannot be read (error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5); write for example info, or countersign=debug,info
        COUNTERSIGN_LOG_FORMAT must be text or json
        "#);
}

#[test]
fn nothing_set_says_what_is_needed() {
    insta::assert_snapshot!(read(&[], &Variables::new()).expect_err("needs two"), @r#"
        SLACK_BOT_TOKEN is not set (app settings, OAuth & Permissions)
        SLACK_SIGNING_SECRET is not set (app settings, Basic Information; or set SLACK_APP_TOKEN for Socket Mode)
        "#);
}

#[test]
fn empty_blank_and_short_signing_secrets_are_refused() {
    for bad in [
        "",
        " ",
        "\t\n",
        ",",
        "0123456789abcdef,",
        " , 0123456789abcdef",
        "0123456789abcde",
        "0123456789abcdef,short",
        "0123456789abcdef,0123456789abcdef,0123456789abcdef",
        "0123456789 abcdef0",
    ] {
        let variables = Variables::from([(SIGNING_SECRET, bad), (BOT_TOKEN, "xoxb-1")]);
        let found = complaints(&[], &variables);
        assert_eq!(found.len(), 1, "{bad:?}: {found:?}");
        assert_eq!(found[0].0, SIGNING_SECRET, "{bad:?}");
    }
}

#[test]
fn two_signing_secrets_overlap_while_rotating() {
    let variables = Variables::from([
        (SIGNING_SECRET, " 0123456789abcdef , fedcba9876543210\n"),
        (BOT_TOKEN, "xoxb-1"),
    ]);
    let secrets = read(&[], &variables)
        .expect("two secrets")
        .slack
        .signing_secrets;
    let shown: Vec<_> = secrets.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(shown, ["0123456789abcdef", "fedcba9876543210"]);
}

#[test]
fn with_an_app_token_the_signing_secret_may_be_left_out_but_not_blank() {
    let mut variables = good();
    variables.insert(APP_TOKEN, "xapp-1-A1");
    let both = read(&[], &variables).expect("both doors").slack;
    assert!(both.app_token.is_some() && both.signing_secrets.len() == 1);
    variables.remove(SIGNING_SECRET);
    let sockets = read(&[], &variables).expect("sockets alone").slack;
    assert!(sockets.app_token.is_some() && sockets.signing_secrets.is_empty());
    for blank in ["", " ", "short"] {
        variables.insert(SIGNING_SECRET, blank);
        let found = complaints(&[], &variables);
        assert_eq!(found.len(), 1, "{blank:?}: {found:?}");
        assert_eq!(found[0].0, SIGNING_SECRET);
    }
    variables.remove(SIGNING_SECRET);
    for bad in ["xoxb-1", "xapp-", "xapp-1 2"] {
        variables.insert(APP_TOKEN, bad);
        let found = complaints(&[], &variables);
        assert_eq!(found.len(), 1, "{bad:?}: {found:?}");
        assert_eq!(found[0].0, APP_TOKEN);
    }
}

#[test]
fn blank_optional_variables_count_as_left_out() {
    let mut variables = good();
    variables.extend([(APP_TOKEN, ""), (DATABASE_URL, " ")]);
    let flags = [
        "--admin-listen",
        "",
        "--slack-app-id",
        "",
        "--log",
        "",
        "--log-format",
        "",
    ];
    let settings = read(&flags, &variables).expect("blank is left out");
    assert!(settings.slack.app_id.is_none() && settings.admin_listen.is_none());
    assert_eq!(
        settings.database_url.expose_secret(),
        "sqlite://countersign.db"
    );
}

#[test]
fn addresses_are_https_or_on_this_machine() {
    for good in [
        "https://countersign.example.com/",
        "http://127.0.0.1:9000",
        "http://localhost:9000/api/",
        "http://[::1]:9000",
        "http://a.localhost",
    ] {
        let url = BaseUrl::parse(good).expect(good);
        assert!(!url.to_string().ends_with('/'), "{url}");
    }
    for bad in [
        "",
        "example.com",
        "http://example.com",
        "http://localhost.example.com",
        "ftp://localhost",
        "https://user:canary@example.com",
        "https://example.com/?a=1",
        "https://example.com/#a",
        "http://10.0.0.1",
    ] {
        let message = BaseUrl::parse(bad).expect_err(bad);
        assert!(!message.contains("canary"), "{message}");
    }
}

#[test]
fn metrics_cannot_share_the_public_port() {
    assert_eq!(
        complaints(&["--admin-listen", "127.0.0.1:8080"], &good())[0].0,
        "COUNTERSIGN_ADMIN_LISTEN"
    );
    assert!(
        complaints(
            &["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
            &good()
        )
        .is_empty()
    );
}

#[test]
fn secrets_never_appear_in_debug_errors_or_help_op3() {
    let canaries = Variables::from([
        (
            SIGNING_SECRET,
            "canary-signing-secret-1,canary-signing-secret-2",
        ),
        (BOT_TOKEN, "xoxb-canary"),
        (APP_TOKEN, "xapp-canary"),
        (DATABASE_URL, "postgres://me:canary@127.0.0.1/db"),
    ]);
    let settings = read(&[], &canaries).expect("good");
    assert!(settings.database_url.expose_secret().contains("canary"));
    assert!(!format!("{settings:?} {settings:#?}").contains("canary"));

    let broken = Variables::from([
        (SIGNING_SECRET, "canary"),
        (BOT_TOKEN, "canary"),
        (APP_TOKEN, "canary canary"),
        (DATABASE_URL, "canary://x"),
    ]);
    let complaints =
        read(&["--listen", "canary", "--slack-app-id", "canary"], &broken).expect_err("all wrong");
    assert_eq!(complaints.0.len(), 6);
    assert!(!format!("{complaints} {complaints:?}").contains("canary"));

    for argument in ServeArgs::augment_args(Command::new("serve")).get_arguments() {
        let variable = argument
            .get_env()
            .map(|name| name.to_string_lossy().into_owned());
        assert!(
            argument.is_hide_env_values_set(),
            "--help would print the value of {variable:?}"
        );
        assert!(
            SECRETS
                .iter()
                .all(|secret| Some(*secret) != variable.as_deref()),
            "{variable:?} has a flag"
        );
    }
}

#[test]
fn the_example_names_every_variable_and_no_other() {
    let example = include_str!("../../../.env.example");
    let named: BTreeSet<&str> = example
        .lines()
        .filter_map(|line| line.trim_start_matches(['#', ' ']).split_once('='))
        .map(|(name, _)| name)
        .filter(|name| !name.contains(' '))
        .collect();
    let serve = ServeArgs::augment_args(Command::new("serve"));
    let client = crate::config::client::ClientArgs::augment_args(Command::new("client"));
    let flags: BTreeSet<String> = serve
        .get_arguments()
        .chain(client.get_arguments())
        .filter_map(|argument| {
            argument
                .get_env()
                .map(|name| name.to_string_lossy().into_owned())
        })
        .collect();
    let known: BTreeSet<&str> = SECRETS
        .into_iter()
        .chain([crate::config::client::TOKEN])
        // the configuration names it
        .chain(["SLACK_CLIENT_SECRET"])
        .chain(flags.iter().map(String::as_str))
        .collect();
    assert_eq!(named, known);
    for line in example.lines().filter(|line| !line.is_empty()) {
        assert!(
            line.starts_with('#'),
            "copied as it is, the example sets nothing: {line}"
        );
    }
}

#[test]
fn the_example_is_read_by_the_reader_of_env_files() {
    let example = include_str!("../../../.env.example");
    let uncommented: String = example
        .lines()
        .filter(|line| line.starts_with('#') && !line.starts_with("# "))
        .flat_map(|line| [&line[1..], "\n"])
        .collect();
    let read: Result<Vec<_>, _> = dotenvy::from_read_iter(uncommented.as_bytes()).collect();
    assert_eq!(read.expect("every line reads").len(), 16);
}
