//! Ends of time ranges are exclusive, to the millisecond, whether or not a sweep has run.

use crate::client::{Api, command, text};
use crate::database::on_both;
use crate::world::{World, world};
use countersign::domain::time::Span;
use serde_json::Value;

/// Moves the clock to this many milliseconds after a time from the API; no worker runs.
fn move_to(world: &World, moment: &Value, after: i64) {
    let moment =
        chrono::DateTime::parse_from_rfc3339(moment.as_str().expect("a moment")).expect("RFC 3339");
    world.clock.advance(Span(
        moment.timestamp_millis() + after - world.app().now().0,
    ));
}

async fn asked(world: &World) -> (Api, Api, Value) {
    let (alice, carol) = (world.person("alice").await, world.person("carol").await);
    let asked = alice.submit(command()).await.ok();
    (alice, carol, asked)
}

on_both! {
    async fn approval_counts_in_the_last_millisecond_before_expiry_but_not_after_st11(kind) {
        let world = world!(kind);
        let (alice, carol, first) = asked(&world).await;
        let second = alice.submit(command()).await.ok();
        move_to(&world, &first["expiresAt"], -1);
        assert_eq!(carol.decide(&text(&first, "id"), "approve").await.ok()["status"], "approved");

        move_to(&world, &second["expiresAt"], 0);
        let id = text(&second, "id");
        for verdict in ["approve", "reject"] {
            let late = carol.decide(&id, verdict).await;
            assert_eq!((late.outcome(), late.body["state"].as_str()), ("409 request_closed".to_owned(), Some("expired")), "{verdict}");
        }
        assert_eq!(alice.cancel(&id).await.outcome(), "409 request_closed");
        assert_eq!(alice.execute(&id, &text(&second, "digest")).await.outcome(), "409 request_closed");
        let seen = alice.get(&format!("/v1/requests/{id}?wait=30s")).await.ok();
        assert_eq!((&seen["status"], &seen["canApprove"], &seen["expiresAt"]), (&"expired".into(), &false.into(), &Value::Null));
        world.settle().await;
        assert_eq!(alice.read(&id).await["timeline"].as_array().expect("a timeline").last().expect("an event")["event"], "request.expired");
        world.finish().await;
    }

    async fn grant_is_usable_until_its_last_millisecond_b66(kind) {
        let world = world!(kind);
        let (alice, carol, first) = asked(&world).await;
        let second = alice.submit(command()).await.ok();
        let granted = carol.decide(&text(&first, "id"), "approve").await.ok();
        assert_eq!(carol.decide(&text(&second, "id"), "approve").await.ok()["executableUntil"], granted["executableUntil"]);
        move_to(&world, &granted["executableUntil"], -1);
        alice.execute(&text(&first, "id"), &text(&first, "digest")).await.ok();
        move_to(&world, &granted["executableUntil"], 0);
        let (id, digest) = (text(&second, "id"), text(&second, "digest"));
        let late = alice.execute(&id, &digest).await;
        assert_eq!((late.outcome(), late.body["state"].as_str()), ("409 request_closed".to_owned(), Some("expired")));
        // the same after a sweep, and on another replica
        world.settle().await;
        let (_, url) = world.replica().await;
        assert_eq!(alice.at(&url).execute(&id, &digest).await.outcome(), "409 request_closed");
        assert_eq!(alice.at(&url).read(&id).await["status"], "expired");
        world.finish().await;
    }

    async fn long_poll_returns_when_the_request_expires(kind) {
        let world = world!(kind);
        let (alice, _, first) = asked(&world).await;
        let path = format!("/v1/requests/{}?wait=30s", text(&first, "id"));
        let waiter = alice.clone();
        let waiting = tokio::spawn(async move { waiter.get(&path).await.ok() });
        world.settle().await;
        move_to(&world, &first["expiresAt"], 0);
        world.settle().await;
        assert_eq!(waiting.await.expect("it ends")["status"], "expired");
        world.finish().await;
    }
}
