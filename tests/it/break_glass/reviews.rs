//! The owed review: by a person who was not involved, and requested until it exists.

use super::{opened, revoke, said, start};
use crate::client::{PIPELINE, command, text};
use crate::database::on_both;
use crate::world::world;
use countersign::domain::time::Span;
use countersign::domain::token::Scope;
use serde_json::json;

const A_WEEK: Span = Span::hours(7 * 24);

on_both! {
    async fn owed_review_is_requested_weekly_until_it_is_given(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        revoke(&dan, &id).await.ok();
        world.settle().await;
        let heard = || said(&world, "security").len();
        assert_eq!(heard(), 2);
        world.passes(Span(A_WEEK.0 - 1)).await;
        assert_eq!(heard(), 2);
        world.passes(Span(1)).await;
        insta::assert_snapshot!("owed", said(&world, "security")[2]);
        world.passes(A_WEEK).await;
        assert_eq!(heard(), 4);
        let erin = world.person("erin").await;
        erin.post(&format!("/v1/break-glass/{id}/review"), json!({"note": "it was needed"})).await.ok();
        world.passes(A_WEEK).await;
        world.passes(A_WEEK).await;
        assert_eq!(heard(), 5, "the review, and no reminder after it");
        world.finish().await;
    }

    async fn people_involved_in_a_session_may_not_review_it(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let mut body = start();
        body["responders"] = json!(["dan", "carol", "service:ci"]);
        let id = text(&dan.post("/v1/break-glass", body).await.ok(), "id");
        let mut scopes = PIPELINE.to_vec();
        scopes.push(Scope::RequestsActFor);
        let mut for_alice = command();
        for_alice["requester"] = json!("alice");
        assert_eq!(world.pipeline(&scopes).await.submit(for_alice).await.ok()["status"], "bypassed");
        let path = format!("/v1/break-glass/{id}/review");
        let note = json!({"note": "it was needed"});
        let erin = world.person("erin").await;
        assert_eq!(erin.post(&path, note.clone()).await.outcome(), "409 session_closed", "it is still active");
        revoke(&dan, &id).await.ok();
        // initiator, responder, the person acted for, owner of the service that could act
        for part in ["dan", "carol", "alice", "bob"] {
            assert_eq!(world.person(part).await.post(&path, note.clone()).await.outcome(), "403 forbidden", "{part}");
        }
        assert_eq!(erin.post(&path, json!({"note": "  "})).await.outcome(), "422 policy_violations");
        assert_eq!(erin.post(&path, note).await.status, 200);
        world.finish().await;
    }

    async fn review_before_next_refuses_a_new_start_while_a_review_is_owed(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        revoke(&dan, &id).await.ok();
        // off by default, so that an owed review does not block the next emergency
        let second = opened(&world, &dan).await;
        revoke(&dan, &second).await.ok();
        world.reconfigure(|document| document["breakGlass"]["reviewBeforeNext"] = json!(true)).await;
        let refused = dan.post("/v1/break-glass", start()).await;
        assert_eq!(refused.outcome(), "403 forbidden");
        assert!(text(&refused.body, "detail").contains("has not been reviewed yet"));
        // carol owes no review
        let carol = world.person("carol").await;
        assert_eq!(carol.post("/v1/break-glass", start()).await.status, 201);
        let erin = world.person("erin").await;
        for owed in [id, second] {
            erin.post(&format!("/v1/break-glass/{owed}/review"), json!({"note": "fine"})).await.ok();
        }
        assert_eq!(dan.post("/v1/break-glass", start()).await.status, 201);
        world.finish().await;
    }

    async fn ended_session_rows_are_immutable(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        revoke(&dan, &id).await.ok();
        for sql in [
            "DELETE FROM sessions",
            "UPDATE sessions SET status = 'active'",
            "UPDATE sessions SET ends_at = ends_at + 1",
            "UPDATE sessions SET reason = 'nothing happened'",
            "UPDATE sessions SET ended_by = 'time'",
        ] {
            assert!(world.database.execute(sql).await.is_err(), "{sql}");
        }
        world.finish().await;
    }
}
