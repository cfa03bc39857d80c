//! The database hangs: within three seconds Slack is told to retry, and never receives an acknowledgement of something that is not done.
//! The person who clicked learns the outcome later (docs/decisions.md D33).

use crate::database::on_both_doors;
use crate::world::{DEPLOY, Wire, World, world};
use countersign::domain::time::Span;
use countersign::sandbox::{ActError, Answer, Delivery, Forge, Place};
use std::time::{Duration, Instant};

/// Asserts that there was no ack: over HTTP status 503 after 2.5 s; over a socket Slack stops waiting after 3 s.
fn not_acknowledged(world: &World, since: Instant, answer: Result<Answer, ActError>) {
    let took = since.elapsed();
    match (world.wire, answer) {
        (Wire::Http, Ok(answer)) => {
            assert_eq!((answer.status, answer.body.as_str()), (503, ""));
            assert!(took >= Duration::from_millis(2_400), "{took:?}");
        }
        (Wire::Sockets, Err(ActError::Timeout)) => {}
        (_, other) => panic!("{other:?}"),
    }
}

async fn decisions(world: &World) -> i64 {
    world.database.count("SELECT count(*) FROM decisions").await
}

on_both_doors! {
    async fn started_click_reports_its_outcome_later(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let click = world.click_of("bob", "approve", Forge::default());
        let held = world.database.hold().await;
        let since = Instant::now();
        not_acknowledged(&world, since, world.slack.redeliver(&click).await);
        assert_eq!(world.told("bob"), Vec::<String>::new(), "nothing is said of what has not happened");
        held.release().await;
        world.settle().await;
        assert_eq!(decisions(&world).await, 1);
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        let told = world.told("bob");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("approve"), "{told:?}");
        // a retry by Slack or by bob changes nothing
        let rows = world.rows().await;
        assert_eq!(world.delivers(&click).await.status, 200);
        assert_eq!((world.rows().await, world.told("bob").len()), (rows, 1));
        world.finish().await;
    }

    async fn refusal_too_late_for_the_ack_is_still_sent(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let click = world.click_of("mallory", "approve", Forge::default());
        let held = world.database.hold().await;
        let since = Instant::now();
        not_acknowledged(&world, since, world.slack.redeliver(&click).await);
        held.release().await;
        world.settle().await;
        let told = world.told("mallory");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("You are not an eligible approver"), "{told:?}");
        assert_eq!(decisions(&world).await, 0);
        world.finish().await;
    }

    async fn started_command_reports_its_outcome_later_and_creates_one_request(kind) {
        let world = world!(kind);
        let command = world.command_of("alice", DEPLOY);
        let held = world.database.hold().await;
        let since = Instant::now();
        not_acknowledged(&world, since, world.slack.redeliver(&command).await);
        held.release().await;
        world.settle().await;
        let told = world.told("alice");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("Asked as *#1*"), "{told:?}");
        assert!(world.card().contains("0 of 2"), "{}", world.card());
        // typed again: the same reply, and no second request
        assert!(world.delivers(&command).await.body.contains("Asked as *#1*"));
        assert_eq!(world.database.count("SELECT count(*) FROM requests").await, 1);
        world.finish().await;
    }

    /// The first clicks occupy all deciders, so the last one only waits in the queue.
    async fn click_that_never_left_the_queue_is_dropped_with_a_reply(kind) {
        let world = world!(kind);
        let busy = world.database.db.deciders();
        for number in 0..=busy {
            world.types("alice", &DEPLOY.replace("v1.4.2", &format!("v{number}"))).await;
            world.passes(Span::seconds(2)).await;
        }
        let cards = world.slack.cards("prod-approvals");
        assert_eq!(cards.len(), busy + 1);
        let clicks: Vec<Delivery> = cards.iter().map(|card| {
            let place = Place::Message { channel: &card.channel, ts: &card.ts };
            world.slack.press_delivery("bob", place, "approve".into(), Forge::default()).expect("it can be clicked")
        }).collect();
        let held = world.database.hold().await;
        for click in &clicks {
            let since = Instant::now();
            not_acknowledged(&world, since, world.slack.redeliver(click).await);
        }
        // a queued command makes the last click wait longer than a click may
        let command = world.command_of("alice", DEPLOY);
        not_acknowledged(&world, Instant::now(), world.slack.redeliver(&command).await);
        held.release().await;
        world.settle().await;
        // replies say done for what is done, and not done for the rest
        let told = world.told("bob");
        assert_eq!(told.len(), clicks.len(), "{told:?}");
        let dropped = told.iter().filter(|told| told.contains("has not done this")).count();
        assert_eq!(decisions(&world).await, i64::try_from(clicks.len() - dropped).expect("few"), "{told:?}");
        // on Postgres, those that wait for a lock give up after four seconds, too
        assert!(dropped >= 1, "{told:?}");
        // retrying is safe: now each click counts once
        for click in &clicks {
            assert_eq!(world.delivers(click).await.status, 200);
        }
        assert_eq!(decisions(&world).await, i64::try_from(clicks.len()).expect("few"));
        world.finish().await;
    }
}
