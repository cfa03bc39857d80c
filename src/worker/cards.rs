//! Cards are reconciled, not pushed: what is due is rendered from the newest state, and sent only if it differs from what the card
//! shows (design 2.9). A crash, an outage or a decision made elsewhere heals by itself.

use super::Workers;
use super::pace::Pace;
use super::pause::next_try;
use crate::app::{AppError, RequestRef};
use crate::domain::digest::Digest;
use crate::domain::time::{Span, Timestamp};
use crate::slack::error::SlackError;
use crate::slack::views::{Message, card_for, direct};
use crate::store::{Card, DueCard};
use futures::future::join_all;

/// Cards that are brought up to date at once; each call has its own connection and time-out.
const AT_ONCE: i64 = 8;
/// Longer than looking the channel up and one call may take, so that at most one call a card is in flight.
const LEASE: Span = Span::seconds(8);

impl Workers {
    /// The workspace has forgotten its messages: the cards of all pending requests are posted anew.
    pub async fn post_anew(&self) -> Result<(), AppError> {
        let now = self.app.now();
        self.app
            .db()
            .unit(async |tx| Ok(tx.lose_pending_cards(now).await?))
            .await
    }

    pub(super) async fn tick_cards(&self) -> Result<bool, AppError> {
        let posted = self.tick_some(&self.posts, Card::ToPost).await?;
        let updated = self.tick_some(&self.updates, Card::ToUpdate).await?;
        Ok(posted || updated)
    }

    /// Brings some cards of a kind up to date, as many as Slack takes now.
    async fn tick_some(&self, pace: &Pace, kind: Card) -> Result<bool, AppError> {
        let now = self.app.now();
        let allowed = pace.take(AT_ONCE, now);
        if allowed == 0 {
            return Ok(false);
        }
        let due = self.claim(kind, allowed, now).await?;
        pace.give_back(allowed - i64::try_from(due.len()).unwrap_or(0));
        for result in join_all(due.iter().map(|card| self.reconcile(card))).await {
            result?;
        }
        Ok(!due.is_empty())
    }

    async fn claim(
        &self,
        kind: Card,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<DueCard>, AppError> {
        if !is_due(self.app.db().read().await?.next_card_due(kind).await?, now) {
            return Ok(Vec::new());
        }
        self.app
            .db()
            .unit(async |tx| Ok(tx.claim_cards(kind, now, now.plus(LEASE), limit).await?))
            .await
    }

    async fn reconcile(&self, due: &DueCard) -> Result<(), AppError> {
        let shown = self.app.show(&RequestRef::Id(due.request.clone())).await?;
        let message = if due.person.is_some() {
            direct::news(&shown)
        } else {
            // who reads the channel decides what may stand there; as long as that is not known, nothing is sent
            let now = self.app.now();
            match self.slack.audience(due.channel.as_str(), now).await {
                Ok(audience) => card_for(&shown, audience),
                Err(error) => return self.settle_card(due, Err(error), "").await,
            }
        };
        let hash = hash_of(&message);
        let sent = match &due.ts {
            Some(ts) if due.shown.as_ref() == Some(&hash) => Ok(ts.clone()),
            ts => self.send_card(due, ts.as_deref(), &message).await,
        };
        self.settle_card(due, sent, &hash).await
    }

    async fn send_card(
        &self,
        due: &DueCard,
        ts: Option<&str>,
        message: &Message,
    ) -> Result<String, SlackError> {
        let channel = due.channel.as_str();
        match ts {
            Some(ts) => self
                .slack
                .update_message(channel, ts, message)
                .await
                .map(|_| ts.to_owned()),
            None => self
                .slack
                .post_message(channel, message, None)
                .await
                .map(|posted| posted.ts),
        }
    }

    async fn settle_card(
        &self,
        due: &DueCard,
        sent: Result<String, SlackError>,
        hash: &str,
    ) -> Result<(), AppError> {
        let now = self.app.now();
        self.app
            .db()
            .unit(async |tx| {
                match &sent {
                    Ok(ts) => tx.settle_card(due, ts, hash, now).await?,
                    Err(SlackError::MessageNotFound) if due.ts.is_some() => tx.lose_card(due, now).await?,
                    Err(error) => {
                        tracing::warn!(request = %due.request, channel = %due.channel, %error, "a card is behind; tried again later");
                        let next = next_try(error, due.failures, now);
                        tx.put_off_card(due, Some(next), &error.to_string()).await?;
                    }
                }
                Ok(())
            })
            .await
    }
}

/// What tells one state of a message from another.
pub(super) fn hash_of(message: &Message) -> String {
    Digest::of(message.body().to_string().as_bytes()).to_string()
}

/// Whether the next due time has come.
pub(super) fn is_due(next: Option<Timestamp>, now: Timestamp) -> bool {
    next.is_some_and(|due| due <= now)
}
