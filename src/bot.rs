//! The bot: use cases, Slack, API and workers wired together, as `serve`, `demo` and the story tests run it.

use crate::app::{App, AppError, Clock};
use crate::domain::time::Timestamp;
use crate::http::{self, Api, Bounds, MetricsAddress, ReadinessState};
use crate::net::Fetcher;
use crate::slack::api::client::{BadClient, Slack};
use crate::slack::handlers::Dispatcher;
use crate::slack::inbound::installation::Installation;
use crate::slack::inbound::route::{self, BODY_DEADLINE, Bodies, InboundState};
pub use crate::slack::inbound::signature::SigningSecrets;
use crate::slack::inbound::socket::{Sockets, SocketsRefused};
use crate::store::{Db, StoreError};
use crate::web::{self, SlackAccounts, SlackSubject, Web};
use crate::worker::{Variables, Workers};
use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long Slack is left alone between two questions about who we are.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// How often measured times are folded into their histogram; without it they pile up where nobody reads `/metrics`.
const FOLD_METRICS: Duration = Duration::from_secs(10);
/// How often it is looked whether Slack must be asked for its people again.
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Under which name the database keeps what Slack told about our app.
const INSTALLATION: &str = "slack.installation";

/// Beginnings of what `/readyz` says does not work.
const SLACK: &str = "Slack: ";
const SOCKETS: &str = "Socket Mode: ";

/// What a bot is started with.
pub struct Parts {
    /// The clock that decides.
    pub clock: Clock,
    /// The bot token.
    pub bot_token: SecretString,
    /// The base address of Slack's Web API.
    pub slack_api_url: String,
    /// The signing secrets in force; without them nothing is taken over HTTP.
    pub signing_secrets: Option<SigningSecrets>,
    /// Reads environment variables that the configuration names.
    pub variables: Variables,
    /// The app-level token, for Socket Mode.
    pub app_token: Option<SecretString>,
    /// The app's id, where it is configured.
    pub app_id: Option<String>,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
    /// Where `/metrics` is served.
    pub metrics_at: MetricsAddress,
}

/// Why a bot cannot start.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// The use cases cannot.
    #[error(transparent)]
    App(#[from] AppError),
    /// The database cannot.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The client for Slack cannot.
    #[error(transparent)]
    Slack(#[from] BadClient),
}

/// A running bot; cheap to clone.
#[derive(Clone)]
pub struct Bot {
    /// The use cases.
    pub app: App,
    /// The workers, which [`Bot::start_work`] starts.
    pub workers: Workers,
    /// Handles all deliveries from Slack.
    pub dispatcher: Dispatcher,
    slack: Slack,
    app_id: Option<String>,
    api: Api,
    web: Web,
    metrics: PrometheusHandle,
    metrics_at: MetricsAddress,
    inlet: Option<InboundState>,
    sockets: Option<Sockets>,
    troubles: Arc<watch::Sender<ReadinessState>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Bot {
    /// Wires the parts together; nothing runs by itself yet but the deciders.
    pub async fn new(db: Db, parts: Parts) -> Result<Self, CannotStart> {
        let app = App::start(db, parts.clock).await?;
        let slack = Slack::new(&parts.bot_token, &parts.slack_api_url)?;
        let dispatcher = Dispatcher::new(app.clone(), slack.clone());
        let (told, troubles) = watch::channel(ReadinessState {
            unready: Some("Slack has not told yet which app this is".to_owned()),
            degraded: Vec::new(),
        });
        let (told, time) = (Arc::new(told), app.clone());
        let inlet = parts.signing_secrets.map(|secrets| InboundState {
            secrets: Arc::new(secrets),
            handler: dispatcher.handler(),
            clock: Arc::new(move || -> Timestamp { time.now() }),
            bodies: Bodies::within(BODY_DEADLINE),
        });
        let sockets = parts.app_token.map(|token| {
            let tell = Arc::clone(&told);
            let tell = Arc::new(move |trouble| degrade(&tell, SOCKETS, trouble));
            let slack = Slack::new(&token, &parts.slack_api_url)?;
            let supervisor = app.supervisor().clone();
            Ok::<_, BadClient>(Sockets::new(slack, dispatcher.handler(), supervisor, tell))
        });
        let web = Web::new(web::Parts {
            app: app.clone(),
            fetcher: Fetcher::new(slack.proxies()),
            slack_issuer: issuer_of(&parts.slack_api_url),
            slack_accounts: slack_accounts(&dispatcher),
            variables: parts.variables.clone(),
        });
        Ok(Self {
            web,
            workers: Workers::new(
                app.clone(),
                slack.clone(),
                dispatcher.clone(),
                parts.variables,
            ),
            inlet,
            sockets: sockets.transpose()?,
            api: Api::new(
                app.clone(),
                parts.metrics.clone(),
                troubles,
                Bounds::default(),
            ),
            metrics: parts.metrics,
            metrics_at: parts.metrics_at,
            troubles: told,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            app_id: parts.app_id,
            app,
            dispatcher,
            slack,
        })
    }

    /// The same bot whose API keeps other bounds.
    #[must_use]
    pub fn bounded(self, bounds: Bounds) -> Self {
        Self {
            api: self.api.with_bounds(bounds),
            ..self
        }
    }

    /// Everything that is served in public.
    pub fn router(&self) -> Router {
        let router = http::router(self.api.clone(), self.metrics_at, self.web.router());
        match &self.inlet {
            Some(inlet) => router.merge(route::router(inlet.clone())),
            None => router,
        }
    }

    /// `/metrics` alone, for the administrators' own address.
    pub fn admin_router(&self) -> Router {
        http::admin_router(self.api.clone())
    }

    /// Recalls who we are in Slack, if a replica has ever learnt it: called before serving, so that a restart refuses nobody.
    pub async fn recall_installation(&self) -> Result<(), AppError> {
        if let Some(known) = self.app.fact(INSTALLATION).await?
            && let Ok(home) = serde_json::from_str::<Installation>(&known)
            && self
                .app_id
                .as_ref()
                .is_none_or(|configured| *configured == home.app_id)
        {
            self.dispatcher.learn(home);
            self.troubles
                .send_modify(|troubles| troubles.unready = None);
        }
        Ok(())
    }

    /// Learns who we are in Slack: from the database at once, and from Slack as soon as it answers.
    pub async fn learn_installation(&self) -> Result<(), AppError> {
        self.recall_installation().await?;
        if self.ask_slack().await {
            return Ok(());
        }
        let bot = self.clone();
        self.keep_running("installation", move || bot.clone().ask_on());
        Ok(())
    }

    async fn ask_on(self) {
        loop {
            tokio::time::sleep(RETRY_INTERVAL).await;
            if self.ask_slack().await {
                return;
            }
        }
    }

    /// Runs a task until the bot stops, which ends it wherever it is.
    fn keep_running<F: Future<Output = ()> + Send + 'static>(
        &self,
        task: &'static str,
        start: impl FnMut() -> F + Send + 'static,
    ) {
        let stop = self.stop.clone();
        let supervisor = self.app.supervisor().clone();
        let running = supervisor.supervise(task, stop.clone(), start);
        self.tasks.spawn(stop.run_until_cancelled_owned(running));
    }

    /// Whether Slack has told who we are.
    async fn ask_slack(&self) -> bool {
        match Installation::learn(&self.slack, self.app_id.clone()).await {
            Ok(home) => {
                if let Ok(text) = serde_json::to_string(&home)
                    && let Err(error) = self.app.learn(INSTALLATION, &text).await
                {
                    tracing::warn!(%error, "app information from Slack not stored");
                }
                self.dispatcher.learn(home);
                self.troubles
                    .send_modify(|troubles| troubles.unready = None);
                degrade(&self.troubles, SLACK, None);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "Slack did not identify the app, retrying");
                degrade(&self.troubles, SLACK, Some(error.to_string()));
                false
            }
        }
    }

    /// Whether Socket Mode, where it is asked for, can ever work; asked before serving, so that a wrong token ends the start.
    pub async fn check_sockets(&self) -> Result<(), SocketsRefused> {
        match &self.sockets {
            Some(sockets) => sockets.check().await,
            None => Ok(()),
        }
    }

    /// Opens the sockets, where Socket Mode is asked for.
    pub fn open_sockets(&self) {
        if let Some(sockets) = &self.sockets {
            sockets.start();
        }
    }

    /// Starts the workers' loops, and asks Slack for its people.
    pub fn start_work(&self) {
        self.workers.start();
        let metrics = self.metrics.clone();
        self.keep_running("metrics upkeep", move || fold(metrics.clone()));
        let dispatcher = self.dispatcher.clone();
        self.keep_running("directory sync", move || sync(dispatcher.clone()));
    }

    /// Finishes what is in flight: answers to clickers, cards and messages under way, units of work.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        if let Some(sockets) = &self.sockets {
            sockets.stop().await;
        }
        self.dispatcher.finish().await;
        self.workers.stop().await;
        self.app.close().await;
    }
}

/// The issuer of Sign in with Slack is the host of its Web API.
fn issuer_of(slack_api_url: &str) -> String {
    let trimmed = slack_api_url.trim_end_matches('/');
    trimmed.strip_suffix("/api").unwrap_or(trimmed).to_owned()
}

fn slack_accounts(dispatcher: &Dispatcher) -> SlackAccounts {
    let dispatcher = dispatcher.clone();
    Arc::new(move |subject: SlackSubject| {
        let dispatcher = dispatcher.clone();
        Box::pin(async move {
            let of = (subject.team_id.as_str(), subject.enterprise_id.as_deref());
            dispatcher.account_signing_in(&subject.user_id, of).await
        })
    })
}

async fn fold(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(FOLD_METRICS).await;
        metrics.run_upkeep();
    }
}

async fn sync(dispatcher: Dispatcher) {
    loop {
        if let Err(error) = dispatcher.sync_people().await {
            tracing::warn!(%error, "failed to apply Slack member sync");
        }
        tokio::select! {
            () = dispatcher.directory_changed() => {}
            () = tokio::time::sleep(RECHECK_INTERVAL) => {}
        }
    }
}

/// Says what does not work with one thing, or that it works again.
fn degrade(told: &watch::Sender<ReadinessState>, about: &str, trouble: Option<String>) {
    told.send_modify(|troubles| {
        troubles.degraded.retain(|said| !said.starts_with(about));
        troubles
            .degraded
            .extend(trouble.map(|why| format!("{about}{why}")));
    });
}
