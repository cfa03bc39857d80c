//! The store alone: every statement prepares, and a failed transaction leaves nothing.

use crate::database::{Kind, fresh, on_both};
use crate::database_health::{Cable, Failover};
use crate::world::world;
use countersign::domain::time::Timestamp;
use countersign::store::{Db, On, STATEMENTS, StoreError, StoredResponse};
use futures::FutureExt as _;
use sqlx::{Connection, Executor, SqlSafeStr};
use std::collections::BTreeSet;

fn answer(key: &str) -> StoredResponse {
    StoredResponse {
        key: key.to_owned(),
        fingerprint: "f".to_owned(),
        answer: "a".to_owned(),
        keep_until: 10,
    }
}

async fn has(db: &Db, key: &str) -> bool {
    let mut tx = db.read().await.expect("a snapshot");
    !tx.answers(&[key]).await.expect("a read").is_empty()
}

on_both! {
    async fn every_statement_prepares(kind) {
        let database = fresh!(kind);
        let mut prepared = 0;
        for (name, on, text) in STATEMENTS.iter().copied().flatten() {
            let done = match (kind, on) {
                (Kind::Sqlite, On::Both | On::Sqlite) => {
                    let mut conn = sqlx::SqliteConnection::connect(&database.url).await.expect("the file");
                    conn.prepare(sqlx::AssertSqlSafe(*text).into_sql_str()).await.map(|_| ())
                }
                (Kind::Postgres, On::Both | On::Postgres) => {
                    let mut conn = sqlx::PgConnection::connect(&database.url).await.expect("the server");
                    conn.prepare(sqlx::AssertSqlSafe(*text).into_sql_str()).await.map(|_| ())
                }
                _ => continue,
            };
            assert!(done.is_ok(), "{name}: {:?}\n{text}", done.err());
            prepared += 1;
        }
        assert!(prepared > 50, "only {prepared} statements were found");
        database.drop().await;
    }

    async fn failed_transaction_leaves_nothing(kind) {
        let database = fresh!(kind);
        let failed: Result<(), StoreError> = database.db.transaction(async |tx| {
            assert!(tx.claim_answer(&answer("gone")).await?);
            Err(StoreError::Failed)
        }).await;
        assert!(failed.is_err());
        assert!(!has(&database.db, "gone").await);
        database.drop().await;
    }

    async fn transaction_with_a_swallowed_error_cannot_be_committed(kind) {
        let database = fresh!(kind);
        let done: Result<(), StoreError> = database.db.transaction(async |tx| {
            assert!(tx.claim_answer(&answer("half")).await?);
            // a card without a request breaks the foreign key; swallowing that error must not commit the rest
            let request = "req_00000000000000000000000000".parse().expect("an id");
            let _ = tx.insert_card(&request, &"C1".into(), Timestamp(0)).await;
            Ok(())
        }).await;
        assert!(matches!(done, Err(StoreError::Failed)), "{done:?}");
        assert!(!has(&database.db, "half").await);
        database.drop().await;
    }

    async fn idempotency_key_is_claimed_once_by_concurrent_transactions(kind) {
        let database = fresh!(kind);
        let takers = (0..40).map(|_| {
            let db = database.db.clone();
            tokio::spawn(async move { db.transaction::<_, StoreError>(async |tx| tx.claim_answer(&answer("one")).await).await })
        });
        let mut taken = 0;
        for taker in takers {
            taken += usize::from(taker.await.expect("no panic").expect("a commit"));
        }
        assert_eq!(taken, 1);
        database.drop().await;
    }

    /// A caller that is cancelled while its transaction begins leaves no open transaction on the connection.
    async fn caller_cancelled_during_begin_leaves_no_open_transaction(kind) {
        let database = fresh!(kind);
        for patience in (0..2_000).step_by(10) {
            for _ in 0..5 {
                let moments = async {
                    for _ in 0..patience {
                        tokio::task::yield_now().await;
                    }
                };
                tokio::select! {
                    biased;
                    () = moments => {}
                    begun = database.db.read() => drop(begun),
                }
            }
            let key = patience.to_string();
            let kept = database.db.transaction::<_, StoreError>(async |tx| tx.claim_answer(&answer(&key)).await).await;
            assert!(matches!(kept, Ok(true)), "after {patience} moments: {kept:?}");
        }
        database.drop().await;
    }

    async fn read_connection_cannot_write(kind) {
        let database = fresh!(kind);
        let mut tx = database.db.read().await.expect("a snapshot");
        assert!(tx.learn("x", "y").await.is_err());
        drop(tx);
        database.drop().await;
    }

    async fn audit_rows_cannot_be_changed_or_deleted(kind) {
        let database = fresh!(kind);
        let insert = "INSERT INTO audit (id, at, what, actor, via, prominent, detail) VALUES ('a', 1, 'w', 'bot', 'bot', FALSE, '{}')";
        database.execute(insert).await.expect("a row");
        for forbidden in [
            "DELETE FROM audit",
            "UPDATE audit SET what = 'x'",
            "UPDATE audit SET at = 2, seal = 1, hash = 'h'",
            "UPDATE audit SET seal = 1",
        ] {
            assert!(database.execute(forbidden).await.is_err(), "{forbidden}");
        }
        database.execute("UPDATE audit SET seal = 1, hash = 'h' WHERE id = 'a'").await.expect("the seal");
        for forbidden in ["UPDATE audit SET seal = 2, hash = 'i'", "UPDATE audit SET seal = NULL, hash = NULL"] {
            assert!(database.execute(forbidden).await.is_err(), "{forbidden}");
        }
        database.drop().await;
    }
}

#[test]
fn sql_parameters_are_numbered_from_one_without_gaps() {
    for (name, _, text) in STATEMENTS.iter().copied().flatten() {
        let mut numbers = BTreeSet::new();
        for after in text.split('$').skip(1) {
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            numbers.extend(digits.parse::<usize>());
        }
        let expected: BTreeSet<usize> = (1..=numbers.len()).collect();
        assert_eq!(numbers, expected, "{name}");
    }
}

#[test]
fn both_databases_have_migrations_of_the_same_names() {
    let names = |folder: &str| -> Vec<_> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .expect("migrations")
            .map(|entry| entry.expect("a file").file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("migrations/sqlite"), names("migrations/postgres"));
}

/// The ways to use a connection.
enum Visit {
    Transaction,
    Question,
    Time,
}

impl Visit {
    async fn pay(&self, db: &Db) {
        match self {
            Self::Transaction => drop(db.read().await.expect("a transaction")),
            Self::Question => {
                let version = db.ask(|tx| tx.config_version().boxed()).await;
                assert!(version.expect("an answer") > 0);
            }
            Self::Time => assert!(db.time().await.expect("an answer").is_some()),
        }
    }
}

/// As after a restart of the server: whoever comes next notices nothing.
#[tokio::test]
async fn connections_that_were_cut_while_idle_are_replaced_f1() {
    let world = world!(Kind::Postgres);
    let failover = Failover::of(&world).await;
    let db = Db::open(&failover.url).await.expect("the server");
    for first in [Visit::Transaction, Visit::Question, Visit::Time] {
        for ends_server_side in [false, true] {
            let opened = futures::future::join_all((0..4).map(|_| db.read())).await;
            drop(opened);
            if ends_server_side {
                failover.turn(&world, "off").await;
            }
            first.pay(&db).await;
        }
    }
    db.close().await;
    failover.end(&world).await;
    world.finish().await;
}

/// The cause is told while the bot runs, and not that all connections are in use.
#[tokio::test]
async fn connection_that_is_refused_later_is_reported_with_its_cause_f5() {
    let world = world!(Kind::Postgres);
    let mut cable = Cable::to(&world.database.url).await;
    let db = Db::open(&cable.url).await.expect("the server");
    cable.cut().await;
    let error = db.read().await.err().expect("nobody listens").to_string();
    assert!(error.contains("refused"), "{error}");
    assert!(!error.contains("in use"), "{error}");
    world.finish().await;
}
