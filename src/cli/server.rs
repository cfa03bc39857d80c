//! A bot that serves until it receives a stop signal, for `serve` and `demo`.

use crate::app::{AppError, DECIDE_SECONDS, describe_metrics};
use crate::bot::{Bot, CannotStart, Parts};
use crate::http::Bounds;
use crate::http::server::{self, ConnectionLimits};
use crate::store::Db;
use axum::Router;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long open calls (mostly long polls) may continue after a stop signal.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// The largest number of connections at once, even if the process may open more files.
const MOST_CONNECTIONS: u64 = 25_000;
/// File descriptors reserved for the database, for Slack and for everything else.
const OTHER_FILES: u64 = 256;
/// The largest number of connections at the administrators' own address.
const ADMIN_CONNECTIONS: usize = 64;

/// Bounds of the histogram of decision times, in seconds; Slack waits three seconds.
const DECIDE_BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// Installs the recorder of this process; the handle renders what it has recorded.
pub fn metrics() -> Result<PrometheusHandle, AppError> {
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(DECIDE_SECONDS.to_owned()), &DECIDE_BUCKETS)
        .map_err(|error| AppError::Internal(error.to_string()))?
        .build_recorder();
    let handle = metrics.handle();
    // a second recorder in one process (tests) is refused, which does no harm
    let _ = metrics::set_global_recorder(metrics);
    describe_metrics();
    Ok(handle)
}

/// Opens the database and builds the bot.
pub async fn bot(database_url: &str, parts: Parts) -> Result<Bot, CannotStart> {
    let db = Db::open(database_url).await?;
    let bot = Bot::new(db, parts).await?;
    Ok(bot.bounded(Bounds::for_connections(connections())))
}

/// How many connections this process can serve at once. Without a limit, strangers could take every file descriptor and leave none to
/// Slack.
fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    // without a limit there are more than enough
    let files = files.unwrap_or(u64::MAX).saturating_sub(OTHER_FILES);
    usize::try_from(files.clamp(16, MOST_CONNECTIONS)).unwrap_or(16)
}

/// Servers that stop together.
pub struct Servers {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Servers {
    /// Starts with no servers.
    pub fn new() -> Self {
        Self {
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Serves the public router on an address and returns the bound address.
    pub async fn serve(&self, listen: SocketAddr, router: Router) -> std::io::Result<SocketAddr> {
        self.serve_within(listen, router, connections()).await
    }

    /// Serves the administrators' router on its own address.
    pub async fn serve_admin(
        &self,
        listen: SocketAddr,
        router: Router,
    ) -> std::io::Result<SocketAddr> {
        self.serve_within(listen, router, ADMIN_CONNECTIONS).await
    }

    async fn serve_within(
        &self,
        listen: SocketAddr,
        router: Router,
        connections: usize,
    ) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (limits, stop) = (ConnectionLimits::of(connections), self.stop.clone());
        self.tasks
            .spawn(server::serve(listener, router, limits, stop));
        Ok(address)
    }

    /// Stops accepting connections and lets open calls end.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(SHUTDOWN_GRACE, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::info!("connections still open at shutdown");
        }
    }
}

/// Returns after Ctrl-C or SIGTERM.
pub async fn told_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done,
        _ = terminate.recv() => Ok(()),
    }
}
