//! Facts that were learnt once and outlive a restart, such as the Slack app's own id.

use super::{StoreError, Tx, on_db, sql};

sql! {
    GET = "SELECT value FROM facts WHERE name = $1";
    SET = "INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    FORGET = "DELETE FROM facts WHERE name = $1";
}

impl Tx {
    /// The value of a fact, if known.
    pub async fn fact(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let row: Option<(String,)> = on_db!(self, |c| sqlx::query_as(GET)
            .bind(name)
            .fetch_optional(c)
            .await)?;
        Ok(row.map(|(value,)| value))
    }

    /// Stores a fact.
    pub async fn learn(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(SET)
            .bind(name)
            .bind(value)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Forgets a fact.
    pub async fn forget_fact(&mut self, name: &str) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(FORGET)
            .bind(name)
            .execute(c)
            .await
            .map(|_| ()))
    }
}
