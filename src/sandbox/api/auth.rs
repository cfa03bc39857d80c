//! `auth.test`, `bots.info` and the other methods about the token.

use serde_json::{Value, json};

use super::args::Args;
use super::{Outcome, Sandbox, page_of};
use std::collections::BTreeSet;

pub(super) fn test(sandbox: &Sandbox) -> Value {
    sandbox.look(|state| {
        let install = &state.install;
        let bot = state.users.get(&install.bot_user);
        json!({
            "ok": true,
            "url": format!("https://{}.slack.com/", install.domain),
            "team": install.team_name,
            "user": bot.map_or("bot", |bot| bot.name.as_str()),
            "team_id": install.team_id,
            "user_id": install.bot_user,
            "bot_id": install.bot_id,
            "is_enterprise_install": install.enterprise_id.is_some(),
            "enterprise_id": install.enterprise_id,
        })
    })
}

/// `auth.teams.list`: the workspaces of the organization in which the app is installed.
pub(super) fn teams(sandbox: &Sandbox, args: &Args) -> Outcome {
    let all: BTreeSet<String> = sandbox.look(|state| {
        let own = state.users.values().filter(|user| !user.is_stranger);
        own.map(|user| user.team_id.clone()).collect()
    });
    let (teams, cursor) = page_of(all.into_iter().collect(), args)?;
    let teams: Vec<Value> = teams
        .iter()
        .map(|id| json!({"id": id, "name": id}))
        .collect();
    Ok(json!({"ok": true, "teams": teams, "response_metadata": {"next_cursor": cursor}}))
}

/// `apps.connections.open`: a new address for one socket.
pub(super) fn open_connection(sandbox: &Sandbox) -> Outcome {
    let sockets = sandbox.0.sockets.as_ref().ok_or("invalid_auth")?;
    Ok(json!({"ok": true, "url": sockets.ticket()}))
}

pub(super) fn bots_info(sandbox: &Sandbox, args: &Args) -> Outcome {
    sandbox.look(|state| {
        let install = &state.install;
        let wanted = args.text("bot").unwrap_or(&install.bot_id);
        if wanted != install.bot_id {
            return Err("bot_not_found".into());
        }
        let bot = state.users.get(&install.bot_user);
        Ok(json!({"ok": true, "bot": {
            "id": install.bot_id,
            "deleted": false,
            "name": bot.map_or("bot", |bot| bot.real_name.as_str()),
            "updated": 1_449_272_004,
            "app_id": install.app_id,
            "user_id": install.bot_user,
            "team_id": install.team_id,
            "icons": {"image_36": "", "image_48": "", "image_72": ""},
        }}))
    })
}
