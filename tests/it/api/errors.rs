//! Refusals in their documented wording, and ids of unknown form.

use crate::client::{PIPELINE, deploy, text};
use crate::database::on_both;
use crate::world::world;
use serde_json::{Value, json};

on_both! {
    async fn four_main_errors_have_the_documented_wording(kind) {
        let world = world!(kind);
        let (alice, bob, mallory) = (world.person("alice").await, world.person("bob").await, world.person("mallory").await);
        let id = text(&alice.submit(deploy()).await.ok(), "id");

        let mut silent = deploy();
        silent.as_object_mut().expect("an object").remove("reason");
        let broken = alice.submit(silent).await;
        assert_eq!((broken.status, &broken.body["title"]), (422, &json!("policy violations")));
        assert_eq!(broken.header("content-type"), "application/problem+json");
        assert_eq!(broken.body["violations"][0]["policy"], "production-deploy-gate");
        assert_eq!(broken.body["violations"][0]["rule"], "reason_required");

        let stranger = mallory.decide(&id, "approve").await;
        assert_eq!((stranger.status, &stranger.body["title"]), (403, &json!("you are not an eligible approver for this request")));

        bob.decide(&id, "approve").await.ok();
        let again = bob.decide(&id, "reject").await;
        assert_eq!((again.status, &again.body["title"]), (409, &json!("already reviewed")));
        assert_eq!(again.body["detail"], "Your decision is recorded; there is nothing left for you to do.");

        let gone = bob.decide("req_01k8f3t2v6f8j9m0p1q2r3s4t5", "approve").await;
        assert_eq!((gone.status, &gone.body["title"]), (404, &json!("request not found")));
        world.finish().await;
    }

    async fn malformed_request_ids_are_not_found_ap8(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let kept = alice.submit(deploy()).await.ok();
        let unknown = ["2", "0", "999999999999999999999999", "-1", "req_", "req_1", "REQ_01K8F3T2V6F8J9M0P1Q2R3S4T5", "%00", "a%2Fb",
            "brk_01k8f3t2v6f8j9m0p1q2r3s4t5", "%F0%9F%92%A5", "%FF", "%27%20OR%201=1"];
        for id in unknown {
            let path = format!("/v1/requests/{id}");
            assert_eq!(alice.get(&path).await.outcome(), "404 request_not_found", "{id}");
            for (verb, body) in [("cancel", json!({})), ("decisions", json!({"verdict": "approve"})), ("execute", json!({"digest": kept["digest"]})),
                ("complete", json!({"outcome": "failed"}))] {
                let reply = alice.post(&format!("{path}/{verb}"), body).await;
                assert_eq!(reply.outcome(), "404 request_not_found", "{id} {verb}");
            }
        }
        assert_eq!(alice.get("/v1/policies/nothing-of-ours").await.status, 404);
        world.finish().await;
    }

    async fn ambiguous_request_bodies_are_refused_ap10(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let whole = deploy().to_string();
        let twice = whole.replacen("\"image\":", "\"image\":\"other\",\"image\":", 1);
        let deep = whole.replacen("[\"migrate\",\"roll\"]", &format!("{}{}", "[".repeat(300), "]".repeat(300)), 1);
        let cases = [
            (twice, 422), (whole.replacen('{', "{\"action\":\"release.deploy\",", 1), 422), (whole.replacen('{', "{\"approver\":\"bob\",", 1), 422),
            (format!("{whole} {whole}"), 400), (whole[..whole.len() - 1].to_owned(), 400), ("[]".to_owned(), 422), ("null".to_owned(), 422),
            (deep, 400), (whole.replacen("\"roll\"", "1e400", 1), 400), (whole.replacen("\"roll\"", "\"\\ud800\"", 1), 400),
        ];
        for (body, status) in cases {
            let reply = alice.call("POST", "/v1/requests", &[], Some(body.clone())).await;
            let shown: String = body.chars().take(200).collect();
            assert_eq!(reply.status, status, "{shown}: {}", reply.body);
        }
        let large = json!({"action": "release.deploy", "payload": "x".repeat(1 << 20)}).to_string();
        assert_eq!(alice.call("POST", "/v1/requests", &[], Some(large)).await.outcome(), "422 policy_violations");
        let larger = json!({"payload": "x".repeat(2 << 20)}).to_string();
        assert_eq!(alice.call("POST", "/v1/requests", &[], Some(larger)).await.outcome(), "413 body_too_large");
        assert_eq!(alice.get("/v1/requests").await.ok()["items"], Value::Array(Vec::new()));
        world.finish().await;
    }

    async fn explain_predicts_the_outcome_and_stores_nothing(kind) {
        let world = world!(kind);
        let ci = world.pipeline(PIPELINE).await;
        let told = ci.post("/v1/explain", deploy()).await.ok();
        assert_eq!(told["gated"], true);
        assert_eq!(told["policies"][0]["id"], "production-deploy-gate");
        // bob owns ci
        let ids = |list: &Value| -> Vec<String> { list.as_array().expect("people").iter().map(|who| text(who, "id")).collect() };
        assert_eq!(ids(&told["eligible"]), ["alice", "carol", "dan"]);
        assert_eq!(ids(&told["smallestSet"]).len(), 2);
        let broken = ci.post("/v1/explain", json!({"action": "release.deploy", "environment": "nowhere"})).await.ok();
        assert_eq!(broken["gated"], true);
        assert!(!broken["violations"].as_array().expect("violations").is_empty());
        assert_eq!(ci.get("/v1/requests").await.ok()["items"], json!([]));
        world.finish().await;
    }
}
