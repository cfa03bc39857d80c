//! A refusal leaves one audit row, and a bounded number of them: a thousand refusals fill neither the log nor a request's timeline (R15,
//! R21). A log that was tampered with is reported wherever it is read (R22).

use crate::break_glass::{opened, revoke, rows, start};
use crate::client::{Api, PIPELINE, command, deploy, text};
use crate::database::{Kind, on_both};
use crate::world::{DEPLOY, World, world};
use countersign::domain::principal::Principal;
use countersign::domain::time::Span;
use countersign::domain::token::Scope;
use serde_json::{Value, json};

/// Actor and code of the refusals, newest first.
async fn refused(world: &World, what: &str) -> Vec<(String, String)> {
    let rows = rows(world, what).await;
    rows.iter()
        .map(|row| (text(row, "actor"), text(&row["detail"], "code")))
        .collect()
}

fn row(actor: &str, code: &str) -> (String, String) {
    (actor.to_owned(), code.to_owned())
}

/// A thousand refused decisions, as releases without a limit recorded them.
async fn fill_timeline(world: &World, request: &str) {
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO audit (id, at, what, actor, via, request_id, prominent, detail)
         SELECT 'zzz_' || (10000 + i), 1795428000000, 'vote.refused', 'person:mallory', 'api', '{request}', FALSE, '{{\"why\":\"no\"}}' FROM n"
    );
    world.database.execute(&sql).await.expect("a thousand rows");
}

/// Changes a sealed row, bypassing the trigger.
pub async fn tamper(world: &World, kind: Kind, seal: i64) {
    let on = if kind == Kind::Postgres {
        " ON audit"
    } else {
        ""
    };
    let drop = format!("DROP TRIGGER audit_is_written_once{on}");
    world.database.execute(&drop).await.expect("a trigger");
    let sql = format!("UPDATE audit SET actor = 'person:mallory' WHERE seal = {seal}");
    assert_eq!(world.database.execute(&sql).await.expect("a row"), 1);
}

/// Undoes the change, so that the world ends with an intact log.
pub async fn repair(world: &World, seal: i64, actor: &str) {
    let sql = format!("UPDATE audit SET actor = '{actor}' WHERE seal = {seal}");
    world.database.execute(&sql).await.expect("a row");
}

on_both! {
    async fn refused_decisions_of_one_person_are_one_row_r15(kind) {
        let world = world!(kind);
        let (alice, mallory) = (world.person("alice").await, world.person("mallory").await);
        let id = text(&alice.submit(deploy()).await.ok(), "id");
        for _ in 0..20 {
            assert_eq!(mallory.decide(&id, "approve").await.outcome(), "403 not_eligible");
        }
        assert_eq!(alice.decide(&id, "approve").await.outcome(), "403 not_eligible");
        let rows = rows(&world, "vote.refused").await;
        let actors: Vec<String> = rows.iter().map(|row| text(row, "actor")).collect();
        assert_eq!(actors, ["person:alice", "person:mallory"]);
        let events = alice.read(&id).await["timeline"].as_array().expect("a timeline").len();
        assert_eq!(events, 3);
        // another request gets another row
        let other = text(&alice.submit(command()).await.ok(), "id");
        mallory.decide(&other, "approve").await;
        assert_eq!(crate::break_glass::rows(&world, "vote.refused").await.len(), 3);
        world.finish().await;
    }

    async fn person_refused_a_hundred_times_a_minute_is_rate_limited_r15(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let (alice, mallory) = (world.person("alice").await, world.person("mallory").await);
        let list = alice.get("/v1/requests").await.ok();
        let id = text(&list["items"][0], "id");
        for _ in 0..100 {
            assert_eq!(mallory.decide(&id, "approve").await.outcome(), "403 not_eligible");
        }
        let refused = mallory.decide(&id, "approve").await;
        assert_eq!((refused.outcome().as_str(), refused.header("retry-after")), ("429 too_many_requests", "61"));
        let said = world.clicks("mallory", "approve").await;
        assert!(said.contains("Wait 61 seconds"), "{said}");
        // other people do not have to wait
        world.person("bob").await.decide(&id, "approve").await.ok();
        world.clock.advance(Span::minutes(1));
        assert_eq!(mallory.decide(&id, "approve").await.outcome(), "403 not_eligible");
        world.finish().await;
    }

    async fn overlong_timeline_is_truncated_everywhere_r15(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let bob = world.person("bob").await;
        let item = bob.get("/v1/requests").await.ok()["items"][0].clone();
        let id = text(&item, "id");
        assert_eq!((&item["timelineTruncated"], item["timeline"].as_array().map(Vec::len)), (&json!(false), Some(1)));
        fill_timeline(&world, &id).await;
        let read = bob.read(&id).await;
        let item = bob.get("/v1/requests?status=pending").await.ok()["items"][0].clone();
        for (shown, events) in [(&read, 200), (&item, 200)] {
            let timeline = shown["timeline"].as_array().expect("a timeline");
            assert_eq!((timeline.len(), &shown["timelineTruncated"]), (events, &json!(true)));
            assert_eq!((&timeline[0]["event"], &timeline[1]["event"]), (&json!("request.created"), &json!("vote.refused")));
        }
        // lists show fewer events of each request
        bob.submit(command()).await.ok();
        let items = bob.get("/v1/requests").await.ok()["items"].clone();
        assert_eq!(items[1]["timeline"].as_array().map(Vec::len), Some(50));
        world.clicks("bob", "details").await;
        let modal = world.modal("bob");
        assert!(modal.contains("Earlier events are in the audit log"), "{modal}");
        world.finish().await;
    }

    async fn refused_executions_cancellations_and_reports_are_audited_r21(kind) {
        let world = world!(kind);
        let (ci, mallory) = (world.pipeline(PIPELINE).await, world.person("mallory").await);
        let asked = ci.submit(deploy()).await.ok();
        let (id, digest) = (text(&asked, "id"), text(&asked, "digest"));
        for _ in 0..3 {
            assert_eq!(ci.execute(&id, &digest).await.outcome(), "409 request_closed");
            assert_eq!(mallory.execute(&id, &digest).await.outcome(), "403 not_yours");
            assert_eq!(mallory.cancel(&id).await.outcome(), "403 not_yours");
        }
        for who in ["carol", "dan"] {
            world.person(who).await.decide(&id, "approve").await.ok();
        }
        let other = format!("sha256:{}", "0".repeat(64));
        assert_eq!(ci.execute(&id, &other).await.outcome(), "409 digest_mismatch");
        let path = format!("/v1/requests/{id}/complete");
        assert_eq!(mallory.post(&path, json!({"outcome": "succeeded"})).await.outcome(), "403 not_yours");
        assert_eq!(refused(&world, "execution.refused").await,
            [row("service:ci", "digest_mismatch"), row("person:mallory", "not_yours"), row("service:ci", "request_closed")]);
        // the report fails with the same code on the same request as the cancellation: one row
        assert_eq!(refused(&world, "request.refused").await, [row("person:mallory", "not_yours")]);
        let shown = ci.read(&id).await;
        let shown = shown["timeline"].as_array().expect("a timeline");
        assert!(shown.iter().any(|event| event["event"] == "execution.refused" && event["actor"]["id"] == "mallory"), "{shown:?}");
        world.finish().await;
    }

    async fn refused_changes_of_the_configuration_are_audited_r21(kind) {
        let world = world!(kind);
        let mallory = world.person("mallory").await;
        let stored = world.app().config().await.expect("a configuration");
        let document = serde_json::to_string(&stored.document).expect("JSON");
        for _ in 0..3 {
            let reply = mallory.call("PUT", "/v1/config", &[("if-match", "*")], Some(document.clone())).await;
            assert_eq!(reply.outcome(), "403 forbidden");
        }
        assert_eq!(refused(&world, "config.refused").await, [row("person:mallory", "forbidden")]);
        world.finish().await;
    }

    async fn refused_break_glass_is_audited_r21(kind) {
        let world = world!(kind);
        let (dan, mallory) = (world.person("dan").await, world.person("mallory").await);
        for _ in 0..3 {
            assert_eq!(mallory.post("/v1/break-glass", start()).await.outcome(), "403 forbidden");
        }
        let mut long = start();
        long["duration"] = json!("9h");
        assert_eq!(dan.post("/v1/break-glass", long).await.outcome(), "422 policy_violations");
        let id = opened(&world, &dan).await;
        assert_eq!(revoke(&mallory, &id).await.outcome(), "403 forbidden");
        revoke(&dan, &id).await.ok();
        let review = format!("/v1/break-glass/{id}/review");
        assert_eq!(dan.post(&review, json!({"note": "it was me"})).await.outcome(), "403 forbidden");
        assert_eq!(refused(&world, "break_glass.refused").await,
            [row("person:dan", "forbidden"), row("person:mallory", "forbidden"), row("person:dan", "policy_violations"), row("person:mallory", "forbidden")]);
        let of_session = rows(&world, "break_glass.refused").await;
        assert_eq!((text(&of_session[0], "breakGlassSession"), &of_session[0]["prominent"]), (id, &json!(true)));
        world.finish().await;
    }

    async fn refused_submissions_for_other_people_are_audited_r21(kind) {
        let world = world!(kind);
        let ci = world.pipeline(PIPELINE).await;
        let mut ask = deploy();
        ask["requester"] = json!("alice");
        let reply = ci.submit(ask).await;
        assert_eq!(reply.outcome(), "403 forbidden", "{}", reply.body);
        assert_eq!(refused(&world, "request.refused").await, [row("service:ci", "forbidden")]);
        world.finish().await;
    }

    async fn refused_tokens_are_audited_and_never_recorded_r21(kind) {
        let world = world!(kind);
        let unknown = format!("cs_{}", "5ec2e7".repeat(10));
        for secret in [unknown.as_str(), "cs_other", "not a token"] {
            assert_eq!(Api::new(&world.url, secret).get("/v1/requests").await.status, 401);
        }
        let narrow = world.token_of("mallory", &[Scope::RequestsRead]).await;
        for _ in 0..3 {
            assert_eq!(Api::new(&world.url, &narrow).get("/v1/audit").await.outcome(), "403 forbidden");
            assert_eq!(Api::new(&world.url, &narrow).submit(deploy()).await.outcome(), "403 forbidden");
        }
        let ci = Principal::Service("ci".into());
        let deciding = world.token(ci, &[], &[Scope::BreakGlassWrite]).await;
        assert_eq!(Api::new(&world.url, &deciding).post("/v1/break-glass", start()).await.outcome(), "403 forbidden");
        assert_eq!(refused(&world, "token.refused").await, [
            row("service:ci", "break-glass:write"), row("person:mallory", "requests:write"), row("person:mallory", "audit:read"), row("bot", "unauthenticated"),
        ]);
        let all = world.database.count("SELECT count(*) FROM audit WHERE detail LIKE '%5ec2e7%' OR detail LIKE '%cs_other%'").await;
        assert_eq!(all, 0, "no token is ever recorded");
        // an hour later one row counts the refusals since
        world.clock.advance(Span::hours(1));
        Api::new(&world.url, &unknown).get("/v1/requests").await;
        assert_eq!(rows(&world, "token.refused").await[0]["detail"]["repeated"], 2);
        // without a token there is nothing to record
        assert_eq!(Api::new(&world.url, "").get("/v1/requests").await.status, 401);
        assert_eq!(rows(&world, "token.refused").await.len(), 5);
        world.finish().await;
    }

    async fn audit_log_is_not_served_past_a_tampered_row_r22(kind) {
        let world = world!(kind);
        let (alice, carol) = (world.person("alice").await, world.person("carol").await);
        alice.submit(command()).await.ok();
        alice.submit(deploy()).await.ok();
        world.audit().await;
        let lines = async |path: &str| {
            let reply = carol.get(path).await;
            let body = match &reply.body {
                Value::String(text) => text.clone(),
                one => one.to_string(),
            };
            (reply.outcome(), body.lines().count())
        };
        let (_, all) = lines("/v1/audit").await;
        assert!(all > 3, "{all}");
        let actor = world.database.text("SELECT actor FROM audit WHERE seal = 3").await;
        tamper(&world, kind, 3).await;
        assert_eq!(lines("/v1/audit").await, ("200".to_owned(), 2));
        let reply = carol.get("/v1/audit?after=2").await;
        assert_eq!(reply.outcome(), "500 audit_broken");
        assert!(text(&reply.body, "detail").contains("Row 3"), "{}", reply.body);
        repair(&world, 3, &actor).await;
        assert_eq!(lines("/v1/audit?after=2").await, ("200".to_owned(), all - 2));
        world.finish().await;
    }

    async fn slack_marks_tampered_audit_rows_r22(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.clicks("bob", "approve").await;
        world.audit().await;
        let said = world.types("carol", "audit 5").await;
        assert!(!said.contains("CHANGED"), "{said}");
        let seal = world.database.count("SELECT seal FROM audit WHERE what = 'vote.approved'").await;
        let actor = world.database.text("SELECT actor FROM audit WHERE what = 'vote.approved'").await;
        tamper(&world, kind, seal).await;
        let said = world.types("carol", "audit 5").await;
        assert!(said.contains("The audit log was changed after it had been sealed"), "{said}");
        let marked: Vec<&str> = said.lines().filter(|line| line.contains("CHANGED AFTERWARDS")).collect();
        assert!(marked.len() == 1 && marked[0].contains("approved #1"), "{said}");
        repair(&world, seal, &actor).await;
        world.finish().await;
    }
}
