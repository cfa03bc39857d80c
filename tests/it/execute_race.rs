//! Consumers that race for one grant (threats AP5, B10): exactly one gets it, each time.
//!
//! `COUNTERSIGN_RACE_ROUNDS` sets the number of rounds.

use crate::database::on_both;
use crate::race_support::{approval, rounds};
use crate::world::{World, world};
use countersign::app::{App, AppError, Executed, IdempotencyKey, RequestRef};
use countersign::domain::ask::Ask;
use countersign::domain::decision::Via;
use countersign::domain::principal::Caller;
use countersign::domain::refusal::Refusal;
use countersign::domain::request::Status;
use countersign::domain::time::Span;
use std::sync::Arc;
use tokio::sync::Barrier;

const CONSUMERS: usize = 8;

/// A command of alice's that carol has approved: its id and digest.
async fn granted(world: &World) -> (RequestRef, String) {
    // the rate limit is not under test
    world.clock.advance(Span::seconds(1));
    let submission = Ask {
        action: "command.execute".to_owned(),
        cluster: Some("prod-eu-1".to_owned()),
        reason: Some("a race".to_owned()),
        ..Ask::default()
    };
    let alice = Caller::person("alice".into(), Via::Api);
    let asked = world
        .app()
        .submit(&alice, submission, None)
        .await
        .expect("a request")
        .shown
        .request;
    let request = RequestRef::Id(asked.id);
    let click = approval(&request, "carol");
    assert_eq!(
        world.app().decide(click).await.expect("a decision").status,
        Status::Approved
    );
    (request, asked.digest.to_string())
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey {
        key: format!("api:person:alice:{text}"),
        fingerprint: "the same".to_owned(),
        keep: Span::hours(1),
    }
}

/// Starts all consumers at once, on both replicas.
async fn race(
    apps: &[App; 2],
    request: &RequestRef,
    digest: &str,
    once: impl Fn(usize) -> Option<IdempotencyKey>,
) -> Vec<Result<Executed, AppError>> {
    let barrier = Arc::new(Barrier::new(CONSUMERS));
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|n| {
            let (app, barrier, once) = (apps[n % 2].clone(), barrier.clone(), once(n));
            let (request, digest) = (request.clone(), digest.to_owned());
            tokio::spawn(async move {
                let alice = Caller::person("alice".into(), Via::Api);
                barrier.wait().await;
                // busy is not an outcome, so the consumer retries
                loop {
                    match app
                        .execute(&alice, &request, digest.as_str().into(), once.clone())
                        .await
                    {
                        Err(AppError::Busy) => {}
                        answer => return answer,
                    }
                }
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for consumer in consumers {
        outcomes.push(consumer.await.expect("no consumer panics"));
    }
    outcomes
}

on_both! {
    async fn eight_consumers_race_and_exactly_one_wins_ap5_b10(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        let apps = [world.app().clone(), replica.app.clone()];
        for round in 0..rounds(150, 1) {
            let (request, digest) = granted(&world).await;
            let outcomes = race(&apps, &request, &digest, |n| (n % 3 == 0).then(|| key(&format!("{round}-{n}")))).await;
            let mut won = 0;
            for outcome in outcomes {
                match outcome {
                    Ok(executed) => {
                        assert_eq!(executed.shown.request.state.status(), Status::Executed);
                        won += 1;
                    }
                    Err(AppError::Refused(Refusal::Closed(Status::Executed))) => {}
                    Err(other) => panic!("round {round}: {other:?}"),
                }
            }
            assert_eq!(won, 1, "round {round}");
        }
        let executed = world.database.count("SELECT count(*) FROM requests WHERE status = 'executed'").await;
        assert_eq!(executed, i64::try_from(rounds(150, 1)).expect("few"));
        let events = world.audit_count("request.executed").await;
        assert_eq!(events, executed);
        world.finish().await;
    }

    async fn retries_of_one_consumer_are_one_execution_ap5(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        let apps = [world.app().clone(), replica.app.clone()];
        for round in 0..rounds(150, 5) {
            let (request, digest) = granted(&world).await;
            for outcome in race(&apps, &request, &digest, |_| Some(key(&round.to_string()))).await {
                match outcome {
                    Ok(executed) => assert_eq!(executed.payload, "null"),
                    Err(AppError::Refused(Refusal::InFlight)) => {}
                    Err(other) => panic!("round {round}: {other:?}"),
                }
            }
        }
        assert_eq!(world.audit_count("request.executed").await, i64::try_from(rounds(150, 5)).expect("few"));
        world.finish().await;
    }
}

impl World {
    async fn audit_count(&self, event: &str) -> i64 {
        self.database
            .count(&format!(
                "SELECT count(*) FROM audit WHERE what = '{event}'"
            ))
            .await
    }
}
