//! `conversations.*`: channels and direct messages.

use serde_json::{Value, json};

use super::super::state::{Channel, ChannelKind, State};
use super::args::Args;
use super::{ApiError, Outcome, Sandbox, page_of};

pub(super) fn open(sandbox: &Sandbox, args: &Args) -> Outcome {
    if let Some(channel) = args.text("channel") {
        let known = sandbox.look(|state| {
            state
                .channels
                .get(channel)
                .is_some_and(|c| c.kind == ChannelKind::Im)
        });
        return if known {
            Ok(json!({"ok": true, "no_op": true, "already_open": true, "channel": {"id": channel}}))
        } else {
            Err("channel_not_found".into())
        };
    }
    let users = args.need("users")?;
    if users.contains(',') {
        return Err(ApiError {
            code: "method_not_supported_for_channel_type",
            messages: vec!["the sandbox has no group direct messages".to_owned()],
        });
    }
    sandbox.change(|state| {
        check_dm(state, users)?;
        let id = state.open_im(users);
        let mut channel = json!({"id": id});
        if args.flag("return_im") {
            channel = json!({"id": id, "is_im": true, "user": users, "is_open": true});
        }
        Ok(json!({"ok": true, "channel": channel}))
    })
}

/// Whether the bot may send direct messages to this person.
pub(super) fn check_dm(state: &State, user: &str) -> Result<(), ApiError> {
    match state.users.get(user) {
        None => Err("user_not_found".into()),
        Some(user) if user.deleted => Err("user_disabled".into()),
        Some(user) if user.is_bot => Err("cannot_dm_bot".into()),
        Some(_) => Ok(()),
    }
}

pub(super) fn info(sandbox: &Sandbox, args: &Args) -> Outcome {
    let id = args.need("channel")?;
    sandbox.look(|state| {
        let channel = visible(state, id)?;
        let mut body = shown(state, channel);
        if args.flag("include_num_members") {
            body["num_members"] = json!(channel.members.len());
        }
        Ok(json!({"ok": true, "channel": body}))
    })
}

pub(super) fn members(sandbox: &Sandbox, args: &Args) -> Outcome {
    let id = args.need("channel")?;
    let all = sandbox
        .look(|state| visible(state, id).map(|c| c.members.iter().cloned().collect::<Vec<_>>()))?;
    let (members, cursor) = page_of(all, args)?;
    Ok(json!({"ok": true, "members": members, "response_metadata": {"next_cursor": cursor}}))
}

pub(super) fn list(sandbox: &Sandbox, args: &Args) -> Outcome {
    let types = args.text("types").unwrap_or("public_channel").to_owned();
    let no_archived = args.flag("exclude_archived");
    let all: Vec<Value> = sandbox.look(|state| {
        let wanted = |channel: &&Channel| {
            let kind = match channel.kind {
                ChannelKind::Public => "public_channel",
                ChannelKind::Private => "private_channel",
                ChannelKind::Im => "im",
            };
            types.split(',').any(|t| t.trim() == kind)
                && !(no_archived && channel.is_archived)
                && visible(state, &channel.id).is_ok()
        };
        let channels = state.channels.values().filter(wanted);
        channels.map(|channel| shown(state, channel)).collect()
    });
    let (channels, cursor) = page_of(all, args)?;
    Ok(json!({"ok": true, "channels": channels, "response_metadata": {"next_cursor": cursor}}))
}

pub(super) fn join(sandbox: &Sandbox, args: &Args) -> Outcome {
    let id = args.need("channel")?;
    sandbox.change(|state| {
        let kind = visible(state, id)?.kind;
        if kind != ChannelKind::Public {
            return Err("method_not_supported_for_channel_type".into());
        }
        let bot = state.install.bot_user.clone();
        let channel = state.channels.get_mut(id).ok_or("channel_not_found")?;
        if channel.is_archived {
            return Err("is_archived".into());
        }
        channel.members.insert(bot);
        let channel = state.channels.get(id).ok_or("channel_not_found")?;
        Ok(json!({"ok": true, "channel": shown(state, channel)}))
    })
}

/// A channel that the bot can see; a private one only if the bot is a member.
pub(super) fn visible<'a>(state: &'a State, id: &str) -> Result<&'a Channel, ApiError> {
    let channel = state.channels.get(id).ok_or("channel_not_found")?;
    let inside = channel.members.contains(&state.install.bot_user);
    if channel.kind == ChannelKind::Public || inside {
        Ok(channel)
    } else {
        Err("channel_not_found".into())
    }
}

fn shown(state: &State, channel: &Channel) -> Value {
    if channel.kind == ChannelKind::Im {
        let other = channel
            .members
            .iter()
            .find(|id| **id != state.install.bot_user);
        return json!({
            "id": channel.id, "created": 1_507_235_627, "is_im": true, "is_org_shared": false,
            "user": other, "is_archived": channel.is_archived, "is_open": true, "priority": 0,
        });
    }
    json!({
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": channel.kind == ChannelKind::Public,
        "is_group": channel.kind == ChannelKind::Private,
        "is_im": false,
        "is_mpim": false,
        "is_private": channel.kind == ChannelKind::Private,
        "created": 1_449_252_889,
        "creator": state.install.bot_user,
        "is_archived": channel.is_archived,
        "is_general": false,
        "unlinked": 0,
        "is_shared": channel.is_ext_shared,
        "is_ext_shared": channel.is_ext_shared,
        "is_org_shared": false,
        "is_pending_ext_shared": false,
        "pending_shared": [],
        "is_member": channel.members.contains(&state.install.bot_user),
        "context_team_id": state.install.team_id,
        "updated": 1_678_229_664_302_i64,
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "previous_names": [],
        "num_members": channel.members.len(),
    })
}
