//! What Slack sends: clicks as large as real ones, signed.

use crate::load::Prepared;
use countersign::sandbox::{Sandbox, Seed, Setup};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub const SECRET: &str = "the-secret-of-the-benchmark";
pub const TOKEN: &str = "xoxb-benchmark";
/// Who clicks.
pub const APPROVERS: [(&str, &str); 2] = [("U02BOB", "bob"), ("U03CAROL", "carol")];

fn milliseconds() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 292 million")
}

/// The workspace that the bot posts its cards to.
pub async fn workspace() -> Sandbox {
    Sandbox::start(Setup {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        seed: Seed::example(),
        bot_url: None,
        signing_secret: SECRET.into(),
        bot_token: TOKEN.into(),
        app_token: None,
        clock: Arc::new(milliseconds),
    })
    .await
    .expect("a free port")
}

/// A click on Approve, signed now; Slack's signatures are valid for five minutes.
pub fn click(value: &str, (user, name): (&str, &str)) -> Prepared {
    let now = milliseconds();
    let payload =
        serde_urlencoded::to_string([("payload", payload(value, user, name, now).to_string())]);
    let body = payload.expect("a form");
    let seconds = now / 1_000;
    let headers = [
        (
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        ),
        ("x-slack-request-timestamp", seconds.to_string()),
        (
            "x-slack-signature",
            countersign::sandbox::sign(SECRET, seconds, body.as_bytes()),
        ),
    ];
    Prepared {
        method: "POST".to_owned(),
        path: "/slack/events".to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
        body,
    }
}

/// Slack sends the whole message along; ours is as large as a card with two policies.
fn payload(value: &str, user: &str, name: &str, now: i64) -> Value {
    let button = |action: &str, label: &str| json!({"type": "button", "action_id": action, "text": {"type": "plain_text", "text": label, "emoji": true}, "value": value});
    let field = |label: &str, text: &str| json!({"type": "mrkdwn", "text": format!("*{label}*\n{text}"), "verbatim": false});
    let (seconds, trigger) = (now / 1_000, format!("{now}.{user}.{value}"));
    let mut action = button("approve", "Approve");
    action["block_id"] = json!("actions");
    action["action_ts"] = json!(format!("{seconds}.000200"));
    json!({
        "type": "block_actions",
        "user": {"id": user, "username": name, "name": name, "team_id": "T01TEST"},
        "api_app_id": "A01APP", "token": "old-verification-token", "trigger_id": trigger,
        "team": {"id": "T01TEST", "domain": "sandbox"}, "enterprise": null, "is_enterprise_install": false,
        "container": {"type": "message", "message_ts": format!("{seconds}.000100"), "channel_id": "C02PROD", "is_ephemeral": false},
        "channel": {"id": "C02PROD", "name": "prod-approvals"},
        "message": {
            "type": "message", "bot_id": "B01BOT", "app_id": "A01APP", "user": "U00BOT", "ts": format!("{seconds}.000100"),
            "text": "Alice Anderson asks for Release Deploy of api-platform to production",
            "blocks": [
                {"type": "header", "block_id": "title", "text": {"type": "plain_text", "text": "#1 Release Deploy: api-platform to production", "emoji": true}},
                {"type": "section", "block_id": "fields", "fields": [
                    field("Requester", "Alice Anderson"), field("Risk", "High"), field("Project", "api-platform"),
                    field("Environment", "production"), field("Release", "v1.4.2"), field("Expires", "tomorrow at 12:00")]},
                {"type": "section", "block_id": "reason", "text": field("Reason", "A fix for the time-outs of the checkout that customers reported this morning")},
                {"type": "section", "block_id": "content", "text": field("Content", "```image: api@sha256:1f0c2f2a7e0d4d6b\nsteps: migrate, roll\nreplicas: 12 to 24```")},
                {"type": "section", "block_id": "policies", "text": field("Production Deploy Gate",
                    "0 of 2 approvals. SRE has not approved yet. It waits for Bob Brown, Carol Clark and Dan Davis.")},
                {"type": "context", "block_id": "digest", "elements": [field("Digest", "9c1f7a42 of the content that is shown above")]},
                {"type": "actions", "block_id": "actions", "elements": [
                    button("approve", "Approve"), button("reject", "Reject"), button("review", "Review"), button("details", "Details")]}
            ]
        },
        "state": {"values": {}}, "response_url": "http://127.0.0.1:9/response", "actions": [action]
    })
}
