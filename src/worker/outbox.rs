//! Messages that left with a commit are delivered: alerts first, then direct messages.

use super::Workers;
use super::cards::{hash_of, is_due};
use super::pause::next_try;
use crate::app::{AppError, RequestRef};
use crate::domain::id::{ChannelId, PersonId, RequestId};
use crate::domain::message::{Lane, Message};
use crate::domain::time::Span;
use crate::slack::error::SlackError;
use crate::slack::reply::Posted;
use crate::slack::views;
use crate::store::{Direct, DueMessage, SessionPost};
use futures::future::join_all;

/// Messages that are delivered at once.
const AT_ONCE: i64 = 8;
/// Longer than opening a conversation and posting into it, or bringing a session's three alerts up to date, may take.
const LEASE: Span = Span::seconds(20);
/// A direct message nobody could deliver for so long is given up; alerts never are.
const GIVE_UP_AFTER: Span = Span::hours(48);

/// Why a message has not been delivered.
pub(super) enum Undelivered {
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

/// A message that is kept up to date after its delivery.
enum Kept {
    /// What a requester is told, as a card is kept.
    News(News),
    /// An alert of a break-glass session that asks people for something.
    Alert(Box<SessionPost>),
}

/// A direct message that is kept up to date after its delivery, as a card is.
struct News {
    request: RequestId,
    person: PersonId,
    channel: ChannelId,
    ts: String,
    shown: String,
}

impl News {
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

/// Whether a message takes the place of the one that is kept, and which of the two is retired: the one further up. Slack's ids are of
/// one length and grow down the conversation.
fn further_down(there: Option<String>, new: &str) -> (bool, Option<String>) {
    match there {
        Some(there) if there.as_str() > new => (false, Some(new.to_owned())),
        there => (true, there),
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
            Ok(kept) => Ok(kept),
            Err(Undelivered::Slack(error)) => Err(error),
            Err(Undelivered::Us(error)) => return Err(error), // the lease runs out, and it is tried again
        };
        let older = match &delivered {
            Ok(kept) => self.settle_delivered(due, kept.as_ref()).await?,
            Err(error) => {
                self.put_off(due, error).await?;
                return Ok(error.is_final());
            }
        };
        if let (Ok(Some(Kept::News(news))), Some(older)) = (&delivered, older) {
            self.retire(news, &older).await;
        }
        Ok(true)
    }

    /// It is there; where it is to be kept up to date, it is remembered. Says which message further up is not kept any more.
    async fn settle_delivered(
        &self,
        due: &DueMessage,
        kept: Option<&Kept>,
    ) -> Result<Option<String>, AppError> {
        let now = self.app.now();
        self.app
            .db()
            .unit(async |tx| {
                tx.delivered(due).await?;
                match kept {
                    None => Ok(None),
                    Some(Kept::Alert(post)) => {
                        self.app.keep_session_post(tx, post, now).await?;
                        Ok(None)
                    }
                    Some(Kept::News(news)) => {
                        // several may arrive at once
                        tx.lock_requests(&[&news.request], false).await?;
                        let there = tx.card_ts(&news.request, &news.channel).await?;
                        let (keeps, retired) = further_down(there, &news.ts);
                        if keeps {
                            tx.keep_direct(&news.row(), now).await?;
                        }
                        Ok(retired)
                    }
                }
            })
            .await
    }

    /// Tried again later, or given up; an alert that its channel refuses is told to the administrators.
    async fn put_off(&self, due: &DueMessage, error: &SlackError) -> Result<(), AppError> {
        let now = self.app.now();
        let old = due.made_at.plus(GIVE_UP_AFTER) <= now && due.message.lane() != Lane::Alert;
        let next = (!old).then(|| next_try(error, due.failures, now));
        tracing::warn!(message = %due.id, %error, given_up = old, "a message was not delivered");
        let administrators = self.administrators(due, error).await?;
        let told = due.message.unheard(&error.to_string(), &administrators);
        self.app
            .db()
            .unit(async |tx| {
                tx.put_off_message(due, next, &error.to_string()).await?;
                self.app.tell(tx, told.clone(), now).await
            })
            .await
    }

    /// Whom to tell that a channel refuses an alert: once, when it does so first.
    async fn administrators(
        &self,
        due: &DueMessage,
        error: &SlackError,
    ) -> Result<Vec<PersonId>, AppError> {
        if due.failures > 0 || !error.is_final() {
            return Ok(Vec::new());
        }
        let rules = self.app.rules().await?;
        let administrators = rules.administrators().into_iter();
        Ok(administrators.map(|one| one.id.clone()).collect())
    }

    /// An older message about the same request is not kept up to date any more, and must not look as if it were.
    async fn retire(&self, news: &News, older: &str) {
        let slack = &self.slack;
        let said = views::answer::old_message();
        let updated = slack
            .update_message(news.channel.as_str(), older, &said)
            .await;
        if let Err(error) = updated {
            tracing::warn!(request = %news.request, %error, "an older message about a request still stands");
        }
    }

    /// Delivers a message; tells the one that is to be kept up to date from now on.
    async fn deliver(&self, message: &Message) -> Result<Option<Kept>, Undelivered> {
        match message {
            Message::News { to, request } => return self.deliver_news(to, request).await,
            Message::Alert { channel, text } => {
                let audience = self.audience(channel).await?;
                let said = views::shared::announcement(text, audience);
                let channel = channel.as_str();
                self.slack.post_message(channel, &said, None).await?;
            }
            Message::Session { channel, alert } => {
                let post = self.post_session_alert(channel, alert).await?;
                return Ok(post.map(|post| Kept::Alert(Box::new(post))));
            }
            Message::SessionTold { to, alert } => {
                if let Some(account) = self.account(to).await? {
                    // nobody would take the buttons off a direct message
                    let said = views::break_glass::alert(alert, None, &[]);
                    self.whisper(&account, &said).await?;
                }
            }
            Message::SessionPosts { session } => self.refresh_session(session).await?,
            Message::Unheard {
                to,
                channel,
                why,
                alert,
            } => {
                if let Some(account) = self.account(to).await? {
                    let said = self.said(alert).await?;
                    let told = views::break_glass::unheard(channel.as_str(), why, &said);
                    self.whisper(&account, &told).await?;
                }
            }
        }
        Ok(None)
    }

    async fn deliver_news(
        &self,
        to: &PersonId,
        request: &RequestId,
    ) -> Result<Option<Kept>, Undelivered> {
        let Some(account) = self.account(to).await? else {
            return Ok(None); // nobody to tell in Slack: the API and the card tell it
        };
        let shown = self.app.show(&RequestRef::Id(request.clone())).await?;
        let news = views::direct::news(&shown);
        let posted = self.whisper(&account, &news).await?;
        Ok(Some(Kept::News(News {
            request: request.clone(),
            person: to.clone(),
            channel: posted.channel.as_str().into(),
            ts: posted.ts,
            shown: hash_of(&news),
        })))
    }

    async fn whisper(&self, account: &str, said: &views::Message) -> Result<Posted, Undelivered> {
        let channel = self.slack.open_dm(account).await?;
        Ok(self.slack.post_message(&channel, said, None).await?)
    }

    /// The Slack user that a person is told by.
    pub(super) async fn account(&self, person: &PersonId) -> Result<Option<String>, AppError> {
        let rules = self.app.rules().await?;
        let person = rules.directory().person(person);
        Ok(person
            .and_then(|person| person.slack.first())
            .map(|identity| identity.user_id.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_messages_the_one_further_down_is_kept() {
        let (first, second) = ("1763800000.000100", "1763800000.000200");
        assert_eq!(further_down(None, first), (true, None));
        assert_eq!(
            further_down(Some(first.to_owned()), second),
            (true, Some(first.to_owned()))
        );
        assert_eq!(
            further_down(Some(second.to_owned()), first),
            (false, Some(first.to_owned()))
        );
    }
}
