//! An approval is for exact content: changed content is a new request without approvals.

use crate::client::{deploy, text};
use crate::database::on_both;
use crate::world::world;
use serde_json::json;

on_both! {
    async fn replacement_starts_without_approvals_and_cancels_the_old_request_b01_b05(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let first = alice.submit(deploy()).await.ok();
        let old = text(&first, "id");
        world.settle().await;
        world.clicks("bob", "approve").await;
        assert_eq!(world.person("carol").await.decide(&old, "approve").await.ok()["status"], "approved");

        let mut changed = deploy();
        changed["payload"] = json!({"image": "api@sha256:evil"});
        changed["replaces"] = json!(old);
        let second = alice.submit(changed.clone()).await.ok();
        assert_ne!(second["digest"], first["digest"]);
        assert_eq!((&second["status"], &second["replaces"]), (&json!("pending"), &json!(old)));
        assert_eq!(second["policies"][0]["approvals"], json!({"have": 0, "need": 2}));
        assert_eq!(alice.execute(&old, &text(&first, "digest")).await.outcome(), "409 request_closed");
        assert_eq!(alice.execute(&old, &text(&second, "digest")).await.outcome(), "409 request_closed");
        assert_eq!(alice.execute(&text(&second, "id"), &text(&first, "digest")).await.outcome(), "409 request_closed");

        world.settle().await;
        let cards = world.slack.cards("prod-approvals");
        insta::assert_snapshot!("card_replaced", cards[0].text);
        assert!(!cards[0].actions.iter().any(|action| action == "approve"), "{:?}", cards[0].actions);

        // with every replacement, bob's and carol's approvals are dropped again
        let mut latest = second;
        for n in 0..3 {
            changed["replaces"] = latest["number"].to_string().into();
            changed["payload"] = json!(n);
            let id = text(&latest, "id");
            world.person("bob").await.decide(&id, "approve").await.ok();
            latest = alice.submit(changed.clone()).await.ok();
            assert_eq!(latest["decisions"], json!([]));
            assert_eq!(alice.read(&id).await["status"], "cancelled");
        }
        world.finish().await;
    }

    async fn stored_request_is_immutable_b03(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let id = text(&alice.submit(deploy()).await.ok(), "id");
        for method in ["PUT", "PATCH", "DELETE", "POST"] {
            let reply = alice.call(method, &format!("/v1/requests/{id}"), &[], Some(deploy().to_string())).await;
            assert_eq!(reply.outcome(), "405 method_not_allowed", "{method}");
        }
        let reply = alice.post(&format!("/v1/requests/{id}/cancel"), json!({"environment": "staging"})).await;
        assert_eq!(reply.outcome(), "422 invalid_body");
        world.finish().await;
    }

    async fn identical_new_request_needs_a_new_quorum_b11(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let first = alice.submit(deploy()).await.ok();
        for approver in ["bob", "carol"] {
            world.person(approver).await.decide(&text(&first, "id"), "approve").await.ok();
        }
        let second = alice.submit(deploy()).await.ok();
        assert_eq!(second["digest"], first["digest"]);
        assert_eq!(second["policies"][0]["approvals"]["have"], 0);
        assert_eq!(alice.execute(&text(&second, "id"), &text(&second, "digest")).await.outcome(), "409 request_closed");
        world.finish().await;
    }

    async fn replacing_needs_the_right_to_cancel_and_is_all_or_nothing_b47(kind) {
        let world = world!(kind);
        let (alice, mallory) = (world.person("alice").await, world.person("mallory").await);
        let id = text(&alice.submit(deploy()).await.ok(), "id");
        let mut body = deploy();
        body["replaces"] = json!(id);
        assert_eq!(mallory.submit(body.clone()).await.outcome(), "403 not_yours");
        let mut silent = body.clone();
        silent["reason"] = json!(" ");
        assert_eq!(alice.submit(silent).await.outcome(), "422 policy_violations");
        assert_eq!(alice.read(&id).await["status"], "pending");
        alice.cancel(&id).await.ok();
        assert_eq!(alice.submit(body.clone()).await.outcome(), "409 request_closed");
        for unknown in ["req_01k8f3t2v6f8j9m0p1q2r3s4t5", "99", "nonsense"] {
            body["replaces"] = json!(unknown);
            assert_eq!(alice.submit(body.clone()).await.outcome(), "404 request_not_found", "{unknown}");
        }
        assert_eq!(alice.get("/v1/requests").await.ok()["items"].as_array().map(Vec::len), Some(1));
        world.finish().await;
    }
}
