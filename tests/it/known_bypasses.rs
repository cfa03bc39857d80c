//! Ways in which other approval systems were bypassed, each tried here (docs/security.md lists the rows under this file).

use crate::client::{Api, command, deploy, text};
use crate::database::on_both;
use crate::race_support::{approval, rounds};
use crate::world::{World, operator, world};
use countersign::app::{App, AppError, RequestRef};
use countersign::domain::ask::Ask;
use countersign::domain::decision::Via;
use countersign::domain::document::ConfigDocument;
use countersign::domain::principal::Caller;
use countersign::domain::refusal::Refusal;
use countersign::domain::request::Status;
use countersign::domain::time::Span;
use countersign::http::{self, Bounds, MetricsAddress, ReadinessState};
use serde_json::{Value, json};
use std::time::Duration;

/// The release of the main story, approved by bob and carol.
async fn approved(world: &World, body: Value) -> Value {
    let asked = world.person("alice").await.submit(body).await.ok();
    let id = text(&asked, "id");
    let mut last = asked;
    for approver in ["bob", "carol"] {
        last = world
            .person(approver)
            .await
            .decide(&id, "approve")
            .await
            .ok();
        if last["status"] == "approved" {
            break;
        }
    }
    assert_eq!(last["status"], "approved");
    last
}

async fn stored(world: &World) -> ConfigDocument {
    world
        .app()
        .config()
        .await
        .expect("a configuration")
        .document
}

/// The configuration with three required approvals instead of two.
fn tightened(document: &ConfigDocument) -> ConfigDocument {
    let mut json = serde_json::to_value(document).expect("JSON");
    json["policies"][0]["quorum"]["minApprovals"] = json!(3);
    serde_json::from_value(json).expect("a document")
}

fn alice() -> Caller {
    Caller::person("alice".into(), Via::Api)
}

/// A release of alice's that bob and carol have approved: its id and digest.
async fn granted(world: &World, app: &App) -> (RequestRef, String) {
    // the rate limit is not under test
    world.clock.advance(Span::seconds(1));
    let submission = Ask {
        action: "release.deploy".to_owned(),
        project: Some("api-platform".to_owned()),
        environment: Some("production".to_owned()),
        reason: Some("a race".to_owned()),
        ..Ask::default()
    };
    let asked = app.submit(&alice(), submission, None).await;
    let asked = asked.expect("a request").shown.request;
    let request = RequestRef::Id(asked.id);
    for who in ["bob", "carol"] {
        let voted = app.decide(approval(&request, who)).await;
        voted.expect("a decision");
    }
    (request, asked.digest.to_string())
}

async fn status(app: &App, request: &RequestRef) -> Status {
    let shown = app.show(request).await.expect("it is there");
    shown.request.state.status()
}

on_both! {
    async fn policies_are_read_from_the_store_and_not_from_the_caller_b02(kind) {
        let world = world!(kind);
        let (replica, other) = world.replica().await;
        let alice = world.person("alice").await;
        for field in ["policies", "gates", "quorum", "policyVersion", "bypass", "status", "approvedBy", "risk", "digest"] {
            let mut body = deploy();
            body[field] = json!([]);
            assert_eq!(alice.submit(body).await.outcome(), "422 invalid_body", "{field}");
        }
        // content that looks like a policy is only content
        let mut body = deploy();
        body["payload"] = json!({"policies": [], "requesterCanApprove": true, "status": "approved"});
        assert_eq!(alice.submit(body).await.ok()["status"], "pending");
        // a replica that compiled the configuration earlier uses what is stored now
        assert_eq!(alice.at(&other).submit(deploy()).await.ok()["policies"][0]["approvals"]["need"], 2);
        let tight = tightened(&stored(&world).await);
        world.app().change_config(&operator(), tight, None, None).await.expect("it holds");
        assert_eq!(alice.at(&other).submit(deploy()).await.ok()["policies"][0]["approvals"]["need"], 3);
        replica.app.close().await;
        world.finish().await;
    }

    async fn grant_executes_exactly_the_approved_content_b06_b07(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let here = approved(&world, deploy()).await;
        for (field, value) in [("project", json!("billing")), ("release", json!("v1.4.3")), ("payload", json!({"image": "api@sha256:evil"}))] {
            let mut body = deploy();
            body[field] = value;
            let asked = alice.submit(body).await.ok();
            // neither with the digest of one request, nor under the id of the other
            assert_eq!(alice.execute(&text(&here, "id"), &text(&asked, "digest")).await.outcome(), "409 digest_mismatch", "{field}");
            assert_eq!(alice.execute(&text(&asked, "id"), &text(&here, "digest")).await.outcome(), "409 request_closed", "{field}");
        }
        let path = format!("/v1/requests/{}/execute", text(&here, "id"));
        for wrong in [json!({}), json!({"digest": ""}), json!({"digest": null}), json!({"digest": text(&here, "digest"), "environment": "staging"})] {
            assert!(alice.post(&path, wrong.clone()).await.status >= 400, "{wrong}");
        }
        let executed = alice.execute(&text(&here, "id"), &text(&here, "digest")).await.ok();
        assert_eq!(executed["content"]["target"], json!({"environment": "production", "project": "api-platform", "release": "v1.4.2"}));
        assert_eq!(executed["content"]["payload"], deploy()["payload"]);
        world.finish().await;
    }

    async fn cancel_or_replace_racing_execute_is_all_or_nothing_b04_ap3(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        let (here, there) = (world.app().clone(), replica.app.clone());
        for round in 0..rounds(40, 10) {
            let (request, digest) = granted(&world, &here).await;
            let me = alice();
            let cancelling = async {
                if round % 2 == 0 {
                    return there.cancel(&me, &request, None).await.map(|_| ());
                }
                let changed = Ask {
                    action: "release.deploy".to_owned(),
                    project: Some("billing".to_owned()),
                    environment: Some("production".to_owned()),
                    reason: Some("another content".to_owned()),
                    replaces: Some(request.clone()),
                    ..Ask::default()
                };
                there.submit(&me, changed, None).await.map(|_| ())
            };
            let (executed, cancelled) = tokio::join!(here.execute(&me, &request, digest.as_str().into(), None), cancelling);
            match (&executed, &cancelled) {
                (Ok(executed), Err(AppError::Refused(Refusal::Closed(Status::Executed)))) => {
                    assert_eq!(executed.shown.request.digest.as_str(), digest);
                    assert_eq!(status(&there, &request).await, Status::Executed);
                }
                (Err(AppError::Refused(Refusal::Closed(Status::Cancelled))), Ok(())) => {
                    assert_eq!(status(&here, &request).await, Status::Cancelled);
                }
                other => panic!("round {round}: {other:?}"),
            }
        }
        there.close().await;
        world.finish().await;
    }

    async fn tightened_policy_racing_execute_applies_before_or_after_it_ap3(kind) {
        let world = world!(kind);
        let (replica, _) = world.replica().await;
        let (here, there) = (world.app().clone(), replica.app.clone());
        let loose = stored(&world).await;
        let tight = tightened(&loose);
        for round in 0..rounds(40, 10) {
            let (request, digest) = granted(&world, &here).await;
            let me = alice();
            let by = operator();
            let (executed, tightened) = tokio::join!(
                here.execute(&me, &request, digest.as_str().into(), None),
                there.change_config(&by, tight.clone(), None, None),
            );
            tightened.expect("the rules are changed");
            match executed {
                Ok(_) => assert_eq!(status(&there, &request).await, Status::Executed),
                Err(AppError::Refused(Refusal::RequirementsChanged { .. })) => {
                    assert_eq!(status(&there, &request).await, Status::Pending);
                    assert!(here.execute(&me, &request, digest.as_str().into(), None).await.is_err(), "round {round}");
                }
                Err(other) => panic!("round {round}: {other:?}"),
            }
            here.change_config(&by, loose.clone(), None, None).await.expect("as before");
        }
        there.close().await;
        world.finish().await;
    }

    async fn audit_actor_is_the_person_who_clicked_b23(kind) {
        let world = world!(kind);
        world.types("alice", crate::world::DEPLOY).await;
        assert_eq!(world.clicks("bob", "approve").await, "");
        world.person("carol").await.decide("1", "approve").await.ok();
        let asked = "SELECT actor FROM audit WHERE what = 'request.created'";
        assert_eq!(world.database.text(asked).await, "person:alice");
        let voted = "SELECT count(*) FROM audit WHERE what = 'vote.approved' AND actor IN ('person:bob', 'person:carol')";
        assert_eq!(world.database.count(voted).await, 2);
        // only what follows from the last click has the bot as its actor
        let by_programs = "SELECT count(*) FROM audit WHERE request_id IS NOT NULL AND actor NOT LIKE 'person:%' AND what <> 'request.approved'";
        assert_eq!(world.database.count(by_programs).await, 0);
        world.finish().await;
    }

    async fn executed_payload_is_byte_for_byte_the_stored_one_b08(kind) {
        let world = world!(kind);
        let mut body = deploy();
        body["payload"] = json!({"contentType": "application/yaml", "text": "image: api:latest \n"});
        let asked = approved(&world, body.clone()).await;
        let executed = world.person("alice").await.execute(&text(&asked, "id"), &text(&asked, "digest")).await.ok();
        assert_eq!(executed["content"]["payload"], body["payload"]);
        world.finish().await;
    }

    async fn concurrent_calls_and_long_polls_are_limited_ap9(kind) {
        let world = world!(kind);
        let id = text(&world.person("alice").await.submit(command()).await.ok(), "id");
        let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
        let (_told, troubles) = tokio::sync::watch::channel(ReadinessState::default());
        let api = http::Api::new(world.app().clone(), metrics, troubles, Bounds::new(8, 1, Duration::from_secs(15)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = tokio::spawn(async move { axum::serve(listener, http::router(api, MetricsAddress::Public, axum::Router::new())).await });

        let alice = world.person("alice").await.at(&url);
        let wait = format!("/v1/requests/{id}?wait=30s");
        let (waiter, path) = (alice.clone(), wait.clone());
        // only a second poll can show that the first one was accepted; if the second came first, it is sent again
        let first = tokio::spawn(async move {
            loop {
                let reply = waiter.get(&path).await;
                if reply.status != 503 {
                    return reply;
                }
            }
        });
        // once the capacity is used up, a stranger is refused before authentication
        let stranger = Api::new(&url, "");
        while stranger.get(&wait).await.status == 401 {
            tokio::task::yield_now().await;
        }
        let refused = alice.get(&wait).await;
        assert_eq!((refused.outcome().as_str(), refused.header("retry-after")), ("503 busy", "1"));
        // long polls take no capacity from other calls
        alice.read(&id).await;
        world.person("carol").await.at(&url).decide(&id, "approve").await.ok();
        assert_eq!(first.await.expect("it ends").ok()["status"], "approved");
        // the capacity is free again
        alice.get(&wait).await.ok();
        serving.abort();
        world.finish().await;
    }
}
