//! Telling other replicas what has changed: Postgres's LISTEN and NOTIFY, never inside a unit (a NOTIFY at commit serialises all
//! commits of the server).

use super::dialect::{self, on};
use super::keys::Keys;
use super::{Db, StoreError, Tx, on_db, read};
use crate::domain::id::RequestId;
use sqlx::postgres::PgListener;

/// Ids in one notification: Postgres takes payloads below 8,000 bytes.
const IDS_PER_NOTIFICATION: usize = 200;

/// What other replicas tell; on `SQLite` nobody does.
#[derive(Debug)]
pub struct Wakes(PgListener);

impl Wakes {
    /// The next requests that have changed elsewhere.
    pub async fn next(&mut self) -> Result<Vec<RequestId>, StoreError> {
        let told = self.0.recv().await?;
        Ok(told
            .payload()
            .split(',')
            .filter_map(|id| id.parse().ok())
            .collect())
    }
}

impl Db {
    /// Listens for what other replicas change.
    pub async fn listen(&self) -> Result<Option<Wakes>, StoreError> {
        let Self::Postgres(pool) = self else {
            return Ok(None);
        };
        let (channel,): (String,) = sqlx::query_as("SELECT 'countersign_' || current_schema()")
            .fetch_one(pool)
            .await?;
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(&channel).await?;
        Ok(Some(Wakes(listener)))
    }

    /// Tells other replicas which requests have changed.
    pub async fn notify(&self, changed: &[RequestId]) -> Result<(), StoreError> {
        let Self::Postgres(pool) = self else {
            return Ok(());
        };
        for some in changed.chunks(IDS_PER_NOTIFICATION) {
            let ids: Vec<&str> = some.iter().map(RequestId::as_str).collect();
            sqlx::query(dialect::NOTIFY)
                .bind(ids.join(","))
                .execute(pool)
                .await?;
        }
        Ok(())
    }
}

impl Tx {
    /// The versions of these requests.
    pub async fn versions(
        &mut self,
        ids: &[RequestId],
    ) -> Result<Vec<(RequestId, i64)>, StoreError> {
        let text = on!(
            self,
            dialect::READ_VERSIONS_SQLITE,
            dialect::READ_VERSIONS_POSTGRES
        );
        let ids = Keys::of(ids);
        let rows: Vec<(String, i64)> =
            on_db!(self, |c| sqlx::query_as(text).bind(&ids).fetch_all(c).await)?;
        rows.into_iter()
            .map(|(id, version)| Ok((read("id", id.parse())?, version)))
            .collect()
    }
}
