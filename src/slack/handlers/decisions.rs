//! Decisions: every button, command and form leads to the same use case, which checks everything again.

use super::clicks::request_of;
use super::context::Context;
use super::modals::{self, Opening};
use super::reply::{Failure, FieldErrors, Handled, Reply};
use crate::app::{AppError, ApproverIdentity, DecisionInput, RequestRef};
use crate::domain::decision::{DecisionKind, Via};
use crate::domain::id::ChannelId;
use crate::domain::refusal::Refusal;
use crate::domain::request_details::RequestDetails;
use crate::domain::text;
use crate::slack::inbound::{Interaction, View};
use crate::slack::ui::{details, read_value, reject, replies, review};
use serde_json::Value;
use tracing::warn;

/// A decision by a button, on a card or in a modal.
pub(super) async fn by_button(
    context: &Context,
    seen: &Interaction,
    kind: DecisionKind,
    value: &str,
) -> Handled {
    let (request, digest) = read_value(value).ok_or_else(replies::foreign_button)?;
    let modal = modals::modal(seen);
    let decision = DecisionInput {
        identity: ApproverIdentity::Slack(context.account().await?),
        request: RequestRef::Id(request),
        digest: Some(digest.into()),
        verdict: kind,
        comment: None,
        pages_seen: modal.map(review::pages_seen).unwrap_or_default(),
        via: if modal.is_some() {
            Via::Modal
        } else {
            Via::Button
        },
        authentication: None,
        once: Some(context.once()),
    };
    let request = decision.request.clone();
    let reply = decide(context, decision).await?;
    if matches!(reply, Reply::Answer(_)) && modal.is_none() {
        retire_copy(context, seen, request);
    }
    Ok(reply)
}

/// Reject asks why. What would be refused is not asked: it goes to the use case at once, which refuses and records it.
pub(super) async fn reject_by_button(
    context: &Context,
    seen: &Interaction,
    value: &str,
) -> Handled {
    context.account().await?;
    match reject_form(context, value).await {
        Ok(Some(form)) => modals::open_now(context, &Opening::of_click(seen), &form).await,
        Ok(None) | Err(_) => by_button(context, seen, DecisionKind::Reject, value).await,
    }
}

/// The form that asks why, where the person could reject now.
async fn reject_form(context: &Context, value: &str) -> Result<Option<Value>, Failure> {
    let (shown, digest) = request_of(context, value).await?;
    let may_decide = may_decide(context, &shown).await?;
    Ok((shown.request.digest == digest && may_decide).then(|| reject::form(&shown)))
}

/// A decision by command, which names a request and no digest. Rejecting without a comment asks for one, where the person could reject.
pub(super) async fn by_command(
    context: &Context,
    opening: &Opening,
    request: RequestRef,
    kind: DecisionKind,
    comment: Option<String>,
) -> Handled {
    if kind == DecisionKind::Reject
        && comment.is_none()
        && let Ok(shown) = context.app().show(&request).await
        && let Ok(true) = may_decide(context, &shown).await
    {
        return modals::open_now(context, opening, &reject::form(&shown)).await;
    }
    let decision = DecisionInput {
        identity: ApproverIdentity::Slack(context.account().await?),
        request,
        digest: None,
        verdict: kind,
        comment,
        pages_seen: Vec::new(),
        via: Via::Command,
        authentication: None,
        once: Some(context.once()),
    };
    decide(context, decision).await
}

/// A decision by the form of Details or Reject.
pub(super) async fn by_form(context: &Context, form: &str, view: &View) -> Handled {
    let account = context.account().await?;
    let (kind, comment) = read(form, view).map_err(Failure::Fields)?;
    let metadata = view.private_metadata.as_deref().unwrap_or_default();
    let (request, digest) = read_value(metadata).ok_or_else(replies::foreign_button)?;
    let decision = DecisionInput {
        identity: ApproverIdentity::Slack(account),
        request: RequestRef::Id(request),
        digest: Some(digest.into()),
        verdict: kind,
        comment,
        pages_seen: Vec::new(),
        via: Via::Modal,
        authentication: None,
        once: Some(context.once()),
    };
    decide(context, decision).await
}

/// All of a request; whoever could decide on it can do so there.
pub(super) async fn details(context: &Context, value: &str) -> Result<Value, Failure> {
    let (shown, _) = request_of(context, value).await?;
    let may_decide = may_decide(context, &shown).await?;
    Ok(details::details(&shown, may_decide))
}

/// Whether a decision of the person who acts would be accepted now.
async fn may_decide(context: &Context, shown: &RequestDetails) -> Result<bool, Failure> {
    let actor = context.actor().await?;
    Ok(shown.takes_decision_of(&actor.person.id, actor.config.directory()))
}

/// The only path to a decision.
async fn decide(context: &Context, decision: DecisionInput) -> Handled {
    let (kind, request) = (decision.verdict, decision.request.clone());
    match context.app().decide(decision).await {
        Ok(outcome) if outcome.repeated => Ok(Reply::Nothing),
        Ok(outcome) => Ok(Reply::Done(replies::decided(kind, &outcome))),
        // names those who can decide instead, as far as they can be read
        Err(AppError::Refused(refusal @ Refusal::NotEligible(_))) => {
            let shown = context.app().show(&request).await.ok();
            Ok(Reply::Answer(replies::refusal(&refusal, shown.as_ref())))
        }
        Err(error) => Ok(error.into()),
    }
}

/// A post whose outcome was unknown may have left an older copy of the card, which no worker keeps up to date. Somebody who is
/// refused on one learns that it is one, and its buttons go (threats NO3, NO5).
fn retire_copy(context: &Context, seen: &Interaction, request: RequestRef) {
    let container = seen.container.as_ref();
    let is_ephemeral = container.and_then(|c| c.is_ephemeral).unwrap_or(false);
    let clicked = container.and_then(|c| c.message_ts.clone());
    let (false, RequestRef::Id(request), Some(clicked), Some(channel), Some(url)) = (
        is_ephemeral,
        request,
        clicked,
        seen.channel_id().map(ChannelId::from),
        seen.response_url.clone(),
    ) else {
        return;
    };
    let retirer = context.clone();
    context.spawn(async move {
        let live = retirer.app().card_ts(&request, &channel).await;
        // the newest is the one that is kept up to date
        if !matches!(live, Ok(Some(live)) if clicked < live) {
            return;
        }
        let replaced = retirer.slack().replace(&url, &replies::old_copy()).await;
        if let Err(error) = replaced {
            warn!(%error, "old copy of a card not replaced");
        }
    });
}

/// The decision in a submitted form, or what is wrong with the form.
fn read(form: &str, view: &View) -> Result<(DecisionKind, Option<String>), FieldErrors> {
    if form == reject::CALLBACK {
        return match typed(view, reject::REASON)? {
            Some(reason) => Ok((DecisionKind::Reject, Some(reason))),
            None => Err(vec![(reject::REASON, SAY_WHY.to_owned())]),
        };
    }
    let comment = typed(view, details::COMMENT)?;
    match view.field(details::VERDICT).as_deref() {
        Some("approve") => Ok((DecisionKind::Approve, comment)),
        Some("reject") if comment.is_some() => Ok((DecisionKind::Reject, comment)),
        Some("reject") => Err(vec![(details::COMMENT, SAY_WHY.to_owned())]),
        _ => Err(vec![(details::VERDICT, "Choose one.".to_owned())]),
    }
}

/// A typed text in the form in which it is stored, or the error to show beside its input.
fn typed(view: &View, input: &'static str) -> Result<Option<String>, FieldErrors> {
    let typed = view.field(input).unwrap_or_default();
    text::prose(&typed).map_err(|fault| vec![(input, format!("This text {fault}."))])
}

/// The requester is told the reason, and should be able to act on it.
const SAY_WHY: &str = "Say why: the requester reads it.";
