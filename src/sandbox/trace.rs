//! The protocol as it happened: deliveries to the bot and the bot's calls, with signature, payload, answer and effect, for the page.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Value, json};

use super::deliver::{Answer, Delivery};
use super::state::{ChannelKind, State};

/// How many entries are kept.
const REMEMBERED: usize = 300;

/// One delivery, or one call.
#[derive(Debug, Clone, Serialize)]
pub struct TraceEntry {
    /// Identity and order.
    pub id: u64,
    /// `delivery` (Slack to the bot), `call` (the bot to Slack), or `webhook` (the bot to another system).
    pub kind: &'static str,
    /// What it is: `/approval`, `block_actions approve`, `chat.postMessage`.
    pub name: String,
    /// The workspace's time, in milliseconds since 1970.
    pub at_ms: i64,
    /// How long the bot took to acknowledge a delivery, in milliseconds.
    pub took_ms: Option<u64>,
    /// The HTTP status of the bot's answer to a delivery.
    pub status: Option<u16>,
    /// Timestamp and signature of a delivery or webhook, and what the bot's check of a delivery found.
    pub signature: Option<Value>,
    /// What was sent.
    pub payload: Value,
    /// What changed in the workspace, or what went wrong.
    pub effect: String,
    /// Whether it failed.
    pub failed: bool,
    #[serde(skip)]
    pub(super) delivery: Option<Delivery>,
}

/// The latest entries.
#[derive(Debug, Default)]
pub(super) struct Trace {
    entries: VecDeque<TraceEntry>,
    last_id: u64,
}

impl Trace {
    pub(super) fn add(&mut self, mut entry: TraceEntry) {
        self.last_id += 1;
        entry.id = self.last_id;
        self.entries.push_back(entry);
        if self.entries.len() > REMEMBERED {
            self.entries.pop_front();
        }
    }

    /// The entries after this one, oldest first.
    pub(super) fn after(&self, id: u64) -> Vec<TraceEntry> {
        let newer = self.entries.iter().filter(|entry| entry.id > id);
        newer.cloned().collect()
    }

    /// The delivery of an entry.
    pub(super) fn delivery(&self, id: u64) -> Option<Delivery> {
        let found = self.entries.iter().find(|entry| entry.id == id)?;
        found.delivery.clone()
    }
}

/// The entry of a delivery that the bot has answered, or not.
pub(super) fn of_delivery(
    delivery: &Delivery,
    answer: Result<&Answer, String>,
    took_ms: u64,
    at_ms: i64,
) -> TraceEntry {
    let (kind, payload) = content(delivery);
    let status = answer.as_ref().ok().map(|answer| answer.status);
    let is_ack = answer.as_ref().is_ok_and(|answer| answer.is_ack());
    let signature = json!({
        "X-Slack-Request-Timestamp": delivery.timestamp.to_string(),
        "X-Slack-Signature": delivery.signature,
        "check": match status {
            Some(401) => "refused",
            Some(_) => "accepted",
            None => "no answer",
        },
    });
    TraceEntry {
        id: 0,
        kind: "delivery",
        name: kind,
        at_ms,
        took_ms: Some(took_ms),
        status,
        signature: Some(signature),
        payload,
        effect: match answer {
            Ok(answer) => effect_of_answer(answer),
            Err(why) => why,
        },
        failed: !is_ack,
        delivery: Some(delivery.clone()),
    }
}

fn effect_of_answer(answer: &Answer) -> String {
    if !answer.is_ack() {
        return format!(
            "Nothing: the bot answered {} {}",
            answer.status, answer.body
        );
    }
    let body = answer.json().unwrap_or(Value::Null);
    if let Some(action) = body["response_action"].as_str() {
        return format!("Acknowledged; the form: {action}");
    }
    match body["text"].as_str() {
        Some(text) => format!("Acknowledged with a reply: {text}"),
        None => "Acknowledged; what follows comes as calls of the bot".to_owned(),
    }
}

/// What a delivery is, and its content as JSON.
fn content(delivery: &Delivery) -> (String, Value) {
    if let Ok(body) = serde_json::from_slice::<Value>(&delivery.body) {
        let event = body["event"]["type"].as_str().unwrap_or("event").to_owned();
        return (event, body);
    }
    let fields: Vec<(String, String)> =
        serde_urlencoded::from_bytes(&delivery.body).unwrap_or_default();
    let payload = fields.iter().find(|(name, _)| name == "payload");
    if let Some(body) = payload.and_then(|(_, text)| serde_json::from_str::<Value>(text).ok()) {
        let kind = body["type"].as_str().unwrap_or("interaction");
        let action = body["actions"][0]["action_id"].as_str();
        let name = action.or_else(|| body["view"]["callback_id"].as_str());
        return (format!("{kind} {}", name.unwrap_or_default()), body);
    }
    let command = fields.iter().find(|(name, _)| name == "command");
    let name = command.map_or_else(|| "form".to_owned(), |(_, command)| command.clone());
    let body = fields.into_iter().map(|(name, value)| (name, json!(value)));
    (name, Value::Object(body.collect()))
}

/// The entry of a webhook that the receiver beside the workspace was sent.
pub(super) fn of_webhook<'a>(
    header: impl Fn(&'static str) -> Option<&'a str>,
    payload: Value,
    at_ms: i64,
) -> TraceEntry {
    let signature = json!({
        "webhook-id": header("webhook-id"),
        "webhook-timestamp": header("webhook-timestamp"),
        "webhook-signature": header("webhook-signature"),
    });
    TraceEntry {
        id: 0,
        kind: "webhook",
        name: payload["type"].as_str().unwrap_or("webhook").to_owned(),
        at_ms,
        took_ms: None,
        status: None,
        signature: Some(signature),
        payload,
        effect: "Accepted by a receiver on this machine".to_owned(),
        failed: false,
        delivery: None,
    }
}

/// The entry of a call of the Web API.
pub(super) fn of_call(
    state: &State,
    method: &str,
    args: Value,
    error: Option<&str>,
    at_ms: i64,
) -> TraceEntry {
    let effect = match error {
        Some(error) => format!("Nothing: {error}"),
        None => effect_of_call(state, method, &args),
    };
    TraceEntry {
        id: 0,
        kind: "call",
        name: method.to_owned(),
        at_ms,
        took_ms: None,
        status: None,
        signature: None,
        payload: args,
        effect,
        failed: error.is_some(),
        delivery: None,
    }
}

fn effect_of_call(state: &State, method: &str, args: &Value) -> String {
    let channel = || match args["channel"].as_str().and_then(|id| state.channel(id)) {
        Some(channel) if channel.kind == ChannelKind::Im => "a direct message".to_owned(),
        Some(channel) => format!("#{}", channel.name),
        None => "a channel".to_owned(),
    };
    match method {
        "chat.postMessage" => format!("A new message in {}", channel()),
        "chat.update" => format!("A message in {} was edited", channel()),
        "chat.postEphemeral" => format!("A message for one person in {}", channel()),
        "chat.delete" => format!("A message in {} was deleted", channel()),
        "views.open" | "views.push" => "A form or a list opened".to_owned(),
        "views.update" => "An open view changed".to_owned(),
        "views.publish" => "A Home tab changed".to_owned(),
        "response_url" => "A reply to a command or a click".to_owned(),
        "conversations.open" => "A direct message with one person".to_owned(),
        _ => "Nothing: it only reads".to_owned(),
    }
}
