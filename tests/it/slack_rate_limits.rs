//! Slack accepts about one message per second and channel. A busy minute must not lose a card or post one twice.

use crate::client::{deploy, text};
use crate::database::on_both;
use crate::race_support::rounds;
use crate::world::{World, world};
use countersign::domain::time::Span;
use serde_json::json;

const REQUESTS: usize = 6;
const UPDATE: &str = "chat.update";

/// The number of cards in `#prod-approvals`.
fn cards(world: &World) -> usize {
    world.slack.look(|state| {
        let room = state.channel("prod-approvals").expect("the room");
        room.messages
            .values()
            .filter(|message| message.only_for.is_none() && message.thread_ts.is_none())
            .count()
    })
}

on_both! {
    async fn busy_channel_gets_every_card_once_within_rate_limits(kind) {
        let world = world!(kind);
        world.slack.set_paced(true);
        for release in 1..=REQUESTS {
            let asked = format!("request release.deploy project=api-platform env=production release=v{release} reason=busy");
            let said = world.types("alice", &asked).await;
            assert!(said.contains(&format!("#{release}")), "{said}");
        }
        assert_eq!(cards(&world), 1);
        for second in 2..=REQUESTS {
            world.passes(Span::seconds(1)).await;
            assert_eq!(cards(&world), second);
        }
        world.passes(Span::seconds(60)).await;
        assert_eq!(cards(&world), REQUESTS);
        world.finish().await;
    }

    /// Many cards change at once; Slack accepts 50 updates per minute.
    async fn open_cards_that_all_change_stay_within_published_limits_no2(kind) {
        let demo = include_str!("../../manifests/demo.yaml").to_owned() + "\nlimits: {pendingPerPrincipal: 0, requestsPerSecond: 0}\n";
        let Some(world) = World::start_with(kind, &demo).await else { return };
        let many = rounds(100, 5);
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut asked = Vec::new();
        for number in 0..many {
            let mut ask = deploy();
            ask["release"] = json!(format!("v{number}"));
            asked.push(text(&alice.submit(ask).await.ok(), "id"));
        }
        while cards(&world) < many {
            world.passes(Span::seconds(5)).await;
        }
        world.slack.set_tiers(true);
        world.slack.set_paced(true);
        let before = world.slack.call_count(UPDATE);
        for id in &asked {
            bob.decide(id, "approve").await.ok();
        }
        let mut minutes = 0;
        while world.slack.call_count(UPDATE) - before < many as u64 && minutes < many {
            for _ in 0..12 {
                world.passes(Span::seconds(5)).await;
            }
            minutes += 1;
        }
        let refused: Vec<_> = world.slack.calls(UPDATE).into_iter().filter_map(|call| call.error).collect();
        assert_eq!(refused, Vec::<String>::new());
        assert!(minutes <= many.div_ceil(45), "{minutes} minutes: slower than 90 % of the limit");
        let shown = world.slack.cards("prod-approvals");
        assert!(shown.iter().all(|card| card.text.contains("1 of 2 approvals")), "every card is current");
        world.finish().await;
    }
}
