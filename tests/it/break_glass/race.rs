//! Revocations that race with uses, and random schedules of all operations (threats B66, OP7): no use after the commit of the revocation,
//! and one audit row and one alert for each event. `COUNTERSIGN_RACE_ROUNDS` sets the number of rounds.

use super::{revoke, rows, said, start};
use crate::client::{command, text};
use crate::database::{Kind, on_both};
use crate::race_support::rounds;
use crate::world::{World, world};
use countersign::app::{AppError, RequestRef};
use countersign::domain::ask::Ask;
use countersign::domain::break_glass::{SessionAsk, SessionState};
use countersign::domain::decision::Via;
use countersign::domain::id::SessionId;
use countersign::domain::principal::Caller;
use countersign::domain::request::{Request, Status};
use countersign::domain::time::Span;
use serde_json::json;

fn ask() -> SessionAsk {
    SessionAsk {
        reason: "checkout is down".to_owned(),
        actions: vec!["cluster".to_owned()],
        clusters: Some(vec!["prod-eu-1".to_owned()]),
        duration: Some(Span::hours(1)),
        ..SessionAsk::default()
    }
}

fn drain() -> Ask {
    Ask {
        action: "command.execute".to_owned(),
        cluster: Some("prod-eu-1".to_owned()),
        reason: Some("drain a node".to_owned()),
        ..Ask::default()
    }
}

/// Whether an event of this request was written before the end of this session. Transactions write in the order in which they got the
/// configuration lock; at their first write they number their rows (`SQLite`) or themselves (Postgres).
async fn came_before_the_end(
    world: &World,
    kind: Kind,
    what: &str,
    request: &Request,
    session: &SessionId,
) -> bool {
    let place = match kind {
        Kind::Sqlite => "rowid",
        Kind::Postgres => "CAST(CAST(xmin AS TEXT) AS BIGINT)",
    };
    let sql = format!(
        "SELECT count(*) FROM audit WHERE what = '{what}' AND request_id = '{}'
         AND {place} < (SELECT {place} FROM audit WHERE what = 'break_glass.ended' AND session_id = '{session}')",
        request.id
    );
    world.database.count(&sql).await > 0
}

on_both! {
    async fn racing_session_use_never_succeeds_after_revocation_commits(kind) {
        let world = world!(kind);
        let (other, _) = world.replica().await;
        let (here, there) = (world.app().clone(), other.app.clone());
        let dan = Caller::person("dan".into(), Via::Api);
        let (mut used, mut too_late) = (0, 0);
        for round in 0..rounds(60, 4) {
            world.clock.advance(Span::seconds(2));
            let session = here.start_session(&dan, ask(), None).await.expect("it starts").session.session;
            let granted = there.submit(&dan, drain(), None).await.expect("asked").shown.request;
            assert_eq!(granted.state.status(), Status::Bypassed);
            let reference = RequestRef::Id(granted.id.clone());
            let (executed, submitted, revoked) = tokio::join!(
                there.execute(&dan, &reference, granted.digest.clone().into(), None),
                here.submit(&dan, drain(), None),
                here.revoke_session(&dan, &session.id, None),
            );
            let ended = revoked.expect("dan may").session;
            assert!(matches!(ended.state, SessionState::Ended { .. }));
            assert!(came_before_the_end(&world, kind, "request.bypassed", &granted, &session.id).await, "round {round}");
            match executed {
                Ok(_) => {
                    used += 1;
                    assert!(came_before_the_end(&world, kind, "request.executed", &granted, &session.id).await, "round {round}");
                }
                Err(AppError::Refused(_)) => too_late += 1,
                Err(other) => panic!("round {round}: {other}"),
            }
            // a use that succeeded was committed before the revocation, as the order of the log shows
            let submitted = submitted.expect("asked").shown.request;
            let counted = there.session(&session.id).await.expect("it is there").uses.len();
            assert_eq!(counted, 1 + usize::from(submitted.session.is_some()), "round {round}");
            if submitted.session.is_some() {
                assert!(came_before_the_end(&world, kind, "request.bypassed", &submitted, &session.id).await, "round {round}");
            }
            let after = there.submit(&dan, drain(), None).await.expect("asked").shown.request;
            assert_eq!(after.state.status(), Status::Pending, "round {round}");
            assert!(!came_before_the_end(&world, kind, "request.created", &after, &session.id).await, "round {round}");
            for waiting in [&after, &submitted] {
                // pending requests of this round must not reach the limit
                let _ = here.cancel(&dan, &RequestRef::Id(waiting.id.clone()), None).await;
            }
        }
        println!("{used} executions came before the revocation, {too_late} after it");
        other.app.close().await;
        world.slack.forgive();
        world.finish().await;
    }

    /// A random walk over the whole bot: starts, uses, ends, reviews, clock steps. Afterwards the log and the channel agree.
    async fn each_break_glass_event_has_one_audit_row_and_one_alert_op7(kind) {
        let world = world!(kind);
        let (dan, erin) = (world.person("dan").await, world.person("erin").await);
        let mut seed = 0x5eed_u64;
        let mut next = |n: u64| { seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407); (seed >> 33) % n };
        let mut sessions: Vec<String> = Vec::new();
        for _ in 0..60 {
            match next(6) {
                0 => sessions.push(text(&dan.post("/v1/break-glass", start()).await.ok(), "id")),
                1 | 2 => { dan.submit(command()).await.ok(); }
                3 => if let Some(id) = sessions.last() { revoke(&dan, id).await; },
                4 => if let Some(id) = sessions.first() {
                    erin.post(&format!("/v1/break-glass/{id}/review"), json!({"note": "seen"})).await;
                },
                _ => world.passes(Span::minutes(i64::try_from(next(50)).expect("small"))).await,
            }
        }
        world.passes(Span::hours(5)).await;
        let alerts = said(&world, "security");
        for (event, says) in [("break_glass.started", "has started a session"), ("request.bypassed", "bypassed one policy"),
            ("break_glass.ended", "A review is owed"), ("break_glass.reviewed", "has reviewed the session")] {
            let recorded = rows(&world, event).await;
            let heard = alerts.iter().filter(|text| text.contains(says)).count();
            assert_eq!(recorded.len(), heard, "{event}");
            assert!(!recorded.is_empty(), "{event} never happened");
            assert!(recorded.iter().all(|row| row["prominent"] == json!(true)), "{event}");
        }
        world.finish().await;
    }
}
