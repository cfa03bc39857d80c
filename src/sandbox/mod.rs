//! A local Slack workspace: state first, the Web API over it, signed deliveries to the bot, a web page on top.
//!
//! `countersign demo` shows it to people and the tests act in it. It enforces Slack's limits and answers with Slack's own errors,
//! so what works here has met the same refusals before; told to, it also fails as a network does ([`Fault`]).

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
mod limits;
mod mrkdwn;
mod page;
mod payload;
mod reading;
mod render;
mod seed;
mod sockets;
mod state;
mod tickets;
mod wire;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use acting::{ActError, Edit, Element, Forge, Place};
pub use answers::CommandAnswer;
pub use calls::Call;
pub use deliver::{Answer, Delivery, sign};
pub use faults::Fault;
pub use forms::Values;
pub use reading::{ModalText, Shown};
pub use seed::Seed;
pub use state::{Channel, ChannelKind, Group, Install, Message, State, User, View};

/// Milliseconds since 1970, as the workspace believes.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What a workspace is started with.
pub struct Setup {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who and what is there.
    pub seed: Seed,
    /// Where the bot listens, without `/slack/events`; may be told later by [`Sandbox::set_bot_url`].
    pub bot_url: Option<String>,
    /// Shared with the bot: signs what is delivered to it.
    pub signing_secret: SecretString,
    /// The bearer token the Web API accepts.
    pub bot_token: SecretString,
    /// The app-level token; with it the app is in Socket Mode, and nothing is sent over HTTP.
    pub app_token: Option<SecretString>,
    /// The workspace's time.
    pub clock: Clock,
}

/// A running workspace; clones share it.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    faults: Mutex<faults::Faults>,
    calls: Mutex<calls::CallLog>,
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
    /// Binds, and serves until [`Sandbox::stop`].
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

    /// The workspace's address, without a trailing slash; the page is there.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The base address of the Web API: what a bot is told as `SLACK_API_URL`.
    pub fn api_url(&self) -> String {
        format!("{}/api", self.0.url)
    }

    /// Tells where the bot listens, without `/slack/events`.
    pub fn set_bot_url(&self, url: &str) {
        let mut slot = lock(&self.0.bot_url);
        *slot = Some(url.trim_end_matches('/').to_owned());
    }

    /// Ends every connection kindly and waits for the server to be gone.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        self.0.release.notify_waiters();
        self.0.server.wait().await;
    }

    /// The workspace's time in milliseconds.
    pub fn now_ms(&self) -> i64 {
        (self.0.clock)()
    }

    /// Reads the state; keep the closure short, everybody waits for it.
    pub fn look<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&lock(&self.0.state))
    }

    /// Changes the state as an admin of the workspace could: archive a channel, deactivate a person, delete a card.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut lock(&self.0.state));
        self.0.version.send_modify(|version| *version += 1);
        changed
    }

    /// Waits until the state shows something; checked after every change. `None` after five seconds.
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

    /// The next call of any method goes wrong like this; several wait in a row.
    pub fn fail_next(&self, fault: Fault) {
        lock(&self.0.faults).push(None, fault);
    }

    /// The next call of this method (`chat.postMessage`, or `response_url`) goes wrong like this.
    pub fn fail_next_of(&self, method: &str, fault: Fault) {
        lock(&self.0.faults).push(Some(method), fault);
    }

    /// Every call of this method goes wrong like this, until [`Sandbox::clear_faults`].
    pub fn fail_always(&self, method: &str, fault: Fault) {
        lock(&self.0.faults).always(method, fault);
    }

    /// Slack is down: every connection to the Web API and to response urls is cut.
    pub fn set_outage(&self, down: bool) {
        lock(&self.0.faults).outage = down;
    }

    /// Slack's own pace is kept: a second message to a channel within a second is refused (429, `Retry-After: 1`).
    pub fn set_paced(&self, paced: bool) {
        lock(&self.0.faults).paced = paced;
    }

    /// Slack's own tiers are kept: the twenty-first call of a list within a minute is refused (429, `Retry-After`).
    pub fn set_tiers(&self, has_tiers: bool) {
        lock(&self.0.faults).has_tiers = has_tiers;
    }

    /// Forgets all faults, ends an outage, and keeps no pace.
    pub fn clear_faults(&self) {
        lock(&self.0.faults).clear();
        self.release_hung();
    }

    /// Ends the calls that hang after [`Fault::Timeout`]: their connections are cut.
    pub fn release_hung(&self) {
        self.0.release.notify_waiters();
    }
}

/// A poisoned lock means a test failed while changing plain data; the others may go on reading it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
