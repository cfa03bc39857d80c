//! A row that this release cannot read stops nothing, and is not lost (threat R04).

use super::alert;
use crate::break_glass::said;
use crate::database::on_both;
use crate::world::{DEPLOY, world};
use countersign::domain::id::OutboxId;
use countersign::domain::time::Span;

/// Rows as a later release, or another program, could have written them.
const ROWS: [&str; 5] = [
    "INSERT INTO outbox (id, lane, message, request_id, due_at, attempt, failures, made_at)
        VALUES ('ID', 0, '{\"kind\":\"poll\",\"channel\":\"C03SECURITY\"}', NULL, 1, 0, 0, 1)",
    "INSERT INTO outbox (id, lane, message, request_id, due_at, attempt, failures, made_at) VALUES ('out_2', 2, 'x', NULL, 1, 0, 0, 1)",
    "INSERT INTO outbox (id, lane, message, request_id, due_at, attempt, failures, made_at) VALUES ('out_3', 1, '{}', NULL, 1, 0, 0, 1)",
    "INSERT INTO requests (id, number, version, status, kind, action, target, requester, submitted_by, authors, reason, digest, gates,
        observed, bypassed, excluded, session_id, ends_at, created_at, decided_at, replaces)
     VALUES ('r', 999, 1, 'completed', 'release', 'release.deploy', '{}', 'person:a', 'person:a', '[]', NULL, 'd', '[]', '[]', '[]', '{}', NULL, NULL, 1, NULL, NULL)",
    "INSERT INTO cards (request_id, channel, touched, due_at, attempt, failures) VALUES ('r', 'C02PROD', 0, 1, 0, 0)",
];

/// The id of a message that was never sent.
fn fresh_id() -> String {
    OutboxId::from_uuid(uuid::Uuid::now_v7()).to_string()
}

on_both! {
    async fn unreadable_messages_and_cards_are_set_aside_and_others_are_sent_r04(kind) {
        let world = world!(kind);
        for row in ROWS {
            world.database.execute(&row.replace("ID", &fresh_id())).await.expect("a row");
        }
        alert(&world, ["readable".to_owned()].into_iter()).await;
        world.types("alice", DEPLOY).await;
        world.clicks("bob", "approve").await;
        world.clicks("carol", "approve").await;
        assert!(world.card().contains("Approved"), "{}", world.card());
        assert!(world.direct("alice").contains("approved"), "{}", world.direct("alice"));
        assert_eq!(said(&world, "security"), ["readable"]);
        let degraded = world.degraded().await;
        assert_eq!(degraded, ["4 messages and cards cannot be read by this release and were set aside; upgrade, or see the log"]);
        // nothing is deleted, and the reason is stored with the row
        let kept = "SELECT count(*) FROM outbox WHERE set_aside_at IS NOT NULL AND due_at IS NULL AND trouble LIKE 'unreadable message in outbox %'";
        assert_eq!(world.database.count(kept).await, 1, "and one whose id cannot be read either");
        assert_eq!(world.database.count("SELECT count(*) FROM outbox").await, 3);
        // retried from time to time, because another release may be able to read it
        let readable = "UPDATE outbox SET message = '{\"kind\":\"alert\",\"channel\":\"C03SECURITY\",\"text\":\"upgraded\"}' WHERE lane = 0";
        world.database.execute(readable).await.expect("a row");
        world.passes(Span::minutes(6)).await;
        assert_eq!(said(&world, "security"), ["readable", "upgraded"]);
        for table in ["outbox", "cards WHERE request_id = 'r'", "requests WHERE id = 'r'"] {
            world.database.execute(&format!("DELETE FROM {table}")).await.expect("cleared");
        }
        assert_eq!(world.degraded().await, Vec::<String>::new());
        world.finish().await;
    }

    /// An unreadable request gets no card and no messages; those of other requests are delivered.
    async fn unreadable_request_stops_no_card_or_message_of_another_request_r04(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.types("alice", &DEPLOY.replace("v1.4.2", "v2")).await;
        world.database.execute("UPDATE requests SET target = 'x' WHERE number = 1").await.expect("a row");
        world.database.execute("UPDATE cards SET due_at = 1, shown = NULL").await.expect("cards");
        let unreadable = "INSERT INTO outbox (id, lane, message, request_id, due_at, attempt, failures, made_at)
            SELECT 'ID', 2, '{\"kind\":\"news\",\"to\":\"alice\",\"request\":\"' || id || '\"}', id, 1, 0, 0, 1795428000000 FROM requests WHERE number = 1";
        world.database.execute(&unreadable.replace("ID", &fresh_id())).await.expect("a row");
        world.bot.workers.settle().await.expect("no step fails for one row");
        let said = world.slack.command_in("bob", "prod-approvals", "/approval", "approve 2").await;
        said.expect("an answer");
        let said = world.slack.command_in("carol", "prod-approvals", "/approval", "approve 2").await;
        said.expect("an answer");
        world.bot.dispatcher.finish().await;
        world.bot.workers.settle().await.expect("no step fails for one row");
        assert!(world.direct("alice").contains("approved"), "{}", world.direct("alice"));
        assert_eq!(world.database.count("SELECT count(*) FROM cards WHERE due_at IS NOT NULL AND trouble LIKE '%cannot read it%'").await, 1);
        assert_eq!(world.database.count("SELECT count(*) FROM outbox WHERE due_at IS NOT NULL AND trouble LIKE '%cannot read it%'").await, 1);
        let readable = "UPDATE requests SET target = (SELECT r.target FROM requests r WHERE r.number = 2) WHERE number = 1";
        world.database.execute(readable).await.expect("a row");
        world.passes(Span::minutes(5)).await;
        world.finish().await;
    }

    /// It was set aside once, became readable, and nobody can deliver it: it is not retried for ever.
    async fn a_message_that_was_set_aside_and_is_given_up_stays_given_up_r04(kind) {
        let world = world!(kind);
        for release in ["v1", "v2"] {
            world.types("alice", &DEPLOY.replace("v1.4.2", release)).await;
        }
        let row = "INSERT INTO outbox (id, lane, message, request_id, due_at, attempt, failures, made_at) VALUES ('ID', 2, 'x', NULL, 1, 0, 0, 1)";
        world.database.execute(&row.replace("ID", &fresh_id())).await.expect("a row");
        world.settle().await;
        let set_aside = "SELECT count(*) FROM outbox WHERE set_aside_at IS NOT NULL";
        assert_eq!(world.database.count(set_aside).await, 1);
        // news of a request that cannot be read
        let readable = "UPDATE outbox SET message = '{\"kind\":\"news\",\"to\":\"alice\",\"request\":\"' || (SELECT id FROM requests WHERE number = 1) || '\"}'";
        world.database.execute(readable).await.expect("a row");
        world.database.execute("UPDATE requests SET target = 'x' WHERE number = 1").await.expect("a row");
        world.passes(Span::minutes(6)).await;
        let given_up = "SELECT count(*) FROM outbox WHERE due_at IS NULL AND trouble LIKE '%cannot read it%'";
        assert_eq!((world.database.count(given_up).await, world.database.count(set_aside).await), (1, 0));
        let attempts = "SELECT attempt FROM outbox";
        let before = world.database.count(attempts).await;
        world.passes(Span::minutes(6)).await;
        assert_eq!(world.database.count(attempts).await, before, "it is tried again");
        world.database.execute("DELETE FROM outbox").await.expect("cleared");
        let readable = "UPDATE requests SET target = (SELECT r.target FROM requests r WHERE r.number = 2) WHERE number = 1";
        world.database.execute(readable).await.expect("a row");
        world.finish().await;
    }
}
