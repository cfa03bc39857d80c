//! Rolling upgrades and roll-backs (threat ST12): migrations only add, and the previous release runs on this schema.

use crate::database::{Kind, fresh, on_both};
use crate::world::{DEPLOY, world};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use sqlx::{Connection, Executor, SqlSafeStr};
use std::collections::BTreeMap;
use std::path::Path;

/// A frozen statement of the first release: everything that it names must still exist.
#[derive(Deserialize)]
struct Frozen {
    file: String,
    name: String,
    on: String,
    sql: String,
}

fn frozen(kind: Kind) -> Vec<Frozen> {
    let all: Vec<Frozen> = serde_json::from_str(include_str!("data/statements-first-release.json"))
        .expect("statements");
    let elsewhere = match kind {
        Kind::Sqlite => "postgres",
        Kind::Postgres => "sqlite",
    };
    all.into_iter()
        .filter(|statement| statement.on != elsewhere)
        .collect()
}

/// For every table, a row with the columns that the first release writes and no later ones.
const WRITES: [&str; 8] = [
    "INSERT INTO config (version, document, digest, made_at, actor, reason) VALUES (7, '{}', 'd', 1, 'operator', NULL)",
    "INSERT INTO policy_versions (policy, version, template, made_at) VALUES ('p', 1, '{}', 1)",
    "INSERT INTO answers (key, fingerprint, answer, keep_until) VALUES ('k', 'f', 'a', 1)",
    "INSERT INTO facts (name, value) VALUES ('n', 'v')",
    "INSERT INTO tokens (id, name, secret_hash, principal, owners, scopes, created_at) VALUES ('t', 'n', 'h', 'operator', '[]', '[]', 1)",
    "INSERT INTO outbox (id, lane, message, request_id, due_at, attempt, failures, made_at) VALUES ('o', 0, '{}', NULL, 1, 0, 0, 1)",
    "INSERT INTO audit (id, at, what, actor, via, request_id, session_id, prominent, detail) VALUES ('a', 1, 'w', 'bot', 'bot', NULL, NULL, FALSE, '{}')",
    "INSERT INTO requests (id, number, version, status, kind, action, target, requester, submitted_by, authors, reason, digest, gates,
        observed, bypassed, excluded, session_id, ends_at, created_at, decided_at, replaces)
     VALUES ('r', 1, 1, 'pending', 'release', 'release.deploy', '{}', 'person:a', 'person:a', '[]', NULL, 'd', '[]', '[]', '[]', '{}', NULL, 9, 1, NULL, NULL)",
];

on_both! {
    async fn previous_release_runs_on_this_schema_st12(kind) {
        let database = fresh!(kind);
        let statements = frozen(kind);
        assert!(statements.len() > 50, "only {} statements are frozen", statements.len());
        for Frozen { file, name, sql, .. } in statements {
            let text = sqlx::AssertSqlSafe(sql).into_sql_str();
            let prepared = match kind {
                Kind::Sqlite => {
                    let mut conn = sqlx::SqliteConnection::connect(&database.url).await.expect("the file");
                    conn.prepare(text).await.map(|_| ())
                }
                Kind::Postgres => {
                    let mut conn = sqlx::PgConnection::connect(&database.url).await.expect("the server");
                    conn.prepare(text).await.map(|_| ())
                }
            };
            assert!(prepared.is_ok(), "{file} {name}: {:?}", prepared.err());
        }
        // a later column must not be required of a release that does not know it
        for write in WRITES {
            database.execute(write).await.unwrap_or_else(|error| panic!("{error}: {write}"));
        }
        database.drop().await;
    }

    /// A schema version that this release does not know does not stop it.
    async fn release_runs_on_the_next_schema_and_pending_requests_keep_meaning_st12(kind) {
        let mut world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.clicks("bob", "approve").await;
        let later = match kind {
            Kind::Sqlite => "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, X'00', 0)",
            Kind::Postgres => "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, '\\x00', 0)",
        };
        world.database.execute(later).await.expect("a row");
        world.database.execute("ALTER TABLE requests ADD COLUMN later TEXT").await.expect("a column");
        world.restart().await;
        assert!(world.card().contains("1 of 2 approvals"));
        world.clicks("carol", "approve").await;
        assert!(world.card().contains("#1 Approved"), "{}", world.card());
        world.finish().await;
    }
}

/// The only migration that moves rows: the rows are unchanged afterwards.
#[tokio::test]
async fn migration_that_moves_payloads_keeps_them_unchanged_st12() {
    let mut conn = sqlx::SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a database");
    let mut run = async |sql: &str| {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        conn.execute(sqlx::raw_sql(sql)).await.map(|_| ())
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("migrations")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let content = "é<&".repeat(300_000);
    for file in files {
        if file.ends_with("0007_payloads.sql") {
            run(WRITES[7]).await.expect("a request");
            let payload =
                format!("INSERT INTO payloads (request_id, content) VALUES ('r', '{content}')");
            run(&payload).await.expect("its payload");
        }
        let sql = std::fs::read_to_string(&file).expect("a migration");
        run(&sql)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
    let orphan = run("INSERT INTO payloads (request_id, content) VALUES ('nobody', 'x')").await;
    assert!(orphan.is_err(), "a payload without a request was taken");
    let kept: Vec<(String, String)> = sqlx::query_as("SELECT request_id, content FROM payloads")
        .fetch_all(&mut conn)
        .await
        .expect("payloads");
    assert_eq!(kept, [("r".to_owned(), content)]);
}

/// A published migration is never edited: databases that already have it would refuse to start, or differ for ever.
#[test]
fn migrations_are_only_ever_added_st12() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recorded: BTreeMap<&str, &str> = include_str!("data/migrations.sha256")
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(hash, file)| (file, hash))
        .collect();
    let mut found = BTreeMap::new();
    for database in ["postgres", "sqlite"] {
        let folder = root.join("migrations").join(database);
        for entry in std::fs::read_dir(folder).expect("migrations") {
            let name = entry.expect("a file").file_name();
            let file = format!("migrations/{database}/{}", name.display());
            let bytes = std::fs::read(root.join(&file)).expect("a migration");
            found.insert(file, hex::encode(Sha256::digest(bytes)));
        }
    }
    let found: BTreeMap<&str, &str> = found
        .iter()
        .map(|(file, hash)| (file.as_str(), hash.as_str()))
        .collect();
    assert_eq!(
        found, recorded,
        "a new migration is recorded by `sha256sum migrations/*/* > tests/it/data/migrations.sha256`; an old one is never changed"
    );
}
