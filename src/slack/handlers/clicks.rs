//! Buttons, menus and modals. A button says which request it is about, never who may decide on it.

use super::context::Context;
use super::modals::{self, Opening};
use super::reply::{Failure, Handled, Reply};
use super::{break_glass, decisions, executions, home, lists, policies, preferences, requests};
use crate::app::RequestRef;
use crate::domain::decision::{DecisionKind, Via};
use crate::domain::digest::Digest;
use crate::domain::id::RequestId;
use crate::domain::refusal::Refusal;
use crate::domain::request::Outcome;
use crate::domain::request_details::RequestDetails;
use crate::slack::inbound::{Interaction, InteractionKind, View};
use crate::slack::ui::{
    break_glass as alerts, break_glass_form, details, policy_form, preferences as wishes,
    read_value, reject, replies, request_form, review, stale,
};
use serde_json::Value;
use tracing::debug;

/// Buttons that open a modal.
const OPENS: [&str; 10] = [
    "details",
    "review",
    "new_request",
    alerts::REVIEW,
    wishes::CALLBACK,
    "policy_view",
    "policy_new",
    "policy_edit",
    "policy_bind",
    "policy_unbind",
];

pub(super) async fn handle(context: &Context, seen: &Interaction) -> Handled {
    match seen.kind {
        InteractionKind::BlockActions => clicked(context, seen).await,
        InteractionKind::ViewSubmission => match &seen.view {
            Some(view) => submitted(context, view).await,
            None => Ok(Reply::Nothing),
        },
        InteractionKind::BlockSuggestion => lists::options(context, seen).await,
        // closing a modal decides nothing
        InteractionKind::ViewClosed => Ok(Reply::Nothing),
        InteractionKind::Shortcut | InteractionKind::MessageAction => {
            let callback_id = seen.callback_id.as_deref().unwrap_or_default();
            debug!(callback_id, "shortcut ignored");
            Ok(Reply::Nothing)
        }
    }
}

async fn clicked(context: &Context, seen: &Interaction) -> Handled {
    let Some(action) = seen.action() else {
        return Ok(Reply::Nothing);
    };
    let value = action.value();
    match action.action_id.as_deref().unwrap_or_default() {
        "approve" => decisions::by_button(context, seen, DecisionKind::Approve, value).await,
        "reject" => decisions::reject_by_button(context, seen, value).await,
        "page_next" | "page_previous" => turn_page(context, seen, value).await,
        "start" => executions::start(context, value).await,
        "done" => executions::complete(context, value, Outcome::Succeeded).await,
        "failed" => executions::complete(context, value, Outcome::Failed).await,
        stale::CANCEL => cancel(context, value).await,
        alerts::REVOKE => break_glass::revoke_by_button(context, value).await,
        button if OPENS.contains(&button) => {
            let (opener, button, value) = (context.clone(), button.to_owned(), value.to_owned());
            let view = async move { modal_of(&opener, &button, &value).await };
            modals::open(context, &Opening::of_click(seen), Box::pin(view)).await
        }
        // the Home tab's own buttons, an input of a modal, or a button that is only a link
        other => Ok(home::turn(context, seen, other, value)),
    }
}

/// What a button opens.
async fn modal_of(context: &Context, button: &str, value: &str) -> Result<Value, Failure> {
    match button {
        "details" => decisions::details(context, value).await,
        "review" => first_page(context, value).await,
        "new_request" => requests::empty_form(context).await,
        alerts::REVIEW => break_glass::review_form(context, value).await,
        wishes::CALLBACK => preferences::form(context).await,
        about_policies => policies::modal_of(context, about_policies, value).await,
    }
}

/// A form was submitted: everything in it is checked again, whoever opened it (threat SL13).
async fn submitted(context: &Context, view: &View) -> Handled {
    let form = view.callback_id.as_deref().unwrap_or_default();
    match form {
        details::CALLBACK | reject::CALLBACK => decisions::by_form(context, form, view).await,
        request_form::CALLBACK => requests::submitted(context, view).await,
        policy_form::EDIT | policy_form::BIND | policy_form::UNBIND => {
            policies::submitted(context, form, view).await
        }
        alerts::REVIEW => break_glass::review_submitted(context, view).await,
        break_glass_form::START => break_glass::start_submitted(context, view).await,
        wishes::CALLBACK => preferences::submitted(context, view).await,
        _ => Ok(Reply::Nothing),
    }
}

/// Cancels a stale request; the use case checks who may.
async fn cancel(context: &Context, value: &str) -> Handled {
    let (request, _) = read_value(value).ok_or_else(replies::foreign_button)?;
    let caller = context.actor().await?.caller(Via::Button);
    let once = Some(context.once());
    let request = RequestRef::Id(request);
    let cancelled = context.app().cancel(&caller, &request, once).await?;
    Ok(Reply::Answer(replies::cancelled(&cancelled)))
}

async fn first_page(context: &Context, value: &str) -> Result<Value, Failure> {
    let (shown, digest) = request_of(context, value).await?;
    if shown.request.digest != digest {
        return Err(Refusal::DigestMismatch.into());
    }
    review::review(&shown, 1, &[]).ok_or_else(|| replies::kept_out().into())
}

/// Turns to the page that the button names; the pages opened so far travel with the modal and are only recorded.
async fn turn_page(context: &Context, seen: &Interaction, value: &str) -> Handled {
    let (value, page) = value.rsplit_once(' ').ok_or_else(replies::foreign_button)?;
    let page: u32 = page.parse().map_err(|_| replies::foreign_button())?;
    let view = modals::modal(seen).ok_or_else(replies::foreign_button)?;
    let (shown, _) = request_of(context, value).await?;
    let pages = review::pages_seen(view);
    let next = review::review(&shown, page, &pages).ok_or_else(replies::foreign_button)?;
    let view_id = view.id.as_deref().unwrap_or_default();
    let updated = context
        .slack()
        .update_view(view_id, view.hash.as_deref(), &next)
        .await;
    match updated {
        Ok(_) => Ok(Reply::Nothing),
        Err(error) => Err(modals::not_opened(&error)),
    }
}

/// The request that a button names, for people of the directory.
pub(super) async fn request_of(
    context: &Context,
    value: &str,
) -> Result<(RequestDetails, Digest), Failure> {
    let read: Option<(RequestId, Digest)> = read_value(value);
    let (request, digest) = read.ok_or_else(replies::foreign_button)?;
    context.actor().await?;
    let shown = context.app().show(&RequestRef::Id(request)).await?;
    Ok((shown, digest))
}
