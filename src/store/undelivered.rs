//! Undeliverable messages and outdated cards, for the operator.

use super::{StoreError, Tx, on_db, sql};
use crate::domain::time::Timestamp;

sql! {
    DEAD_MESSAGES = "SELECT lane, trouble, made_at FROM outbox WHERE due_at IS NULL ORDER BY made_at, id LIMIT $1";
    STUCK_CARDS = "SELECT r.number, c.channel, c.trouble FROM cards c JOIN requests r ON r.id = c.request_id
        WHERE c.trouble IS NOT NULL ORDER BY r.number, c.channel LIMIT $1";
    RETRY_MESSAGES = "UPDATE outbox SET due_at = $1, failures = 0, trouble = NULL WHERE due_at IS NULL";
    RETRY_CARDS = "UPDATE cards SET due_at = $1, failures = 0 WHERE trouble IS NOT NULL";
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadMessage {
    /// Its lane.
    pub lane: i64,
    /// Why the message was given up.
    pub trouble: String,
    /// When the message was stored.
    pub made_at: Timestamp,
}

/// A card whose last call to Slack failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckCard {
    /// The number of its request.
    pub number: i64,
    /// The channel.
    pub channel: String,
    /// The last delivery error.
    pub trouble: String,
}

impl Tx {
    /// Messages that were given up, oldest first.
    pub async fn dead_letters(&mut self, limit: i64) -> Result<Vec<DeadMessage>, StoreError> {
        let rows: Vec<(i64, Option<String>, i64)> =
            on_db!(self, |c| sqlx::query_as(DEAD_MESSAGES)
                .bind(limit)
                .fetch_all(c)
                .await)?;
        let message = |(lane, trouble, made_at): (i64, Option<String>, i64)| DeadMessage {
            lane,
            trouble: trouble.unwrap_or_default(),
            made_at: Timestamp(made_at),
        };
        Ok(rows.into_iter().map(message).collect())
    }

    /// Cards whose last call to Slack failed.
    pub async fn stuck_cards(&mut self, limit: i64) -> Result<Vec<StuckCard>, StoreError> {
        let rows: Vec<(i64, String, String)> = on_db!(self, |c| sqlx::query_as(STUCK_CARDS)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        let card = |(number, channel, trouble)| StuckCard {
            number,
            channel,
            trouble,
        };
        Ok(rows.into_iter().map(card).collect())
    }

    /// Marks all of them as due now. Returns how many.
    pub async fn retry_undelivered(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.resume_channels().await?;
        let mut due = 0;
        for text in [RETRY_MESSAGES, RETRY_CARDS] {
            due += on_db!(self, |c| sqlx::query(text)
                .bind(now.0)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
        }
        Ok(due)
    }
}
