//! The cost of a request in the store does not grow with the number of past requests: no statement scans a growing table, and every lookup
//! uses an index. Both databases are asked for their query plans.

use crate::database::{Kind, fresh, on_both};
use countersign::store::{On, STATEMENTS};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};
use std::collections::BTreeSet;

/// The tables that grow with use.
const GROWING: [&str; 8] = [
    "requests",
    "payloads",
    "decisions",
    "audit",
    "answers",
    "cards",
    "outbox",
    "config",
];
/// Partial indexes that hold only unfinished work: scanning one does not touch past rows.
const OF_WORK: [&str; 12] = [
    "outbox_endpoints",
    "outbox_webhooks_made",
    "outbox_emails",
    "outbox_emails_made",
    "cards_to_post",
    "cards_to_update",
    "outbox_due",
    "cards_set_aside",
    "outbox_set_aside",
    "audit_unsealed",
    "requests_waiting",
    "requests_identical",
];
/// Statements that no request, decision or list runs, with the reason why they may scan a table.
const EXEMPT: [(&str, &str); 10] = [
    ("LAST_SEAL", "reads one row, the last of its index"),
    (
        "DEAD",
        "counts what could not be delivered, for the metrics; delivered rows are gone from that table",
    ),
    (
        "ASKED_LATELY",
        "reads so many rows and no more, from the end of an index, for statistics",
    ),
    ("DEAD_MESSAGES", "lists them when an operator asks"),
    ("STUCK_CARDS", "lists them when an operator asks"),
    ("RETRY_MESSAGES", "when an operator says so"),
    ("RETRY_CARDS", "when an operator says so"),
    ("LATEST", "reads one row, from the end of its key"),
    ("MADE_AT", "reads one row, from the end of its key"),
    (
        "LATEST_EVENTS",
        "reads the few rows that are shown, from the end of their key",
    ),
];

/// The lines of an `SQLite` plan that scan a growing table.
async fn sqlite(url: &str, text: &str) -> Vec<String> {
    let mut conn = sqlx::SqliteConnection::connect(url)
        .await
        .expect("the file");
    let mut bad = Vec::new();
    for one in text.split(';').filter(|one| !one.trim().is_empty()) {
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {one}"));
        let rows = conn.fetch_all(sql).await.expect("a plan");
        for row in rows {
            let line: String = row.get("detail");
            let Some(scanned) = line.strip_prefix("SCAN ") else {
                continue;
            };
            let index = scanned.split("INDEX ").nth(1).unwrap_or_default();
            // the plan shows a table under its alias: `SCAN r`
            let name = scanned.split(' ').next().unwrap_or_default();
            let table = table_of(one, name);
            if GROWING.contains(&table) && !OF_WORK.contains(&index) {
                bad.push(line);
            }
        }
    }
    bad
}

/// The table of an alias in a statement: `requests` for `r` in `FROM requests r`.
fn table_of<'a>(text: &'a str, name: &'a str) -> &'a str {
    let words: Vec<&str> = text.split_whitespace().collect();
    let aliased = words.windows(2).find(|pair| {
        let alias = pair[1].trim_end_matches([')', ',']);
        alias == name && GROWING.contains(&pair[0])
    });
    aliased.map_or(name, |pair| pair[0])
}

/// The lines of a Postgres plan that scan a growing table although every usable index may be used. A condition on the second column of an
/// index counts as a lookup here; the plans of `SQLite` reveal it.
async fn postgres(url: &str, text: &str) -> Vec<String> {
    let mut conn = sqlx::PgConnection::connect(url).await.expect("the server");
    for off in ["seqscan", "hashjoin", "mergejoin"] {
        let sql = AssertSqlSafe(format!("SET enable_{off} = off"));
        conn.execute(sql).await.expect("a setting");
    }
    let places: BTreeSet<usize> = text
        .split('$')
        .skip(1)
        .filter_map(|after| {
            let digits = after.split(|sign: char| !sign.is_ascii_digit()).next()?;
            digits.parse().ok()
        })
        .collect();
    let nothing = vec!["NULL"; places.len()].join(", ");
    let given = if places.is_empty() {
        String::new()
    } else {
        format!("({nothing})")
    };
    let prepare = format!("PREPARE it AS {text}");
    for sql in ["SET plan_cache_mode = force_generic_plan", prepare.as_str()] {
        let sql = AssertSqlSafe(sql.to_owned());
        conn.execute(sqlx::raw_sql(sql)).await.expect("prepared");
    }
    let sql = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) EXECUTE it{given}"));
    let rows = sqlx::raw_sql(sql)
        .fetch_all(&mut conn)
        .await
        .expect("a plan");
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let reads_through = |at: usize, line: &str| {
        let on = line.split(" on ").nth(1).unwrap_or_default();
        let table = on.split_whitespace().next().unwrap_or_default();
        if line.contains("Seq Scan on") {
            return GROWING.contains(&table);
        }
        let by_index = line.contains("Index Scan") || line.contains("Index Only Scan");
        let of_work = OF_WORK
            .iter()
            .any(|index| line.contains(&format!(" {index} ")) || line.ends_with(index));
        let looks_up = lines
            .get(at + 1)
            .is_some_and(|next| next.contains("Index Cond"));
        by_index && !of_work && !looks_up && (GROWING.contains(&table) || line.contains("Bitmap"))
    };
    lines
        .iter()
        .enumerate()
        .filter(|(at, line)| reads_through(*at, line))
        .map(|(_, line)| line.trim().to_owned())
        .collect()
}

on_both! {
    async fn no_statement_scans_a_growing_table(kind) {
        let database = fresh!(kind);
        let (mut looked_at, mut bad) = (0, Vec::new());
        for (name, on, text) in STATEMENTS.iter().copied().flatten() {
            let lines = match (kind, on) {
                (Kind::Sqlite, On::Both | On::Sqlite) => sqlite(&database.url, text).await,
                (Kind::Postgres, On::Both | On::Postgres) => postgres(&database.url, text).await,
                _ => continue,
            };
            looked_at += 1;
            if !EXEMPT.iter().any(|(exempt, _)| exempt == name) {
                bad.extend(lines.iter().map(|line| format!("{name}: {line}")));
            }
        }
        assert!(looked_at > 50, "only {looked_at} statements were found");
        assert_eq!(bad, Vec::<String>::new());
        database.drop().await;
    }

    /// Shows that the test above can fail.
    async fn a_statement_without_an_index_is_found(kind) {
        let database = fresh!(kind);
        for text in ["SELECT id FROM requests WHERE reason = $1", "SELECT r.id FROM requests r WHERE r.action = $1", "SELECT count(*) FROM decisions WHERE comment = $1"] {
            let lines = match kind {
                Kind::Sqlite => sqlite(&database.url, text).await,
                Kind::Postgres => postgres(&database.url, text).await,
            };
            assert_eq!(lines.len(), 1, "{text}: {lines:?}");
        }
        database.drop().await;
    }
}

/// The size of a store, and of a batch that is small in comparison. For a large part of a small table a full scan would be correct.
struct Size {
    before: i64,
    rows: i64,
    batch: usize,
    modes: &'static [&'static str],
}

/// Postgres plans for the given values, and for any values; the second kind only estimates ten rows.
const MODES: [&str; 2] = ["force_custom_plan", "force_generic_plan"];

/// Most installations are between the first and the last.
const SIZES: [Size; 3] = [
    Size {
        before: 0,
        rows: 1_000,
        batch: 1,
        modes: &["force_custom_plan"],
    },
    Size {
        before: 1_000,
        rows: 10_000,
        batch: 4,
        modes: &MODES,
    },
    Size {
        before: 10_000,
        rows: 100_000,
        batch: 64,
        modes: &MODES,
    },
];

/// Adds rows as in a large installation, with numbers in a range: one payload, decision, card, stored response and audit row each.
async fn fill(conn: &mut sqlx::PgConnection, size: &Size) {
    let numbers = format!("generate_series({}, {}) AS n", size.before + 1, size.rows);
    for (table, columns) in [
        ("requests (id, number, version, status, kind, action, target, requester, submitted_by, authors, reason, digest, gates, observed,
            bypassed, excluded, session_id, ends_at, created_at, decided_at, replaces)",
         "'r' || n, n, 1, 'completed', 'release', 'release.deploy', '{}', 'person:a', 'person:a', '[]', NULL, 'sha256:' || repeat('0', 64),
            repeat('g', 600), '[]', '[]', '{}', NULL, NULL, n, n, NULL"),
        ("payloads (request_id, content)", "'r' || n, repeat('p', 200)"),
        ("decisions (request_id, person, verdict, comment, teams, roles, digest, pages, at, via)",
         "'r' || n, 'b', 'approve', NULL, '[]', '[]', 'd', '[]', n, 'api'"),
        ("cards (request_id, channel, ts, shown, touched, due_at, attempt, failures)", "'r' || n, 'C1', 't', 's', 1, NULL, 1, 0"),
        ("answers (key, fingerprint, answer, keep_until)", "'k' || n, 'f', 'a', n"),
        ("audit (id, at, what, actor, via, request_id, session_id, prominent, detail, seal, hash)",
         "'a' || n, n, 'request.created', 'person:a', 'api', 'r' || n, NULL, FALSE, repeat('d', 300), n, 'h' || n"),
    ] {
        let sql = format!("INSERT INTO {table} SELECT {columns} FROM {numbers}");
        conn.execute(AssertSqlSafe(sql)).await.expect(table);
    }
}

/// The lines of the plan that Postgres chooses for a batch, as far as they scan a growing table.
async fn plan_of_a_batch(
    conn: &mut sqlx::PgConnection,
    text: &str,
    (batch, mode): (usize, &str),
) -> Vec<String> {
    let ids: Vec<String> = (1..=batch).map(|n| format!("r{n}")).collect();
    let rows: Vec<String> = ids
        .iter()
        .map(|id| format!(r#"{{"r":"{id}","i":"{id}","s":"1","h":"h"}}"#))
        .collect();
    let (array, rows) = (
        format!("'{{{}}}'", ids.join(",")),
        format!("'[{}]'", rows.join(",")),
    );
    // lists of ids are typed arrays, other lists are rows in JSON, and the rest are numbers
    let given = |place: usize| {
        let is = |cast: &str| text.contains(&format!("CAST(${place} AS {cast})"));
        if is("TEXT[]") {
            array.clone()
        } else if is("jsonb") {
            rows.clone()
        } else {
            "1".to_owned()
        }
    };
    let places = (1..=99)
        .take_while(|place| text.contains(&format!("${place}")))
        .count();
    let given: Vec<String> = (1..=places).map(given).collect();
    for sql in [
        format!("SET plan_cache_mode = {mode}"),
        format!("PREPARE it AS {text}"),
    ] {
        conn.execute(sqlx::raw_sql(AssertSqlSafe(sql)))
            .await
            .expect("prepared");
    }
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE it({})", given.join(", "));
    let rows = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_all(&mut *conn)
        .await
        .expect("a plan");
    conn.execute("DEALLOCATE it").await.expect("forgotten");
    let lines = rows.iter().map(|row| row.get::<String, _>(0));
    lines
        .filter(|line| reads_whole(line))
        .map(|line| line.trim().to_owned())
        .collect()
}

fn reads_whole(line: &str) -> bool {
    let on = line.split("Seq Scan on ").nth(1);
    let table = on.and_then(|on| on.split_whitespace().next());
    // this store has no configurations
    table.is_some_and(|table| table != "config" && GROWING.contains(&table))
}

/// Postgres plans as in production: no planner setting is changed.
#[tokio::test]
async fn batch_statements_never_scan_a_whole_table_on_postgres() {
    let Some(database) = crate::database::Database::fresh(Kind::Postgres).await else {
        return;
    };
    let mut conn = sqlx::PgConnection::connect(&database.url)
        .await
        .expect("the server");
    let lists = STATEMENTS.iter().copied().flatten();
    let takes_a_list = |text: &str| text.contains("TEXT[]") || text.contains("jsonb)");
    let mut batches: Vec<(&str, &str)> = lists
        .filter(|(_, on, text)| *on == On::Postgres && takes_a_list(text))
        .map(|(name, _, text)| (*name, *text))
        .collect();
    assert!(
        batches.len() > 8,
        "only {} statements take lists",
        batches.len()
    );
    // shows that this test can fail: ids as JSON make Postgres scan the table
    let ids_as_json = "SELECT id, version FROM requests WHERE id IN (SELECT jsonb_array_elements_text(CAST($1 AS jsonb)))";
    batches.push((JSON, ids_as_json));
    let mut bad = Vec::new();
    for size in &SIZES {
        fill(&mut conn, size).await;
        for analyzed in [false, true] {
            if analyzed {
                let analyze = format!("ANALYZE {}", GROWING.join(", "));
                conn.execute(AssertSqlSafe(analyze))
                    .await
                    .expect("statistics");
            }
            for mode in size.modes {
                for (name, text) in &batches {
                    let lines = plan_of_a_batch(&mut conn, text, (size.batch, mode)).await;
                    let rows = size.rows;
                    let told =
                        |line| format!("{name}, {rows} rows, analyzed {analyzed}, {mode}: {line}");
                    bad.extend(lines.into_iter().map(told));
                }
            }
        }
    }
    let (json, bad): (Vec<String>, Vec<String>) =
        bad.into_iter().partition(|line| line.starts_with(JSON));
    assert_ne!(json, Vec::<String>::new());
    assert_eq!(bad, Vec::<String>::new());
    drop(conn);
    database.drop().await;
}

/// Marks ids that are given as JSON, which no statement may do.
const JSON: &str = "IDS_AS_JSON";
