//! Whoever is away is not asked first, and a delegate is told instead of them. Nobody gets a right by that.

use super::{reminders, reminding};
use crate::database::on_both;
use crate::world::{DEPLOY, World};
use countersign::domain::time::Span;

on_both! {
    async fn whoever_is_away_is_not_asked_as_long_as_others_can(kind) {
        let world = reminding!(kind);
        let said = world.types("carol", "away until=2026-11-25").await;
        assert!(said.contains("You are away until"), "{said}");
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        assert_eq!(["bob", "carol", "dan"].map(|who| reminders(&world, who)), [1, 0, 1]);
        world.types("carol", "back").await;
        world.passes(Span::hours(4)).await;
        assert_eq!(["bob", "carol", "dan"].map(|who| reminders(&world, who)), [2, 1, 1]);
        world.finish().await;
    }

    async fn a_delegate_is_told_and_decides_by_their_own_right_only(kind) {
        let world = reminding!(kind);
        for (delegate, why) in [("erin", "cannot stand in for you"), ("carol", "cannot stand in for you"), ("nobody", "There is no one person called")] {
            let said = world.types("carol", &format!("away until=2026-11-25 delegate={delegate}")).await;
            assert!(said.starts_with("Nothing was done") && said.contains(why), "{said}");
        }
        world.types("bob", "away until=2026-11-24 delegate=alice").await;
        world.types("carol", "away until=2026-11-25 delegate=dan").await;
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        assert!(world.direct("dan").contains("waits for Carol Clark, who is away and named you as delegate"), "{}", world.direct("dan"));
        assert_eq!(["bob", "carol"].map(|who| reminders(&world, who)), [0, 0]);
        // alice asked for it: being told for bob makes her no approver
        let refused = world.clicks("alice", "approve").await;
        assert!(refused.to_lowercase().contains("not an eligible approver"), "{refused}");
        // who is away may still decide
        world.clicks("carol", "approve").await;
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn an_absence_ends_by_itself(kind) {
        let world = reminding!(kind);
        // the day begins at 05:00 UTC in New York, where carol is by her Slack profile
        world.types("carol", "away until=2026-11-24").await;
        world.passes(Span::hours(19)).await;
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        assert_eq!(["carol", "dan"].map(|who| reminders(&world, who)), [1, 0]);
        world.finish().await;
    }
}
