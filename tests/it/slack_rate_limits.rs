//! Slack accepts about one message per second and channel. A busy minute must not lose a card or post one twice.

use crate::database::on_both;
use crate::world::{World, world};
use countersign::domain::time::Span;

const REQUESTS: usize = 6;

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
}
