//! Break-glass (docs/break-glass.md): what a session bypasses, when it ends, and that every event sends an alert.

mod alerts;
mod gated;
mod race;
mod reviews;
mod scope;
mod shutting;
mod slack;
mod terminal;

use crate::client::{Api, command, text};
use crate::database::on_both;
use crate::world::{World, world};
use serde_json::{Value, json};

/// A session start by dan: the production cluster, for an hour.
pub fn start() -> Value {
    json!({"reason": "checkout is down", "duration": "1h",
        "scope": {"actions": ["cluster"], "clusters": ["prod-eu-1"]}})
}

/// Dan starts a session; returns its id.
pub async fn opened(world: &World, dan: &Api) -> String {
    let reply = dan.post("/v1/break-glass", start()).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let session = reply.ok();
    world.settle().await;
    text(&session, "id")
}

pub async fn revoke(api: &Api, id: &str) -> crate::client::Reply {
    let path = format!("/v1/break-glass/{id}/revoke");
    api.post(&path, json!({})).await
}

/// The text without what differs between runs: ids, and digests of content with ids.
pub fn masked(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("bg_0") {
        kept += before;
        kept += "bg_ID";
        rest = &after[25..];
    }
    kept + rest
}

/// The messages of a channel, oldest first.
pub fn said(world: &World, channel: &str) -> Vec<String> {
    let messages = world.slack.messages(channel);
    messages
        .into_iter()
        .map(|shown| masked(&shown.text))
        .collect()
}

/// The complete audit rows of an event, newest first.
pub async fn rows(world: &World, what: &str) -> Vec<Value> {
    while world.app().seal().await.expect("sealed") {}
    let lines = world.app().audit(0, 1_000).await.expect("the log");
    let mut rows: Vec<Value> = lines.into_iter().map(|line| line.event).collect();
    rows.retain(|row| row["event"] == what);
    rows.reverse();
    rows
}

on_both! {
    async fn break_glass_session_from_start_to_review(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        insta::assert_snapshot!("alert_started", said(&world, "security").join("\n---\n"));
        insta::assert_snapshot!("erin_is_told", masked(&world.direct("erin")));

        let used = dan.submit(command()).await.ok();
        assert_eq!(used["status"], "bypassed");
        assert_eq!((text(&used, "breakGlassSession"), used["bypassedPolicies"][0]["missing"].clone()),
            (id.clone(), json!(["needs one more approval", "SRE has not approved"])));
        world.settle().await;
        insta::assert_snapshot!("alert_used", said(&world, "security")[1]);
        insta::assert_snapshot!("card_bypassed", world.card());
        assert!(!world.buttons().iter().any(|button| button == "approve" || button == "reject"));

        let (request, digest) = (text(&used, "id"), text(&used, "digest"));
        dan.execute(&request, &digest).await.ok();
        dan.post(&format!("/v1/requests/{request}/complete"), json!({"outcome": "succeeded"})).await.ok();

        world.passes(countersign::domain::time::Span::minutes(25)).await;
        let ended = revoke(&dan, &id).await.ok();
        assert_eq!((text(&ended, "status"), text(&ended, "endedBy")), ("ended".into(), "person:dan".into()));
        assert_eq!(ended["uses"][0]["outcome"], "succeeded");
        world.settle().await;
        insta::assert_snapshot!("alert_ended", said(&world, "security")[2]);
        let first = &world.slack.messages("security")[0];
        assert!(first.actions.is_empty(), "the button to end it is gone: {:?}", first.actions);

        // the session has ended: the same request is pending
        assert_eq!(dan.submit(command()).await.ok()["status"], "pending");

        let mallory = world.person("mallory").await;
        let path = format!("/v1/break-glass/{id}/review");
        assert_eq!(dan.post(&path, json!({"note": "all fine"})).await.outcome(), "403 forbidden");
        let reviewed = mallory.post(&path, json!({"note": "one drain, and it was needed"})).await.ok();
        assert_eq!((text(&reviewed, "status"), text(&reviewed["review"]["by"], "name")), ("reviewed".into(), "Mallory Moore".into()));
        assert_eq!(mallory.post(&path, json!({"note": "again"})).await.outcome(), "409 already_reviewed");
        world.settle().await;
        insta::assert_snapshot!("alert_reviewed", said(&world, "security")[3]);
        assert!(world.slack.messages("security")[2].actions.is_empty(), "the button to review it is gone");

        insta::assert_snapshot!("audit", world.audit().await.join("\n"));
        world.finish().await;
    }

    /// docs/break-glass.md lists the fields: session id, reason, bypassed policies, actor, duration, prominent flag.
    async fn every_break_glass_audit_row_has_the_documented_fields(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        let used = dan.submit(command()).await.ok();
        dan.execute(&text(&used, "id"), &text(&used, "digest")).await.ok();
        world.passes(countersign::domain::time::Span::minutes(25)).await;
        revoke(&dan, &id).await.ok();
        for (what, policies) in [("break_glass.started", false), ("request.bypassed", true), ("request.executed", true), ("break_glass.ended", false)] {
            let row = &rows(&world, what).await[0];
            assert_eq!((&row["prominent"], &row["breakGlassSession"], &row["actor"]), (&json!(true), &json!(id), &json!("person:dan")), "{row}");
            let detail = if policies { &row["detail"]["breakGlass"] } else { &row["detail"] };
            assert_eq!(detail["justification"], "checkout is down", "{row}");
            if policies {
                assert_eq!(detail["bypassedPolicies"][0]["id"], "cluster-command-gate", "{row}");
            }
        }
        assert_eq!(rows(&world, "break_glass.ended").await[0]["detail"]["duration"], "25m");
        // no other row is prominent
        let token = &rows(&world, "token.created").await[0];
        assert_eq!(token["prominent"], json!(false));
        world.finish().await;
    }

    async fn repeated_break_glass_calls_take_effect_once(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let first = dan.once("k1", "/v1/break-glass", start()).await.ok();
        let again = dan.once("k1", "/v1/break-glass", start()).await.ok();
        assert_eq!((&first["id"], &again["status"]), (&again["id"], &json!("active")));
        let mut other = start();
        other["reason"] = json!("search is down");
        assert_eq!(dan.once("k1", "/v1/break-glass", other).await.outcome(), "422 idempotency_key_reused");
        let path = format!("/v1/break-glass/{}/revoke", text(&first, "id"));
        dan.once("k2", &path, json!({})).await.ok();
        assert_eq!(dan.once("k2", &path, json!({})).await.ok()["status"], "ended");
        assert_eq!(dan.once("k3", &path, json!({})).await.outcome(), "409 session_closed");
        world.settle().await;
        assert_eq!(said(&world, "security").len(), 2, "one start, one end");
        let list = dan.get("/v1/break-glass").await.ok();
        assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
        assert_eq!(dan.get(&format!("/v1/break-glass/{}", text(&first, "id"))).await.ok()["status"], "ended");
        assert_eq!(dan.get("/v1/break-glass/bg_zzz").await.outcome(), "404 session_not_found");
        assert_eq!(dan.get("/v1/break-glass?cursor=x").await.outcome(), "422 invalid_query");
        world.finish().await;
    }
}
