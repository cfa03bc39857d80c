//! Whose decisions count: one person under two ids, owners of services, and people and services that were removed (threats R03, R09, R10,
//! R27, R28).

use crate::break_glass::{opened, revoke, start};
use crate::client::{Api, PIPELINE, command, deploy, text};
use crate::database::{Kind, on_both};
use crate::policies::{configure, document};
use crate::world::World;
use countersign::domain::principal::Principal;
use countersign::domain::time::Span;
use countersign::domain::token::Scope;
use serde_json::{Value, json};

const DEMO: &str = include_str!("../../manifests/demo.yaml");

/// Every full member of the workspace is a person. Mallory is not listed, and may start break-glass sessions.
async fn open_house(kind: Kind) -> Option<World> {
    let line = DEMO.lines().find(|line| line.contains("U04MALLORY"));
    let configuration = DEMO
        .replace(line.expect("mallory's line"), "")
        .replace("directory:\n", "directory:\n  slack: {members: true}\n")
        .replace(
            "allowed: {teams: [sre],",
            "allowed: {users: [U04MALLORY], teams: [sre],",
        );
    let world = World::start_with(kind, &configuration).await?;
    world.syncs().await;
    Some(world)
}

fn users(document: &mut Value) -> &mut Vec<Value> {
    let users = &mut document["directory"]["users"];
    users.as_array_mut().expect("a list")
}

/// An API token of the service `ci` with this owner.
async fn ci_of(world: &World, owner: &str, scopes: &[Scope]) -> Api {
    let ci = Principal::Service("ci".into());
    Api::new(&world.url, &world.token(ci, &[owner], scopes).await)
}

/// A person reviews a session; returns the outcome.
async fn reviews(who: &Api, session: &str) -> String {
    let path = format!("/v1/break-glass/{session}/review");
    who.post(&path, json!({"note": "it was needed"}))
        .await
        .outcome()
}

on_both! {
    async fn initiator_cannot_review_their_session_under_a_listed_person_id_r09(kind) {
        let Some(world) = open_house(kind).await else { return };
        let member = world.person("U04MALLORY").await;
        let own = opened(&world, &member).await;
        revoke(&member, &own).await.ok();
        let mut body = start();
        body["responders"] = json!(["dan", "U04MALLORY"]);
        let dan = world.person("dan").await;
        let responded = text(&dan.post("/v1/break-glass", body).await.ok(), "id");
        world.edits("carol", |document| users(document)
            .push(json!({"id": "mallory", "name": "Mallory Moore", "slack": {"teamId": "T01TEST", "userId": "U04MALLORY"}})))
            .await.expect("she administers");

        let mallory = world.person("mallory").await;
        assert_eq!(mallory.submit(command()).await.ok()["status"], "bypassed", "still a responder");
        revoke(&dan, &responded).await.ok();
        for session in [&own, &responded] {
            assert_eq!(reviews(&mallory, session).await, "403 forbidden", "the same person");
        }
        let session = mallory.get(&format!("/v1/break-glass/{own}")).await.ok();
        assert!(session["initiator"].to_string().contains("mallory"), "{session}");
        let erin = world.person("erin").await;
        for session in [&own, &responded] {
            assert_eq!(reviews(&erin, session).await, "200");
        }
        world.finish().await;
    }

    async fn person_a_session_acted_for_cannot_review_it_under_a_listed_id_r09(kind) {
        let Some(world) = open_house(kind).await else { return };
        let dan = world.person("dan").await;
        let mut body = start();
        body["responders"] = json!(["dan", "service:ci"]);
        let session = text(&dan.post("/v1/break-glass", body).await.ok(), "id");
        let mut scopes = PIPELINE.to_vec();
        scopes.push(Scope::RequestsActFor);
        let ci = ci_of(&world, "bob", &scopes).await;
        let mut for_member = command();
        for_member["requester"] = json!("U04MALLORY");
        assert_eq!(ci.submit(for_member).await.ok()["status"], "bypassed");
        revoke(&dan, &session).await.ok();
        world.edits("carol", |document| users(document)
            .push(json!({"id": "mallory", "name": "Mallory Moore", "slack": {"teamId": "T01TEST", "userId": "U04MALLORY"}})))
            .await.expect("she administers");
        assert_eq!(reviews(&world.person("mallory").await, &session).await, "403 forbidden", "the same person");
        assert_eq!(reviews(&world.person("erin").await, &session).await, "200");
        world.finish().await;
    }

    async fn removed_membership_voids_a_decision_made_under_another_id_r09(kind) {
        let Some(world) = open_house(kind).await else { return };
        world.reconfigure(|document| {
            document["directory"]["teams"][1]["members"] = json!(["carol", "dan", "U04MALLORY"]);
        }).await;
        let (alice, carol) = (world.person("alice").await, world.person("carol").await);
        let member = world.person("U04MALLORY").await;
        let mut approved = Vec::new();
        for _ in 0..2 {
            let asked = alice.submit(command()).await.ok();
            let (id, digest) = (text(&asked, "id"), text(&asked, "digest"));
            member.decide(&id, "approve").await.ok();
            approved.push((id, digest));
        }
        // the decision is the listed person's, who still has the membership, and counts
        world.reconfigure(|document| {
            users(document).push(json!({"id": "mallory", "name": "Mallory Moore", "slack": {"teamId": "T01TEST", "userId": "U04MALLORY"}}));
            document["directory"]["teams"][1]["members"] = json!(["carol", "dan", "mallory"]);
        }).await;
        let (id, digest) = &approved[0];
        let decisions = carol.read(id).await["decisions"].to_string();
        assert!(decisions.contains("\"mallory\"") && !decisions.contains("U04MALLORY"), "{decisions}");
        assert_eq!(alice.execute(id, digest).await.outcome(), "200");
        world.reconfigure(|document| document["directory"]["teams"][1]["members"] = json!(["carol", "dan"])).await;
        let (id, digest) = approved.pop().expect("the other one");
        assert_eq!(alice.execute(&id, &digest).await.outcome(), "409 requirements_changed");
        // it is pending again, and still theirs: under the listed id they have decided already
        let again = world.person("mallory").await.decide(&id, "approve").await;
        assert_eq!(again.outcome(), "409 already_reviewed");
        let kept = world.database.text(&format!("SELECT teams FROM decisions WHERE person = 'U04MALLORY' AND request_id = '{id}'")).await;
        assert_eq!(kept, "[]", "the cut is kept for good");
        let policies = carol.read(&id).await["policies"].to_string();
        assert!(policies.contains("0 of 1 approval"), "{policies}");
        world.finish().await;
    }

    /// What an approver lost stays lost for this request, even if they get it back.
    async fn removed_role_voids_a_decision_for_good(kind) {
        let Some(world) = World::start(kind).await else { return };
        let policies = "  - {id: lead, name: Lead, scope: organization, actions: [release.deploy], approvers: {orgRoles: [tech-lead]}}";
        configure(&world, document(policies, "  - {policy: lead, level: organization}", "")).await;
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let asked = bob.submit(deploy()).await.ok();
        let (id, digest) = (text(&asked, "id"), text(&asked, "digest"));
        alice.decide(&id, "approve").await.ok();
        let roles = "SELECT roles FROM decisions WHERE person = 'alice'";
        assert_eq!(world.database.text(roles).await, "[\"tech-lead\"]");
        let with_role = |id: &'static str| move |document: &mut Value| {
            for user in users(document) {
                let roles = if user["id"] == id { json!(["tech-lead"]) } else { json!([]) };
                user["orgRoles"] = roles;
            }
            document["administrators"] = json!({"users": ["carol"]});
            document["breakGlass"]["allowed"] = json!({"teams": ["sre"]});
        };
        world.reconfigure(with_role("dan")).await;
        assert_eq!(bob.execute(&id, &digest).await.outcome(), "409 requirements_changed");
        assert_eq!(world.database.text(roles).await, "[]");
        world.reconfigure(with_role("alice")).await;
        let policies = bob.read(&id).await["policies"].to_string();
        assert!(policies.contains("0 of 1 approval"), "{policies}");
        assert_eq!(bob.execute(&id, &digest).await.status, 409);
        world.finish().await;
    }

    async fn owner_cannot_review_or_approve_for_their_service_by_token_r10(kind) {
        let Some(world) = World::start(kind).await else { return };
        let dan = world.person("dan").await;
        let mut body = start();
        body["responders"] = json!(["service:ci"]);
        let (carols, own) = (ci_of(&world, "carol", PIPELINE).await, world.pipeline(PIPELINE).await);
        let session = text(&dan.post("/v1/break-glass", body).await.ok(), "id");
        assert_eq!(carols.submit(command()).await.ok()["status"], "bypassed");
        world.passes(Span::minutes(1)).await;
        revoke(&dan, &session).await.ok();
        // a token that was usable at that time counts, even if it was revoked later
        let tokens = world.app().tokens().await.expect("tokens");
        let token = tokens.iter().find(|token| token.owners == ["carol".into()]).expect("carol's");
        let asked = own.submit(deploy()).await.ok();
        world.app().revoke_token(&crate::world::operator(), &token.id).await.expect("it is revoked");

        let carol = world.person("carol").await;
        assert_eq!(reviews(&carol, &session).await, "403 forbidden", "it acted by her token");
        let refused = carol.decide(&text(&asked, "id"), "approve").await;
        assert_eq!(refused.outcome(), "403 not_eligible", "the same service asked, by another token");
        assert!(refused.body["detail"].to_string().contains("You own the service"), "{}", refused.body);
        assert_eq!(reviews(&world.person("erin").await, &session).await, "200");
        world.finish().await;
    }

    async fn service_without_active_owners_may_only_submit_for_people_r28(kind) {
        let Some(world) = World::start(kind).await else { return };
        world.syncs().await;
        let mut scopes = PIPELINE.to_vec();
        scopes.extend([Scope::RequestsActFor, Scope::ConfigWrite]);
        let ci = ci_of(&world, "mallory", &scopes).await;
        world.reconfigure(|document| document["administrators"]["services"] = json!(["ci"])).await;
        let asked = ci.submit(command()).await.ok();
        world.person("carol").await.decide(&text(&asked, "id"), "approve").await.ok();
        world.account("U02BOB", |bob| bob.deleted = true).await;
        assert_eq!(ci.submit(deploy()).await.outcome(), "201", "mallory still answers for it");
        world.account("U04MALLORY", |mallory| mallory.deleted = true).await;

        let refused = ci.submit(deploy()).await;
        assert_eq!(refused.outcome(), "422 policy_violations");
        assert!(refused.body.to_string().contains("nobody who is active answers for the service `ci`"), "{}", refused.body);
        let late = ci.execute(&text(&asked, "id"), &text(&asked, "digest")).await;
        assert_eq!(late.outcome(), "409 requirements_changed", "what it was granted before");
        let document = serde_json::to_value(world.app().config().await.expect("it").document).expect("JSON");
        let change = ci.call("PUT", "/v1/config", &[("if-match", "\"2\""), ("content-type", "application/json")], Some(document.to_string())).await;
        assert_eq!(change.outcome(), "403 forbidden", "{}", change.body);
        let mut for_alice = deploy();
        for_alice["requester"] = json!("alice");
        assert_eq!(ci.submit(for_alice).await.outcome(), "201", "a person asks");
        world.finish().await;
    }

    async fn token_ends_with_its_person_and_its_service_r27(kind) {
        let Some(world) = World::start(kind).await else { return };
        let mallory = world.person("mallory").await;
        let (ci, robot) = (world.pipeline(PIPELINE).await, Principal::Service("robot".into()));
        let robot = Api::new(&world.url, &world.token(robot, &["mallory", "erin"], PIPELINE).await);
        let services = json!([{"id": "ci", "owners": ["bob"]}]);
        world.reconfigure(|document| {
            users(document).retain(|user| user["id"] != "mallory");
            document["services"] = json!([]);
        }).await;
        assert_eq!(mallory.get("/v1/requests").await.outcome(), "401 unauthenticated");
        // another person and service get the same ids
        world.reconfigure(|document| {
            users(document).push(json!({"id": "mallory", "name": "Mallory Meyer", "slack": {"teamId": "T01TEST", "userId": "U77NEW"}}));
            document["services"] = services;
        }).await;
        for gone in [&mallory, &ci] {
            assert_eq!(gone.get("/v1/requests").await.outcome(), "401 unauthenticated");
        }
        assert_eq!(robot.get("/v1/requests").await.outcome(), "200", "erin still answers for it");
        let tokens = world.app().tokens().await.expect("tokens");
        let owners: Vec<String> = tokens.iter().flat_map(|token| &token.owners).map(ToString::to_string).collect();
        assert_eq!(owners, ["erin"], "whoever comes later does not answer for what they never knew");
        let revoked = world.audit().await.iter().filter(|event| *event == "token.revoked by operator").count();
        assert_eq!(revoked, 2);
        assert_eq!(world.person("mallory").await.get("/v1/requests").await.outcome(), "200", "a token of their own");
        // a service that leaves alone, while all people stay
        let ci = world.pipeline(PIPELINE).await;
        assert_eq!(ci.get("/v1/requests").await.outcome(), "200");
        world.reconfigure(|document| document["services"] = json!([])).await;
        assert_eq!(ci.get("/v1/requests").await.outcome(), "401 unauthenticated");
        world.finish().await;
    }

    async fn omitting_a_target_level_does_not_avoid_its_policies_r03(kind) {
        let Some(world) = World::start(kind).await else { return };
        let gates = "  - {id: cluster-gate, name: Cluster Gate, scope: cluster, approvers: {teams: [sre]}}
  - {id: project-gate, name: Project Gate, scope: project, actions: [command.execute], approvers: {teams: [backend]}}";
        let bound = "  - {policy: cluster-gate, level: cluster, resource: prod-eu-1}
  - {policy: project-gate, level: project, resource: billing}";
        configure(&world, document(gates, bound, "")).await;
        let erin = world.person("erin").await;
        let gating = |asked: &Value| -> Vec<String> {
            let policies = asked["policies"].as_array().expect("policies").iter();
            policies.map(|policy| text(policy, "id")).collect()
        };
        let unnamed = erin.submit(deploy()).await.ok();
        assert_eq!((text(&unnamed, "status"), gating(&unnamed)), ("pending".into(), vec!["cluster-gate".to_owned()]));
        let tree = unnamed["policies"][0]["explanation"].to_string();
        assert!(tree.contains("no cluster is named, so the policies of every cluster apply"), "{tree}");
        let mut staging = deploy();
        staging["environment"] = json!("staging");
        assert_eq!(erin.submit(staging).await.ok()["status"], "allowed", "no cluster with a policy lies there");
        assert_eq!(gating(&erin.submit(command()).await.ok()), ["project-gate", "cluster-gate"]);
        let mut named = command();
        named["project"] = json!("api-platform");
        assert_eq!(gating(&erin.submit(named).await.ok()), ["cluster-gate"], "another project is named");
        let told = world.types("erin", "explain command.execute cluster=prod-eu-1").await;
        assert!(told.contains("is bound to project billing; no project is named, so the policies of every project apply"), "{told}");
        world.finish().await;
    }
}
