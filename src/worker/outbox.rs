//! Messages that left with a commit are delivered: alerts first, then direct messages.

use super::Workers;
use super::cards::{hash_of, is_due};
use super::pause::next_try;
use crate::app::{AppError, RequestRef};
use crate::domain::id::{ChannelId, PersonId, RequestId};
use crate::domain::message::{Lane, Message};
use crate::domain::time::Span;
use crate::slack::error::SlackError;
use crate::slack::views;
use crate::store::{Direct, DueMessage};
use futures::future::join_all;

/// Messages that are delivered at once.
const AT_ONCE: i64 = 8;
/// Longer than opening a conversation and posting into it may take.
const LEASE: Span = Span::seconds(15);
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

/// A direct message that is kept up to date after its delivery, as a card is.
struct Kept {
    request: RequestId,
    person: PersonId,
    channel: ChannelId,
    ts: String,
    shown: String,
}

impl Kept {
    fn row(&self) -> Direct<'_> {
        Direct {
            request: &self.request,
            person: &self.person,
            channel: &self.channel,
            ts: &self.ts,
            shown: &self.shown,
        }
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
        for result in join_all(due.iter().map(|message| self.deliver_and_settle(message))).await {
            result?;
        }
        Ok(i64::try_from(due.len()).unwrap_or(limit))
    }

    async fn deliver_and_settle(&self, due: &DueMessage) -> Result<(), AppError> {
        let delivered = match self.deliver(&due.message).await {
            Ok(kept) => Ok(kept),
            Err(Undelivered::Slack(error)) => Err(error),
            Err(Undelivered::Us(error)) => return Err(error), // the lease runs out, and it is tried again
        };
        let now = self.app.now();
        let older = self.app
            .db()
            .unit::<_, AppError>(async |tx| {
                let mut older = None;
                match &delivered {
                    Ok(kept) => {
                        tx.delivered(due).await?;
                        if let Some(kept) = kept {
                            older = tx.card_ts(&kept.request, &kept.channel).await?;
                            tx.keep_direct(&kept.row(), now).await?;
                        }
                    }
                    Err(error) => {
                        let old = due.made_at.plus(GIVE_UP_AFTER) <= now && due.message.lane() != Lane::Alert;
                        let next = (!old).then(|| next_try(error, due.failures, now));
                        tracing::warn!(message = %due.id, %error, given_up = old, "a message was not delivered");
                        tx.put_off_message(due, next, &error.to_string()).await?;
                    }
                }
                Ok(older)
            })
            .await?;
        if let (Ok(Some(kept)), Some(older)) = (&delivered, older) {
            self.retire(kept, &older).await;
        }
        Ok(())
    }

    /// An older message about the same request is not kept up to date any more, and must not look as if it were.
    async fn retire(&self, kept: &Kept, older: &str) {
        let slack = &self.slack;
        let said = views::answer::old_message();
        let updated = slack
            .update_message(kept.channel.as_str(), older, &said)
            .await;
        if let Err(error) = updated {
            tracing::warn!(request = %kept.request, %error, "an older message about a request still stands");
        }
    }

    /// Delivers a message; tells the one that is to be kept up to date from now on.
    async fn deliver(&self, message: &Message) -> Result<Option<Kept>, Undelivered> {
        match message {
            Message::News { to, request } => {
                let Some(account) = self.account(to).await? else {
                    return Ok(None); // nobody to tell in Slack: the API and the card tell it
                };
                let shown = self.app.show(&RequestRef::Id(request.clone())).await?;
                let channel = self.slack.open_dm(&account).await?;
                let news = views::direct::news(&shown);
                let posted = self.slack.post_message(&channel, &news, None).await?;
                return Ok(Some(Kept {
                    request: request.clone(),
                    person: to.clone(),
                    channel: posted.channel.as_str().into(),
                    ts: posted.ts,
                    shown: hash_of(&news),
                }));
            }
            Message::Alert { channel, text } => {
                self.slack
                    .post_message(
                        channel.as_str(),
                        &views::Message::plain(views::text::escape(text)),
                        None,
                    )
                    .await?;
            }
        }
        Ok(None)
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
