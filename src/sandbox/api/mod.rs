//! The Web API: `/api/{method}`, and the response URLs.

mod args;
mod auth;
mod chat;
mod conversations;
mod failing;
mod response_url;
mod scopes;
mod usergroups;
mod users;
mod views;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use serde_json::{Value, json};

use self::args::Args;
use super::calls::Call;
use super::wire::Cut;
use super::{Sandbox, lock, trace};

/// An error of the Web API: `200 {"ok": false, "error": ..}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct ApiError {
    /// Slack's error code.
    pub code: &'static str,
    /// `response_metadata.messages`.
    pub messages: Vec<String>,
}

impl From<&'static str> for ApiError {
    fn from(code: &'static str) -> Self {
        Self {
            code,
            messages: Vec::new(),
        }
    }
}

impl ApiError {
    pub(super) fn missing(argument: &str) -> Self {
        let message = format!("[ERROR] missing required field: {argument}");
        Self {
            code: "invalid_arguments",
            messages: vec![message],
        }
    }

    /// The code and its messages.
    fn described(&self) -> String {
        if self.messages.is_empty() {
            return self.code.to_owned();
        }
        format!("{}: {}", self.code, self.messages.join("; "))
    }

    fn to_json(&self) -> Value {
        let mut body = json!({"ok": false, "error": self.code});
        if !self.messages.is_empty() {
            body["errors"] = json!(self.messages);
            body["response_metadata"] = json!({"messages": self.messages});
        }
        body
    }
}

pub(in crate::sandbox) use chat::message_json;
pub(in crate::sandbox) use views::push_onto;

type Outcome = Result<Value, ApiError>;

pub(super) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/api/{method}", any(call))
        .route("/actions/{ticket}", post(response_url::answer))
        .route("/commands/{ticket}", post(response_url::answer))
}

/// One call: first the faults, then the token, then the method.
async fn call(
    State(sandbox): State<Sandbox>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    Path(method): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let args = Args::read(&method, &uri, &headers, &body);
    let work = || {
        let outcome = check_token(&sandbox, &method, &headers, &args)
            .and_then(|()| scopes::check(&sandbox, &method, &args))
            .and_then(|()| run(&sandbox, &method, &args));
        record(
            &sandbox,
            &method,
            &args,
            outcome.as_ref().err().map(ApiError::described).as_deref(),
        );
        let mut answer = json_answer(&outcome.unwrap_or_else(|error| error.to_json()));
        scopes::tell(&sandbox, &method, answer.headers_mut());
        answer
    };
    let fault = lock(&sandbox.0.faults).take(&method, args.text("channel"), sandbox.now_ms());
    match fault {
        None => work(),
        Some(fault) => {
            // created before the call is logged: a test that sees the call may release it at once
            let released = sandbox.0.release.notified();
            let done = fault.has_effect().then(work);
            if done.is_none() {
                record(&sandbox, &method, &args, Some(&format!("{fault:?}")));
            }
            failing::play(&sandbox, released, &cut, fault, done).await
        }
    }
}

fn check_token(
    sandbox: &Sandbox,
    method: &str,
    headers: &HeaderMap,
    args: &Args,
) -> Result<(), ApiError> {
    use secrecy::ExposeSecret;
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
    let Some(token) = bearer.or_else(|| args.text("token")) else {
        return Err("not_authed".into());
    };
    let sockets = sandbox.0.sockets.as_ref();
    let is_app = sockets.is_some_and(|sockets| sockets.is_app_token(token.trim()));
    let is_bot = token.trim() == sandbox.0.bot_token.expose_secret();
    match (method, is_app, is_bot) {
        ("apps.connections.open", true, _) => return Ok(()),
        ("apps.connections.open", _, true) | (_, true, _) => {
            return Err("not_allowed_token_type".into());
        }
        (_, _, false) => return Err("invalid_auth".into()),
        (_, false, true) => {}
    }
    match sandbox.look(|state| state.token_error.clone()).as_deref() {
        None => Ok(()),
        Some("account_inactive") => Err("account_inactive".into()),
        Some("missing_scope") => Err("missing_scope".into()),
        Some(_) => Err("token_revoked".into()),
    }
}

fn run(sandbox: &Sandbox, method: &str, args: &Args) -> Outcome {
    match method {
        "api.test" => Ok(json!({"ok": true})),
        "auth.test" => Ok(auth::test(sandbox)),
        "auth.teams.list" => auth::teams(sandbox, args),
        "apps.connections.open" => auth::open_connection(sandbox),
        "bots.info" => auth::bots_info(sandbox, args),
        "users.info" => users::info(sandbox, args),
        "users.list" => users::list(sandbox, args),
        "conversations.open" => conversations::open(sandbox, args),
        "conversations.info" => conversations::info(sandbox, args),
        "conversations.list" => conversations::list(sandbox, args),
        "conversations.members" => conversations::members(sandbox, args),
        "conversations.join" => conversations::join(sandbox, args),
        "chat.postMessage" => chat::post_message(sandbox, args),
        "chat.postEphemeral" => chat::post_ephemeral(sandbox, args),
        "chat.update" => chat::update(sandbox, args),
        "chat.delete" => chat::delete(sandbox, args),
        "chat.getPermalink" => chat::permalink(sandbox, args),
        "views.open" => views::open(sandbox, args),
        "views.push" => views::push(sandbox, args),
        "views.update" => views::update(sandbox, args),
        "views.publish" => views::publish(sandbox, args),
        "usergroups.list" => usergroups::list(sandbox, args),
        "usergroups.users.list" => usergroups::users(sandbox, args),
        _ => Err("unknown_method".into()),
    }
}

fn record(sandbox: &Sandbox, method: &str, args: &Args, error: Option<&str>) {
    let (said, now_ms) = (args.without_token(), sandbox.now_ms());
    let entry = sandbox.look(|state| trace::of_call(state, method, said, error, now_ms));
    lock(&sandbox.0.trace).add(entry);
    lock(&sandbox.0.calls).record(Call {
        method: method.to_owned(),
        args: args.without_token(),
        at_ms: sandbox.now_ms(),
        error: error.map(ToOwned::to_owned),
    });
    // wakes tests that wait for a call
    sandbox.0.version.send_modify(|version| *version += 1);
}

fn json_answer(body: &Value) -> Response {
    let kind = (header::CONTENT_TYPE, "application/json; charset=utf-8");
    ([kind], body.to_string()).into_response()
}

/// The workspace whose people are requested. An organization's token must name one; for other tokens the argument has no effect.
fn workspace_of(sandbox: &Sandbox, args: &Args) -> Result<Option<String>, ApiError> {
    if sandbox.look(|state| state.install.enterprise_id.is_none()) {
        return Ok(None);
    }
    let workspace = args.text("team_id").ok_or("missing_argument")?;
    Ok(Some(workspace.to_owned()))
}

/// One page of a list by Slack's `limit` and `cursor`, and the next cursor (empty at the end).
fn page_of<T>(all: Vec<T>, args: &Args) -> Result<(Vec<T>, String), ApiError> {
    let limit = match args.text("limit").map(str::parse::<usize>) {
        None => 100,
        Some(Ok(limit @ 1..=1_000)) => limit,
        Some(_) => return Err("invalid_limit".into()),
    };
    let start = match args.text("cursor") {
        None | Some("") => 0,
        Some(cursor) => {
            let number = cursor
                .strip_prefix("next:")
                .and_then(|n| n.parse::<usize>().ok());
            number.filter(|&n| n <= all.len()).ok_or("invalid_cursor")?
        }
    };
    let more = all.len() > start.saturating_add(limit);
    let cursor = if more {
        format!("next:{}", start + limit)
    } else {
        String::new()
    };
    Ok((all.into_iter().skip(start).take(limit).collect(), cursor))
}
