//! What a request costs among a thousand and among a million stored ones, on both databases (aim: the p99 grows by less than half).
//!
//! The web pages are measured as well, over a socket (aim: 50 ms and 100 kB each).
//!
//! `cargo bench --bench store`, or with sizes: `cargo bench --bench store -- 1000 100000`. Postgres is that of
//! `COUNTERSIGN_TEST_POSTGRES`, else the one at 127.0.0.1:5432; each run makes a schema of its own and drops it.

use countersign::app::{App, ApproverIdentity, Clock, DecisionInput, ListFilter, RequestRef};
use countersign::bot::{Bot, Parts};
use countersign::config::file::Source;
use countersign::domain::action::RequestType;
use countersign::domain::ask::Ask;
use countersign::domain::decision::{DecisionKind, Via};
use countersign::domain::document::ConfigDocument;
use countersign::domain::people::SlackAccount;
use countersign::domain::principal::Caller;
use countersign::domain::request::{Outcome, Status};
use countersign::domain::sign_in::Identity;
use countersign::domain::time::Span;
use countersign::http::MetricsAddress;
use countersign::store::Db;
use metrics_exporter_prometheus::PrometheusBuilder;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Each thing is done so often, unless `COUNTERSIGN_BENCH_TIMES` says otherwise.
const TIMES: usize = 1_000;
/// The first ones warm up connections and caches, and do not count.
const WARM_UP: usize = 20;
/// So many of the stored requests wait, however many are stored.
const PENDING: u64 = 500;
/// They are among the newest: at one request in two seconds this is a day's, and nothing waits longer than a day.
const LATELY: u64 = 43_200;
/// Rows that one statement copies.
const BATCH: u64 = 50_000;

/// The pages, as an administrator opens them.
const PAGES: [&str; 8] = [
    "/approvals",
    "/approvals?state=all&q=measured",
    "/approvals?mine=1",
    "/approvals/1",
    "/approval-policies",
    "/break-glass",
    "/audit",
    "/stats",
];

/// What is measured, by name.
type Figures = BTreeMap<&'static str, Vec<Duration>>;

#[tokio::main]
async fn main() {
    let named: Vec<u64> = std::env::args()
        .filter_map(|word| word.parse().ok())
        .collect();
    let sizes = if named.is_empty() {
        vec![1_000, 1_000_000]
    } else {
        named
    };
    assert!(
        sizes.iter().all(|size| *size >= PENDING),
        "a store has at least the {PENDING} requests that wait"
    );
    for postgres in [false, true] {
        let mut stores = Vec::new();
        for size in &sizes {
            stores.push(Store::filled(postgres, *size).await);
        }
        measure(&mut stores).await;
        for (at, store) in stores.iter().enumerate() {
            print(postgres, store, (at > 0).then(|| &stores[0].figures));
        }
        for store in stores {
            store.app.close().await;
            store.place.leave().await;
        }
    }
}

/// A database with so many requests, and what was measured there.
struct Store {
    place: Place,
    app: App,
    size: u64,
    figures: Figures,
    browser: Browser,
    /// The bytes of each page.
    bytes: BTreeMap<&'static str, usize>,
}

/// A browser in which an administrator has signed in.
struct Browser {
    http: reqwest::Client,
    url: String,
    cookie: String,
}

impl Browser {
    async fn of(bot: &Bot) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        bot.app.serve_pages_at(&url);
        let router = bot.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let carol = Identity::Slack(SlackAccount {
            enterprise_id: None,
            team_id: "T01TEST".to_owned(),
            user_id: "U03CAROL".to_owned(),
        });
        let began = bot.app.sign_in(carol, None).await.expect("a sign-in");
        Self {
            http: reqwest::Client::new(),
            url,
            cookie: format!("countersign-local={}", began.secret),
        }
    }

    async fn open(&self, path: &str) -> usize {
        let call = self.http.get(format!("{}{path}", self.url));
        let answer = call.header("cookie", &self.cookie).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.expect("a page").len()
    }
}

impl Store {
    async fn filled(postgres: bool, size: u64) -> Self {
        let place = Place::fresh(postgres).await;
        let db = Db::open(&place.url).await.expect("a database");
        let bot = bot(db).await;
        let app = bot.app.clone();
        app.load_file(document(), "demo.yaml")
            .await
            .expect("it loads");
        let since = Instant::now();
        fill(&place, &app, size).await;
        eprintln!(
            "filled with {size} in {:.0} s",
            since.elapsed().as_secs_f64()
        );
        Self {
            place,
            app,
            size,
            figures: Figures::new(),
            browser: Browser::of(&bot).await,
            bytes: BTreeMap::new(),
        }
    }

    async fn read_pages(&mut self, took: &mut Vec<(&'static str, Duration)>) {
        for path in PAGES {
            let since = Instant::now();
            let bytes = self.browser.open(path).await;
            took.push((path, since.elapsed()));
            self.bytes.insert(path, bytes);
        }
    }
}

/// A bot without a Slack, because nothing here talks to it.
async fn bot(db: Db) -> Bot {
    let parts = Parts {
        clock: Clock::System,
        bot_token: "xoxb-none".into(),
        slack_api_url: "http://127.0.0.1:9/api".to_owned(),
        signing_secrets: None,
        variables: Arc::new(|_| None),
        app_token: None,
        app_id: None,
        metrics: PrometheusBuilder::new().build_recorder().handle(),
        metrics_at: MetricsAddress::Public,
    };
    Bot::new(db, parts).await.expect("a bot")
}

/// A database of the bench's own.
struct Place {
    url: String,
    server: Option<(String, String)>,
}

impl Place {
    async fn fresh(postgres: bool) -> Self {
        let name = format!("cs_bench_{}", uuid::Uuid::now_v7().simple());
        if !postgres {
            let file = std::env::temp_dir().join(name).display().to_string();
            let url = format!("sqlite://{file}.db");
            return Self { url, server: None };
        }
        let server = std::env::var("COUNTERSIGN_TEST_POSTGRES")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
        run_postgres(&server, &format!("CREATE SCHEMA {name}")).await;
        let url = format!("{server}?options=-c%20search_path%3D{name}");
        let server = Some((server, name));
        Self { url, server }
    }

    async fn run(&self, sql: &str) {
        if self.server.is_some() {
            run_postgres(&self.url, sql).await;
        } else {
            let mut conn = SqliteConnection::connect(&self.url).await.expect("a file");
            for sql in [
                "PRAGMA synchronous = OFF",
                "PRAGMA cache_size = -200000",
                sql,
            ] {
                let sql = AssertSqlSafe(sql.to_owned());
                conn.execute(sqlx::raw_sql(sql)).await.expect("a statement");
            }
        }
    }

    async fn leave(self) {
        if let Some((server, name)) = &self.server {
            run_postgres(server, &format!("DROP SCHEMA {name} CASCADE")).await;
            return;
        }
        let file = self.url.trim_start_matches("sqlite://");
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{file}{end}"));
        }
    }
}

async fn run_postgres(url: &str, sql: &str) {
    let mut conn = PgConnection::connect(url).await.expect("the server");
    let sql = AssertSqlSafe(sql.to_owned());
    conn.execute(sqlx::raw_sql(sql)).await.expect("a statement");
}

fn person(id: &str) -> Caller {
    Caller::person(id.into(), Via::Api)
}

fn release(release: usize) -> Ask {
    Ask {
        action: "release.deploy".to_owned(),
        project: Some("api-platform".to_owned()),
        environment: Some("production".to_owned()),
        release: Some(format!("v1.{release}.0")),
        reason: Some("a measured release".to_owned()),
        ..Ask::default()
    }
}

async fn submit(app: &App, submission: Ask) -> (RequestRef, String) {
    let asked = app.submit(&person("alice"), submission, None).await;
    let request = asked.expect("a request").shown.request;
    (RequestRef::Id(request.id), request.digest.to_string())
}

async fn approve(app: &App, request: &RequestRef, who: &str) -> Status {
    let click = DecisionInput {
        identity: ApproverIdentity::Person(who.into()),
        request: request.clone(),
        digest: None,
        verdict: DecisionKind::Approve,
        comment: None,
        pages_seen: Vec::new(),
        via: Via::Api,
        authentication: None,
        once: None,
    };
    app.decide(click).await.expect("a decision").status
}

/// The example configuration without limits.
fn document() -> ConfigDocument {
    let demo = include_str!("../manifests/demo.yaml");
    let source = Source::read("demo.yaml", demo).expect("a configuration");
    let mut document = serde_json::to_value(source.into_document()).expect("JSON");
    document["limits"] = serde_json::json!({"pendingPerPrincipal": 0, "requestsPerSecond": 0});
    serde_json::from_value(document).expect("a document")
}

/// Fills the tables past the store, with copies of three real requests: one that ran, one that waits, and one of another type.
async fn fill(place: &Place, app: &App, size: u64) {
    let (ran, digest) = submit(app, release(0)).await;
    approve(app, &ran, "bob").await;
    approve(app, &ran, "carol").await;
    let alice = person("alice");
    app.execute(&alice, &ran, digest.as_str().into(), None)
        .await
        .expect("it may run");
    app.complete(&alice, &ran, Outcome::Succeeded, None, None)
        .await
        .expect("it ran");
    submit(app, release(1)).await;
    let command = Ask {
        action: "command.execute".to_owned(),
        cluster: Some("prod-eu-1".to_owned()),
        reason: Some("another type".to_owned()),
        ..Ask::default()
    };
    let (command, _) = submit(app, command).await;
    app.cancel(&alice, &command, None)
        .await
        .expect("it is taken back");

    let lately = size.min(LATELY);
    let one_in = lately / PENDING;
    let rare = size / PENDING * 10;
    for from in (1..=size).step_by(usize::try_from(BATCH).expect("small")) {
        let to = (from + BATCH - 1).min(size);
        // the second template waits, the third is rare, the first is all the others
        let template = format!(
            "CASE WHEN i > {} AND i % {one_in} = 0 THEN 2 WHEN i % {rare} = 1 THEN 3 ELSE 1 END",
            size - lately
        );
        let id = "'req_0000000000000000' || CAST(1000000000 + i AS TEXT)";
        let series = format!(
            "WITH RECURSIVE n(i) AS (SELECT CAST({from} AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {to})"
        );
        let at = |column: &str| format!("t.{column} - ({size} - i) * 2000");
        place
            .run(&format!(
                "{series} INSERT INTO requests (id, number, version, status, kind, action, target, requester, submitted_by, authors, reason,
                    digest, gates, observed, bypassed, excluded, session_id, ends_at, created_at, decided_at, executed_at, outcome, replaces)
                 SELECT {id}, 1000 + i, t.version, t.status, t.kind, t.action, t.target, 'person:p' || CAST(i % 500 AS TEXT),
                    'person:p' || CAST(i % 500 AS TEXT), t.authors, t.reason, t.digest, t.gates, t.observed, t.bypassed, t.excluded,
                    t.session_id, t.ends_at, {}, {}, {}, t.outcome, t.replaces
                 FROM n JOIN requests t ON t.number = {template};
                 {series} INSERT INTO payloads (request_id, content)
                 SELECT {id}, p.content FROM n JOIN requests t ON t.number = {template} JOIN payloads p ON p.request_id = t.id;
                 {series} INSERT INTO decisions (request_id, person, verdict, comment, teams, roles, digest, pages, at, via)
                 SELECT {id}, d.person, d.verdict, d.comment, d.teams, d.roles, d.digest, d.pages, d.at - ({size} - i) * 2000, d.via
                 FROM n JOIN requests t ON t.number = {template} JOIN decisions d ON d.request_id = t.id;
                 {series} INSERT INTO cards (request_id, channel, touched, due_at, attempt, failures)
                 SELECT {id}, c.channel, 1, NULL, 1, 0 FROM n JOIN requests t ON t.number = {template} JOIN cards c ON c.request_id = t.id;
                 {series} INSERT INTO audit (id, at, what, actor, via, request_id, session_id, prominent, detail, seal, hash)
                 SELECT 'aud_' || CAST(i AS TEXT) || a.id, a.at - ({size} - i) * 2000, a.what, a.actor, a.via, {id}, a.session_id,
                    a.prominent, a.detail, 100000 + i, 'bench'
                 FROM n JOIN requests t ON t.number = {template} JOIN audit a ON a.request_id = t.id AND a.what = 'request.created'",
                at("created_at"),
                at("decided_at"),
                at("executed_at"),
            ))
            .await;
    }
    if place.server.is_some() {
        place
            .run(&format!(
                "SELECT setval('request_number', {})",
                2_000 + size
            ))
            .await;
        place.run("ANALYZE").await;
    }
}

/// The stores take turns, round by round: whatever else the machine does meanwhile slows them all alike.
async fn measure(stores: &mut [Store]) {
    let times = std::env::var("COUNTERSIGN_BENCH_TIMES").ok();
    let times = times.and_then(|text| text.parse().ok()).unwrap_or(TIMES);
    for round in 0..times + WARM_UP {
        for store in &mut *stores {
            let mut took = Vec::new();
            write(&store.app, round, &mut took).await;
            read(&store.app, round, &mut took).await;
            store.read_pages(&mut took).await;
            if round >= WARM_UP {
                for (what, time) in took {
                    store.figures.entry(what).or_default().push(time);
                }
            }
        }
    }
}

async fn write(app: &App, round: usize, took: &mut Vec<(&'static str, Duration)>) {
    let since = Instant::now();
    let (request, digest) = submit(app, release(1_000 + round)).await;
    took.push(("submit", since.elapsed()));
    let since = Instant::now();
    approve(app, &request, "bob").await;
    took.push(("decide", since.elapsed()));
    let since = Instant::now();
    let status = approve(app, &request, "carol").await;
    took.push(("decide, the last", since.elapsed()));
    assert_eq!(status, Status::Approved);
    let since = Instant::now();
    let executed = app
        .execute(&person("alice"), &request, digest.as_str().into(), None)
        .await;
    took.push(("execute", since.elapsed()));
    executed.expect("it may run");
}

async fn read(app: &App, round: usize, took: &mut Vec<(&'static str, Duration)>) {
    let page = |statuses: &[Status], kind, can_approve: Option<&str>| ListFilter {
        statuses: statuses.to_vec(),
        kind,
        can_approve: can_approve.map(Into::into),
        cursor: None,
        limit: 20,
        without_payloads: true,
        ..ListFilter::default()
    };
    for (what, filter) in [
        ("inbox, pending", page(&[Status::Pending], None, None)),
        (
            "inbox, rare type",
            page(&[], Some(RequestType::Cluster), None),
        ),
        (
            "inbox, rare type and state",
            page(&[Status::Cancelled], Some(RequestType::Cluster), None),
        ),
        ("inbox, can approve", page(&[], None, Some("carol"))),
        (
            "inbox, can approve nothing",
            page(&[], None, Some("mallory")),
        ),
    ] {
        let since = Instant::now();
        app.list(filter).await.expect("a page");
        took.push((what, since.elapsed()));
    }
    // the dearest, and asked for seldom
    if round.is_multiple_of(10) {
        let since = Instant::now();
        app.latency(Span::hours(24)).await.expect("figures");
        took.push(("latency, a day", since.elapsed()));
    }
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100).max(1) - 1]
}

fn print(postgres: bool, store: &Store, before: Option<&Figures>) {
    let database = if postgres { "Postgres" } else { "SQLite" };
    println!("\n{database}, {} stored requests", store.size);
    println!(
        "{:<36}{:>10}{:>10}{:>12}",
        "", "p50 ms", "p99 ms", "p99 grew"
    );
    for (what, times) in &store.figures {
        let mut times = times.clone();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
        let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
        let grew = before
            .and_then(|before| before.get(what))
            .map_or_else(String::new, |times| {
                let earlier = percentile(&mut times.clone(), 99);
                format!("{:.2} x", p99.as_secs_f64() / earlier.as_secs_f64())
            });
        println!(
            "{what:<36}{:>10.2}{:>10.2}{grew:>12}",
            milliseconds(p50),
            milliseconds(p99)
        );
    }
    for (path, bytes) in &store.bytes {
        println!("{path:<36}{bytes:>10} bytes");
    }
}
