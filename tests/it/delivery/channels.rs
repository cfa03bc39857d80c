//! A channel that refuses messages does not delay messages to other targets (threats R05, R13, R14, R24).

use super::{POST, PROD, SECURITY, alert, alert_to, archive, posts_to};
use crate::break_glass::{opened, said};
use crate::database::on_both;
use crate::race_support::approval;
use crate::world::{DEPLOY, World, world};
use countersign::app::RequestRef;
use countersign::domain::time::Span;
use countersign::sandbox::Fault;

/// A command that requests the release of this version.
fn release(number: usize) -> String {
    DEPLOY.replace("v1.4.2", &format!("v{number}"))
}

/// A request whose card goes to `#approvals`.
const ELSEWHERE: &str = "request project.delete project=billing reason=why";

async fn due(world: &World, of: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {of} AND due_at IS NOT NULL");
    world.database.count(&sql).await
}

on_both! {
    async fn refused_alerts_do_not_delay_direct_messages_r05(kind) {
        const ALERTS: usize = 350;
        let world = world!(kind);
        archive(&world, SECURITY, true);
        alert(&world, (0..ALERTS).map(|number| format!("alert {number:03}"))).await;
        world.types("alice", DEPLOY).await;
        world.clicks("bob", "approve").await;
        world.clicks("carol", "approve").await;
        assert!(world.direct("alice").contains("approved"), "{}", world.direct("alice"));
        assert!(posts_to(&world, SECURITY) <= 3, "{} calls: the channel was not left alone", posts_to(&world, SECURITY));
        let degraded = world.degraded().await;
        assert_eq!(degraded, [format!("{ALERTS} alerts have not been delivered: is_archived: the channel is archived")]);
        // one probe at a time, at most every 45 seconds once the pauses have grown
        for _ in 0..40 {
            world.passes(Span::seconds(15)).await;
        }
        let probes = posts_to(&world, SECURITY);
        assert!((8..=24).contains(&probes), "{probes} calls in ten minutes");
        archive(&world, SECURITY, false);
        world.passes(Span::seconds(45)).await;
        let alerts = said(&world, "security");
        let expected: Vec<String> = (0..ALERTS).map(|number| format!("alert {number:03}")).collect();
        assert_eq!(alerts, expected, "all of them, in the order of what happened");
        assert_eq!(world.degraded().await, Vec::<String>::new());
        world.finish().await;
    }

    /// Each round has a share for direct messages, however many alerts wait.
    async fn direct_messages_leave_beside_a_long_line_of_alerts_r05(kind) {
        const ALERTS: usize = 40;
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        alert(&world, (0..ALERTS).map(|number| format!("alert {number}"))).await;
        for who in ["bob", "carol"] {
            world.app().decide(approval(&RequestRef::Number(1), who)).await.expect("a decision");
        }
        world.settle().await;
        let channels: Vec<String> = world.slack.calls(POST).iter()
            .map(|call| call.args["channel"].as_str().unwrap_or_default().to_owned())
            .collect();
        let alerts = channels.iter().filter(|channel| *channel == SECURITY).count();
        assert_eq!(alerts, ALERTS);
        let direct = channels.iter().position(|channel| channel.starts_with('D')).expect("alice is told");
        let behind = channels[direct..].iter().filter(|channel| *channel == SECURITY).count();
        assert!(behind > ALERTS / 2, "{behind} of {ALERTS} alerts came after it");
        world.finish().await;
    }

    /// An alert that Slack refuses because of its content does not delay the others.
    async fn undeliverable_alert_does_not_delay_other_alerts_r05(kind) {
        let world = world!(kind);
        world.slack.fail_next_of(POST, Fault::api("msg_too_long"));
        alert(&world, (0..5).map(|number| format!("alert {number}"))).await;
        world.settle().await;
        assert_eq!(said(&world, "security"), ["alert 1", "alert 2", "alert 3", "alert 4"]);
        // an unknown error is retried until the message is accepted
        for _ in 0..20 {
            world.slack.fail_next_of(POST, Fault::api("some_new_code"));
        }
        for _ in 0..30 {
            world.passes(Span::minutes(1)).await;
        }
        assert_eq!(said(&world, "security").len(), 5);
        world.finish().await;
    }

    /// It may be the one that Slack never takes, so after ten failures the next alert is tried.
    async fn alert_that_fails_ten_times_lets_others_go_first_r05(kind) {
        let world = world!(kind);
        for _ in 0..11 {
            world.slack.fail_next_of(POST, Fault::api("some_new_code"));
        }
        alert(&world, (0..2).map(|number| format!("alert {number}"))).await;
        for _ in 0..15 {
            world.passes(Span::minutes(1)).await;
        }
        assert_eq!(said(&world, "security"), ["alert 1", "alert 0"]);
        world.finish().await;
    }

    async fn administrators_are_notified_once_per_channel_outage_r13(kind) {
        let world = world!(kind);
        let told = || world.slack.direct_messages("carol").len();
        // the first attempt fails with another error
        world.slack.fail_next_of(POST, Fault::Http(500));
        archive(&world, SECURITY, true);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        assert_eq!(told(), 0);
        world.passes(Span::seconds(1)).await;
        assert_eq!(told(), 1);
        assert!(world.direct("carol").contains("refuses an alert"), "{}", world.direct("carol"));
        alert(&world, ["another".to_owned()].into_iter()).await;
        for _ in 0..20 {
            world.passes(Span::minutes(1)).await;
        }
        assert_eq!(told(), 1, "one outage is told once, however many alerts wait");
        archive(&world, SECURITY, false);
        world.passes(Span::minutes(1)).await;
        assert_eq!(said(&world, "security").len(), 2);
        // the channel fails again
        archive(&world, SECURITY, true);
        alert(&world, ["a third".to_owned()].into_iter()).await;
        world.settle().await;
        assert_eq!(told(), 2);
        archive(&world, SECURITY, false);
        world.passes(Span::minutes(1)).await;
        world.finish().await;
    }

    async fn refused_cards_delay_no_other_card_and_end_with_their_request_r14(kind) {
        const REQUESTS: usize = 12;
        let world = world!(kind);
        archive(&world, PROD, true);
        for number in 1..=REQUESTS {
            world.types("alice", &release(number)).await;
        }
        assert_eq!(posts_to(&world, PROD), 1, "the others wait for the probe");
        let typed = world.slack.command_in("alice", "approvals", "/approval", ELSEWHERE).await;
        typed.expect("an answer");
        world.settle().await;
        assert_eq!(world.slack.cards("approvals").len(), 1, "at once");
        // a closed request needs no card
        for number in 1..REQUESTS {
            world.types("alice", &format!("cancel {number}")).await;
        }
        world.passes(Span::minutes(1)).await;
        assert_eq!(due(&world, "cards WHERE channel = 'C02PROD'").await, 1, "the one that is pending");
        for _ in 0..10 {
            world.passes(Span::minutes(1)).await;
        }
        assert!(posts_to(&world, PROD) <= 15, "{} calls", posts_to(&world, PROD));
        archive(&world, PROD, false);
        world.passes(Span::seconds(45)).await;
        assert_eq!(world.slack.cards("prod-approvals").len(), 1);
        assert!(world.card().contains(&format!("*#{REQUESTS}* ")), "{}", world.card());
        world.finish().await;
    }

    /// One alert hangs until the lease of all is over, and another replica delivers them meanwhile.
    async fn no_alert_is_begun_late_in_its_lease(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        alert(&world, ["it hangs".to_owned()].into_iter()).await;
        alert_to(&world, PROD, ["behind it".to_owned()].into_iter()).await;
        world.slack.fail_next_of(POST, Fault::Timeout);
        let overtaken = async {
            world.slack.wait_for_calls(POST, 1).await.expect("it hangs");
            world.clock.advance(Span::seconds(20));
            replica.workers.settle().await.expect("the workers work");
            assert_eq!(posts_to(&world, PROD), 1);
            world.slack.release_hung();
        };
        tokio::join!(world.settle(), overtaken);
        assert_eq!(posts_to(&world, PROD), 1, "it is said once");
        replica.stop().await;
        world.finish().await;
    }

    async fn retry_after_of_ten_days_is_capped_r24(kind) {
        let world = world!(kind);
        world.slack.fail_next_of(POST, Fault::RateLimited { retry_after: 864_000 });
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        assert_eq!(said(&world, "security").len(), 0);
        world.passes(Span(179_999)).await;
        assert_eq!(said(&world, "security").len(), 0, "a pause is obeyed all the same");
        world.passes(Span(1)).await;
        assert_eq!(said(&world, "security").len(), 1);
        world.finish().await;
    }
}
