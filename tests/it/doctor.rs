//! `countersign doctor`: the real program checks a real database and a workspace, and suggests fixes.

use crate::database::{Kind, on_both};
use crate::world::{DEPLOY, SIGNING_SECRET, Stage, Wire, World, world};
use countersign::sandbox::Fault;
use serde_json::Value;
use std::process::{Command, Output};

/// Runs doctor on a world, with these additional variables; returns its exit status and output.
pub async fn visit(world: &World, flags: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .arg("doctor")
        .args(flags)
        .current_dir(std::env::temp_dir())
        .env_clear()
        .env("DATABASE_URL", &world.database.url)
        .env("SLACK_API_URL", world.slack.api_url())
        .env("SLACK_BOT_TOKEN", "xoxb-story")
        .env("SLACK_SIGNING_SECRET", SIGNING_SECRET)
        .envs(environment.iter().copied());
    let ran = tokio::task::spawn_blocking(move || command.output()).await;
    let Output {
        status,
        stdout,
        stderr,
    } = ran.expect("no panic").expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    assert_eq!(text(stderr), "");
    (status.code().expect("an exit status"), text(stdout))
}

/// The report without the lines that are fine.
pub fn complaints(said: &str) -> String {
    let fine = |line: &&str| !line.starts_with("✓ ok");
    said.lines().filter(fine).collect::<Vec<_>>().join("\n")
}

on_both! {
    async fn healthy_installation_reports_no_problem(kind) {
        let world = world!(Stage { kind, wire: Wire::Sockets });
        let (code, said) = visit(&world, &[], &[("SLACK_APP_TOKEN", "xapp-story")]).await;
        assert_eq!(complaints(&said), "\nno problems, no warnings.");
        assert_eq!(code, 0);
        let said = said.replace("Postgres", "SQLite").replace("✓ ok       clock: agrees with the database server's\n", "");
        insta::assert_snapshot!("healthy", said);
        let (code, json) = visit(&world, &["--json"], &[]).await;
        let json: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((code, &json["ok"]), (0, &Value::Bool(true)));
        assert!(json["findings"].as_array().is_some_and(|all| all.len() > 7), "{json}");
        world.finish().await;
    }

    async fn approvals_on_the_web_need_an_address_and_a_secret_w9(kind) {
        let world = world!(Stage { kind, wire: Wire::Sockets });
        world.reconfigure(|document| document["policies"][0]["decideOn"] = Value::from("web")).await;
        let sockets = ("SLACK_APP_TOKEN", "xapp-story");
        let (code, said) = visit(&world, &[], &[sockets]).await;
        assert_eq!(code, 1);
        for missing in ["SLACK_CLIENT_SECRET is not set", "COUNTERSIGN_PUBLIC_URL is not set, so nobody can approve"] {
            assert!(said.contains(missing), "{said}");
        }
        let set = [sockets, ("SLACK_CLIENT_SECRET", "secret"), ("COUNTERSIGN_PUBLIC_URL", "https://countersign.example.com")];
        let (code, said) = visit(&world, &[], &set).await;
        assert_eq!((code, complaints(&said).as_str()), (0, "\nno problems, no warnings."));
        world.finish().await;
    }

    async fn doctor_reports_every_slack_problem_with_a_hint(kind) {
        let world = world!(kind);
        world.slack.change(|state| {
            state.scopes.remove("usergroups:read");
            state.scopes.insert("channels:history".to_owned());
            state.channels.get_mut("C01APPROVALS").expect("there").is_archived = true;
            let bot = state.install.bot_user.clone();
            state.channels.get_mut("C02PROD").expect("there").members.remove(&bot);
            state.channels.remove("C03SECURITY");
            state.users.get_mut("U02BOB").expect("there").is_restricted = true;
            state.users.get_mut("U03CAROL").expect("there").deleted = true;
            state.users.remove("U05DAN");
        });
        let (code, said) = visit(&world, &[], &[("SLACK_APP_ID", "A99ELSE"), ("SLACK_APP_TOKEN", "xapp-story")]).await;
        insta::assert_snapshot!("wrong_in_slack", complaints(&said));
        assert_eq!(code, 1);
        world.slack.change(|state| {
            state.scopes.remove("users:read");
            let channel = state.channels.get_mut("C02PROD").expect("there");
            channel.is_ext_shared = true;
            channel.members.insert("U0BOT".to_owned());
        });
        let (code, said) = visit(&world, &[], &[]).await;
        assert!(said.contains("#prod-approvals C02PROD (routes.rules[0]) is shared with another organization"), "{said}");
        assert!(said.contains("app id: missing_scope"), "{said}");
        assert_eq!(code, 1);
        world.slack.forgive();
        world.finish().await;
    }

    async fn doctor_reports_invalid_tokens(kind) {
        let world = world!(kind);
        let (code, said) = visit(&world, &[], &[("SLACK_BOT_TOKEN", "xoxb-wrong")]).await;
        assert!(said.contains("✗ problem  bot token: invalid_auth"), "{said}");
        assert!(said.contains("copy the Bot User OAuth Token again"), "{said}");
        assert_eq!(code, 1);
        world.slack.change(|state| state.token_error = Some("token_revoked".to_owned()));
        let (_, said) = visit(&world, &[], &[]).await;
        assert!(said.contains("install the app again"), "{said}");
        world.slack.change(|state| state.token_error = None);
        let (code, said) = visit(&world, &[], &[("SLACK_API_URL", "http://127.0.0.1:9/api")]).await;
        assert!(said.contains("no connection to Slack") && said.contains("firewall"), "{said}");
        assert_eq!(code, 1);
        // all environment errors are reported at once, and the database is checked as well
        let (code, said) = visit(&world, &[], &[("SLACK_BOT_TOKEN", "xoxp-1"), ("SLACK_SIGNING_SECRET", "")]).await;
        insta::assert_snapshot!("wrong_environment", complaints(&said));
        assert!(said.contains("✓ ok       database"), "{said}");
        assert_eq!(code, 1);
        world.slack.forgive();
        world.finish().await;
    }

    async fn doctor_lists_undeliverable_messages_and_they_can_be_retried(kind) {
        let world = world!(kind);
        world.slack.fail_next_of("chat.postMessage", Fault::api("restricted_action"));
        world.types("alice", DEPLOY).await;
        assert!(world.slack.card("prod-approvals").is_none());
        world.database.execute("INSERT INTO outbox (id, lane, message, due_at, attempt, failures, made_at, trouble)
            VALUES ('out_01k8z0v3c5d7e9f1g2h3j4k5m6', 0, '{\"kind\":\"alert\",\"channel\":\"C03SECURITY\",\"text\":\"hear\"}', NULL, 9, 9, 1795428000000, 'channel_not_found')")
            .await.expect("a message that was given up");
        let (code, said) = visit(&world, &[], &[]).await;
        insta::assert_snapshot!("undelivered", complaints(&said));
        assert_eq!(code, 0, "it works, and somebody should look");
        assert_eq!(world.app().retry_undelivered().await.expect("retried"), 2);
        world.settle().await;
        assert!(world.card().contains("0 of 2"), "{}", world.card());
        assert!(world.slack.messages("security").iter().any(|said| said.text.contains("hear")));
        // the program uses this machine's clock, so what it makes due is not due by the world's clock
        world.database.execute("UPDATE cards SET trouble = 'is_archived'").await.expect("a card that is behind");
        let (_, said) = visit(&world, &["--retry"], &[]).await;
        assert!(said.contains("1 due again now"), "{said}");
        assert_eq!(world.database.count("SELECT count(*) FROM cards WHERE due_at IS NOT NULL").await, 1);
        world.database.execute("UPDATE cards SET trouble = NULL, due_at = NULL").await.expect("mended");
        let (_, said) = visit(&world, &[], &[]).await;
        assert_eq!(complaints(&said), "\nno problems, no warnings.");
        world.finish().await;
    }
}

#[tokio::test]
async fn doctor_reports_a_missing_configuration() {
    let world = world!(Kind::Sqlite);
    let empty = crate::database::Database::fresh(Kind::Sqlite)
        .await
        .expect("a database");
    let (code, said) = visit(&world, &[], &[("DATABASE_URL", &empty.url)]).await;
    assert!(
        said.contains("✗ problem  configuration: none is stored"),
        "{said}"
    );
    assert_eq!(code, 1);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/demo.yaml");
    let (code, said) = visit(&world, &["--config", file], &[("DATABASE_URL", &empty.url)]).await;
    assert!(
        said.contains("is well-formed, and not loaded yet"),
        "{said}"
    );
    assert_eq!(
        (code, complaints(&said).as_str()),
        (0, "\nno problems, no warnings.")
    );
    let (code, said) = visit(
        &world,
        &[],
        &[("DATABASE_URL", "postgres://127.0.0.1:9/nowhere")],
    )
    .await;
    assert!(said.contains("✗ problem  database"), "{said}");
    assert_eq!(code, 1);
    empty.drop().await;
    world.finish().await;
}
