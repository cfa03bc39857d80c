//! The HTTP API as pipelines and cluster tools use it, over real sockets, together with people who click in Slack.

mod config;
mod errors;
mod inbox;
mod keys;
mod people;
mod replaces;
mod requirements;
mod stats;
mod time;
mod tokens;

use crate::client::{PIPELINE, deploy, text};
use crate::database::on_both;
use crate::world::world;
use serde_json::json;

on_both! {
    async fn pipeline_submits_waits_and_executes_once(kind) {
        let world = world!(kind);
        let ci = world.pipeline(PIPELINE).await;

        let reply = ci.submit(deploy()).await;
        assert_eq!(reply.status, 201);
        assert_eq!(reply.header("location"), format!("/v1/requests/{}", text(&reply.body, "id")));
        let asked = reply.ok();
        assert_eq!(asked["status"], "pending");
        assert_eq!(asked["requester"], json!({"id": "service:ci", "name": "ci"}));
        let (id, digest) = (text(&asked, "id"), text(&asked, "digest"));
        world.settle().await;

        // bob owns ci, so the two approvals must come from SRE
        assert_eq!(ci.execute(&id, &digest).await.outcome(), "409 request_closed");
        let waiter = ci.clone();
        let path = format!("/v1/requests/{id}?wait=30s");
        let waiting = tokio::spawn(async move { waiter.get(&path).await });
        assert_eq!(world.clicks("dan", "approve").await, "");
        assert!(!waiting.is_finished(), "one of two is no decision");
        assert_eq!(world.clicks("carol", "approve").await, "");
        let approved = waiting.await.expect("it ends").ok();
        assert_eq!(approved["status"], "approved");
        assert_eq!(approved["policies"][0]["approvals"], json!({"have": 2, "need": 2}));

        let other = format!("sha256:{}", "0".repeat(64));
        assert_eq!(ci.execute(&id, &other).await.outcome(), "409 digest_mismatch");
        let executed = ci.execute(&id, &digest).await.ok();
        assert_eq!(executed["digest"], digest);
        assert_eq!(executed["content"], json!({"action": "release.deploy", "payload": deploy()["payload"],
            "target": {"environment": "production", "project": "api-platform", "release": "v1.4.2"}}));
        let again = ci.execute(&id, &digest).await;
        assert_eq!(again.outcome(), "409 request_closed");
        assert_eq!(again.body["state"], "executed");

        let path = format!("/v1/requests/{id}/complete");
        assert_eq!(ci.post(&path, json!({"outcome": "perhaps"})).await.outcome(), "422 invalid_body");
        let completed = ci.post(&path, json!({"outcome": "succeeded", "message": "rolled out"})).await.ok();
        assert_eq!((text(&completed, "status"), text(&completed, "outcome")), ("completed".into(), "succeeded".into()));
        assert_eq!(ci.post(&path, json!({"outcome": "failed"})).await.outcome(), "409 request_closed");

        let events = completed["timeline"].as_array().expect("a timeline").iter();
        let lines: Vec<String> = events
            .map(|event| format!("{} by {} ({})", text(event, "event"), text(&event["actor"], "id"), text(event, "via")))
            .collect();
        insta::assert_snapshot!("timeline", lines.join("\n"));
        world.finish().await;
    }

    async fn long_poll_ends_on_timeout_and_on_every_newer_version(kind) {
        let world = world!(kind);
        let ci = world.pipeline(PIPELINE).await;
        let asked = ci.submit(deploy()).await.ok();
        let id = text(&asked, "id");
        assert_eq!(ci.get(&format!("/v1/requests/{id}?wait=1ms")).await.ok()["status"], "pending");

        let (waiter, path) = (ci.clone(), format!("/v1/requests/{id}?wait=30s&version={}", asked["version"]));
        let waiting = tokio::spawn(async move { waiter.get(&path).await });
        world.person("dan").await.decide(&id, "approve").await.ok();
        let newer = waiting.await.expect("it ends").ok();
        assert_eq!((text(&newer, "status"), newer["decisions"][0]["approver"]["id"].clone()), ("pending".into(), json!("dan")));

        for wait in ["soon", "-1s", ""] {
            let reply = ci.get(&format!("/v1/requests/{id}?wait={wait}")).await;
            assert_eq!(reply.outcome(), "422 invalid_query", "{wait}");
        }
        world.finish().await;
    }

    async fn ungated_request_is_executable_at_once_and_only_once(kind) {
        let world = world!(kind);
        let ci = world.pipeline(PIPELINE).await;
        let mut body = deploy();
        body["environment"] = json!("development");
        let asked = ci.submit(body).await.ok();
        assert_eq!(asked["status"], "allowed");
        let (id, digest) = (text(&asked, "id"), text(&asked, "digest"));
        ci.execute(&id, &digest).await.ok();
        assert_eq!(ci.execute(&id, &digest).await.outcome(), "409 request_closed");
        world.finish().await;
    }

    async fn probes_and_openapi_document_need_no_token(kind) {
        let world = world!(kind);
        let nobody = crate::client::Api::new(&world.url, "");
        assert_eq!(nobody.get("/healthz").await.ok(), json!("ok\n"));
        assert_eq!(nobody.get("/readyz").await.ok(), json!({"ready": true, "degraded": []}));
        let document = nobody.get("/openapi.json").await.ok();
        assert_eq!(document["openapi"], "3.1.0");
        for route in countersign::http::route::routes() {
            assert!(document["paths"][&route.path].is_object(), "{}", route.path);
        }
        assert_eq!(nobody.get("/metrics").await.status, 200);
        assert_eq!(nobody.get("/v1/nothing").await.outcome(), "404 not_found");
        assert_eq!(nobody.call("DELETE", "/v1/requests", &[], None).await.outcome(), "405 method_not_allowed");
        world.finish().await;
    }
}
