//! Deliveries: one that is not from Slack has no effect, and one from Slack has effect once, whenever and wherever it is repeated.

use crate::database::{on_both, on_both_doors};
use crate::world::{DEPLOY, SIGNING_SECRET, World, world};
use countersign::domain::time::Span;
use countersign::sandbox::{Answer, Delivery, Forge, Values, sign};
use futures::future::join_all;
use serde_json::json;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const LIMIT: usize = 256 * 1024;

/// Sends the same bytes again: they are acknowledged, and cause no further row and no reply.
async fn nothing_more(world: &World, who: &str, delivery: &Delivery, when: &str) -> Answer {
    let before = (
        world.rows().await,
        world.told(who),
        world.slack.cards("prod-approvals"),
    );
    let answer = world.delivers(delivery).await;
    assert_eq!(answer.status, 200, "{when}");
    let after = (
        world.rows().await,
        world.told(who),
        world.slack.cards("prod-approvals"),
    );
    assert_eq!(after, before, "{when}");
    answer
}

/// The same at once, on another replica, and after a restart.
async fn nothing_more_anywhere(world: &mut World, who: &str, delivery: &Delivery) {
    nothing_more(world, who, delivery, "at once").await;
    let (replica, url) = world.replica().await;
    world.slack.set_bot_url(&url);
    let before = (world.rows().await, world.told(who));
    // over sockets Slack chooses the replica, so each socket has its turn
    for _ in 0..world.slack.sockets().len().max(1) {
        let answer = world.slack.redeliver(delivery).await.expect("an answer");
        assert_eq!(answer.status, 200);
    }
    world.bot.dispatcher.finish().await;
    replica.dispatcher.finish().await;
    replica.workers.settle().await.expect("the workers work");
    assert_eq!(
        (world.rows().await, world.told(who)),
        before,
        "on another replica"
    );
    replica.stop().await;
    world.restart().await;
    nothing_more(world, who, delivery, "after a restart").await;
}

on_both_doors! {
    async fn an_accepted_click_sent_again_has_no_second_effect_b57(kind) {
        let mut world = world!(kind);
        world.types("alice", DEPLOY).await;
        let click = world.click_of("bob", "approve", Forge::default());
        assert_eq!(world.delivers(&click).await.status, 200);
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        nothing_more_anywhere(&mut world, "bob", &click).await;
        assert!(world.told("bob").is_empty());
        world.finish().await;
    }

    async fn a_refused_click_sent_again_is_audited_once_b57(kind) {
        let mut world = world!(kind);
        world.types("alice", DEPLOY).await;
        let click = world.click_of("mallory", "approve", Forge::default());
        assert_eq!(world.delivers(&click).await.status, 200);
        assert_eq!(world.told("mallory").len(), 1);
        nothing_more_anywhere(&mut world, "mallory", &click).await;
        let audit = world.audit().await;
        let refused = audit.iter().filter(|line| line.starts_with("vote.refused"));
        assert_eq!(refused.count(), 1, "{audit:?}");
        world.finish().await;
    }

    /// Nor once its clicker has become an approver, and although only their first refusal was recorded.
    async fn a_refused_click_sent_again_never_counts_later_b57_sl2_sl12(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let clicks = [(); 3].map(|()| world.click_of("mallory", "approve", Forge::default()));
        for click in &clicks {
            assert_eq!(world.delivers(click).await.status, 200);
        }
        assert_eq!(world.told("mallory").len(), 3);
        let audit = world.audit().await;
        let refused = audit.iter().filter(|line| line.starts_with("vote.refused"));
        assert_eq!(refused.count(), 1, "{audit:?}");
        world.reconfigure(|document| {
            let members = &mut document["directory"]["teams"][0]["members"];
            members.as_array_mut().expect("a list").push(json!("mallory"));
        }).await;
        world.settle().await;
        for click in &clicks {
            nothing_more(&world, "mallory", click, "once she may approve").await;
        }
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 0);
        assert_eq!(world.clicks("mallory", "approve").await, "", "a click of its own counts");
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn repeated_command_creates_one_request_and_gets_the_same_reply_b57(kind) {
        let mut world = world!(kind);
        let command = world.command_of("alice", DEPLOY);
        let first = world.delivers(&command).await;
        assert!(first.body.contains("Asked as *#1*"), "{}", first.body);
        assert_eq!(nothing_more(&world, "alice", &command, "at once").await, first);
        nothing_more_anywhere(&mut world, "alice", &command).await;
        assert_eq!(world.slack.cards("prod-approvals").len(), 1);
        // a new command with the same text joins the pending request
        let again = world.types("alice", DEPLOY).await;
        assert!(again.contains("You already asked for the same as *#1*"), "{again}");
        world.finish().await;
    }

    async fn a_retry_with_the_same_trigger_is_the_same_delivery_sl12(kind) {
        let world = world!(kind);
        let command = world.command_of("alice", DEPLOY);
        world.delivers(&command).await;
        world.clicks("bob", "reject").await;
        let why = Values::from([("reason", "not today")]);
        let click = world.slack.submit_delivery("bob", &why, Forge::default()).expect("a form");
        world.delivers(&click).await;
        assert!(world.card().contains("Rejected"), "{}", world.card());
        world.clock.advance(Span::seconds(3));
        for (who, delivery) in [("alice", &command), ("bob", &click)] {
            let retry = world.slack.retry_of(delivery, 1);
            assert_ne!(retry.signature, delivery.signature);
            nothing_more(&world, who, &retry, "a retry").await;
        }
        world.finish().await;
    }

    async fn sixteen_simultaneous_clicks_are_one_decision_sl12(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let clicks: Vec<_> = (0..16).map(|_| world.click_of("bob", "approve", Forge::default())).collect();
        for answer in join_all(clicks.iter().map(|click| world.slack.redeliver(click))).await {
            assert_eq!(answer.map(|answer| answer.status), Ok(200));
        }
        world.settle().await;
        let told = world.told("bob");
        assert_eq!(told.len(), 15, "{told:#?}");
        assert!(told.iter().all(|told| told.starts_with("Already reviewed")), "{told:#?}");
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 1);
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn delivery_sent_sixteen_times_is_one_decision_without_a_reply_sl2(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let click = world.click_of("bob", "approve", Forge::default());
        let answers = join_all((0..16).map(|_| world.slack.redeliver(&click))).await;
        assert!(answers.into_iter().all(|answer| answer.map(|a| a.status) == Ok(200)));
        world.settle().await;
        assert_eq!(world.told("bob"), Vec::<String>::new());
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 1);
        world.finish().await;
    }

    async fn unused_deliveries_are_acknowledged(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let rows = world.rows().await;
        let retyped = |kind: &'static str| Forge {
            edit: Some(Box::new(move |payload| payload["type"] = json!(kind))),
            ..Forge::default()
        };
        for kind in ["block_suggestion", "dialog_submission", "workflow_step_edit", "shortcut", "view_closed", "message_action"] {
            let click = world.click_of("bob", "approve", retyped(kind));
            assert_eq!(world.delivers(&click).await.status, 200, "{kind}");
        }
        for event in ["message", "team_join", "never_heard_of"] {
            let event = world.slack.event_delivery(&json!({"type": event, "user": "U02BOB"}));
            assert_eq!(world.delivers(&event).await.status, 200);
        }
        // a socket has no status, only the ack that ends Slack's retries
        let unreadable = if world.wire == crate::world::Wire::Http { 400 } else { 200 };
        for (body, status) in [(r#"{"type":"app_rate_limited"}"#, 200), ("{}", 200), (r#"{"type":5}"#, unreadable)] {
            let answer = world.delivers(&world.slack.raw_delivery(JSON, body)).await;
            assert_eq!(answer.status, status, "{body}");
        }
        assert_eq!(world.rows().await, rows);
        world.finish().await;
    }

    async fn ephemeral_reply_is_sent_after_the_ack(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        // the ack does not wait for the reply: Slack accepts no replies at the moment, but the click is acknowledged
        world.slack.fail_next_of("response_url", countersign::sandbox::Fault::Timeout);
        let click = world.click_of("mallory", "approve", Forge::default());
        let ack = world.slack.redeliver(&click).await.expect("an ack");
        assert_eq!((ack.status, ack.body.as_str()), (200, ""));
        world.slack.wait_for_calls("response_url", 1).await.expect("the answer is on its way");
        world.slack.release_hung();
        let (ack, told) = world.clicks_forged("mallory", "approve", Forge::default()).await;
        assert_eq!((ack.status, ack.body.as_str()), (200, ""));
        assert!(told.starts_with("You are not an eligible approver for this request."), "{told}");
        assert_eq!(world.slack.call_count("response_url"), 2);
        world.finish().await;
    }
}

on_both! {
    async fn signature_timestamps_are_accepted_up_to_five_minutes_off_sl2(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let now = world.slack.now_ms() / 1_000;
        let rows = world.rows().await;
        for off in [-301, 301, -86_400, 86_400] {
            let click = world.click_of("bob", "approve", Forge::default());
            let click = world.slack.resign(&click, now + off);
            assert_eq!(world.delivers(&click).await.status, 401, "{off}");
        }
        assert_eq!(world.rows().await, rows);
        for (who, off) in [("bob", -300), ("carol", 300)] {
            let click = world.click_of(who, "approve", Forge::default());
            let click = world.slack.resign(&click, now + off);
            assert_eq!(world.delivers(&click).await.status, 200, "{off}");
        }
        assert!(world.card().contains("Approved"), "{}", world.card());
        // a genuine delivery becomes too old
        let late = world.command_of("alice", "help");
        world.clock.advance(Span::seconds(301));
        assert_eq!(world.delivers(&late).await.status, 401);
        world.settle().await;
        world.finish().await;
    }

    async fn unsigned_deliveries_change_nothing_b54(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let rows = world.rows().await;
        let calls = world.slack.call_count("users.info");
        let event = world.slack.event_delivery(&json!({"type": "app_home_opened", "user": "U02BOB", "tab": "home"}));
        let all = [world.click_of("bob", "approve", Forge::default()), world.command_of("alice", DEPLOY), event];
        for delivery in all {
            let unsigned = reqwest::Client::new().post(format!("{}/slack/events", world.url))
                .header("content-type", delivery.content_type).body(delivery.body.clone()).send().await;
            assert_eq!(unsigned.expect("an answer").status(), 401);
            let at = delivery.timestamp;
            let signatures = [
                String::new(),
                "v0=".to_owned(),
                sign("", at, &delivery.body), // B50
                sign("another-secret-of-somebody", at, &delivery.body),
                sign(SIGNING_SECRET, at - 1, &delivery.body),
                sign(SIGNING_SECRET, at, &delivery.body[1..]),
                delivery.signature.to_uppercase(),
                delivery.signature.replace("v0=", "v1="),
            ];
            for signature in signatures {
                let mut forged = delivery.clone();
                forged.signature.clone_from(&signature);
                assert_eq!(world.delivers(&forged).await.status, 401, "{signature}");
            }
            // the same meaning in other bytes (B55)
            let mut longer = delivery.clone();
            longer.body = [&delivery.body[..], b" "].concat().into();
            assert_eq!(world.delivers(&longer).await.status, 401);
        }
        assert_eq!(world.rows().await, rows);
        assert_eq!(world.slack.call_count("users.info"), calls, "nobody was even looked up");
        assert_eq!(world.slack.home("bob"), None);
        world.finish().await;
    }

    async fn too_long_body_is_refused_before_its_signature_is_checked_b56(kind) {
        let world = world!(kind);
        let long = world.slack.raw_delivery(FORM, vec![b'a'; LIMIT + 1]);
        assert_eq!(world.delivers(&long).await.status, 413);
        let mut unsigned = long;
        unsigned.signature = String::new();
        assert_eq!(world.delivers(&unsigned).await.status, 413);
        let fits = world.slack.raw_delivery(FORM, vec![b'a'; LIMIT]);
        assert_eq!(world.delivers(&fits).await.status, 400);
        world.finish().await;
    }

    async fn slack_url_verification_and_ssl_checks_are_answered_and_do_nothing(kind) {
        let world = world!(kind);
        let rows = world.rows().await;
        let challenge = json!({"type": "url_verification", "token": "x", "challenge": "3eZbrw1aB10FEMAGAZd4F"}).to_string();
        let answer = world.delivers(&world.slack.raw_delivery(JSON, challenge)).await;
        assert_eq!((answer.status, answer.json()), (200, Some(json!({"challenge": "3eZbrw1aB10FEMAGAZd4F"}))));
        // SL3: it looks like a command but is not one
        let mut ssl = String::from_utf8(world.command_of("alice", DEPLOY).body.to_vec()).expect("a form");
        ssl += "&ssl_check=1";
        assert_eq!(world.delivers(&world.slack.raw_delivery(FORM, ssl)).await.status, 200);
        assert_eq!(world.rows().await, rows);
        world.finish().await;
    }

    async fn body_that_mixes_two_delivery_kinds_is_refused_sl3(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let rows = world.rows().await;
        let click = String::from_utf8(world.click_of("bob", "approve", Forge::default()).body.to_vec()).expect("a form");
        let command = String::from_utf8(world.command_of("alice", "approve 1").body.to_vec()).expect("a form");
        for body in [format!("{click}&{click}"), format!("{click}&{command}"), format!("{command}&text=help"), String::new()] {
            let answer = world.delivers(&world.slack.raw_delivery(FORM, body.clone())).await;
            assert_eq!(answer.status, 400, "{body}");
        }
        // a form sent as JSON, and the reverse
        assert_eq!(world.delivers(&world.slack.raw_delivery(JSON, click)).await.status, 400);
        let event = r#"{"type":"event_callback"}"#;
        assert_eq!(world.delivers(&world.slack.raw_delivery(FORM, event)).await.status, 400);
        assert_eq!(world.delivers(&world.slack.raw_delivery("text/plain", event)).await.status, 400);
        assert_eq!(world.rows().await, rows);
        world.finish().await;
    }
}
