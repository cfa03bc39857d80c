//! Messages that left with a commit are delivered: alerts first, then direct messages.

use super::Workers;
use super::cards::{hash_of, is_due};
use super::threads::Threads;
use super::ticked::{Ticked, in_time};
use super::undelivered::{Settled, Undelivered};
use crate::app::{AppError, RequestRef};
use crate::domain::id::{ChannelId, PersonId, RequestId};
use crate::domain::message::{Lane, Message};
use crate::domain::preferences::Delivery;
use crate::domain::time::{Span, Timestamp};
use crate::slack::api::reply::Posted;
use crate::slack::ui;
use crate::store::{ChannelLane, Direct, DueMessage, SessionPost};
use futures::FutureExt as _;
use futures::future::join_all;
use std::collections::BTreeSet;
use tracing::{Instrument as _, info_span};

/// Messages that are delivered at once.
const BATCH_SIZE: i64 = 8;
/// Longer than opening a conversation and posting into it, or bringing a session's three alerts up to date, may take.
pub(super) const LEASE_DURATION: Span = Span::seconds(20);
/// Alerts go out one after the other: no further one is begun so long after they were claimed, so that the last one ends within the
/// lease. What is claimed and not begun is given back.
const BEGIN_WITHIN: Span = Span::seconds(10);

/// How soon a thread is looked at again whose card is not posted yet, or that another worker posts in.
const THREAD_PAUSE: Span = Span::seconds(5);

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
    /// Each lane has its own share of each tick: alerts go first, and never keep everything else back.
    pub(super) async fn tick_messages(&self) -> Ticked {
        let mut ticked = Ticked::default();
        // at no pace but Slack's own
        let alerts = in_time(self.deliver_some(Lane::Alert, BATCH_SIZE)).await;
        ticked.take_in(&self.app, "alerts", alerts.map(|count| count > 0));
        let allowed = self.messages.take(BATCH_SIZE, self.app.now());
        if allowed > 0 {
            let delivered = in_time(self.deliver_some(Lane::Direct, allowed)).await;
            let used = delivered.as_ref().map_or(0, |count| *count);
            self.messages.give_back(allowed - used);
            let more = delivered.map(|count| count > 0);
            ticked.take_in(&self.app, "direct messages", more);
        }
        let allowed = self.posts.take(BATCH_SIZE, self.app.now());
        if allowed > 0 {
            let delivered = in_time(self.deliver_some(Lane::Thread, allowed)).await;
            let used = delivered.as_ref().map_or(0, |count| *count);
            self.posts.give_back(allowed - used);
            let more = delivered.map(|count| count > 0);
            ticked.take_in(&self.app, "threads", more);
        }
        ticked
    }

    /// Delivers messages of a lane that are due, at most `limit`; says how many it took up.
    async fn deliver_some(&self, lane: Lane, limit: i64) -> Result<i64, AppError> {
        let now = self.app.now();
        let next = self
            .app
            .db()
            .ask(|tx| tx.next_message_due(lane, now).boxed())
            .await?;
        if !is_due(next, now) {
            return Ok(0);
        }
        let claimed = self
            .app
            .db()
            .transaction::<_, AppError>(async |tx| {
                Ok(tx
                    .claim_messages(lane, now, now.plus(LEASE_DURATION), limit)
                    .await?)
            })
            .await?;
        if lane == Lane::Alert {
            let begin_until = now.plus(BEGIN_WITHIN);
            self.deliver_in_order(&claimed.due, begin_until).await?;
        } else {
            for result in join_all(claimed.due.iter().map(|one| self.deliver_and_settle(one))).await
            {
                result?;
            }
        }
        Ok(claimed.count())
    }

    /// Alerts read in the order of what happened. A channel whose alert failed is left alone for the rest of the batch; where Slack
    /// cannot be reached, nothing else is tried; and from `begin_until` on, only the first is.
    async fn deliver_in_order(
        &self,
        due: &[DueMessage],
        begin_until: Timestamp,
    ) -> Result<(), AppError> {
        let mut in_order: Vec<&DueMessage> = due.iter().collect();
        in_order.sort_by(|a, b| a.id.cmp(&b.id));
        let (mut stalled, mut reachable, mut untried) = (BTreeSet::new(), true, Vec::new());
        let mut in_time = true;
        for one in in_order {
            let channel = one.message.channel();
            if !in_time || !reachable || channel.is_some_and(|channel| stalled.contains(channel)) {
                untried.push(one);
                continue;
            }
            match self.deliver_and_settle(one).await? {
                Settled::Alone => {}
                Settled::ChannelFails => stalled.extend(channel),
                Settled::Unreachable => reachable = false,
            }
            in_time = self.app.now() < begin_until;
        }
        self.release(&untried, reachable).await
    }

    async fn deliver_and_settle(&self, due: &DueMessage) -> Result<Settled, AppError> {
        let attempt = due.failures + 1;
        let span = info_span!("message", id = %due.id, attempt);
        self.deliver_once(due).instrument(span).await
    }

    async fn deliver_once(&self, due: &DueMessage) -> Result<Settled, AppError> {
        if let Message::Thread { request } = &due.message {
            return self.thread_and_settle(due, request).await;
        }
        match self.delivery_of(&due.message).await {
            Ok(Delivery::Now) => {}
            Ok(Delivery::At(quiet_until)) => return self.hold_back(due, quiet_until).await,
            Ok(Delivery::Never) => {
                self.settle_delivered(due, None).await?;
                return Ok(Settled::Alone);
            }
            Err(error) => return self.settle_ours(due, &error).await,
        }
        let kept = match self.deliver(&due.message).await {
            Ok(kept) => kept,
            Err(Undelivered::Slack(error)) => return self.settle_failed(due, &error).await,
            Err(Undelivered::Us(error)) => return self.settle_ours(due, &error).await,
        };
        let older = self.settle_delivered(due, kept.as_ref()).await?;
        if let (Some(Kept::News(news)), Some(older)) = (&kept, older) {
            self.retire(news, &older).await;
        }
        Ok(Settled::Alone)
    }

    /// Nobody is disturbed in their quiet hours; the message is checked again when they are over.
    pub(super) async fn hold_back(
        &self,
        due: &DueMessage,
        until: Timestamp,
    ) -> Result<Settled, AppError> {
        self.app
            .db()
            .transaction::<_, AppError>(async |tx| Ok(tx.release_message(due, until, None).await?))
            .await?;
        Ok(Settled::Alone)
    }

    async fn thread_and_settle(
        &self,
        due: &DueMessage,
        request: &RequestId,
    ) -> Result<Settled, AppError> {
        match self.deliver_threads(request).await {
            Ok(Threads::Current) => {
                self.settle_delivered(due, None).await?;
            }
            Ok(Threads::Waiting) => self.wait_for_thread(due, THREAD_PAUSE).await?,
            Err(Undelivered::Slack(error)) => return self.settle_failed(due, &error).await,
            Err(Undelivered::Us(error)) => return self.settle_ours(due, &error).await,
        }
        Ok(Settled::Alone)
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
            .transaction(async |tx| {
                tx.delivered(due).await?;
                if let (Some(_), Some(channel)) = (due.probes_after, due.message.channel()) {
                    tx.resume_channel(channel, ChannelLane::Alert).await?;
                }
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

    /// An older message about the same request is not kept up to date any more, and must not look as if it were.
    async fn retire(&self, news: &News, older: &str) {
        let slack = &self.slack;
        let said = ui::replies::old_message();
        let updated = slack
            .update_message(news.channel.as_str(), older, &said)
            .await;
        if let Err(error) = updated {
            tracing::warn!(request = %news.request, %error, "older message about a request not replaced");
        }
    }

    /// Delivers a message; tells the one that is to be kept up to date from now on.
    async fn deliver(&self, message: &Message) -> Result<Option<Kept>, Undelivered> {
        match message {
            Message::News { to, request } => return self.deliver_news(to, request).await,
            // a thread line can wait for its card, and webhooks and e-mails have lanes of their own: other workers deliver them
            Message::Thread { .. } | Message::Webhook { .. } | Message::Email { .. } => {}
            Message::Alert { channel, text } => {
                let audience = self.audience(channel).await?;
                let said = ui::shared::announcement(text, audience);
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
                    let said = ui::break_glass::alert(alert, None, &[]);
                    self.whisper(&account, &said).await?;
                }
            }
            Message::Reminder {
                to,
                instead_of,
                request,
                number,
            } => {
                self.deliver_reminder(to, instead_of.as_ref(), request, *number)
                    .await?;
            }
            Message::Escalation {
                channel,
                request,
                policy,
            } => self.deliver_escalation(channel, request, policy).await?,
            Message::Escalated {
                to,
                request,
                policy,
            } => self.deliver_escalated(to, request, policy).await?,
            Message::ExpiryWarning { to, request } => {
                self.deliver_expiry_warning(to, request).await?;
            }
            Message::Digest { channel } => self.deliver_digest(channel).await?,
            Message::SessionPosts { session } => self.refresh_session(session).await?,
            Message::Undeliverable {
                to,
                channel,
                why,
                alert,
            } => {
                if let Some(account) = self.account(to).await? {
                    let message = self.alert_message(alert).await?;
                    let told = ui::break_glass::undeliverable(channel.as_str(), why, &message);
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
        let news = ui::direct::news(&shown);
        let posted = self.whisper(&account, &news).await?;
        Ok(Some(Kept::News(News {
            request: request.clone(),
            person: to.clone(),
            channel: posted.channel.as_str().into(),
            ts: posted.ts,
            shown: hash_of(&news),
        })))
    }

    pub(super) async fn whisper(
        &self,
        account: &str,
        said: &ui::Message,
    ) -> Result<Posted, Undelivered> {
        let channel = self.slack.open_dm(account).await?;
        Ok(self.slack.post_message(&channel, said, None).await?)
    }

    /// The Slack user that a person is told by.
    pub(super) async fn account(&self, person: &PersonId) -> Result<Option<String>, AppError> {
        let config = self.app.compiled_config().await?;
        let person = config.directory().person(person);
        Ok(person
            .and_then(|person| person.slack.first())
            .map(|identity| identity.user_id.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_recent_direct_message_is_kept() {
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
