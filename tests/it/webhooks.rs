//! Webhooks over real sockets: what arrives, signed by whom, in which order, and what happens to endpoints that fail.

mod endpoint;
mod failures;
mod official;
mod terminal;

use crate::client::{deploy, text};
use crate::database::{Kind, on_both};
use crate::world::{DEPLOY, World};
use countersign::domain::time::Span;
use countersign::domain::webhook_signature::SigningKeys;
use endpoint::{Endpoint, Received};
use serde_json::{Value, json};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const NEW_SECRET: &str = "whsec_Q291bnRlcnNpZ24taW50ZWdyYXRpb25zLXRlc3Qta2V5MDE=";
const CONFIGURATION: &str = include_str!("../../manifests/demo.yaml");

/// The environment variables of every world.
pub fn variable(name: &str) -> Option<String> {
    match name {
        "SLACK_CLIENT_SECRET" | "OIDC_CLIENT_SECRET" => {
            Some(countersign::sandbox::CLIENT_SECRET.to_owned())
        }
        "HOOK_SECRET" => Some(SECRET.to_owned()),
        "BOTH_SECRETS" => Some(format!("{SECRET},{NEW_SECRET}")),
        "SMTP_PASSWORD" => Some(crate::emails::PASSWORD.to_owned()),
        _ => None,
    }
}

const EVERY_EVENT: &str = "[request.created, request.decided, request.executed, request.completed, request.cancelled, request.expired, \
    break_glass.started, break_glass.used, break_glass.ended, break_glass.reviewed]";

/// One entry of `webhooks` that subscribes to everything, on this machine.
pub fn hook(url: &str) -> String {
    format!("{{url: '{url}', secretEnv: HOOK_SECRET, events: {EVERY_EVENT}, allowPrivate: true}}")
}

/// A world with these webhooks.
pub async fn start(kind: Kind, hooks: &[String]) -> Option<World> {
    let configuration = format!("{CONFIGURATION}\nwebhooks: [{}]\n", hooks.join(", "));
    World::start_with(kind, &configuration).await
}

/// A world with these webhooks, or the end of the test if there is no Postgres.
macro_rules! hooked {
    ($kind:expr, $($hook:expr),+) => {
        match crate::webhooks::start($kind, &[$($hook),+]).await {
            Some(world) => world,
            None => return,
        }
    };
}
pub(crate) use hooked;

/// Type and request status of each delivery.
pub fn told(received: &[Received]) -> Vec<String> {
    let told = |one: &Received| {
        let body = one.json();
        let subject = if body["type"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("break_glass"))
        {
            &body["data"]["session"]
        } else {
            &body["data"]["request"]
        };
        format!("{} {}", text(&body, "type"), text(subject, "status"))
    };
    received.iter().map(told).collect()
}

on_both! {
    async fn request_events_arrive_signed_in_order_and_without_the_payload_no10(kind) {
        let endpoint = Endpoint::start().await;
        let world = hooked!(kind, hook(&endpoint.url("/hooks")));
        let alice = world.person("alice").await;
        let asked = alice.submit(deploy()).await.ok();
        let (id, digest) = (text(&asked, "id"), text(&asked, "digest"));
        world.settle().await;
        for who in ["bob", "carol"] {
            assert_eq!(world.clicks(who, "approve").await, "");
        }
        alice.execute(&id, &digest).await.ok();
        alice.post(&format!("/v1/requests/{id}/complete"), json!({"outcome": "succeeded"})).await.ok();
        world.settle().await;

        let received = endpoint.received();
        assert_eq!(told(&received), ["request.created pending", "request.decided approved", "request.executed executed", "request.completed completed"]);
        let keys = SigningKeys::read(SECRET).expect("a secret");
        for one in &received {
            let at = countersign::domain::time::Timestamp(one.header("webhook-timestamp").parse::<i64>().expect("seconds") * 1_000);
            assert_eq!(at, world.clock.now(), "the time of the attempt");
            let [_, _, (_, signature)] = keys.headers(&one.header("webhook-id"), at, &one.body);
            assert_eq!(one.header("webhook-signature"), signature);
            assert_eq!((one.path.as_str(), one.header("content-type")), ("/hooks", "application/json".to_owned()));
            assert!(!one.body.contains("payload"), "{}", one.body);
        }
        let shown = &received[1].json()["data"]["request"];
        assert_eq!(shown["decisions"].as_array().map(Vec::len), Some(2));
        assert_eq!(shown["policies"][0]["satisfied"], true);
        assert_eq!(shown["version"], 3);
        assert_eq!(shown["canApprove"], false);
        world.finish().await;
    }

    async fn other_endings_and_break_glass_arrive_as_well(kind) {
        let endpoint = Endpoint::start().await;
        let world = hooked!(kind, hook(&endpoint.url("/hooks")));
        world.types("alice", DEPLOY).await;
        world.rejects("bob", "not today").await;
        let dan = world.person("dan").await;
        let asked = dan.submit(deploy()).await.ok();
        dan.post(&format!("/v1/requests/{}/cancel", text(&asked, "id")), json!({})).await.ok();
        world.settle().await;
        let mut third = deploy();
        third["release"] = json!("v3");
        dan.submit(third).await.ok();
        world.settle().await;
        world.passes(Span::hours(24 * 8)).await;
        world.passes(Span::seconds(1)).await;
        let received = endpoint.taken();
        assert_eq!(told(&received), ["request.created pending", "request.decided rejected", "request.created pending",
            "request.cancelled cancelled", "request.created pending", "request.expired expired"]);

        let session = crate::break_glass::opened(&world, &dan).await;
        assert_eq!(dan.submit(crate::client::command()).await.ok()["status"], "bypassed");
        crate::break_glass::revoke(&dan, &session).await.ok();
        let erin = world.person("erin").await;
        erin.post(&format!("/v1/break-glass/{session}/review"), json!({"note": "it was right"})).await.ok();
        world.settle().await;
        let mut told = told(&endpoint.received());
        told.sort();
        // each endpoint's order is that of one request or session; what the session had let through ends with it
        assert_eq!(told, ["break_glass.ended ended", "break_glass.reviewed reviewed", "break_glass.started active",
            "break_glass.used active", "request.created bypassed", "request.expired expired"]);
        let used = endpoint.received().into_iter().map(|one| one.json()).find(|body| body["type"] == "break_glass.used");
        let used = used.expect("a use");
        assert_eq!(used["data"]["request"]["breakGlassSession"], session);
        assert_eq!(used["data"]["session"]["uses"].as_array().map(Vec::len), Some(1));
        world.finish().await;
    }

    async fn delivery_that_failed_is_repeated_with_its_id_before_what_follows_no11(kind) {
        let endpoint = Endpoint::start().await;
        let world = hooked!(kind, hook(&endpoint.url("/hooks")));
        endpoint.answers(&[500, 503]);
        world.types("alice", DEPLOY).await;
        assert_eq!(told(&endpoint.received()), ["request.created pending"]);
        world.passes(Span::seconds(1)).await;
        for who in ["bob", "carol"] {
            assert_eq!(world.clicks(who, "approve").await, "");
        }
        world.passes(Span::seconds(6)).await;
        assert_eq!(told(&endpoint.received()), ["request.created pending"; 2], "what follows waits");
        world.passes(Span::minutes(6)).await;
        let received = endpoint.received();
        // what arrives late still shows the request as it was
        assert_eq!(told(&received)[2..], ["request.created pending", "request.decided approved"]);
        assert_eq!(received[2].json()["data"]["request"]["decisions"], json!([]));
        assert_eq!(received[2].json()["data"]["request"]["version"], 1);
        let ids: Vec<String> = received.iter().map(|one| one.header("webhook-id")).collect();
        assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
        assert!(ids.iter().all(|id| id.starts_with("out_") && !id.contains('.')), "{ids:?}");
        assert_ne!(received[0].header("webhook-timestamp"), received[2].header("webhook-timestamp"));
        assert_eq!(received[0].body, received[2].body, "every attempt has the same body");
        world.finish().await;
    }

    async fn two_secrets_sign_while_one_replaces_the_other_no10(kind) {
        let endpoint = Endpoint::start().await;
        let both = hook(&endpoint.url("/hooks")).replace("HOOK_SECRET", "BOTH_SECRETS");
        let world = hooked!(kind, both);
        world.types("alice", DEPLOY).await;
        let received = endpoint.received();
        let signatures = received[0].header("webhook-signature");
        assert_eq!(signatures.split(' ').filter(|one| one.starts_with("v1,")).count(), 2, "{signatures}");
        world.finish().await;
    }

    async fn callback_of_a_request_receives_its_outcome_and_must_lie_under_a_webhook_no9(kind) {
        let endpoint = Endpoint::start().await;
        let only_sessions = format!("{{url: '{}', secretEnv: HOOK_SECRET, events: [break_glass.started], allowPrivate: true}}", endpoint.url("/hooks"));
        let world = hooked!(kind, only_sessions);
        let alice = world.person("alice").await;
        let mut ask = deploy();
        for elsewhere in [endpoint.url("/other"), endpoint.url("/hooks/../other"), "https://example.com/hooks".to_owned(), "hooks".to_owned()] {
            ask["callbackUrl"] = json!(elsewhere);
            let refused = alice.submit(ask.clone()).await;
            assert_eq!(refused.outcome(), "422 policy_violations", "{elsewhere}");
            assert_eq!(refused.body["violations"][0]["rule"], "callback", "{elsewhere}");
        }
        ask["callbackUrl"] = json!(endpoint.url("/hooks/run/7?attempt=1"));
        let asked = alice.submit(ask).await;
        assert_eq!(asked.status, 201, "{}", asked.body);
        world.settle().await;
        assert_eq!(told(&endpoint.received()), Vec::<String>::new(), "who asked knows that");
        for who in ["bob", "carol"] {
            assert_eq!(world.clicks(who, "approve").await, "");
        }
        let received = endpoint.received();
        assert_eq!(told(&received), ["request.decided approved"]);
        assert_eq!(received[0].path, "/hooks/run/7?attempt=1");
        let keys = SigningKeys::read(SECRET).expect("a secret");
        let [_, _, (_, signature)] = keys.headers(&received[0].header("webhook-id"), world.clock.now(), &received[0].body);
        assert_eq!(received[0].header("webhook-signature"), signature);
        world.finish().await;
    }

    async fn webhook_is_stored_in_the_transaction_of_its_event(kind) {
        let endpoint = Endpoint::start().await;
        let world = hooked!(kind, hook(&endpoint.url("/hooks")));
        let alice = world.person("alice").await;
        let waiting = "SELECT count(*) FROM outbox WHERE lane = 3";
        alice.submit(deploy()).await.ok();
        assert_eq!(world.database.count(waiting).await, 1, "no worker has run");
        let mut refused = deploy();
        refused["environment"] = Value::Null;
        assert_eq!(alice.submit(refused).await.status, 422);
        assert_eq!(world.database.count(waiting).await, 1);
        world.finish().await;
    }
}
