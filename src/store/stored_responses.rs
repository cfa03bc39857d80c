//! What has been answered to deliveries and idempotency keys, so that a repeated call changes nothing.

use super::dialect::{self, on};
use super::keys::Keys;
use super::{StoreError, Tx, on_db, sql};
use crate::domain::time::Timestamp;

sql! {
    CLAIM = "INSERT INTO answers (key, fingerprint, answer, keep_until) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO NOTHING";
    FORGET = "DELETE FROM answers WHERE key IN (SELECT key FROM answers WHERE keep_until <= $1 LIMIT $2)";
}

/// A kept answer.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredResponse {
    /// The delivery's or the caller's key.
    pub key: String,
    /// SHA-256 of what was asked.
    pub fingerprint: String,
    /// The answer, as the use case writes it.
    pub answer: String,
    /// Until when it is kept.
    #[sqlx(skip)]
    pub keep_until: i64,
}

impl Tx {
    /// Answers kept under these keys.
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

    /// Takes a key for this unit; false when somebody had it before (waits for a unit that is about to take it).
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

    /// Forgets answers whose time is over, at most `limit`; says how many.
    pub async fn forget_answers(&mut self, now: Timestamp, limit: i64) -> Result<u64, StoreError> {
        on_db!(self, |c| sqlx::query(FORGET)
            .bind(now.0)
            .bind(limit)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
    }
}
