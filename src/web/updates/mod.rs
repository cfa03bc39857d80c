//! Live updates: an open page is told that something has changed, and reads itself again. A stream carries no content, so that
//! whatever is shown passes the same checks as any other page.

mod streams;

pub(super) use streams::Streams;

use super::Web;
use super::access::Listener;
use super::failure::Failure;
use crate::app::{App, RequestRef};
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderName;
use axum::http::header::CACHE_CONTROL;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream::unfold;
use serde::Deserialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;
use streams::OpenStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep, timeout};

/// How often a quiet stream says that it is alive, and looks whether the sign-in is.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The least time between two events of a stream; what changes meanwhile is told together.
const LEAST_GAP: Duration = Duration::from_secs(1);
/// How long a stream lasts; the browser opens another one.
const LONGEST: Duration = Duration::from_mins(10);
/// The queue is read again after so many quiet heartbeats, in case that a change was told to nobody.
const QUIET_HEARTBEATS: u32 = 4;
/// When a browser opens another stream after one has ended.
const RETRY: Duration = Duration::from_secs(3);

/// What the page of a request shows.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    version: i64,
}

/// `GET /approvals/updates`
pub(super) async fn queue(
    State(web): State<Web>,
    Extension(listener): Extension<Listener>,
) -> Result<Response, Failure> {
    let mut changes = web.app.changes();
    changes.mark_changed(); // it may have changed since the page was read
    stream(&web, listener, Subject::Queue(changes))
}

/// `GET /approvals/{number}/updates`
pub(super) async fn request(
    State(web): State<Web>,
    Extension(listener): Extension<Listener>,
    Path(number): Path<String>,
    Query(shown): Query<Shown>,
) -> Result<Response, Failure> {
    let number = number.parse().map_err(|_| Failure::no_page())?;
    let request = RequestRef::Number(number);
    let mut versions = web.app.request_versions(&request).await?;
    versions.mark_changed();
    stream(&web, listener, Subject::Request(versions, shown.version))
}

fn stream(web: &Web, listener: Listener, subject: Subject) -> Result<Response, Failure> {
    let place = web.streams.open(listener.person());
    let open = OpenPage {
        app: web.app.clone(),
        listener,
        subject,
        ends: Box::pin(sleep(LONGEST)),
        stage: Stage::Begins,
        _place: place.ok_or_else(Failure::too_many_streams)?,
    };
    let headers = [
        (CACHE_CONTROL, "no-store"),
        // proxies must pass each event on at once
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let events = unfold(open, |mut open| async {
        let event = open.next().await?;
        Some((Ok::<_, Infallible>(event), open))
    });
    Ok((headers, Sse::new(events)).into_response())
}

/// What a page shows.
enum Subject {
    /// The queue, which any commit may change.
    Queue(watch::Receiver<u64>),
    /// A request, with the version that is shown.
    Request(watch::Receiver<i64>, i64),
}

impl Subject {
    /// Returns when there is something new.
    async fn changes(&mut self) {
        let ended = match self {
            Self::Queue(changes) => changes.changed().await.is_err(),
            Self::Request(versions, shown) => loop {
                if versions.changed().await.is_err() {
                    break true;
                }
                let version = *versions.borrow_and_update();
                if version > *shown {
                    *shown = version;
                    break false;
                }
            },
        };
        if ended {
            std::future::pending::<()>().await; // this replica stops
        }
    }
}

enum Stage {
    Begins,
    /// After so many quiet heartbeats.
    Listens(u32),
    Told,
    Over,
}

/// One open page that listens.
struct OpenPage {
    app: App,
    listener: Listener,
    subject: Subject,
    ends: Pin<Box<Sleep>>,
    stage: Stage,
    _place: OpenStream,
}

impl OpenPage {
    /// The next event; none where the stream ends. Whatever cannot be checked ends it.
    async fn next(&mut self) -> Option<Event> {
        match self.stage {
            Stage::Over => return None,
            Stage::Begins => {
                self.stage = Stage::Listens(0);
                return Some(Event::default().retry(RETRY).comment("listening"));
            }
            Stage::Listens(_) | Stage::Told => {}
        }
        let has_changed = tokio::select! {
            () = self.app.waits_ended() => return None,
            () = self.ends.as_mut() => return None,
            changed = wait(&mut self.subject, &self.stage) => changed,
        };
        if !self.listener.is_still_signed_in(&self.app).await.ok()? {
            self.stage = Stage::Over;
            return Some(Event::default().event("ended").data("sign-in"));
        }
        let quiet = match self.stage {
            Stage::Listens(quiet) => quiet + 1,
            _ => 1,
        };
        // the version of a request is looked up every second, the queue is not
        let is_stale = quiet >= QUIET_HEARTBEATS && matches!(self.subject, Subject::Queue(_));
        if has_changed || is_stale {
            self.stage = Stage::Told;
            return Some(Event::default().event("changed").data("page"));
        }
        self.stage = Stage::Listens(quiet);
        Some(Event::default().comment("quiet"))
    }
}

/// Waits for a change or the next heartbeat; says which it was.
async fn wait(subject: &mut Subject, stage: &Stage) -> bool {
    if matches!(stage, Stage::Told) {
        sleep(LEAST_GAP).await;
    }
    timeout(HEARTBEAT, subject.changes()).await.is_ok()
}
