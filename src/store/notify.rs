//! Notifies other replicas of changes with LISTEN and NOTIFY of Postgres. It never does so inside a transaction, because a NOTIFY
//! at commit serialises all commits of the server.

use super::dialect::{self, on};
use super::keys::Keys;
use super::lent::Lent;
use super::{Db, StoreError, Tx, answered, on_db, read};
use crate::domain::id::RequestId;
use sqlx::Executor;
use sqlx::postgres::PgListener;
use std::time::Duration;

/// Maximum number of ids in one notification: Postgres accepts payloads below 8,000 bytes.
const IDS_PER_NOTIFICATION: usize = 200;

/// After this time without a notification, the connection is checked.
const QUIET: Duration = Duration::from_secs(30);
/// How long the check may take.
const CHECK_DEADLINE: Duration = Duration::from_secs(5);

/// Notifications of other replicas; `SQLite` has none.
#[derive(Debug)]
pub struct Wakes(PgListener);

impl Wakes {
    /// The next requests that changed on another replica. After a quiet period it checks the connection, because the network may
    /// have dropped it silently.
    pub async fn next(&mut self) -> Result<Vec<RequestId>, StoreError> {
        let told = loop {
            match tokio::time::timeout(QUIET, self.0.recv()).await {
                Ok(told) => break told?,
                Err(_) => self.check().await?,
            }
        };
        Ok(told
            .payload()
            .split(',')
            .filter_map(|id| id.parse().ok())
            .collect())
    }
}

impl Wakes {
    async fn check(&mut self) -> Result<(), StoreError> {
        let alive = self.0.execute(dialect::CLOCK);
        match tokio::time::timeout(CHECK_DEADLINE, alive).await {
            Ok(alive) => Ok(alive.map(|_| ())?),
            Err(_) => Err(StoreError::Unreachable(
                "the connection that listens is dead".to_owned(),
            )),
        }
    }
}

impl Db {
    /// Listens for changes of other replicas.
    pub async fn listen(&self) -> Result<Option<Wakes>, StoreError> {
        let Self::Postgres { pool, .. } = self else {
            return Ok(None);
        };
        let mut lent = Lent::alive(pool).await?;
        let asked = sqlx::query_as("SELECT 'countersign_' || current_schema()");
        let (channel,): (String,) = answered(asked.fetch_one(lent.conn())).await?;
        drop(lent);
        let mut listener = PgListener::connect_with(pool).await?;
        answered(listener.listen(&channel)).await?;
        Ok(Some(Wakes(listener)))
    }

    /// Notifies other replicas which requests changed; an empty list means that something else changed.
    pub async fn notify(&self, changed: &[RequestId]) -> Result<(), StoreError> {
        let Self::Postgres { pool, .. } = self else {
            return Ok(());
        };
        let nothing: &[RequestId] = &[];
        let named = changed.chunks(IDS_PER_NOTIFICATION);
        let besides = changed.is_empty().then_some(nothing);
        let mut lent = Lent::alive(pool).await?;
        for some in named.chain(besides) {
            let ids: Vec<&str> = some.iter().map(RequestId::as_str).collect();
            let told = sqlx::query(dialect::NOTIFY)
                .bind(ids.join(","))
                .execute(lent.conn());
            answered(told).await?;
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
