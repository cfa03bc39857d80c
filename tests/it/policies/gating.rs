//! Which policies gate a request, and what they require.

use super::{Caller, configure, document, policies, release};
use crate::database::on_both;
use crate::world::{DEPLOY, world};
use countersign::domain::time::Span;
use serde_json::json;

/// Two stacked policies: the organization's and the project's.
const STACKED: &str = "
  - {id: org-one, name: One More Pair of Eyes, scope: organization, approvers: anyone, quorum: {minApprovals: 1}}
  - {id: project-two, name: Two of SRE, scope: project, approvers: {teams: [sre]}, quorum: {minApprovals: 2, requiredTeamIds: [sre]}}
";
const STACKED_AT: &str = "
  - {policy: org-one, level: organization}
  - {policy: project-two, level: project, resource: api-platform}
";

on_both! {
    async fn organization_and_project_policies_must_both_be_satisfied(kind) {
        let world = world!(kind);
        configure(&world, document(STACKED, STACKED_AT, "")).await;
        world.types("alice", DEPLOY).await;
        assert_eq!(world.clicks("erin", "approve").await, "");
        insta::assert_snapshot!("one_of_two_policies_is_met", world.card());
        assert_eq!(world.clicks("carol", "approve").await, "");
        assert!(world.card().contains("1 of 2 approvals"), "{}", world.card());
        assert!(!world.card().contains("#1 Approved"), "{}", world.card());
        assert_eq!(world.clicks("dan", "approve").await, "");
        assert!(world.card().contains("#1 Approved"), "{}", world.card());

        // only the organization's policy gates another project
        world.types("alice", &DEPLOY.replace("api-platform", "billing")).await;
        assert_eq!(world.clicks("erin", "approve").await, "");
        assert!(world.card().contains("#2 Approved"), "{}", world.card());
        world.finish().await;
    }

    async fn one_decision_counts_for_several_stacked_policies(kind) {
        let world = world!(kind);
        configure(&world, document(STACKED, STACKED_AT, "")).await;
        world.types("alice", DEPLOY).await;
        assert_eq!(world.clicks("carol", "approve").await, "");
        assert_eq!(world.clicks("dan", "approve").await, "");
        assert!(world.card().contains("#1 Approved"), "{}", world.card());
        world.finish().await;
    }

    async fn strictest_requester_can_approve_applies_to_the_whole_request_b25(kind) {
        let world = world!(kind);
        let both = |strict: bool| document(&format!("
  - {{id: lax, name: Lax, scope: organization, approvers: anyone, requesterCanApprove: true}}
  - {{id: other, name: Other, scope: project, approvers: anyone, requesterCanApprove: {}}}
", !strict), "
  - {policy: lax, level: organization}
  - {policy: other, level: project, resource: api-platform}
", "");
        configure(&world, both(true)).await;
        world.types("alice", DEPLOY).await;
        let told = world.clicks("alice", "approve").await;
        assert!(told.starts_with("You are not an eligible approver for this request. You asked for it"), "{told}");
        assert_eq!(world.clicks("mallory", "approve").await, "");
        assert!(world.card().contains("#1 Approved"), "{}", world.card());

        configure(&world, both(false)).await;
        world.types("alice", &DEPLOY.replace("v1.4.2", "v1.4.3")).await;
        assert_eq!(world.clicks("alice", "approve").await, "");
        assert!(world.card().contains("#2 Approved"), "{}", world.card());
        world.finish().await;
    }

    async fn policy_bound_twice_counts_once(kind) {
        let world = world!(kind);
        configure(&world, document(
            "  - {id: gate, name: Gate, scope: environment, approvers: anyone, quorum: {minApprovals: 1}}",
            "  - {policy: gate, level: environment, resource: production}\n  - {policy: gate, level: environment, resource: staging}", "")).await;
        // reached by the named environment, and by the environment of the cluster
        let alice = Caller::of(&world, "alice").await;
        let (status, asked) = alice.asks(&json!({"action": "cluster.restart", "cluster": "prod-eu-1", "environment": "production"})).await;
        assert_eq!((status, policies(&asked)), (201, vec!["gate"]));
        world.settle().await;
        assert_eq!(world.clicks("bob", "approve").await, "");
        assert!(world.card().contains("Approved"), "{}", world.card());
        world.finish().await;
    }

    async fn observed_policy_is_shown_and_audited_but_never_gates(kind) {
        let world = world!(kind);
        configure(&world, document(
            "  - {id: trial, name: Trial, scope: organization, approvers: {teams: [sre]}, quorum: {minApprovals: 2}, conditions: {requireReason: true}, mode: observe}",
            "  - {policy: trial, level: organization}", "")).await;
        let alice = Caller::of(&world, "alice").await;
        let (status, asked) = alice.asks(&json!({"action": "release.deploy", "project": "api-platform", "environment": "production"})).await;
        assert_eq!((status, asked["status"].as_str()), (201, Some("allowed")), "{asked}");
        world.settle().await;
        assert!(world.card().contains("Trial is in observe mode and gates nothing"), "{}", world.card());
        assert_eq!(alice.executes(&asked).await.0, 200);

        while world.app().seal().await.expect("sealed") {}
        let lines = world.app().audit(0, 100).await.expect("the log");
        let allowed = lines.iter().find(|line| line.event["event"] == "request.allowed").expect("a row");
        assert_eq!(allowed.event["detail"]["observed"], json!([{"id": "trial", "version": 1}]), "{:?}", allowed.event);
        world.settle().await;
        world.finish().await;
    }

    async fn window_gates_from_its_first_minute_to_its_last(kind) {
        let world = world!(kind);
        let alice = Caller::of(&world, "alice").await;
        let staging = json!({"action": "release.deploy", "project": "api-platform", "environment": "staging", "reason": "try it"});
        // Monday 13:00 in Istanbul; the window opens at 18:00
        let (_, by_day) = alice.asks(&staging).await;
        assert_eq!(by_day["status"], "allowed");
        world.passes(Span(5 * 3_600_000 - 1)).await;
        let (_, last_second) = alice.asks(&staging).await;
        assert_eq!(last_second["status"], "allowed");
        world.passes(Span(1)).await;
        let (_, first_second) = alice.asks(&staging).await;
        assert_eq!((first_second["status"].as_str(), policies(&first_second)), (Some("pending"), vec!["off-hours-change-gate"]));

        // a request that was allowed a moment ago is gated when it would be executed
        let (status, told) = alice.executes(&last_second).await;
        assert_eq!((status, told["code"].as_str()), (409, Some("requirements_changed")), "{told}");
        insta::assert_snapshot!("gated_when_it_would_run", told["detail"].as_str().unwrap_or_default());
        assert_eq!(alice.get(&format!("/v1/requests/{}", last_second["number"])).await.1["status"], "pending");

        // Tuesday 09:00 in Istanbul: the window is over
        world.passes(Span::hours(15)).await;
        let (_, morning) = alice.asks(&staging).await;
        assert_eq!(morning["status"], "allowed");
        world.finish().await;
    }

    async fn custom_action_is_gated_like_built_in_actions(kind) {
        let world = world!(kind);
        configure(&world, document(
            "  - {id: dns, name: DNS Gate, scope: project, actions: [dns.change], approvers: {teams: [sre]}}",
            "  - {policy: dns, level: project, resource: billing}",
            "actions: [{id: dns.change, name: DNS Change, group: project, risk: Critical, requires: [project]}]")).await;
        let alice = Caller::of(&world, "alice").await;
        let (status, refused) = alice.asks(&json!({"action": "dns.change"})).await;
        assert_eq!((status, refused["violations"][0]["message"].as_str()), (422, Some("dns.change needs a project")));
        let (status, refused) = alice.asks(&json!({"action": "dns.chnage", "project": "billing"})).await;
        assert_eq!((status, refused["violations"][0]["message"].as_str()), (422, Some("unknown action `dns.chnage`; did you mean `dns.change`?")));
        let (status, asked) = alice.asks(&json!({"action": "dns.change", "project": "billing"})).await;
        assert_eq!((status, asked["risk"].as_str(), policies(&asked)), (201, Some("Critical"), vec!["dns"]));
        world.settle().await;
        let card = world.slack.card("approvals").expect("a card");
        assert!(card.text.contains("DNS Change"), "{}", card.text);
        world.finish().await;
    }

    async fn explain_in_slack_matches_the_api_and_stores_nothing(kind) {
        let world = world!(kind);
        let said = world.types("alice", "explain release.deploy project=api-platform env=staging").await;
        insta::assert_snapshot!("explain_by_day", said);
        world.passes(Span::hours(6)).await;
        let said = world.types("alice", "explain release.deploy project=api-platform env=staging").await;
        insta::assert_snapshot!("explain_at_night", said);
        let alice = Caller::of(&world, "alice").await;
        let (status, explained) = alice.post("/v1/explain", &release()).await;
        assert_eq!((status, policies(&explained)), (200, vec!["production-deploy-gate"]));
        assert_eq!(explained["policies"][0]["why"], "is bound to environment production");
        assert_eq!(world.database.count("SELECT count(*) FROM requests").await, 0);
        world.finish().await;
    }
}
