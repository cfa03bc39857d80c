//! Response URLs: five messages within thirty minutes, without a token.

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State as Shared};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::state::{Message, State};
use super::super::tickets::{Refused, Reply};
use super::super::wire::Cut;
use super::super::{limits, lock};
use super::args::Args;
use super::chat::Content;
use super::{ApiError, Sandbox, failing, record};

/// The name of these calls in faults and counts.
const NAME: &str = "response_url";

pub(super) async fn answer(
    Shared(sandbox): Shared<Sandbox>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    Path(ticket): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let args = Args::read(NAME, &uri, &headers, &body);
    let work = || {
        let outcome = write(&sandbox, &ticket, &args);
        record(
            &sandbox,
            NAME,
            &args,
            outcome.as_ref().err().map(ApiError::described).as_deref(),
        );
        match outcome {
            Ok(()) => "ok".into_response(),
            Err(error) => {
                let status = match error.code {
                    "used_url" | "expired_url" | "no_active_hooks" => StatusCode::NOT_FOUND,
                    _ => StatusCode::BAD_REQUEST,
                };
                (
                    status,
                    json!({"ok": false, "error": error.code}).to_string(),
                )
                    .into_response()
            }
        }
    };
    let fault = lock(&sandbox.0.faults).take(NAME, None, sandbox.now_ms());
    match fault {
        None => work(),
        Some(fault) => {
            // created before the call is logged: a test that sees the call may release it at once
            let released = sandbox.0.release.notified();
            let done = fault.has_effect().then(work);
            if done.is_none() {
                record(&sandbox, NAME, &args, Some(&format!("{fault:?}")));
            }
            failing::play(&sandbox, released, &cut, fault, done).await
        }
    }
}

fn write(sandbox: &Sandbox, ticket: &str, args: &Args) -> Result<(), ApiError> {
    let content = Content::read(args, limits::MESSAGE_TEXT)?;
    let now_ms = sandbox.now_ms();
    sandbox.change(|state| {
        let reply = state
            .tickets
            .redeem(ticket, now_ms)
            .map_err(|refused| match refused {
                Refused::Unknown => "no_active_hooks",
                Refused::Expired => "expired_url",
                Refused::Used => "used_url",
            })?;
        if args.flag("delete_original") {
            return delete_original(state, &reply);
        }
        if content.is_empty() {
            return Err("no_text".into());
        }
        // a slash command has no original message to replace, so the reply is a new message
        if let (true, Some(ts)) = (args.flag("replace_original"), &reply.message_ts) {
            return replace_original(state, &reply.channel, ts, content, now_ms);
        }
        let message = Message {
            user: state.install.bot_user.clone(),
            text: content.text.unwrap_or_default(),
            blocks: content.blocks.unwrap_or_default(),
            thread_ts: args.text("thread_ts").map(ToOwned::to_owned),
            only_for: (args.text("response_type") != Some("in_channel"))
                .then(|| reply.user.clone()),
            ..Message::default()
        };
        state.post(&reply.channel, message, now_ms);
        Ok(())
    })
}

fn delete_original(state: &mut State, reply: &Reply) -> Result<(), ApiError> {
    let Some(ts) = &reply.message_ts else {
        return Ok(());
    };
    let channel = state
        .channels
        .get_mut(&reply.channel)
        .ok_or("channel_not_found")?;
    channel
        .messages
        .remove(ts)
        .map(|_| ())
        .ok_or_else(|| "message_not_found".into())
}

fn replace_original(
    state: &mut State,
    channel: &str,
    ts: &str,
    content: Content,
    now_ms: i64,
) -> Result<(), ApiError> {
    let edited = state.next_ts(now_ms);
    let mut blocks = content.blocks.unwrap_or_default();
    state.name_blocks(&mut blocks);
    let channel = state.channels.get_mut(channel).ok_or("channel_not_found")?;
    let message = channel.messages.get_mut(ts).ok_or("message_not_found")?;
    message.text = content.text.unwrap_or_default();
    message.blocks = blocks;
    message.edited = message.only_for.is_none().then_some(edited);
    Ok(())
}
