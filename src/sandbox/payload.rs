//! Builds the JSON of interactions and events as Slack does.

use serde_json::{Value, json};

use super::api::message_json;
use super::state::{Channel, ChannelKind, Install, Message, State, User, View};

/// The verification token that Slack still sends for old apps; apps should not use it.
const OLD_TOKEN: &str = "verification-token-nobody-uses";

/// The fields that every interaction has: person, workspace and app.
pub(super) fn envelope(install: &Install, kind: &str, user: &User, trigger_id: &str) -> Value {
    let own = user.team_id == install.team_id;
    let domain = if own {
        install.domain.as_str()
    } else {
        "other-workspace"
    };
    let mut team = json!({"id": user.team_id, "domain": domain});
    if let Some(enterprise) = &user.enterprise {
        team["enterprise_id"] = json!(enterprise);
        team["enterprise_name"] = json!(enterprise);
    }
    let org_wide = install.enterprise_id.is_some();
    if org_wide {
        team = Value::Null;
    }
    json!({
        "type": kind,
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
        "api_app_id": install.app_id,
        "token": OLD_TOKEN,
        "trigger_id": trigger_id,
        "team": team,
        "enterprise": user.enterprise.as_ref().map(|id| json!({"id": id, "name": id})),
        "is_enterprise_install": org_wide,
    })
}

/// The fields that a click on a message adds.
pub(super) fn on_message(
    payload: &mut Value,
    state: &State,
    channel: &Channel,
    message: &Message,
    response_url: &str,
) {
    let is_ephemeral = message.only_for.is_some();
    payload["container"] = json!({
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": is_ephemeral,
    });
    if let Some(thread_ts) = &message.thread_ts {
        payload["container"]["thread_ts"] = json!(thread_ts);
    }
    payload["channel"] = json!({"id": channel.id, "name": channel_name(channel)});
    payload["response_url"] = json!(response_url);
    payload["state"] = json!({"values": {}});
    if !is_ephemeral {
        payload["message"] = message_json(state, message);
    }
}

/// The fields that a click in a view adds.
pub(super) fn on_view(payload: &mut Value, state: &State, view: &View, values: &Value) {
    payload["container"] = json!({"type": "view", "view_id": view.id});
    payload["view"] = view_json(state, view, values);
}

/// A view as Slack sends it to the app.
pub(super) fn view_json(state: &State, view: &View, values: &Value) -> Value {
    let install = &state.install;
    let mut body = json!({
        "private_metadata": "",
        "callback_id": "",
        "external_id": "",
        "submit": null,
        "close": null,
        "clear_on_close": false,
        "notify_on_close": false,
    });
    if let (Some(all), Some(own)) = (body.as_object_mut(), view.body.as_object()) {
        all.extend(
            own.iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
    }
    body["id"] = json!(view.id);
    body["team_id"] = json!(install.team_id);
    body["app_id"] = json!(install.app_id);
    body["app_installed_team_id"] = json!(install.team_id);
    body["bot_id"] = json!(install.bot_id);
    body["hash"] = json!(view.hash);
    body["root_view_id"] = json!(view.root_id);
    body["previous_view_id"] = json!(view.previous_id);
    body["state"] = json!({"values": values});
    body
}

/// The fields of a slash command's form, in Slack's order.
pub(super) fn command_fields(
    install: &Install,
    user: &User,
    channel: &Channel,
    said: [&str; 4],
) -> Vec<(String, String)> {
    let [command, text, response_url, trigger_id] = said;
    let mut fields = vec![
        ("token", OLD_TOKEN.to_owned()),
        ("team_id", install.team_id.clone()),
        ("team_domain", install.domain.clone()),
    ];
    if let Some(enterprise) = &user.enterprise {
        fields.push(("enterprise_id", enterprise.clone()));
        fields.push(("enterprise_name", enterprise.clone()));
    }
    fields.extend([
        ("channel_id", channel.id.clone()),
        ("channel_name", channel_name(channel).to_owned()),
        ("user_id", user.id.clone()),
        ("user_name", user.name.clone()),
        ("command", command.to_owned()),
        ("text", text.to_owned()),
        ("api_app_id", install.app_id.clone()),
        (
            "is_enterprise_install",
            install.enterprise_id.is_some().to_string(),
        ),
        ("response_url", response_url.to_owned()),
        ("trigger_id", trigger_id.to_owned()),
    ]);
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The wrapper of an event.
pub(super) fn event_callback(state: &mut State, event: &Value, now_ms: i64) -> Value {
    let number = state.next_serial();
    let install = &state.install;
    json!({
        "token": OLD_TOKEN,
        "team_id": install.team_id,
        "context_team_id": install.team_id,
        "enterprise_id": install.enterprise_id,
        "context_enterprise_id": install.enterprise_id,
        "api_app_id": install.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": format!("Ev{number:08}"),
        "event_time": now_ms.div_euclid(1000),
        "authorizations": [{
            "enterprise_id": install.enterprise_id,
            // an organization-wide installation does not name a workspace
            "team_id": install.enterprise_id.is_none().then_some(&install.team_id),
            "user_id": install.bot_user,
            "is_bot": true,
            "is_enterprise_install": install.enterprise_id.is_some(),
        }],
        "is_ext_shared_channel": false,
        "event_context": format!("4-{number:08}"),
    })
}

/// The channel name that Slack sends; for private conversations it is a placeholder.
fn channel_name(channel: &Channel) -> &str {
    match channel.kind {
        ChannelKind::Public => &channel.name,
        ChannelKind::Private => "privategroup",
        ChannelKind::Im => "directmessage",
    }
}
