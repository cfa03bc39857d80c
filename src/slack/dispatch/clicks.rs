//! Buttons and modals. What a button carries says which request, never who may decide on it.

use super::{Dispatcher, Told, failed, once};
use crate::app::{AppError, Click, Clicker, RequestRef};
use crate::domain::digest::Digest;
use crate::domain::id::{ChannelId, RequestId};
use crate::domain::people::SlackAccount;
use crate::domain::refusal::Refusal;
use crate::domain::shown::Shown;
use crate::domain::vote::{Door, Verdict};
use crate::slack::error::SlackError;
use crate::slack::inbound::{Delivery, Interaction, InteractionKind, View};
use crate::slack::installation::Installation;
use crate::slack::views::{Message, answer, details, read_value, review};
use serde_json::Value;
use tracing::{debug, warn};

impl Dispatcher {
    pub(super) async fn interaction(
        &self,
        home: &Installation,
        seen: Interaction,
        delivery: Delivery,
    ) -> Told {
        match seen.kind {
            InteractionKind::BlockActions => self.clicked(home, seen, delivery).await,
            InteractionKind::ViewSubmission => self.sent(home, seen, delivery).await,
            // closing a modal decides nothing
            InteractionKind::ViewClosed => Told::Nothing,
            InteractionKind::Shortcut | InteractionKind::MessageAction => {
                let callback_id = seen.callback_id.as_deref().unwrap_or_default();
                debug!(callback_id, "a shortcut that has no use here");
                Told::Nothing
            }
        }
    }

    async fn clicked(&self, home: &Installation, seen: Interaction, delivery: Delivery) -> Told {
        let Some(action) = seen.action() else {
            return Told::Nothing;
        };
        let action_id = action.action_id.as_deref().unwrap_or_default();
        let value = action.value.as_deref().unwrap_or_default();
        let verdict = match action_id {
            "approve" => Some(Verdict::Approve),
            "reject" => Some(Verdict::Reject),
            "details" | "review" | "page_next" | "page_previous" => None,
            // an input of a modal, or a button that is only a link
            _ => return Told::Nothing,
        };
        let account = match self.account(home, user_id(&seen)).await {
            Ok(account) => account,
            Err(told) => return told,
        };
        if let Some(verdict) = verdict {
            let Some((request, digest)) = read_value(value) else {
                return Told::Answer(answer::foreign_button());
            };
            let (modal, request_of_button) = (modal(&seen), request.clone());
            let click = Click {
                clicker: Clicker::Slack(account),
                request: RequestRef::Id(request),
                digest: Some(digest.to_string()),
                verdict,
                comment: None,
                pages_seen: modal.map(review::pages_seen).unwrap_or_default(),
                via: if modal.is_some() {
                    Door::Modal
                } else {
                    Door::Button
                },
                once: Some(once(delivery)),
            };
            let told = self.decide(click).await;
            if matches!(told, Told::Answer(_)) && modal.is_none() {
                self.retire_copy(&seen, request_of_button);
            }
            return told;
        }
        let looked = match action_id {
            "details" => self.open_details(&account, &seen, value).await,
            "review" => self.open_review(&account, &seen, value).await,
            _ => self.turn_page(&account, &seen, value).await,
        };
        looked.err().unwrap_or(Told::Nothing)
    }

    /// A modal was sent: everything in it is checked again, whoever opened it (threat SL13).
    async fn sent(&self, home: &Installation, seen: Interaction, delivery: Delivery) -> Told {
        let Some(view) = &seen.view else {
            return Told::Nothing;
        };
        if view.callback_id.as_deref() != Some(details::CALLBACK) {
            return Told::Nothing;
        }
        let metadata = view.private_metadata.as_deref().unwrap_or_default();
        let Some((request, digest)) = read_value(metadata) else {
            return Told::Answer(answer::foreign_button());
        };
        let verdict = match view.input(details::VERDICT, details::VERDICT) {
            Some("approve") => Verdict::Approve,
            Some("reject") => Verdict::Reject,
            _ => return Told::Field(details::VERDICT, "Choose one.".to_owned()),
        };
        let account = match self.account(home, user_id(&seen)).await {
            Ok(account) => account,
            Err(told) => return told,
        };
        let comment = view.input(details::COMMENT, details::COMMENT);
        let click = Click {
            clicker: Clicker::Slack(account),
            request: RequestRef::Id(request),
            digest: Some(digest.to_string()),
            verdict,
            comment: comment.map(str::to_owned),
            pages_seen: Vec::new(),
            via: Door::Modal,
            once: Some(once(delivery)),
        };
        self.decide(click).await
    }

    /// The one door to a decision.
    pub(super) async fn decide(&self, click: Click) -> Told {
        let (verdict, request) = (click.verdict, click.request.clone());
        match self.0.app.decide(click).await {
            Ok(decided) if decided.repeated => Told::Nothing,
            Ok(decided) => Told::Done(answer::decided(verdict, &decided)),
            Err(AppError::Refused(refusal)) => Told::Answer(self.why_not(&refusal, &request).await),
            Err(error) => failed(&error),
        }
    }

    /// A post whose outcome was unknown may have left an older copy of the card, which no worker keeps up to date. Somebody who is
    /// refused on one learns that it is one, and its buttons go (threats NO3, NO5).
    fn retire_copy(&self, seen: &Interaction, request: RequestId) {
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
        self.0.outlet.spawn(async move {
            let live = this.0.app.card_ts(&request, &channel).await;
            // the newest is the one that is kept up to date
            if !matches!(live, Ok(Some(live)) if clicked < live) {
                return;
            }
            let told = this.0.outlet.slack.replace(&url, &answer::old_copy()).await;
            if let Err(error) = told {
                warn!(%error, "an old copy of a card still stands");
            }
        });
    }

    /// A refusal with who can instead, as far as that can be read.
    async fn why_not(&self, refusal: &Refusal, request: &RequestRef) -> Message {
        let shown = match refusal {
            Refusal::NotEligible(_) => self.0.app.show(request).await.ok(),
            _ => None,
        };
        answer::refusal(refusal, shown.as_ref())
    }

    async fn open_details(
        &self,
        account: &SlackAccount,
        seen: &Interaction,
        value: &str,
    ) -> Result<(), Told> {
        let (shown, _) = self.look(account, value).await?;
        self.open(seen, &details::details(&shown)).await
    }

    async fn open_review(
        &self,
        account: &SlackAccount,
        seen: &Interaction,
        value: &str,
    ) -> Result<(), Told> {
        let (shown, digest) = self.look(account, value).await?;
        if shown.request.digest != digest {
            return Err(super::refused(&Refusal::DigestMismatch));
        }
        match review::review(&shown, 1, &[]) {
            Some(view) => self.open(seen, &view).await,
            None => Err(Told::Answer(answer::kept_out())),
        }
    }

    /// Turns to the page that the button names; the pages opened so far travel with the modal and are only recorded.
    async fn turn_page(
        &self,
        account: &SlackAccount,
        seen: &Interaction,
        value: &str,
    ) -> Result<(), Told> {
        let foreign = || Told::Answer(answer::foreign_button());
        let (value, page) = value.rsplit_once(' ').ok_or_else(foreign)?;
        let page: u32 = page.parse().map_err(|_| foreign())?;
        let view = modal(seen).ok_or_else(foreign)?;
        let (shown, _) = self.look(account, value).await?;
        let pages = review::pages_seen(view);
        let next = review::review(&shown, page, &pages).ok_or_else(foreign)?;
        let view_id = view.id.as_deref().unwrap_or_default();
        let updated = self
            .0
            .outlet
            .slack
            .update_view(view_id, view.hash.as_deref(), &next)
            .await;
        updated.map(|_| ()).map_err(|error| lost_view(&error))
    }

    /// The request of a button, for people of the directory.
    async fn look(&self, account: &SlackAccount, value: &str) -> Result<(Shown, Digest), Told> {
        let read: Option<(RequestId, Digest)> = read_value(value);
        let (request, digest) = read.ok_or_else(|| Told::Answer(answer::foreign_button()))?;
        self.person(account).await?;
        let shown = self.0.app.show(&RequestRef::Id(request)).await;
        Ok((shown.map_err(|error| failed(&error))?, digest))
    }

    /// Opens a modal, on top of the one that was clicked in.
    async fn open(&self, seen: &Interaction, view: &Value) -> Result<(), Told> {
        // a click within a workflow brings none
        let trigger_id = seen.trigger_id.as_deref().filter(|id| !id.is_empty());
        let Some(trigger_id) = trigger_id else {
            return Err(Told::Answer(answer::no_modal()));
        };
        let opened = if modal(seen).is_some() {
            self.0.outlet.slack.push_view(trigger_id, view).await
        } else {
            self.0.outlet.slack.open_view(trigger_id, view).await
        };
        opened.map(|_| ()).map_err(|error| lost_view(&error))
    }
}

fn lost_view(error: &SlackError) -> Told {
    warn!(%error, "a modal was not shown");
    Told::Answer(answer::no_modal())
}

fn user_id(seen: &Interaction) -> Option<&str> {
    seen.user.as_ref()?.id.as_deref()
}

/// The modal that was clicked in; the Home tab is a view too, but no modal.
fn modal(seen: &Interaction) -> Option<&View> {
    let view = seen.view.as_ref()?;
    (view.kind.as_deref() != Some("home")).then_some(view)
}
