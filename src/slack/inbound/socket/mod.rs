//! Socket Mode: Slack's deliveries over connections that we open (docs/decisions.md D33). The same dispatcher as behind `/slack/events`.
//!
//! A connection is replaced before it closes, and opened anew with growing pauses when it is lost. What can never work - a token
//! that was taken back, Socket Mode switched off - ends the loop with a sentence that says how to fix it.

mod connection;
pub mod frame;
mod pause;

use crate::slack::api::client::Slack;
use crate::slack::api::error::SlackError;
use crate::slack::inbound::Handler;
use crate::supervisor::Supervisor;
use connection::{Connection, ConnectionContext, Stage};
use pause::Pause;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

/// Connections of one replica: while one is replaced, the other hears. Slack allows ten for an app.
const CONNECTIONS: usize = 2;
/// A connection that held so long was a good one.
const STEADY: Duration = Duration::from_secs(30);

/// Told in words what is wrong with Socket Mode, or that nothing is.
pub type Tell = Arc<dyn Fn(Option<String>) + Send + Sync>;

/// Why Socket Mode cannot work until somebody fixes it; with Slack's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketsRefused(String);

impl SocketsRefused {
    /// Slack's code.
    pub fn code(&self) -> &str {
        &self.0
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        hint(&self.0).unwrap_or("Socket Mode does not work")
    }

    /// Whether an error can never go away by itself.
    pub fn of(error: &SlackError) -> Option<Self> {
        let (SlackError::InvalidAuth(code)
        | SlackError::TokenRevoked(code)
        | SlackError::Other(code)) = error
        else {
            return None;
        };
        hint(code).map(|_| Self(code.clone()))
    }
}

impl fmt::Display for SocketsRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.hint())
    }
}

impl std::error::Error for SocketsRefused {}

/// How to fix what a code says; none for a code that may go away.
fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "invalid_auth" | "not_authed" | "token_expired" => {
            "SLACK_APP_TOKEN does not work; make an app-level token in the app's settings under Basic Information, set it, and restart"
        }
        "token_revoked" | "account_inactive" | "app_uninstalled" => {
            "SLACK_APP_TOKEN was taken back; make another app-level token in the app's settings under Basic Information, set it, and restart"
        }
        "missing_scope" | "no_permission" => {
            "SLACK_APP_TOKEN lacks the scope connections:write; make an app-level token that has it, set it, and restart"
        }
        "not_allowed_token_type" => {
            "SLACK_APP_TOKEN is no app-level token (xapp-...); make one in the app's settings under Basic Information, set it, and restart"
        }
        "forbidden_team" | "access_denied" | "team_access_not_granted" => {
            "the app may not be used in this workspace; ask its administrators, and restart"
        }
        "link_disabled" | "socket_mode_disabled" => {
            "Socket Mode is switched off in the app's settings; switch it on and restart, or set SLACK_SIGNING_SECRET and unset SLACK_APP_TOKEN"
        }
        _ => return None,
    })
}

/// The connections of this replica; cheap to clone.
#[derive(Clone)]
pub struct Sockets {
    slack: Slack,
    context: ConnectionContext,
    supervisor: Supervisor,
    tell: Tell,
    live: Arc<AtomicUsize>,
}

impl Sockets {
    /// None open yet. `slack` speaks with the app-level token.
    pub fn new(slack: Slack, handler: Handler, supervisor: Supervisor, tell: Tell) -> Self {
        Self {
            slack,
            context: ConnectionContext {
                handler,
                stop: CancellationToken::new(),
                tasks: TaskTracker::new(),
            },
            supervisor,
            tell,
            live: Arc::default(),
        }
    }

    /// Whether it is worth starting: an error can never go away by itself.
    pub async fn check(&self) -> Result<(), SocketsRefused> {
        match self.slack.open_connection().await {
            Ok(_) => Ok(()),
            Err(error) => SocketsRefused::of(&error).map_or(Ok(()), Err),
        }
    }

    /// Opens the connections, and keeps them open until [`Sockets::stop`].
    pub fn start(&self) {
        (self.tell)(Some("no connection to Slack yet".to_owned()));
        for number in 0..CONNECTIONS {
            let this = self.clone();
            let stop = self.context.stop.clone();
            let supervisor = self.supervisor.clone();
            let keep = move || this.clone().keep(number);
            self.context
                .tasks
                .spawn(supervisor.supervise("socket", stop, keep));
        }
    }

    /// Reads nothing more, finishes what is in work, sends its acks, and closes.
    pub async fn stop(&self) {
        self.context.stop.cancel();
        self.context.tasks.close();
        self.context.tasks.wait().await;
    }

    /// Keeps one connection open.
    async fn keep(self, number: usize) {
        let mut pause = Pause::default();
        let mut old: Option<Connection> = None;
        let stop = self.context.stop.clone();
        loop {
            let opened = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                opened = self.open() => opened,
            };
            let mut asked = None;
            match opened {
                Ok(mut line) => {
                    info!(number, "a socket is open");
                    if let Some(old) = old.take() {
                        old.retire();
                    }
                    let (stage, steady) = self.watch(&mut line).await;
                    if steady {
                        pause.relax();
                    }
                    match stage {
                        Stage::Disabled => {
                            return self.give_up(&SocketsRefused("link_disabled".to_owned()));
                        }
                        Stage::Leaving => {
                            // it is read on until the next one is there
                            old = Some(line);
                            if steady {
                                continue;
                            }
                        }
                        Stage::Gone | Stage::Silent | Stage::Live => {}
                    }
                }
                Err(Failed::SocketsRefused(why)) => return self.give_up(&why),
                Err(Failed::Later(why, retry_after)) => {
                    warn!(number, why, "socket not opened, retrying");
                    self.tell_if_none(&why);
                    asked = retry_after;
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause.next(chance(), asked)) => {}
            }
        }
    }

    async fn open(&self) -> Result<Connection, Failed> {
        let url = self.slack.open_connection().await.map_err(|error| {
            let why = match &error {
                SlackError::Transport(_) => error.to_string(),
                other => format!("no connection to Slack: {other}"),
            };
            let later = || Failed::Later(why, error.retry_after());
            SocketsRefused::of(&error).map_or_else(later, Failed::SocketsRefused)
        })?;
        let opened = Connection::open(&url, self.slack.proxies(), &self.context).await;
        opened.map_err(|why| Failed::Later(format!("no connection to Slack: {why}"), None))
    }

    /// Waits until a connection is over: how it ended, and whether it has held for a while.
    async fn watch(&self, line: &mut Connection) -> (Stage, bool) {
        self.live.fetch_add(1, Ordering::SeqCst);
        (self.tell)(None);
        let (stage, steady) = tokio::select! {
            stage = line.over() => (stage, false),
            () = tokio::time::sleep(STEADY) => (line.over().await, true),
        };
        let stopping = self.context.stop.is_cancelled();
        self.live.fetch_sub(1, Ordering::SeqCst);
        if !stopping && stage == Stage::Gone {
            self.tell_if_none("no connection to Slack: the last socket has closed");
        }
        (stage, steady)
    }

    fn tell_if_none(&self, why: &str) {
        if self.live.load(Ordering::SeqCst) == 0 {
            (self.tell)(Some(format!("{why}; trying again")));
        }
    }

    fn give_up(&self, why: &SocketsRefused) {
        error!("Socket Mode: {why}");
        (self.tell)(Some(why.to_string()));
    }
}

/// Why no connection was opened.
enum Failed {
    SocketsRefused(SocketsRefused),
    Later(String, Option<Duration>),
}

/// Spreads the tries of many replicas; without chance they only come a little closer together.
fn chance() -> u32 {
    getrandom::u32().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permanent_socket_errors_say_what_to_do() {
        for code in [
            "invalid_auth",
            "not_authed",
            "account_inactive",
            "token_revoked",
            "missing_scope",
            "not_allowed_token_type",
            "forbidden_team",
            "link_disabled",
        ] {
            let error = SlackError::from_code(code, Vec::new());
            let why = SocketsRefused::of(&error).expect(code).to_string();
            assert!(why.starts_with(code) && why.contains("restart"), "{why}");
        }
        for code in [
            "internal_error",
            "fatal_error",
            "ratelimited",
            "service_unavailable",
            "new",
        ] {
            assert_eq!(
                SocketsRefused::of(&SlackError::from_code(code, Vec::new())),
                None,
                "{code}"
            );
        }
        for error in [
            SlackError::Lost,
            SlackError::TimedOut,
            SlackError::Http(403),
        ] {
            assert_eq!(SocketsRefused::of(&error), None);
        }
    }
}
