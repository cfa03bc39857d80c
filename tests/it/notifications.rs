//! Nobody is forgotten and nobody is spammed: reminders, escalations, warnings, preferences, absences and digests, told as stories.

mod absence;
mod digest;
mod preferences;

use crate::database::on_both;
use crate::threads::threads;
use crate::world::{DEPLOY, World, world};
use countersign::domain::time::Span;

/// The demo's configuration with reminders, an escalation, a warning and a digest.
pub fn configuration() -> String {
    let demo = include_str!("../../manifests/demo.yaml").replace(
        "    name: Production Deploy Gate\n",
        "    name: Production Deploy Gate\n    latencyTarget: 1h\n    escalation: {after: 3h, notify: {users: [erin]}, channel: C03SECURITY}\n",
    );
    format!(
        "{demo}\nreminders: {{first: 2h, factor: 2, most: 3}}\nnotifications:\n  requesterExpiryWarning: 1h\n  staleAfter: 4h\n  \
         digest: {{weekday: monday, hour: 9, timezone: Europe/Istanbul, channel: C01APPROVALS}}\n"
    )
}

/// A world with that configuration, or the end of the test if there is no Postgres.
macro_rules! reminding {
    ($kind:expr) => {
        match World::start_with($kind, &$crate::notifications::configuration()).await {
            Some(world) => world,
            None => return,
        }
    };
}
pub(crate) use reminding;

/// The reminders that somebody has received.
pub fn reminders(world: &World, who: &str) -> usize {
    direct(world, who, "Reminder:").len()
}

/// The direct messages of somebody that contain a text.
pub fn direct(world: &World, who: &str, text: &str) -> Vec<String> {
    let told = world.slack.direct_messages(who).into_iter();
    told.map(|told| told.text)
        .filter(|told| told.contains(text))
        .collect()
}

fn in_thread(world: &World) -> usize {
    let lines = threads(world, "prod-approvals");
    lines
        .iter()
        .filter(|line| line.starts_with("Reminder:"))
        .count()
}

on_both! {
    async fn reminders_grow_apart_and_go_to_the_smallest_set(kind) {
        let world = reminding!(kind);
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(2)).await;
        assert_eq!(["alice", "bob", "carol", "dan", "erin"].map(|who| reminders(&world, who)), [0, 1, 1, 0, 0]);
        let said = world.direct("bob");
        assert!(said.starts_with("*Reminder: #1 waits for you.* Alice Anderson asks for Release Deploy"), "{said}");
        assert!(said.contains("It expires") && said.contains("[Review] [Details]"), "{said}");
        let lines = threads(&world, "prod-approvals");
        assert!(lines.len() == 1 && lines[0].starts_with("Reminder: still waits for Bob Brown and Carol Clark; it expires"), "{lines:?}");
        world.passes(Span::hours(1)).await;
        assert_eq!((reminders(&world, "bob"), in_thread(&world)), (1, 1));
        world.clicks("bob", "approve").await;
        // four hours after the first one, then eight hours later
        world.passes(Span::hours(3)).await;
        assert_eq!((reminders(&world, "bob"), reminders(&world, "carol"), in_thread(&world)), (1, 2, 2));
        world.passes(Span::hours(8)).await;
        assert_eq!((reminders(&world, "carol"), in_thread(&world)), (3, 3));
        world.passes(Span::hours(9)).await;
        assert_eq!((reminders(&world, "carol"), in_thread(&world)), (3, 3), "at most three");
        world.finish().await;
    }

    async fn reminders_stop_when_a_request_is_decided(kind) {
        let world = reminding!(kind);
        world.types("alice", DEPLOY).await;
        world.clicks("bob", "approve").await;
        world.clicks("carol", "approve").await;
        world.passes(Span::hours(30)).await;
        assert_eq!((reminders(&world, "bob"), reminders(&world, "carol"), in_thread(&world)), (0, 0, 0));
        assert_eq!(world.database.count("SELECT count(*) FROM follow_ups").await, 0);
        world.finish().await;
    }

    async fn an_unreadable_row_stops_no_other_reminder_r04(kind) {
        let world = reminding!(kind);
        world.types("alice", DEPLOY).await;
        world.types("alice", &DEPLOY.replace("v1.4.2", "v1.4.3")).await;
        world.database.execute("UPDATE follow_ups SET done = 'broken' WHERE request_id = (SELECT id FROM requests WHERE number = 1)").await.expect("a row");
        world.passes(Span::hours(2)).await;
        assert_eq!(reminders(&world, "bob"), 1, "of #2");
        world.database.execute("UPDATE follow_ups SET done = '{}' WHERE done = 'broken'").await.expect("a row");
        world.passes(Span::hours(2)).await;
        assert_eq!(reminders(&world, "bob"), 2, "and of #1");
        world.finish().await;
    }

    async fn request_of_a_release_without_reminders_is_followed_up_all_the_same(kind) {
        let world = reminding!(kind);
        world.types("alice", DEPLOY).await;
        // as a replica of that release would have stored it
        let deleted = world.database.execute("DELETE FROM follow_ups").await;
        assert_eq!(deleted.expect("a row"), 1);
        world.passes(Span::hours(2)).await;
        world.passes(Span::seconds(1)).await;
        assert_eq!(in_thread(&world), 1);
        world.finish().await;
    }

    async fn two_replicas_and_a_restart_remind_once(kind) {
        let mut world = reminding!(kind);
        let (replica, _) = world.replica().await;
        world.types("alice", DEPLOY).await;
        world.clock.advance(Span::hours(2));
        let (one, other) = tokio::join!(world.bot.workers.settle(), replica.workers.settle());
        one.and(other).expect("the workers work");
        world.passes(Span::seconds(10)).await;
        assert_eq!((reminders(&world, "bob"), in_thread(&world)), (1, 1));
        replica.stop().await;
        world.restart().await;
        world.passes(Span::minutes(1)).await;
        assert_eq!((reminders(&world, "bob"), in_thread(&world)), (1, 1));
        world.passes(Span::hours(4)).await;
        assert_eq!((reminders(&world, "bob"), in_thread(&world)), (2, 2));
        world.finish().await;
    }

    async fn an_outage_ends_with_one_reminder(kind) {
        let world = reminding!(kind);
        world.types("alice", DEPLOY).await;
        world.slack.set_outage(true);
        for _ in 0..20 {
            world.passes(Span::hours(1)).await;
        }
        world.slack.set_outage(false);
        world.passes(Span::minutes(1)).await;
        assert_eq!((reminders(&world, "bob"), reminders(&world, "carol"), in_thread(&world)), (1, 1, 1));
        world.finish().await;
    }

    async fn a_process_that_did_not_run_reminds_once(kind) {
        let world = reminding!(kind);
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(20)).await;
        assert_eq!((reminders(&world, "bob"), in_thread(&world)), (1, 1));
        world.finish().await;
    }

    async fn escalation_tells_once_and_widens_nothing(kind) {
        let world = reminding!(kind);
        world.types("alice", DEPLOY).await;
        world.clicks("bob", "approve").await;
        let posted = || world.slack.cards("security").len();
        let before = posted();
        world.passes(Span::hours(3)).await;
        assert_eq!(posted(), before + 1);
        let said = world.slack.card("security").expect("a message").text;
        assert!(said.starts_with("*#1 has waited too long for Production Deploy Gate.*"), "{said}");
        assert!(said.contains("Missing: 1 of 2 approvals; SRE has not approved. Waits for Carol Clark"), "{said}");
        assert_eq!(direct(&world, "erin", "has waited too long").len(), 1);
        let refused = world.types("erin", "approve 1").await;
        assert!(refused.to_lowercase().contains("not an eligible approver"), "{refused}");
        world.passes(Span::hours(20)).await;
        assert_eq!((posted(), direct(&world, "erin", "has waited too long").len()), (before + 1, 1));
        world.finish().await;
    }

    async fn requester_is_warned_before_expiry_and_told_how_to_ask_again(kind) {
        let world = reminding!(kind);
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(23)).await;
        let warned = direct(&world, "alice", "It expires");
        assert_eq!(warned.len(), 1, "{warned:?}");
        assert!(warned[0].contains("0 of 2 approvals") && warned[0].contains("If it expires, ask again:"), "{warned:?}");
        world.passes(Span::minutes(30)).await;
        assert_eq!(direct(&world, "alice", "It expires").len(), 1);
        // the command that it names asks for the same
        world.passes(Span::hours(2)).await;
        let command = warned[0].split('`').nth(1).expect("a command").trim_start_matches("/approval ");
        let asked = world.types("alice", command).await;
        assert!(asked.contains("#2"), "{asked}");
        world.finish().await;
    }

    async fn changed_settings_apply_to_requests_that_wait(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.passes(Span::hours(3)).await;
        assert_eq!(reminders(&world, "bob"), 0);
        world.reconfigure(|document| document["reminders"] = serde_json::json!({"first": "10s", "factor": 2})).await;
        world.passes(Span::seconds(1)).await;
        assert_eq!(reminders(&world, "bob"), 1, "one for all that were due since it began to wait");
        world.finish().await;
    }
}
