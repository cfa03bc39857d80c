//! Opens a database: runs migrations, and checks the settings without which acknowledged commits could be lost.

use super::address::Address;
use super::writer::Writer;
use super::{Aside, Db, StoreError, files, settings};
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgConnection, SqliteConnection};
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of connections to a Postgres server, per replica.
const POSTGRES_CONNECTIONS: u32 = 12;
/// Minimum number of connections: with fewer, a pooler cannot be detected.
const FEWEST_CONNECTIONS: u32 = 2;
/// Prepared statements that a connection to an `SQLite` file keeps: more than there are.
const PREPARED_STATEMENTS: usize = 512;
/// How long a transaction waits for a connection.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(5);
/// Readers of an `SQLite` file; each is a thread.
const SQLITE_READERS: u32 = 4;
/// How long `SQLite` waits for another process, such as `countersign token`; equal to the lock timeout on Postgres.
const SQLITE_LOCK_TIMEOUT: Duration = Duration::from_secs(4);

impl Db {
    /// Opens `sqlite://FILE` or `postgres://..`, runs migrations and checks that commits are durable.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(url, POSTGRES_CONNECTIONS).await
    }

    /// Like [`Db::open`], with this number of connections to a Postgres server.
    pub async fn open_with(url: &str, connections: u32) -> Result<Self, StoreError> {
        match Address::parse(url)? {
            Address::Postgres(options) => open_postgres(*options, connections).await,
            Address::Sqlite(options) => open_sqlite(*options).await,
        }
    }

    /// Checks an address without opening the database.
    pub fn check_address(url: &str) -> Result<(), StoreError> {
        Address::parse(url).map(|_| ())
    }
}

async fn open_postgres(options: PgConnectOptions, connections: u32) -> Result<Db, StoreError> {
    let address = settings::place(&options);
    let pool = PgPoolOptions::new()
        .max_connections(connections.max(FEWEST_CONNECTIONS))
        .acquire_timeout(CONNECTION_DEADLINE)
        // the first statement tells; see `Lent`
        .test_before_acquire(false)
        .after_connect(|conn, _| Box::pin(settings::apply(conn)))
        .connect_lazy_with(options);
    let mut conn = match pool.acquire().await {
        Ok(conn) => conn,
        Err(sqlx::Error::PoolTimedOut) => {
            return Err(settings::cannot_open(
                &address,
                &settings::why_not(&pool).await,
            ));
        }
        Err(error) => return Err(settings::cannot_open(&address, &error.into())),
    };
    let mut other = pool.acquire().await?;
    settings::refuse_poolers(&mut conn, &mut other).await?;
    drop(other);
    check_postgres(&mut conn).await?;
    let mut migrations = sqlx::migrate!("migrations/postgres");
    migrations.set_ignore_missing(true); // lets the previous release run on the newer schema
    settings::let_migrate(&mut conn).await?;
    migrations.run(&mut *conn).await.map_err(not_migrated)?;
    settings::apply(&mut conn).await?;
    drop(conn);
    Ok(Db::Postgres {
        pool,
        address: address.into(),
        last_why: Arc::default(),
        aside: Aside::default(),
    })
}

/// The error for a schema that this release cannot use.
fn not_migrated(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            match StoreError::from(error) {
                StoreError::TooSlow(_) => StoreError::CannotOpen(
                    "the database could not be migrated: another replica is migrating it, or holds a lock; start again when it has ended".to_owned(),
                ),
                StoreError::NotWritable(why) => StoreError::NotWritable(why),
                other => StoreError::CannotOpen(format!("the database could not be migrated: {other}")),
            }
        }
        other => StoreError::CannotOpen(format!("the database could not be migrated: {other}")),
    }
}

async fn check_postgres(conn: &mut PgConnection) -> Result<(), StoreError> {
    for setting in ["fsync", "synchronous_commit"] {
        let (value,): (String,) = sqlx::query_as("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(&mut *conn)
            .await?;
        if value == "off" {
            return Err(StoreError::NotDurable(format!(
                "Postgres runs with {setting} = off, so an acknowledged decision could be lost; turn it on"
            )));
        }
    }
    Ok(())
}

async fn open_sqlite(options: SqliteConnectOptions) -> Result<Db, StoreError> {
    let options = options
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(SQLITE_LOCK_TIMEOUT)
        .statement_cache_capacity(PREPARED_STATEMENTS);
    let file = options.get_filename().to_owned();
    files::keep_private(&file)?;
    let cannot = |error: sqlx::Error| match StoreError::from(error) {
        StoreError::Unreachable(why) => StoreError::CannotOpen(format!(
            "the database file {} cannot be opened: {why}",
            file.display()
        )),
        other => other,
    };
    let mut conn = SqliteConnection::connect_with(&options)
        .await
        .map_err(cannot)?;
    check_sqlite(&mut conn).await?;
    let mut migrations = sqlx::migrate!("migrations/sqlite");
    migrations.set_ignore_missing(true);
    migrations.run(&mut conn).await.map_err(not_migrated)?;
    conn.close().await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .connect_with(options.clone().pragma("query_only", "on"))
        .await?;
    Ok(Db::Sqlite {
        writer: Writer::start(options).await?,
        readers,
        aside: Aside::default(),
    })
}

async fn check_sqlite(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let (journal,): (String,) = sqlx::query_as("PRAGMA journal_mode")
        .fetch_one(&mut *conn)
        .await?;
    let (synchronous,): (i64,) = sqlx::query_as("PRAGMA synchronous")
        .fetch_one(&mut *conn)
        .await?;
    if journal != "wal" || synchronous < 2 {
        return Err(StoreError::NotDurable(format!(
            "SQLite runs with journal_mode = {journal} and synchronous = {synchronous}; it must be a file on a disk that \
             allows WAL with synchronous = FULL"
        )));
    }
    Ok(())
}
