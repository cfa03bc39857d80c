//! A fresh database for each test: an `SQLite` file, or its own schema on a real Postgres.

use countersign::store::Db;
use sqlx::{Connection, Executor, PgConnection};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// The size of a test's connection pool; the server allows a hundred connections for all tests.
const CONNECTIONS: u32 = 5;

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A database that is removed with the test.
pub struct Database {
    pub url: String,
    pub db: Db,
    kind: Kind,
    name: String,
}

/// A database that another client has locked.
pub enum Held {
    Sqlite(sqlx::SqliteConnection),
    Postgres(PgConnection),
}

impl Held {
    /// Releases the lock.
    pub async fn release(self) {
        match self {
            Self::Sqlite(mut conn) => {
                conn.execute("ROLLBACK").await.expect("released");
            }
            Self::Postgres(mut conn) => {
                conn.execute("ROLLBACK").await.expect("released");
            }
        }
    }
}

/// The Postgres server for tests; `None` if there is none (never in CI).
fn server() -> Option<String> {
    let named = std::env::var("COUNTERSIGN_TEST_POSTGRES").ok();
    let url = named
        .clone()
        .unwrap_or_else(|| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
    let address = url.rsplit_once('@').map_or(url.as_str(), |(_, rest)| rest);
    let address = address.split('/').next().unwrap_or(address);
    let answers = std::net::TcpStream::connect(address).is_ok();
    let wanted = named.is_some() || std::env::var_os("CI").is_some();
    assert!(
        answers || !wanted,
        "Postgres tests are wanted, but nobody answers at {address}"
    );
    answers.then_some(url)
}

fn fresh_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(
        "cs_{}_{count}_{}",
        std::process::id(),
        uuid::Uuid::now_v7().simple()
    )
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("{name}.db"))
}

impl Database {
    /// A fresh database, or `None` if there is no Postgres.
    pub async fn fresh(kind: Kind) -> Option<Self> {
        let name = fresh_name();
        let url = match kind {
            Kind::Sqlite => format!("sqlite://{}", file(&name).display()),
            Kind::Postgres => {
                let Some(server) = server() else {
                    eprintln!("SKIPPED: no Postgres answers, so this test ran on SQLite alone");
                    return None;
                };
                let mut conn = PgConnection::connect(&server)
                    .await
                    .expect("Postgres answers");
                conn.execute(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}")))
                    .await
                    .expect("a schema");
                format!("{server}?options=-c%20search_path%3D{name}")
            }
        };
        let db = Db::open_with(&url, CONNECTIONS)
            .await
            .expect("a migrated database");
        Some(Self {
            url,
            db,
            kind,
            name,
        })
    }

    /// Opens the database again, as another process would.
    pub async fn again(&self) -> Db {
        Db::open_with(&self.url, CONNECTIONS)
            .await
            .expect("the same database")
    }

    /// Runs a statement without the store, for tests that look at the tables. It must be plain SQL of both databases.
    pub async fn execute(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self.kind {
            Kind::Sqlite => {
                let mut conn = sqlx::SqliteConnection::connect(&self.url).await?;
                Ok(sqlx::query(sql).execute(&mut conn).await?.rows_affected())
            }
            Kind::Postgres => {
                let mut conn = PgConnection::connect(&self.url).await?;
                Ok(sqlx::query(sql).execute(&mut conn).await?.rows_affected())
            }
        }
    }

    /// Reads one number without the store.
    pub async fn count(&self, sql: &str) -> i64 {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let read = match self.kind {
            Kind::Sqlite => {
                let mut conn = sqlx::SqliteConnection::connect(&self.url)
                    .await
                    .expect("the file");
                sqlx::query_scalar(sql).fetch_one(&mut conn).await
            }
            Kind::Postgres => {
                let mut conn = PgConnection::connect(&self.url).await.expect("the server");
                sqlx::query_scalar(sql).fetch_one(&mut conn).await
            }
        };
        read.expect("a number")
    }

    /// Reads one text without the store.
    pub async fn text(&self, sql: &str) -> String {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let read = match self.kind {
            Kind::Sqlite => {
                let mut conn = sqlx::SqliteConnection::connect(&self.url)
                    .await
                    .expect("the file");
                sqlx::query_scalar(sql).fetch_one(&mut conn).await
            }
            Kind::Postgres => {
                let mut conn = PgConnection::connect(&self.url).await.expect("the server");
                sqlx::query_scalar(sql).fetch_one(&mut conn).await
            }
        };
        read.expect("a text")
    }

    /// Locks the database: no transaction ends until the lock is released.
    pub async fn hold(&self) -> Held {
        match self.kind {
            Kind::Sqlite => {
                let mut conn = sqlx::SqliteConnection::connect(&self.url)
                    .await
                    .expect("the file");
                conn.execute("BEGIN IMMEDIATE").await.expect("it is held");
                Held::Sqlite(conn)
            }
            Kind::Postgres => {
                let mut conn = PgConnection::connect(&self.url).await.expect("the server");
                conn.execute("BEGIN").await.expect("a transaction");
                let config = "SELECT pg_advisory_xact_lock(hashtext(current_schema()))";
                conn.execute(config).await.expect("it is held");
                Held::Postgres(conn)
            }
        }
    }

    /// Removes the database.
    pub async fn drop(self) {
        self.db.close().await;
        match self.kind {
            Kind::Sqlite => {
                for end in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{}{end}", file(&self.name).display()));
                }
            }
            Kind::Postgres => {
                let sql = sqlx::AssertSqlSafe(format!("DROP SCHEMA {} CASCADE", self.name));
                let mut conn = PgConnection::connect(&self.url)
                    .await
                    .expect("Postgres answers");
                conn.execute(sql).await.expect("the schema goes");
            }
        }
    }
}

/// Writes a test once and runs it on both databases: `on_both! { async fn name(kind) { .. } }`.
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($kind:ident) $body:block)*) => {
        $(async fn $name($kind: $crate::database::Kind) $body)*
        mod sqlite {
            $($(#[$attribute])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::database::Kind::Sqlite).await })*
        }
        mod postgres {
            $($(#[$attribute])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::database::Kind::Postgres).await })*
        }
    };
}
pub(crate) use on_both;

/// The same, and over HTTP and Socket Mode as well: `on_both_doors! { async fn name(stage) { .. } }`.
macro_rules! on_both_doors {
    ($($(#[$attribute:meta])* async fn $name:ident($stage:ident) $body:block)*) => {
        $(async fn $name($stage: $crate::world::Stage) $body)*
        $crate::database::on_both_doors! { @through http Http $($(#[$attribute])* $name)* }
        $crate::database::on_both_doors! { @through sockets Sockets $($(#[$attribute])* $name)* }
    };
    (@through $module:ident $wire:ident $($(#[$attribute:meta])* $name:ident)*) => {
        mod $module {
            mod sqlite {
                $($(#[$attribute])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::super::$name($crate::world::Stage {
                        kind: $crate::database::Kind::Sqlite,
                        wire: $crate::world::Wire::$wire,
                    }).await;
                })*
            }
            mod postgres {
                $($(#[$attribute])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::super::$name($crate::world::Stage {
                        kind: $crate::database::Kind::Postgres,
                        wire: $crate::world::Wire::$wire,
                    }).await;
                })*
            }
        }
    };
}
pub(crate) use on_both_doors;

/// A fresh database, or the end of the test if there is no Postgres.
macro_rules! fresh {
    ($kind:expr) => {
        match $crate::database::Database::fresh($kind).await {
            Some(database) => database,
            None => return,
        }
    };
}
pub(crate) use fresh;
