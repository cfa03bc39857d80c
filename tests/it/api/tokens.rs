//! Revoked tokens stop working at once on every replica; limits keep one principal from flooding the others.

use crate::break_glass::{opened, revoke, start};
use crate::client::{Api, PIPELINE, command, text};
use crate::database::on_both;
use crate::world::{operator, world};
use countersign::app::{AppError, Changed};
use countersign::domain::decision::Via;
use countersign::domain::principal::Caller;
use countersign::domain::refusal::Refusal;
use countersign::domain::time::Span;
use countersign::domain::token::Scope;
use serde_json::json;

on_both! {
    async fn revoked_token_is_refused_at_once_on_every_replica_b59(kind) {
        let world = world!(kind);
        let (_, other) = world.replica().await;
        let (bob, carol) = (world.person("bob").await, world.person("carol").await);
        let id = text(&bob.submit(command()).await.ok(), "id");
        assert_eq!(carol.at(&other).read(&id).await["canApprove"], true);
        for token in world.app().tokens().await.expect("tokens") {
            if token.principal.person().is_some_and(|person| person.as_str() == "carol") {
                world.app().revoke_token(&operator(), &token.id).await.expect("it is revoked");
                assert!(world.app().revoke_token(&operator(), &token.id).await.is_err(), "once");
            }
        }
        for url in [&other, &world.url] {
            let reply = carol.at(url).decide(&id, "approve").await;
            assert_eq!(reply.outcome(), "401 unauthenticated");
            assert_eq!(reply.header("www-authenticate"), "Bearer error=\"invalid_token\"");
            assert_eq!(bob.at(url).read(&id).await["decisions"], json!([]));
        }
        world.finish().await;
    }

    async fn token_revoked_during_a_long_poll_receives_nothing_b59(kind) {
        let world = world!(kind);
        let (_, other) = world.replica().await;
        let (alice, carol) = (world.person("alice").await, world.person("carol").await);
        let id = text(&alice.submit(command()).await.ok(), "id");
        let waiter = Api::new(&other, &world.token_of("bob", &[Scope::RequestsRead]).await);
        let path = format!("/v1/requests/{id}?wait=30s");
        let waiting = tokio::spawn(async move { waiter.get(&path).await });
        // the long poll has arrived once the use of its token is recorded
        let token = loop {
            let tokens = world.app().tokens().await.expect("tokens");
            let used = tokens.into_iter().find(|token| token.scopes == [Scope::RequestsRead] && token.last_used_at.is_some());
            match used {
                Some(token) => break token,
                None => tokio::task::yield_now().await,
            }
        };
        world.app().revoke_token(&operator(), &token.id).await.expect("it is revoked");
        carol.decide(&id, "approve").await.ok();
        let seen = waiting.await.expect("it ends");
        assert_eq!(seen.outcome(), "401 unauthenticated");
        world.finish().await;
    }

    async fn people_removed_from_the_directory_lose_api_access_on_every_replica(kind) {
        let world = world!(kind);
        let (_, other) = world.replica().await;
        let dan = world.person("dan").await;
        let id = text(&world.person("bob").await.submit(command()).await.ok(), "id");
        dan.at(&other).read(&id).await;
        world.dan_leaves().await;
        for url in [&other, &world.url] {
            assert_eq!(dan.at(url).decide(&id, "approve").await.outcome(), "401 unauthenticated");
            assert_eq!(dan.at(url).get("/v1/requests").await.outcome(), "401 unauthenticated");
        }
        world.finish().await;
    }

    async fn malformed_tokens_are_unauthenticated(kind) {
        let world = world!(kind);
        for (text, status) in [("x".to_owned(), 401), ("cs_".to_owned(), 401), (format!("cs_{}", "0".repeat(64)), 401), ("x".repeat(5_000), 401), ("a b".to_owned(), 401)] {
            assert_eq!(Api::new(&world.url, &text).get("/v1/requests").await.status, status, "{text}");
        }
        let nobody = Api::new(&world.url, "");
        for header in ["", "Bearer", "Bearer ", "Basic YWxpY2U6", "bearer", "Token x"] {
            assert_eq!(nobody.call("GET", "/v1/requests", &[("authorization", header)], None).await.outcome(), "401 unauthenticated", "{header}");
        }
        world.finish().await;
    }

    async fn pending_limit_and_rate_limit_refuse_submissions_sl15(kind) {
        let world = world!(kind);
        world.reconfigure(|document| document["limits"] = json!({"pendingPerPrincipal": 2, "requestsPerSecond": 50})).await;
        let (ci, alice) = (world.pipeline(PIPELINE).await, world.person("alice").await);
        let first = text(&ci.submit(command()).await.ok(), "id");
        let keyed = ci.once("k", "/v1/requests", command()).await.ok();
        let full = ci.submit(command()).await;
        assert_eq!((full.outcome(), full.header("retry-after")), ("429 too_many_requests".to_owned(), "60"));
        // a stored response is returned again, and other principals are not delayed
        assert_eq!(ci.once("k", "/v1/requests", command()).await.ok()["id"], keyed["id"]);
        alice.submit(command()).await.ok();
        ci.cancel(&first).await.ok();
        ci.submit(command()).await.ok();

        world.reconfigure(|document| document["limits"] = json!({"pendingPerPrincipal": 0, "requestsPerSecond": 2})).await;
        world.clock.advance(Span::minutes(1));
        for _ in 0..2 {
            ci.submit(command()).await.ok();
        }
        let fast = ci.submit(command()).await;
        assert_eq!((fast.outcome(), fast.header("retry-after")), ("429 too_many_requests".to_owned(), "1"));
        alice.submit(command()).await.ok();
        world.clock.advance(Span::seconds(1));
        ci.submit(command()).await.ok();
        world.finish().await;
    }

    /// What is not gated adds no request, and is not counted.
    async fn gated_starts_and_changes_count_as_requests_sl15(kind) {
        let world = world!(kind);
        world.reconfigure(|document| {
            document["limits"] = json!({"pendingPerPrincipal": 1, "requestsPerSecond": 50});
        }).await;
        let [dan, carol] = [world.person("dan").await, world.person("carol").await];
        for full in [&dan, &carol] {
            full.submit(command()).await.ok();
        }
        let session = opened(&world, &dan).await;
        revoke(&dan, &session).await.ok();
        world.reconfigure(|document| {
            document["policies"].as_array_mut().expect("a list").push(json!({"id": "glass-gate", "name": "Glass Gate", "scope": "organization",
                "actions": ["break_glass.initiate", "environment.policy_update"], "approvers": {"teams": ["sre", "security"]}}));
            document["bindings"].as_array_mut().expect("a list").push(json!({"policy": "glass-gate", "level": "organization"}));
        }).await;
        let full = carol.post("/v1/break-glass", start()).await;
        assert_eq!((full.outcome(), full.header("retry-after")), ("429 too_many_requests".to_owned(), "60"));
        let mut document = world.app().config().await.expect("stored").document;
        document.routes.rules.clear();
        let (by, reason) = (Caller::person("carol".into(), Via::Api), Some("tidy".to_owned()));
        let full = world.app().change_config(&by, document.clone(), None, reason.clone()).await;
        assert!(matches!(full, Err(AppError::Refused(Refusal::TooMany(..)))), "{full:?}");
        assert_eq!(world.database.count("SELECT count(*) FROM requests").await, 2);
        let asked = world.app().change_config(&operator(), document, None, reason).await;
        assert!(matches!(asked, Ok(Changed::Requested(_))), "the operator has no limit: {asked:?}");
        world.finish().await;
    }
}
