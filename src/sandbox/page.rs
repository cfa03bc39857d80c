//! The web page: choose who you are, read, click, type commands.
//!
//! It only shows the state and calls the functions for people's actions. It has no login, because nothing in the workspace is real.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Query, Request, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::acting::{ActError, Element, Forge, Place};
use super::deliver::Answer;
use super::forms::Values;
use super::mail::mails_of;
use super::state::{Channel, ChannelKind, Message, State, User};
use super::{Sandbox, lock, tools};

/// How long a long poll for changes is held open.
const NEWS: Duration = Duration::from_secs(25);
/// How many messages of a channel are shown.
const SHOWN: usize = 200;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// The page's files: path, content type and content.
const FILES: [(&str, &str, &str); 11] = [
    ("/", "text/html", include_str!("page/index.html")),
    ("/page/page.css", "text/css", include_str!("page/page.css")),
    ("/page/page.js", SCRIPT, include_str!("page/page.js")),
    ("/page/blocks.js", SCRIPT, include_str!("page/blocks.js")),
    (
        "/page/composer.js",
        SCRIPT,
        include_str!("page/composer.js"),
    ),
    ("/page/guide.js", SCRIPT, include_str!("page/guide.js")),
    ("/page/kept.js", SCRIPT, include_str!("page/kept.js")),
    ("/page/mail.js", SCRIPT, include_str!("page/mail.js")),
    ("/page/text.js", SCRIPT, include_str!("page/text.js")),
    ("/page/modal.js", SCRIPT, include_str!("page/modal.js")),
    ("/page/tools.js", SCRIPT, include_str!("page/tools.js")),
];
const SCRIPT: &str = "text/javascript";

pub(super) fn router() -> Router<Sandbox> {
    let mut router = Router::new();
    for (path, kind, text) in FILES {
        router = router.route(path, get(move || async move { asset(kind, text) }));
    }
    router
        .route("/page/state", get(state))
        .route("/page/say", post(say))
        .route("/page/press", post(press))
        .route("/page/submit", post(submit))
        .route("/page/suggest", post(suggest))
        .route("/page/close", post(close))
        .route("/page/home", post(home))
        .merge(tools::router())
        .layer(from_fn(same_origin))
}

/// Refuses requests from other sites open in the same browser. Browsers send the origin of a request.
async fn same_origin(headers: HeaderMap, request: Request, next: Next) -> Response {
    let site = headers
        .get("sec-fetch-site")
        .and_then(|site| site.to_str().ok());
    let foreign = matches!(site, Some("cross-site" | "same-site"));
    if foreign && request.method() == axum::http::Method::POST {
        return (
            StatusCode::FORBIDDEN,
            "this page only takes clicks of its own",
        )
            .into_response();
    }
    next.run(request).await
}

fn asset(kind: &str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, format!("{kind}; charset=utf-8")),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, text).into_response()
}

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "as")]
    user: Option<String>,
    #[serde(default)]
    version: u64,
}

/// The state as one person sees it: at once if it is newer than `version`, otherwise when something changes.
async fn state(Shared(sandbox): Shared<Sandbox>, Query(asked): Query<Asked>) -> Response {
    let mut versions = sandbox.0.version.subscribe();
    let news = versions.wait_for(|version| *version > asked.version);
    tokio::select! {
        _ = tokio::time::timeout(NEWS, news) => {}
        () = sandbox.0.stop.cancelled() => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
    let version = *sandbox.0.version.borrow();
    let has_bot = lock(&sandbox.0.bot_url).is_some();
    let mut body = sandbox.look(|state| seen_by(state, asked.user.as_deref()));
    body["version"] = json!(version);
    body["has_bot"] = json!(has_bot);
    body["bot_url"] = json!(*lock(&sandbox.0.bot_url));
    body["now_ms"] = json!(sandbox.now_ms());
    body["broken"] = sandbox.broken();
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn seen_by(state: &State, user: Option<&str>) -> Value {
    let people = state
        .users
        .values()
        .filter(|user| !user.is_bot && !user.deleted);
    let names: BTreeMap<_, _> = state
        .users
        .iter()
        .map(|(id, user)| (id, &user.name))
        .collect();
    let groups: BTreeMap<_, _> = state
        .groups
        .iter()
        .map(|(id, group)| (id, &group.handle))
        .collect();
    let channel_names: BTreeMap<_, _> = state
        .channels
        .iter()
        .map(|(id, channel)| (id, &channel.name))
        .collect();
    let mut body = json!({
        "workspace": state.install.team_name,
        "bot": state.users.get(&state.install.bot_user).map(|bot| json!({"id": bot.id, "name": bot.real_name})),
        "people": people.map(person).collect::<Vec<_>>(),
        "names": names,
        "groups": groups,
        "channel_names": channel_names,
    });
    let Some(me) = user.and_then(|user| state.user(user)) else {
        return body;
    };
    let seen = state
        .channels
        .values()
        .filter(|channel| state.can_see(&me.id, channel));
    body["me"] = person(me);
    body["channels"] = seen.map(|channel| conversation(channel, &me.id)).collect();
    body["mails"] = mails_of(state, &me.name);
    let modal = state.modals.get(&me.id).and_then(|stack| stack.last());
    body["modal"] = json!(modal.map(
        |view| json!({"id": view.id, "hash": view.hash, "view": view.body, "errors": view.errors})
    ));
    body["home"] = json!(
        state
            .homes
            .get(&me.id)
            .map(|view| json!({"hash": view.hash, "view": view.body}))
    );
    body
}

fn person(user: &User) -> Value {
    json!({
        "id": user.id, "name": user.name, "real_name": user.real_name, "tz": user.tz,
        "is_guest": user.is_restricted || user.is_ultra_restricted, "is_stranger": user.is_stranger,
    })
}

fn conversation(channel: &Channel, me: &str) -> Value {
    let mine = |message: &&Message| message.only_for.as_deref().is_none_or(|only| only == me);
    let mut latest: Vec<_> = channel
        .messages
        .values()
        .rev()
        .filter(mine)
        .take(SHOWN)
        .collect();
    latest.reverse();
    let messages = latest.into_iter().map(|message| {
        json!({
            "ts": message.ts, "user": message.user, "text": message.text, "blocks": message.blocks,
            "thread_ts": message.thread_ts, "edited": message.edited.is_some(), "only_you": message.only_for.is_some(),
        })
    });
    json!({
        "id": channel.id, "name": channel.name, "is_im": channel.kind == ChannelKind::Im,
        "is_private": channel.kind == ChannelKind::Private, "is_archived": channel.is_archived,
        "messages": messages.collect::<Vec<_>>(),
    })
}

#[derive(Deserialize)]
struct Said {
    user: String,
    channel: String,
    text: String,
    thread_ts: Option<String>,
}

/// Handles a line from the composer: a slash command or a plain message.
async fn say(Shared(sandbox): Shared<Sandbox>, Json(said): Json<Said>) -> Response {
    let line = said.text.trim();
    if !line.starts_with('/') {
        let thread = said.thread_ts.as_deref();
        let outcome = sandbox.say_in(&said.user, &said.channel, thread, line);
        return told(outcome.map(|_| None));
    }
    let (command, text) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let answer = match sandbox.command_delivery(&said.user, &said.channel, command, text.trim()) {
        Ok(delivery) => sandbox.send(&delivery).await,
        Err(error) => Err(error),
    };
    told(answer.map(Some))
}

#[derive(Deserialize)]
struct Pressed {
    user: String,
    place: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    ts: String,
    action_id: String,
    block_id: Option<String>,
    option: Option<String>,
}

async fn press(Shared(sandbox): Shared<Sandbox>, Json(pressed): Json<Pressed>) -> Response {
    let place = match pressed.place.as_str() {
        "modal" => Place::Modal,
        "home" => Place::Home,
        _ => Place::Message {
            channel: &pressed.channel,
            ts: &pressed.ts,
        },
    };
    let element = Element {
        action_id: &pressed.action_id,
        block_id: pressed.block_id.as_deref(),
        value: None,
        option: pressed.option.as_deref(),
    };
    let answer = sandbox
        .press(&pressed.user, place, element, Forge::default())
        .await;
    told(answer.map(Some))
}

#[derive(Deserialize)]
struct Submitted {
    user: String,
    values: Value,
}

async fn submit(Shared(sandbox): Shared<Sandbox>, Json(submitted): Json<Submitted>) -> Response {
    let answer = sandbox
        .submit_view(&submitted.user, Values::from_json(&submitted.values))
        .await;
    told(answer.map(Some))
}

#[derive(Deserialize)]
struct Typed {
    user: String,
    action_id: String,
    #[serde(rename = "typed")]
    letters: String,
}

/// The options that the bot offers in a long list for the typed text.
async fn suggest(Shared(sandbox): Shared<Sandbox>, Json(typed): Json<Typed>) -> Response {
    let offered = sandbox
        .suggest(&typed.user, &typed.action_id, &typed.letters)
        .await;
    let body = match offered {
        Ok(options) => json!({"ok": true, "options": options}),
        Err(error) => json!({"ok": false, "error": error.to_string(), "options": []}),
    };
    Json(body).into_response()
}

#[derive(Deserialize)]
struct Who {
    user: String,
}

async fn close(Shared(sandbox): Shared<Sandbox>, Json(who): Json<Who>) -> Response {
    told(sandbox.close_view(&who.user).await)
}

async fn home(Shared(sandbox): Shared<Sandbox>, Json(who): Json<Who>) -> Response {
    told(sandbox.open_home(&who.user).await.map(Some))
}

/// The response after an action; empty if it succeeded.
fn told(outcome: Result<Option<Answer>, ActError>) -> Response {
    let body = match outcome {
        Ok(None) => json!({"ok": true}),
        Ok(Some(answer)) if answer.is_ack() => json!({"ok": true}),
        Ok(Some(answer)) => {
            json!({"ok": false, "error": format!("The bot answered with status {}.", answer.status)})
        }
        Err(ActError::Form(errors)) => json!({"ok": false, "errors": errors}),
        Err(error) => json!({"ok": false, "error": error.to_string()}),
    };
    Json(body).into_response()
}
