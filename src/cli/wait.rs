//! Waiting for a decision: long polls that survive a restart of the server, a deadline, and stop signals.

use super::client::{Call, Client, RETRY_PERIOD, fresh_key};
use super::error::CliError;
use super::output;
use super::progress::Progress;
use crate::app::Clock;
use crate::domain::time::{Span, Timestamp};
use crate::http::view::RequestView;
use std::io::IsTerminal as _;
use std::time::Duration;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::time::Instant;

/// The length of one long poll.
const POLL: Duration = Duration::from_secs(30);
/// How long after the latest end of a request a silent server is given up.
const GRACE: Span = Span::minutes(1);

/// A signal that asks a process to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal was closed.
    HangUp,
    /// SIGQUIT: Ctrl-\.
    Quit,
}

impl Stop {
    /// The exit status of a process that this signal stopped.
    pub fn status(self) -> u8 {
        match self {
            Self::HangUp => 129,
            Self::Interrupt => 130,
            Self::Quit => 131,
            Self::Terminate => 143,
        }
    }
}

/// Listens for stop signals. While it exists, they do not end the process by themselves.
pub struct Stops {
    interrupt: Stream,
    terminate: Stream,
    hang_up: Stream,
    quit: Stream,
}

impl Stops {
    /// Starts listening.
    pub fn listen() -> Result<Self, CliError> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| CliError::Usage(format!("signals cannot be read: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
            quit: listen(SignalKind::quit())?,
        })
    }

    /// The next stop signal.
    pub async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.terminate.recv() => Stop::Terminate,
            _ = self.hang_up.recv() => Stop::HangUp,
            _ = self.quit.recv() => Stop::Quit,
        }
    }
}

/// How waiting ended.
pub enum Waited {
    /// The request has left `pending`.
    Settled(Box<RequestView>),
    /// The deadline has passed.
    TimedOut,
    /// A stop signal arrived.
    Stopped(Stop),
}

/// Waits until the request has left `pending`, and prints every change.
pub async fn settle(
    client: &Client,
    mut view: RequestView,
    deadline: Option<Instant>,
    stops: &mut Stops,
    progress: &mut Progress,
) -> Result<Waited, CliError> {
    loop {
        progress.tell(&view);
        if view.status != "pending" {
            progress.clear();
            return Ok(Waited::Settled(Box::new(view)));
        }
        let answer = tokio::select! {
            answer = poll(client, &view) => answer,
            stop = stops.next() => return Ok(Waited::Stopped(stop)),
            () = until(deadline) => return Ok(Waited::TimedOut),
        };
        match answer {
            Ok(newer) => view = newer,
            Err(CliError::NoAnswer(why)) if !given_up(&view, Clock::System.now()) => {
                progress.note(&format!("no answer ({why}); waiting for the server"));
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    stop = stops.next() => return Ok(Waited::Stopped(stop)),
                    () = until(deadline) => return Ok(Waited::TimedOut),
                }
            }
            Err(trouble) => return Err(trouble),
        }
    }
}

async fn poll(client: &Client, view: &RequestView) -> Result<RequestView, CliError> {
    let path = format!(
        "/v1/requests/{}?wait={}s&version={}",
        view.id,
        POLL.as_secs(),
        view.version
    );
    client
        .read(&Call::get(path).waiting(POLL), RETRY_PERIOD)
        .await
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Whether to give up on a silent server, because the request must have expired by now.
fn given_up(view: &RequestView, now: Timestamp) -> bool {
    let expiry = view.expires_at.as_deref();
    expiry
        .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok())
        .map(|expiry| Timestamp(expiry.timestamp_millis()))
        .is_none_or(|expiry| expiry.plus(GRACE) < now)
}

/// Cancels the request and prints what became of it.
pub async fn cancel(client: &Client, view: &RequestView, progress: &mut Progress) -> bool {
    let call = Call::post(
        format!("/v1/requests/{}/cancel", view.id),
        &serde_json::json!({}),
        fresh_key(),
    );
    match client.call(&call, RETRY_PERIOD).await {
        Ok(_) => {
            progress.note(&format!("cancelled #{}", view.number));
            true
        }
        Err(trouble) => {
            progress.clear();
            trouble.tell();
            false
        }
    }
}

/// Whether a stop signal should cancel the request as well. Ctrl-C on a terminal asks; everything else means yes.
pub async fn wants_cancel(stop: Stop, view: &RequestView, progress: &mut Progress) -> bool {
    progress.clear();
    if stop != Stop::Interrupt || !std::io::stdin().is_terminal() {
        return true;
    }
    let question = format!("Cancel request #{} too? [Y/n] ", view.number);
    // no answer counts as yes
    tokio::task::spawn_blocking(move || ask(&question))
        .await
        .ok()
        .flatten()
        .is_none_or(|answer| !matches!(answer.as_str(), "n" | "no"))
}

/// Asks on the terminal and returns the answer in lower case.
pub fn ask(question: &str) -> Option<String> {
    output::draw(question);
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::progress::tests::view;

    #[test]
    fn waiting_stops_when_the_request_must_have_ended() {
        let mut view = view();
        view.expires_at = Some("2026-01-01T00:00:00.000Z".to_owned());
        let expiry = Timestamp(1_767_225_600_000);
        assert!(!given_up(&view, expiry));
        assert!(!given_up(&view, expiry.plus(GRACE)));
        assert!(given_up(&view, expiry.plus(Span::seconds(61))));
        view.expires_at = None;
        assert!(given_up(&view, expiry));
    }

    #[test]
    fn signal_exit_status_is_128_plus_signal() {
        let all = [Stop::HangUp, Stop::Interrupt, Stop::Quit, Stop::Terminate];
        assert_eq!(all.map(Stop::status), [129, 130, 131, 143]);
    }
}
