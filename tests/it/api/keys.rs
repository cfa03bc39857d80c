//! A call that is repeated with its `Idempotency-Key` has effect once.

use crate::client::{Api, PIPELINE, Reply, command, text};
use crate::database::on_both;
use crate::world::{MONDAY, World, world};
use countersign::domain::time::Span;
use countersign::domain::token::Scope;
use serde_json::{Value, json};

/// Makes the same call twice, and once more with another body under the same key.
async fn thrice(api: &Api, path: &str, body: &Value, other: Value) -> Value {
    let key = format!("a key for {path}");
    let first = api.once(&key, path, body.clone()).await;
    let again = api.once(&key, path, body.clone()).await;
    assert_eq!(
        (first.status, &first.body),
        (again.status, &again.body),
        "{path}"
    );
    assert_eq!(
        api.once(&key, path, other).await.outcome(),
        "422 idempotency_key_reused",
        "{path}"
    );
    first.ok()
}

async fn events_of(world: &World, name: &str) -> usize {
    world
        .audit()
        .await
        .iter()
        .filter(|line| line.starts_with(name))
        .count()
}

/// A command that carol has approved: its path and its digest.
async fn approved(world: &World, api: &Api) -> (String, Value) {
    let asked = api.submit(command()).await.ok();
    let id = text(&asked, "id");
    world
        .person("carol")
        .await
        .decide(&id, "approve")
        .await
        .ok();
    (id, json!({"digest": asked["digest"]}))
}

on_both! {
    async fn every_changing_call_accepts_an_idempotency_key(kind) {
        let world = world!(kind);
        let (ci, carol) = (world.pipeline(PIPELINE).await, world.person("carol").await);
        let mut other = command();
        other["reason"] = json!("something else");
        let asked = thrice(&ci, "/v1/requests", &command(), other).await;
        let at = |verb: &str| format!("/v1/requests/{}/{verb}", text(&asked, "id"));
        thrice(&carol, &at("decisions"), &json!({"verdict": "approve"}), json!({"verdict": "reject"})).await;
        let digest = json!({"digest": asked["digest"]});
        thrice(&ci, &at("execute"), &digest, json!({"digest": "sha256:00"})).await;
        thrice(&ci, &at("complete"), &json!({"outcome": "failed"}), json!({"outcome": "succeeded"})).await;

        let second = ci.submit(command()).await.ok();
        let path = format!("/v1/requests/{}/cancel", text(&second, "id"));
        let first = ci.once("cancel", &path, json!({})).await.ok();
        assert_eq!(ci.once("cancel", &path, json!({})).await.ok(), first);
        assert_eq!(ci.once("cancel", &at("cancel"), json!({})).await.outcome(), "422 idempotency_key_reused");

        for event in ["vote.approved", "request.approved", "request.executed", "request.completed", "request.cancelled"] {
            assert_eq!(events_of(&world, event).await, 1, "{event}");
        }
        assert_eq!(events_of(&world, "request.created").await, 2);
        world.finish().await;
    }

    async fn lost_execute_response_does_not_waste_the_approval(kind) {
        let world = world!(kind);
        let ci = world.pipeline(PIPELINE).await;
        let (id, digest) = approved(&world, &ci).await;
        let path = format!("/v1/requests/{id}/execute");
        let executed = ci.once("k", &path, digest.clone()).await.ok();
        assert_eq!(ci.once("another", &path, digest.clone()).await.outcome(), "409 request_closed");

        let decided_at = text(&executed["request"], "decidedAt");
        assert_eq!(decided_at, MONDAY.rfc3339());
        // a grant of this policy lasts one hour
        world.clock.advance(Span(Span::hours(1).0 - 1));
        assert_eq!(ci.once("k", &path, digest.clone()).await.ok()["content"], executed["content"]);
        world.clock.advance(Span(1));
        assert_eq!(ci.once("k", &path, digest).await.outcome(), "409 request_closed");
        world.finish().await;
    }

    async fn repeated_execute_returns_nothing_once_the_outcome_is_reported(kind) {
        let world = world!(kind);
        let ci = world.pipeline(PIPELINE).await;
        let (id, digest) = approved(&world, &ci).await;
        let path = format!("/v1/requests/{id}/execute");
        ci.once("k", &path, digest.clone()).await.ok();
        ci.post(&format!("/v1/requests/{id}/complete"), json!({"outcome": "succeeded"})).await.ok();
        let late = ci.once("k", &path, digest).await;
        assert_eq!((late.outcome(), &late.body["state"]), ("409 request_closed".to_owned(), &json!("completed")));
        world.finish().await;
    }

    async fn idempotency_keys_are_separate_per_principal_ap6(kind) {
        let world = world!(kind);
        let mut scopes = PIPELINE.to_vec();
        scopes.push(Scope::RequestsActFor);
        let (ci, alice) = (world.pipeline(&scopes).await, world.person("alice").await);
        let mut body = command();
        body["requester"] = json!("alice");
        let asked = ci.submit(body).await.ok();
        let id = text(&asked, "id");
        world.person("dan").await.decide(&id, "approve").await.ok();

        let path = format!("/v1/requests/{id}/execute");
        let digest = json!({"digest": asked["digest"]});
        ci.once("k", &path, digest.clone()).await.ok();
        // both may execute it, but a stored response belongs to one principal
        assert_eq!(alice.once("k", &path, digest).await.outcome(), "409 request_closed");
        let hers = alice.once("same", "/v1/requests", command()).await.ok();
        let its = ci.once("same", "/v1/requests", command()).await.ok();
        assert_ne!(hers["id"], its["id"]);
        world.finish().await;
    }

    async fn racing_calls_with_one_idempotency_key_create_one_request_ap6(kind) {
        let world = world!(kind);
        let ci = world.pipeline(PIPELINE).await;
        let (_, other) = world.replica().await;
        let calls = (0..12).map(|n| {
            let api = if n % 2 == 0 { ci.clone() } else { ci.at(&other) };
            tokio::spawn(async move { api.once("race", "/v1/requests", command()).await })
        });
        let mut ids = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            let reply: Reply = call.await.expect("it ends");
            match reply.outcome().as_str() {
                "201" => ids.push(text(&reply.body, "id")),
                "409 in_flight" => assert_eq!(reply.header("retry-after"), "1"),
                other => panic!("{other}: {}", reply.body),
            }
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "{ids:?}");
        assert_eq!(events_of(&world, "request.created").await, 1);
        world.finish().await;
    }

    async fn malformed_idempotency_key_is_refused(kind) {
        let world = world!(kind);
        let ci = world.pipeline(PIPELINE).await;
        for key in [String::new(), "k".repeat(256), "tab\there".to_owned()] {
            assert_eq!(ci.once(&key, "/v1/requests", command()).await.outcome(), "422 invalid_idempotency_key", "{key}");
        }
        world.finish().await;
    }
}
