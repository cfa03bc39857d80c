//! A database for one round, and what it counts.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use std::path::PathBuf;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// Its name, as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        }
    }
}

/// A database that is removed after the round.
pub struct Database {
    pub kind: Kind,
    /// What the program connects to.
    pub url: String,
    name: String,
}

/// What Postgres has done so far.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Bytes of write-ahead log.
    pub wal: i64,
    /// Transactions.
    pub transactions: i64,
    /// Sequential scans of tables.
    pub scans: i64,
}

fn server() -> String {
    std::env::var("COUNTERSIGN_TEST_POSTGRES")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned())
}

impl Database {
    /// An empty database.
    pub async fn fresh(kind: Kind) -> Self {
        let name = format!("bench_{}", uuid::Uuid::now_v7().simple());
        let url = match kind {
            Kind::Sqlite => format!("sqlite://{}", file(&name).display()),
            Kind::Postgres => {
                run(&server(), &format!("CREATE DATABASE {name}")).await;
                let (host, _) = server_and_database();
                format!("{host}/{name}")
            }
        };
        Self { kind, url, name }
    }

    /// The number that a statement reads.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.kind {
            Kind::Sqlite => {
                let mut conn = SqliteConnection::connect(&self.url)
                    .await
                    .expect("the file");
                sqlx::query_scalar(sql).fetch_one(&mut conn).await
            }
            Kind::Postgres => {
                let mut conn = PgConnection::connect(&self.url).await.expect("the server");
                sqlx::query_scalar(sql).fetch_one(&mut conn).await
            }
        }
        .expect("a number")
    }

    /// What Postgres has done so far; nothing on `SQLite`.
    pub async fn work(&self) -> Option<Work> {
        if self.kind == Kind::Sqlite {
            return None;
        }
        let wal = "SELECT CAST(pg_current_wal_lsn() - '0/0' AS BIGINT)";
        let transactions = "SELECT CAST(xact_commit AS BIGINT) FROM pg_stat_database WHERE datname = current_database()";
        // only tables that grow: reading a page of settings whole is right
        let scans = "SELECT CAST(coalesce(sum(seq_scan), 0) AS BIGINT) FROM pg_stat_user_tables
            WHERE relname IN ('requests', 'audit', 'decisions', 'cards', 'payloads', 'outbox', 'answers', 'follow_ups')";
        Some(Work {
            wal: self.number(wal).await,
            transactions: self.number(transactions).await,
            scans: self.number(scans).await,
        })
    }

    /// Removes the database.
    pub async fn remove(self) {
        match self.kind {
            Kind::Sqlite => {
                for end in ["", "-wal", "-shm"] {
                    // a file that is not there needs no removal
                    let _ = std::fs::remove_file(format!("{}{end}", file(&self.name).display()));
                }
            }
            Kind::Postgres => {
                run(
                    &server(),
                    &format!("DROP DATABASE {} WITH (FORCE)", self.name),
                )
                .await;
            }
        }
    }
}

/// The server's address without the name of a database, and that name.
pub fn server_and_database() -> (String, String) {
    let server = server();
    let (host, database) = server.rsplit_once('/').expect("an address with a database");
    (host.to_owned(), database.to_owned())
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("{name}.db"))
}

async fn run(url: &str, sql: &str) {
    let mut conn = PgConnection::connect(url).await.expect("Postgres answers");
    conn.execute(AssertSqlSafe(sql.to_owned()))
        .await
        .expect("it is done");
}
