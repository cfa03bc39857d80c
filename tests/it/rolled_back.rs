//! This release runs on rows of the next one (threats R04, ST12): after a roll-back it finds an unknown kind of message, an unknown field
//! in a policy and one in a session, and nothing stops.

use crate::client::{Api, command, deploy, text};
use crate::database::{Database, on_both};
use crate::unreadable_rows::{LATER_POLICY, degraded, later_session};
use crate::world::{DEPLOY, world};
use countersign::domain::id::OutboxId;
use countersign::domain::time::Span;

/// Adds an alert of a kind that this release does not know, in the lane that goes first.
async fn later_message(database: &Database) {
    let id = OutboxId::from_uuid(uuid::Uuid::now_v7());
    let sql = format!(
        "INSERT INTO outbox (id, lane, message, request_id, due_at, attempt, failures, made_at)
         VALUES ('{id}', 0, '{{\"kind\":\"poll\",\"channel\":\"C03SECURITY\"}}', NULL, 1, 0, 0, 1)"
    );
    database.execute(&sql).await.expect("a message");
}

on_both! {
    async fn release_runs_on_rows_written_by_the_next_release_r04_st12(kind) {
        let mut world = world!(kind);
        let [alice, dan] = [world.person("alice").await, world.person("dan").await];
        let asked = alice.submit(deploy()).await.ok();
        world.settle().await;
        // the next release has migrated the schema and written rows
        world.database.execute("ALTER TABLE requests ADD COLUMN later TEXT").await.expect("a column");
        world.database.execute("ALTER TABLE sessions ADD COLUMN later TEXT").await.expect("a column");
        world.database.execute(LATER_POLICY).await.expect("a request");
        later_session(&world.database, "dan", world.clock.now().0).await;
        later_message(&world.database).await;
        // then it is rolled back
        world.restart().await;
        let [alice, dan] = [alice.at(&world.url), dan.at(&world.url)];
        let said = degraded(&world).await;
        for what in ["1 request cannot be read", "1 break-glass session cannot be read", "1 messages and cards cannot be read"] {
            assert!(said.iter().any(|why| why.starts_with(what)), "{what}: {said:?}");
        }
        assert_eq!(alice.execute(&text(&asked, "id"), &text(&asked, "digest")).await.outcome(), "409 unreadable");
        assert_eq!(dan.submit(command()).await.ok()["status"], "pending", "nothing is bypassed");
        // the newest card is the last one
        world.passes(Span::seconds(2)).await;
        assert!(world.types("alice", &DEPLOY.replace("v1.4.2", "v2")).await.contains("Asked as"));
        assert_eq!(world.clicks("bob", "approve").await, "");
        assert_eq!(world.clicks("carol", "approve").await, "");
        assert!(world.card().contains("Approved"), "{}", world.card());
        assert!(world.direct("alice").contains("approved"), "{}", world.direct("alice"));
        world.passes(Span::hours(25)).await;
        assert_eq!(world.database.count("SELECT count(*) FROM requests WHERE status = 'expired'").await, 2);
        assert_eq!(world.database.count("SELECT count(*) FROM audit WHERE seal IS NULL").await, 0);
        assert_eq!(Api::new(&world.url, "").get("/readyz").await.status, 200);
        // the message is kept for the next release, and reported until it is there
        let kept = "SELECT count(*) FROM outbox WHERE message LIKE '%poll%' AND set_aside_at IS NOT NULL";
        assert_eq!(world.database.count(kept).await, 1);
        world.database.execute("DELETE FROM outbox WHERE message LIKE '%poll%'").await.expect("upgraded again");
        world.finish().await;
    }
}
