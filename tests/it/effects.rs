//! Effects: what Countersign runs itself after an approval passes the same recheck as an execution, in the transaction of that approval
//! (threats R01, R02, R33).

use crate::break_glass::start;
use crate::client::{PIPELINE, deploy, text};
use crate::database::{Kind, on_both};
use crate::policies::{configure, document};
use crate::race_support::approval;
use crate::world::World;
use countersign::app::{Changed, RequestRef};
use countersign::domain::audit::AuditEventKind;
use countersign::domain::request_details::RequestDetails;
use countersign::domain::time::Span;
use countersign::domain::token::Scope;
use serde_json::json;

/// A world in which these policies gate every configuration change.
async fn gated(kind: Kind, policies: &[&str]) -> Option<World> {
    let world = World::start(kind).await?;
    let id = |policy: &str| {
        let end = policy.find(',').expect("an id");
        policy[..end].to_owned()
    };
    let bound: Vec<String> = policies
        .iter()
        .map(|policy| {
            let id = id(policy);
            format!("  - {{policy: {id}, level: organization}}")
        })
        .collect();
    let policies: Vec<String> = policies
        .iter()
        .map(|policy| {
            format!(
                "  - {{id: {policy}, scope: organization, actions: [environment.policy_update]}}"
            )
        })
        .collect();
    configure(
        &world,
        document(&policies.join("\n"), &bound.join("\n"), ""),
    )
    .await;
    world.syncs().await;
    Some(world)
}

/// Two of three people must approve every configuration change.
const TWO_OF_THREE: &str =
    "two, name: Two Of Three, approvers: {users: [bob, dan, erin]}, quorum: {minApprovals: 2}";
/// Erin must approve every configuration change.
const ERIN: &str = "erin, name: Erin Alone, approvers: {users: [erin]}";
/// Bob must approve configuration changes from noon to one o'clock.
const BOB_AT_NOON: &str = "noon, name: Noon, approvers: {users: [bob]}, conditions: {startHour: 12, endHour: 13, timezone: UTC}";

/// Carol requests a configuration change.
async fn asks(world: &World) -> RequestRef {
    let asked = world.edits("carol", |document| {
        document["organization"] = json!("renamed");
    });
    match asked.await {
        Ok(Changed::Requested(shown)) => RequestRef::Id(shown.request.id),
        other => panic!("it is not gated: {other:?}"),
    }
}

async fn shown(world: &World, request: &RequestRef) -> RequestDetails {
    world.app().show(request).await.expect("it is there")
}

async fn status(world: &World, request: &RequestRef) -> String {
    let shown = shown(world, request).await;
    shown.request.state.status().to_string()
}

/// A person approves; returns the status that they receive.
async fn approves(world: &World, request: &RequestRef, who: &str) -> String {
    let decided = world.app().decide(approval(request, who)).await;
    let decided = decided.expect("the decision counts");
    world.settle().await;
    decided.status.to_string()
}

async fn organization(world: &World) -> String {
    let stored = world.app().config().await.expect("a configuration");
    stored.document.organization
}

/// The timeline's notes about events of this kind.
fn notes(shown: &RequestDetails, what: AuditEventKind) -> Vec<String> {
    let events = shown.timeline.iter().filter(|event| event.what == what);
    events.filter_map(|event| event.note.clone()).collect()
}

on_both! {
    async fn deactivated_approver_no_longer_counts_when_config_applies_r01(kind) {
        let Some(world) = gated(kind, &[TWO_OF_THREE]).await else { return };
        let request = asks(&world).await;
        assert_eq!(approves(&world, &request, "dan").await, "pending");
        world.account("U05DAN", |dan| dan.deleted = true).await;

        let reply = world.types("erin", "approve 1").await;
        assert!(reply.starts_with("You approved #1. More approvals are needed"), "{reply}");
        let after = shown(&world, &request).await;
        assert_eq!(after.request.state.status().to_string(), "pending");
        assert_eq!(after.policies[0].explanation.text, "1 of 2 approvals");
        assert_eq!(after.waiting_for, ["bob".into()]);
        assert_eq!(after.decisions.len(), 2, "both decisions are listed");
        assert_eq!(organization(&world).await, "acme");

        assert_eq!(approves(&world, &request, "bob").await, "completed");
        assert_eq!(organization(&world).await, "renamed");
        world.finish().await;
    }

    async fn approver_who_left_the_group_no_longer_counts_when_config_applies_r01(kind) {
        let Some(world) = gated(kind, &["group, name: Group, approvers: {teams: [backend]}, quorum: {minApprovals: 2}"]).await else { return };
        world.reconfigure(|document| {
            document["directory"]["teams"][0] = json!({"id": "backend", "name": "Backend", "members": ["bob", "dan"], "slackUserGroup": "S02SRE"});
        }).await;
        // the policy gates this change, too
        let first = RequestRef::Number(1);
        for who in ["alice", "bob"] {
            approves(&world, &first, who).await;
        }
        world.regroups("S02SRE", "U03CAROL", &["U06ERIN"]).await;
        world.passes(Span::seconds(1)).await;
        let request = asks(&world).await;
        assert_eq!(approves(&world, &request, "erin").await, "pending");
        world.regroups("S02SRE", "U03CAROL", &["U01ALICE"]).await;

        let reply = world.types("dan", "approve 2").await;
        assert!(reply.contains("It was not applied and still waits: Group (needs one more approval)."), "{reply}");
        let after = shown(&world, &request).await;
        assert_eq!(after.request.state.status().to_string(), "pending");
        assert_eq!(after.policies[0].explanation.text, "1 of 2 approvals");
        let why = notes(&after, AuditEventKind::RequestReopened);
        assert!(why[0].contains("Group (needs one more approval)"), "{why:?}");
        assert_eq!(organization(&world).await, "acme");
        assert!(world.direct("carol").contains("waits again"), "{}", world.direct("carol"));
        assert_eq!(approves(&world, &request, "bob").await, "completed");
        world.finish().await;
    }

    async fn deactivated_requester_changes_nothing_r01(kind) {
        let Some(world) = gated(kind, &[ERIN]).await else { return };
        let request = asks(&world).await;
        world.account("U03CAROL", |carol| carol.deleted = true).await;
        let reply = world.types("erin", "approve 1").await;
        assert!(reply.contains("Carol Clark, who asked for it, is not active any more"), "{reply}");
        let after = shown(&world, &request).await;
        assert_eq!(after.request.state.status().to_string(), "cancelled");
        assert_eq!(after.decisions.len(), 1, "the decision is recorded");
        assert!(notes(&after, AuditEventKind::RequestCancelled)[0].contains("is not active any more"));
        assert_eq!(organization(&world).await, "acme");
        world.finish().await;
    }

    async fn config_change_without_remaining_approvers_is_cancelled_r01(kind) {
        let Some(world) = gated(kind, &["two, name: Two, approvers: {teams: [sre]}, quorum: {minApprovals: 2}"]).await else { return };
        world.reconfigure(|document| document["administrators"] = json!({"users": ["erin"]})).await;
        let first = RequestRef::Number(1);
        for who in ["carol", "dan"] {
            approves(&world, &first, who).await;
        }
        let asked = world.edits("erin", |document| document["organization"] = json!("renamed")).await;
        let Ok(Changed::Requested(asked)) = asked else { panic!("it is not gated: {asked:?}") };
        let request = RequestRef::Id(asked.request.id);
        assert_eq!(approves(&world, &request, "dan").await, "pending");
        world.account("U05DAN", |dan| dan.deleted = true).await;
        assert_eq!(approves(&world, &request, "carol").await, "cancelled");
        let after = shown(&world, &request).await;
        assert!(notes(&after, AuditEventKind::RequestCancelled)[0].starts_with("Nobody left could give the approvals"));
        assert_eq!(after.decisions.len(), 2, "both decisions are recorded");
        assert_eq!(organization(&world).await, "acme");
        world.finish().await;
    }

    async fn break_glass_start_meets_the_policy_in_force_at_approval_r02(kind) {
        let Some(world) = World::start(kind).await else { return };
        world.reconfigure(|document| {
            document["policies"].as_array_mut().expect("a list").push(json!({"id": "glass-gate", "name": "Glass Gate", "scope": "environment",
                "actions": ["break_glass.initiate"], "approvers": {"teams": ["sre", "security"]}}));
            document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "glass-gate", "level": "environment", "resource": "production"}));
        }).await;
        let (dan, carol, erin) = (world.person("dan").await, world.person("carol").await, world.person("erin").await);
        let asked = dan.post("/v1/break-glass", start()).await.ok();
        let (session, request) = (text(&asked, "id"), text(&asked["request"], "id"));
        world.reconfigure(|document| {
            let policies = document["policies"].as_array_mut().expect("a list");
            policies.last_mut().expect("the gate")["quorum"] = json!({"minApprovals": 2});
        }).await;

        let decided = carol.decide(&request, "approve").await.ok();
        assert_eq!(decided["status"], "pending", "{decided}");
        assert_eq!(dan.get(&format!("/v1/break-glass/{session}")).await.ok()["status"], "pending");
        assert_eq!(decided["policies"].as_array().map(Vec::len), Some(2), "the pinned version, and the one in force");
        assert_eq!(erin.decide(&request, "approve").await.ok()["status"], "completed");
        assert_eq!(dan.get(&format!("/v1/break-glass/{session}")).await.ok()["status"], "active");
        world.finish().await;
    }

    async fn policy_whose_hours_began_after_the_request_gates_a_config_change_r33(kind) {
        let Some(world) = gated(kind, &[ERIN, BOB_AT_NOON]).await else { return };
        let request = asks(&world).await;
        let before = shown(&world, &request).await;
        assert_eq!(before.policies.len(), 1, "asked at ten");
        world.passes(Span::minutes(150)).await;
        assert_eq!(approves(&world, &request, "erin").await, "pending", "approved half past twelve");
        let after = shown(&world, &request).await;
        assert!(notes(&after, AuditEventKind::RequestReopened)[0].contains("Noon (needs one more approval)"));
        assert_eq!(after.waiting_for, ["bob".into()]);
        assert_eq!(after.request.state.ends_at(), before.request.state.ends_at(), "it waits no longer than it would have");
        assert!(after.request.version > before.request.version);
        assert_eq!(organization(&world).await, "acme");
        world.passes(Span::hours(1)).await;
        assert_eq!(approves(&world, &request, "bob").await, "completed");
        assert_eq!(organization(&world).await, "renamed");
        world.finish().await;
    }

    async fn change_made_from_an_older_version_is_cancelled_before_more_approvals_are_asked_r33(kind) {
        let Some(world) = gated(kind, &[ERIN, BOB_AT_NOON]).await else { return };
        let (first, second) = (asks(&world).await, asks(&world).await);
        assert_eq!(approves(&world, &first, "erin").await, "completed");
        world.passes(Span::minutes(150)).await;
        assert_eq!(approves(&world, &second, "erin").await, "cancelled");
        assert!(notes(&shown(&world, &second).await, AuditEventKind::RequestCancelled)[0].starts_with("config_changed"));
        world.finish().await;
    }

    async fn execution_for_a_deactivated_requester_is_refused_r01(kind) {
        let Some(world) = World::start(kind).await else { return };
        world.syncs().await;
        let mut scopes = PIPELINE.to_vec();
        scopes.push(Scope::RequestsActFor);
        let ci = world.pipeline(&scopes).await;
        let mut body = deploy();
        body["requester"] = json!("alice");
        let asked = ci.submit(body).await.ok();
        let (id, digest) = (text(&asked, "id"), text(&asked, "digest"));
        for who in ["carol", "dan"] {
            world.person(who).await.decide(&id, "approve").await.ok();
        }
        world.settle().await;
        world.account("U01ALICE", |alice| alice.deleted = true).await;
        let refused = ci.execute(&id, &digest).await;
        assert_eq!(refused.outcome(), "409 requirements_changed");
        assert!(refused.body.to_string().contains("Alice Anderson, who asked for it, is not active any more"), "{}", refused.body);
        assert_eq!(status(&world, &RequestRef::Number(1)).await, "cancelled");
        world.finish().await;
    }
}
