//! What the bot reports while its database accepts no writes, does not answer or is locked, and while the bot itself stood still (field F1,
//! threat R06).

use crate::client::{Api, command, deploy, text};
use crate::database::{Kind, fresh, on_both};
use crate::doctor::{complaints, visit};
use crate::unreadable_rows::LATER_POLICY;
use crate::world::{DEPLOY, World, world};
use countersign::app::{Clock, Machine};
use countersign::bot::Bot;
use countersign::domain::time::{Span, Timestamp};
use countersign::sandbox::{Forge, Seed};
use countersign::store::Db;
use metrics_exporter_prometheus::PrometheusBuilder;
use sqlx::{Connection, Executor, PgConnection};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

async fn run(conn: &mut PgConnection, sql: String) {
    conn.execute(sqlx::AssertSqlSafe(sql))
        .await
        .expect("it runs");
}

async fn probe(url: &str) -> (u16, String) {
    let reply = Api::new(url, "").get("/readyz").await;
    let detail = reply.body["detail"].as_str().unwrap_or_default();
    (reply.status, detail.to_owned())
}

/// Makes a server read-only for one user, as a failover does for everyone, and undoes it.
pub struct Failover {
    role: String,
    pub url: String,
}

impl Failover {
    pub async fn of(world: &World) -> Self {
        let role = format!("cs_role_{}", uuid::Uuid::now_v7().simple());
        let (_, rest) = world.database.url.split_once('@').expect("a user");
        let url = format!("postgres://{role}:story@{rest}");
        let mut conn = PgConnection::connect(&world.database.url)
            .await
            .expect("the server");
        run(
            &mut conn,
            format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'story'"),
        )
        .await;
        Self { role, url }
    }

    pub async fn turn(&self, world: &World, read_only: &str) {
        let mut conn = PgConnection::connect(&world.database.url)
            .await
            .expect("the server");
        let role = &self.role;
        run(
            &mut conn,
            format!("ALTER ROLE {role} SET default_transaction_read_only = {read_only}"),
        )
        .await;
        run(&mut conn, format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{role}'")).await;
    }

    pub async fn end(self, world: &World) {
        let mut conn = PgConnection::connect(&world.database.url)
            .await
            .expect("the server");
        run(&mut conn, format!("DROP ROLE {}", self.role)).await;
    }
}

/// A replica that uses another address of the same database.
pub async fn replica_at(world: &mut World, address: &str) -> (Bot, String) {
    let usual = std::mem::replace(&mut world.database.url, address.to_owned());
    let replica = world.replica().await;
    world.database.url = usual;
    replica
}

/// Writes are refused with this sentence, and reading still works.
async fn nothing_is_written(world: &World, url: &str, sentence: &str) {
    world.clock.advance(Span::seconds(1));
    let (status, detail) = probe(url).await;
    assert_eq!(status, 503, "{detail}");
    assert!(
        detail.contains("the database cannot be written: ") && detail.contains(sentence),
        "{detail}"
    );
    let alice = world.person("alice").await.at(url);
    assert_eq!(alice.get("/v1/requests").await.status, 200, "reading works");
    let refused = alice.submit(deploy()).await;
    assert_eq!(refused.outcome(), "503 not_writable", "{}", refused.body);
    assert!(
        text(&refused.body, "detail").contains(sentence),
        "{}",
        refused.body
    );
    world.slack.set_bot_url(url);
    let click = world.click_of("bob", "approve", Forge::default());
    world.slack.redeliver(&click).await.expect("an answer");
}

on_both! {
    async fn read_only_database_is_reported_everywhere_f1(kind) {
        let mut world = world!(kind);
        world.types("alice", DEPLOY).await;
        if kind == Kind::Postgres {
            let failover = Failover::of(&world).await;
            let (replica, url) = replica_at(&mut world, &failover.url).await;
            assert_eq!(probe(&url).await.0, 200);
            failover.turn(&world, "on").await;
            nothing_is_written(&world, &url, "the server is read-only").await;
            replica.dispatcher.finish().await;
            let (code, said) = visit(&world, &[], &[("DATABASE_URL", &failover.url)]).await;
            assert!(said.contains("✗ problem  database: the database cannot be written: the server is read-only"), "{said}");
            assert_eq!(code, 1);
            failover.turn(&world, "off").await;
            world.clock.advance(Span::seconds(1));
            assert_eq!(probe(&url).await, (200, String::new()), "it heals by itself");
            replica.stop().await;
            failover.end(&world).await;
        } else {
            let address = format!("{}?mode=ro", world.database.url);
            let (replica, url) = replica_at(&mut world, &address).await;
            nothing_is_written(&world, &url, "the file is read-only").await;
            replica.dispatcher.finish().await;
            let (code, said) = visit(&world, &[], &[("DATABASE_URL", &address)]).await;
            assert!(complaints(&said).contains("the database cannot be written: the file is read-only"), "{said}");
            assert_eq!(code, 1);
            replica.stop().await;
        }
        let told = world.told("bob");
        assert!(told.last().is_some_and(|told| told.contains("Countersign cannot record anything right now: ")), "{told:?}");
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 0);
        let url = world.url.clone();
        world.slack.set_bot_url(&url);
        assert_eq!(world.clicks("bob", "approve").await, "");
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        world.finish().await;
    }

    async fn lost_database_is_reported_and_recovers_f1(kind) {
        let mut world = world!(kind);
        world.types("alice", DEPLOY).await;
        let alice = world.person("alice").await;
        if kind == Kind::Postgres {
            let mut cable = Cable::to(&world.database.url).await;
            let (replica, url) = replica_at(&mut world, &cable.url).await;
            assert_eq!(probe(&url).await.0, 200);
            cable.cut().await;
            world.clock.advance(Span::seconds(1));
            let alice = alice.at(&url);
            let refused = alice.submit(command()).await;
            assert_eq!(refused.outcome(), "503 database_unavailable", "{}", refused.body);
            let (status, detail) = probe(&url).await;
            assert_eq!(status, 503);
            assert!(detail.contains("the database does not answer: ") && detail.contains("refused"), "{detail}");
            world.slack.set_bot_url(&url);
            let click = world.click_of("bob", "approve", Forge::default());
            let _ = world.slack.redeliver(&click).await; // not acknowledged in time; the reply follows later
            replica.dispatcher.finish().await;
            let told = world.told("bob");
            assert!(told.last().is_some_and(|told| told.contains("Countersign's database does not answer")), "{told:?}");
            cable.mend().await;
            world.clock.advance(Span::seconds(1));
            assert_eq!(probe(&url).await, (200, String::new()), "it heals by itself");
            assert_eq!(alice.submit(command()).await.status, 201);
            replica.stop().await;
            cable.cut().await;
        } else {
            let file = world.database.url.trim_start_matches("sqlite://").to_owned();
            let away = format!("{file}.away");
            std::fs::rename(&file, &away).expect("it is moved");
            world.clock.advance(Span::seconds(1));
            let (status, detail) = probe(&world.url).await;
            assert_eq!(status, 503);
            assert!(detail.contains("was moved, deleted or replaced while it was open"), "{detail}");
            assert_eq!(alice.submit(command()).await.outcome(), "503 not_writable");
            std::fs::rename(&away, &file).expect("it is back");
            world.clock.advance(Span::seconds(1));
            assert_eq!(probe(&world.url).await.0, 200);
            assert_eq!(alice.submit(command()).await.status, 201);
        }
        let url = world.url.clone();
        world.slack.set_bot_url(&url);
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 0);
        world.finish().await;
    }

    async fn locked_database_delays_calls_for_seconds_only_and_fails_readiness_r06(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        assert_eq!(alice.get("/v1/requests").await.status, 200); // from here on, the use of the token is not recorded again
        let held = world.database.hold().await;
        world.clock.advance(Span::seconds(1));
        let (ready, asked) = tokio::join!(probe(&world.url), async {
            let since = Instant::now();
            (alice.submit(deploy()).await, since.elapsed())
        });
        assert_eq!(ready.0, 503, "{}", ready.1);
        assert!(ready.1.contains("took no write within 2 s"), "{}", ready.1);
        let (refused, took) = asked;
        assert_eq!(refused.outcome(), "503 busy", "{}", refused.body);
        assert!(took < Duration::from_secs(9), "{took:?}");
        held.release().await;
        world.clock.advance(Span::seconds(1));
        assert_eq!(probe(&world.url).await.0, 200);
        assert_eq!(alice.submit(deploy()).await.status, 201);
        world.finish().await;
    }

    async fn a_probe_of_readiness_leaves_no_row_behind_f1(kind) {
        let world = world!(kind);
        world.clock.advance(Span::seconds(1));
        assert_eq!(probe(&world.url).await, (200, String::new()));
        let left = "SELECT count(*) FROM facts WHERE name LIKE 'write_probe%'";
        assert_eq!(world.database.count(left).await, 0);
        world.finish().await;
    }

    async fn replica_reports_a_recent_stall_for_a_while_f1(kind) {
        let machine = Arc::new(Mutex::new(Machine { wall: crate::world::MONDAY, steady: Span(0) }));
        let shown = machine.clone();
        let clock = Clock::measured(move || *shown.lock().expect("the hands"));
        let demo = include_str!("../../manifests/demo.yaml");
        let Some(world) = World::start_by(kind, demo, Seed::example(), clock.clone()).await else { return };
        let passes = |span: Span| {
            let mut machine = machine.lock().expect("the hands");
            *machine = Machine { wall: machine.wall.plus(span), steady: Span(machine.steady.0 + span.0) };
            let Clock::Measured(clock) = &clock else { panic!("a measured clock") };
            clock.hear(Timestamp(machine.wall.0), *machine, *machine);
        };
        passes(Span(0));
        world.app().beat();
        passes(Span::seconds(90));
        world.app().beat();
        let said = world.degraded().await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("this replica stood still for 90 s"), "{said:?}");
        for _ in 0..30 {
            passes(Span::seconds(10));
        }
        assert_eq!(world.degraded().await, Vec::<String>::new());
        world.finish().await;
    }
}

/// A forwarder to a Postgres server that can be cut and restored.
pub struct Cable {
    pub url: String,
    port: u16,
    server: String,
    cut: CancellationToken,
    /// Ends the transport on the connections that are open by then.
    silent: Arc<Mutex<CancellationToken>>,
}

impl Cable {
    pub async fn to(url: &str) -> Self {
        let (user, rest) = url.split_once('@').expect("a user");
        let (server, name) = rest.split_once('/').expect("a database");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let cable = Self {
            url: format!("{user}@127.0.0.1:{port}/{name}"),
            port,
            server: server.to_owned(),
            cut: CancellationToken::new(),
            silent: Arc::default(),
        };
        cable.carry(listener);
        cable
    }

    fn carry(&self, listener: TcpListener) {
        let (server, cut) = (self.server.clone(), self.cut.clone());
        let silent = Arc::clone(&self.silent);
        let forward = cut.clone().run_until_cancelled_owned(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (server, cut) = (server.clone(), cut.clone());
                let silent = silent.lock().expect("a token").clone();
                tokio::spawn(cut.run_until_cancelled_owned(async move {
                    let mut server = TcpStream::connect(server).await.expect("the server");
                    let copied = tokio::io::copy_bidirectional(&mut client, &mut server);
                    if silent.run_until_cancelled(copied).await.is_none() {
                        std::future::pending::<()>().await; // neither end is closed
                    }
                }));
            }
        });
        tokio::spawn(forward);
    }

    pub async fn cut(&mut self) {
        self.cut.cancel();
        // until it no longer accepts connections
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// All open connections lose their packets, and no end is told; new connections work.
    fn lose_packets(&self) {
        std::mem::take(&mut *self.silent.lock().expect("a token")).cancel();
    }

    pub async fn mend(&mut self) {
        self.cut = CancellationToken::new();
        let listener = TcpListener::bind(("127.0.0.1", self.port))
            .await
            .expect("the same port");
        self.carry(listener);
    }
}

/// The network loses a connection without a reset: reads and the connection that listens end with an error, and the pool opens new
/// connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silently_lost_connections_are_left_and_replaced_f1() {
    let database = fresh!(Kind::Postgres);
    let cable = Cable::to(&database.url).await;
    let db = Db::open_with(&cable.url, 3).await.expect("it opens");
    let mut wakes = db.listen().await.expect("it listens").expect("replicas");
    let mut reading = db.read().await.expect("a snapshot");
    reading.fact("nothing").await.expect("an answer");
    let given_up = db.read().await.expect("a snapshot");
    cable.lose_packets();
    drop(given_up);
    let deadline = Duration::from_secs(45);
    let (read, heard) = tokio::join!(
        tokio::time::timeout(deadline, reading.fact("nothing")),
        tokio::time::timeout(deadline, wakes.next()),
    );
    let error = read.expect("the read ends").expect_err("it is lost");
    assert_eq!(
        error.to_string(),
        "the database took too long: there was no answer"
    );
    assert!(heard.expect("it is noticed").is_err());
    drop(reading);
    let since = Instant::now();
    while let Err(error) = tokio::try_join!(db.read(), db.read()) {
        assert!(since.elapsed() < deadline, "{error}");
    }
    database.drop().await;
}

/// A replica takes the locks of a submission and then stops. The server ends its transaction, and the other replicas continue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replica_stopped_in_a_transaction_does_not_block_the_others_r06() {
    let world = world!(Kind::Postgres);
    let alice = world.person("alice").await;
    let stopped: Db = world.database.again().await;
    let mut unit = stopped.begin().await.expect("a unit");
    unit.lock_config().await.expect("the lock");
    let since = Instant::now();
    let mut refused = 0;
    let asked = loop {
        let reply = alice.submit(deploy()).await;
        if reply.status == 201 {
            break reply.ok();
        }
        assert_eq!(reply.outcome(), "503 busy", "{}", reply.body);
        refused += 1;
        assert!(since.elapsed() < Duration::from_secs(30), "still wedged");
    };
    assert!(refused >= 1, "it was held up at first");
    assert_eq!(asked["status"], "pending");
    assert!(
        unit.commit().await.is_err(),
        "what stopped does not count any more"
    );
    stopped.close().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_has_timeouts_r06() {
    let database = fresh!(Kind::Postgres);
    let Db::Postgres { pool, .. } = &database.db else {
        panic!("a server");
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut conn = pool.acquire().await.expect("a connection");
        for (setting, value) in [
            ("lock_timeout", "4s"),
            ("statement_timeout", "15s"),
            ("idle_in_transaction_session_timeout", "10s"),
            ("tcp_keepalives_idle", "10"),
        ] {
            let (found,): (String,) = sqlx::query_as("SELECT current_setting($1)")
                .bind(setting)
                .fetch_one(&mut *conn)
                .await
                .expect("a setting");
            assert_eq!(found, value, "{setting}");
        }
        open.push(conn);
    }
    drop(open);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_troubles_are_read_once_a_second_however_many_ask_f1() {
    let world = world!(Kind::Sqlite);
    world.types("alice", DEPLOY).await;
    world.passes(Span::seconds(5)).await;
    assert_eq!(world.degraded().await, Vec::<String>::new());
    let stuck =
        "UPDATE cards SET failures = 3, trouble = 'msg_too_long', due_at = 9000000000000000";
    world.database.execute(stuck).await.expect("a card");
    world.clock.advance(Span(999));
    assert_eq!(world.degraded().await, Vec::<String>::new());
    world.clock.advance(Span(1));
    let said = world.degraded().await;
    assert_eq!(
        said,
        ["1 cards could not be brought up to date: msg_too_long"]
    );
    let settled = "UPDATE cards SET failures = 0, trouble = NULL, due_at = NULL";
    world.database.execute(settled).await.expect("a card");
    world.finish().await;
}

/// Runs on one thread, so that its own metrics recorder receives everything.
#[tokio::test]
async fn metrics_agree_with_readiness_f1() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _heard = metrics::set_default_local_recorder(&recorder);
    let world = world!(Kind::Sqlite);
    world.types("alice", DEPLOY).await;
    let metrics = async || {
        assert_eq!(Api::new(&world.url, "").get("/metrics").await.status, 200);
        handle.render()
    };
    let healthy = metrics().await;
    for line in [
        "countersign_ready 1",
        "countersign_degraded 0",
        "countersign_unreadable_rows{table=\"requests\"} 0",
    ] {
        assert!(healthy.contains(line), "{line}: {healthy}");
    }
    world
        .database
        .execute(LATER_POLICY)
        .await
        .expect("a request");
    world.passes(Span::minutes(1)).await;
    let degraded = metrics().await;
    for line in [
        "countersign_ready 1",
        "countersign_degraded 1",
        "countersign_unreadable_rows{table=\"requests\"} 1",
        "countersign_unreadable_rows_total{table=\"requests\"} 1",
    ] {
        assert!(degraded.contains(line), "{line}: {degraded}");
    }
    let (_, said) = visit(&world, &[], &[]).await;
    assert!(
        said.contains("! warning  rows: 1 of requests cannot be read by this release"),
        "{said}"
    );
    let file = world
        .database
        .url
        .trim_start_matches("sqlite://")
        .to_owned();
    let away = format!("{file}.away");
    std::fs::rename(&file, &away).expect("it is moved");
    world.clock.advance(Span::seconds(1));
    assert!(metrics().await.contains("countersign_ready 0"));
    std::fs::rename(&away, &file).expect("it is back");
    world.finish().await;
}
