//! Many long polls: each returns the decision, on the replica that decided and on another one.
//!
//! `COUNTERSIGN_WAITERS` sets their number; 10,000 take some seconds.

use crate::database::on_both;
use crate::race_support::approval;
use crate::world::{World, world};
use countersign::app::{App, RequestRef};
use countersign::domain::ask::Ask;
use countersign::domain::decision::Via;
use countersign::domain::principal::Caller;
use countersign::domain::request::Status;
use countersign::domain::time::Span;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The length of the long polls. One that is not woken answers `pending` then, and fails the test.
const PATIENCE: Duration = Duration::from_mins(4);
/// The number of long polls for one request.
const TOGETHER: usize = 50;

fn waiters() -> usize {
    let named = std::env::var("COUNTERSIGN_WAITERS").ok();
    named.and_then(|text| text.parse().ok()).unwrap_or(400)
}

async fn ask(world: &World) -> RequestRef {
    // the rate limit is not under test
    world.clock.advance(Span::seconds(1));
    let submission = Ask {
        action: "command.execute".to_owned(),
        cluster: Some("prod-eu-1".to_owned()),
        reason: Some("somebody waits".to_owned()),
        ..Ask::default()
    };
    let alice = Caller::person("alice".into(), Via::Api);
    let asked = world.app().submit(&alice, submission, None).await;
    RequestRef::Id(asked.expect("a request").shown.request.id)
}

/// Starts long polls; returns each one's result with its time.
fn wait(app: &App, requests: &[RequestRef], many: usize) -> JoinSet<(Status, Instant)> {
    let mut waiting = JoinSet::new();
    for n in 0..many {
        let (app, request) = (app.clone(), requests[n % requests.len()].clone());
        waiting.spawn(async move {
            let shown = app.wait(&request, None, PATIENCE).await.expect("an answer");
            (shown.request.state.status(), Instant::now())
        });
    }
    waiting
}

on_both! {
    async fn all_long_polls_are_woken_on_every_replica_ap9(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        let mut requests = Vec::new();
        for _ in 0..waiters().div_ceil(TOGETHER) {
            requests.push(ask(&world).await);
        }
        let here = wait(world.app(), &requests, waiters());
        let there = wait(&replica.app, &requests, waiters());
        let since = Instant::now();
        for request in &requests {
            world.app().decide(approval(request, "carol")).await.expect("a decision");
        }
        for (place, waiting) in [("here", here), ("at the other replica", there)] {
            let answers = waiting.join_all().await;
            assert_eq!(answers.len(), waiters());
            assert!(answers.iter().all(|(status, _)| *status == Status::Approved), "somebody {place} was not woken");
            let last = answers.iter().map(|(_, at)| at.duration_since(since)).max();
            eprintln!("{kind:?}: {} woken {place}, the last after {last:?}", answers.len());
        }
        replica.app.close().await;
        world.finish().await;
    }
}
