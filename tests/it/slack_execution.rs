//! A request that was created in Slack is executed from Slack: Start, then Done or Failed, in the requester's direct message.

use crate::client::deploy;
use crate::database::on_both;
use crate::world::{DEPLOY, World, world};
use countersign::domain::time::Span;

async fn approved(world: &World) {
    world.types("alice", DEPLOY).await;
    world.clicks("bob", "approve").await;
    world.clicks("carol", "approve").await;
}

fn buttons(world: &World, who: &str) -> Vec<String> {
    let last = world.slack.direct_messages(who).pop();
    last.map(|message| message.actions).unwrap_or_default()
}

on_both! {
    async fn request_made_in_slack_is_executed_from_slack(kind) {
        let world = world!(kind);
        approved(&world).await;
        assert_eq!(buttons(&world, "alice"), ["start", "details"]);
        assert_eq!(world.clicks_direct("alice", "start").await, "");
        assert!(world.card().contains("#1 Executed"), "{}", world.card());
        insta::assert_snapshot!("direct_started", world.direct("alice"));
        assert_eq!(buttons(&world, "alice"), ["done", "failed", "details"]);
        assert_eq!(world.clicks_direct("alice", "failed").await, "");
        assert!(world.card().contains("#1 Failed"), "{}", world.card());
        insta::assert_snapshot!("direct_failed", world.direct("alice"));
        assert!(buttons(&world, "alice").is_empty());
        assert_eq!(world.slack.direct_messages("alice").len(), 1, "one message, kept up to date");
        let audit = world.audit().await;
        assert!(audit.contains(&"request.executed by person:alice".to_owned()), "{audit:#?}");
        assert!(audit.contains(&"request.completed by person:alice".to_owned()), "{audit:#?}");
        world.finish().await;
    }

    async fn start_button_works_once_and_only_for_the_requester(kind) {
        let world = world!(kind);
        approved(&world).await;
        let message = world.slack.direct_messages("alice").pop().expect("a message");
        let place = || countersign::sandbox::Place::Message { channel: &message.channel, ts: &message.ts };
        let press = |forge| world.slack.press_delivery("alice", place(), "start".into(), forge).expect("a button");
        let (first, second) = (press(countersign::sandbox::Forge::default()), press(countersign::sandbox::Forge::default()));
        for user in ["U02BOB", "U03CAROL", "U04MALLORY"] {
            let forge = countersign::sandbox::Forge { user_id: Some(user.to_owned()), ..countersign::sandbox::Forge::default() };
            world.delivers(&press(forge)).await;
            assert!(world.told("alice").last().is_some_and(|told| told.starts_with("This request is not yours")), "{:?}", world.told("alice"));
            assert!(world.card().contains("#1 Approved"), "{}", world.card());
        }
        world.delivers(&first).await;
        world.delivers(&first).await;
        world.delivers(&second).await;
        assert!(world.told("alice").last().is_some_and(|told| told.starts_with("This request is executed")), "{:?}", world.told("alice"));
        assert_eq!(world.audit().await.iter().filter(|line| line.starts_with("request.executed")).count(), 1);
        world.finish().await;
    }

    async fn start_button_disappears_after_expiry_and_cancellation(kind) {
        let world = world!(kind);
        approved(&world).await;
        world.passes(Span::hours(1)).await;
        assert!(world.direct("alice").contains("has expired"), "{}", world.direct("alice"));
        assert!(buttons(&world, "alice").is_empty());
        world.types("alice", &DEPLOY.replace("v1.4.2", "v2")).await;
        world.clicks("bob", "approve").await;
        world.clicks("carol", "approve").await;
        assert_eq!(buttons(&world, "alice"), ["start", "details"]);
        world.types("carol", "cancel 2").await;
        assert!(world.direct("alice").contains("was cancelled"), "{}", world.direct("alice"));
        assert!(world.slack.direct_messages("alice").iter().all(|message| message.actions.is_empty()));
        world.finish().await;
    }

    async fn allowed_request_is_started_from_a_direct_message(kind) {
        let world = world!(kind);
        let said = world.types("alice", "request cluster.sync cluster=prod-eu-1").await;
        assert!(said.contains("*Allowed*") || said.contains("Allowed"), "{said}");
        assert_eq!(buttons(&world, "alice"), ["start", "details"]);
        world.clicks_direct("alice", "start").await;
        world.clicks_direct("alice", "done").await;
        assert!(world.direct("alice").contains("succeeded"), "{}", world.direct("alice"));
        world.finish().await;
    }

    async fn request_made_by_api_has_no_start_button_in_slack(kind) {
        let world = world!(kind);
        world.person("alice").await.submit(deploy()).await.ok();
        world.settle().await;
        world.clicks("bob", "approve").await;
        world.clicks("carol", "approve").await;
        assert!(world.direct("alice").contains("countersign execute 1"), "{}", world.direct("alice"));
        assert!(buttons(&world, "alice").is_empty());
        world.finish().await;
    }

    async fn direct_message_reports_changed_requirements_at_start(kind) {
        let world = world!(kind);
        approved(&world).await;
        world.reconfigure(|document| document["policies"][0]["quorum"]["minApprovals"] = 3.into()).await;
        let told = world.clicks_direct("alice", "start").await;
        assert!(told.starts_with("The requirements have changed"), "{told}");
        assert!(world.direct("alice").contains("waits again"), "{}", world.direct("alice"));
        let all = world.slack.direct_messages("alice");
        assert_eq!(all.len(), 2, "{all:#?}");
        assert!(all[0].text.contains("no longer updated") && all[0].actions.is_empty(), "{}", all[0].text);
        world.clicks("dan", "approve").await;
        assert_eq!(buttons(&world, "alice"), ["start", "details"]);
        world.finish().await;
    }
}
