//! Slack accepts about one message per second and channel. A busy minute must not lose a card or post one twice.

use crate::database::on_both;
use crate::world::{World, world};
use countersign::domain::ask::Ask;
use countersign::domain::decision::Via;
use countersign::domain::principal::Caller;
use countersign::domain::time::Span;

const REQUESTS: usize = 6;
const CARDS: usize = 1_000;

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

    /// All of them change at once; Slack accepts 50 updates per minute.
    async fn a_thousand_open_cards_are_updated_within_published_limits_no2(kind) {
        let demo = include_str!("../../manifests/demo.yaml").to_owned() + "\nlimits: {pendingPerPrincipal: 0, requestsPerSecond: 0}\n";
        let Some(world) = World::start_with(kind, &demo).await else { return };
        let alice = Caller::person("alice".into(), Via::Api);
        for number in 0..CARDS {
            let ask = Ask {
                action: "release.deploy".to_owned(),
                project: Some("api-platform".to_owned()),
                environment: Some("production".to_owned()),
                release: Some(format!("v{number}")),
                reason: Some("all at once".to_owned()),
                ..Ask::default()
            };
            world.app().submit(&alice, ask, None).await.expect("a request");
        }
        while cards(&world) < CARDS {
            world.passes(Span::seconds(5)).await;
        }
        world.slack.set_tiers(true);
        world.slack.set_paced(true);
        world.reconfigure(|document| document["directory"]["teams"][1]["members"] = serde_json::json!(["carol"])).await;
        let updated = || world.slack.calls("chat.update").len();
        let (before, mut minutes) = (updated(), 0);
        while updated() - before < CARDS && minutes < 30 {
            for _ in 0..12 {
                world.passes(Span::seconds(5)).await;
            }
            minutes += 1;
        }
        let refused: Vec<_> = world.slack.calls("chat.update").into_iter().filter_map(|call| call.error).collect();
        assert_eq!(refused, Vec::<String>::new());
        assert!(minutes <= CARDS / 45, "{minutes} minutes: slower than 90 % of the limit");
        let shown = world.slack.cards("prod-approvals");
        assert!(shown.iter().all(|card| card.text.contains("carol") && !card.text.contains("dan")), "every card is true: {}", shown[0].text);
        world.finish().await;
    }
}
