//! A connection to Postgres, lent by the pool. It is given back, or closed, within a few seconds. The pool itself would wait for an
//! answer of the server without limit, so that a network that silently loses packets would soon take all connections away.

use super::{ANSWER_DEADLINE, StoreError, answered, answered_within};
use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Executor, PgConnection, PgPool, Postgres};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long a statement may take: longer than its `statement_timeout`, so that the server reports its own delays.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(20);

/// A lent connection, and the transaction on it if one was begun. A transaction that is not committed is rolled back.
pub(crate) struct Lent {
    conn: Option<PoolConnection<Postgres>>,
    is_open: bool,
}

impl Lent {
    /// Borrows a connection that may have been cut while it was idle. The pool has a deadline of its own.
    pub(super) async fn of(pool: &PgPool) -> Result<Self, StoreError> {
        Ok(Self {
            conn: Some(pool.acquire().await?),
            is_open: false,
        })
    }

    /// Borrows a connection that answers.
    pub(super) async fn alive(pool: &PgPool) -> Result<Self, StoreError> {
        Self::after(pool, None).await
    }

    /// Borrows a connection and begins a transaction with this statement, whose answer shows that the connection lives: the pool does
    /// not ask before.
    pub(super) async fn begin(pool: &PgPool, statement: &'static str) -> Result<Self, StoreError> {
        Self::after(pool, Some(statement)).await
    }

    /// Borrows a connection and begins a transaction, or asks whether it lives. One that was cut while it was idle, as by a restart of
    /// the server, is replaced by the next one.
    async fn after(pool: &PgPool, begin: Option<&'static str>) -> Result<Self, StoreError> {
        let mut idle_ones = pool.num_idle();
        loop {
            let mut lent = Self::of(pool).await?;
            // even if the answer never comes
            lent.is_open = begin.is_some();
            let first = match begin {
                Some(statement) => answered(lent.conn().execute(sqlx::raw_sql(statement)))
                    .await
                    .map(|_| ()),
                None => answered(lent.conn().ping()).await,
            };
            match first {
                Ok(()) => return Ok(lent),
                Err(StoreError::Unreachable(_)) if idle_ones > 0 => {
                    idle_ones -= 1;
                    lent.close();
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Closes the connection instead of giving it back.
    pub(super) fn close(mut self) {
        if let Some(conn) = &mut self.conn {
            conn.close_on_drop();
        }
        drop(self.conn.take());
    }

    /// The connection.
    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.conn.as_mut().expect("lent until drop")
    }

    /// Commits the transaction.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        statement_answered(self.conn().execute(sqlx::raw_sql("COMMIT"))).await?;
        self.is_open = false;
        Ok(())
    }
}

/// The result of a statement in a transaction. A server that disappeared does not keep the caller waiting.
pub(crate) async fn statement_answered<T>(
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    answered_within(STATEMENT_DEADLINE, asked).await
}

impl Drop for Lent {
    fn drop(&mut self) {
        let (Some(mut conn), Ok(runtime)) = (self.conn.take(), Handle::try_current()) else {
            return;
        };
        let is_open = self.is_open;
        runtime.spawn(async move {
            let returned = async {
                if is_open {
                    conn.execute(sqlx::raw_sql("ROLLBACK")).await?;
                }
                conn.return_to_pool().await;
                Ok::<_, sqlx::Error>(())
            };
            let returned = tokio::time::timeout(ANSWER_DEADLINE, returned).await;
            if !matches!(returned, Ok(Ok(()))) {
                conn.close_on_drop();
            }
        });
    }
}
