//! What waits too long is listed on demand and once a week.

use super::reminding;
use crate::database::on_both;
use crate::world::{DEPLOY, World};
use countersign::domain::time::Span;

on_both! {
    async fn stale_requests_are_listed_with_cancel_for_those_who_may(kind) {
        let world = reminding!(kind);
        world.types("alice", DEPLOY).await;
        let said = world.types("alice", "stale").await;
        assert!(said.contains("No request has waited longer than 4 h"), "{said}");
        world.passes(Span::hours(5)).await;
        let said = world.types("mallory", "stale").await;
        assert!(said.contains("*#1*") && !said.contains("[Cancel]"), "{said}");
        let said = world.types("alice", "stale").await;
        assert!(said.contains("1 request waiting longer than 4 h") && said.contains("[Cancel]"), "{said}");
        assert!(said.contains("`production-deploy-gate`: 1 of 1 waited longer than 1 h"), "{said}");
        world.finish().await;
    }

    async fn the_digest_is_posted_once_a_week_by_one_replica(kind) {
        let world = reminding!(kind);
        let (replica, _) = world.replica().await;
        world.settle().await;
        for day in 0..6 {
            world.types("alice", &DEPLOY.replace("v1.4.2", &format!("v{day}"))).await;
            world.passes(Span::hours(day)).await;
            world.clicks("bob", "approve").await;
            world.clicks("carol", "approve").await;
            world.passes(Span::hours(24 - day)).await;
        }
        world.passes(Span::hours(14)).await;
        world.types("alice", DEPLOY).await;
        let digests = || world.slack.cards("approvals").len();
        assert_eq!(digests(), 0);
        // 09:00 in Istanbul
        world.clock.advance(Span::hours(6));
        let (one, other) = tokio::join!(world.bot.workers.settle(), replica.workers.settle());
        one.and(other).expect("the workers work");
        world.passes(Span::minutes(1)).await;
        assert_eq!(digests(), 1);
        let digest = world.slack.card("approvals").expect("a digest");
        let said = &digest.text;
        assert!(said.contains("1 request waiting longer than 4 h") && said.contains("*#7*"), "{said}");
        assert!(said.contains("*The last 7 days by policy*, until approved") && said.contains("`production-deploy-gate`: half within"), "{said}");
        assert!(said.contains("Hours are those of Europe/Istanbul"), "{said}");
        for (who, status) in [("mallory", "pending"), ("alice", "cancelled")] {
            world.slack.click(who, &digest.channel, &digest.ts, "cancel_request").await.expect("an answer");
            world.settle().await;
            let now = format!("SELECT count(*) FROM requests WHERE number = 7 AND status = '{status}'");
            assert_eq!(world.database.count(&now).await, 1, "{who}");
        }
        world.passes(Span::hours(24)).await;
        assert_eq!(digests(), 1);
        replica.stop().await;
        world.finish().await;
    }
}
