//! E-mails, which wait in the outbox: those that stand in for an alert, and old ones.

use super::{StoreError, Tx, on_db, sql};
use crate::domain::id::{ChannelId, OutboxId};
use crate::domain::message::Lane;
use crate::domain::time::Timestamp;

sql! {
    IS_WAITING = "SELECT count(*) FROM outbox WHERE id = $1";
    /// Only those that no worker has claimed yet: one that is being sent must not be due again.
    RELEASE_FOR_CHANNEL = "UPDATE outbox SET due_at = $2 WHERE lane = 4 AND attempt = 0 AND due_at > $2
        AND channel IN (SELECT a.id FROM outbox a WHERE a.lane = 0 AND a.due_at IS NOT NULL AND a.channel = $1)";
    RELEASE_FOR_MESSAGE = "UPDATE outbox SET due_at = $2 WHERE lane = 4 AND attempt = 0 AND due_at > $2 AND channel = $1";
    FORGET = "DELETE FROM outbox WHERE lane = 4 AND made_at <= $1";
}

impl Tx {
    /// Whether a message is still in the outbox: it was not delivered.
    pub async fn is_in_outbox(&mut self, id: &OutboxId) -> Result<bool, StoreError> {
        let (rows,): (i64,) = on_db!(self, |c| sqlx::query_as(IS_WAITING)
            .bind(id.as_str())
            .fetch_one(c)
            .await)?;
        Ok(rows > 0)
    }

    /// Makes the e-mails due that stand in for the alerts that wait for a channel.
    pub async fn release_emails_for_channel(
        &mut self,
        channel: &ChannelId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.release_emails(RELEASE_FOR_CHANNEL, channel.as_str(), now)
            .await
    }

    /// Makes the e-mails due that stand in for one alert.
    pub async fn release_emails_for_message(
        &mut self,
        alert: &OutboxId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.release_emails(RELEASE_FOR_MESSAGE, alert.as_str(), now)
            .await
    }

    async fn release_emails(
        &mut self,
        text: &'static str,
        what: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(text)
            .bind(what)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Deletes e-mails that were stored up to `until`. Returns how many.
    pub async fn forget_emails(&mut self, until: Timestamp) -> Result<u64, StoreError> {
        on_db!(self, |c| sqlx::query(FORGET)
            .bind(until.0)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
    }
}

/// The lane number in the statements above.
const _: () = assert!(Lane::Email as i64 == 4);
