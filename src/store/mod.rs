//! SQL, rows and transactions, over `SQLite` and Postgres. This module contains no business rules.

mod address;
mod aside;
mod audit;
mod card_health;
mod cards;
mod config;
mod config_history;
mod connection;
mod decide;
pub(crate) mod dialect;
mod emails;
mod error;
mod files;
mod follow_ups;
mod homes;
mod keys;
mod known_facts;
pub(crate) mod lent;
mod list;
mod notices;
mod notify;
mod outbox;
mod pauses;
mod people;
mod preferences;
mod recent_decisions;
mod request_row;
mod requests;
mod session_row;
mod sessions;
mod settings;
mod sign_ins;
mod stats;
mod stored_responses;
mod threads;
mod tokens;
mod undelivered;
mod unreadable;
mod webhooks;
mod writer;

pub use aside::{Aside, SetAside, SweepCursor};
pub use audit::{Logged, Sealed, TimelineRow, Unsealed};
pub use cards::{Card, Direct, DueCard, Form};
pub use config::ConfigRow;
pub use config_history::ConfigVersion;
pub use decide::{BatchChanges, DecisionRow};
pub use error::StoreError;
pub use follow_ups::FollowUpRow;
pub use list::{ListQuery, Listed};
pub use notify::Wakes;
pub use outbox::{Claimed, DueMessage};
pub use pauses::ChannelLane;
pub use requests::{Loaded, OverdueRequests};
pub use sessions::SessionPost;
pub use stats::{Backlog, Latest};
pub use stored_responses::StoredResponse;
pub use threads::{HeldThread, Thread};
pub use undelivered::{DeadMessage, StuckCard};
pub use unreadable::{UNREADABLE_ROWS, Unreadable};
pub use webhooks::FailingEndpoint;

use crate::domain::time::Timestamp;
use futures::future::BoxFuture;
use sqlx::{PgPool, Sqlite, SqlitePool, Transaction};
use std::sync::Arc;
use std::time::Duration;
use tracing::{Instrument as _, debug_span};

/// Converts a column into a domain value. An unreadable value is an error and never becomes a default.
pub(crate) fn read<T, E: std::fmt::Display>(
    what: &str,
    value: Result<T, E>,
) -> Result<T, StoreError> {
    value.map_err(|error| StoreError::Unreadable(format!("{what}: {error}")))
}

/// Serialises a value to JSON for storage.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    read("JSON", serde_json::to_string(value))
}

/// One of the two databases.
#[derive(Debug, Clone)]
pub enum Db {
    /// An embedded database: one writer, which commits several transactions together, and separate readers.
    Sqlite {
        /// The only connection that writes.
        writer: writer::Writer,
        /// Read-only connections.
        readers: SqlitePool,
        /// Rows that this release cannot read.
        aside: Aside,
    },
    /// A Postgres server, for many replicas.
    Postgres {
        /// The connections, each with its timeouts.
        pool: PgPool,
        /// Host and port, or the folder of the socket, for error messages.
        address: Arc<str>,
        /// Why there was no connection when it was last asked.
        last_why: Arc<settings::LastWhy>,
        /// Rows that this release cannot read.
        aside: Aside,
    },
}

/// The connection that a transaction runs on.
pub(crate) enum Conn {
    Write(writer::Lease),
    Read(Transaction<'static, Sqlite>),
    Postgres(lent::Lent),
}

/// One transaction. Its changes are lost unless the commit succeeds.
pub struct Tx {
    pub(crate) conn: Conn,
    pub(crate) failed: bool,
    pub(crate) aside: Aside,
}

/// Runs the same expression on either database. After an error, the transaction can no longer be committed: Postgres would report
/// success for the commit and keep nothing, and `SQLite` would keep the other changes.
macro_rules! on_db {
    ($tx:expr, |$c:ident| $run:expr) => {{
        let tx: &mut $crate::store::Tx = $tx;
        if tx.failed {
            Err($crate::store::StoreError::Failed)
        } else {
            let done = match &mut tx.conn {
                $crate::store::Conn::Write(t) => {
                    let $c = t.conn();
                    $run.map_err($crate::store::StoreError::from)
                }
                $crate::store::Conn::Read(t) => {
                    let $c = &mut **t;
                    $run.map_err($crate::store::StoreError::from)
                }
                $crate::store::Conn::Postgres(t) => {
                    let $c = t.conn();
                    $crate::store::lent::statement_answered(async { $run }).await
                }
            };
            if done.is_err() {
                tx.failed = true;
            }
            done
        }
    }};
}
pub(crate) use on_db;

/// Which database a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The same text on both databases.
    Both,
    /// The `SQLite` text of a statement that differs between the databases.
    Sqlite,
    /// The Postgres text of a statement that differs between the databases.
    Postgres,
}

/// Declares the statements of a file and lists them for the test that prepares all statements.
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

/// All statements, by file, for the test that prepares all of them.
pub const STATEMENTS: &[&[(&str, On, &str)]] = &[
    stored_responses::STATEMENTS,
    audit::STATEMENTS,
    card_health::STATEMENTS,
    cards::STATEMENTS,
    config::STATEMENTS,
    config_history::STATEMENTS,
    dialect::STATEMENTS,
    emails::STATEMENTS,
    known_facts::STATEMENTS,
    follow_ups::STATEMENTS,
    homes::STATEMENTS,
    recent_decisions::STATEMENTS,
    list::STATEMENTS,
    notices::STATEMENTS,
    outbox::STATEMENTS,
    pauses::STATEMENTS,
    people::STATEMENTS,
    preferences::STATEMENTS,
    requests::STATEMENTS,
    sessions::STATEMENTS,
    settings::STATEMENTS,
    sign_ins::STATEMENTS,
    stats::STATEMENTS,
    threads::STATEMENTS,
    tokens::STATEMENTS,
    undelivered::STATEMENTS,
    webhooks::STATEMENTS,
];

impl Db {
    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let conn = match self {
            Self::Sqlite { writer, .. } => Conn::Write(writer.lease().await?),
            Self::Postgres { pool, .. } => {
                let begun = lent::Lent::begin(pool, "BEGIN").await;
                Conn::Postgres(self.explained(begun).await?)
            }
        };
        Ok(self.unit_on(conn))
    }

    /// Begins a read-only transaction on a snapshot.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        let conn = match self {
            Self::Sqlite { readers, .. } => {
                let readers = readers.clone();
                Conn::Read(whole(async move { readers.begin().await }).await?)
            }
            Self::Postgres { pool, .. } => {
                let begun = lent::Lent::begin(pool, SNAPSHOT).await;
                Conn::Postgres(self.explained(begun).await?)
            }
        };
        Ok(self.unit_on(conn))
    }

    /// Reads by one statement. On Postgres that is one round trip: there is no transaction around it, and its answer shows that the
    /// connection lives. If the connection was cut while it was idle, the statement runs again on the next one.
    pub async fn ask<T>(
        &self,
        read: impl for<'a> Fn(&'a mut Tx) -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let Self::Postgres { pool, .. } = self else {
            return read(&mut self.read().await?).await;
        };
        let mut idle_ones = pool.num_idle();
        loop {
            let lent = self.explained(lent::Lent::of(pool).await).await?;
            let mut tx = self.unit_on(Conn::Postgres(lent));
            match read(&mut tx).await {
                Err(StoreError::Unreachable(_)) if idle_ones > 0 => {
                    idle_ones -= 1;
                    tx.close();
                }
                answer => return answer,
            }
        }
    }

    fn unit_on(&self, conn: Conn) -> Tx {
        Tx {
            conn,
            failed: false,
            aside: self.aside().clone(),
        }
    }

    /// The rows that this release could not read so far.
    pub fn aside(&self) -> &Aside {
        match self {
            Self::Sqlite { aside, .. } | Self::Postgres { aside, .. } => aside,
        }
    }

    /// Replaces the pool's error by the cause. The pool only reports that no connection became free in time. If it has room for
    /// more connections, the server refused them, so this asks the server why.
    async fn explained<T>(&self, begun: Result<T, StoreError>) -> Result<T, StoreError> {
        let Self::Postgres {
            pool,
            address,
            last_why,
            ..
        } = self
        else {
            return begun;
        };
        let Err(StoreError::Crowded) = &begun else {
            return begun;
        };
        if pool.size() >= pool.options().get_max_connections() {
            return begun;
        }
        let (error, asked_now) = last_why.ask(pool).await;
        if asked_now {
            tracing::warn!(%address, %error, "no connection to the database");
        }
        Err(error)
    }

    /// Why no connection can be opened now; `None` if one can be opened.
    pub async fn why_no_connection(&self) -> Option<StoreError> {
        let Self::Postgres { pool, last_why, .. } = self else {
            return None;
        };
        let (error, _) = last_why.ask(pool).await;
        (!matches!(error, StoreError::Crowded)).then_some(error)
    }

    /// Runs one use case as one transaction: `Ok` commits, `Err` rolls back. A deadline ensures that no call waits forever for a
    /// server that disappeared.
    pub async fn transaction<T, E: From<StoreError>>(
        &self,
        use_case: impl AsyncFnOnce(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        let whole = async {
            let mut tx = self.begin().await?;
            let value = use_case(&mut tx).await?;
            tx.commit().await?;
            Ok(value)
        };
        let whole = whole.instrument(debug_span!("transaction"));
        let in_time = tokio::time::timeout(UNIT_DEADLINE, whole).await;
        in_time
            .unwrap_or_else(|_| Err(StoreError::TooSlow("there was no answer".to_owned()).into()))
    }

    /// The database's files that other users of the machine can read; empty for Postgres.
    pub fn files_open_to_others(&self) -> Vec<std::path::PathBuf> {
        match self {
            Self::Sqlite { readers, .. } => {
                files::open_to_others(readers.connect_options().get_filename())
            }
            Self::Postgres { .. } => Vec::new(),
        }
    }

    /// The time of the database's own clock; `None` for `SQLite`, which uses the machine's clock.
    pub async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        let Self::Postgres { pool, .. } = self else {
            return Ok(None);
        };
        let mut lent = lent::Lent::alive(pool).await?;
        let asked = sqlx::query_as(dialect::CLOCK).fetch_one(lent.conn());
        let (ms,): (i64,) = answered(asked).await?;
        Ok(Some(Timestamp(ms)))
    }

    /// What is degraded in the store's own tasks, one sentence each.
    pub fn degraded(&self) -> Vec<String> {
        match self {
            Self::Sqlite { writer, .. } => writer.degraded(),
            Self::Postgres { .. } => Vec::new(),
        }
    }

    /// Whether other replicas may use the same database.
    pub fn has_replicas(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// How many transactions can decide at once without waiting for each other.
    pub fn deciders(&self) -> usize {
        match self {
            Self::Sqlite { .. } => 1,
            Self::Postgres { .. } => 2,
        }
    }

    /// Waits for open transactions and closes all connections. A server that disappeared does not keep it waiting.
    pub async fn close(&self) {
        match self {
            Self::Sqlite {
                writer, readers, ..
            } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { pool, address, .. } => {
                let closed = tokio::time::timeout(ANSWER_DEADLINE, pool.close()).await;
                if closed.is_err() {
                    tracing::warn!(%address, "the connections to the database were not closed in time");
                }
            }
        }
    }
}

/// Longer than any transaction takes. After this time no caller waits for the result, so a later commit would be useless.
const UNIT_DEADLINE: Duration = Duration::from_mins(1);

/// How long the server may take to answer a question outside a transaction, or to take leave.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// The answer to a question outside a transaction. A server that disappeared does not keep the caller waiting.
async fn answered<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    answered_within(ANSWER_DEADLINE, asked).await
}

async fn answered_within<T>(
    deadline: Duration,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(deadline, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::TooSlow("there was no answer".to_owned())),
    }
}

/// Begins a read-only snapshot.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Completes the begin of a transaction even if the caller gives up. Otherwise, the connection could return to the pool with an
/// open transaction.
async fn whole<T: Send + 'static>(
    begin: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
) -> Result<T, StoreError> {
    let task = tokio::spawn(begin).await;
    Ok(task.map_err(|_| StoreError::Writer)??)
}

impl Tx {
    /// Closes a connection that no longer answers instead of giving it back.
    fn close(self) {
        if let Conn::Postgres(lent) = self.conn {
            lent.close();
        }
    }

    /// Commits the transaction durably.
    pub async fn commit(self) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Failed);
        }
        match self.conn {
            Conn::Write(lease) => lease.commit().await,
            Conn::Read(transaction) => Ok(transaction.commit().await?),
            Conn::Postgres(lent) => lent.commit().await,
        }
    }
}
