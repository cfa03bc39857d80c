use serde_json::json;

use super::{START_MS, World, card_blocks, modal};
use crate::sandbox::ChannelKind;

#[tokio::test]
async fn the_token_is_checked_and_names_the_app() {
    let world = World::new().await;
    let auth = world.call("auth.test", json!({})).await;
    assert_eq!(
        [&auth["team_id"], &auth["user_id"], &auth["bot_id"]],
        ["T01TEST", "U0BOT", "B01BOT"]
    );
    let bot = world.form("bots.info", &[("bot", "B01BOT")]).await;
    assert_eq!(bot["bot"]["app_id"], "A01APP");
    let bare = world
        .http
        .post(world.url("auth.test"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        bare.text().await.expect("a body"),
        r#"{"error":"not_authed","ok":false}"#
    );
    let wrong = world
        .http
        .post(world.url("auth.test"))
        .bearer_auth("xoxb-other")
        .send()
        .await;
    assert!(
        wrong
            .expect("an answer")
            .text()
            .await
            .expect("a body")
            .contains("invalid_auth")
    );
    world
        .slack
        .change(|state| state.token_error = Some("account_inactive".to_owned()));
    assert_eq!(
        world.call("auth.test", json!({})).await["error"],
        "account_inactive"
    );
}

#[tokio::test]
async fn people_are_listed_in_pages_and_found_by_id() {
    let world = World::new().await;
    let first = world.form("users.list", &[("limit", "4")]).await;
    assert_eq!(first["members"].as_array().map(Vec::len), Some(4));
    let cursor = first["response_metadata"]["next_cursor"]
        .as_str()
        .expect("a cursor")
        .to_owned();
    let rest = world
        .form("users.list", &[("limit", "4"), ("cursor", &cursor)])
        .await;
    assert_eq!(rest["members"].as_array().map(Vec::len), Some(3));
    assert_eq!(rest["response_metadata"]["next_cursor"], "");
    assert_eq!(
        world.form("users.list", &[("cursor", "x")]).await["error"],
        "invalid_cursor"
    );
    let alice = world.form("users.info", &[("user", "U01ALICE")]).await;
    assert_eq!(alice["user"]["profile"]["team"], "T01TEST");
    assert_eq!(alice["user"]["is_restricted"], false);
    assert_eq!(
        world.form("users.info", &[("user", "U99")]).await["error"],
        "user_not_found"
    );
    let as_json = world.call("users.info", json!({"user": "U01ALICE"})).await;
    assert_eq!(
        as_json["error"], "invalid_arguments",
        "reading methods take no JSON"
    );
    let sre = world
        .form("usergroups.users.list", &[("usergroup", "S02SRE")])
        .await;
    assert_eq!(sre["users"], json!(["U03CAROL", "U05DAN"]));
    let groups = world
        .form("usergroups.list", &[("include_users", "true")])
        .await;
    assert_eq!(
        groups["usergroups"][0]["users"],
        json!(["U01ALICE", "U02BOB"])
    );
}

#[tokio::test]
async fn a_message_is_posted_changed_linked_and_deleted() {
    let world = World::new().await;
    let posted = world
        .call(
            "chat.postMessage",
            json!({"channel": "C01APPROVALS", "text": "hi", "blocks": card_blocks()}),
        )
        .await;
    let ts = posted["ts"].as_str().expect("a ts");
    assert_eq!(
        posted["message"]["blocks"][0]["block_id"], "b0001",
        "Slack names the blocks"
    );
    let link = world
        .form(
            "chat.getPermalink",
            &[("channel", "C01APPROVALS"), ("message_ts", ts)],
        )
        .await;
    assert_eq!(
        link["permalink"],
        format!(
            "https://test-workspace.slack.com/archives/C01APPROVALS/p{}",
            ts.replace('.', "")
        )
    );
    let reply = world
        .call(
            "chat.postMessage",
            json!({"channel": "C01APPROVALS", "text": "a vote", "thread_ts": ts}),
        )
        .await;
    assert!(
        reply["ts"].as_str() > Some(ts),
        "times rise although the clock stands"
    );
    let changed = world
        .call(
            "chat.update",
            json!({"channel": "C01APPROVALS", "ts": ts, "text": "done"}),
        )
        .await;
    assert_eq!(changed["text"], "done");
    let card = world.slack.card("approvals").expect("the card");
    assert!(
        card.is_edited && card.text.contains("Deploy api"),
        "blocks not named stay"
    );
    assert_eq!(world.slack.thread("approvals", ts).len(), 1);
    world
        .call("chat.delete", json!({"channel": "C01APPROVALS", "ts": ts}))
        .await;
    let gone = world
        .call(
            "chat.update",
            json!({"channel": "C01APPROVALS", "ts": ts, "text": "x"}),
        )
        .await;
    assert_eq!(gone["error"], "message_not_found");
    let said = world.slack.say("bob", "approvals", "hello").expect("said");
    let foreign = world
        .call(
            "chat.update",
            json!({"channel": "C01APPROVALS", "ts": said, "text": "x"}),
        )
        .await;
    assert_eq!(foreign["error"], "cant_update_message");
}

#[tokio::test]
async fn where_the_bot_may_not_post() {
    let world = World::new().await;
    world.slack.change(|state| {
        let mut secret = state.channels["C01APPROVALS"].clone();
        secret.id = "C09SECRET".to_owned();
        secret.kind = ChannelKind::Private;
        secret.members.remove("U0BOT");
        state.channels.insert(secret.id.clone(), secret);
        for (id, change) in [("C02PROD", true), ("C03SECURITY", false)] {
            let channel = state.channels.get_mut(id).expect("seeded");
            channel.is_archived = change;
            if !change {
                channel.members.remove("U0BOT");
                channel.members.remove("U02BOB");
            }
        }
    });
    for (channel, error) in [
        ("C77", "channel_not_found"),
        ("C09SECRET", "channel_not_found"),
        ("C02PROD", "is_archived"),
        ("C03SECURITY", "not_in_channel"),
        ("U99", "channel_not_found"),
    ] {
        let answer = world
            .call("chat.postMessage", json!({"channel": channel, "text": "x"}))
            .await;
        assert_eq!(answer["error"], error, "{channel}");
    }
    let refused = world
        .call("conversations.join", json!({"channel": "C03SECURITY"}))
        .await;
    assert_eq!(refused["error"], "missing_scope");
    world
        .slack
        .change(|state| state.scopes.insert("channels:join".to_owned()));
    let joined = world
        .call("conversations.join", json!({"channel": "C03SECURITY"}))
        .await;
    assert_eq!(joined["ok"], true);
    let answer = world
        .call(
            "chat.postEphemeral",
            json!({"channel": "C03SECURITY", "user": "U02BOB", "text": "x"}),
        )
        .await;
    assert_eq!(answer["error"], "user_not_in_channel");
    let lost = world
        .call(
            "chat.postMessage",
            json!({"channel": "C01APPROVALS", "text": "x", "thread_ts": "1.000001"}),
        )
        .await;
    assert_eq!(lost["error"], "thread_not_found");
}

#[tokio::test]
async fn direct_and_ephemeral_messages_reach_one_person() {
    let world = World::new().await;
    let opened = world
        .call("conversations.open", json!({"users": "U01ALICE"}))
        .await;
    assert_eq!(opened["channel"]["id"], "D01ALICE");
    world
        .call(
            "chat.postMessage",
            json!({"channel": "U01ALICE", "text": "approved by <@U02BOB>"}),
        )
        .await;
    assert_eq!(
        world.slack.direct_messages("alice")[0].text,
        "approved by @bob"
    );
    let only = world
        .call(
            "chat.postEphemeral",
            json!({"channel": "C01APPROVALS", "user": "U04MALLORY", "text": "no"}),
        )
        .await;
    assert_eq!(world.slack.ephemerals("mallory")[0].ts, only["message_ts"]);
    assert!(
        world.slack.ephemerals("bob").is_empty() && world.slack.messages("approvals").is_empty()
    );
    let ts = only["message_ts"].as_str().expect("a ts");
    let changed = world
        .call(
            "chat.update",
            json!({"channel": "C01APPROVALS", "ts": ts, "text": "x"}),
        )
        .await;
    assert_eq!(
        changed["error"], "message_not_found",
        "an ephemeral cannot be updated"
    );
    world
        .slack
        .change(|state| state.users.get_mut("U02BOB").expect("bob").deleted = true);
    assert_eq!(
        world
            .call("conversations.open", json!({"users": "U02BOB"}))
            .await["error"],
        "user_disabled"
    );
}

#[tokio::test]
async fn a_modal_opens_once_in_time_and_hashes_guard_it() {
    let world = World::new().await;
    let opened = world.open_modal("bob").await;
    assert_eq!(opened["view"]["app_installed_team_id"], "T01TEST");
    let (id, hash) = (opened["view"]["id"].clone(), opened["view"]["hash"].clone());
    let trigger = world.bot.fields()["trigger_id"].clone();
    let again = world
        .call(
            "views.open",
            json!({"trigger_id": trigger, "view": modal()}),
        )
        .await;
    assert_eq!(again["error"], "exchanged_trigger_id");
    let updated = world
        .call(
            "views.update",
            json!({"view_id": id, "hash": hash, "view": modal()}),
        )
        .await;
    assert_eq!(updated["ok"], true);
    let stale = world
        .call(
            "views.update",
            json!({"view_id": id, "hash": hash, "view": modal()}),
        )
        .await;
    assert_eq!(stale["error"], "hash_conflict");
    world
        .slack
        .command("bob", "/approval", "help")
        .await
        .expect("answered");
    let late = world.bot.fields()["trigger_id"].clone();
    world.advance_ms(3_001);
    let late = world
        .call("views.open", json!({"trigger_id": late, "view": modal()}))
        .await;
    assert_eq!(late["error"], "expired_trigger_id");
    let home = json!({"type": "home", "blocks": card_blocks()});
    let published = world
        .call("views.publish", json!({"user_id": "U02BOB", "view": home}))
        .await;
    assert_eq!(published["view"]["type"], "home");
    assert!(
        world
            .slack
            .home("bob")
            .is_some_and(|text| text.starts_with("# Deploy api"))
    );
    assert!(world.slack.now_ms() > START_MS);
}

#[tokio::test]
async fn an_unknown_method_and_a_bad_call_are_left_over() {
    let world = World::new().await;
    assert_eq!(
        world.call("chat.shout", json!({})).await["error"],
        "unknown_method"
    );
    assert_eq!(
        world
            .call(
                "chat.postMessage",
                json!({"channel": "C01APPROVALS", "text": " "})
            )
            .await["error"],
        "no_text"
    );
    assert_eq!(
        world.slack.leftovers(),
        [
            "chat.shout was refused: unknown_method",
            "chat.postMessage was refused: no_text"
        ]
    );
    world.slack.forgive();
    assert!(world.slack.leftovers().is_empty());
    assert_eq!(world.slack.call_count("chat.postMessage"), 1);
    assert_eq!(world.slack.calls("chat.postMessage")[0].args["text"], " ");
}

#[tokio::test]
async fn waiting_ends_when_the_state_shows_it() {
    let world = World::new().await;
    let card = world.slack.wait_for(|state| {
        state.channels["C01APPROVALS"]
            .messages
            .keys()
            .next()
            .cloned()
    });
    let (seen, ts) = tokio::join!(card, world.card());
    assert_eq!(seen, Some(ts));
}
