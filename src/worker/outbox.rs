//! Messages that left with a commit are delivered: alerts first, then direct messages.

use super::Workers;
use super::cards::is_due;
use super::pause::next_try;
use crate::app::{AppError, RequestRef};
use crate::domain::break_glass::SessionAlert;
use crate::domain::id::{PersonId, SessionId};
use crate::domain::message::{Lane, Message};
use crate::domain::time::Span;
use crate::slack::error::SlackError;
use crate::slack::views;
use crate::store::{DueMessage, SessionPost};
use futures::future::join_all;

/// Messages that are delivered at once.
const AT_ONCE: i64 = 8;
/// Longer than opening a conversation and posting into it, or bringing a session's three alerts up to date, may take.
const LEASE: Span = Span::seconds(20);
/// A direct message nobody could deliver for so long is given up; alerts never are.
const GIVE_UP_AFTER: Span = Span::hours(48);

/// Why a message has not been delivered.
enum Undelivered {
    Slack(SlackError),
    Us(AppError),
}

impl From<SlackError> for Undelivered {
    fn from(error: SlackError) -> Self {
        Self::Slack(error)
    }
}

impl From<AppError> for Undelivered {
    fn from(error: AppError) -> Self {
        Self::Us(error)
    }
}

impl Workers {
    pub(super) async fn tick_messages(&self) -> Result<bool, AppError> {
        // alerts first, each time, and at no pace but Slack's own
        if self.deliver_some(Lane::Alert, AT_ONCE).await? > 0 {
            return Ok(true);
        }
        let allowed = self.messages.take(AT_ONCE, self.app.now());
        if allowed == 0 {
            return Ok(false);
        }
        let delivered = self.deliver_some(Lane::Direct, allowed).await?;
        self.messages.give_back(allowed - delivered);
        Ok(delivered > 0)
    }

    /// Delivers messages of a lane that are due, at most `limit`; says how many it took up.
    async fn deliver_some(&self, lane: Lane, limit: i64) -> Result<i64, AppError> {
        let now = self.app.now();
        let next = self.app.db().read().await?.next_message_due(lane).await?;
        if !is_due(next, now) {
            return Ok(0);
        }
        let due = self
            .app
            .db()
            .unit::<_, AppError>(async |tx| {
                Ok(tx.claim_messages(lane, now, now.plus(LEASE), limit).await?)
            })
            .await?;
        if lane == Lane::Alert {
            self.deliver_in_order(&due).await?;
        } else {
            for result in join_all(due.iter().map(|one| self.deliver_and_settle(one))).await {
                result?;
            }
        }
        Ok(i64::try_from(due.len()).unwrap_or(limit))
    }

    /// Alerts read in the order of what happened. While Slack does not answer, the others wait for the end of their lease.
    async fn deliver_in_order(&self, due: &[DueMessage]) -> Result<(), AppError> {
        let mut in_order: Vec<&DueMessage> = due.iter().collect();
        in_order.sort_by(|a, b| a.id.cmp(&b.id));
        for one in in_order {
            if !self.deliver_and_settle(one).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether it is worth trying others: it was delivered, or the fault is its own.
    async fn deliver_and_settle(&self, due: &DueMessage) -> Result<bool, AppError> {
        let delivered = match self.deliver(&due.message).await {
            Ok(post) => Ok(post),
            Err(Undelivered::Slack(error)) => Err(error),
            Err(Undelivered::Us(error)) => return Err(error), // the lease runs out, and it is tried again
        };
        let now = self.app.now();
        let administrators = self.administrators(due, delivered.as_ref().err()).await?;
        self.app
            .db()
            .unit(async |tx| {
                match &delivered {
                    Ok(post) => {
                        tx.delivered(due).await?;
                        if let Some(post) = post {
                            self.app.keep_session_post(tx, post, now).await?;
                        }
                    }
                    Err(error) => {
                        let old = due.made_at.plus(GIVE_UP_AFTER) <= now && due.message.lane() != Lane::Alert;
                        let next = (!old).then(|| next_try(error, due.failures, now));
                        tracing::warn!(message = %due.id, %error, given_up = old, "a message was not delivered");
                        tx.put_off_message(due, next, &error.to_string()).await?;
                        let told = due.message.unheard(&error.to_string(), &administrators);
                        self.app.tell(tx, told, now).await?;
                    }
                }
                Ok(delivered.as_ref().err().is_none_or(SlackError::is_final))
            })
            .await
    }

    /// Whom to tell that a channel refuses an alert: once, when it does so first.
    async fn administrators(
        &self,
        due: &DueMessage,
        error: Option<&SlackError>,
    ) -> Result<Vec<PersonId>, AppError> {
        if due.failures > 0 || !error.is_some_and(SlackError::is_final) {
            return Ok(Vec::new());
        }
        let rules = self.app.rules().await?;
        let administrators = rules.administrators();
        Ok(administrators
            .into_iter()
            .map(|one| one.id.clone())
            .collect())
    }

    /// Delivers; says where an alert of a break-glass session stands now.
    async fn deliver(&self, message: &Message) -> Result<Option<SessionPost>, Undelivered> {
        match message {
            Message::News { to, request } => {
                if let Some(account) = self.account(to).await? {
                    let shown = self.app.show(&RequestRef::Id(request.clone())).await?;
                    self.whisper(&account, &views::direct::news(&shown)).await?;
                }
            }
            Message::Alert { channel, text } => {
                let said = views::Message::plain(views::text::escape(text));
                self.slack
                    .post_message(channel.as_str(), &said, None)
                    .await?;
            }
            Message::Session { channel, alert } => {
                let said = self.session_alert(alert).await?;
                let posted = self
                    .slack
                    .post_message(channel.as_str(), &said, None)
                    .await?;
                return Ok(alert.event.part().map(|part| SessionPost {
                    part: part.to_owned(),
                    channel: channel.clone(),
                    ts: posted.ts,
                    alert: (**alert).clone(),
                }));
            }
            Message::SessionTold { to, alert } => {
                if let Some(account) = self.account(to).await? {
                    // nobody would take the buttons off a direct message
                    let said = views::break_glass::alert(alert, None, &[]);
                    self.whisper(&account, &said).await?;
                }
            }
            Message::SessionPosts { session } => self.refresh(session).await?,
            Message::Unheard {
                to,
                channel,
                why,
                alert,
            } => {
                if let Some(account) = self.account(to).await? {
                    let said = match &**alert {
                        Message::Session { alert, .. } => self.session_alert(alert).await?,
                        Message::Alert { text, .. } => {
                            views::Message::plain(views::text::escape(text))
                        }
                        Message::News { .. }
                        | Message::SessionTold { .. }
                        | Message::SessionPosts { .. }
                        | Message::Unheard { .. } => return Ok(None), // none of these is an alert
                    };
                    let told = views::break_glass::unheard(channel.as_str(), why, &said);
                    self.whisper(&account, &told).await?;
                }
            }
        }
        Ok(None)
    }

    async fn whisper(&self, account: &str, said: &views::Message) -> Result<(), Undelivered> {
        let channel = self.slack.open_dm(account).await?;
        self.slack.post_message(&channel, said, None).await?;
        Ok(())
    }

    /// An alert with the buttons that are of use as its session stands now.
    async fn session_alert(&self, alert: &SessionAlert) -> Result<views::Message, AppError> {
        let status = self
            .app
            .session(&alert.session)
            .await?
            .session
            .state
            .status();
        let mut mentions = Vec::new();
        for person in &alert.mentioned {
            mentions.extend(self.account(person).await?);
        }
        Ok(views::break_glass::alert(alert, Some(status), &mentions))
    }

    /// Brings what was posted of a session up to date; a message that is gone needs nothing.
    async fn refresh(&self, session: &SessionId) -> Result<(), Undelivered> {
        for post in self.app.session_posts(session).await? {
            let said = self.session_alert(&post.alert).await?;
            let channel = post.channel.as_str();
            match self.slack.update_message(channel, &post.ts, &said).await {
                Ok(_) => {}
                Err(error) if error.is_final() => {
                    tracing::info!(%session, %error, "an old alert keeps its button");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The Slack user that a person is told by.
    async fn account(&self, person: &PersonId) -> Result<Option<String>, AppError> {
        let rules = self.app.rules().await?;
        let person = rules.directory().person(person);
        Ok(person
            .and_then(|person| person.slack.first())
            .map(|identity| identity.user_id.clone()))
    }
}
