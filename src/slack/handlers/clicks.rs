//! Buttons and menus. What a button carries says which request, never who may decide on it.

use super::modals::{self, Opening};
use super::{Dispatcher, Reply, failed};
use crate::app::RequestRef;
use crate::domain::decision::DecisionKind;
use crate::domain::digest::Digest;
use crate::domain::id::RequestId;
use crate::domain::people::SlackAccount;
use crate::domain::refusal::Refusal;
use crate::domain::request::Outcome;
use crate::domain::request_details::RequestDetails;
use crate::slack::inbound::installation::Installation;
use crate::slack::inbound::{Delivery, Interaction, InteractionKind};
use crate::slack::ui::{break_glass, read_value, replies, review};
use serde_json::Value;
use tracing::debug;

/// Buttons that open a modal.
const OPENS: [&str; 9] = [
    "details",
    "review",
    "new_request",
    break_glass::REVIEW,
    "policy_view",
    "policy_new",
    "policy_edit",
    "policy_bind",
    "policy_unbind",
];

impl Dispatcher {
    pub(super) async fn interaction(
        &self,
        home: &Installation,
        seen: Interaction,
        delivery: Delivery,
    ) -> Reply {
        match seen.kind {
            InteractionKind::BlockActions => self.clicked(home, seen, delivery).await,
            InteractionKind::ViewSubmission => self.sent(home, seen, delivery).await,
            InteractionKind::BlockSuggestion => self.listed(home, &seen).await,
            // closing a modal decides nothing
            InteractionKind::ViewClosed => Reply::Nothing,
            InteractionKind::Shortcut | InteractionKind::MessageAction => {
                let callback_id = seen.callback_id.as_deref().unwrap_or_default();
                debug!(callback_id, "shortcut ignored");
                Reply::Nothing
            }
        }
    }

    async fn clicked(&self, home: &Installation, seen: Interaction, delivery: Delivery) -> Reply {
        let Some(action) = seen.action() else {
            return Reply::Nothing;
        };
        let action_id = action.action_id.clone().unwrap_or_default();
        let value = action.value().to_owned();
        let looks_up = self.clone();
        let (installation, user) = (home.clone(), user_id(&seen).map(str::to_owned));
        // looked up where it is needed, so that a modal need not wait for it
        let account = async move { looks_up.account(&installation, user.as_deref()).await };
        match action_id.as_str() {
            "approve" => match account.await {
                Ok(account) => {
                    self.voted(account, &seen, DecisionKind::Approve, &value, delivery)
                        .await
                }
                Err(reply) => reply,
            },
            "reject" => match account.await {
                Ok(account) => self.rejected(account, &seen, &value, delivery).await,
                Err(reply) => reply,
            },
            "page_next" | "page_previous" => {
                let turned = async { self.turn_page(&account.await?, &seen, &value).await };
                turned.await.err().unwrap_or(Reply::Nothing)
            }
            "start" => self.start(account.await, &value, delivery).await,
            "done" => {
                self.completed(account.await, &value, Outcome::Succeeded, delivery)
                    .await
            }
            "failed" => {
                self.completed(account.await, &value, Outcome::Failed, delivery)
                    .await
            }
            break_glass::REVOKE => self.pressed_revoke(account.await, &value, delivery).await,
            pressed if OPENS.contains(&pressed) => {
                let (this, pressed) = (self.clone(), pressed.to_owned());
                let content = async move { this.page(&account.await?, &pressed, &value).await };
                self.open(&Opening::of_click(&seen), Box::pin(content))
                    .await
            }
            // a look at Home, an input of a modal, or a button that is only a link
            other => self.turn_home(&seen, other, &value),
        }
    }

    /// What a button opens.
    async fn page(
        &self,
        account: &SlackAccount,
        pressed: &str,
        value: &str,
    ) -> Result<Value, Reply> {
        match pressed {
            "details" => self.details(account, value).await,
            "review" => self.first_page(account, value).await,
            "new_request" => self.empty_form(account).await,
            break_glass::REVIEW => self.session_review_form(account, value).await,
            policies => self.policy_page(account, policies, value).await,
        }
    }

    async fn first_page(&self, account: &SlackAccount, value: &str) -> Result<Value, Reply> {
        let (shown, digest) = self.look(account, value).await?;
        if shown.request.digest != digest {
            return Err(super::refused(&Refusal::DigestMismatch));
        }
        review::review(&shown, 1, &[]).ok_or_else(|| Reply::Answer(replies::kept_out()))
    }

    /// Turns to the page that the button names; the pages opened so far travel with the modal and are only recorded.
    async fn turn_page(
        &self,
        account: &SlackAccount,
        seen: &Interaction,
        value: &str,
    ) -> Result<(), Reply> {
        let foreign = || Reply::Answer(replies::foreign_button());
        let (value, page) = value.rsplit_once(' ').ok_or_else(foreign)?;
        let page: u32 = page.parse().map_err(|_| foreign())?;
        let view = modals::modal(seen).ok_or_else(foreign)?;
        let (shown, _) = self.look(account, value).await?;
        let pages = review::pages_seen(view);
        let next = review::review(&shown, page, &pages).ok_or_else(foreign)?;
        let view_id = view.id.as_deref().unwrap_or_default();
        let slack = &self.0.reply_sender.slack;
        let updated = slack
            .update_view(view_id, view.hash.as_deref(), &next)
            .await;
        updated
            .map(|_| ())
            .map_err(|error| modals::lost_view(&error))
    }

    /// The request of a button, for people of the directory.
    pub(super) async fn look(
        &self,
        account: &SlackAccount,
        value: &str,
    ) -> Result<(RequestDetails, Digest), Reply> {
        let read: Option<(RequestId, Digest)> = read_value(value);
        let (request, digest) = read.ok_or_else(|| Reply::Answer(replies::foreign_button()))?;
        self.person(account).await?;
        let shown = self.0.app.show(&RequestRef::Id(request)).await;
        Ok((shown.map_err(|error| failed(&error))?, digest))
    }
}

pub(super) fn user_id(seen: &Interaction) -> Option<&str> {
    seen.user.as_ref()?.id.as_deref()
}
