//! Settings of every connection to a Postgres server. They ensure that a replica that stops during a transaction does not block the
//! others for long.

use super::{StoreError, sql};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor, PgPool, Row};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The hint for users of a connection pooler.
pub(super) const USE_THE_SERVER: &str = "Countersign keeps state on its connections (LISTEN, prepared statements, time-outs), so a pooler that \
     changes servers between transactions does not work; let DATABASE_URL name the server itself, or a pool with pool_mode = session";

/// Time limit for one attempt to find out why there is no connection.
const ASK_WHY: Duration = Duration::from_secs(1);
/// How long what was found out is told to others.
const WHY_HOLDS: Duration = Duration::from_secs(2);

/// When it was last asked why there is no connection, and the answer. However many transactions cannot begin, one connection at a
/// time is opened to find out.
#[derive(Debug, Default)]
pub struct LastWhy(Mutex<Option<(Instant, StoreError)>>);

impl LastWhy {
    /// Why no connection can be opened, and whether the server was asked for it just now.
    pub(super) async fn ask(&self, pool: &PgPool) -> (StoreError, bool) {
        let mut last = self.0.lock().await;
        if let Some((at, error)) = &*last
            && at.elapsed() < WHY_HOLDS
        {
            return (error.clone(), false);
        }
        let error = why_not(pool).await;
        *last = Some((Instant::now(), error.clone()));
        (error, true)
    }
}

sql! {
    // lock_timeout: longer than the 3 s that Slack waits, so that a decision that has begun can still count, and shorter than the
    // next timeout.
    // idle_in_transaction_session_timeout: a replica that stops during a transaction holds its locks no longer than this; compiling
    // the largest configuration between two statements takes less.
    // statement_timeout: as long as an API call may take.
    // keepalives: the server drops a replica whose machine is gone after 10 + 3 * 5 seconds, together with its locks.
    TIMEOUTS @postgres = "SELECT set_config('lock_timeout', '4s', false), set_config('statement_timeout', '15s', false),
        set_config('idle_in_transaction_session_timeout', '10s', false), set_config('tcp_keepalives_idle', '10', false),
        set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)";
    // a migration may take long; one that waits for another replica's migration, or for a lock, fails in time to report it
    MIGRATION_TIMEOUTS @postgres = "SELECT set_config('lock_timeout', '60s', false), set_config('statement_timeout', '0', false)";
    BACKEND @postgres = "SELECT pg_backend_pid()";
}

/// Sets the timeouts of a new connection.
pub(super) async fn apply(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    conn.execute(sqlx::raw_sql(TIMEOUTS)).await.map(|_| ())
}

/// Sets the timeouts for migrations; [`apply`] resets them.
pub(super) async fn let_migrate(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    conn.execute(sqlx::raw_sql(MIGRATION_TIMEOUTS))
        .await
        .map(|_| ())
}

/// Refuses a pooler that changes servers between transactions: it lets two open connections share one server process.
pub(super) async fn refuse_poolers(
    one: &mut PgConnection,
    other: &mut PgConnection,
) -> Result<(), StoreError> {
    if backend(one).await? == backend(other).await? {
        return Err(StoreError::CannotOpen(format!(
            "the database is behind a connection pooler such as PgBouncer with pool_mode = transaction. {USE_THE_SERVER}"
        )));
    }
    Ok(())
}

async fn backend(conn: &mut PgConnection) -> Result<i32, sqlx::Error> {
    // not prepared: prepared statements are the first thing that fails behind a pooler
    conn.fetch_one(sqlx::raw_sql(BACKEND)).await?.try_get(0)
}

/// Host and port, or the folder of the socket.
pub(super) fn place(options: &PgConnectOptions) -> String {
    options.get_socket().map_or_else(
        || format!("{}:{}", options.get_host(), options.get_port()),
        |socket| socket.display().to_string(),
    )
}

/// Why no connection could be opened. The pool retries until its time is over, and then reports only that.
pub(super) async fn why_not(pool: &PgPool) -> StoreError {
    let options = pool.connect_options();
    match tokio::time::timeout(ASK_WHY, options.connect()).await {
        Err(_) => StoreError::Unreachable(
            "there was no answer in time; check the network and the firewall".to_owned(),
        ),
        Ok(Err(error)) => StoreError::from(error),
        Ok(Ok(conn)) => {
            drop(conn.close().await);
            StoreError::Crowded
        }
    }
}

/// The error for a failed open, with address and hint.
pub(super) fn cannot_open(address: &str, error: &StoreError) -> StoreError {
    let cause = error.cause();
    let hint = if cause.contains("refused") {
        "; start Postgres there, or correct the host and the port in DATABASE_URL"
    } else if cause.contains("lookup") || cause.contains("resolve") {
        "; correct the host in DATABASE_URL"
    } else if cause.starts_with("TLS") {
        "; check sslmode and sslrootcert in DATABASE_URL"
    } else {
        ""
    };
    match error {
        StoreError::Unreachable(_) => StoreError::CannotOpen(format!(
            "the database server at {address} does not answer: {cause}{hint}"
        )),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::postgres::PgPoolOptions;

    #[tokio::test]
    async fn one_look_up_tells_everybody_why_there_is_no_connection_f1() {
        let nobody = PgConnectOptions::new().host("127.0.0.1").port(1);
        let pool = PgPoolOptions::new().connect_lazy_with(nobody);
        let last = LastWhy::default();
        let (one, other) = tokio::join!(last.ask(&pool), last.ask(&pool));
        assert!(one.1 != other.1, "one of them asked the server");
        assert_eq!(one.0.to_string(), other.0.to_string());
        let said = one.0.to_string();
        assert!(said.starts_with("the database does not answer"), "{said}");
    }
}
