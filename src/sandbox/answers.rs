//! Applies the bot's answers to the workspace.

use std::collections::BTreeMap;

use serde_json::Value;

use super::acting::ActError;
use super::api::push_onto;
use super::deliver::{After, Answer};
use super::state::{Message, State};
use super::{Sandbox, blocks, render};

/// The bot's answer to a slash command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body as it was received.
    pub body: String,
    /// The message that the person reads at once; `None` if the bot only acknowledged.
    pub message: Option<String>,
}

impl CommandAnswer {
    pub(super) fn read(sandbox: &Sandbox, answer: Answer) -> Self {
        let said = if answer.is_ack() {
            spoken(&answer)
        } else {
            None
        };
        let message =
            said.map(|(message, _)| sandbox.look(|state| render::message(state, &message)));
        Self {
            status: answer.status,
            body: answer.body,
            message,
        }
    }
}

impl Sandbox {
    /// Applies an answer to the workspace.
    pub(super) fn apply(&self, after: &After, answer: &Answer) -> Result<(), ActError> {
        if !answer.is_ack() {
            return Ok(());
        }
        let now_ms = self.now_ms();
        match after {
            After::Nothing => Ok(()),
            After::Command { user, channel } => {
                let Some((mut message, in_channel)) = spoken(answer) else {
                    return Ok(());
                };
                blocks::check_message(&message.blocks)
                    .map_err(|e| ActError::BadAnswer(e.messages.join("; ")))?;
                message.only_for = (!in_channel).then(|| user.clone());
                self.change(|state| {
                    message.user.clone_from(&state.install.bot_user);
                    state.post(channel, message, now_ms);
                });
                Ok(())
            }
            After::Submit { user, view_id } => {
                self.change(|state| submitted(state, user, view_id, answer, now_ms))
            }
        }
    }
}

/// The message in the answer to a command, and whether everyone sees it.
fn spoken(answer: &Answer) -> Option<(Message, bool)> {
    if answer.body.trim().is_empty() {
        return None;
    }
    let Some(body @ Value::Object(_)) = answer.json() else {
        let text = answer.body.clone();
        return Some((
            Message {
                text,
                ..Message::default()
            },
            false,
        ));
    };
    let message = Message {
        text: body["text"].as_str().unwrap_or_default().to_owned(),
        blocks: body["blocks"].as_array().cloned().unwrap_or_default(),
        ..Message::default()
    };
    let empty = message.text.is_empty() && message.blocks.is_empty();
    (!empty).then(|| (message, body["response_type"] == "in_channel"))
}

fn submitted(
    state: &mut State,
    user: &str,
    view_id: &str,
    answer: &Answer,
    now_ms: i64,
) -> Result<(), ActError> {
    let bad = |what: &str| Err(ActError::BadAnswer(what.to_owned()));
    let body = match answer.body.trim() {
        "" => None,
        _ => answer.json(),
    };
    let Some(body) = body.filter(|body| body.as_object().is_some_and(|fields| !fields.is_empty()))
    else {
        if !answer.body.trim().is_empty() && answer.body.trim() != "{}" {
            return bad("a submit is answered with nothing or with JSON");
        }
        if let Some(stack) = state.modals.get_mut(user) {
            stack.retain(|view| view.id != view_id);
        }
        return Ok(());
    };
    match body["response_action"].as_str() {
        Some("clear") => {
            state.modals.remove(user);
            Ok(())
        }
        Some("errors") => show_errors(state, view_id, &body["errors"]),
        Some("update") => {
            blocks::check_view(&body["view"])
                .map_err(|e| ActError::BadAnswer(e.messages.join("; ")))?;
            state
                .replace_view(view_id, body["view"].clone(), now_ms)
                .map(|_| ())
                .ok_or(ActError::NoView)
        }
        Some("push") => {
            blocks::check_view(&body["view"])
                .map_err(|e| ActError::BadAnswer(e.messages.join("; ")))?;
            let pushed = push_onto(state, user, body["view"].clone(), now_ms);
            pushed
                .map(|_| ())
                .map_err(|error| ActError::BadAnswer(error.code.to_owned()))
        }
        _ => bad("unknown response_action"),
    }
}

/// Shows field errors beside input blocks. Slack rejects an answer whose keys name other blocks.
fn show_errors(state: &mut State, view_id: &str, errors: &Value) -> Result<(), ActError> {
    let errors: BTreeMap<String, String> = serde_json::from_value(errors.clone())
        .map_err(|_| ActError::BadAnswer("errors is no map of texts".to_owned()))?;
    let view = state.view_mut(view_id).ok_or(ActError::NoView)?;
    let blocks = view.body["blocks"].as_array().cloned().unwrap_or_default();
    let is_input = |id: &String| {
        blocks
            .iter()
            .any(|b| b["type"] == "input" && b["block_id"] == id.as_str())
    };
    if let Some(stray) = errors.keys().find(|id| !is_input(id)) {
        return Err(ActError::BadAnswer(format!(
            "errors names {stray}, which is no input block"
        )));
    }
    if errors.is_empty() {
        return Err(ActError::BadAnswer("errors is empty".to_owned()));
    }
    view.errors = errors;
    Ok(())
}
