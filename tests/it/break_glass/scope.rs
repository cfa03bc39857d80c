//! What a session can bypass, and what it never can (threats OP6, B67, B70).

use super::{opened, rows, said, start};
use crate::client::{Api, PIPELINE, command, deploy, text};
use crate::database::on_both;
use crate::world::{World, world};
use countersign::domain::principal::Principal;
use countersign::domain::token::Scope;
use serde_json::{Value, json};

async fn asks(api: &Api, body: Value) -> String {
    text(&api.submit(body).await.ok(), "status")
}

/// Dan starts a session with another scope; returns its id.
async fn scoped(world: &World, scope: Value) -> String {
    let mut body = start();
    body["scope"] = scope;
    let dan = world.person("dan").await;
    text(&dan.post("/v1/break-glass", body).await.ok(), "id")
}

on_both! {
    async fn session_bypasses_policies_only_within_its_scope_op6(kind) {
        let world = world!(kind);
        world.reconfigure(|document| {
            document["resources"]["environments"].as_array_mut().expect("a list").push(json!("prod"));
            document["resources"]["clusters"].as_array_mut().expect("a list").push(json!({"id": "prod-eu-2", "environment": "production"}));
            document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "cluster-command-gate", "level": "cluster", "resource": "prod-eu-2"}));
            document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "production-deploy-gate", "level": "environment", "resource": "prod"}));
        }).await;
        scoped(&world, json!({"actions": ["command.execute", "release.deploy"], "clusters": ["prod-eu-1"]})).await;
        scoped(&world, json!({"actions": ["release.deploy"], "environments": ["prod"]})).await;
        let dan = world.person("dan").await;
        assert_eq!(asks(&dan, command()).await, "bypassed");
        let elsewhere = json!({"action": "command.execute", "cluster": "prod-eu-2", "reason": "drain a node"});
        assert_eq!(asks(&dan, elsewhere).await, "pending", "another cluster");
        let otherwise = json!({"action": "resource.delete", "cluster": "prod-eu-1", "reason": "drain a node"});
        assert_eq!(asks(&dan, otherwise).await, "pending", "another action");
        assert_eq!(asks(&dan, deploy()).await, "pending", "`production` is not `prod`");
        let mut near = deploy();
        near["environment"] = json!("prod");
        assert_eq!(asks(&dan, near).await, "bypassed");
        assert_eq!(asks(&world.person("carol").await, command()).await, "pending", "carol is no responder");
        world.finish().await;
    }

    async fn session_scope_excludes_config_changes_and_session_starts_op6(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        for action in ["break_glass.initiate", "environment.policy_update"] {
            let mut body = start();
            body["scope"]["actions"] = json!(["cluster", action]);
            let refused = dan.post("/v1/break-glass", body).await;
            assert_eq!(refused.outcome(), "422 policy_violations");
            assert_eq!(refused.body["violations"][0]["rule"], "scope");
        }
        world.reconfigure(|document| {
            document["policies"].as_array_mut().expect("a list").push(json!({"id": "freeze-gate", "name": "Freeze Gate", "scope": "environment",
                "actions": ["environment.policy_update", "environment.freeze"], "approvers": {"teams": ["sre"]}}));
            document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "freeze-gate", "level": "environment", "resource": "production"}));
        }).await;
        scoped(&world, json!({"actions": ["project", "cluster"], "environments": ["production"]})).await;
        assert_eq!(asks(&dan, json!({"action": "environment.freeze", "environment": "production"})).await, "bypassed");
        let update = json!({"action": "environment.policy_update", "environment": "production"});
        assert_eq!(asks(&dan, update).await, "pending", "a change of the policies is in no scope");
        // a session makes no one an administrator, and does not bypass the policies of configuration changes
        let put = dan.call("PUT", "/v1/config", &[("if-match", "*")], Some(json!({"organization": "acme"}).to_string())).await;
        assert_eq!(put.outcome(), "403 forbidden");
        let own = json!({"action": "break_glass.initiate"});
        let refused = dan.submit(own).await;
        assert_eq!(refused.body["violations"][0]["rule"], "own_route");
        world.finish().await;
    }

    async fn policy_without_bypass_still_gates_during_a_session_b67(kind) {
        let world = world!(kind);
        world.reconfigure(|document| {
            document["policies"].as_array_mut().expect("a list").push(json!({"id": "never-alone", "name": "Never Alone", "scope": "organization",
                "actions": ["command.execute"], "approvers": {"teams": ["backend"]}, "breakGlassBypass": false}));
            document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "never-alone", "level": "organization"}));
        }).await;
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        let asked = dan.submit(command()).await.ok();
        assert_eq!(asked["status"], "pending");
        assert_eq!((&asked["policies"][0]["id"], &asked["bypassedPolicies"][0]["id"]), (&json!("never-alone"), &json!("cluster-command-gate")));
        assert_eq!(asked["policies"].as_array().map(Vec::len), Some(1));
        world.settle().await;
        insta::assert_snapshot!("partly_bypassed", said(&world, "security")[1]);
        insta::assert_snapshot!("card_partly_bypassed", world.card());
        let (request, digest) = (text(&asked, "id"), text(&asked, "digest"));
        world.person("bob").await.decide(&request, "approve").await.ok();
        // approved while the session is active: the bypassed policies count as satisfied
        dan.execute(&request, &digest).await.ok();
        assert_eq!(rows(&world, "request.executed").await[0]["breakGlassSession"], json!(id));

        // after its end the same request needs those policies, too
        let again = dan.submit(command()).await.ok();
        let (request, digest) = (text(&again, "id"), text(&again, "digest"));
        world.person("bob").await.decide(&request, "approve").await.ok();
        super::revoke(&dan, &id).await.ok();
        assert_eq!(dan.execute(&request, &digest).await.outcome(), "409 requirements_changed");
        let back = dan.read(&request).await;
        assert_eq!((&back["status"], back["bypassedPolicies"].as_array().map(Vec::len)), (&json!("pending"), Some(0)));
        assert_eq!(back["policies"].as_array().map(Vec::len), Some(2));
        world.person("carol").await.decide(&request, "approve").await.ok();
        dan.execute(&request, &digest).await.ok();
        world.finish().await;
    }

    async fn ungated_request_during_a_session_is_not_a_use_and_sends_no_alert_b70(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        let asked = dan.submit(json!({"action": "cluster.sync", "cluster": "prod-eu-1"})).await.ok();
        assert_eq!((&asked["status"], &asked["breakGlassSession"]), (&json!("allowed"), &Value::Null));
        world.settle().await;
        assert_eq!(said(&world, "security").len(), 1, "only the start");
        world.finish().await;
    }

    async fn service_may_be_a_responder_but_acting_for_one_does_not_make_it_one(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let mut scopes = PIPELINE.to_vec();
        scopes.push(Scope::RequestsActFor);
        let ci = world.pipeline(&scopes).await;
        let mut for_dan = command();
        for_dan["requester"] = json!("dan");
        let own = opened(&world, &dan).await;
        assert_eq!(asks(&ci, for_dan.clone()).await, "pending", "ci acts for dan, and is no responder");
        super::revoke(&dan, &own).await.ok();

        let mut body = start();
        body["responders"] = json!(["dan", "service:ci"]);
        dan.post("/v1/break-glass", body).await.ok();
        let used = ci.submit(for_dan).await.ok();
        assert_eq!(used["status"], "bypassed");
        ci.execute(&text(&used, "id"), &text(&used, "digest")).await.ok();
        let mut by_owner = command();
        by_owner["payload"] = json!({"command": ["uptime"]});
        assert_eq!(asks(&world.person("bob").await, by_owner).await, "pending", "ci's owner is no responder");
        world.finish().await;
    }

    async fn session_does_not_bypass_policies_of_already_pending_requests(kind) {
        let world = world!(kind);
        let typed = "request command.execute cluster=prod-eu-1 reason=\"drain a node\" payload='{\"command\": [\"drain\"]}'";
        let asked = world.types("dan", typed).await;
        assert!(asked.contains("Asked as *#1*"), "{asked}");
        let again = world.types("dan", typed).await;
        assert!(again.contains("You already asked for the same as *#1*"), "{again}");
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        world.types("dan", typed).await;
        let list = dan.get("/v1/requests").await.ok();
        let statuses: Vec<&Value> = list["items"].as_array().expect("a list").iter().map(|item| &item["status"]).collect();
        assert_eq!(statuses, [&json!("bypassed"), &json!("pending")]);
        world.finish().await;
    }

    async fn submitter_of_a_bypassed_request_needs_the_session_to_execute(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        let used = dan.submit(command()).await.ok();
        let carol = world.person("carol").await;
        assert_eq!(carol.execute(&text(&used, "id"), &text(&used, "digest")).await.outcome(), "403 not_yours");
        // the requester that a responder acted for is not a responder
        let token = world.token(Principal::Service("ci".into()), &[], &[Scope::RequestsWrite, Scope::RequestsActFor, Scope::RequestsRead]).await;
        let ci = Api::new(&world.url, &token);
        let mut body = start();
        body["responders"] = json!(["service:ci"]);
        dan.post("/v1/break-glass", body).await.ok();
        let mut for_carol = command();
        for_carol["requester"] = json!("carol");
        let used = ci.submit(for_carol).await.ok();
        assert_eq!(used["status"], "bypassed");
        assert_eq!(carol.execute(&text(&used, "id"), &text(&used, "digest")).await.outcome(), "409 session_ended");
        world.finish().await;
    }
}
