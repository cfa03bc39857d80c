//! Ends of sessions: by time to the millisecond, by revocation at once, while the bot is down, around midnight (threats B66, B69, ST5).

use super::{opened, revoke, rows, said, start};
use crate::client::{command, text};
use crate::database::on_both;
use crate::world::world;
use countersign::domain::time::Span;
use serde_json::json;

const AN_HOUR: Span = Span::hours(1);

on_both! {
    async fn session_is_unusable_from_the_millisecond_of_its_end_b66(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        opened(&world, &dan).await;
        world.clock.advance(Span(AN_HOUR.0 - 1));
        // no worker has run yet
        let used = dan.submit(command()).await.ok();
        assert_eq!((&used["status"], &used["executableUntil"]), (&json!("bypassed"), &json!("2026-11-23T11:00:00.000Z")));
        let (request, digest) = (text(&used, "id"), text(&used, "digest"));
        world.clock.advance(Span(1));
        assert_eq!(dan.execute(&request, &digest).await.outcome(), "409 session_ended");
        assert_eq!(dan.submit(command()).await.ok()["status"], "pending");
        world.settle().await;
        let ended = rows(&world, "break_glass.ended").await;
        assert_eq!((ended.len(), &ended[0]["detail"]["endedBy"], &ended[0]["actor"]), (1, &json!("time"), &json!("bot")));
        assert_eq!(ended[0]["detail"]["duration"], "1h");
        assert_eq!(dan.read(&request).await["status"], "expired");
        insta::assert_snapshot!("over", said(&world, "security").last().expect("an alert"));
        world.finish().await;
    }

    async fn restored_backup_does_not_revive_a_session_op5(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        let used = dan.submit(command()).await.ok();
        let voided = world.app().void_open("the disk broke").await.expect("void");
        assert_eq!((voided.requests.len(), voided.sessions, voided.tokens.len()), (1, 1, 1));
        assert_eq!(dan.get("/v1/requests").await.outcome(), "401 unauthenticated");
        let dan = world.person("dan").await;
        let (request, digest) = (text(&used, "id"), text(&used, "digest"));
        assert_eq!(dan.execute(&request, &digest).await.outcome(), "409 request_closed");
        assert_eq!(dan.submit(command()).await.ok()["status"], "pending");
        let session = dan.get(&format!("/v1/break-glass/{id}")).await.ok();
        assert_eq!(session["status"], "ended");
        let ended = rows(&world, "break_glass.ended").await;
        assert_eq!((ended.len(), &ended[0]["actor"]), (1, &json!("operator")));
        world.settle().await;
        let alerts = said(&world, "security").join("\n");
        assert!(alerts.contains("One break-glass session was ended. One API token was revoked; make a new one with 'countersign token create'. Reason: the disk broke"), "{alerts}");
        assert_eq!(world.app().void_open("again").await.expect("nothing is left").sessions, 0);
        world.finish().await;
    }

    async fn session_started_just_before_midnight_lasts_its_full_time(kind) {
        let world = world!(kind);
        world.clock.advance(Span(Span::hours(13).0 + Span::minutes(59).0));
        let dan = world.person("dan").await;
        let session = dan.post("/v1/break-glass", start()).await.ok();
        assert_eq!((text(&session, "startsAt"), text(&session, "endsAt")), ("2026-11-23T23:59:00.000Z".into(), "2026-11-24T00:59:00.000Z".into()));
        world.passes(Span::minutes(59)).await;
        assert_eq!(dan.submit(command()).await.ok()["status"], "bypassed");
        world.passes(Span::minutes(1)).await;
        assert_eq!(dan.submit(command()).await.ok()["status"], "pending");
        world.finish().await;
    }

    async fn session_end_is_recorded_even_if_the_bot_was_down_b69(kind) {
        let mut world = world!(kind);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        dan.submit(command()).await.ok();
        world.settle().await;
        world.clock.advance(Span::hours(30));
        world.restart().await;
        world.settle().await;
        let ended = rows(&world, "break_glass.ended").await;
        assert_eq!((ended.len(), &ended[0]["detail"]["endedAt"], &ended[0]["detail"]["duration"]), (1, &json!("2026-11-23T11:00:00.000Z"), &json!("1h")));
        let alerts = said(&world, "security");
        assert_eq!(alerts.len(), 3, "start, use, end: {alerts:?}");
        let dan = world.person("dan").await;
        let shown = dan.get(&format!("/v1/break-glass/{id}")).await.ok();
        assert_eq!((&shown["status"], &shown["endsAt"], &shown["reviewOwed"]), (&json!("ended"), &json!("2026-11-23T11:00:00.000Z"), &json!(true)));
        world.finish().await;
    }

    async fn revocation_takes_effect_on_every_replica_at_once(kind) {
        let world = world!(kind);
        let (other, url) = world.replica().await;
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        let there = dan.at(&url);
        let used = there.submit(command()).await.ok();
        assert_eq!(used["status"], "bypassed");
        // an administrator who is not involved ends it
        revoke(&world.person("carol").await, &id).await.ok();
        assert_eq!(there.execute(&text(&used, "id"), &text(&used, "digest")).await.outcome(), "409 session_ended");
        assert_eq!(there.submit(command()).await.ok()["status"], "pending");
        world.settle().await;
        assert_eq!(there.read(&text(&used, "id")).await["status"], "expired", "its card must not offer it any more");
        assert_eq!(revoke(&there, &id).await.outcome(), "409 session_closed");
        other.stop().await;
        world.finish().await;
    }

    async fn only_involved_people_and_administrators_may_end_a_session(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        for stranger in ["mallory", "alice", "erin"] {
            assert_eq!(revoke(&world.person(stranger).await, &id).await.outcome(), "403 forbidden", "{stranger}");
        }
        assert_eq!(revoke(&dan, &id).await.status, 200);
        world.finish().await;
    }

    async fn responder_removed_from_the_directory_cannot_use_the_session(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let mut body = start();
        body["responders"] = json!(["dan", "service:ci"]);
        dan.post("/v1/break-glass", body).await.ok();
        let used = dan.submit(command()).await.ok();
        world.dan_leaves().await;
        assert_eq!(dan.execute(&text(&used, "id"), &text(&used, "digest")).await.outcome(), "401 unauthenticated");
        let typed = world.types("dan", "request command.execute cluster=prod-eu-1 reason=\"drain a node\"").await;
        assert!(typed.contains("not in Countersign's directory"), "{typed}");
        // a responder who is still in the directory may continue
        assert_eq!(world.pipeline(crate::client::PIPELINE).await.submit(command()).await.ok()["status"], "bypassed");
        world.finish().await;
    }

    async fn removing_break_glass_from_the_configuration_ends_use_at_once(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        let used = dan.submit(command()).await.ok();
        world.reconfigure(|document| { document.as_object_mut().expect("a document").remove("breakGlass"); }).await;
        assert_eq!(dan.execute(&text(&used, "id"), &text(&used, "digest")).await.outcome(), "409 session_ended");
        assert_eq!(dan.submit(command()).await.ok()["status"], "pending");
        assert_eq!(dan.post("/v1/break-glass", start()).await.outcome(), "403 forbidden");
        // its end is still announced where its start was announced
        revoke(&dan, &id).await.ok();
        world.settle().await;
        assert!(said(&world, "security").last().expect("an alert").contains("has ended their session"));
        world.finish().await;
    }

    async fn completion_after_the_session_end_is_flagged_and_alerted_st5(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        let id = opened(&world, &dan).await;
        let used = dan.submit(command()).await.ok();
        let path = format!("/v1/requests/{}/complete", text(&used, "id"));
        dan.execute(&text(&used, "id"), &text(&used, "digest")).await.ok();
        revoke(&dan, &id).await.ok();
        dan.post(&path, json!({"outcome": "failed"})).await.ok();
        world.settle().await;
        assert_eq!(rows(&world, "request.completed").await[0]["detail"]["afterSessionEnd"], json!(true));
        insta::assert_snapshot!("completed_late", said(&world, "security").last().expect("an alert"));
        world.finish().await;
    }

    async fn session_duration_limits_come_from_the_configuration(kind) {
        let world = world!(kind);
        let dan = world.person("dan").await;
        for (length, outcome) in [("29m 59s", "422 policy_violations"), ("30m", "201"), ("4h", "201"), ("4h 1s", "422 policy_violations"), ("soon", "422 invalid_body")] {
            let mut body = start();
            body["duration"] = json!(length);
            assert_eq!(dan.post("/v1/break-glass", body).await.outcome(), outcome, "{length}");
        }
        let mut body = start();
        body.as_object_mut().expect("an object").remove("duration");
        assert_eq!(dan.post("/v1/break-glass", body).await.ok()["duration"], "30m");
        for reason in ["", "  ", "x", "...."] {
            let mut body = start();
            body["reason"] = json!(reason);
            let refused = dan.post("/v1/break-glass", body).await;
            assert_eq!(refused.body["violations"][0]["rule"], "reason_required", "{reason}");
        }
        world.finish().await;
    }
}
