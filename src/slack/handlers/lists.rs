//! Long lists in forms: the options that match the letters typed so far, for people of the directory.

use super::context::Context;
use super::reply::{Handled, Reply};
use crate::slack::inbound::Interaction;
use crate::slack::ui::{break_glass_form, form, policy_form, request_form};

pub(super) async fn options(context: &Context, seen: &Interaction) -> Handled {
    let config = &context.actor().await?.config;
    let list = seen.action_id.as_deref().unwrap_or_default();
    let typed = seen.value.as_deref().unwrap_or_default();
    let view = seen.view.as_ref();
    let choices = match view.and_then(|view| view.callback_id.as_deref()) {
        Some(request_form::CALLBACK) => request_form::choices(config, list),
        Some(break_glass_form::START) => break_glass_form::choices(config, list),
        _ => policy_form::choices(config, list),
    };
    Ok(Reply::Choices(form::fitting(&choices, typed)))
}
