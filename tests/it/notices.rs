//! Somebody asks in a channel that shows no cards: the channel is told of the request, and follows it in a thread.

use crate::client::{deploy, text};
use crate::database::on_both;
use crate::threads::threads;
use crate::world::{DEPLOY, World, world};
use countersign::domain::time::Span;
use countersign::sandbox::{Fault, Shown, Values};

/// What a person is told who types in a channel.
async fn types_in(world: &World, who: &str, channel: &str, text: &str) {
    let answer = world
        .slack
        .command_in(who, channel, "/approval", text)
        .await;
    answer.expect("the bot answers");
    world.settle().await;
}

/// The messages in `#approvals` that are no replies.
fn notices(world: &World) -> Vec<Shown> {
    let mut shown = world.slack.messages("approvals");
    shown.retain(|message| message.thread_ts.is_none());
    shown
}

on_both! {
    async fn channel_in_which_it_was_asked_follows_the_request(kind) {
        let world = world!(kind);
        types_in(&world, "alice", "approvals", DEPLOY).await;
        let told = notices(&world);
        assert_eq!(told.len(), 1, "{told:?}");
        insta::assert_snapshot!("notice_waiting", told[0].text);
        assert!(told[0].actions.is_empty(), "{:?}", told[0].actions);
        assert!(world.card().contains("hotfix for checkout") && !told[0].text.contains("hotfix"), "{}", told[0].text);

        world.types("bob", "approve 1 looks fine").await;
        world.clicks("carol", "approve").await;
        let lines = threads(&world, "approvals");
        assert_eq!(lines, threads(&world, "prod-approvals"));
        assert!(lines.len() == 2 && lines[0].ends_with("looks fine"), "{lines:?}");
        let told = notices(&world);
        assert_eq!(told.len(), 1, "{told:?}");
        insta::assert_snapshot!("notice_approved", told[0].text);
        world.finish().await;
    }

    async fn form_remembers_the_channel_in_which_it_was_opened(kind) {
        let world = world!(kind);
        types_in(&world, "alice", "approvals", "request release.deploy env=production release=v1.4.2").await;
        assert_eq!(notices(&world).len(), 0);
        world.fills("alice", Values::from([("project", "api-platform"), ("reason", "hotfix")])).await;
        let told = notices(&world);
        assert!(told.len() == 1 && told[0].text.contains("*#1*"), "{told:?}");
        world.finish().await;
    }

    async fn channel_with_the_card_is_told_nothing_more(kind) {
        let world = world!(kind);
        types_in(&world, "alice", "prod-approvals", DEPLOY).await;
        assert_eq!(world.slack.messages("prod-approvals").len(), 1);
        // neither is one from which nobody asked
        text(&world.person("alice").await.submit(deploy()).await.ok(), "id");
        world.settle().await;
        assert_eq!(world.slack.messages("approvals").len(), 0);
        world.finish().await;
    }

    async fn channel_without_the_bot_costs_one_call_and_troubles_nobody(kind) {
        let world = world!(kind);
        world.slack.change(|state| {
            let bot = state.install.bot_user.clone();
            state.channels.get_mut("C01APPROVALS").expect("the channel").members.remove(&bot);
        });
        types_in(&world, "alice", "approvals", DEPLOY).await;
        assert!(world.card().contains("0 of 2"));
        let posts = world.slack.call_count("chat.postMessage");
        world.passes(Span::minutes(10)).await;
        world.types("bob", "approve 1").await;
        world.clicks("carol", "approve").await;
        assert_eq!(notices(&world).len(), 0);
        // two lines under the card and two direct messages to Alice; nothing is tried in the other channel again
        let posts = world.slack.call_count("chat.postMessage") - posts;
        assert!(posts <= 4, "{posts} posts: {}", world.slack.transcript("prod-approvals"));
        assert_eq!(world.degraded().await, Vec::<String>::new());
        world.finish().await;
    }

    /// That is no word of the channel: the notice waits as everything else does.
    async fn revoked_token_loses_no_notice(kind) {
        let world = world!(kind);
        world.types("alice", "inbox").await;
        world.slack.fail_always("chat.postMessage", Fault::api("token_revoked"));
        types_in(&world, "alice", "approvals", DEPLOY).await;
        assert_eq!(notices(&world).len(), 0);
        world.slack.clear_faults();
        for _ in 0..10 {
            world.passes(Span::minutes(1)).await;
        }
        assert_eq!(notices(&world).len(), 1);
        world.finish().await;
    }

    async fn bot_that_leaves_the_channel_keeps_no_thread_back(kind) {
        let world = world!(kind);
        types_in(&world, "alice", "approvals", DEPLOY).await;
        world.slack.change(|state| {
            let bot = state.install.bot_user.clone();
            state.channels.get_mut("C01APPROVALS").expect("the channel").members.remove(&bot);
        });
        world.types("bob", "approve 1").await;
        world.passes(Span::hours(1)).await;
        assert_eq!(threads(&world, "prod-approvals").len(), 1);
        assert_eq!(world.degraded().await, Vec::<String>::new());
        world.finish().await;
    }

    async fn another_organization_reads_neither_comment_nor_reason_in_a_notice_sl7(kind) {
        let world = world!(kind);
        world.slack.change(|state| {
            state.channels.get_mut("C01APPROVALS").expect("the channel").is_ext_shared = true;
        });
        types_in(&world, "alice", "approvals", DEPLOY).await;
        world.types("bob", "reject 1 the secret is safe").await;
        let said = world.slack.transcript("approvals");
        assert!(said.contains("Rejected") && !said.contains("secret") && !said.contains("hotfix"), "{said}");
        world.finish().await;
    }

    async fn slack_that_fails_once_is_asked_again_for_the_notice(kind) {
        let world = world!(kind);
        world.types("alice", "help").await;
        world.types("alice", "inbox").await;
        world.slack.set_outage(true);
        let answer = world.slack.command_in("alice", "approvals", "/approval", DEPLOY).await;
        answer.expect("the bot answers");
        world.settle().await;
        world.slack.set_outage(false);
        world.slack.fail_next_of("chat.postMessage", Fault::Http(500));
        for _ in 0..6 {
            world.passes(Span::seconds(45)).await;
        }
        assert_eq!(notices(&world).len(), 1);
        world.finish().await;
    }
}
