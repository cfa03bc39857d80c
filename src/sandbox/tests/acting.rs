use serde_json::{Value, json};

use super::{SECRET, START_MS, World, modal};
use crate::sandbox::{ActError, Element, Forge, Place, Values, sign};

#[test]
fn the_signature_is_slacks_published_sample() {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signature = sign(SECRET, 1_531_420_618, body.as_bytes());
    assert_eq!(
        signature,
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    );
}

#[tokio::test]
async fn a_command_is_a_signed_form_and_its_answer_is_seen_by_one() {
    let world = World::new().await;
    world
        .bot
        .will_answer(200, json!({"text": "try *this*, <@U01ALICE>"}));
    let answer = world
        .slack
        .command("alice", "/approval", "help me")
        .await
        .expect("answered");
    assert_eq!(answer.message.as_deref(), Some("try *this*, @alice"));
    assert_eq!(world.slack.ephemerals("alice").len(), 1);
    let (headers, body) = world.bot.last();
    let timestamp = START_MS / 1000;
    assert_eq!(headers["x-slack-request-timestamp"], timestamp.to_string());
    assert_eq!(headers["x-slack-signature"], sign(SECRET, timestamp, &body));
    let fields = world.bot.fields();
    let named = [
        "command",
        "text",
        "user_id",
        "team_id",
        "api_app_id",
        "channel_id",
    ]
    .map(|name| fields[name].as_str());
    assert_eq!(
        named,
        [
            "/approval",
            "help me",
            "U01ALICE",
            "T01TEST",
            "A01APP",
            "C01APPROVALS"
        ]
    );
    let silent = world
        .slack
        .command("alice", "/approval", "")
        .await
        .expect("answered");
    assert_eq!((silent.status, silent.message), (200, None));
}

#[tokio::test]
async fn a_click_carries_the_card_as_it_stands() {
    let world = World::new().await;
    let ts = world.card().await;
    world
        .slack
        .click("bob", "approvals", &ts, "approve")
        .await
        .expect("acked");
    let payload = world.bot.payload();
    assert_eq!(payload["type"], "block_actions");
    assert_eq!(
        payload["container"],
        json!({"type": "message", "message_ts": ts, "channel_id": "C01APPROVALS", "is_ephemeral": false})
    );
    assert_eq!(payload["actions"][0]["value"], "r1");
    assert_eq!(payload["actions"][0]["block_id"], "decide");
    assert_eq!(
        [
            &payload["user"]["id"],
            &payload["user"]["team_id"],
            &payload["team"]["id"],
            &payload["api_app_id"]
        ],
        ["U02BOB", "T01TEST", "T01TEST", "A01APP"]
    );
    assert_eq!(payload["message"]["ts"], ts);
    let wrong = world.slack.click("bob", "approvals", &ts, "explode").await;
    assert_eq!(
        wrong,
        Err(ActError::NoElement {
            wanted: "explode".to_owned(),
            there: "approve, more".to_owned()
        })
    );
    let choice = Element {
        option: Some("details"),
        ..Element::from("more")
    };
    let place = Place::Message {
        channel: "approvals",
        ts: &ts,
    };
    world
        .slack
        .press("bob", place, choice, Forge::default())
        .await
        .expect("acked");
    assert_eq!(
        world.bot.payload()["actions"][0]["selected_option"]["value"],
        "details"
    );
}

#[tokio::test]
async fn a_forged_click_is_signed_all_the_same() {
    let world = World::new().await;
    let ts = world.card().await;
    let forge = Forge {
        value: Some("r2".to_owned()),
        team_id: Some("T0EVIL".to_owned()),
        app_id: Some("A0EVIL".to_owned()),
        edit: Some(Box::new(|payload| {
            payload["container"]["channel_id"] = json!("C0EVIL");
        })),
        ..Forge::default()
    };
    world
        .slack
        .click_with("bob", "approvals", &ts, "approve", forge)
        .await
        .expect("acked");
    let payload = world.bot.payload();
    assert_eq!(
        [
            &payload["actions"][0]["value"],
            &payload["user"]["team_id"],
            &payload["api_app_id"],
            &payload["container"]["channel_id"]
        ],
        ["r2", "T0EVIL", "A0EVIL", "C0EVIL"]
    );
    let (headers, body) = world.bot.last();
    assert_eq!(
        headers["x-slack-signature"],
        sign(SECRET, START_MS / 1000, &body)
    );
}

#[tokio::test]
async fn a_delivery_can_be_sent_again_late_or_resigned() {
    let world = World::new().await;
    let ts = world.card().await;
    world
        .slack
        .click("bob", "approvals", &ts, "approve")
        .await
        .expect("acked");
    let first = world.slack.deliveries().pop().expect("one delivery");
    world.advance_ms(60_000);
    world.slack.redeliver(&first).await.expect("answered");
    let (headers, body) = world.bot.last();
    assert_eq!(
        (headers["x-slack-signature"].as_bytes(), &body),
        (first.signature.as_bytes(), &first.body)
    );
    let late = world.slack.resign(&first, START_MS / 1000 + 600);
    assert_ne!(late.signature, first.signature);
    assert_eq!(
        late.signature,
        sign(SECRET, START_MS / 1000 + 600, &first.body)
    );
    let event = world
        .slack
        .event_delivery(&json!({"type": "app_uninstalled"}));
    let retry = world.slack.retry_of(&event, 1);
    world.slack.send(&retry).await.expect("answered");
    let (headers, body) = world.bot.last();
    assert_eq!(headers["x-slack-retry-num"], "1");
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body["event"]["type"], "app_uninstalled");
    assert_eq!(world.bot.count(), 3);
}

#[tokio::test]
async fn a_form_is_checked_before_it_is_sent_and_shows_the_bots_errors() {
    let world = World::new().await;
    world.open_modal("bob").await;
    let sent = world.bot.count();
    let blank = world.slack.submit_view("bob", Values::default()).await;
    assert!(matches!(blank, Err(ActError::Form(errors)) if errors.contains_key("why")));
    let long = world
        .slack
        .submit_view("bob", [("why", "much longer than twenty characters")])
        .await;
    assert!(matches!(long, Err(ActError::Form(_))));
    assert_eq!(world.bot.count(), sent, "the client sends no such form");
    world.bot.will_answer(
        200,
        json!({"response_action": "errors", "errors": {"why": "say more"}}),
    );
    world
        .slack
        .submit_view("bob", [("why", "no"), ("kind", "risky")])
        .await
        .expect("acked");
    let view = world.bot.payload()["view"].clone();
    assert_eq!(view["state"]["values"]["why"]["text"]["value"], "no");
    assert_eq!(
        view["state"]["values"]["kind"]["pick"]["selected_option"]["text"]["text"],
        "Too risky"
    );
    assert_eq!(view["private_metadata"], "r1");
    let modal = world.slack.modal("bob").expect("still open");
    assert_eq!(
        modal.text,
        "== Reject ==\nReason: <>\n  ! say more\nKind (optional): <Too risky>\n[Reject request]"
    );
    world.bot.will_answer(
        200,
        json!({"response_action": "errors", "errors": {"nothing": "?"}}),
    );
    let stray = world.slack.submit_view("bob", [("why", "no")]).await;
    assert!(matches!(stray, Err(ActError::BadAnswer(_))));
    world
        .slack
        .submit_view("bob", [("why", "because")])
        .await
        .expect("acked");
    assert_eq!(
        world.slack.modal("bob"),
        None,
        "an empty answer closes the view"
    );
}

#[tokio::test]
async fn a_submit_can_push_update_and_clear() {
    let world = World::new().await;
    world.open_modal("bob").await;
    for _ in 0..2 {
        world
            .bot
            .will_answer(200, json!({"response_action": "push", "view": modal()}));
        world
            .slack
            .submit_view("bob", [("why", "more")])
            .await
            .expect("pushed");
    }
    world
        .bot
        .will_answer(200, json!({"response_action": "push", "view": modal()}));
    let fourth = world.slack.submit_view("bob", [("why", "more")]).await;
    assert_eq!(
        fourth,
        Err(ActError::BadAnswer("push_limit_reached".to_owned()))
    );
    let closed = world.slack.close_view("bob").await.expect("acked");
    assert!(closed.is_some(), "the view asked to be told");
    assert_eq!(world.bot.payload()["type"], "view_closed");
    let mut other = modal();
    other["title"]["text"] = json!("Sure?");
    world
        .bot
        .will_answer(200, json!({"response_action": "update", "view": other}));
    world
        .slack
        .submit_view("bob", [("why", "more")])
        .await
        .expect("updated");
    assert!(
        world
            .slack
            .modal("bob")
            .is_some_and(|modal| modal.text.starts_with("== Sure? =="))
    );
    world
        .bot
        .will_answer(200, json!({"response_action": "clear"}));
    world
        .slack
        .submit_view("bob", [("why", "more")])
        .await
        .expect("cleared");
    assert_eq!(world.slack.modal("bob"), None);
}

#[tokio::test]
async fn a_response_url_writes_replaces_and_runs_out() {
    let world = World::new().await;
    let ts = world.card().await;
    world
        .slack
        .click("bob", "approvals", &ts, "approve")
        .await
        .expect("acked");
    let url = world.bot.payload()["response_url"]
        .as_str()
        .expect("a url")
        .to_owned();
    let post = async |body: Value| {
        let answer = world
            .http
            .post(&url)
            .json(&body)
            .send()
            .await
            .expect("an answer");
        (
            answer.status().as_u16(),
            answer.text().await.expect("a body"),
        )
    };
    assert_eq!(
        post(json!({"text": "already reviewed"})).await,
        (200, "ok".to_owned())
    );
    assert_eq!(world.slack.ephemerals("bob")[0].text, "already reviewed");
    post(json!({"text": "for all", "response_type": "in_channel"})).await;
    assert_eq!(world.slack.messages("approvals").len(), 2);
    post(json!({"text": "new card", "replace_original": true})).await;
    assert_eq!(world.slack.cards("approvals")[0].text, "new card");
    post(json!({"delete_original": true})).await;
    assert_eq!(world.slack.cards("approvals").len(), 1);
    post(json!({"text": "five"})).await;
    assert_eq!(
        post(json!({"text": "six"})).await,
        (404, r#"{"error":"used_url","ok":false}"#.to_owned())
    );
}

#[tokio::test]
async fn home_is_opened_by_an_event_and_clicked() {
    let world = World::new().await;
    world.slack.open_home("carol").await.expect("acked");
    let body: Value = serde_json::from_slice(&world.bot.last().1).expect("JSON");
    assert_eq!(
        [
            &body["event"]["type"],
            &body["event"]["user"],
            &body["team_id"]
        ],
        ["app_home_opened", "U03CAROL", "T01TEST"]
    );
    let home = json!({"type": "home", "blocks": super::card_blocks()});
    world
        .call(
            "views.publish",
            json!({"user_id": "U03CAROL", "view": home}),
        )
        .await;
    world
        .slack
        .click_home("carol", "approve", Some("r1"))
        .await
        .expect("acked");
    let payload = world.bot.payload();
    assert_eq!(payload["container"]["type"], "view");
    assert_eq!(payload["response_url"], Value::Null);
    let other = world.slack.click_home("carol", "approve", Some("r9")).await;
    assert!(matches!(other, Err(ActError::NoElement { .. })));
}

#[tokio::test]
async fn a_story_reads_like_chat() {
    let world = World::new().await;
    world
        .slack
        .say("alice", "approvals", "may I?")
        .expect("said");
    world.card().await;
    let expected = "\
alice: may I?
countersign: # Deploy api
    @alice asks <today> in #approvals, @sre decides
    *Risk* High
    · 2026-01-05 12:00 UTC · 1 of 2
    ---
    [Approve] <Details>";
    assert_eq!(world.slack.transcript("approvals"), expected);
}

#[tokio::test]
async fn who_cannot_act() {
    let world = World::new().await;
    let ts = world.card().await;
    let only = world.call("chat.postEphemeral", json!({"channel": "C01APPROVALS", "user": "U02BOB", "text": "x", "blocks": super::card_blocks()})).await;
    let only = only["message_ts"].as_str().expect("a ts");
    let foreign = world
        .slack
        .click("carol", "approvals", only, "approve")
        .await;
    assert!(
        matches!(foreign, Err(ActError::NoMessage { .. })),
        "somebody else's ephemeral"
    );
    world
        .slack
        .click("bob", "approvals", only, "approve")
        .await
        .expect("acked");
    assert_eq!(
        world.bot.payload()["message"],
        Value::Null,
        "Slack sends no ephemeral back"
    );
    world
        .slack
        .change(|state| state.users.get_mut("U02BOB").expect("bob").deleted = true);
    let gone = world.slack.click("bob", "approvals", &ts, "approve").await;
    assert_eq!(gone, Err(ActError::MayNot("bob".to_owned())));
    world.slack.change(|state| {
        let dan = state.users.get_mut("U05DAN").expect("dan");
        dan.is_stranger = true;
        dan.team_id = "T99OTHER".to_owned();
    });
    world
        .slack
        .click("dan", "approvals", &ts, "approve")
        .await
        .expect("a stranger can click");
    assert_eq!(world.bot.payload()["team"]["id"], "T99OTHER");
    let command = world
        .slack
        .command_in("dan", "approvals", "/approval", "")
        .await;
    assert_eq!(command, Err(ActError::MayNot("dan".to_owned())));
}
