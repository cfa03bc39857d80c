//! People choose what they are told, and when. Alerts always reach them.

use super::{direct, reminders, reminding};
use crate::database::on_both;
use crate::world::{DEPLOY, World};
use countersign::domain::time::Span;
use countersign::sandbox::Values;

on_both! {
    async fn a_person_chooses_what_they_are_told_and_it_is_audited(kind) {
        let world = reminding!(kind);
        let said = world.types("bob", "notify none").await;
        assert!(said.contains("*no* direct messages except break-glass alerts"), "{said}");
        world.types("alice", "notify needed").await;
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        assert_eq!((reminders(&world, "bob"), reminders(&world, "carol")), (0, 1));
        // alice can start what was approved, so she is needed; that it was rejected is information
        world.clicks("bob", "approve").await;
        world.clicks("carol", "approve").await;
        assert!(world.direct("alice").contains("is approved"), "{}", world.direct("alice"));
        world.types("alice", &DEPLOY.replace("v1.4.2", "v2")).await;
        world.types("carol", "reject 2 not today").await;
        assert_eq!(direct(&world, "alice", "was rejected").len(), 0);
        let audit = world.audit().await;
        let changed = audit.iter().filter(|event| event.starts_with("preferences.changed"));
        assert_eq!(changed.collect::<Vec<_>>(), ["preferences.changed by person:bob", "preferences.changed by person:alice"]);
        world.finish().await;
    }

    async fn quiet_hours_hold_messages_back_until_they_end(kind) {
        let world = reminding!(kind);
        // it is 13:00 in Istanbul, and 05:00 in New York, where carol is by her Slack profile
        world.types("bob", "notify quiet=14-17 timezone=Europe/Istanbul").await;
        world.types("carol", "notify quiet=6-9").await;
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        assert_eq!((reminders(&world, "bob"), reminders(&world, "carol")), (0, 0));
        world.passes(Span::hours(2)).await;
        assert_eq!((reminders(&world, "bob"), reminders(&world, "carol")), (1, 1));
        world.finish().await;
    }

    async fn quiet_hours_of_the_configuration_can_be_switched_off(kind) {
        let demo = super::configuration().replace("  staleAfter: 4h\n", "  staleAfter: 4h\n  quietHours: {from: 11, to: 18}\n");
        let Some(world) = World::start_with(kind, &demo).await else { return };
        world.types("carol", "notify quiet=off").await;
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        assert_eq!((reminders(&world, "bob"), reminders(&world, "carol")), (0, 1));
        // two reminders were due meanwhile, and one of them is sent
        world.passes(Span::hours(6)).await;
        assert_eq!(reminders(&world, "bob"), 1);
        world.finish().await;
    }

    async fn alerts_reach_people_who_want_no_messages(kind) {
        let world = reminding!(kind);
        world.types("erin", "notify none quiet=9-18").await;
        world.slack.command("dan", "/breakglass",
            "start actions=cluster.restart cluster=prod-eu-1 for=1h reason=\"checkout is down\"").await.expect("an answer");
        world.settle().await;
        assert!(world.direct("erin").contains("checkout is down"), "{}", world.direct("erin"));
        world.finish().await;
    }

    async fn preferences_are_shown_and_changed_on_home(kind) {
        let world = reminding!(kind);
        world.slack.open_home("bob").await.expect("an answer");
        world.settle().await;
        let home = || world.slack.home("bob").unwrap_or_default();
        assert!(home().contains("You receive *all* direct messages"), "{}", home());
        world.slack.click_home("bob", "preferences", None).await.expect("an answer");
        world.settle().await;
        let wrong = world.fills("bob", Values::from([("notify", "needed"), ("quiet", "late")])).await;
        assert!(wrong.contains("are no quiet hours"), "{wrong}");
        world.fills("bob", Values::from([("notify", "needed"), ("quiet", "22-7"), ("timezone", "Europe/Istanbul")])).await;
        assert!(home().contains("only when you are needed") && home().contains("quiet from 22:00 to 7:00"), "{}", home());
        let said = world.types("bob", "notify timezone=Mars/Olympus").await;
        assert!(said.starts_with("Nothing was done"), "{said}");
        world.finish().await;
    }
}
