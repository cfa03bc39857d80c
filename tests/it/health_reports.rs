//! `/readyz`, `/metrics` and `doctor` agree with each other and with what happened (field F1): the database read-only or gone, Slack
//! gone, one lane stuck, one row unreadable, a worker that panicked, a clock that jumped, a replica that was paused.

use crate::break_glass::opened;
use crate::client::{Api, deploy};
use crate::clocks::Hands;
use crate::database::{Database, Kind};
use crate::database_health::{Cable, Failover, replica_at};
use crate::doctor::visit;
use crate::ports::ClosedPort;
use crate::unreadable_rows::LATER_POLICY;
use crate::world::{DEPLOY, Wire, World, bot_at, serve, world};
use countersign::domain::time::Span;
use countersign::sandbox::Seed;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio_util::sync::CancellationToken;

/// Tests on both databases, each on one thread, so that its own metrics recorder receives everything.
macro_rules! on_one_thread {
    ($(async fn $name:ident($kind:ident, $reports:ident) $body:block)*) => {
        $(async fn $name($kind: Kind, $reports: Reports) $body)*
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::heard(async |reports| super::$name(super::Kind::Sqlite, reports).await).await })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() { super::heard(async |reports| super::$name(super::Kind::Postgres, reports).await).await })*
        }
    };
}

async fn heard(story: impl AsyncFnOnce(Reports)) {
    let recorder: &'static PrometheusRecorder =
        Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
    let _heard = metrics::set_default_local_recorder(recorder);
    story(Reports(recorder.handle())).await;
}

/// The three reports of one replica.
struct Reports(PrometheusHandle);

/// What all of them must say.
#[derive(Clone, Copy)]
enum Says<'a> {
    /// It serves, and nothing is degraded.
    Fine,
    /// It serves, and one sentence begins so.
    Degraded(&'a str),
    /// It does not serve; the reason contains this.
    NotReady(&'a str),
}

impl Reports {
    /// `environment` is what `doctor` reads in addition to the usual.
    async fn agree(&self, world: &World, url: &str, environment: &[(&str, &str)], says: Says<'_>) {
        let answer = Api::new(url, "").get("/readyz").await;
        let degraded: Vec<String> = match &says {
            Says::NotReady(_) => Vec::new(),
            _ => serde_json::from_value(answer.body["degraded"].clone()).expect("a list"),
        };
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        match says {
            Says::Fine => assert_eq!((answer.status, &degraded), (200, &Vec::new())),
            Says::Degraded(begins) => {
                assert_eq!(answer.status, 200);
                assert!(
                    degraded.iter().any(|why| why.starts_with(begins)),
                    "{degraded:?}"
                );
            }
            Says::NotReady(contains) => {
                assert_eq!(answer.status, 503);
                assert!(detail.contains(contains), "{detail}");
            }
        }
        assert_eq!(Api::new(url, "").get("/metrics").await.status, 200);
        let metrics = self.0.render();
        let ready = u8::from(answer.status == 200);
        for line in [
            format!("countersign_ready {ready}"),
            format!("countersign_degraded {}", degraded.len()),
        ] {
            assert!(metrics.lines().any(|one| one == line), "{line}: {metrics}");
        }
        let listen = url.trim_start_matches("http://");
        let environment = [environment, &[("COUNTERSIGN_LISTEN", listen)]].concat();
        let (code, said) = visit(world, &[], &environment).await;
        for why in &degraded {
            assert!(
                said.contains(&format!("! warning  server: {why}")),
                "{why}: {said}"
            );
        }
        if ready == 0 {
            assert!(
                said.contains(&format!("✗ problem  server: {detail}")),
                "{detail}: {said}"
            );
            assert_eq!(code, 1, "{said}");
        } else if degraded.is_empty() {
            let fine = format!("✓ ok       server: ready at {listen}, and nothing is degraded");
            assert!(said.contains(&fine), "{said}");
        }
    }

    async fn fine(&self, world: &World) {
        self.agree(world, &world.url, &[], Says::Fine).await;
    }
}

on_one_thread! {
    async fn reports_agree_while_the_database_is_read_only_f1(kind, reports) {
        let mut world = world!(kind);
        reports.fine(&world).await;
        if kind == Kind::Postgres {
            let failover = Failover::of(&world).await;
            let (replica, url) = replica_at(&mut world, &failover.url).await;
            failover.turn(&world, "on").await;
            world.clock.advance(Span::seconds(1));
            let address = [("DATABASE_URL", failover.url.as_str())];
            reports.agree(&world, &url, &address, Says::NotReady("the server is read-only")).await;
            failover.turn(&world, "off").await;
            world.clock.advance(Span::seconds(1));
            reports.agree(&world, &url, &address, Says::Fine).await;
            replica.stop().await;
            failover.end(&world).await;
        } else {
            let address = format!("{}?mode=ro", world.database.url);
            let (replica, url) = replica_at(&mut world, &address).await;
            world.clock.advance(Span::seconds(1));
            reports.agree(&world, &url, &[("DATABASE_URL", &address)], Says::NotReady("the file is read-only")).await;
            replica.stop().await;
        }
        world.finish().await;
    }

    async fn reports_agree_while_the_database_is_gone_f1(kind, reports) {
        let mut world = world!(kind);
        if kind == Kind::Postgres {
            let mut cable = Cable::to(&world.database.url).await;
            let (replica, url) = replica_at(&mut world, &cable.url).await;
            let lost = cable.url.clone();
            let address = [("DATABASE_URL", lost.as_str())];
            reports.agree(&world, &url, &address, Says::Fine).await;
            cable.cut().await;
            world.clock.advance(Span::seconds(1));
            reports.agree(&world, &url, &address, Says::NotReady("the database does not answer")).await;
            cable.mend().await;
            world.clock.advance(Span::seconds(1));
            reports.agree(&world, &url, &address, Says::Fine).await;
            replica.stop().await;
            cable.cut().await;
        } else {
            let file = world.database.url.trim_start_matches("sqlite://").to_owned();
            let away = format!("{file}.away");
            std::fs::rename(&file, &away).expect("it is moved");
            world.clock.advance(Span::seconds(1));
            // doctor looks at another file, as it would create one here
            let other = Database::fresh(kind).await.expect("another database");
            let address = [("DATABASE_URL", other.url.as_str())];
            reports.agree(&world, &world.url, &address, Says::NotReady("was moved, deleted or replaced")).await;
            std::fs::rename(&away, &file).expect("it is back");
            world.clock.advance(Span::seconds(1));
            reports.fine(&world).await;
            other.drop().await;
        }
        world.finish().await;
    }

    async fn reports_agree_while_slack_is_gone_f1(kind, reports) {
        let world = world!(kind);
        let port = ClosedPort::fresh();
        let nowhere = format!("http://{}/api/", port.address);
        let cut = bot_at(world.database.again().await, &world.clock, &nowhere, Wire::Http).await;
        cut.recall_installation().await.expect("known from the database");
        let (url, _server) = serve(&cut).await;
        world.person("alice").await.at(&url).submit(deploy()).await.ok();
        for _ in 0..10 {
            cut.workers.settle().await.expect("the workers work");
            world.clock.advance(Span::seconds(1));
        }
        let environment = [("SLACK_API_URL", nowhere.as_str())];
        reports.agree(&world, &url, &environment, Says::Degraded("this replica cannot reach Slack")).await;
        // the other replica can
        world.settle().await;
        world.clock.advance(Span::seconds(1));
        reports.fine(&world).await;
        cut.stop().await;
        world.finish().await;
    }

    async fn reports_agree_while_one_lane_is_stuck_f1(kind, reports) {
        let world = world!(kind);
        let archive = |is_archived: bool| {
            world.slack.change(|state| {
                state.channels.get_mut("C03SECURITY").expect("there").is_archived = is_archived;
            });
        };
        archive(true);
        opened(&world, &world.person("dan").await).await;
        world.passes(Span::seconds(1)).await;
        reports.agree(&world, &world.url, &[], Says::Degraded("1 alerts have not been delivered: is_archived")).await;
        // the other lane works
        world.types("alice", DEPLOY).await;
        world.clicks("bob", "approve").await;
        world.clicks("carol", "approve").await;
        assert!(world.direct("alice").contains("approved"), "{}", world.direct("alice"));
        archive(false);
        world.passes(Span::minutes(1)).await;
        reports.fine(&world).await;
        world.finish().await;
    }

    async fn reports_agree_while_a_row_is_unreadable_f1(kind, reports) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.database.execute(LATER_POLICY).await.expect("a request");
        world.passes(Span::minutes(1)).await;
        reports.agree(&world, &world.url, &[], Says::Degraded("1 request cannot be read by this release")).await;
        assert!(reports.0.render().contains("countersign_unreadable_rows{table=\"requests\"} 1"));
        let restored = "UPDATE requests SET gates = replace(gates, '\"requiresTicket\":true,', '')";
        world.database.execute(restored).await.expect("a request");
        world.passes(Span::minutes(1)).await;
        reports.fine(&world).await;
        world.finish().await;
    }

    async fn reports_agree_after_a_worker_panicked_f1(kind, reports) {
        let world = world!(kind);
        let stop = CancellationToken::new();
        let supervisor = world.app().supervisor().clone();
        let task = || async { panic!("an injected panic") };
        let running = tokio::spawn(supervisor.supervise("probe", stop, task));
        let noticed = async {
            while world.degraded().await.is_empty() {}
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), noticed).await.expect("it is noticed");
        running.abort();
        reports.agree(&world, &world.url, &[], Says::Degraded("the task `probe` has panicked")).await;
        world.finish().await;
    }

    async fn reports_agree_after_the_clock_jumped_f1(kind, reports) {
        let hands = Hands::new();
        let demo = include_str!("../../manifests/demo.yaml");
        let Some(world) = World::start_by(kind, demo, Seed::example(), hands.clock.clone()).await else { return };
        reports.agree(&world, &world.url, &[], Says::NotReady("the clock has not been read yet")).await;
        hands.reads(Span(0), 0);
        reports.fine(&world).await;
        hands.reads(Span::seconds(5), 600_000);
        reports.agree(&world, &world.url, &[], Says::Degraded("the clock has jumped")).await;
        hands.reads(Span::seconds(1), 0);
        hands.reads(Span::seconds(1), 0);
        reports.fine(&world).await;
        world.finish().await;
    }

    async fn reports_agree_after_a_replica_was_paused_f1(kind, reports) {
        let hands = Hands::new();
        let demo = include_str!("../../manifests/demo.yaml");
        let Some(world) = World::start_by(kind, demo, Seed::example(), hands.clock.clone()).await else { return };
        hands.reads(Span(0), 0);
        world.app().beat();
        hands.reads(Span::seconds(90), 0);
        world.app().beat();
        reports.agree(&world, &world.url, &[], Says::Degraded("this replica stood still for 90 s")).await;
        for _ in 0..30 {
            hands.reads(Span::seconds(10), 0);
        }
        reports.fine(&world).await;
        world.finish().await;
    }
}
