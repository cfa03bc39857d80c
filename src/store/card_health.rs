//! Which cards do not get through.

use super::cards::Card;
use super::{StoreError, Tx, on_db, sql};

sql! {
    COUNT_SET_ASIDE = "SELECT count(*) FROM cards WHERE set_aside_at IS NOT NULL";
    STUCK_TO_POST = "SELECT count(*), max(c.trouble) FROM cards c WHERE c.due_at IS NOT NULL AND c.ts IS NULL AND (c.failures >= $1 OR EXISTS
        (SELECT 1 FROM channel_pauses p WHERE p.channel = c.channel AND p.lane = 'post' AND p.failures >= $1))";
    STUCK_TO_UPDATE = "SELECT count(*), max(c.trouble) FROM cards c WHERE c.due_at IS NOT NULL AND c.ts IS NOT NULL AND (c.failures >= $1 OR EXISTS
        (SELECT 1 FROM channel_pauses p WHERE p.channel = c.channel AND p.lane = 'update' AND p.failures >= $1))";
}

impl Tx {
    /// How many cards this release cannot read.
    pub async fn set_aside_cards(&mut self) -> Result<i64, StoreError> {
        let (count,): (i64,) =
            on_db!(self, |c| sqlx::query_as(COUNT_SET_ASIDE).fetch_one(c).await)?;
        Ok(count)
    }

    /// How many cards of a kind failed at least this often in a row, and the error of one of them.
    pub async fn failing_cards(
        &mut self,
        kind: Card,
        failures: i64,
    ) -> Result<(i64, Option<String>), StoreError> {
        let text = match kind {
            Card::ToPost => STUCK_TO_POST,
            Card::ToUpdate => STUCK_TO_UPDATE,
        };
        on_db!(self, |c| sqlx::query_as(text)
            .bind(failures)
            .fetch_one(c)
            .await)
    }
}
