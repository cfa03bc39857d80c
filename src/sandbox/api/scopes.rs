//! Scopes of the bot token: each method needs its scope, and a header lists the granted ones.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::super::state::ChannelKind;
use super::args::Args;
use super::{ApiError, Sandbox};

const HEADER: HeaderName = HeaderName::from_static("x-oauth-scopes");

/// Refuses a call whose scope was not granted.
pub(super) fn check(sandbox: &Sandbox, method: &str, args: &Args) -> Result<(), ApiError> {
    let needed = match method {
        "users.info" | "users.list" | "bots.info" => "users:read",
        "usergroups.list" | "usergroups.users.list" => "usergroups:read",
        "conversations.open" => "im:write",
        "conversations.join" => "channels:join",
        "conversations.info" | "conversations.members" => {
            let kind = sandbox.look(|state| {
                let channel = state.channels.get(args.text("channel").unwrap_or_default());
                channel.map(|channel| channel.kind)
            });
            match kind {
                Some(ChannelKind::Private) => "groups:read",
                Some(ChannelKind::Im) => "im:read",
                Some(ChannelKind::Public) | None => "channels:read",
            }
        }
        "conversations.list" => {
            let types = args.text("types").unwrap_or("public_channel");
            if types.contains("private_channel") {
                require(sandbox, "groups:read")?;
            }
            "channels:read"
        }
        "chat.postMessage" | "chat.postEphemeral" | "chat.update" | "chat.delete" => "chat:write",
        _ => return Ok(()),
    };
    require(sandbox, needed)
}

fn require(sandbox: &Sandbox, scope: &str) -> Result<(), ApiError> {
    if sandbox.look(|state| state.scopes.contains(scope)) {
        Ok(())
    } else {
        Err("missing_scope".into())
    }
}

/// Adds the header that lists the granted scopes.
pub(super) fn tell(sandbox: &Sandbox, method: &str, headers: &mut HeaderMap) {
    if method == "apps.connections.open" {
        return;
    }
    let scopes = sandbox.look(|state| {
        let all: Vec<&str> = state.scopes.iter().map(String::as_str).collect();
        all.join(",")
    });
    if let Ok(scopes) = HeaderValue::from_str(&scopes) {
        headers.insert(HEADER, scopes);
    }
}
