//! Alerts of break-glass sessions: posted with the buttons that are of use, which go when they are not.

use super::Workers;
use super::undelivered::Undelivered;
use crate::app::AppError;
use crate::domain::break_glass::SessionAlert;
use crate::domain::id::{ChannelId, SessionId};
use crate::domain::message::Message;
use crate::slack::api::channels::Audience;
use crate::slack::api::error::SlackError;
use crate::slack::ui;
use crate::store::SessionPost;

impl Workers {
    /// Posts an alert; says where it stands, if it asks people for something.
    pub(super) async fn post_session_alert(
        &self,
        channel: &ChannelId,
        alert: &SessionAlert,
    ) -> Result<Option<SessionPost>, Undelivered> {
        let audience = self.audience(channel).await?;
        let said = self.session_alert(alert, audience).await?;
        let posted = self
            .slack
            .post_message(channel.as_str(), &said, None)
            .await?;
        Ok(alert.event.part().map(|part| SessionPost {
            part: part.to_owned(),
            channel: channel.clone(),
            ts: posted.ts,
            alert: alert.clone(),
        }))
    }

    /// Who reads a channel. As long as that is not known, nothing is posted there.
    pub(super) async fn audience(&self, channel: &ChannelId) -> Result<Audience, SlackError> {
        let audience = self
            .slack
            .audience(channel.as_str(), self.app.now())
            .await?;
        if audience == Audience::Shared {
            tracing::warn!(%channel, "alerts are posted without their content: the channel is, or may be, shared with another organization");
        }
        Ok(audience)
    }

    /// What an alert says to people of our own; nothing of any other message.
    pub(super) async fn alert_message(&self, alert: &Message) -> Result<ui::Message, AppError> {
        match alert {
            Message::Session { alert, .. } => self.session_alert(alert, Audience::Own).await,
            Message::Alert { text, .. } => Ok(ui::Message::plain(ui::text::escape(text))),
            Message::News { .. }
            | Message::Thread { .. }
            | Message::Reminder { .. }
            | Message::Escalation { .. }
            | Message::Escalated { .. }
            | Message::ExpiryWarning { .. }
            | Message::Digest { .. }
            | Message::SessionTold { .. }
            | Message::SessionPosts { .. }
            | Message::Undeliverable { .. }
            | Message::Webhook { .. }
            | Message::Email { .. } => Ok(ui::Message::plain("")),
        }
    }

    /// An alert with the buttons that are of use as its session stands now.
    async fn session_alert(
        &self,
        alert: &SessionAlert,
        audience: Audience,
    ) -> Result<ui::Message, AppError> {
        let status = match self.app.session(&alert.session).await {
            Ok(shown) => Some(shown.session.state.status()),
            // what happened must be heard, although nobody knows which buttons are of use
            Err(AppError::Internal(error)) => {
                tracing::error!(session = %alert.session, error, "session unreadable, alert without buttons");
                None
            }
            Err(error) => return Err(error),
        };
        let mut mentions = Vec::new();
        for person in &alert.mentioned {
            mentions.extend(self.account(person).await?);
        }
        Ok(ui::break_glass::alert_for(
            alert, audience, status, &mentions,
        ))
    }

    /// Brings what was posted of a session up to date; a message that is gone needs nothing.
    pub(super) async fn refresh_session(&self, session: &SessionId) -> Result<(), Undelivered> {
        for post in self.app.session_posts(session).await? {
            let audience = self.audience(&post.channel).await?;
            let said = self.session_alert(&post.alert, audience).await?;
            let channel = post.channel.as_str();
            match self.slack.update_message(channel, &post.ts, &said).await {
                Ok(_) => {}
                Err(error) if SlackError::is_final(&error) => {
                    tracing::info!(%session, %error, "an old alert keeps its button");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
