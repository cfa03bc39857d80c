//! E-mails over a real mail server: who receives what and when, what happens while it fails, and break-glass alerts that Slack does not
//! take.

mod alerts;
mod content;
mod failures;
mod official;
mod server;

use crate::client::Api;
use crate::database::{Kind, on_both};
use crate::doctor::{complaints, visit};
use crate::world::{DEPLOY, World};
use content::Received;
use countersign::domain::time::Span;
use serde_json::json;
use server::{MailServer, Security};

/// The password of the mail server, in every world.
pub const PASSWORD: &str = "correct horse battery";
pub const USER: &str = "approvals";

/// The configuration of the reminders' stories, with this mail server.
pub fn configuration(port: u16) -> String {
    let reminding = crate::notifications::configuration();
    format!(
        "{reminding}email: {{smtp: 'smtp://{USER}@127.0.0.1:{port}', passwordEnv: SMTP_PASSWORD, \
         from: 'Countersign <approvals@countersign.example>', alerts: [security@example.com]}}\n"
    )
}

/// A mail server, and a world that uses it.
pub async fn start(kind: Kind) -> Option<(World, MailServer)> {
    start_edited(kind, |configuration| configuration).await
}

/// The same with another configuration.
pub async fn start_edited(
    kind: Kind,
    edit: impl FnOnce(String) -> String,
) -> Option<(World, MailServer)> {
    let server = MailServer::start(Security::Plain, Some((USER, PASSWORD))).await;
    let configuration = edit(configuration(server.port()));
    let world = World::start_with(kind, &configuration).await?;
    Some((world, server))
}

/// A mail server and a world, or the end of the test if there is no Postgres.
macro_rules! mailing {
    ($kind:expr $(, $edit:expr)?) => {
        match crate::emails::mailing!(@start $kind $(, $edit)?) {
            Some(started) => started,
            None => return,
        }
    };
    (@start $kind:expr) => { crate::emails::start($kind).await };
    (@start $kind:expr, $edit:expr) => { crate::emails::start_edited($kind, $edit).await };
}
pub(crate) use mailing;

/// Recipient and subject of each e-mail.
pub fn told(server: &MailServer) -> Vec<String> {
    let told = |one: &Received| format!("{}: {}", one.to, one.subject());
    server.received().iter().map(told).collect()
}

/// The e-mail without its random boundary.
fn shown(one: &Received) -> String {
    let shown = ["From", "To", "Subject", "Date", "Auto-Submitted"];
    let headers: Vec<String> = shown
        .iter()
        .map(|name| format!("{name}: {}", one.header(name)))
        .collect();
    format!(
        "{}\n\n{}\n=====\n{}",
        headers.join("\n"),
        one.text(),
        one.html()
    )
}

on_both! {
    async fn reminders_go_by_email_too_and_slack_comes_first(kind) {
        let (world, server) = mailing!(kind);
        world.types("alice", DEPLOY).await;
        assert_eq!(told(&server), Vec::<String>::new(), "the card in Slack is the first notice");
        world.passes(Span::hours(2)).await;
        assert_eq!(told(&server), [
            "bob@example.com: Reminder: #1 Release Deploy waits for you",
            "carol@example.com: Reminder: #1 Release Deploy waits for you",
        ]);
        let first = server.received().remove(0);
        insta::assert_snapshot!("reminder", shown(&first));
        assert_eq!((first.from.as_str(), first.user.as_deref()), ("approvals@countersign.example", Some(USER)));
        // nothing of the payload, and nothing that decides
        assert!(!first.html().contains("<form") && !first.html().contains("<img"), "{}", first.html());
        world.clicks("bob", "approve").await;
        world.passes(Span::hours(1)).await;
        // the escalation
        assert_eq!(server.for_address("erin@example.com")[0].subject(), "#1 Release Deploy has waited too long");
        world.clicks("carol", "approve").await;
        world.finish().await;
    }

    async fn people_without_slack_are_told_at_once(kind) {
        let edit = |text: String| text.replace(", slack: {teamId: T01TEST, userId: U03CAROL}", "");
        let (world, server) = mailing!(kind, edit);
        world.types("alice", DEPLOY).await;
        assert_eq!(told(&server), ["carol@example.com: #1 Release Deploy waits for you"]);
        world.passes(Span::hours(2)).await;
        assert_eq!(server.for_address("carol@example.com").len(), 2, "and is reminded as everybody else");
        world.types("alice", "cancel 1").await;
        world.finish().await;
    }

    async fn requesters_learn_the_outcome(kind) {
        let (world, server) = mailing!(kind);
        for release in ["v1", "v2", "v3"] {
            world.types("alice", &DEPLOY.replace("v1.4.2", release)).await;
        }
        world.types("bob", "approve 1").await;
        world.types("carol", "approve 1 looks right").await;
        world.types("carol", "reject 2 not on a Friday").await;
        world.types("alice", "cancel 3").await;
        assert_eq!(told(&server), [
            "alice@example.com: #1 Release Deploy is approved",
            "alice@example.com: #2 Release Deploy was rejected",
        ], "who cancels knows");
        insta::assert_snapshot!("approved", shown(&server.received()[0]));
        let rejected = server.received()[1].text();
        assert!(rejected.contains("Rejected by: Carol Clark (not on a Friday)"), "{rejected}");
        world.finish().await;
    }

    async fn what_is_allowed_at_once_sends_no_email(kind) {
        let (world, server) = mailing!(kind);
        world.types("alice", &DEPLOY.replace("env=production", "env=development")).await;
        assert!(world.direct("alice").contains("is allowed"), "{}", world.direct("alice"));
        assert_eq!(told(&server), Vec::<String>::new());
        world.finish().await;
    }

    async fn requester_is_warned_by_email_before_the_expiry(kind) {
        let (world, server) = mailing!(kind);
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(23)).await;
        let subjects: Vec<String> = server.for_address("alice@example.com").iter().map(Received::subject).collect();
        assert_eq!(subjects, ["#1 Release Deploy expires soon"]);
        world.passes(Span::hours(1)).await;
        assert_eq!(server.for_address("alice@example.com")[1].subject(), "#1 Release Deploy has expired");
        world.finish().await;
    }

    async fn preferences_count_for_emails_as_for_direct_messages(kind) {
        let (world, server) = mailing!(kind);
        world.types("bob", "notify none").await;
        // it is 10:00 UTC
        world.types("carol", "notify quiet=11-13 timezone=UTC").await;
        world.types("alice", "notify needed").await;
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        assert_eq!(told(&server), Vec::<String>::new());
        world.passes(Span::hours(1)).await;
        assert_eq!(server.for_address("carol@example.com").len(), 1);
        assert_eq!(server.for_address("bob@example.com").len(), 0);
        world.types("carol", "reject 1 not today").await;
        assert_eq!(server.for_address("alice@example.com").len(), 0, "that it was rejected is information");
        world.finish().await;
    }

    async fn the_delegate_of_somebody_who_is_away_is_told_by_email(kind) {
        let (world, server) = mailing!(kind);
        world.types("bob", "away until=2026-12-24 delegate=alice").await;
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        assert_eq!(server.for_address("bob@example.com").len(), 0);
        let text = server.for_address("alice@example.com")[0].text();
        assert!(text.starts_with("#1 Release Deploy waits for Bob Brown, who is away and named you as delegate."), "{text}");
        world.types("alice", "cancel 1").await;
        world.finish().await;
    }

    async fn people_without_an_address_and_worlds_without_a_server_send_nothing(kind) {
        let edit = |text: String| text.replace(", email: bob@example.com", "").replace(", email: alice@example.com", "");
        let (world, server) = mailing!(kind, edit);
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        assert_eq!(told(&server), ["carol@example.com: Reminder: #1 Release Deploy waits for you"]);
        world.types("carol", "reject 1 not today").await;
        assert_eq!(server.received().len(), 1);
        world.finish().await;
    }

    async fn hostile_text_adds_no_header_recipient_or_markup_no13(kind) {
        let edit = |text: String| text.replace("name: Alice Anderson", "name: 'Alice <eve@example.com>, \"x\" <b>'");
        let (world, server) = mailing!(kind, edit);
        let alice = Api::new(&world.url, &world.token_of("alice", countersign::domain::token::Scope::ALL).await);
        let reason = "x\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script> <a href=\"https://evil\">Approve</a>\r\n.\r\nQUIT";
        let mut ask = crate::client::deploy();
        ask["reason"] = json!(reason);
        ask["release"] = json!("v1=?utf-8?q?=0D=0ABcc:_eve?=");
        alice.submit(ask).await.ok();
        world.passes(Span::hours(2)).await;
        world.types("carol", "reject 1 <img src=x onerror=alert(1)>").await;
        let all = server.received();
        assert_eq!(all.len(), 3, "{all:?}");
        for one in &all {
            let names: Vec<String> = one.headers().into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]);
            for tag in ["<script", "<img", "<a href=\"https://evil"] {
                assert!(!one.html().contains(tag), "{tag}: {}", one.html());
            }
        }
        let text = all[0].text();
        assert!(text.contains("Reason: x Bcc: eve@example.com <script>alert(1)</script> <a href=\"https://evil\">Approve</a> . QUIT\n"), "{text}");
        world.finish().await;
    }

    async fn wrong_settings_are_refused_with_line_and_reason_no14(kind) {
        let Some(world) = World::start(kind).await else { return };
        let demo = include_str!("../../manifests/demo.yaml");
        for (email, why) in [
            ("{smtp: 'https://mail.example.com', from: a@example.com}", "email.smtp: must begin with smtps:// or smtp://"),
            ("{smtp: 'smtps://u:secret@mail.example.com', passwordEnv: SMTP_PASSWORD, from: a@example.com}", "email.smtp: contains a password"),
            ("{smtp: 'smtps://u@mail.example.com', from: a@example.com}", "email.passwordEnv: is missing"),
            ("{smtp: 'smtps://u@mail.example.com', passwordEnv: SLACK_BOT_TOKEN, from: a@example.com}", "email.passwordEnv: `SLACK_BOT_TOKEN` must contain SMTP or MAIL"),
            ("{smtp: 'smtps://mail.example.com', from: nobody}", "email.from: is not a sender"),
            ("{smtp: 'smtps://mail.example.com', from: a@example.com, alerts: [b@example.com, x]}", "email.alerts[1]: `x` is not an e-mail address"),
            ("{smtp: 'smtps://mail.example.com', form: a@example.com}", "form"),
        ] {
            let text = format!("{demo}\nemail: {email}\n");
            let read = countersign::config::file::Source::read("countersign.yaml", &text);
            let errors = read.and_then(|source| source.compile(0, &std::collections::BTreeMap::new()).map(drop));
            let said = errors.expect_err(why).to_string();
            assert!(said.contains(why) && said.contains("countersign.yaml:"), "{why}: {said}");
        }
        world.finish().await;
    }

    async fn password_is_in_no_row_log_or_report_op3(kind) {
        let (world, server) = mailing!(kind);
        world.types("alice", DEPLOY).await;
        server.fails(Some(server::Failing::RefusesLogins));
        world.passes(Span::hours(2)).await;
        let degraded = world.degraded().await.join("\n");
        assert!(degraded.contains("2 e-mails have not been sent") && degraded.contains("refuses the login of approvals (535)"), "{degraded}");
        let (code, said) = visit(&world, &[], &[("SMTP_PASSWORD", PASSWORD)]).await;
        assert_eq!(code, 1);
        let stored = world.database.text("SELECT max(trouble) FROM outbox WHERE lane = 4").await;
        let proof = "AGFwcHJvdmFscwBjb3JyZWN0";
        assert!(server.lines().iter().any(|line| line.contains(proof)), "the server repeats it: {:?}", server.lines());
        for (place, text) in [("readyz", &degraded), ("doctor", &said), ("outbox", &stored)] {
            assert!(!text.contains(PASSWORD) && !text.contains(proof), "{place}: {text}");
        }
        server.fails(None);
        world.passes(Span::minutes(5)).await;
        assert_eq!(server.received().len(), 2);
        world.types("alice", "cancel 1").await;
        world.finish().await;
    }

    async fn doctor_logs_in_without_sending(kind) {
        let (world, mut server) = mailing!(kind);
        let login = [("SMTP_PASSWORD", PASSWORD)];
        let (code, said) = visit(&world, &[], &login).await;
        assert!(said.contains(&format!("✓ ok       e-mail: 127.0.0.1:{} accepts the login of approvals", server.port())), "{said}");
        assert_eq!((code, server.received().len()), (0, 0));
        let (code, said) = visit(&world, &[], &[]).await;
        assert!(code == 1 && said.contains("e-mail: SMTP_PASSWORD is not set"), "{said}");
        let (code, said) = visit(&world, &[], &[("SMTP_PASSWORD", "wrong")]).await;
        assert!(code == 1 && said.contains("refuses the login of approvals (535)"), "{said}");
        server.stop().await;
        let (code, said) = visit(&world, &[], &login).await;
        assert!(code == 1 && said.contains("Connection refused"), "{}", complaints(&said));
        world.finish().await;
    }

    async fn password_is_sent_over_verified_tls_only_no14(kind) {
        let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/mail-authority.pem");
        let trusted = [("SMTP_PASSWORD", PASSWORD), ("SSL_CERT_FILE", authority)];
        // not a loopback address, although it leads to this machine
        let at = |server: &MailServer, scheme: &str| {
            format!("email: {{smtp: '{scheme}://{USER}@0.0.0.0:{}', passwordEnv: SMTP_PASSWORD, from: a@example.com}}\n", server.port())
        };
        let demo = include_str!("../../manifests/demo.yaml");
        for (security, scheme) in [(Security::StartTls, "smtp"), (Security::Tls, "smtps"), (Security::Plain, "smtp"), (Security::Plain, "smtps")] {
            let server = MailServer::start(security, Some((USER, PASSWORD))).await;
            let configuration = format!("{demo}\n{}", at(&server, scheme));
            let Some(world) = World::start_with(kind, &configuration).await else { return };
            let (_, said) = visit(&world, &[], &trusted).await;
            let is_safe = security != Security::Plain;
            assert_eq!(said.contains("accepts the login of approvals"), is_safe, "{security:?} {scheme}: {said}");
            if scheme == "smtp" && !is_safe {
                assert!(said.contains("does not offer STARTTLS, so nothing was sent"), "{said}");
            }
            let before = server.lines().len();
            let (_, said) = visit(&world, &[], &[("SMTP_PASSWORD", PASSWORD)]).await;
            assert!(!said.contains("accepts the login"), "nobody knows the authority: {said}");
            let lines = server.lines().split_off(before);
            assert!(!lines.iter().any(|line| line.starts_with("AUTH")), "{lines:?}");
            world.finish().await;
        }
    }
}
