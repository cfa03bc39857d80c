//! Requests by command and by form: the form asks for what is missing, and not again for what is there.

use super::context::Context;
use super::modals::{self, Opening};
use super::reply::{Failure, Handled, Reply};
use crate::app::{AppError, Submission, Submitted};
use crate::domain::decision::Via;
use crate::domain::refusal::Refusal;
use crate::slack::inbound::View;
use crate::slack::inbound::command::Form;
use crate::slack::ui::{replies, request_form};
use serde_json::Value;

/// `/approval request`: what is complete is submitted at once, else a form opens with what was typed.
pub(super) async fn by_command(context: &Context, form: Form, opening: Opening) -> Handled {
    if !form.action.is_empty() {
        match submit(context, &form, Via::Command).await {
            Err(Failure::App(AppError::Refused(Refusal::Violations(violations))))
                if request_form::only_missing(&violations) && request_form::takes(&form) => {}
            submitted => return submitted.map(|submitted| reply(&submitted)),
        }
    }
    let opener = context.clone();
    let content = async move { self::form(&opener, &form).await };
    modals::open(context, &opening, Box::pin(content)).await
}

/// The form with nothing in it.
pub(super) async fn empty_form(context: &Context) -> Result<Value, Failure> {
    form(context, &Form::default()).await
}

async fn form(context: &Context, known: &Form) -> Result<Value, Failure> {
    let config = &context.actor().await?.config;
    request_form::request_form(config, known).ok_or_else(|| replies::too_much().into())
}

/// The form was submitted.
pub(super) async fn submitted(context: &Context, view: &View) -> Handled {
    let actor = context.actor().await?;
    let form = request_form::read(view).map_err(Failure::Fields)?;
    match submit(context, &form, Via::Modal).await {
        Err(Failure::App(AppError::Refused(Refusal::Violations(violations)))) => Err(
            Failure::Fields(request_form::beside(&violations, &form, &actor.config)),
        ),
        submitted => submitted.map(|submitted| reply(&submitted)),
    }
}

async fn submit(context: &Context, form: &Form, via: Via) -> Result<Submitted, Failure> {
    let caller = context.actor().await?.caller(via);
    let submission = Submission {
        join_identical: true,
        ..form.clone().into()
    };
    let app = context.app();
    Ok(app.submit(&caller, submission, context.once()).await?)
}

fn reply(submitted: &Submitted) -> Reply {
    // a repeated delivery is answered as the first was
    let new = submitted.new || submitted.repeated;
    Reply::Answer(replies::submitted(&submitted.shown, new))
}
