//! Opening a database: migrations, and the settings without which acknowledged commits could be lost.

use super::writer::Writer;
use super::{Db, StoreError, read};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgPool, SqliteConnection};
use std::time::Duration;

/// Connections to a Postgres server, per replica.
const POSTGRES_CONNECTIONS: u32 = 12;
/// Readers of an `SQLite` file; each is a thread.
const SQLITE_READERS: u32 = 4;

impl Db {
    /// Opens `sqlite://FILE` or `postgres://..`, migrates it and checks that it is durable.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(url, POSTGRES_CONNECTIONS).await
    }

    /// The same with so many connections to a Postgres server.
    pub async fn open_with(url: &str, connections: u32) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return open_postgres(url, connections).await;
        }
        if url.starts_with("sqlite:") {
            return open_sqlite(url).await;
        }
        Err(StoreError::NotDurable(
            "DATABASE_URL must begin with `sqlite://` or `postgres://`".to_owned(),
        ))
    }
}

async fn open_postgres(url: &str, connections: u32) -> Result<Db, StoreError> {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(5))
        .connect(url)
        .await?;
    check_postgres(&pool).await?;
    let mut migrations = sqlx::migrate!("migrations/postgres");
    migrations.set_ignore_missing(true); // the previous release runs on the new schema
    read("migration", migrations.run(&pool).await)?;
    Ok(Db::Postgres(pool))
}

async fn check_postgres(pool: &PgPool) -> Result<(), StoreError> {
    for setting in ["fsync", "synchronous_commit"] {
        let (value,): (String,) = sqlx::query_as("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(pool)
            .await?;
        if value == "off" {
            return Err(StoreError::NotDurable(format!(
                "Postgres runs with {setting} = off, so an acknowledged decision could be lost; turn it on"
            )));
        }
    }
    Ok(())
}

async fn open_sqlite(url: &str) -> Result<Db, StoreError> {
    let options = url
        .parse::<SqliteConnectOptions>()?
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5));
    let mut conn = SqliteConnection::connect_with(&options).await?;
    check_sqlite(&mut conn).await?;
    let mut migrations = sqlx::migrate!("migrations/sqlite");
    migrations.set_ignore_missing(true);
    read("migration", migrations.run(&mut conn).await)?;
    conn.close().await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .connect_with(options.clone().pragma("query_only", "on"))
        .await?;
    Ok(Db::Sqlite {
        writer: Writer::start(options).await?,
        readers,
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
