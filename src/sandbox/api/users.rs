//! `users.info` and `users.list`.

use serde_json::{Value, json};

use super::super::state::User;
use super::args::Args;
use super::{Outcome, Sandbox, page_of, workspace_of};

pub(super) fn info(sandbox: &Sandbox, args: &Args) -> Outcome {
    let id = args.need("user")?;
    let user = sandbox.look(|state| state.users.get(id).cloned());
    let user = user.ok_or("user_not_found")?;
    Ok(json!({"ok": true, "user": shown(&user)}))
}

pub(super) fn list(sandbox: &Sandbox, args: &Args) -> Outcome {
    let workspace = workspace_of(sandbox, args)?;
    let is_of = |user: &&User| workspace.as_ref().is_none_or(|team| *team == user.team_id);
    let all = sandbox.look(|state| state.users.values().filter(is_of).cloned().collect());
    let (users, cursor) = page_of::<User>(all, args)?;
    let members: Vec<_> = users.iter().map(shown).collect();
    Ok(json!({
        "ok": true,
        "members": members,
        "cache_ts": sandbox.now_ms() / 1000,
        "response_metadata": {"next_cursor": cursor},
    }))
}

/// A user object; a deactivated account has only the few fields that Slack leaves.
fn shown(user: &User) -> Value {
    let mut body = json!({
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name,
        "deleted": user.deleted,
        "profile": {
            "real_name": user.real_name,
            "display_name": user.name,
            "real_name_normalized": user.real_name,
            "display_name_normalized": user.name,
            "image_24": "", "image_32": "", "image_48": "", "image_72": "", "image_192": "", "image_512": "",
            "team": user.team_id,
        },
        "is_bot": user.is_bot,
        "is_app_user": false,
        "updated": 1_502_138_686,
    });
    if let Some(enterprise) = &user.enterprise {
        body["enterprise_user"] = json!({
            "id": user.id,
            "enterprise_id": enterprise,
            "enterprise_name": enterprise,
            "is_admin": user.is_admin,
            "is_owner": false,
            "teams": [user.team_id],
        });
    }
    if user.is_stranger {
        body["is_stranger"] = json!(true);
    }
    if !user.deleted {
        body["real_name"] = json!(user.real_name);
        body["color"] = json!("9f69e7");
        body["tz"] = json!(user.tz);
        body["tz_label"] = json!(user.tz);
        body["tz_offset"] = json!(0);
        body["is_admin"] = json!(user.is_admin);
        body["is_owner"] = json!(false);
        body["is_primary_owner"] = json!(false);
        body["is_restricted"] = json!(user.is_restricted);
        body["is_ultra_restricted"] = json!(user.is_ultra_restricted);
    }
    body
}
