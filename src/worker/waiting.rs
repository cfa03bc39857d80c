//! Messages about requests that wait. Each is checked again when it is sent: nobody is told of what has ended meanwhile.

use super::Workers;
use super::undelivered::Undelivered;
use crate::app::{AppError, WaitingDetails};
use crate::domain::id::{ChannelId, PersonId, PolicyId, RequestId};
use crate::domain::message::Message;
use crate::domain::preferences::{Delivery, Importance};
use crate::domain::request::Status;
use crate::slack::api::channels::Audience;
use crate::slack::ui;

impl Workers {
    pub(super) async fn deliver_reminder(
        &self,
        to: &PersonId,
        instead_of: Option<&PersonId>,
        request: &RequestId,
        number: u32,
    ) -> Result<(), Undelivered> {
        let waiting = self.waits_for(to, instead_of, request, number).await?;
        if let (Some(waiting), Some(account)) = (waiting, self.account(to).await?) {
            let said = ui::waiting::reminder(&waiting, instead_of);
            self.whisper(&account, &said).await?;
        }
        Ok(())
    }

    /// The request, if it still waits for somebody and this is their latest reminder of it.
    pub(super) async fn waits_for(
        &self,
        to: &PersonId,
        instead_of: Option<&PersonId>,
        request: &RequestId,
        number: u32,
    ) -> Result<Option<WaitingDetails>, AppError> {
        let Some(waiting) = self.app.waiting(request).await? else {
            return Ok(None);
        };
        let config = self.app.compiled_config().await?;
        let asked = instead_of.unwrap_or(to);
        // a later reminder takes its place, and somebody else may have decided meanwhile
        let is_latest = waiting.done.reminders == number;
        let waits = is_latest && waiting.shown.waits_for(asked, config.directory());
        Ok(waits.then_some(waiting))
    }

    pub(super) async fn deliver_escalation(
        &self,
        channel: &ChannelId,
        request: &RequestId,
        policy: &PolicyId,
    ) -> Result<(), Undelivered> {
        if let Some(said) = self.escalation(request, policy).await? {
            let channel = channel.as_str();
            self.slack.post_message(channel, &said, None).await?;
        }
        Ok(())
    }

    pub(super) async fn deliver_escalated(
        &self,
        to: &PersonId,
        request: &RequestId,
        policy: &PolicyId,
    ) -> Result<(), Undelivered> {
        let account = self.account(to).await?;
        let said = self.escalation(request, policy).await?;
        if let (Some(account), Some(said)) = (account, said) {
            self.whisper(&account, &said).await?;
        }
        Ok(())
    }

    async fn escalation(
        &self,
        request: &RequestId,
        policy: &PolicyId,
    ) -> Result<Option<ui::Message>, AppError> {
        let waiting = self.app.waiting(request).await?;
        Ok(waiting.and_then(|waiting| ui::waiting::escalation(&waiting, policy)))
    }

    pub(super) async fn deliver_expiry_warning(
        &self,
        to: &PersonId,
        request: &RequestId,
    ) -> Result<(), Undelivered> {
        let account = self.account(to).await?;
        let waiting = self.app.waiting(request).await?;
        if let (Some(account), Some(waiting)) = (account, waiting) {
            let said = ui::waiting::expiry_warning(&waiting.shown);
            self.whisper(&account, &said).await?;
        }
        Ok(())
    }

    pub(super) async fn deliver_digest(&self, channel: &ChannelId) -> Result<(), Undelivered> {
        if self.audience(channel).await? == Audience::Shared {
            return Ok(()); // it is not for another organization
        }
        let report = self.app.stale_report().await?;
        // a press checks who may
        let said = ui::stale::report(&report, |_| true);
        let channel = channel.as_str();
        self.slack.post_message(channel, &said, None).await?;
        Ok(())
    }

    /// When a direct message or an e-mail reaches its recipient, by their preferences.
    pub(super) async fn delivery_of(&self, message: &Message) -> Result<Delivery, AppError> {
        let Some(to) = message.to() else {
            return Ok(Delivery::Now);
        };
        let mut importance = message.importance();
        if importance == Importance::Alert {
            return Ok(Delivery::Now);
        }
        let (preferences, quiet) = self.app.preferences(to).await?;
        if preferences == crate::domain::preferences::Preferences::default() && quiet.is_none() {
            return Ok(Delivery::Now);
        }
        if let Message::News { request, .. } = message.content() {
            importance = self.importance_of_news(request).await?;
        }
        let asks_slack = preferences.quiet_hours(quiet).is_some() && preferences.timezone.is_none();
        let zone = if asks_slack {
            self.time_zone(to).await?
        } else {
            None
        };
        let now = self.app.now();
        Ok(preferences.delivery(importance, quiet, zone.as_deref(), now))
    }

    /// Whoever can execute what was approved, or must wait again, is needed; an end is information.
    async fn importance_of_news(&self, request: &RequestId) -> Result<Importance, AppError> {
        let request = crate::app::RequestRef::Id(request.clone());
        let shown = self.app.show(&request).await?;
        Ok(match shown.request.state.status() {
            Status::Allowed | Status::Bypassed | Status::Approved | Status::Pending => {
                Importance::Needed
            }
            Status::Executed
            | Status::Rejected
            | Status::Cancelled
            | Status::Expired
            | Status::Completed => Importance::Informed,
        })
    }

    /// The time zone of a Slack profile; none if Slack does not say.
    async fn time_zone(&self, person: &PersonId) -> Result<Option<String>, AppError> {
        let Some(account) = self.account(person).await? else {
            return Ok(None);
        };
        match self.slack.time_zone(&account, self.app.now()).await {
            Ok(zone) => Ok(zone),
            Err(error) => {
                tracing::warn!(%person, %error, "time zone unknown, quiet hours counted in UTC");
                Ok(None)
            }
        }
    }
}
