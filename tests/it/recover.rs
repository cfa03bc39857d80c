//! Recovery by the operator (threats OP4, OP5): it ignores policies, is prominent in the log, is announced, and reaches all replicas.

use crate::crash::Ground;
use crate::database::{fresh, on_both};
use crate::policies::{configure, document};
use crate::race_support::approval;
use crate::world::{World, world};
use countersign::app::{App, AppError, RequestRef};
use countersign::config::file::Source;
use countersign::domain::ask::Ask;
use countersign::domain::decision::Via;
use countersign::domain::document::ConfigDocument;
use countersign::domain::principal::Caller;
use countersign::domain::refusal::Refusal;
use countersign::domain::request::Status;
use countersign::domain::request_details::RequestDetails;
use countersign::domain::time::Span;
use std::process::Stdio;
use tokio::process::Command;

const DEMO: &str = include_str!("../../manifests/demo.yaml");

fn demo() -> ConfigDocument {
    let source = Source::read("demo.yaml", DEMO).expect("a configuration");
    source.into_document()
}

/// Every change needs Erin's approval, there are no administrators, and alerts go to the security channel.
fn locked() -> ConfigDocument {
    let mut locked = document(
        "  - {id: rules-gate, name: Rules Gate, scope: organization, actions: [environment.policy_update], approvers: {users: [erin]}}",
        "  - {policy: rules-gate, level: organization}",
        "",
    );
    locked.administrators.org_roles.clear();
    locked
}

/// The prominent audit rows, with their reasons.
async fn prominent(world: &World) -> Vec<(String, String)> {
    while world.app().seal().await.expect("sealed") {}
    let lines = world.app().audit(0, 1_000).await.expect("the log");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    lines
        .iter()
        .filter(|line| line.event["prominent"] == true)
        .map(|line| {
            let event = &line.event;
            (text(&event["event"]), text(&event["detail"]["reason"]))
        })
        .collect()
}

/// Alice's release to production, approved by bob and carol.
async fn approved(world: &World) -> RequestDetails {
    let ask = Ask {
        action: "release.deploy".to_owned(),
        project: Some("api-platform".to_owned()),
        environment: Some("production".to_owned()),
        reason: Some("hotfix".to_owned()),
        ..Ask::default()
    };
    let alice = Caller::person("alice".into(), Via::Api);
    let asked = world.app().submit(&alice, ask, None).await.expect("asked");
    let request = RequestRef::Id(asked.shown.request.id);
    for who in ["bob", "carol"] {
        let voted = world.app().decide(approval(&request, who)).await;
        voted.expect("a vote");
    }
    world.app().show(&request).await.expect("it is there")
}

async fn status(app: &App, shown: &RequestDetails) -> Status {
    let now = app
        .show(&RequestRef::Id(shown.request.id.clone()))
        .await
        .expect("it is there");
    now.request.state.status()
}

async fn executes(app: &App, shown: &RequestDetails) -> Result<(), AppError> {
    let alice = Caller::person("alice".into(), Via::Api);
    let request = RequestRef::Id(shown.request.id.clone());
    let digest = shown.request.digest.as_str();
    app.execute(&alice, &request, digest.into(), None)
        .await
        .map(|_| ())
}

on_both! {
    async fn operator_recovery_bypasses_policies_and_is_announced_op4(kind) {
        let world = world!(kind);
        configure(&world, locked()).await;
        world.settle().await;
        let (replica, _) = world.replica().await;
        assert_eq!(replica.app.config().await.expect("it").version, 2);
        let carol = Caller::person("carol".into(), Via::Api);
        let refused = world.app().change_config(&carol, demo(), None, None).await;
        assert!(matches!(refused, Err(AppError::Refused(Refusal::Forbidden(_)))), "{refused:?}");

        let silent = world.app().recover(&demo(), "  ").await;
        assert!(matches!(silent, Err(AppError::Refused(Refusal::Forbidden(_)))), "{silent:?}");
        let recovered = world.app().recover(&demo(), "nobody administers any more").await.expect("it holds");
        assert_eq!((recovered.config.version, recovered.changed), (3, true));
        // announced in the previous security channel, because the new document has none
        assert_eq!(recovered.announced, Some("C03SECURITY".into()));
        let before = world.slack.messages("security").len();
        world.settle().await;
        let alarms = world.slack.messages("security").split_off(before);
        assert_eq!(alarms.len(), 1);
        insta::assert_snapshot!("recovered", alarms[0].text);
        // another replica uses it from its next call on
        assert_eq!(replica.app.config().await.expect("it").document, demo());
        assert_eq!(prominent(&world).await, [("operator.recovered".to_owned(), "nobody administers any more".to_owned())]);

        let again = world.app().recover(&demo(), "once more").await.expect("the same");
        assert!(!again.changed, "what holds already is not written again");
        let known = world.app().load_file(demo(), "demo.yaml").await.expect("a restart");
        assert!(matches!(known, countersign::app::Changed::Unchanged(_)), "a recovered document is known");
        replica.stop().await;
        world.finish().await;
    }

    async fn operator_can_recover_an_unreadable_configuration_op4(kind) {
        let world = world!(kind);
        let senseless = r#"{"organization":"acme","administrators":{"users":["nobody"]}}"#;
        world.database.execute(&format!(
            "INSERT INTO config (version, document, digest, made_at, actor) VALUES (2, '{senseless}', 'x', 0, 'operator')"
        )).await.expect("a row");
        let closed = App::start(world.database.again().await, world.clock.clone()).await;
        assert!(matches!(closed, Err(AppError::UnreadableConfig(_))), "rules that nobody can read refuse everything");
        let operator = App::open(world.database.again().await, world.clock.clone()).await.expect("the database opens");
        let recovered = operator.recover(&demo(), "an old release wrote it").await.expect("it holds");
        assert_eq!(recovered.config.version, 3);
        operator.close().await;
        assert_eq!(world.app().config().await.expect("it").document, demo());
        world.finish().await;
    }

    /// Resets the row to its state before the execution, as restoring a backup would.
    async fn grants_used_before_a_restored_backup_are_void_op5(kind) {
        let world = world!(kind);
        let (used, unused, done) = (approved(&world).await, approved(&world).await, approved(&world).await);
        world.settle().await;
        executes(world.app(), &used).await.expect("once");
        executes(world.app(), &done).await.expect("once");
        let back = format!("UPDATE requests SET status = 'approved', executed_at = NULL, ends_at = {} WHERE id = '{}'",
            world.clock.now().plus(Span::hours(1)).0, used.request.id);
        world.database.execute(&back).await.expect("restored");

        let voided = world.app().void_open("the disk broke").await.expect("void");
        assert_eq!(voided.requests, [used.request.number, unused.request.number]);
        for grant in [&used, &unused] {
            let again = executes(world.app(), grant).await;
            assert!(matches!(again, Err(AppError::Refused(Refusal::Closed(Status::Cancelled)))), "{again:?}");
        }
        assert_eq!(status(world.app(), &done).await, Status::Executed);
        world.settle().await;
        let alarm = world.slack.messages("security").pop().expect("an alarm");
        insta::assert_snapshot!("voided", alarm.text);
        assert!(world.direct("alice").contains("cancelled"), "{}", world.direct("alice"));
        assert_eq!(prominent(&world).await, [("operator.recovered".to_owned(), "the disk broke".to_owned())]);
        let none = world.app().void_open("again").await.expect("nothing is left");
        assert_eq!(none.requests, Vec::<i64>::new());
        world.finish().await;
    }

    /// A request that was pending at the time of the backup may have been approved and executed since; a token may have been revoked.
    async fn pending_requests_and_tokens_of_a_restored_backup_are_void_r36(kind) {
        let world = world!(kind);
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let waiting = crate::client::text(&alice.submit(crate::client::deploy()).await.ok(), "id");
        bob.decide(&waiting, "approve").await.ok();
        let revoked = world.person("erin").await;
        let erin = world.app().tokens().await.expect("tokens").pop().expect("erin's");
        world.app().revoke_token(&crate::world::operator(), &erin.id).await.expect("it is revoked");
        // a backup from before the revocation would restore this
        world.database.execute("UPDATE tokens SET revoked_at = NULL").await.expect("restored");
        assert_eq!(revoked.get("/v1/requests").await.outcome(), "200");

        let voided = world.app().void_open("the disk broke").await.expect("void");
        assert_eq!(voided.requests, [1]);
        let tokens: Vec<String> = voided.tokens.iter().map(|token| token.principal.to_string()).collect();
        assert_eq!(tokens, ["person:alice", "person:bob", "person:erin"]);
        for api in [&alice, &bob, &revoked] {
            assert_eq!(api.get("/v1/requests").await.outcome(), "401 unauthenticated");
        }
        let carol = world.person("carol").await;
        assert_eq!(carol.decide(&waiting, "approve").await.outcome(), "409 request_closed");
        let shown = carol.read(&waiting).await;
        assert_eq!(shown["status"], "cancelled");
        assert!(shown["timeline"].to_string().contains("void after a restored back-up, since it may have been executed"), "{shown}");
        assert!(world.audit().await.contains(&"token.revoked by operator".to_owned()));
        world.finish().await;
    }

    async fn running_server_announces_and_adopts_an_external_recovery_op4(kind) {
        let ground = Ground::new(fresh!(kind)).await;
        let serving = ground.serve().await;
        let file = ground.folder.join("better.yaml");
        std::fs::write(&file, DEMO.replace("organization: acme", "organization: acme-two")).expect("a file");
        let recover = async |args: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
            command.arg("recover").args(args).current_dir(&ground.folder).env("DATABASE_URL", &ground.database.url)
                .env_remove("CLICOLOR_FORCE").stdin(Stdio::null());
            let output = command.output().await.expect("it runs");
            (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let path = file.display().to_string();
        let (code, _, err) = recover(&["--config", &path]).await;
        assert_eq!(code, Some(2), "without a reason: {err}");
        let (code, out, err) = recover(&["--config", &path, "--reason", "locked out"]).await;
        assert_eq!((code, out.as_str()), (Some(0), "~ organization: \"acme\" -> \"acme-two\"\n"), "{err}");
        assert!(err.contains("as version 2") && err.contains("C03SECURITY is told"), "{err}");
        let told = ground.slack.wait_for(|state| {
            let mut said = state.channels["C03SECURITY"].messages.values();
            said.any(|message| message.text.contains("locked out")).then_some(())
        }).await;
        assert!(told.is_some(), "the server tells it");

        ground.asks().await;
        let (code, out, _) = recover(&["--restored"]).await;
        assert_eq!((code, out.as_str()), (Some(0), "#1\n"), "what waits may have been executed after the back-up");
        ground.card_shows("Cancelled").await;
        serving.dies().await;
        ground.end().await;
    }
}
