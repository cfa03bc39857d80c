//! Values at the very edge: the last one that is accepted, and the first one that is not.

use super::fixture::{compile, document};
use crate::domain::content::is_content_type;
use crate::domain::document::{SlackIdentities, SlackIdentity};
use crate::domain::email;
use crate::domain::people::{Directory, SlackAccount};
use crate::domain::request_ref::RequestRef;
use crate::domain::time::Span;

/// The first config error, or nothing.
fn refused(more: &str) -> Option<String> {
    let problems = compile(more).err()?;
    problems.first().map(ToString::to_string)
}

fn oidc(issuer: &str) -> String {
    format!(
        "console: {{oidc: {{issuer: '{issuer}', clientId: a, clientSecretEnv: OIDC_CLIENT_SECRET}}}}"
    )
}

fn issuer(length: usize) -> String {
    let start = "https://login.example/";
    format!("{start}{}", "a".repeat(length - start.len()))
}

fn webhook(length: usize) -> String {
    let start = "https://example.com/";
    let url = format!("{start}{}", "a".repeat(length - start.len()));
    format!("webhooks: [{{url: '{url}', secretEnv: HOOK, events: [request.decided]}}]")
}

fn console(fields: &str) -> String {
    let slack = "slack: {clientId: '1.2', clientSecretEnv: SLACK_CLIENT_SECRET}";
    format!("console: {{{slack}, {fields}}}")
}

fn digest(hour: u32) -> String {
    format!(
        "notifications: {{digest: {{weekday: monday, hour: {hour}, timezone: UTC, channel: C01OPS}}}}"
    )
}

#[test]
fn values_are_accepted_up_to_their_limit() {
    for good in [
        "reminders: {first: 1h, factor: 2, most: 50}",
        "notifications: {quietHours: {from: 23, to: 0}}",
        "notifications: {quietHours: {from: 0, to: 23}}",
        &digest(23),
        &console("idle: 8h, absolute: 8h"),
        &console("idle: 8h, absolute: 30d"),
        &console("freshFor: 1h"),
        &oidc("http://localhost:9999"),
        &oidc("http://127.0.0.1:9999"),
        &oidc("http://[::1]:9999"),
        &oidc(&issuer(255)),
        &webhook(1_000),
    ] {
        assert_eq!(refused(good), None, "{good}");
    }
    for bad in [
        "reminders: {first: 1h, factor: 2, most: 51}",
        "notifications: {quietHours: {from: 24, to: 7}}",
        "notifications: {quietHours: {from: 7, to: 24}}",
        "notifications: {quietHours: {from: 7, to: 25}}",
        &digest(24),
        &console("idle: 8h, absolute: 7h"),
        &console("idle: 8h, absolute: 31d"),
        &console("freshFor: 61m"),
        &oidc("http://login.example"),
        &oidc("http://10.0.0.1"),
        &oidc("ftp://localhost"),
        &oidc("https://login.example/?tenant=7"),
        &oidc("https://login.example/#here"),
        &oidc(&issuer(256)),
        &oidc("https://bob@login.example"),
        &oidc("https://:secret@login.example"),
        &webhook(1_001),
    ] {
        assert!(refused(bad).is_some(), "{bad}");
    }
}

#[test]
fn number_of_a_request_has_at_most_seventeen_digits() {
    let number = |text: &str| text.parse::<RequestRef>().ok();
    let most = RequestRef::Number(99_999_999_999_999_999);
    assert_eq!(number(&"9".repeat(17)), Some(most));
    assert_eq!(number("#42"), Some(RequestRef::Number(42)));
    for wrong in [
        "999999999999999999",
        "9999999999999999999999",
        "",
        "#",
        "##1",
        "1a",
        "-1",
    ] {
        assert_eq!(number(wrong), None, "{wrong}");
    }
    let id = "req_00000000000000000000000000";
    assert_eq!(number(id), id.parse().map(RequestRef::Id).ok());
    assert!(number(id).is_some());
}

#[test]
fn content_types_and_addresses_have_a_longest_one() {
    let content_type = |length: usize| format!("text/{}", "x".repeat(length - "text/".len()));
    assert!(is_content_type(&content_type(100)));
    assert!(!is_content_type(&content_type(101)));
    let address = |length: usize| {
        let (start, end) = ("bob@", ".example");
        let labels = "abcdefg.".repeat(length);
        let domain = &labels[..length - start.len() - end.len() - 1];
        format!("{start}{domain}x{end}")
    };
    let longest = address(254);
    assert_eq!(longest.len(), 254);
    assert!(email::address(&longest).is_ok(), "{longest}");
    assert!(email::address(&address(255)).is_err());
}

#[test]
fn seconds_are_named_below_two_minutes_only() {
    for (seconds, words) in [
        (59, "59 s"),
        (61, "61 s"),
        (119, "119 s"),
        (120, "2 min"),
        (121, "2 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (3_660, "1 h 1 min"),
        (86_399, "23 h 59 min"),
        (86_460, "1 day"),
        (172_800, "2 days"),
        (176_400, "2 days 1 h"),
    ] {
        assert_eq!(Span::seconds(seconds).words(), words, "{seconds}");
    }
}

#[test]
fn mail_server_has_its_own_password_and_each_recipient_once() {
    let email = |smtp: &str, more: &str| {
        refused(&format!(
            "email: {{smtp: '{smtp}', from: 'bot@example.com', {more}}}"
        ))
        .unwrap_or_default()
    };
    let (with_user, without) = (
        "smtps://bot@mail.example.com:465",
        "smtps://mail.example.com:465",
    );
    let alerts = "alerts: [oncall@example.com]";
    let own = format!("passwordEnv: SMTP_PASSWORD, {alerts}");
    assert_eq!(email(with_user, &own), "");
    assert_eq!(email(without, alerts), "");
    for (smtp, more, why) in [
        (with_user, alerts.to_owned(), "is missing"),
        (without, own, "names no user"),
        (
            with_user,
            format!("passwordEnv: 'MAIL PASSWORD', {alerts}"),
            "names no environment variable",
        ),
        (
            with_user,
            format!("passwordEnv: DATABASE_URL, {alerts}"),
            "must contain SMTP or MAIL",
        ),
        (
            without,
            "alerts: [oncall@example.com, OnCall@example.com]".to_owned(),
            "is listed twice",
        ),
    ] {
        let said = email(smtp, &more);
        assert!(said.contains(why), "{more}: {said}");
    }
}

#[test]
fn identity_with_an_empty_part_is_nobody_even_if_it_is_configured_b29() {
    for (team, user) in [("", "U9"), (" ", "U9"), ("T01TEST", ""), ("", "")] {
        let mut directory = document("").directory;
        directory.users[2].slack = SlackIdentities(vec![SlackIdentity {
            team_id: Some(team.to_owned()),
            enterprise_id: None,
            user_id: user.to_owned(),
        }]);
        let account = SlackAccount {
            enterprise_id: None,
            team_id: team.to_owned(),
            user_id: user.to_owned(),
        };
        let directory = Directory::compile(&directory);
        assert_eq!(directory.by_slack(&account), None, "{account:?}");
    }
}
