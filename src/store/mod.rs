//! SQL, rows and the unit of work, over `SQLite` and Postgres. No rule of the product lives here.

mod answers;
mod audit;
mod cards;
mod config;
mod decide;
pub(crate) mod dialect;
mod facts;
mod keys;
mod lately;
mod list;
mod open;
mod outbox;
mod people;
mod requests;
mod sessions;
mod stats;
mod tokens;
mod undelivered;
mod wakes;
mod writer;

pub use answers::Answer;
pub use audit::{Logged, Sealed, TimelineRow, Unsealed};
pub use cards::{Card, Direct, DueCard};
pub use config::ConfigRow;
pub use decide::{Judgement, NewVote};
pub use list::ListQuery;
pub use outbox::DueMessage;
pub use requests::Loaded;
pub use sessions::SessionPost;
pub use stats::{Backlog, Latest};
pub use undelivered::{DeadMessage, StuckCard};
pub use wakes::Wakes;

use crate::domain::time::Timestamp;
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use std::sync::Arc;

/// Why the database did not do what it was told.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The driver's error.
    #[error("database: {0}")]
    Driver(Arc<sqlx::Error>),
    /// The one writer of an `SQLite` file is busy or has stopped.
    #[error("the database's writer is busy or has stopped")]
    Writer,
    /// No connection became free in time.
    #[error("every connection to the database is taken")]
    Crowded,
    /// A statement of this unit failed, so nothing of it is kept.
    #[error("a statement of this unit failed, so it cannot be committed")]
    Failed,
    /// A row that does not read; somebody else has written to the database.
    #[error("the database holds something unreadable: {0}")]
    Unreadable(String),
    /// The database could lose acknowledged commits.
    #[error("{0}")]
    NotDurable(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Crowded,
            other => Self::Driver(Arc::new(other)),
        }
    }
}

/// What a column holds, turned into a domain value; an unreadable one is an error, never a default.
pub(crate) fn read<T, E: std::fmt::Display>(
    what: &str,
    value: Result<T, E>,
) -> Result<T, StoreError> {
    value.map_err(|error| StoreError::Unreadable(format!("{what}: {error}")))
}

/// JSON as it is stored.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    read("JSON", serde_json::to_string(value))
}

/// One of the two databases.
#[derive(Debug, Clone)]
pub enum Db {
    /// Embedded: one writer that shares its commits, and readers of their own.
    Sqlite {
        /// The one writer.
        writer: writer::Writer,
        /// Readers, which cannot write.
        readers: SqlitePool,
    },
    /// A server, for many replicas.
    Postgres(PgPool),
}

/// The connection that a unit runs on.
pub(crate) enum Conn {
    Write(writer::Lease),
    Read(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// One unit of work. Nothing of it stays unless its commit succeeds.
pub struct Tx {
    pub(crate) conn: Conn,
    pub(crate) failed: bool,
}

/// Runs the same expression on whichever database. An error makes the unit uncommittable, since Postgres would answer Ok to a
/// commit and keep nothing, where `SQLite` would keep the rest.
macro_rules! on_db {
    ($tx:expr, |$c:ident| $run:expr) => {{
        let tx: &mut $crate::store::Tx = $tx;
        if tx.failed {
            Err($crate::store::StoreError::Failed)
        } else {
            let done = match &mut tx.conn {
                $crate::store::Conn::Write(t) => {
                    let $c = t.conn();
                    $run
                }
                $crate::store::Conn::Read(t) => {
                    let $c = &mut **t;
                    $run
                }
                $crate::store::Conn::Postgres(t) => {
                    let $c = &mut **t;
                    $run
                }
            };
            done.map_err(|error| {
                tx.failed = true;
                $crate::store::StoreError::from(error)
            })
        }
    }};
}
pub(crate) use on_db;

/// Where a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The same text on both.
    Both,
    /// A true difference, its `SQLite` side.
    Sqlite,
    /// A true difference, its Postgres side.
    Postgres,
}

/// Declares a file's statements and lists them for the prepare-all test.
macro_rules! sql {
    (@on) => { $crate::store::On::Both };
    (@on sqlite) => { $crate::store::On::Sqlite };
    (@on postgres) => { $crate::store::On::Postgres };
    ($($(#[$doc:meta])* $name:ident $(@$only:ident)? = $text:expr;)*) => {
        $($(#[$doc])* pub(super) const $name: &str = $text;)*
        pub(super) const STATEMENTS: &[(&str, $crate::store::On, &str)] =
            &[$((stringify!($name), $crate::store::sql!(@on $($only)?), $name)),*];
    };
}
pub(crate) use sql;

/// Every statement of the product, by file, for the test that prepares all of them.
pub const STATEMENTS: &[&[(&str, On, &str)]] = &[
    answers::STATEMENTS,
    audit::STATEMENTS,
    cards::STATEMENTS,
    config::STATEMENTS,
    dialect::STATEMENTS,
    facts::STATEMENTS,
    lately::STATEMENTS,
    list::STATEMENTS,
    outbox::STATEMENTS,
    people::STATEMENTS,
    requests::STATEMENTS,
    sessions::STATEMENTS,
    stats::STATEMENTS,
    tokens::STATEMENTS,
    undelivered::STATEMENTS,
];

impl Db {
    /// Begins a unit that may write.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let conn = match self {
            Self::Sqlite { writer, .. } => Conn::Write(writer.lease().await?),
            Self::Postgres(pool) => {
                let pool = pool.clone();
                Conn::Postgres(whole(async move { pool.begin().await }).await?)
            }
        };
        Ok(Tx {
            conn,
            failed: false,
        })
    }

    /// A snapshot to read from; it cannot write.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        let conn = match self {
            Self::Sqlite { readers, .. } => {
                let readers = readers.clone();
                Conn::Read(whole(async move { readers.begin().await }).await?)
            }
            Self::Postgres(pool) => {
                let pool = pool.clone();
                let begin = async move { pool.begin_with(SNAPSHOT).await };
                Conn::Postgres(whole(begin).await?)
            }
        };
        Ok(Tx {
            conn,
            failed: false,
        })
    }

    /// Runs one use case as one unit: Ok commits, Err leaves nothing.
    pub async fn unit<T, E: From<StoreError>>(
        &self,
        use_case: impl AsyncFnOnce(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tx = self.begin().await?;
        let value = use_case(&mut tx).await?;
        tx.commit().await?;
        Ok(value)
    }

    /// What the database's own clock shows; none where it has the machine's.
    pub async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        let Self::Postgres(pool) = self else {
            return Ok(None);
        };
        let (ms,): (i64,) = sqlx::query_as(dialect::CLOCK).fetch_one(pool).await?;
        Ok(Some(Timestamp(ms)))
    }

    /// Whether other processes may serve the same database.
    pub fn has_replicas(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// How many units can decide at once without waiting for each other.
    pub fn deciders(&self) -> usize {
        match self {
            Self::Sqlite { .. } => 1,
            Self::Postgres(_) => 2,
        }
    }

    /// Waits for open units and closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A snapshot that cannot write.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Carries a beginning through although its caller gives up meanwhile: half begun, the connection would go back to the pool with an
/// open transaction that nobody knows of.
async fn whole<T: Send + 'static>(
    begin: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
) -> Result<T, StoreError> {
    let task = tokio::spawn(begin).await;
    Ok(task.map_err(|_| StoreError::Writer)??)
}

impl Tx {
    /// Keeps what the unit did, on disk.
    pub async fn commit(self) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Failed);
        }
        match self.conn {
            Conn::Write(lease) => lease.commit().await,
            Conn::Read(transaction) => Ok(transaction.commit().await?),
            Conn::Postgres(transaction) => Ok(transaction.commit().await?),
        }
    }
}
