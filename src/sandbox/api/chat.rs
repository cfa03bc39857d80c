//! `chat.*`: messages.

use serde_json::{Value, json};

use super::super::state::{Channel, ChannelKind, Message, State};
use super::super::{blocks, limits};
use super::args::Args;
use super::conversations::{check_dm, visible};
use super::{ApiError, Outcome, Sandbox};

/// The checked text and blocks of a message.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// `None` if the call does not contain it.
    pub text: Option<String>,
    /// `None` if the call does not contain them.
    pub blocks: Option<Vec<Value>>,
}

impl Content {
    /// Reads and checks the content; it may be empty.
    pub(super) fn read(args: &Args, text_limit: usize) -> Result<Self, ApiError> {
        let text = args.text("text").map(ToOwned::to_owned);
        if text
            .as_ref()
            .is_some_and(|text| text.chars().count() > text_limit)
        {
            return Err("msg_too_long".into());
        }
        let blocks = match args.json("blocks", "invalid_blocks_format")? {
            None => None,
            Some(Value::Array(blocks)) => Some(blocks),
            Some(_) => return Err("invalid_blocks_format".into()),
        };
        if let Some(blocks) = &blocks {
            blocks::check_message(blocks)?;
        }
        let attachments = args.json("attachments", "invalid_attachments")?;
        let attached = attachments.as_ref().and_then(Value::as_array);
        if attached.is_some_and(|list| list.len() > limits::ATTACHMENTS) {
            return Err("too_many_attachments".into());
        }
        Ok(Self { text, blocks })
    }

    pub(super) fn is_empty(&self) -> bool {
        let no_text = self.text.as_ref().is_none_or(|text| text.trim().is_empty());
        no_text && self.blocks.as_ref().is_none_or(Vec::is_empty)
    }
}

pub(super) fn post_message(sandbox: &Sandbox, args: &Args) -> Outcome {
    let target = args.need("channel")?;
    let content = Content::read(args, limits::MESSAGE_TEXT)?;
    if content.is_empty() {
        return Err("no_text".into());
    }
    let metadata = read_metadata(args)?.filter(|metadata| !metadata.is_null());
    let now_ms = sandbox.now_ms();
    sandbox.change(|state| {
        let channel = writable(state, target)?;
        let thread_ts = thread_of(state, &channel, args)?;
        let message = Message {
            user: state.install.bot_user.clone(),
            text: content.text.unwrap_or_default(),
            blocks: content.blocks.unwrap_or_default(),
            thread_ts,
            metadata,
            ..Message::default()
        };
        let ts = state.post(&channel, message, now_ms);
        let stored = state.message(&channel, &ts).ok_or("fatal_error")?;
        Ok(json!({"ok": true, "channel": channel, "ts": ts, "message": message_json(state, stored)}))
    })
}

pub(super) fn post_ephemeral(sandbox: &Sandbox, args: &Args) -> Outcome {
    let target = args.need("channel")?;
    let user = args.need("user")?;
    let content = Content::read(args, limits::MESSAGE_TEXT)?;
    if content.is_empty() {
        return Err("no_text".into());
    }
    let now_ms = sandbox.now_ms();
    sandbox.change(|state| {
        let channel = writable(state, target)?;
        let inside = |channel: &Channel| channel.members.contains(user);
        if !state.channels.get(&channel).is_some_and(inside) {
            return Err("user_not_in_channel".into());
        }
        let thread_ts = thread_of(state, &channel, args)?;
        let message = Message {
            user: state.install.bot_user.clone(),
            text: content.text.unwrap_or_default(),
            blocks: content.blocks.unwrap_or_default(),
            thread_ts,
            only_for: Some(user.to_owned()),
            ..Message::default()
        };
        let ts = state.post(&channel, message, now_ms);
        Ok(json!({"ok": true, "message_ts": ts}))
    })
}

pub(super) fn update(sandbox: &Sandbox, args: &Args) -> Outcome {
    let (id, ts) = (args.need("channel")?, args.need("ts")?);
    let content = Content::read(args, limits::UPDATE_TEXT)?;
    if content.text.is_none() && content.blocks.is_none() {
        return Err("no_text".into());
    }
    let metadata = read_metadata(args)?;
    let now_ms = sandbox.now_ms();
    sandbox.change(|state| {
        let edited = state.next_ts(now_ms);
        own_message(state, id, ts, "cant_update_message")?;
        let mut blocks = content.blocks;
        if let Some(blocks) = &mut blocks {
            state.name_blocks(blocks);
        }
        let channel = state.channels.get_mut(id).ok_or("channel_not_found")?;
        let message = channel.messages.get_mut(ts).ok_or("message_not_found")?;
        let text = content.text.unwrap_or_default();
        message.text.clone_from(&text);
        // an update keeps blocks and metadata that the call does not contain
        if let Some(blocks) = blocks {
            message.blocks = blocks;
        }
        if let Some(metadata) = metadata {
            message.metadata = Some(metadata).filter(|metadata| !metadata.is_null());
        }
        message.edited = Some(edited);
        let stored = state.message(id, ts).ok_or("fatal_error")?;
        Ok(json!({"ok": true, "channel": id, "ts": ts, "text": text, "message": message_json(state, stored)}))
    })
}

pub(super) fn delete(sandbox: &Sandbox, args: &Args) -> Outcome {
    let (id, ts) = (args.need("channel")?, args.need("ts")?);
    sandbox.change(|state| {
        own_message(state, id, ts, "cant_delete_message")?;
        if let Some(channel) = state.channels.get_mut(id) {
            channel.messages.remove(ts);
        }
        Ok(json!({"ok": true, "channel": id, "ts": ts}))
    })
}

pub(super) fn permalink(sandbox: &Sandbox, args: &Args) -> Outcome {
    let (id, ts) = (args.need("channel")?, args.need("message_ts")?);
    sandbox.look(|state| {
        let channel = visible(state, id)?;
        let message = channel.messages.get(ts).filter(|m| m.only_for.is_none());
        let message = message.ok_or("message_not_found")?;
        let (domain, digits) = (&state.install.domain, ts.replace('.', ""));
        let mut link = format!("https://{domain}.slack.com/archives/{id}/p{digits}");
        if let Some(parent) = &message.thread_ts {
            link = format!("{link}?thread_ts={parent}&cid={id}");
        }
        Ok(json!({"ok": true, "channel": id, "permalink": link}))
    })
}

/// The id of a channel in which the bot may post; a user id stands for the direct message with that person.
fn writable(state: &mut State, target: &str) -> Result<String, ApiError> {
    if target.starts_with(['U', 'W']) {
        check_dm(state, target).map_err(|error| match error.code {
            "user_not_found" | "user_disabled" => ApiError::from("channel_not_found"),
            _ => error,
        })?;
        return Ok(state.open_im(target));
    }
    let channel = visible(state, target)?;
    if channel.is_archived {
        return Err("is_archived".into());
    }
    if channel.kind != ChannelKind::Im && !channel.members.contains(&state.install.bot_user) {
        return Err("not_in_channel".into());
    }
    Ok(channel.id.clone())
}

/// The parent of a reply. It must exist, and an ephemeral message cannot start a thread.
fn thread_of(state: &State, channel: &str, args: &Args) -> Result<Option<String>, ApiError> {
    let Some(ts) = args.text("thread_ts").filter(|ts| !ts.is_empty()) else {
        return Ok(None);
    };
    match state.message(channel, ts) {
        None => Err("thread_not_found".into()),
        Some(parent) if parent.only_for.is_some() => Err("cannot_reply_to_message".into()),
        Some(_) => Ok(Some(ts.to_owned())),
    }
}

fn own_message(state: &State, id: &str, ts: &str, foreign: &'static str) -> Result<(), ApiError> {
    let channel = visible(state, id)?;
    if channel.is_archived {
        return Err("is_archived".into());
    }
    let message = channel.messages.get(ts).filter(|m| m.only_for.is_none());
    let message = message.ok_or("message_not_found")?;
    if message.user == state.install.bot_user {
        Ok(())
    } else {
        Err(foreign.into())
    }
}

/// `None` if the call does not contain it; null for an empty object, which removes the metadata.
fn read_metadata(args: &Args) -> Result<Option<Value>, ApiError> {
    let Some(metadata) = args.json("metadata", "invalid_metadata_format")? else {
        return Ok(None);
    };
    if metadata.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(Some(Value::Null));
    }
    let typed = metadata.get("event_type").is_some_and(Value::is_string);
    if !typed || !metadata.get("event_payload").is_some_and(Value::is_object) {
        return Err("invalid_metadata_format".into());
    }
    if metadata.to_string().len() > limits::METADATA_BYTES {
        return Err("metadata_too_large".into());
    }
    Ok(Some(metadata))
}

/// A message as Slack returns it, in answers and in interactions.
pub(in crate::sandbox) fn message_json(state: &State, message: &Message) -> Value {
    let install = &state.install;
    let mut body = json!({
        "type": "message",
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "team": install.team_id,
        "blocks": message.blocks,
    });
    if message.user == install.bot_user {
        body["bot_id"] = json!(install.bot_id);
        body["app_id"] = json!(install.app_id);
    }
    if let Some(thread_ts) = &message.thread_ts {
        body["thread_ts"] = json!(thread_ts);
    }
    if let Some(edited) = &message.edited {
        body["edited"] = json!({"user": install.bot_id, "ts": edited});
    }
    if let Some(metadata) = &message.metadata {
        body["metadata"] = metadata.clone();
    }
    body
}
