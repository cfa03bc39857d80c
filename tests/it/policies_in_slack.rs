//! Policies in Slack: everyone can read them, and administrators can change them, with the same checks as in other interfaces.

use crate::database::on_both;
use crate::policies::{configure, document};
use crate::world::{World, world};
use countersign::sandbox::{Element, Forge, Place, Values};

/// Presses the button of a policy in the newest reply to a command.
async fn views(world: &World, who: &str, policy: &str) -> String {
    world.types(who, "policies").await;
    let list = world.slack.ephemerals(who).pop().expect("a list");
    let place = Place::Message {
        channel: &list.channel,
        ts: &list.ts,
    };
    let view = Element {
        value: Some(policy),
        ..Element::from("policy_view")
    };
    world
        .slack
        .press(who, place, view, Forge::default())
        .await
        .expect("an answer");
    world.settle().await;
    world.modal(who)
}

async fn version(world: &World) -> i64 {
    world.app().config().await.expect("a configuration").version
}

on_both! {
    async fn everyone_can_read_policies_and_only_administrators_get_buttons(kind) {
        let world = world!(kind);
        insta::assert_snapshot!("policies_list", world.types("bob", "policies").await);
        let seen = views(&world, "bob", "off-hours-change-gate").await;
        insta::assert_snapshot!("policy_view", seen);
        assert!(!seen.contains("[Edit]") && !seen.contains("[Unbind]"), "{seen}");
        let seen = views(&world, "carol", "off-hours-change-gate").await;
        assert!(seen.contains("[Edit] [Bind]") && seen.contains("[Unbind]"), "{seen}");
        world.finish().await;
    }

    async fn policy_edited_in_slack_takes_effect(kind) {
        let world = world!(kind);
        views(&world, "carol", "production-deploy-gate").await;
        let form = world.clicks_in_modal("carol", "policy_edit").await;
        assert!(form.contains("Production Deploy Gate") && form.contains("Edit policy"), "{form}");
        let wrong = world.fills("carol", Values::from([("quorum.minApprovals", "two")])).await;
        assert!(wrong.contains("! Write a whole number"), "{wrong}");
        let wrong = world.fills("carol", Values::from([("quorum.minApprovals", "9")])).await;
        assert!(wrong.contains("! "), "{wrong}");
        assert_eq!(version(&world).await, 1);
        let saved = world.fills("carol", Values::from([("quorum.minApprovals", "3"), ("why", "two are too few")])).await;
        assert!(saved.contains("Version 2 of the configuration"), "{saved}");
        let stored = world.app().config().await.expect("it").document;
        assert_eq!(stored.policies[0].quorum.min_approvals, 3);
        // nothing else in the document has changed
        let mut expected = stored.clone();
        expected.policies[0].quorum.min_approvals = 2;
        let demo = include_str!("../../manifests/demo.yaml");
        let demo = countersign::config::file::Source::read("demo.yaml", demo).expect("it reads").into_document();
        assert_eq!(expected, demo);
        let audit = world.audit().await;
        assert!(audit.contains(&"config.changed by person:carol".to_owned()), "{audit:#?}");
        world.finish().await;
    }

    async fn policy_is_created_bound_and_unbound_in_slack(kind) {
        let world = world!(kind);
        world.types("carol", "policies").await;
        let list = world.slack.ephemerals("carol").pop().expect("a list");
        world.slack.click("carol", &list.channel, &list.ts, "policy_new").await.expect("an answer");
        world.settle().await;
        let new = || Values::from([
            ("id", "freeze-gate"), ("name", "Freeze Gate"), ("scope", "environment"), ("approvers", "these"),
            ("quorum.minApprovals", "1"), ("quorum.minDistinctTeams", "0"), ("conditions.timezone", "Mars/Olympus"),
            ("conditions.startHour", "9"), ("conditions.endHour", "17"),
        ])
        .with("actions", vec!["environment.freeze"])
        .with("options", vec!["requireReason"]);
        let wrong = world.fills("carol", new()).await;
        assert!(wrong.contains("! Name people, teams or roles below"), "{wrong}");
        let wrong = world.fills("carol", new().with("approvers.teams", vec!["sre"])).await;
        assert!(wrong.contains("Mars/Olympus"), "{wrong}");
        let saved = world.fills("carol", new().with("approvers.teams", vec!["sre"]).with("conditions.timezone", "Europe/Istanbul")).await;
        assert!(saved.contains("Version 2"), "{saved}");
        let seen = views(&world, "carol", "freeze-gate").await;
        assert!(seen.contains("*Bound* nowhere"), "{seen}");
        world.clicks_in_modal("carol", "policy_bind").await;
        let bound = world.fills("carol", Values::from([("resource", "production")])).await;
        assert!(bound.contains("Version 3"), "{bound}");
        let said = world.types("alice", "explain environment.freeze env=production").await;
        assert!(said.contains("Freeze Gate"), "{said}");
        views(&world, "carol", "freeze-gate").await;
        world.clicks_in_modal("carol", "policy_unbind").await;
        let unbound = world.fills("carol", Values::default()).await;
        assert!(unbound.contains("Version 4"), "{unbound}");
        assert!(world.app().config().await.expect("it").document.bindings.iter().all(|b| b.policy.as_str() != "freeze-gate"));
        world.finish().await;
    }

    async fn policy_edits_in_slack_are_gated_like_other_config_changes_b48(kind) {
        let world = world!(kind);
        let gated = document(
            "  - {id: rules, name: Rules, scope: organization, actions: [environment.policy_update], approvers: {teams: [security]}, conditions: {requireReason: true}}",
            "  - {policy: rules, level: organization}",
            "",
        );
        configure(&world, gated).await;
        views(&world, "carol", "rules").await;
        world.clicks_in_modal("carol", "policy_edit").await;
        let wrong = world.fills("carol", Values::from([("name", "The Rules")])).await;
        assert!(wrong.contains("needs a reason"), "{wrong}");
        let asked = world.fills("carol", Values::from([("name", "The Rules"), ("why", "a better name")])).await;
        assert!(asked.contains("became request *#1*"), "{asked}");
        assert_eq!(version(&world).await, 2);
        let card = world.slack.card("approvals").expect("a card").text;
        insta::assert_snapshot!("policy_change_card", card);
        world.types("erin", "approve 1").await;
        assert_eq!(version(&world).await, 3);
        world.finish().await;
    }

    async fn stale_policy_form_does_not_overwrite_a_newer_version(kind) {
        let world = world!(kind);
        views(&world, "carol", "production-deploy-gate").await;
        world.clicks_in_modal("carol", "policy_edit").await;
        world.reconfigure(|document| document["organization"] = "elsewhere".into()).await;
        let stale = world.fills("carol", Values::from([("name", "Mine")])).await;
        assert!(stale.contains("! Somebody else has changed the configuration"), "{stale}");
        assert_eq!(version(&world).await, 2);
        world.finish().await;
    }

    async fn only_administrators_change_policies_in_slack_b33(kind) {
        let world = world!(kind);
        views(&world, "carol", "production-deploy-gate").await;
        world.clicks_in_modal("carol", "policy_edit").await;
        let by = |user: &str| Forge { user_id: Some(user.to_owned()), ..Forge::default() };
        let values = Values::from([("name", "Mine")]);
        for user in ["U02BOB", "U04MALLORY"] {
            let sent = world.slack.submit_delivery("carol", &values, by(user)).expect("a form");
            let answer = world.delivers(&sent).await;
            assert!(answer.body.contains("You may not do this"), "{}", answer.body);
            assert_eq!(version(&world).await, 1);
        }
        // the buttons do not work for them, either
        views(&world, "bob", "production-deploy-gate").await;
        let forged = Forge { edit: Some(Box::new(|payload| payload["actions"] = serde_json::json!([{"type": "button", "action_id": "policy_edit", "value": "production-deploy-gate"}]))), ..Forge::default() };
        world.types("bob", "policies").await;
        let list = world.slack.ephemerals("bob").pop().expect("a list");
        let view = Element { value: Some("production-deploy-gate"), ..Element::from("policy_view") };
        world.slack.press("bob", Place::Message { channel: &list.channel, ts: &list.ts }, view, forged).await.expect("an answer");
        world.settle().await;
        assert!(world.told("bob").last().is_some_and(|told| told.contains("You may not do this")), "{:?}", world.told("bob"));
        world.finish().await;
    }
}
