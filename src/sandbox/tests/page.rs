use serde_json::{Value, json};

use super::World;

async fn state(world: &World, user: &str) -> Value {
    let url = format!("{}/page/state?as={user}&version=0", world.slack.url());
    world
        .http
        .get(url)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON")
}

async fn act(world: &World, what: &str, body: Value) -> Value {
    let url = format!("{}/page/{what}", world.slack.url());
    world
        .http
        .post(url)
        .json(&body)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON")
}

#[tokio::test]
async fn the_page_and_its_parts_are_served_with_a_strict_policy() {
    let world = World::new().await;
    let page = world
        .http
        .get(world.slack.url())
        .send()
        .await
        .expect("an answer");
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .is_ok_and(|policy| policy.starts_with("default-src 'none'"))
    );
    let html = page.text().await.expect("a body");
    assert!(html.contains("/page/page.js") && !html.contains("https://"));
    for part in [
        "page.css",
        "page.js",
        "blocks.js",
        "text.js",
        "modal.js",
        "guide.js",
        "composer.js",
        "kept.js",
        "tools.js",
    ] {
        let answer = world
            .http
            .get(format!("{}/page/{part}", world.slack.url()))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "{part}");
    }
}

#[tokio::test]
async fn the_page_shows_each_person_their_own_workspace() {
    let world = World::new().await;
    world
        .call(
            "chat.postEphemeral",
            json!({"channel": "C01APPROVALS", "user": "U02BOB", "text": "only bob"}),
        )
        .await;
    let bob = state(&world, "U02BOB").await;
    assert_eq!(bob["channels"][0]["messages"][0]["only_you"], true);
    let carol = state(&world, "U03CAROL").await;
    assert_eq!(carol["channels"][0]["messages"], json!([]));
    assert_eq!(carol["me"]["real_name"], "Carol Clark");
    let nobody = state(&world, "").await;
    assert_eq!(nobody["channels"], Value::Null);
    assert!(
        nobody["people"]
            .as_array()
            .is_some_and(|people| people.len() == 6)
    );
}

#[tokio::test]
async fn the_page_acts_as_people_do() {
    let world = World::new().await;
    world.bot.will_answer(200, "here is help");
    let said = act(
        &world,
        "say",
        json!({"user": "U01ALICE", "channel": "C01APPROVALS", "text": "/approval help me"}),
    )
    .await;
    assert_eq!(said, json!({"ok": true}));
    assert_eq!(world.bot.fields()["text"], "help me");
    assert_eq!(world.slack.ephemerals("alice")[0].text, "here is help");
    let ts = world.card().await;
    let press = json!({"user": "U02BOB", "place": "message", "channel": "C01APPROVALS", "ts": ts, "action_id": "approve", "block_id": "decide"});
    assert_eq!(act(&world, "press", press.clone()).await["ok"], true);
    world.bot.will_answer(500, "");
    assert_eq!(
        act(&world, "press", press).await["error"],
        "The bot answered with status 500."
    );
    world.open_modal("bob").await;
    assert_eq!(
        state(&world, "U02BOB").await["modal"]["view"]["callback_id"],
        "reject"
    );
    let blank = act(
        &world,
        "submit",
        json!({"user": "U02BOB", "values": {"why": "", "kind": ""}}),
    )
    .await;
    assert_eq!(
        blank["errors"]["why"],
        "Please complete this required field."
    );
    assert_eq!(
        act(
            &world,
            "submit",
            json!({"user": "U02BOB", "values": {"why": "no", "kind": ""}})
        )
        .await["ok"],
        true
    );
    assert_eq!(
        act(&world, "home", json!({"user": "U02BOB"})).await["ok"],
        true
    );
}

#[tokio::test]
async fn another_sites_clicks_are_refused() {
    let world = World::new().await;
    let url = format!("{}/page/home", world.slack.url());
    let foreign = world
        .http
        .post(url)
        .header("sec-fetch-site", "cross-site")
        .json(&json!({"user": "U02BOB"}))
        .send()
        .await;
    assert_eq!(foreign.expect("an answer").status().as_u16(), 403);
    assert_eq!(world.bot.count(), 0);
}

#[tokio::test]
async fn news_wakes_the_page() {
    let world = World::new().await;
    let version = state(&world, "U02BOB").await["version"]
        .as_u64()
        .expect("a version");
    let url = format!(
        "{}/page/state?as=U02BOB&version={version}",
        world.slack.url()
    );
    let (news, _) = tokio::join!(world.http.get(url).send(), world.card());
    let news: Value = news.expect("an answer").json().await.expect("JSON");
    assert!(news["version"].as_u64() > Some(version));
}
