//! Tests of the workspace against a bot that only records what it receives.

mod acting;
mod api;
mod faults;
mod limits;
mod page;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};

use super::{Sandbox, Seed, Setup, lock};

pub(super) const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
pub(super) const TOKEN: &str = "xoxb-test";
pub(super) const START_MS: i64 = 1_767_614_400_000;

/// A bot that gives prepared answers and records what it receives.
#[derive(Clone, Default)]
pub(super) struct Bot {
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
}

impl Bot {
    pub(super) fn will_answer(&self, status: u16, body: impl Into<Value>) {
        lock(&self.answers).push_back(match body.into() {
            Value::String(text) => (status, text),
            other => (status, other.to_string()),
        });
    }

    pub(super) fn last(&self) -> (HeaderMap, Bytes) {
        lock(&self.got).last().cloned().expect("the bot was called")
    }

    /// The fields of the last form.
    pub(super) fn fields(&self) -> std::collections::BTreeMap<String, String> {
        serde_urlencoded::from_bytes(&self.last().1).expect("a form")
    }

    /// The JSON of the last interaction.
    pub(super) fn payload(&self) -> Value {
        serde_json::from_str(&self.fields()["payload"]).expect("payload is JSON")
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.got).len()
    }
}

async fn listen(Shared(bot): Shared<Bot>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    lock(&bot.got).push((headers, body));
    let (status, body) = lock(&bot.answers)
        .pop_front()
        .unwrap_or((200, String::new()));
    (StatusCode::from_u16(status).expect("a status"), body)
}

/// A workspace, its bot, a Web API client, and a clock that is moved by hand.
pub(super) struct World {
    pub(super) slack: Sandbox,
    pub(super) bot: Bot,
    pub(super) http: reqwest::Client,
    now_ms: Arc<AtomicI64>,
}

impl World {
    pub(super) async fn new() -> Self {
        let bot = Bot::default();
        let app = Router::new()
            .route("/slack/events", post(listen))
            .with_state(bot.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let bot_url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let now_ms = Arc::new(AtomicI64::new(START_MS));
        let clock = Arc::clone(&now_ms);
        let slack = Sandbox::start(Setup {
            listen: ([127, 0, 0, 1], 0).into(),
            seed: Seed::example(),
            bot_url: Some(bot_url),
            signing_secret: SECRET.into(),
            bot_token: TOKEN.into(),
            app_token: None,
            clock: Arc::new(move || clock.load(Ordering::Relaxed)),
        });
        let slack = slack.await.expect("a free port");
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build();
        Self {
            slack,
            bot,
            http: http.expect("a client"),
            now_ms,
        }
    }

    pub(super) fn advance_ms(&self, by: i64) {
        self.now_ms.fetch_add(by, Ordering::Relaxed);
    }

    pub(super) fn url(&self, method: &str) -> String {
        format!("{}/{method}", self.slack.api_url())
    }

    pub(super) fn request(&self, method: &str, body: &Value) -> reqwest::RequestBuilder {
        self.http
            .post(self.url(method))
            .bearer_auth(TOKEN)
            .json(body)
    }

    /// Calls a method with JSON.
    pub(super) async fn call(&self, method: &str, body: Value) -> Value {
        let answer = self.request(method, &body).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    /// Calls a method with a form, as methods that read require.
    pub(super) async fn form(&self, method: &str, fields: &[(&str, &str)]) -> Value {
        let request = self
            .http
            .post(self.url(method))
            .bearer_auth(TOKEN)
            .form(fields);
        request
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON")
    }

    /// Posts a card with one button to the approvals channel and returns its `ts`.
    pub(super) async fn card(&self) -> String {
        let answer = self.call(
            "chat.postMessage",
            json!({"channel": "C01APPROVALS", "text": "a request", "blocks": card_blocks()}),
        );
        answer.await["ts"].as_str().expect("a ts").to_owned()
    }

    pub(super) async fn open_modal(&self, user: &str) -> Value {
        self.slack
            .command(user, "/approval", "help")
            .await
            .expect("answered");
        let trigger = self.bot.fields()["trigger_id"].clone();
        self.call(
            "views.open",
            json!({"trigger_id": trigger, "view": modal()}),
        )
        .await
    }
}

pub(super) fn card_blocks() -> Value {
    json!([
        {"type": "header", "text": {"type": "plain_text", "text": "Deploy api"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "<@U01ALICE> asks &lt;today&gt; in <#C01APPROVALS>, <!subteam^S02SRE> decides"},
         "fields": [{"type": "mrkdwn", "text": "*Risk*\nHigh"}]},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "<!date^1767614400^{time}|2026-01-05 12:00 UTC>"}, {"type": "plain_text", "text": "1 of 2"}]},
        {"type": "divider"},
        {"type": "actions", "block_id": "decide", "elements": [
            {"type": "button", "action_id": "approve", "text": {"type": "plain_text", "text": "Approve"}, "style": "primary", "value": "r1"},
            {"type": "static_select", "action_id": "more", "placeholder": {"type": "plain_text", "text": "More"},
             "options": [{"text": {"type": "plain_text", "text": "Details"}, "value": "details"}]},
        ]},
    ])
}

pub(super) fn modal() -> Value {
    json!({
        "type": "modal", "callback_id": "reject", "private_metadata": "r1", "notify_on_close": true,
        "title": {"type": "plain_text", "text": "Reject"}, "submit": {"type": "plain_text", "text": "Reject request"},
        "blocks": [
            {"type": "input", "block_id": "why", "label": {"type": "plain_text", "text": "Reason"},
             "element": {"type": "plain_text_input", "action_id": "text", "max_length": 20}},
            {"type": "input", "block_id": "kind", "optional": true, "label": {"type": "plain_text", "text": "Kind"},
             "element": {"type": "static_select", "action_id": "pick", "options": [{"text": {"type": "plain_text", "text": "Too risky"}, "value": "risky"}]}},
        ],
    })
}
