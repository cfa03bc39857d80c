//! A panic does not end a task for good, and a failing step stops no other step (threat R35).

use crate::break_glass::opened;
use crate::database::{Kind, on_both};
use crate::world::{DEPLOY, MONDAY, World, world};
use countersign::app::{Clock, Machine};
use countersign::domain::time::{Span, Timestamp};
use countersign::sandbox::Seed;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Waits until `/readyz` says something; fails if it never does.
async fn until_degraded(world: &World, says: &str) -> Vec<String> {
    let asking = async {
        loop {
            let degraded = world.degraded().await;
            if degraded.iter().any(|one| one.contains(says)) {
                return degraded;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), asking)
        .await
        .unwrap_or_else(|_| panic!("nobody said {says}"))
}

on_both! {
    async fn a_task_that_panics_is_restarted_and_readiness_says_so_r35(kind) {
        let world = world!(kind);
        let starts = Arc::new(AtomicU32::new(0));
        let (counted, stop) = (starts.clone(), CancellationToken::new());
        let task = move || {
            let start = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(start > 0, "the first start");
                std::future::pending::<()>().await;
            }
        };
        let supervisor = world.app().supervisor().clone();
        let running = tokio::spawn(supervisor.supervise("probe", stop, task));
        let degraded = until_degraded(&world, "`probe`").await;
        assert_eq!(degraded, ["the task `probe` has panicked and was started again (1 times); see the log"]);
        tokio::time::timeout(Duration::from_secs(10), async {
            while starts.load(Ordering::SeqCst) < 2 {
                tokio::task::yield_now().await;
            }
        }).await.expect("it is started again");
        running.abort();
        world.finish().await;
    }

    /// The clock panics once in each of several tasks that read it.
    async fn workers_outlive_panics_in_their_loops_r35(kind) {
        let panics = Arc::new(AtomicI64::new(0));
        let armed = panics.clone();
        let clock = Clock::measured(move || {
            assert!(armed.fetch_sub(1, Ordering::SeqCst) <= 0, "an injected panic");
            Machine { wall: MONDAY, steady: Span(0) }
        });
        if let Clock::Measured(clock) = &clock {
            let at = Machine { wall: MONDAY, steady: Span(0) };
            clock.hear(Timestamp(MONDAY.0), at, at);
        }
        let demo = include_str!("../../../manifests/demo.yaml");
        let Some(world) = World::start_by(kind, demo, Seed::example(), clock).await else { return };
        panics.store(3, Ordering::SeqCst);
        world.bot.workers.start();
        // their loops read the clock first, and so does a readiness check
        tokio::time::timeout(Duration::from_secs(10), async {
            while panics.load(Ordering::SeqCst) > 0 {
                tokio::task::yield_now().await;
            }
        }).await.expect("the workers read the clock");
        until_degraded(&world, "worker` has panicked").await;
        let said = world.slack.command_in("alice", "prod-approvals", "/approval", DEPLOY).await.expect("an answer");
        assert!(said.body.contains("Asked as"), "{}", said.body);
        world.slack.wait_for_calls("chat.postMessage", 1).await.expect("the workers work on");
        world.finish().await;
    }

    async fn failing_sweep_step_does_not_stop_other_steps_r35(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        world.types("alice", DEPLOY).await;
        let (broken, repaired) = match kind {
            Kind::Sqlite => (
                "CREATE TRIGGER no_expiry BEFORE UPDATE ON requests WHEN new.status = 'expired' BEGIN SELECT RAISE(ABORT, 'no'); END",
                "DROP TRIGGER no_expiry",
            ),
            Kind::Postgres => (
                "ALTER TABLE requests ADD CONSTRAINT no_expiry CHECK (status <> 'expired')",
                "ALTER TABLE requests DROP CONSTRAINT no_expiry",
            ),
        };
        world.database.execute(broken).await.expect("expiry fails");
        world.clock.advance(Span::hours(30));
        assert!(world.bot.workers.settle().await.is_err(), "what fails is not hidden");
        let degraded = world.degraded().await;
        assert!(degraded.iter().any(|one| one.contains("the step `expiry` fails")), "{degraded:?}");
        let ended = "SELECT count(*) FROM sessions WHERE status = 'active'";
        assert_eq!(world.database.count(ended).await, 0, "the session has ended all the same");
        assert_eq!(world.database.count("SELECT count(*) FROM audit WHERE seal IS NULL").await, 0, "sealing goes on");
        let alerts = crate::break_glass::said(&world, "security");
        assert!(alerts.iter().any(|alert| alert.contains("is over")), "{alerts:?}");
        world.database.execute(repaired).await.expect("expiry works");
        world.settle().await;
        assert_eq!(world.degraded().await, Vec::<String>::new());
        assert!(world.card().contains("Expired"), "{}", world.card());
        world.finish().await;
    }
}

/// Every long-lived task is started under supervision.
#[test]
fn every_long_lived_task_is_supervised_r35() {
    let mut looked_at = 0;
    for (path, text) in crate::architecture::every_file("src") {
        // a delivery ends by itself, and what it leaves undone is due again
        if path == "worker/webhooks.rs" {
            continue;
        }
        let lives_long = [
            "app/",
            "worker/",
            "bot.rs",
            "slack/inbound/socket/mod.rs",
            "store/writer.rs",
        ];
        if !lives_long.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        for (at, _) in text.match_indices("spawn(") {
            let argument: String = text[at..].chars().take(120).collect();
            let supervised = argument.contains("running") || argument.contains("supervise");
            assert!(supervised, "{path}: {argument}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 5, "only {looked_at} tasks were found");
}
