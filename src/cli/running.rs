//! A bot that serves until it is told to stop, as `serve` and `demo` run it.

use crate::app::{AppError, Clock, DECIDE_SECONDS, describe_metrics};
use crate::bot::{Bot, CannotStart, Parts};
use crate::http::MetricsAt;
use crate::slack::signature::SigningSecrets;
use crate::store::Db;
use axum::Router;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use secrecy::SecretString;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long open requests (long polls, above all) may still take once the bot is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Upper bounds, in seconds; Slack waits for three.
const DECIDE_BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// What `serve` and `demo` decide differently.
pub struct Start<'a> {
    /// The database.
    pub database_url: &'a str,
    /// The bot token.
    pub bot_token: SecretString,
    /// The base address of Slack's Web API.
    pub slack_api_url: String,
    /// The signing secrets, where Slack sends over HTTP.
    pub signing_secrets: Option<SigningSecrets>,
    /// The app-level token, where Slack sends over sockets.
    pub app_token: Option<SecretString>,
    /// The app's id, where it is configured.
    pub app_id: Option<String>,
    /// Where `/metrics` is served.
    pub metrics_at: MetricsAt,
}

/// Opens the database and wires the bot.
pub async fn bot(start: Start<'_>) -> Result<Bot, CannotStart> {
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(DECIDE_SECONDS.to_owned()), &DECIDE_BUCKETS)
        .map_err(|error| AppError::Internal(error.to_string()))?
        .build_recorder();
    let handle = metrics.handle();
    // a second recorder in one process (tests) is of no use and does no harm
    let _ = metrics::set_global_recorder(metrics);
    describe_metrics();
    Bot::new(Parts {
        db: Db::open(start.database_url).await?,
        clock: Clock::System,
        bot_token: start.bot_token,
        slack_api_url: start.slack_api_url,
        signing_secrets: start.signing_secrets,
        app_token: start.app_token,
        app_id: start.app_id,
        metrics: handle,
        metrics_at: start.metrics_at,
    })
    .await
}

/// Servers that stop together.
pub struct Servers {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Servers {
    /// None yet.
    pub fn new() -> Self {
        Self {
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Serves on an address; answers with the address it got.
    pub async fn serve(&self, listen: SocketAddr, router: Router) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let stop = self.stop.clone();
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        self.tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the server stopped");
            }
        });
        Ok(address)
    }

    /// Takes no more, and lets what is open end.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(GRACE, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::info!("some connections were still open");
        }
    }
}

/// Ends on Ctrl-C or SIGTERM.
pub async fn told_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done,
        _ = terminate.recv() => Ok(()),
    }
}
