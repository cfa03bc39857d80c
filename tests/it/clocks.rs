//! A clock that jumps (threat ST6): nothing is executed until two readings agree.

use crate::break_glass::{opened, start};
use crate::client::{command, deploy};
use crate::database::on_both;
use crate::policies::{Caller, release};
use crate::world::{MONDAY, World};
use countersign::app::{AppError, Changed, Clock, Machine};
use countersign::domain::decision::Via;
use countersign::domain::document::ConfigDocument;
use countersign::domain::time::{Span, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// The clocks of the machine and of the database, set by hand.
pub struct Hands {
    machine: Arc<Mutex<Machine>>,
    pub clock: Clock,
}

impl Hands {
    pub fn new() -> Self {
        let machine = Arc::new(Mutex::new(Machine {
            wall: MONDAY,
            steady: Span(0),
        }));
        let shown = machine.clone();
        let clock = Clock::measured(move || *shown.lock().expect("the hands"));
        Self { machine, clock }
    }

    /// Moves time; the database's clock then reads `ahead` milliseconds more than the machine's.
    pub fn reads(&self, after: Span, ahead: i64) {
        let now = {
            let mut machine = self.machine.lock().expect("the hands");
            machine.wall = machine.wall.plus(after);
            machine.steady = Span(machine.steady.0 + after.0);
            *machine
        };
        let Clock::Measured(clock) = &self.clock else {
            panic!("a measured clock");
        };
        clock.hear(Timestamp(now.wall.0 + ahead), now, now);
    }
}

async fn ready(world: &World) -> (u16, Value) {
    let answer = reqwest::get(format!("{}/readyz", world.url)).await;
    let answer = answer.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

on_both! {
    async fn nothing_is_executed_while_the_clock_is_unsure_st6(kind) {
        let hands = Hands::new();
        let demo = include_str!("../../manifests/demo.yaml");
        let Some(world) = World::start_by(kind, demo, countersign::sandbox::Seed::example(), hands.clock.clone()).await else { return };
        let (status, body) = ready(&world).await;
        assert_eq!((status, body["detail"].as_str()), (503, Some("the clock has not been read yet")));
        hands.reads(Span(0), 0);
        assert_eq!(ready(&world).await.0, 200);

        let alice = Caller::of(&world, "alice").await;
        let asked = alice.asks(&release()).await.1;
        world.settle().await;
        world.clicks("bob", "approve").await;
        world.clicks("carol", "approve").await;
        for step in [600_000, -600_000] {
            hands.reads(Span::seconds(10), step);
            let (status, refused) = alice.executes(&asked).await;
            assert_eq!((status, refused["code"].as_str()), (503, Some("clock_unsure")), "{refused}");
            let (status, body) = ready(&world).await;
            assert_eq!((status, body["degraded"].as_array().map(Vec::len)), (200, Some(1)), "it serves all else: {body}");
            hands.reads(Span::seconds(1), 0);
            assert_eq!(alice.executes(&asked).await.0, 503, "one reading does not agree with itself");
            hands.reads(Span::seconds(1), 0);
            assert_eq!(ready(&world).await.1["degraded"].as_array().map(Vec::len), Some(0));
        }
        assert_eq!(alice.executes(&asked).await.0, 200);
        world.finish().await;
    }

    /// A session bypasses nothing in that state, either.
    async fn nothing_is_bypassed_while_the_clock_is_unsure_st6(kind) {
        let hands = Hands::new();
        let demo = include_str!("../../manifests/demo.yaml");
        let Some(world) = World::start_by(kind, demo, countersign::sandbox::Seed::example(), hands.clock.clone()).await else { return };
        hands.reads(Span(0), 0);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        hands.reads(Span::seconds(10), 600_000);
        assert_eq!(dan.submit(command()).await.outcome(), "503 clock_unsure");
        assert_eq!(dan.submit(deploy()).await.ok()["status"], "pending", "what people decide can be asked at any hour");
        hands.reads(Span::seconds(1), 0);
        assert_eq!(dan.submit(command()).await.outcome(), "503 clock_unsure", "one reading does not agree with itself");
        hands.reads(Span::seconds(1), 0);
        assert_eq!(dan.submit(command()).await.ok()["status"], "bypassed");
        world.settle().await;
        world.finish().await;
    }

    /// Nor is anything started, changed or applied by Countersign itself; an approval that would apply something is not recorded.
    async fn nothing_is_started_changed_or_applied_while_the_clock_is_unsure_st6(kind) {
        let hands = Hands::new();
        let demo = include_str!("../../manifests/demo.yaml");
        let Some(world) = World::start_by(kind, demo, countersign::sandbox::Seed::example(), hands.clock.clone()).await else { return };
        hands.reads(Span(0), 0);
        let [dan, erin] = [world.person("dan").await, world.person("erin").await];
        let carol = countersign::domain::principal::Caller::person("carol".into(), Via::Api);
        world.reconfigure(|document| document["organization"] = json!("renamed")).await;
        world.settle().await;
        let stored = world.app().config().await.expect("stored").document;
        let unrouted = |mut document: ConfigDocument| {
            document.routes.rules.clear();
            document
        };

        hands.reads(Span::seconds(10), 600_000);
        assert_eq!(dan.post("/v1/break-glass", start()).await.outcome(), "503 clock_unsure");
        let changed = world.app().change_config(&carol, unrouted(stored.clone()), None, None).await;
        assert!(matches!(changed, Err(AppError::ClockUnsure)), "{changed:?}");
        let mut file = stored.clone();
        "filed".clone_into(&mut file.organization);
        let loaded = world.app().load_file(file, "new.yaml").await;
        assert!(matches!(loaded, Ok(Changed::Applied(_))), "no start fails on it: {loaded:?}");
        hands.reads(Span::seconds(1), 0);
        hands.reads(Span::seconds(1), 0);

        world.reconfigure(|document| {
            document["policies"].as_array_mut().expect("a list").push(json!({"id": "rules-gate", "name": "Rules Gate",
                "scope": "organization", "actions": ["environment.policy_update"], "approvers": {"teams": ["security"]}}));
            document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "rules-gate", "level": "organization"}));
        }).await;
        let gated = world.app().config().await.expect("stored").document;
        let reason = Some("tidy".to_owned());
        let asked = match world.app().change_config(&carol, unrouted(gated.clone()), None, reason).await {
            Ok(Changed::Requested(shown)) => *shown,
            other => panic!("not a request: {other:?}"),
        };
        let id = asked.request.id.to_string();
        world.settle().await;
        hands.reads(Span::seconds(10), 600_000);
        assert_eq!(erin.decide(&id, "approve").await.outcome(), "503 clock_unsure");
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 0);
        assert_eq!(world.app().config().await.expect("stored").document, gated);
        hands.reads(Span::seconds(1), 0);
        hands.reads(Span::seconds(1), 0);
        assert_eq!(erin.decide(&id, "approve").await.ok()["status"], "completed");
        assert_eq!(world.app().config().await.expect("stored").document, unrouted(gated));
        for _ in 0..3 {
            world.settle().await;
            hands.reads(Span::seconds(2), 0);
        }
        world.finish().await;
    }

    /// The database's clock decides, whatever the machine's clock says.
    async fn grant_expires_by_the_database_clock_st6(kind) {
        let hands = Hands::new();
        let demo = include_str!("../../manifests/demo.yaml");
        let Some(world) = World::start_by(kind, demo, countersign::sandbox::Seed::example(), hands.clock.clone()).await else { return };
        hands.reads(Span(0), 7_200_000);
        let alice = Caller::of(&world, "alice").await;
        let asked = alice.asks(&release()).await.1;
        world.settle().await;
        world.clicks("bob", "approve").await;
        world.clicks("carol", "approve").await;
        // the wall clock is set back by the hour that the grant lasts; readings continue
        hands.machine.lock().expect("the hands").wall.0 -= 3_600_000;
        for _ in 0..361 {
            hands.reads(Span::seconds(10), 7_200_000 + 3_600_000);
        }
        let (status, refused) = alice.executes(&asked).await;
        assert_eq!((status, refused["code"].as_str(), refused["state"].as_str()), (409, Some("request_closed"), Some("expired")));
        world.finish().await;
    }
}
