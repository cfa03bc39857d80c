//! A grant is rechecked when it is executed, against the current policies and people.

use crate::client::{Api, PIPELINE, command, deploy, text};
use crate::database::on_both;
use crate::world::{World, world};
use serde_json::{Value, json};

/// Waits as `run` does, for a newer version than the one seen.
fn waits(api: &Api, seen: &Value) -> tokio::task::JoinHandle<Value> {
    let path = format!(
        "/v1/requests/{}?wait=30s&version={}",
        text(seen, "id"),
        seen["version"]
    );
    let api = api.clone();
    tokio::spawn(async move { api.get(&path).await.ok() })
}

async fn approve(world: &World, who: &str, id: &str) -> Value {
    world.person(who).await.decide(id, "approve").await.ok()
}

on_both! {
    async fn tightened_policy_makes_an_approved_request_pending_again_st3(kind) {
        let world = world!(kind);
        let ci = world.pipeline(PIPELINE).await;
        let asked = ci.submit(deploy()).await.ok();
        let (id, digest) = (text(&asked, "id"), text(&asked, "digest"));
        approve(&world, "dan", &id).await;
        assert_eq!(approve(&world, "carol", &id).await["status"], "approved");
        world.reconfigure(|document| document["policies"][0]["quorum"]["minApprovals"] = json!(3)).await;

        let refused = ci.execute(&id, &digest).await;
        assert_eq!(refused.outcome(), "409 requirements_changed");
        insta::assert_snapshot!("requirements_changed", refused.body["detail"].as_str().expect("why"));
        let back = ci.read(&id).await;
        assert_eq!(back["status"], "pending");
        assert_eq!(back["decidedAt"], Value::Null);
        world.settle().await;
        assert!(world.buttons().contains(&"approve".to_owned()), "{:?}", world.buttons());

        let waiting = waits(&ci, &back);
        approve(&world, "alice", &id).await;
        assert_eq!(waiting.await.expect("it ends")["status"], "approved");
        ci.execute(&id, &digest).await.ok();
        assert_eq!(ci.execute(&id, &digest).await.outcome(), "409 request_closed");
        world.finish().await;
    }

    async fn a_cluster_that_moved_is_not_commanded_on_its_old_grant_st3(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let asked = alice.submit(command()).await.ok();
        let (id, digest) = (text(&asked, "id"), text(&asked, "digest"));
        assert_eq!(approve(&world, "carol", &id).await["status"], "approved");
        world.reconfigure(|document| document["resources"]["clusters"][0]["environment"] = json!("staging")).await;
        let refused = alice.execute(&id, &digest).await;
        assert_eq!(refused.outcome(), "409 requirements_changed");
        let why = text(&refused.body, "detail");
        assert!(why.contains("The cluster prod-eu-1 belongs to another environment now"), "{why}");
        assert_eq!(alice.read(&id).await["status"], "cancelled");
        world.finish().await;
    }

    async fn approval_of_a_person_who_left_the_team_no_longer_counts_st4(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let asked = alice.submit(deploy()).await.ok();
        let (id, digest) = (text(&asked, "id"), text(&asked, "digest"));
        approve(&world, "bob", &id).await;
        approve(&world, "carol", &id).await;
        world.reconfigure(|document| document["directory"]["teams"][0]["members"] = json!(["alice"])).await;

        assert_eq!(alice.execute(&id, &digest).await.outcome(), "409 requirements_changed");
        let back = alice.read(&id).await;
        assert_eq!(back["policies"][0]["approvals"], json!({"have": 1, "need": 2}));
        // a person who comes back later has not decided again
        world.reconfigure(|document| document["directory"]["teams"][0]["members"] = json!(["alice", "bob"])).await;
        assert_eq!(alice.execute(&id, &digest).await.outcome(), "409 request_closed");
        let waiting = waits(&alice, &back);
        approve(&world, "dan", &id).await;
        assert_eq!(waiting.await.expect("it ends")["status"], "approved");
        alice.execute(&id, &digest).await.ok();
        world.finish().await;
    }

    async fn request_is_cancelled_when_no_possible_approver_is_left_st4(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let asked = alice.submit(deploy()).await.ok();
        let (id, digest) = (text(&asked, "id"), text(&asked, "digest"));
        approve(&world, "bob", &id).await;
        approve(&world, "carol", &id).await;
        // the requester is the only one left in SRE
        world.reconfigure(|document| document["directory"]["teams"][1]["members"] = json!(["alice"])).await;
        let refused = alice.execute(&id, &digest).await;
        assert_eq!(refused.outcome(), "409 requirements_changed");
        assert_eq!(alice.read(&id).await["status"], "cancelled");
        world.settle().await;
        assert!(world.direct("alice").contains("cancelled"), "{}", world.direct("alice"));
        world.finish().await;
    }

    async fn added_policy_gates_an_allowed_request_before_execution_st3(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let mut body = deploy();
        body["environment"] = json!("development");
        let with = alice.submit(body.clone()).await.ok();
        body.as_object_mut().expect("an object").remove("reason");
        let without = alice.submit(body).await.ok();
        assert_eq!((&with["status"], &without["status"]), (&json!("allowed"), &json!("allowed")));
        world.reconfigure(|document| {
            document["bindings"].as_array_mut().expect("a list")
                .push(json!({"policy": "production-deploy-gate", "level": "environment", "resource": "development"}));
        }).await;
        for (asked, then) in [(with, "pending"), (without, "cancelled")] {
            let id = text(&asked, "id");
            assert_eq!(alice.execute(&id, &text(&asked, "digest")).await.outcome(), "409 requirements_changed", "{then}");
            assert_eq!(alice.read(&id).await["status"], then);
        }
        world.finish().await;
    }

    async fn loosened_policy_does_not_apply_to_pending_requests(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let id = text(&alice.submit(deploy()).await.ok(), "id");
        world.reconfigure(|document| document["policies"][0]["quorum"] = json!({"minApprovals": 1})).await;
        let seen = approve(&world, "bob", &id).await;
        assert_eq!((&seen["status"], &seen["policies"][0]["version"]), (&json!("pending"), &json!(1)));
        world.finish().await;
    }
}
