//! The thread under a card: one short line for each decision, posted once, whatever fails.

use crate::client::{deploy, text};
use crate::database::on_both;
use crate::world::{DEPLOY, World, world};
use countersign::domain::time::Span;
use countersign::sandbox::{Fault, Forge};

const POST: &str = "chat.postMessage";

/// The lines in the threads of all cards in a channel.
pub fn threads(world: &World, channel: &str) -> Vec<String> {
    let cards = world.slack.cards(channel);
    let replies = cards
        .iter()
        .flat_map(|card| world.slack.thread(channel, &card.ts));
    replies
        .flat_map(|reply| reply.text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// A configuration whose policy shows its cards in a second channel.
fn two_channels() -> String {
    include_str!("../../manifests/demo.yaml").replace(
        "    name: Production Deploy Gate\n",
        "    name: Production Deploy Gate\n    channel: C01APPROVALS\n",
    )
}

/// A configuration with ten more people who may approve, of whom eleven must.
fn ten_more_approvers() -> String {
    let numbers: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    let users: Vec<String> = numbers
        .iter()
        .map(|n| format!("    - {{id: p{n}, name: Person {n}}}\n"))
        .collect();
    let users = users.concat();
    let ids = format!(", p{}", numbers.join(", p"));
    include_str!("../../manifests/demo.yaml")
        .replace(
            "  teams:\n    - {id: backend",
            &format!("{users}  teams:\n    - {{id: backend"),
        )
        .replace(
            "members: [alice, bob]",
            &format!("members: [alice, bob{ids}]"),
        )
        .replace(
            "{minApprovals: 2, requiredTeamIds: [sre]}",
            "{minApprovals: 11, requiredTeamIds: [sre]}",
        )
}

on_both! {
    async fn each_decision_is_one_line_in_the_thread_with_its_comment(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        assert_eq!(threads(&world, "prod-approvals"), Vec::<String>::new());
        world.types("bob", "approve 1 looks *fine* to me").await;
        let lines = threads(&world, "prod-approvals");
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("Bob Brown* approved") && lines[0].ends_with(": looks ∗fine∗ to me"), "{lines:?}");
        world.types("bob", "approve 1").await;
        world.clicks("carol", "approve").await;
        let lines = threads(&world, "prod-approvals");
        assert_eq!(lines.len(), 2, "a refused decision is no line: {lines:?}");
        assert!(lines[1].contains("Carol Clark* approved"), "{lines:?}");
        world.passes(Span::hours(30)).await;
        assert_eq!(threads(&world, "prod-approvals").len(), 2);
        world.finish().await;
    }

    async fn all_cards_of_a_request_have_the_same_thread(kind) {
        let Some(world) = World::start_with(kind, &two_channels()).await else { return };
        world.types("alice", DEPLOY).await;
        world.clicks("bob", "approve").await;
        let there = threads(&world, "prod-approvals");
        assert_eq!((there.len(), &threads(&world, "approvals")), (1, &there));
        // one of them fails: the other one is not posted twice
        world.slack.fail_next_of(POST, Fault::Http(500));
        world.types("carol", "reject 1 not today").await;
        world.passes(Span::minutes(1)).await;
        let there = threads(&world, "prod-approvals");
        assert!(there.len() == 2 && there[1].ends_with("not today"), "{there:?}");
        assert_eq!(threads(&world, "approvals"), there);
        world.finish().await;
    }

    async fn comments_stay_out_of_the_threads_of_shared_channels_sl7(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.slack.change(|state| {
            state.channels.get_mut("C02PROD").expect("the channel").is_ext_shared = true;
        });
        world.passes(Span::hours(1)).await;
        world.types("bob", "approve 1 the secret is safe").await;
        let lines = threads(&world, "prod-approvals");
        assert!(lines.len() == 1 && lines[0].contains("Bob Brown* approved"), "{lines:?}");
        assert!(!lines[0].contains("secret"), "{lines:?}");
        world.finish().await;
    }

    async fn ten_decisions_in_a_second_cost_at_most_two_calls(kind) {
        let Some(world) = World::start_with(kind, &ten_more_approvers()).await else { return };
        let asked = text(&world.person("alice").await.submit(deploy()).await.ok(), "id");
        world.settle().await;
        let mut deciders = Vec::new();
        for number in 0..10 {
            deciders.push(world.person(&format!("p{number}")).await);
        }
        let calls = || world.slack.calls("chat.update").len() + world.slack.calls(POST).len();
        let before = calls();
        for decider in &deciders {
            decider.decide(&asked, "approve").await.ok();
            world.clock.advance(Span(100));
        }
        world.settle().await;
        assert!(calls() - before <= 2, "{} calls", calls() - before);
        assert_eq!(threads(&world, "prod-approvals").len(), 10);
        assert!(world.card().contains("10 of 11"), "{}", world.card());
        world.finish().await;
    }

    async fn two_replicas_and_an_outage_post_each_line_once(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        for round in 1..=5_usize {
            world.types("alice", &DEPLOY.replace("v1.4.2", &format!("v{round}"))).await;
            let click = world.click_of("bob", "approve", Forge::default());
            world.slack.redeliver(&click).await.expect("an answer");
            let (one, other) = tokio::join!(world.bot.workers.settle(), replica.workers.settle());
            one.and(other).expect("the workers work");
        }
        assert_eq!(threads(&world, "prod-approvals").len(), 5);
        // while Slack is down, only those whose account was seen lately can decide
        world.types("carol", "show 1").await;
        world.slack.set_outage(true);
        for number in 1..=5 {
            world.types("carol", &format!("approve {number}")).await;
        }
        world.passes(Span::hours(5)).await;
        world.slack.set_outage(false);
        for _ in 0..4 {
            world.clock.advance(Span::minutes(1));
            let (one, other) = tokio::join!(world.bot.workers.settle(), replica.workers.settle());
            one.and(other).expect("the workers work");
        }
        let lines = threads(&world, "prod-approvals");
        assert_eq!(lines.iter().filter(|line| line.contains("Bob Brown")).count(), 5, "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.contains("Carol Clark")).count(), 5, "{lines:?}");
        replica.stop().await;
        world.finish().await;
    }
}
