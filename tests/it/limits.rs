//! Limits per principal and the check for identical requests hold while many calls race on two replicas, and unknown names in one call do
//! not slow down the others.

use crate::client::{Api, deploy};
use crate::database::{Kind, on_both};
use crate::world::{World, world};
use countersign::app::{App, AppError, IdempotencyKey};
use countersign::domain::ask::Ask;
use countersign::domain::decision::Via;
use countersign::domain::principal::{Caller, Principal};
use countersign::domain::refusal::Refusal;
use countersign::domain::time::Span;
use serde_json::json;
use sqlx::{Connection, Executor};
use std::collections::BTreeSet;

const LIMIT: i64 = 5;
const ROUNDS: usize = 4;

fn ask(reason: String) -> Ask {
    Ask {
        action: "release.deploy".to_owned(),
        project: Some("api-platform".to_owned()),
        environment: Some("production".to_owned()),
        reason: Some(reason),
        ..Ask::default()
    }
}

/// Sixteen asks at once, alternating between two replicas: returns how many were accepted and how many hit the limit.
async fn race(apps: [&App; 2], caller: &Caller, name: impl Fn(usize) -> Ask) -> (usize, usize) {
    let calls = (0..16).map(|n| {
        let (app, caller, ask) = (apps[n % 2].clone(), caller.clone(), name(n));
        tokio::spawn(async move { app.submit(&caller, ask, None).await })
    });
    let calls: Vec<_> = calls.collect();
    let (mut taken, mut refused) = (0, 0);
    for call in calls {
        match call.await.expect("no panic") {
            Ok(submitted) => taken += usize::from(submitted.new),
            Err(AppError::Refused(Refusal::TooMany(..))) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    (taken, refused)
}

async fn limited(world: &World, pending: i64, per_second: i64) {
    world
        .reconfigure(|document| {
            document["limits"] =
                json!({"pendingPerPrincipal": pending, "requestsPerSecond": per_second});
        })
        .await;
}

on_both! {
    async fn pending_limit_holds_across_replicas_r20(kind) {
        let world = world!(kind);
        limited(&world, LIMIT, 0).await;
        let (replica, _) = world.replica().await;
        let apps = [world.app(), &replica.app];
        for who in ["alice", "bob", "carol", "dan"] {
            let caller = Caller::person(who.into(), Via::Api);
            let (taken, refused) = race(apps, &caller, |n| ask(format!("number {n}"))).await;
            assert_eq!((taken, refused), (5, 11), "{who}");
        }
        assert_eq!(world.database.count("SELECT count(*) FROM requests").await, 4 * LIMIT);
        replica.app.close().await;
        world.finish().await;
    }

    async fn rate_limit_holds_across_replicas_r20(kind) {
        let world = world!(kind);
        limited(&world, 0, LIMIT).await;
        let (replica, _) = world.replica().await;
        let alice = Caller::person("alice".into(), Via::Api);
        for _ in 0..ROUNDS {
            world.clock.advance(Span::seconds(2));
            let taken = race([world.app(), &replica.app], &alice, |n| ask(format!("number {n}"))).await;
            assert_eq!(taken, (5, 11));
        }
        replica.app.close().await;
        world.finish().await;
    }

    async fn identical_commands_become_one_request_across_replicas_r20(kind) {
        let world = world!(kind);
        limited(&world, 0, 0).await;
        let (replica, _) = world.replica().await;
        let alice = Caller::person("alice".into(), Via::Command);
        for round in 0..ROUNDS {
            let same = |_| Ask {
                payload: Some(countersign::domain::digest::Payload(json!(round))),
                ..ask("the same".to_owned())
            };
            assert_eq!(race([world.app(), &replica.app], &alice, same).await, (1, 0));
        }
        replica.app.close().await;
        world.finish().await;
    }

    async fn retries_that_race_answer_with_one_request_across_replicas_r20(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        let alice = Caller::person("alice".into(), Via::Api);
        let once = IdempotencyKey::by_key(&alice.principal, "retry", "f".to_owned(), Span::hours(1));
        let calls: Vec<_> = (0..8)
            .map(|n| {
                let app = if n % 2 == 0 { world.app().clone() } else { replica.app.clone() };
                let (caller, once) = (alice.clone(), once.clone());
                tokio::spawn(async move { app.submit(&caller, ask("a retry".to_owned()), Some(once)).await })
            })
            .collect();
        let mut numbers = BTreeSet::new();
        for call in calls {
            numbers.insert(call.await.expect("no panic").expect("the one request").shown.request.number);
        }
        assert_eq!(numbers.len(), 1);
        replica.app.close().await;
        world.finish().await;
    }

    async fn idempotency_keys_of_services_with_colons_are_apart_r29(kind) {
        let world = world!(kind);
        world
            .reconfigure(|document| {
                document["services"] = json!([{"id": "ci", "owners": ["bob"]}, {"id": "ci:deploy", "owners": ["bob"]}]);
            })
            .await;
        let mut ids = Vec::new();
        for (service, key) in [("ci", "deploy:7"), ("ci:deploy", "7"), ("ci", "deploy:7")] {
            let token = world.token(Principal::Service(service.into()), &[], crate::client::PIPELINE).await;
            let reply = Api::new(&world.url, &token).once(key, "/v1/requests", deploy()).await.ok();
            ids.push(crate::client::text(&reply, "id"));
        }
        assert_ne!(ids[0], ids[1]);
        assert_eq!(ids[0], ids[2], "a retry");
        world.finish().await;
    }

    /// A retry after the upgrade finds the response that the previous release stored.
    async fn idempotency_keys_of_the_previous_release_are_honoured_r29(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let first = alice.once("release-7", "/v1/requests", deploy()).await.ok();
        let rows = world.database.count("SELECT count(*) FROM answers WHERE key = 'api:person:alice:release-7'").await;
        assert_eq!(rows, 1);
        let again = alice.once("release-7", "/v1/requests", deploy()).await.ok();
        assert_eq!(first["id"], again["id"]);
        world.finish().await;
    }

    async fn refusal_of_many_long_unknown_authors_is_short_r07(kind) {
        let world = world!(kind);
        world
            .reconfigure(|document| {
                let users = document["directory"]["users"].as_array_mut().expect("a list");
                users.extend((0..2_000).map(|n| json!({"id": format!("user-{n:04}"), "name": "One of many"})));
            })
            .await;
        let alice = world.person("alice").await;
        let mut body = deploy();
        body["authors"] = (0..100).map(|n| json!(format!("user-{n:04}-{}", "x".repeat(1_900)))).collect();
        let refused = alice.submit(body.clone()).await;
        assert_eq!(refused.outcome(), "422 policy_violations");
        let text = refused.body.to_string();
        assert!(text.len() < 50_000, "{} bytes", text.len());
        assert!(!text.contains("did you mean"), "{text}");

        body["authors"] = (0..100).map(|n| json!(format!("user-1{n:03}x"))).collect();
        let refused = alice.submit(body.clone()).await;
        let text = refused.body["violations"].to_string();
        assert_eq!(text.matches("did you mean").count(), 20);
        assert!(text.contains("unknown author `user-1007x`; did you mean `user-1007`"), "{text}");
        assert!(text.contains("unknown author `user-1099x`\""), "{text}");
        world.finish().await;
    }
}

/// A principal with many submissions waits without taking every connection.
#[tokio::test]
async fn asks_of_one_principal_leave_connections_to_others_r20() {
    let world = world!(Kind::Postgres);
    let mut held = sqlx::PgConnection::connect(&world.database.url)
        .await
        .expect("the server");
    held.execute("BEGIN").await.expect("begun");
    let lock = "SELECT pg_advisory_xact_lock(hashtext('principals ' || current_schema()), hashtext('person:alice'))";
    held.execute(lock).await.expect("locked");
    let alice = Caller::person("alice".into(), Via::Api);
    let calls: Vec<_> = (0..16)
        .map(|n| {
            let (app, caller) = (world.app().clone(), alice.clone());
            let ask = ask(format!("number {n}"));
            tokio::spawn(async move { app.submit(&caller, ask, None).await })
        })
        .collect();
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'
        AND classid = CAST(CAST(hashtext('principals ' || current_schema()) AS BIT(32)) AS BIGINT)";
    while world.database.count(waiting).await == 0 {
        tokio::task::yield_now().await;
    }
    let bob = Caller::person("bob".into(), Via::Api);
    let asked = world.app().submit(&bob, ask("meanwhile".to_owned()), None);
    assert!(asked.await.expect("a connection is free").new);
    held.execute("ROLLBACK").await.expect("released");
    for call in calls {
        call.await.expect("no panic").expect("a request");
    }
    world.finish().await;
}
