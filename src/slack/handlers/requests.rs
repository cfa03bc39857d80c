//! Requests by command and by form: the form asks for what is missing, and not again for what is there.

use super::context::Context;
use super::modals::{self, Opening};
use super::reply::{Failure, Handled, Reply};
use crate::app::{AppError, Submitted};
use crate::domain::ask::Ask;
use crate::domain::decision::Via;
use crate::domain::refusal::Refusal;
use crate::slack::inbound::View;
use crate::slack::ui::{replies, request_form};
use serde_json::Value;

/// `/approval request`: what is complete is submitted at once, else a form opens with what was typed.
pub(super) async fn by_command(context: &Context, ask: Ask, opening: Opening) -> Handled {
    if !ask.action.is_empty() {
        match submit(context, ask.clone(), Via::Command).await {
            Err(Failure::App(AppError::Refused(Refusal::Violations(violations))))
                if request_form::only_missing(&violations) && request_form::takes(&ask) => {}
            submitted => return submitted.map(|submitted| reply(&submitted)),
        }
    }
    let opener = context.clone();
    let view = async move { form(&opener, &ask).await };
    modals::open(context, &opening, Box::pin(view)).await
}

/// The form with nothing in it.
pub(super) async fn empty_form(context: &Context) -> Result<Value, Failure> {
    form(context, &Ask::default()).await
}

async fn form(context: &Context, known: &Ask) -> Result<Value, Failure> {
    let config = &context.actor().await?.config;
    request_form::request_form(config, known).ok_or_else(|| replies::too_much().into())
}

/// The form was submitted.
pub(super) async fn submitted(context: &Context, view: &View) -> Handled {
    context.account().await?;
    let ask = request_form::read(view).map_err(Failure::Fields)?;
    match submit(context, ask, Via::Modal).await {
        Err(Failure::App(AppError::Refused(Refusal::Violations(violations)))) => {
            Err(Failure::Fields(request_form::beside(&violations)))
        }
        submitted => submitted.map(|submitted| reply(&submitted)),
    }
}

async fn submit(context: &Context, ask: Ask, via: Via) -> Result<Submitted, Failure> {
    let caller = context.actor().await?.caller(via);
    Ok(context
        .app()
        .submit(&caller, ask, Some(context.once()))
        .await?)
}

fn reply(submitted: &Submitted) -> Reply {
    // a repeated delivery is answered as the first was
    let new = submitted.new || submitted.repeated;
    Reply::Answer(replies::submitted(&submitted.shown, new))
}
