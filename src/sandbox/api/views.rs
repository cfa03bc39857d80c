//! `views.*`: modals and Home tabs.

use serde_json::{Value, json};

use super::super::payload::view_json;
use super::super::state::{State, View};
use super::super::tickets::Refused;
use super::super::{blocks, limits};
use super::args::Args;
use super::{ApiError, Outcome, Sandbox};

pub(super) fn open(sandbox: &Sandbox, args: &Args) -> Outcome {
    let trigger = args.need("trigger_id")?;
    let body = read_view(args, "modal")?;
    let now_ms = sandbox.now_ms();
    sandbox.change(|state| {
        check_external_id(state, &body, None)?;
        let user = exchange(state, trigger, now_ms)?;
        let view = state.new_view(body, None, now_ms);
        let answer = answer(state, &view);
        state.modals.insert(user, vec![view]);
        Ok(answer)
    })
}

pub(super) fn push(sandbox: &Sandbox, args: &Args) -> Outcome {
    let trigger = args.need("trigger_id")?;
    let body = read_view(args, "modal")?;
    let now_ms = sandbox.now_ms();
    sandbox.change(|state| {
        check_external_id(state, &body, None)?;
        let user = exchange(state, trigger, now_ms)?;
        push_onto(state, &user, body, now_ms).map(|view| answer(state, &view))
    })
}

/// Pushes a view onto a person's stack; an answer of `push` to a submitted form uses it, too.
pub(in crate::sandbox) fn push_onto(
    state: &mut State,
    user: &str,
    body: Value,
    now_ms: i64,
) -> Result<View, ApiError> {
    let stack = state
        .modals
        .get(user)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if stack.is_empty() {
        return Err("not_found".into());
    }
    if stack.len() >= limits::VIEW_STACK {
        return Err("push_limit_reached".into());
    }
    let below = stack.last().cloned();
    let view = state.new_view(body, below.as_ref(), now_ms);
    state
        .modals
        .entry(user.to_owned())
        .or_default()
        .push(view.clone());
    Ok(view)
}

pub(super) fn update(sandbox: &Sandbox, args: &Args) -> Outcome {
    let body = read_view(args, "modal")?;
    let now_ms = sandbox.now_ms();
    sandbox.change(|state| {
        let wanted = |view: &&View| match (args.text("view_id"), args.text("external_id")) {
            (Some(id), _) => view.id == id,
            (None, Some(external)) => view.body["external_id"] == external,
            (None, None) => false,
        };
        let found = state.modals.values().flatten().find(wanted).cloned();
        let found = found.ok_or("not_found")?;
        check_external_id(state, &body, Some(&found.id))?;
        check_hash(args, &found)?;
        let view = state.replace_view(&found.id, body, now_ms).cloned();
        Ok(answer(state, &view.ok_or("not_found")?))
    })
}

pub(super) fn publish(sandbox: &Sandbox, args: &Args) -> Outcome {
    let user = args.need("user_id")?;
    let body = read_view(args, "home")?;
    let now_ms = sandbox.now_ms();
    sandbox.change(|state| {
        if state.users.get(user).is_none_or(|user| user.deleted) {
            return Err(invalid("invalid `user_id`"));
        }
        let old = state.homes.get(user).cloned();
        if let Some(old) = &old {
            check_hash(args, old)?;
        }
        let mut view = state.new_view(body, None, now_ms);
        if let Some(old) = old {
            view.id.clone_from(&old.id);
            view.root_id = old.id;
        }
        let answer = answer(state, &view);
        state.homes.insert(user.to_owned(), view);
        Ok(answer)
    })
}

fn read_view(args: &Args, kind: &str) -> Result<Value, ApiError> {
    let body = match args.json("view", "invalid_arguments")? {
        None => return Err(ApiError::missing("view")),
        Some(body @ Value::Object(_)) => body,
        Some(_) => return Err(invalid("[ERROR] invalid `view`")),
    };
    if body["type"] != kind {
        return Err(invalid(&format!(
            "[ERROR] view.type must be {kind} [json-pointer:/view/type]"
        )));
    }
    blocks::check_view(&body)?;
    Ok(body)
}

fn exchange(state: &mut State, trigger: &str, now_ms: i64) -> Result<String, ApiError> {
    let user = state.tickets.exchange(trigger, now_ms);
    user.map_err(|refused| match refused {
        Refused::Unknown => invalid("invalid `trigger_id`"),
        Refused::Expired => "expired_trigger_id".into(),
        Refused::Used => "exchanged_trigger_id".into(),
    })
}

fn check_hash(args: &Args, view: &View) -> Result<(), ApiError> {
    match args.text("hash") {
        Some(hash) if !hash.is_empty() && hash != view.hash => Err("hash_conflict".into()),
        _ => Ok(()),
    }
}

/// An external id must be unique among the open views of the workspace.
fn check_external_id(state: &State, body: &Value, own: Option<&str>) -> Result<(), ApiError> {
    let Some(wanted) = body["external_id"].as_str().filter(|id| !id.is_empty()) else {
        return Ok(());
    };
    let same = |view: &View| view.body["external_id"] == wanted && Some(view.id.as_str()) != own;
    if state.modals.values().flatten().any(same) {
        return Err("duplicate_external_id".into());
    }
    Ok(())
}

fn answer(state: &State, view: &View) -> Value {
    json!({"ok": true, "view": view_json(state, view, &json!({}))})
}

fn invalid(message: &str) -> ApiError {
    ApiError {
        code: "invalid_arguments",
        messages: vec![message.to_owned()],
    }
}
