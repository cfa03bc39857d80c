//! Break-glass alerts leave by e-mail when Slack refuses them or does not take them for a minute, and only then (threat B74).

use super::server::MailServer;
use super::{mailing, told};
use crate::break_glass::{opened, revoke, said};
use crate::database::on_both;
use crate::world::World;
use countersign::domain::message::Lane;
use countersign::domain::time::Span;
use countersign::store::StoreError;

const STARTED: &str = "Break-glass: Dan Davis has started a session, until 2026-11-23 11:00 UTC";

fn to_everybody(server: &MailServer) -> Vec<String> {
    let mut told = told(server);
    told.sort();
    told
}

fn archives(world: &World, is_archived: bool) {
    world.slack.change(|state| {
        state
            .channels
            .get_mut("C03SECURITY")
            .expect("the channel")
            .is_archived = is_archived;
    });
}

on_both! {
    async fn alert_is_emailed_after_a_minute_without_slack_b74(kind) {
        let (mut world, server) = mailing!(kind);
        world.slack.set_outage(true);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        world.passes(Span::seconds(59)).await;
        assert_eq!(told(&server), Vec::<String>::new());
        world.restart().await;
        world.passes(Span::seconds(1)).await;
        let expected = [format!("erin@example.com: {STARTED}"), format!("security@example.com: {STARTED}")];
        assert_eq!(to_everybody(&server), expected);
        let text = server.for_address("security@example.com")[0].text();
        assert!(text.contains("Reason: checkout is down\n") && text.contains("Slack has not taken the alert"), "{text}");
        world.passes(Span::minutes(10)).await;
        assert_eq!(server.received().len(), 2, "once");
        world.slack.set_outage(false);
        world.passes(Span::minutes(2)).await;
        assert_eq!(said(&world, "security").len(), 1, "Slack has it too, later");
        assert_eq!(server.received().len(), 2);
        world.finish().await;
    }

    async fn alert_that_slack_refuses_is_emailed_at_once_b74(kind) {
        let (world, server) = mailing!(kind);
        archives(&world, true);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        let expected = [format!("erin@example.com: {STARTED}"), format!("security@example.com: {STARTED}")];
        assert_eq!(to_everybody(&server), expected);
        world.passes(Span::minutes(30)).await;
        assert_eq!(server.received().len(), 2, "once, however often Slack is tried");
        archives(&world, false);
        world.passes(Span::minutes(2)).await;
        world.finish().await;
    }

    async fn alert_that_slack_takes_is_not_emailed(kind) {
        let (world, server) = mailing!(kind);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        world.passes(Span::minutes(5)).await;
        assert_eq!(said(&world, "security").len(), 1);
        assert_eq!(told(&server), Vec::<String>::new());
        assert_eq!(world.database.count("SELECT count(*) FROM outbox").await, 0);
        world.finish().await;
    }

    async fn two_replicas_email_an_alert_once_b74(kind) {
        let (world, server) = mailing!(kind);
        let (replica, _) = world.replica().await;
        world.slack.set_outage(true);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        world.clock.advance(Span::minutes(1));
        let (one, other) = tokio::join!(world.bot.workers.settle(), replica.workers.settle());
        one.and(other).expect("the workers work");
        world.passes(Span::minutes(3)).await;
        assert_eq!(server.received().len(), 2, "{:?}", told(&server));
        replica.stop().await;
        world.slack.set_outage(false);
        world.passes(Span::minutes(2)).await;
        world.finish().await;
    }

    async fn an_email_that_is_being_sent_is_not_released_again_b74(kind) {
        let (world, server) = mailing!(kind);
        world.slack.set_outage(true);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        world.clock.advance(Span::minutes(1));
        let (now, db) = (world.clock.now(), world.app().db());
        let lease_end = now.plus(Span::minutes(1));
        // another replica is sending one of the two when Slack refuses the alert
        let claimed = db.transaction::<_, StoreError>(async |tx| {
            let claimed = tx.claim_messages(Lane::Email, now, lease_end, 1).await?;
            tx.release_emails_for_channel(&"C03SECURITY".into(), now).await?;
            Ok(claimed)
        }).await.expect("claimed");
        assert_eq!(claimed.count(), 1);
        world.settle().await;
        assert_eq!(server.received().len(), 1, "{:?}", told(&server));
        world.passes(Span::minutes(1)).await;
        assert_eq!(server.received().len(), 2);
        world.slack.set_outage(false);
        world.passes(Span::minutes(2)).await;
        world.finish().await;
    }

    async fn people_without_slack_are_emailed_every_alert_and_no_address_gets_two(kind) {
        let edit = |text: String| text
            .replace(", slack: {teamId: T01TEST, userId: U06ERIN}", "")
            .replace("alerts: [security@example.com]", "alerts: [Erin@example.com]");
        let (world, server) = mailing!(kind, edit);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        assert_eq!(told(&server), [format!("erin@example.com: {STARTED}")]);
        world.passes(Span::minutes(5)).await;
        assert_eq!(server.received().len(), 1);
        world.slack.set_outage(true);
        revoke(&dan, &id).await.ok();
        world.passes(Span::minutes(5)).await;
        assert_eq!(server.received().len(), 2, "{:?}", told(&server));
        world.slack.set_outage(false);
        world.passes(Span::minutes(2)).await;
        world.finish().await;
    }

    async fn alerts_are_emailed_to_people_who_want_no_messages(kind) {
        let (world, server) = mailing!(kind);
        world.types("erin", "notify none quiet=9-18").await;
        archives(&world, true);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        assert_eq!(server.for_address("erin@example.com").len(), 1);
        archives(&world, false);
        world.passes(Span::minutes(2)).await;
        world.finish().await;
    }
}
