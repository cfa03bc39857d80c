//! Refusals of new requests, with the same message in Slack and in the API.

use super::{Caller, configure, document, release};
use crate::database::on_both;
use crate::world::{World, world};
use countersign::sandbox::Values;
use serde_json::{Value, json};

async fn violations(world: &World, body: &Value) -> String {
    let (status, refused) = Caller::of(world, "alice").await.asks(body).await;
    assert_eq!(
        (status, refused["code"].as_str()),
        (422, Some("policy_violations")),
        "{refused}"
    );
    let broken = refused["violations"].as_array().expect("violations");
    let lines: Vec<String> = broken
        .iter()
        .map(|one| {
            format!(
                "{} {}: {}",
                one["policy"].as_str().unwrap_or("-"),
                one["rule"].as_str().unwrap_or("?"),
                one["message"].as_str().unwrap_or("?")
            )
        })
        .collect();
    lines.join("\n")
}

on_both! {
    async fn missing_reason_violation_names_the_policy(kind) {
        let world = world!(kind);
        let mut body = release();
        for reason in [Value::Null, json!(""), json!("  \n ")] {
            body["reason"] = reason;
            assert_eq!(violations(&world, &body).await, "production-deploy-gate reason_required: Production Deploy Gate needs a reason; say why");
        }
        // in Slack, a form asks for it
        world.types("alice", "request release.deploy project=api-platform env=production release=v1").await;
        let form = world.fills("alice", Values::default()).await;
        assert!(form.contains("! Production Deploy Gate needs a reason; say why."), "{form}");
        // an ungated request needs no reason
        body["environment"] = json!("development");
        assert_eq!(Caller::of(&world, "alice").await.asks(&body).await.0, 201);
        world.finish().await;
    }

    async fn request_is_refused_when_its_requester_makes_the_quorum_impossible(kind) {
        let world = world!(kind);
        configure(&world, document(
            "  - {id: cross, name: Cross-Team, scope: organization, approvers: {users: [alice, carol, dan]}, quorum: {minDistinctTeams: 2}}",
            "  - {policy: cross, level: organization}", "")).await;
        assert_eq!(violations(&world, &release()).await,
            "cross unsatisfiable: Cross-Team: needs two teams; only SRE is left once alice is excluded");
        let said = world.types("alice", "request release.deploy project=api-platform env=production reason=x").await;
        insta::assert_snapshot!("unsatisfiable_in_slack", said);
        assert_eq!(world.database.count("SELECT count(*) FROM requests").await, 0);
        let bob = Caller::of(&world, "bob").await;
        assert_eq!(bob.asks(&release()).await.0, 201, "for bob it can be met");
        world.settle().await;
        world.finish().await;
    }

    async fn unknown_names_are_refused_with_the_closest_matches(kind) {
        let world = world!(kind);
        let body = json!({"action": "release.deploy", "project": "api-platfrom", "environment": "prod", "reason": "x"});
        assert_eq!(violations(&world, &body).await,
            "- unknown_resource: unknown project `api-platfrom`; did you mean `api-platform`?\n- unknown_resource: unknown environment `prod`; did you mean `production`?");
        let said = world.types("alice", "request release.deploy project=api-platfrom env=prod reason=x").await;
        insta::assert_snapshot!("did_you_mean_in_slack", said);
        for (body, expected) in [
            (json!({"action": "release.delpoy", "project": "billing", "environment": "staging"}), "- unknown_action: unknown action `release.delpoy`; did you mean `release.deploy`?"),
            (json!({"action": "cluster.sync", "cluster": "prod-eu-1", "environment": "staging"}), "- contradicts_registry: cluster `prod-eu-1` belongs to `production`, not to `staging`"),
            (json!({"action": "cluster.sync", "environment": "staging"}), "- target_required: cluster.sync needs a cluster"),
            (json!({"action": "release.deploy"}), "- target_required: release.deploy needs a project\n- target_required: release.deploy needs an environment"),
            (json!({"action": "break_glass.initiate"}), "- own_route: start a break-glass session with `/breakglass start` or POST /v1/break-glass"),
            (json!({"action": "project.delete", "project": "billing", "reason": "x", "authors": ["bobb"]}), "- unknown_person: unknown author `bobb`; did you mean `bob`?"),
        ] {
            assert_eq!(violations(&world, &body).await, expected, "{body}");
        }
        world.finish().await;
    }
}
