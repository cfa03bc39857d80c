//! Notices of requests, for the channels in which they were asked. They are kept up to date as cards are.

use super::cards::DueCard;
use super::{StoreError, Tx, on_db, sql};
use crate::domain::id::{ChannelId, PersonId, RequestId};
use crate::domain::time::Timestamp;

sql! {
    /// A release that knows no notices takes it for a direct message to this person, which has no content either.
    INSERT = "INSERT INTO cards (request_id, channel, touched, due_at, attempt, failures, person, notice)
        VALUES ($1, $2, 0, $3, 0, 0, $4, TRUE)
        ON CONFLICT (request_id, channel) DO NOTHING";
    DROP = "DELETE FROM cards WHERE request_id = $1 AND channel = $2 AND attempt = $3";
}

impl Tx {
    /// Stores a notice of a new request for the channel in which it was asked, unless its card is there already.
    pub async fn insert_notice(
        &mut self,
        request: &RequestId,
        channel: &ChannelId,
        asked_by: &PersonId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(INSERT)
            .bind(request.as_str())
            .bind(channel.as_str())
            .bind(now.0)
            .bind(asked_by.as_str())
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Drops a claimed notice, because its channel does not take it.
    pub async fn drop_notice(&mut self, card: &DueCard) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(DROP)
            .bind(card.request.as_str())
            .bind(card.channel.as_str())
            .bind(card.attempt)
            .execute(c)
            .await
            .map(|_| ()))
    }
}
