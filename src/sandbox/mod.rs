//! A local Slack workspace: its state, the Web API that changes it, signed deliveries to the bot, and a web page for people.
//!
//! `countersign demo` shows it to people, and the tests use it. It enforces Slack's limits and returns Slack's own errors, so the bot has
//! already met the refusals that it will meet in Slack. On request it also fails as a network does ([`Fault`]).

mod acting;
mod answers;
mod api;
mod blocks;
mod calls;
mod clicking;
mod deliver;
mod elements;
mod faults;
mod filling;
mod forms;
mod hooks;
mod limits;
mod mail;
mod mrkdwn;
mod oidc;
mod page;
mod payload;
mod reading;
mod render;
mod seed;
mod sockets;
mod state;
mod tickets;
mod tools;
mod trace;
mod wire;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use acting::{ActError, Edit, Element, Forge, Place};
pub use answers::CommandAnswer;
pub use calls::Call;
pub use deliver::{Answer, Delivery, sign};
pub use faults::Fault;
pub use forms::Values;
pub use oidc::{CLIENT_SECRET, SignInFault};
pub use reading::{ModalText, Shown};
pub use seed::Seed;
pub use state::{Channel, ChannelKind, Group, Install, Mail, Message, State, User, View};
pub use tools::Order;
pub use trace::TraceEntry;

/// Returns the workspace's time, in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How a workspace starts.
pub struct Setup {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The people, channels and groups at the start.
    pub seed: Seed,
    /// The bot's base URL, without `/slack/events`; can be set later with [`Sandbox::set_bot_url`].
    pub bot_url: Option<String>,
    /// Signs deliveries to the bot, which knows the same secret.
    pub signing_secret: SecretString,
    /// The bearer token that the Web API accepts.
    pub bot_token: SecretString,
    /// The app-level token. With it the app is in Socket Mode, and nothing is sent over HTTP.
    pub app_token: Option<SecretString>,
    /// The workspace's clock.
    pub clock: Clock,
}

/// A running workspace; clones share it.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    faults: Mutex<faults::Faults>,
    calls: Mutex<calls::CallLog>,
    trace: Mutex<trace::Trace>,
    oidc: Mutex<oidc::Provider>,
    orders: Mutex<Option<mpsc::UnboundedSender<Order>>>,
    version: watch::Sender<u64>,
    release: Notify,
    clock: Clock,
    bot_url: Mutex<Option<String>>,
    deliveries: Mutex<VecDeque<Delivery>>,
    signing_secret: SecretString,
    bot_token: SecretString,
    sockets: Option<sockets::Sockets>,
    url: String,
    client: deliver::Client,
    stop: CancellationToken,
    server: TaskTracker,
}

impl Sandbox {
    /// Binds the address and serves until [`Sandbox::stop`].
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(setup: Setup) -> std::io::Result<Self> {
        let listener = TcpListener::bind(setup.listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let sockets = match setup.app_token {
            Some(token) => Some(sockets::Sockets::bind(token).await?),
            None => None,
        };
        let sandbox = Self(Arc::new(Inner {
            state: Mutex::new(setup.seed.into_state()),
            faults: Mutex::default(),
            calls: Mutex::default(),
            trace: Mutex::default(),
            oidc: Mutex::default(),
            orders: Mutex::default(),
            version: watch::Sender::new(1),
            release: Notify::new(),
            clock: setup.clock,
            bot_url: Mutex::new(
                setup
                    .bot_url
                    .map(|url| url.trim_end_matches('/').to_owned()),
            ),
            deliveries: Mutex::default(),
            signing_secret: setup.signing_secret,
            bot_token: setup.bot_token,
            sockets,
            url,
            client: deliver::client(),
            stop: CancellationToken::new(),
            server: TaskTracker::new(),
        }));
        let app = api::router()
            .merge(oidc::router())
            .merge(page::router())
            .with_state(sandbox.clone());
        let app = app.into_make_service_with_connect_info::<wire::Cut>();
        let stop = sandbox.0.stop.clone();
        let serving =
            axum::serve(wire::Wire(listener), app).with_graceful_shutdown(stop.cancelled_owned());
        sandbox.0.server.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the local Slack workspace stopped");
            }
        });
        sandbox.serve_sockets();
        sandbox.0.server.close();
        Ok(sandbox)
    }

    /// The workspace's base URL, without a trailing slash; it serves the page.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The base URL of the Web API, for the bot's `SLACK_API_URL`.
    pub fn api_url(&self) -> String {
        format!("{}/api", self.0.url)
    }

    /// Sets the bot's base URL, without `/slack/events`.
    pub fn set_bot_url(&self, url: &str) {
        let mut slot = lock(&self.0.bot_url);
        *slot = Some(url.trim_end_matches('/').to_owned());
    }

    /// Closes every connection gracefully and waits until the server has stopped.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        self.0.release.notify_waiters();
        self.0.server.wait().await;
    }

    /// The workspace's time, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        (self.0.clock)()
    }

    /// Reads the state under its lock; keep the closure short.
    pub fn look<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&lock(&self.0.state))
    }

    /// Changes the state as an administrator of the workspace could: archive a channel, deactivate a person, delete a card.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut lock(&self.0.state));
        self.0.version.send_modify(|version| *version += 1);
        changed
    }

    /// Waits until `seen` finds something in the state, checked after every change. `None` after five seconds.
    pub async fn wait_for<T>(&self, mut seen: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let mut versions = self.0.version.subscribe();
        let waiting = async {
            loop {
                versions.borrow_and_update();
                if let Some(found) = self.look(&mut seen) {
                    return Some(found);
                }
                if versions.changed().await.is_err() {
                    return None;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(5), waiting)
            .await
            .ok()?
    }

    /// The next call of any method fails like this. Several faults apply to successive calls.
    pub fn fail_next(&self, fault: Fault) {
        lock(&self.0.faults).push(None, fault);
    }

    /// The next call of this method (`chat.postMessage`, or `response_url`) fails like this.
    pub fn fail_next_of(&self, method: &str, fault: Fault) {
        lock(&self.0.faults).push(Some(method), fault);
    }

    /// Every call of this method fails like this, until [`Sandbox::clear_faults`].
    pub fn fail_always(&self, method: &str, fault: Fault) {
        lock(&self.0.faults).always(method, fault);
    }

    /// An outage of Slack: every connection to the Web API and to response URLs is cut.
    pub fn set_outage(&self, down: bool) {
        lock(&self.0.faults).outage = down;
    }

    /// Enforces Slack's rate of messages: a second message to a channel within a second is refused (429, `Retry-After: 1`).
    pub fn set_paced(&self, paced: bool) {
        lock(&self.0.faults).paced = paced;
    }

    /// Enforces Slack's rate tiers: a call beyond the published number per minute of its method is refused (429, `Retry-After`).
    pub fn set_tiers(&self, has_tiers: bool) {
        lock(&self.0.faults).has_tiers = has_tiers;
    }

    /// Removes all faults, ends an outage, and stops enforcing rates.
    pub fn clear_faults(&self) {
        lock(&self.0.faults).clear();
        self.release_hung();
    }

    /// Cuts the connections of calls that hang after [`Fault::Timeout`].
    pub fn release_hung(&self) {
        self.0.release.notify_waiters();
    }
}

/// A poisoned lock means that a test failed while it changed plain data; the others may still read it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
