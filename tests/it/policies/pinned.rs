//! A request keeps its pinned policies; execution also checks the policies in force.

use super::{Caller, configure, document, policies, release};
use crate::database::on_both;
use crate::world::{DEPLOY, world};
use countersign::domain::document::ConfigDocument;

fn gate(least: u32) -> ConfigDocument {
    document(
        &format!(
            "  - {{id: gate, name: Gate, scope: environment, approvers: {{teams: [backend, sre]}}, quorum: {{minApprovals: {least}}}}}"
        ),
        "  - {policy: gate, level: environment, resource: production}",
        "",
    )
}

on_both! {
    async fn policy_edit_does_not_change_pending_requests_st3(kind) {
        let world = world!(kind);
        configure(&world, gate(2)).await;
        world.types("alice", DEPLOY).await;
        configure(&world, gate(1)).await;
        assert_eq!(world.clicks("bob", "approve").await, "");
        assert!(world.card().contains("1 of 2 approvals"), "weakened while it waits: {}", world.card());
        world.types("alice", &DEPLOY.replace("v1.4.2", "v1.4.3")).await;
        assert!(world.card().contains("0 of 1 approval"), "{}", world.card());
        assert_eq!(world.clicks("bob", "approve").await, "");
        assert!(world.card().contains("#2 Approved"), "{}", world.card());
        world.types("carol", "approve 1").await;
        let alice = Caller::of(&world, "alice").await;
        let first = alice.get("/v1/requests/1").await.1;
        assert_eq!((first["status"].as_str(), first["policies"][0]["version"].as_i64()), (Some("approved"), Some(1)));
        assert_eq!(alice.get("/v1/requests/2").await.1["policies"][0]["version"], 2);
        world.settle().await;
        world.finish().await;
    }

    async fn removed_policy_still_gates_its_pending_requests_st3(kind) {
        let world = world!(kind);
        configure(&world, gate(2)).await;
        let alice = Caller::of(&world, "alice").await;
        let (_, waits) = alice.asks(&release()).await;
        configure(&world, document("  []", "  []", "")).await;
        let (_, later) = alice.asks(&release()).await;
        assert_eq!((later["status"].as_str(), policies(&later).len()), (Some("allowed"), 0));
        assert_eq!(alice.executes(&waits).await.1["state"], "pending");
        world.settle().await;
        world.types("bob", "approve 1").await;
        world.types("carol", "approve 1").await;
        assert_eq!(alice.executes(&waits).await.0, 200);
        world.settle().await;
        world.finish().await;
    }

    async fn execution_also_checks_the_current_policies_st3(kind) {
        let world = world!(kind);
        configure(&world, gate(1)).await;
        let alice = Caller::of(&world, "alice").await;
        let (_, asked) = alice.asks(&release()).await;
        world.settle().await;
        assert_eq!(world.clicks("bob", "approve").await, "");
        configure(&world, gate(2)).await;
        let (status, told) = alice.executes(&asked).await;
        assert_eq!((status, told["code"].as_str()), (409, Some("requirements_changed")));
        world.settle().await;
        insta::assert_snapshot!("waits_again", world.card());
        assert_eq!(world.clicks("carol", "approve").await, "");
        assert_eq!(alice.executes(&asked).await.0, 200);
        world.settle().await;
        world.finish().await;
    }

    async fn policy_versions_are_kept_and_immutable(kind) {
        let world = world!(kind);
        configure(&world, gate(2)).await;
        configure(&world, gate(1)).await;
        configure(&world, document("  []", "  []", "")).await;
        configure(&world, gate(2)).await;
        let count = |only: &str| format!("SELECT count(*) FROM policy_versions WHERE policy = 'gate'{only}");
        assert_eq!(world.database.count(&count("")).await, 3, "a template that comes back is a new version");
        assert_eq!(world.database.count(&count(" AND version = 2 AND template LIKE '%\"minApprovals\":1%'")).await, 1);
        for forbidden in ["UPDATE policy_versions SET template = '{}'", "UPDATE policy_versions SET version = 9 WHERE version = 3", "DELETE FROM policy_versions",
            "UPDATE config SET document = '{}'", "DELETE FROM config"] {
            assert!(world.database.execute(forbidden).await.is_err(), "{forbidden}");
        }
        world.finish().await;
    }

    /// AP3: a membership that was lost before execution no longer counts, and does not count again if the person returns.
    async fn approval_counts_by_memberships_held_then_and_now_ap3(kind) {
        let world = world!(kind);
        let alice = Caller::of(&world, "alice").await;
        let (_, asked) = alice.asks(&release()).await;
        world.settle().await;
        assert_eq!(world.clicks("bob", "approve").await, "");
        // an approval counts with the memberships at its time, so joining SRE later changes nothing
        let mut joined = world.app().config().await.expect("the document").document;
        let original = joined.clone();
        joined.directory.teams[1].members.push("bob".into());
        configure(&world, joined).await;
        world.settle().await;
        assert!(world.card().contains("SRE has not approved"), "{}", world.card());
        configure(&world, original.clone()).await;

        assert_eq!(world.clicks("carol", "approve").await, "");
        assert!(world.card().contains("#1 Approved"), "{}", world.card());
        let mut left = original.clone();
        left.directory.teams[1].members = vec!["dan".into()];
        configure(&world, left).await;
        let (status, told) = alice.executes(&asked).await;
        assert_eq!((status, told["code"].as_str()), (409, Some("requirements_changed")));
        insta::assert_snapshot!("carol_has_left_sre", told["detail"].as_str().unwrap_or_default());
        configure(&world, original).await;
        assert_eq!(alice.executes(&asked).await.1["state"], "pending", "the cut is for good");
        world.settle().await;
        assert_eq!(world.clicks("dan", "approve").await, "");
        assert_eq!(alice.executes(&asked).await.0, 200);
        world.settle().await;
        world.finish().await;
    }
}
