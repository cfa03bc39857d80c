//! Stored responses to deliveries and idempotency keys, so that a repeated call changes nothing.

use super::dialect::{self, on};
use super::keys::Keys;
use super::{StoreError, Tx, on_db, sql};
use crate::domain::time::Timestamp;

sql! {
    CLAIM = "INSERT INTO answers (key, fingerprint, answer, keep_until) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO NOTHING";
    FORGET = "DELETE FROM answers WHERE key IN (SELECT key FROM answers WHERE keep_until <= $1 LIMIT $2)";
}

/// A stored response.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredResponse {
    /// The key of the delivery, or the idempotency key of the caller.
    pub key: String,
    /// SHA-256 of the content of the call.
    pub fingerprint: String,
    /// The response, in the form that the use case writes.
    pub answer: String,
    /// When it may be deleted, in milliseconds since the Unix epoch.
    #[sqlx(skip)]
    pub keep_until: i64,
}

impl Tx {
    /// The stored responses of these keys.
    pub async fn answers(&mut self, keys: &[&str]) -> Result<Vec<StoredResponse>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let text = on!(
            self,
            dialect::READ_ANSWERS_SQLITE,
            dialect::READ_ANSWERS_POSTGRES
        );
        let keys = Keys::of(keys);
        on_db!(self, |c| sqlx::query_as(text)
            .bind(&keys)
            .fetch_all(c)
            .await)
    }

    /// Claims a key; `false` if it was claimed before. Waits for another transaction that is about to claim it.
    pub async fn claim_answer(&mut self, answer: &StoredResponse) -> Result<bool, StoreError> {
        let taken = on_db!(self, |c| sqlx::query(CLAIM)
            .bind(&answer.key)
            .bind(&answer.fingerprint)
            .bind(&answer.answer)
            .bind(answer.keep_until)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(taken == 1)
    }

    /// Deletes stored responses whose time is over, at most `limit`. Returns how many.
    pub async fn forget_answers(&mut self, now: Timestamp, limit: i64) -> Result<u64, StoreError> {
        on_db!(self, |c| sqlx::query(FORGET)
            .bind(now.0)
            .bind(limit)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
    }
}
