//! Changing your own memberships does not let you decide pending requests (threat B68).

use super::{SECURITY, SRE, join, leave};
use crate::client::{deploy, text};
use crate::database::on_both;
use crate::world::{DEPLOY, World, world};
use countersign::app::{Changed, RequestRef};
use countersign::domain::time::Span;
use serde_json::{Value, json};

/// Makes Erin of security an administrator, too.
async fn erin_administers(world: &World) {
    world
        .reconfigure(|document| {
            document["directory"]["users"][4]["orgRoles"] = json!(["platform-admin"]);
        })
        .await;
}

/// Sets the accounts of a person of the demo, by index.
fn accounts(document: &mut Value, person: usize, accounts: &[&str]) {
    let accounts: Vec<Value> = accounts
        .iter()
        .map(|id| json!({"teamId": "T01TEST", "userId": id}))
        .collect();
    document["directory"]["users"][person]["slack"] = json!(accounts);
}

/// Indexes of Dan and of Mallory.
const DAN: usize = 3;
const MALLORY: usize = 5;

on_both! {
    async fn administrator_joining_a_team_cannot_approve_pending_requests_b68(kind) {
        let world = world!(kind);
        erin_administers(&world).await;
        let (alice, erin, mallory) = (world.person("alice").await, world.person("erin").await, world.person("mallory").await);
        let old = text(&alice.submit(deploy()).await.ok(), "id");
        world.passes(Span::seconds(1)).await;
        world.edits("erin", |document| join(document, SRE, "erin")).await.expect("she administers");
        assert_eq!(world.team("sre").await, ["carol", "dan", "erin"]);
        assert_eq!(erin.decide(&old, "approve").await.outcome(), "403 not_eligible");
        assert_eq!(erin.decide(&old, "reject").await.outcome(), "403 not_eligible");
        assert_eq!(erin.read(&old).await["canApprove"], false);
        assert!(!world.types("erin", "inbox").await.contains("you can approve"));
        assert!(world.types("carol", "inbox").await.contains("you can approve"));
        assert_eq!(erin.cancel(&old).await.outcome(), "200", "she administers, and to take it back widens nothing");

        world.passes(Span::seconds(1)).await;
        let new = text(&alice.submit(deploy()).await.ok(), "id");
        assert_eq!(erin.read(&new).await["canApprove"], true);
        assert_eq!(erin.decide(&new, "approve").await.outcome(), "200", "what is asked from now on is hers to decide");
        // given by another person, it counts at once
        world.passes(Span::seconds(1)).await;
        world.edits("carol", |document| join(document, SRE, "mallory")).await.expect("she administers");
        assert_eq!(mallory.decide(&new, "approve").await.outcome(), "200");
        world.finish().await;
    }

    async fn membership_given_again_by_another_administrator_counts_b68(kind) {
        let world = world!(kind);
        erin_administers(&world).await;
        let (alice, erin) = (world.person("alice").await, world.person("erin").await);
        let old = text(&alice.submit(deploy()).await.ok(), "id");
        world.edits("erin", |document| join(document, SRE, "erin")).await.expect("she administers");
        assert_eq!(erin.decide(&old, "approve").await.outcome(), "403 not_eligible", "in the same moment, too");
        world.edits("carol", |document| leave(document, SRE, "erin")).await.expect("she administers");
        world.edits("carol", |document| join(document, SRE, "erin")).await.expect("she administers");
        assert_eq!(erin.decide(&old, "approve").await.outcome(), "200");
        world.finish().await;
    }

    async fn self_given_membership_by_a_gated_config_change_does_not_count_b68(kind) {
        let world = world!(kind);
        let gate = json!({"id": "rules-gate", "name": "Rules Gate", "scope": "organization", "actions": ["environment.policy_update"],
            "approvers": {"teams": ["security"]}});
        world.reconfigure(|document| {
            document["policies"].as_array_mut().expect("a list").push(gate);
            document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "rules-gate", "level": "organization"}));
        }).await;
        let (alice, carol) = (world.person("alice").await, world.person("carol").await);
        let deletion = json!({"action": "project.delete", "project": "billing", "reason": "unused"});
        let old = text(&alice.submit(deletion).await.ok(), "id");
        world.passes(Span::seconds(1)).await;
        let asked = world.edits("carol", |document| join(document, SECURITY, "carol")).await;
        let Ok(Changed::Requested(change)) = asked else { panic!("not gated: {asked:?}") };
        world.types("erin", &format!("approve {}", change.request.number)).await;
        assert_eq!(world.team("security").await, ["carol", "erin"], "it holds");

        assert_eq!(carol.decide(&old, "approve").await.outcome(), "200", "as one of SRE, which she was before");
        let shown = world.app().show(&RequestRef::Id(old.parse().expect("an id"))).await.expect("it is there");
        let teams: Vec<&str> = shown.decisions[0].teams.iter().map(AsRef::as_ref).collect();
        assert_eq!(teams, ["sre"], "not as one of security");
        world.finish().await;
    }

    async fn moved_slack_account_cannot_decide_pending_requests_b68(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.passes(Span::seconds(1)).await;
        world.edits("carol", |document| {
            accounts(document, MALLORY, &[]);
            accounts(document, DAN, &["U05DAN", "U04MALLORY"]);
        }).await.expect("she administers");
        let told = world.clicks("mallory", "approve").await;
        assert!(told.starts_with("You are not an eligible approver for this request"), "{told}");
        assert!(told.contains("was linked to you after this request was created"), "{told}");
        assert_eq!(world.clicks("dan", "approve").await, "", "his own account is as old as ever");
        let again = world.clicks("mallory", "approve").await;
        assert!(again.starts_with("Already reviewed"), "two accounts, one person: {again}");

        world.passes(Span::seconds(1)).await;
        world.types("alice", &DEPLOY.replace("v1.4.2", "v1.4.3")).await;
        assert_eq!(world.clicks("mallory", "approve").await, "");
        assert!(world.card().contains("Dan Davis"), "{}", world.card());
        world.finish().await;
    }

    async fn self_restored_membership_does_not_revive_an_approval_st4(kind) {
        let world = world!(kind);
        let (alice, bob, carol) = (world.person("alice").await, world.person("bob").await, world.person("carol").await);
        let asked = alice.submit(deploy()).await.ok();
        let id = text(&asked, "id");
        for person in [&bob, &carol] {
            assert_eq!(person.decide(&id, "approve").await.outcome(), "200");
        }
        world.passes(Span::seconds(1)).await;
        world.edits("carol", |document| leave(document, SRE, "carol")).await.expect("she administers");
        world.edits("carol", |document| join(document, SRE, "carol")).await.expect("she administers");
        let refused = alice.execute(&id, &text(&asked, "digest")).await;
        assert_eq!(refused.outcome(), "409 requirements_changed");
        assert!(refused.body["detail"].to_string().contains("SRE has not approved"), "{}", refused.body);
        world.finish().await;
    }
}
