use serde_json::{Value, json};

use super::World;
use crate::sandbox::{ActError, Fault};

const HELLO: &str = r#"{"channel": "C01APPROVALS", "text": "hello"}"#;

fn hello() -> Value {
    serde_json::from_str(HELLO).expect("JSON")
}

#[tokio::test]
async fn refusals_come_in_the_order_they_were_told() {
    let world = World::new().await;
    world.slack.fail_next(Fault::RateLimited { retry_after: 7 });
    world
        .slack
        .fail_next_of("chat.postMessage", Fault::api("is_archived"));
    assert_eq!(
        world.call("chat.postMessage", hello()).await["error"],
        "is_archived"
    );
    let limited = world
        .request("chat.postMessage", &hello())
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        (limited.status().as_u16(), &limited.headers()["retry-after"]),
        (429, &"7".parse().expect("a header"))
    );
    world.slack.fail_next(Fault::Http(503));
    let down = world
        .request("chat.postMessage", &hello())
        .send()
        .await
        .expect("an answer");
    assert_eq!(down.status().as_u16(), 503);
    world
        .slack
        .fail_next(Fault::Redirect("http://127.0.0.1:9/".to_owned()));
    let moved = world
        .request("chat.postMessage", &hello())
        .send()
        .await
        .expect("an answer");
    assert_eq!(moved.status().as_u16(), 302);
    world.slack.fail_next(Fault::BadJson);
    let bad = world
        .request("chat.postMessage", &hello())
        .send()
        .await
        .expect("an answer");
    assert!(bad.json::<Value>().await.is_err());
    assert!(
        world.slack.messages("approvals").is_empty(),
        "nothing was carried out"
    );
    assert_eq!(world.call("chat.postMessage", hello()).await["ok"], true);
    assert!(world.slack.leftovers().is_empty());
}

#[tokio::test]
async fn lost_answers_may_hide_an_effect() {
    let world = World::new().await;
    for (fault, effects) in [
        (Fault::Disconnect, 0),
        (Fault::DisconnectAfterEffect, 1),
        (Fault::CutMidBody, 2),
    ] {
        world.slack.fail_next(fault.clone());
        let outcome = match world.request("chat.postMessage", &hello()).send().await {
            Ok(answer) => answer.bytes().await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(outcome.is_err(), "{fault:?}");
        assert_eq!(
            world.slack.messages("approvals").len(),
            effects,
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_call_hangs_until_it_is_released() {
    let world = World::new().await;
    for (fault, effects) in [(Fault::Timeout, 0), (Fault::TimeoutAfterEffect, 1)] {
        world.slack.fail_next_of("chat.postMessage", fault);
        let request = world.request("chat.postMessage", &hello());
        let hung = tokio::spawn(request.send());
        let before = world.slack.call_count("chat.postMessage");
        while world.slack.call_count("chat.postMessage") == before {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.slack.messages("approvals").len(), effects);
        while !hung.is_finished() {
            world.slack.release_hung();
            tokio::task::yield_now().await;
        }
        assert!(hung.await.expect("no panic").is_err());
    }
}

#[tokio::test]
async fn an_outage_cuts_everything_until_it_ends() {
    let world = World::new().await;
    world.slack.set_outage(true);
    assert!(world.request("auth.test", &json!({})).send().await.is_err());
    assert!(
        world
            .request("chat.postMessage", &hello())
            .send()
            .await
            .is_err()
    );
    assert_eq!(world.slack.leftovers(), ["the outage was not ended"]);
    world.slack.set_outage(false);
    assert_eq!(world.call("chat.postMessage", hello()).await["ok"], true);
}

#[tokio::test]
async fn a_standing_fault_lasts_until_it_is_cleared() {
    let world = World::new().await;
    world.slack.fail_always("users.info", Fault::Http(500));
    for _ in 0..2 {
        let answer = world
            .http
            .get(world.url("users.info?user=U02BOB"))
            .bearer_auth(super::TOKEN)
            .send()
            .await;
        assert_eq!(answer.expect("an answer").status().as_u16(), 500);
    }
    world.slack.clear_faults();
    assert_eq!(
        world.form("users.info", &[("user", "U02BOB")]).await["ok"],
        true
    );
}

#[tokio::test]
async fn a_slow_answer_starts_but_does_not_end_soon() {
    let world = World::new().await;
    world.slack.fail_next(Fault::SlowDrip);
    let patience = std::time::Duration::from_millis(300);
    let slow = world
        .request("chat.postMessage", &hello())
        .timeout(patience)
        .send()
        .await;
    let whole = slow.expect("the head comes at once").bytes().await;
    assert!(whole.is_err_and(|error| error.is_timeout()));
    assert_eq!(world.slack.messages("approvals").len(), 1);
}

#[tokio::test]
async fn the_bot_may_be_unknown_or_gone() {
    let world = World::new().await;
    world.slack.set_bot_url("http://127.0.0.1:1/");
    let gone = world.slack.command("bob", "/approval", "").await;
    assert!(matches!(gone, Err(ActError::Unreachable(_))));
    world.bot.will_answer(500, "oops");
    assert_eq!(world.slack.leftovers(), Vec::<String>::new());
    world.slack.stop().await;
    assert!(world.http.get(world.slack.url()).send().await.is_err());
}

#[tokio::test]
async fn slacks_own_pace_is_kept_where_it_is_wanted() {
    let world = World::new().await;
    let other = json!({"channel": "C02PROD", "text": "hello"});
    world.slack.set_paced(true);
    assert_eq!(world.call("chat.postMessage", hello()).await["ok"], true);
    let second = world.call("chat.postMessage", hello()).await;
    assert_eq!(second["error"], "ratelimited");
    assert_eq!(world.call("chat.postMessage", other).await["ok"], true);
    world.slack.set_paced(false);
    assert_eq!(world.call("chat.postMessage", hello()).await["ok"], true);
}
