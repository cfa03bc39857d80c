//! `/breakglass`, its form, and the buttons of its alerts. Who may do what, the use cases decide.

use super::context::{Actor, Context};
use super::modals::{self, Opening};
use super::reply::{Failure, Handled, Reply};
use crate::app::AppError;
use crate::domain::break_glass::{SessionAsk, SessionStatus};
use crate::domain::decision::Via;
use crate::domain::id::SessionId;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::slack::inbound::View;
use crate::slack::inbound::command::break_glass::{self as grammar, BreakGlass};
use crate::slack::ui::{Message, break_glass, break_glass_form as form, help, replies};
use serde_json::Value;

pub(super) async fn command(context: &Context, opening: Opening, text: &str) -> Handled {
    let command = match grammar::parse(text) {
        Ok(command) => command,
        Err(error) => return Ok(Reply::Answer(help::misread_break_glass(&error, text))),
    };
    match command {
        BreakGlass::Help => Ok(Reply::Answer(help::break_glass())),
        BreakGlass::Status => status(context).await,
        BreakGlass::Revoke(id) => {
            let id = match id {
                Some(id) => id,
                None => only_session(context).await?,
            };
            revoke(context, &id, Via::Command).await
        }
        BreakGlass::Start(ask) if grammar::is_complete(&ask) => {
            start(context, ask, Via::Command).await
        }
        BreakGlass::Start(ask) => {
            let opener = context.clone();
            let view = async move { start_form(&opener, &ask).await };
            modals::open(context, &opening, Box::pin(view)).await
        }
    }
}

async fn status(context: &Context) -> Handled {
    let actor = context.actor().await?;
    let open = context.app().open_sessions().await?;
    let message = break_glass::status(&open, &actor.config, &actor.person.id);
    Ok(Reply::Answer(message))
}

/// The form of a new session. Whoever may not start one is told before they fill it in.
async fn start_form(context: &Context, ask: &SessionAsk) -> Result<Value, Failure> {
    let Actor { person, config } = context.actor().await?;
    let settings = config.may_start(&person.id)?;
    // what is too long for a form is typed as a whole
    form::form(config, settings, ask).ok_or_else(|| help::break_glass().into())
}

/// The form was submitted.
pub(super) async fn start_submitted(context: &Context, view: &View) -> Handled {
    match start(context, form::read(view), Via::Modal).await {
        Ok(Reply::Answer(started)) => Ok(Reply::Done(started)),
        Err(Failure::App(AppError::Refused(Refusal::Violations(violations)))) => {
            Err(Failure::Fields(form::beside(&violations)))
        }
        other => other,
    }
}

async fn start(context: &Context, ask: SessionAsk, via: Via) -> Handled {
    let caller = context.actor().await?.caller(via);
    let started = context
        .app()
        .start_session(&caller, ask, Some(context.once()))
        .await?;
    let number = started.request.as_ref().map(|shown| shown.request.number);
    let message = break_glass::started(&started.session, number);
    Ok(Reply::Answer(message))
}

pub(super) async fn revoke_by_button(context: &Context, value: &str) -> Handled {
    let id: SessionId = value.parse().map_err(|_| replies::foreign_button())?;
    revoke(context, &id, Via::Button).await
}

async fn revoke(context: &Context, id: &SessionId, via: Via) -> Handled {
    let caller = context.actor().await?.caller(via);
    let revoked = context
        .app()
        .revoke_session(&caller, id, Some(context.once()))
        .await?;
    Ok(Reply::Answer(break_glass::done_with(&revoked)))
}

/// The one active session in which the person takes part.
async fn only_session(context: &Context) -> Result<SessionId, Failure> {
    let person = &context.actor().await?.person.id;
    let responder = Principal::Person(person.clone());
    let open = context.app().open_sessions().await?;
    let mut own = open.iter().map(|shown| &shown.session).filter(|session| {
        session.state.status() == SessionStatus::Active
            && (session.initiator == *person || session.responders.contains(&responder))
    });
    match (own.next(), own.next()) {
        (Some(only), None) => Ok(only.id.clone()),
        (None, _) => Err(Message::plain(
            "You have no active session. `/breakglass status` shows those that are open; name one with `/breakglass revoke bg_...`.",
        )
        .into()),
        (Some(_), Some(_)) => Err(Message::plain(
            "You have several active sessions; name one: `/breakglass status` shows their ids.",
        )
        .into()),
    }
}

/// The form of a review. Whoever may not review is told before they write a note.
pub(super) async fn review_form(context: &Context, value: &str) -> Result<Value, Failure> {
    let id: SessionId = value.parse().map_err(|_| replies::foreign_button())?;
    let Actor { person, config } = context.actor().await?;
    let shown = context.app().session(&id).await?;
    config.check_review(&shown.session, &shown.involved(), &person.id)?;
    Ok(break_glass::review_form(&shown))
}

/// The form of a review was submitted.
pub(super) async fn review_submitted(context: &Context, view: &View) -> Handled {
    let metadata = view.private_metadata.as_deref().unwrap_or_default();
    let id: SessionId = metadata.parse().map_err(|_| replies::foreign_button())?;
    let note = view.field(break_glass::NOTE).unwrap_or_default();
    let caller = context.actor().await?.caller(Via::Modal);
    let reviewed = context
        .app()
        .review_session(&caller, &id, &note, Some(context.once()))
        .await;
    match reviewed {
        Ok(reviewed) => Ok(Reply::Done(break_glass::done_with(&reviewed))),
        Err(AppError::Refused(refusal @ Refusal::Violations(_))) => {
            let errors = vec![(break_glass::NOTE, refusal.detail())];
            Err(Failure::Fields(errors))
        }
        Err(error) => Err(error.into()),
    }
}
