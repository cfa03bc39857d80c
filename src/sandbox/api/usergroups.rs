//! `usergroups.list` and `usergroups.users.list`.

use serde_json::{Value, json};

use super::args::Args;
use super::{Outcome, Sandbox, workspace_of};

pub(super) fn list(sandbox: &Sandbox, args: &Args) -> Outcome {
    let workspace = workspace_of(sandbox, args)?;
    let (with_users, with_disabled) = (args.flag("include_users"), args.flag("include_disabled"));
    let groups: Vec<Value> = sandbox.look(|state| {
        let shown = state
            .groups
            .values()
            .filter(|group| with_disabled || !group.is_disabled)
            .filter(|group| workspace.as_ref().is_none_or(|team| *team == group.team_id));
        let to_json = |group: &super::super::Group| {
            let mut body = json!({
                "id": group.id,
                "team_id": group.team_id,
                "is_usergroup": true,
                "is_subteam": true,
                "name": group.name,
                "description": "",
                "handle": group.handle,
                "is_external": false,
                "date_create": 1_446_598_059,
                "date_update": group.updated_at,
                "date_delete": i64::from(group.is_disabled) * 1_446_670_362,
                "auto_type": null,
                "created_by": "USLACKBOT",
                "updated_by": group.updated_by,
                "deleted_by": null,
                "prefs": {"channels": [], "groups": []},
                "user_count": group.users.len(),
            });
            if with_users {
                body["users"] = json!(group.users);
            }
            body
        };
        shown.map(to_json).collect()
    });
    Ok(json!({"ok": true, "usergroups": groups}))
}

pub(super) fn users(sandbox: &Sandbox, args: &Args) -> Outcome {
    let id = args.need("usergroup")?;
    let with_disabled = args.flag("include_disabled");
    sandbox.look(|state| {
        let group = state
            .groups
            .get(id)
            .filter(|group| with_disabled || !group.is_disabled);
        let group = group.ok_or("no_such_subteam")?;
        Ok(json!({"ok": true, "users": group.users}))
    })
}
