//! The page's tools: what breaks Slack or the bot, and what shows the protocol. Nothing here knows the bot: what concerns its process or
//! its clock is an [`Order`] to whoever runs both.

use axum::extract::{Query, State as Shared};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::{Sandbox, lock};

/// What the page asks of whoever runs the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Stop the bot, as a deployment or a crash would.
    StopBot,
    /// Start it again on the same database.
    StartBot,
    /// Let so many seconds pass.
    Skip(i64),
}

pub(super) fn router() -> Router<Sandbox> {
    Router::new()
        .route(
            "/page/break",
            post(
                |Shared(sandbox): Shared<Sandbox>, Json(wanted): Json<Break>| async move {
                    apply(&sandbox, &wanted)
                },
            ),
        )
        .route(
            "/page/trace",
            get(
                |Shared(sandbox): Shared<Sandbox>, Query(asked): Query<After>| async move {
                    trace(&sandbox, &asked)
                },
            ),
        )
        .route("/page/resend", post(resend))
}

impl Sandbox {
    /// Takes the orders that the page gives from now on; only then does the page offer them.
    pub fn orders(&self) -> mpsc::UnboundedReceiver<Order> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *lock(&self.0.orders) = Some(sender);
        receiver
    }

    /// Whether the bot runs, as the page shows it.
    pub fn set_bot_running(&self, running: bool) {
        lock(&self.0.faults).bot_stopped = !running;
        self.0.version.send_modify(|version| *version += 1);
    }

    fn tell_host(&self, order: Order) {
        if let Some(orders) = &*lock(&self.0.orders) {
            let _ = orders.send(order); // whoever runs the bot has ended
        }
    }

    /// What is broken now, for the page.
    pub(super) fn broken(&self) -> serde_json::Value {
        let faults = lock(&self.0.faults);
        json!({
            "limited": faults.limited, "outage": faults.outage, "bot_stopped": faults.bot_stopped,
            "has_orders": lock(&self.0.orders).is_some(),
        })
    }
}

#[derive(Deserialize)]
struct Break {
    what: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    ts: String,
}

fn apply(sandbox: &Sandbox, wanted: &Break) -> Response {
    match wanted.what.as_str() {
        "limit" => lock(&sandbox.0.faults).limited = true,
        "unlimit" => lock(&sandbox.0.faults).limited = false,
        "outage" => sandbox.set_outage(true),
        "recover" => sandbox.set_outage(false),
        "delete" => sandbox.change(|state| {
            if let Some(channel) = state.channels.get_mut(&wanted.channel) {
                channel.messages.remove(&wanted.ts);
            }
        }),
        "archive" | "unarchive" => sandbox.change(|state| {
            if let Some(channel) = state.channels.get_mut(&wanted.channel) {
                channel.is_archived = wanted.what == "archive";
            }
        }),
        "stop_bot" => sandbox.tell_host(Order::StopBot),
        "start_bot" => sandbox.tell_host(Order::StartBot),
        "skip_hour" => sandbox.tell_host(Order::Skip(3_600)),
        "skip_day" => sandbox.tell_host(Order::Skip(86_400)),
        other => {
            let error = format!("there is no {other}");
            return Json(json!({"ok": false, "error": error})).into_response();
        }
    }
    sandbox.0.version.send_modify(|version| *version += 1);
    Json(json!({"ok": true})).into_response()
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

fn trace(sandbox: &Sandbox, asked: &After) -> Response {
    let entries = lock(&sandbox.0.trace).after(asked.after);
    let body = json!({"entries": entries});
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

#[derive(Deserialize)]
struct Resend {
    id: u64,
    /// Whether a byte of the body is changed, so that the signature no longer fits.
    #[serde(default)]
    tampered: bool,
}

/// Sends a delivery once more with its old signature, as a network or an attacker could.
async fn resend(Shared(sandbox): Shared<Sandbox>, Json(wanted): Json<Resend>) -> Response {
    let found = lock(&sandbox.0.trace).delivery(wanted.id);
    let Some(mut delivery) = found else {
        return Json(json!({"ok": false, "error": "this delivery is not kept any more"}))
            .into_response();
    };
    if wanted.tampered {
        let mut body = delivery.body.to_vec();
        body.push(b' ');
        delivery.body = Bytes::from(body);
    }
    let _ = sandbox.redeliver(&delivery).await; // the trace shows how it ended
    sandbox.0.version.send_modify(|version| *version += 1);
    Json(json!({"ok": true})).into_response()
}
