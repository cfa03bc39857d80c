//! Recently opened Home tabs, shared by all replicas.

use super::{StoreError, Tx, on_db, sql};
use crate::domain::time::Timestamp;

sql! {
    OPEN = "INSERT INTO open_homes (account, look, opened_at, shown) VALUES ($1, $2, $3, NULL)
        ON CONFLICT (account) DO UPDATE SET look = excluded.look, opened_at = excluded.opened_at, shown = NULL";
    CLOSE_OLD = "DELETE FROM open_homes WHERE opened_at <= $1";
    LIST = "SELECT account, look FROM open_homes WHERE opened_at > $1 ORDER BY opened_at DESC, account LIMIT $2";
    SHOW = "UPDATE open_homes SET shown = $3 WHERE account = $1 AND look = $2 AND (shown IS NULL OR shown <> $3)";
    UNKNOWN = "UPDATE open_homes SET shown = NULL WHERE account = $1";
    FORGET = "DELETE FROM open_homes WHERE account = $1";
}

impl Tx {
    /// Records that an account opened its Home tab with this look. Removes tabs opened up to `closed`.
    pub async fn open_home(
        &mut self,
        account: &str,
        look: &str,
        now: Timestamp,
        closed: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(CLOSE_OLD)
            .bind(closed.0)
            .execute(c)
            .await
            .map(|_| ()))?;
        on_db!(self, |c| sqlx::query(OPEN)
            .bind(account)
            .bind(look)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Accounts whose Home tab was opened after `after`, each with its look; the latest first.
    pub async fn open_homes(
        &mut self,
        after: Timestamp,
        limit: i64,
    ) -> Result<Vec<(String, String)>, StoreError> {
        on_db!(self, |c| sqlx::query_as(LIST)
            .bind(after.0)
            .bind(limit)
            .fetch_all(c)
            .await)
    }

    /// Stores what a Home tab displays. Returns whether it displayed something else before and still has this look.
    pub async fn show_home(
        &mut self,
        account: &str,
        look: &str,
        shown: &str,
    ) -> Result<bool, StoreError> {
        let rows = on_db!(self, |c| sqlx::query(SHOW)
            .bind(account)
            .bind(look)
            .bind(shown)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Marks the displayed content of a Home tab as unknown.
    pub async fn lose_home(&mut self, account: &str) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(UNKNOWN)
            .bind(account)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Removes a Home tab that can never be published.
    pub async fn forget_home(&mut self, account: &str) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(FORGET)
            .bind(account)
            .execute(c)
            .await
            .map(|_| ()))
    }
}
