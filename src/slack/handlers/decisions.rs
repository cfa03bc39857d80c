//! Decisions: every button, command and form leads to the same use case, which checks everything again.

use super::clicks::user_id;
use super::modals::{self, Opening};
use super::{Dispatcher, Reply, failed, once};
use crate::app::{AppError, ApproverIdentity, DecisionInput, RequestRef};
use crate::domain::decision::{DecisionKind, Via};
use crate::domain::id::{ChannelId, RequestId};
use crate::domain::people::{Person, SlackAccount};
use crate::domain::refusal::Refusal;
use crate::domain::request_details::RequestDetails;
use crate::domain::text;
use crate::slack::inbound::installation::Installation;
use crate::slack::inbound::{Delivery, Interaction, View};
use crate::slack::ui::{
    Message, break_glass, break_glass_form, details, policy_form, read_value, reject, replies,
    request_form, review,
};
use serde_json::Value;
use tracing::warn;

impl Dispatcher {
    /// A modal was sent: everything in it is checked again, whoever opened it (threat SL13).
    pub(super) async fn sent(
        &self,
        home: &Installation,
        seen: Interaction,
        delivery: Delivery,
    ) -> Reply {
        let Some(view) = &seen.view else {
            return Reply::Nothing;
        };
        let form = view.callback_id.as_deref().unwrap_or_default();
        let forms = [
            details::CALLBACK,
            reject::CALLBACK,
            request_form::CALLBACK,
            policy_form::EDIT,
            policy_form::BIND,
            policy_form::UNBIND,
            break_glass::REVIEW,
            break_glass_form::START,
        ];
        if !forms.contains(&form) {
            return Reply::Nothing;
        }
        let account = match self.account(home, user_id(&seen)).await {
            Ok(account) => account,
            Err(reply) => return reply,
        };
        match form {
            break_glass::REVIEW => self.sent_review(&account, view, delivery).await,
            break_glass_form::START => self.sent_start(&account, view, delivery).await,
            request_form::CALLBACK => self.asked(&account, view, delivery).await,
            policy_form::EDIT | policy_form::BIND | policy_form::UNBIND => {
                self.policy_changed(&account, form, view).await
            }
            form => match said(form, view) {
                Ok((verdict, comment)) => {
                    let metadata = view.private_metadata.as_deref().unwrap_or_default();
                    let Some((request, digest)) = read_value(metadata) else {
                        return Reply::Answer(replies::foreign_button());
                    };
                    self.decide(DecisionInput {
                        identity: ApproverIdentity::Slack(account),
                        request: RequestRef::Id(request),
                        digest: Some(digest.to_string()),
                        verdict,
                        comment,
                        pages_seen: Vec::new(),
                        via: Via::Modal,
                        once: Some(once(delivery)),
                    })
                    .await
                }
                Err(wrong) => Reply::Fields(wrong),
            },
        }
    }

    /// A verdict by a button.
    pub(super) async fn voted(
        &self,
        account: SlackAccount,
        seen: &Interaction,
        verdict: DecisionKind,
        value: &str,
        delivery: Delivery,
    ) -> Reply {
        let Some((request, digest)) = read_value(value) else {
            return Reply::Answer(replies::foreign_button());
        };
        let modal = modals::modal(seen);
        let click = DecisionInput {
            identity: ApproverIdentity::Slack(account),
            request: RequestRef::Id(request.clone()),
            digest: Some(digest.to_string()),
            verdict,
            comment: None,
            pages_seen: modal.map(review::pages_seen).unwrap_or_default(),
            via: if modal.is_some() {
                Via::Modal
            } else {
                Via::Button
            },
            once: Some(once(delivery)),
        };
        let reply = self.decide(click).await;
        if matches!(reply, Reply::Answer(_)) && modal.is_none() {
            self.retire_copy(seen, request);
        }
        reply
    }

    /// Reject asks why. What would be refused is not asked: it goes to the use case at once, which refuses and records it.
    pub(super) async fn rejected(
        &self,
        account: SlackAccount,
        seen: &Interaction,
        value: &str,
        delivery: Delivery,
    ) -> Reply {
        if let Ok(form) = self.reject_form(&account, value).await {
            let opening = Opening::of_click(seen);
            return match self.open_now(&opening, &form).await {
                Ok(_) => Reply::Nothing,
                Err(error) => modals::lost_view(&error),
            };
        }
        self.voted(account, seen, DecisionKind::Reject, value, delivery)
            .await
    }

    /// The form that asks why, where this account could reject now.
    async fn reject_form(&self, account: &SlackAccount, value: &str) -> Result<Value, Reply> {
        let (shown, digest) = self.look(account, value).await?;
        let person = self.person(account).await?;
        if shown.request.digest == digest && self.takes_decision_of(&person, &shown).await? {
            Ok(reject::form(&shown))
        } else {
            Err(Reply::Nothing)
        }
    }

    /// The same for a command, which names a request and no digest.
    pub(super) async fn reject_form_of(
        &self,
        account: &SlackAccount,
        request: &RequestRef,
    ) -> Option<Value> {
        let person = self.person(account).await.ok()?;
        let shown = self.0.app.show(request).await.ok()?;
        let takes = self.takes_decision_of(&person, &shown).await.ok()?;
        takes.then(|| reject::form(&shown))
    }

    /// Whether a decision of this person would be taken now.
    async fn takes_decision_of(
        &self,
        person: &Person,
        shown: &RequestDetails,
    ) -> Result<bool, Reply> {
        let config = self
            .0
            .app
            .compiled_config()
            .await
            .map_err(|error| failed(&error))?;
        Ok(shown.takes_decision_of(&person.id, config.directory()))
    }

    /// All of a request; whoever could decide on it can do so there.
    pub(super) async fn details(
        &self,
        account: &SlackAccount,
        value: &str,
    ) -> Result<Value, Reply> {
        let (shown, _) = self.look(account, value).await?;
        let person = self.person(account).await?;
        let takes = self.takes_decision_of(&person, &shown).await?;
        Ok(details::details(&shown, takes))
    }

    /// The only path to a decision.
    pub(super) async fn decide(&self, click: DecisionInput) -> Reply {
        let (verdict, request) = (click.verdict, click.request.clone());
        match self.0.app.decide(click).await {
            Ok(decided) if decided.repeated => Reply::Nothing,
            Ok(decided) => Reply::Done(replies::decided(verdict, &decided)),
            Err(AppError::Refused(refusal)) => {
                Reply::Answer(self.why_not(&refusal, &request).await)
            }
            Err(error) => failed(&error),
        }
    }

    /// A post whose outcome was unknown may have left an older copy of the card, which no worker keeps up to date. Somebody who is
    /// refused on one learns that it is one, and its buttons go (threats NO3, NO5).
    pub(super) fn retire_copy(&self, seen: &Interaction, request: RequestId) {
        let container = seen.container.as_ref();
        let passing = container.and_then(|c| c.is_ephemeral).unwrap_or(false);
        let clicked = container.and_then(|c| c.message_ts.clone());
        let (false, Some(clicked), Some(channel), Some(url)) = (
            passing,
            clicked,
            seen.channel_id().map(ChannelId::from),
            seen.response_url.clone(),
        ) else {
            return;
        };
        let this = self.clone();
        self.0.reply_sender.spawn(async move {
            let live = this.0.app.card_ts(&request, &channel).await;
            // the newest is the one that is kept up to date
            if !matches!(live, Ok(Some(live)) if clicked < live) {
                return;
            }
            let reply = this
                .0
                .reply_sender
                .slack
                .replace(&url, &replies::old_copy())
                .await;
            if let Err(error) = reply {
                warn!(%error, "old copy of a card not replaced");
            }
        });
    }

    /// A refusal with who can instead, as far as that can be read.
    async fn why_not(&self, refusal: &Refusal, request: &RequestRef) -> Message {
        let shown = match refusal {
            Refusal::NotEligible(_) => self.0.app.show(request).await.ok(),
            _ => None,
        };
        replies::refusal(refusal, shown.as_ref())
    }
}

/// What is wrong with a form: the field, and what is told beside it.
type Wrong = Vec<(&'static str, String)>;

/// What a form that decides says, or what is wrong with it.
fn said(form: &str, view: &View) -> Result<(DecisionKind, Option<String>), Wrong> {
    if form == reject::CALLBACK {
        return match kept(view, reject::REASON)? {
            Some(reason) => Ok((DecisionKind::Reject, Some(reason))),
            None => Err(vec![(reject::REASON, SAY_WHY.to_owned())]),
        };
    }
    let comment = kept(view, details::COMMENT)?;
    match view.field(details::VERDICT).as_deref() {
        Some("approve") => Ok((DecisionKind::Approve, comment)),
        Some("reject") if comment.is_some() => Ok((DecisionKind::Reject, comment)),
        Some("reject") => Err(vec![(details::COMMENT, SAY_WHY.to_owned())]),
        _ => Err(vec![(details::VERDICT, "Choose one.".to_owned())]),
    }
}

/// What was typed, as it is kept; what is wrong with it is told beside the input.
fn kept(view: &View, input: &'static str) -> Result<Option<String>, Wrong> {
    let typed = view.field(input).unwrap_or_default();
    text::prose(&typed).map_err(|fault| vec![(input, format!("This text {fault}."))])
}

/// Whoever asked is told the reason, and should be able to do something with it.
const SAY_WHY: &str = "Say why: whoever asked reads it.";
