//! If a policy gates `break_glass.initiate`, a session start is a request, and the session's time begins at its approval (docs/decisions.md
//! D27).

use super::{masked, revoke, rows, said, start};
use crate::client::{Api, command, text};
use crate::database::on_both;
use crate::world::{World, world};
use countersign::domain::time::Span;
use serde_json::{Value, json};

/// Another person of SRE must approve every start whose scope includes production.
async fn gate(world: &World) {
    world.reconfigure(|document| {
        document["policies"].as_array_mut().expect("a list").push(json!({"id": "glass-gate", "name": "Glass Gate", "scope": "environment",
            "actions": ["break_glass.initiate"], "approvers": {"teams": ["sre", "security"]}, "quorum": {"minApprovals": 1}}));
        document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "glass-gate", "level": "environment", "resource": "production"}));
    }).await;
}

async fn asks(dan: &Api) -> (String, String) {
    let reply = dan.post("/v1/break-glass", start()).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    let location = reply.header("location").to_owned();
    let session = reply.ok();
    assert_eq!(
        (&session["status"], &session["startsAt"]),
        (&json!("pending"), &Value::Null)
    );
    assert_eq!(
        location,
        format!("/v1/requests/{}", text(&session["request"], "id"))
    );
    (text(&session, "id"), text(&session["request"], "id"))
}

async fn session(api: &Api, id: &str) -> Value {
    api.get(&format!("/v1/break-glass/{id}")).await.ok()
}

on_both! {
    async fn gated_session_starts_in_the_transaction_of_the_last_approval(kind) {
        let world = world!(kind);
        gate(&world).await;
        let dan = world.person("dan").await;
        let (id, request) = asks(&dan).await;
        world.settle().await;
        let card = masked(&world.slack.card("approvals").expect("a card").text);
        let digest = card.split("digest `").nth(1).map(|rest| rest[..8].to_owned()).expect("a digest");
        insta::assert_snapshot!("card_of_a_start", card.replace(&digest, "DIGEST"));
        assert_eq!(said(&world, "security").iter().filter(|text| text.contains("Break-glass")).count(), 0, "nothing has started");
        assert_eq!(dan.submit(command()).await.ok()["status"], "pending");
        assert_eq!(dan.decide(&request, "approve").await.outcome(), "403 not_eligible");

        world.passes(Span::minutes(20)).await;
        let decided = world.person("carol").await.decide(&request, "approve").await.ok();
        assert_eq!(decided["status"], "completed");
        let running = session(&dan, &id).await;
        assert_eq!((text(&running, "status"), text(&running, "startsAt"), text(&running, "endsAt")),
            ("active".into(), "2026-11-23T10:20:00.000Z".into(), "2026-11-23T11:20:00.000Z".into()));
        let mut other = command();
        other["payload"] = json!({"command": ["uptime"]});
        assert_eq!(dan.submit(other).await.ok()["status"], "bypassed");
        let digest = text(&dan.read(&request).await, "digest");
        assert_eq!(dan.execute(&request, &digest).await.outcome(), "409 request_closed", "nobody executes a start by hand");
        world.settle().await;
        assert_eq!(rows(&world, "break_glass.started").await[0]["request"], json!(request));
        assert_eq!(rows(&world, "request.created").await.last().expect("the start")["prominent"], json!(true));
        revoke(&dan, &id).await.ok();
        world.finish().await;
    }

    async fn unapproved_session_start_shows_as_ended_and_owes_no_review(kind) {
        let world = world!(kind);
        gate(&world).await;
        let dan = world.person("dan").await;
        let (rejected, request) = asks(&dan).await;
        world.person("erin").await.decide(&request, "reject").await.ok();
        let (cancelled, request) = asks(&dan).await;
        dan.cancel(&request).await.ok();
        let (expired, _) = asks(&dan).await;
        world.clock.advance(Span::hours(24));
        for (id, word) in [(rejected, "rejected"), (cancelled, "cancelled"), (expired, "expired")] {
            let shown = session(&dan, &id).await;
            assert_eq!((text(&shown, "status"), text(&shown, "endedBy"), &shown["reviewOwed"]), ("ended".into(), word.into(), &json!(false)));
            assert_eq!(revoke(&dan, &id).await.outcome(), "409 session_closed");
            let erin = world.person("erin").await;
            assert_eq!(erin.post(&format!("/v1/break-glass/{id}/review"), json!({"note": "none"})).await.outcome(), "409 session_closed");
        }
        world.finish().await;
    }

    async fn gated_start_is_refused_at_approval_if_initiator_lost_the_right(kind) {
        let world = world!(kind);
        gate(&world).await;
        let dan = world.person("dan").await;
        let (left, first) = asks(&dan).await;
        let (shortened, second) = asks(&dan).await;
        world.reconfigure(|document| document["breakGlass"]["allowed"] = json!({"users": ["carol"]})).await;
        // the approval counts, and the response says what followed from it
        let decided = world.person("carol").await.decide(&first, "approve").await.ok();
        assert_eq!(decided["status"], "cancelled");
        let why = decided["timeline"].as_array().and_then(|lines| lines.last()).map(|line| text(line, "note"));
        assert!(why.as_deref().is_some_and(|why| why.starts_with("start_refused: You may not start")), "{why:?}");
        assert_eq!(text(&session(&dan, &left).await, "endedBy"), "cancelled");
        world.reconfigure(|document| {
            document["breakGlass"]["allowed"] = json!({"users": ["dan"]});
            document["breakGlass"]["maxDuration"] = json!("45m");
        }).await;
        assert_eq!(world.person("carol").await.decide(&second, "approve").await.ok()["status"], "cancelled");
        assert_eq!(text(&session(&dan, &shortened).await, "endedBy"), "cancelled");
        assert_eq!(rows(&world, "break_glass.started").await.len(), 0);
        world.finish().await;
    }

    async fn pending_session_start_is_refused_when_another_review_becomes_owed(kind) {
        let world = world!(kind);
        gate(&world).await;
        world.reconfigure(|document| document["breakGlass"]["reviewBeforeNext"] = json!(true)).await;
        let (dan, carol) = (world.person("dan").await, world.person("carol").await);
        let (first, approved) = asks(&dan).await;
        let (second, waiting) = asks(&dan).await;
        assert_eq!(carol.decide(&approved, "approve").await.ok()["status"], "completed");
        revoke(&dan, &first).await.ok();
        let decided = carol.decide(&waiting, "approve").await.ok();
        let why = decided["timeline"].as_array().and_then(|lines| lines.last()).map(|line| text(line, "note"));
        assert_eq!(decided["status"], "cancelled");
        assert!(why.as_deref().is_some_and(|why| why.starts_with("start_refused: ") && why.contains("has not been reviewed yet")), "{why:?}");
        assert_eq!(text(&session(&dan, &second).await, "endedBy"), "cancelled");
        world.settle().await;
        world.finish().await;
    }

    async fn session_start_outside_the_gated_scope_begins_at_once(kind) {
        let world = world!(kind);
        gate(&world).await;
        let dan = world.person("dan").await;
        let mut body = start();
        body["scope"] = json!({"actions": ["project"], "environments": ["staging"]});
        assert_eq!(dan.post("/v1/break-glass", body).await.status, 201);
        let mut body = start();
        // a scope without a level includes all of that level
        body["scope"] = json!({"actions": ["project"], "projects": ["billing"]});
        assert_eq!(dan.post("/v1/break-glass", body).await.status, 202);
        world.finish().await;
    }
}
