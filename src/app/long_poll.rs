//! Waiting for a request to move: one watch a request however many wait, and one query a second for all of them together.

use super::{App, AppError, RequestRef, resolve};
use crate::domain::id::RequestId;
use crate::domain::request::Status;
use crate::domain::request_details::RequestDetails;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// How often the database is asked for what no wake has told; also the longest delay of a change at another `SQLite` process.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How often other replicas are told what has moved here.
const NOTIFY_INTERVAL: Duration = Duration::from_millis(20);

/// How many of those who wait may read at once: however many are woken in one moment, clicks find a connection free.
const CONCURRENT_READS: usize = 3;

/// A request has moved to a version that is not known; whoever waits reads it.
pub(super) const UNKNOWN_VERSION: i64 = i64::MAX;

/// Who waits for what, and what has moved since other replicas were told.
pub(super) struct Waits {
    watched: Mutex<HashMap<RequestId, watch::Sender<i64>>>,
    untold: Mutex<Untold>,
    turns: Semaphore,
    over: CancellationToken,
    anything: Anything,
}

/// For whoever waits until anything changes.
struct Anything {
    changes: watch::Sender<u64>,
    /// The newest event of the audit log when it was last looked up.
    newest: Mutex<Option<String>>,
    /// Whether the next new event was told already, by whoever committed it.
    is_told: AtomicBool,
}

impl Anything {
    fn moved(&self) {
        self.is_told.store(true, Ordering::Relaxed);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Notes the newest event; one that nobody has told is a change.
    fn found(&self, newest: Option<String>) {
        let mut last = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_told = self.is_told.swap(false, Ordering::Relaxed);
        if *last != newest && !is_told {
            self.changes.send_modify(|changes| *changes += 1);
        }
        *last = newest;
    }
}

/// What other replicas are to be told.
#[derive(Default)]
struct Untold {
    requests: Vec<RequestId>,
    /// Something has changed that belongs to no request, such as a session or the configuration.
    besides: bool,
}

impl Untold {
    fn is_empty(&self) -> bool {
        self.requests.is_empty() && !self.besides
    }
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            watched: Mutex::default(),
            untold: Mutex::default(),
            turns: Semaphore::new(CONCURRENT_READS),
            over: CancellationToken::new(),
            anything: Anything {
                changes: watch::Sender::new(0),
                newest: Mutex::default(),
                is_told: AtomicBool::new(false),
            },
        }
    }
}

impl Waits {
    fn watch(&self, id: &RequestId, version: i64) -> watch::Receiver<i64> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched
            .entry(id.clone())
            .or_insert_with(|| watch::Sender::new(version))
            .subscribe()
    }

    /// A commit of this replica has moved these.
    pub(super) fn moved(&self, requests: &[(RequestId, i64)]) {
        self.wake(requests);
        self.anything.moved();
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        untold.besides |= requests.is_empty();
        let ids = requests.iter().map(|(id, _)| id.clone());
        untold.requests.extend(ids);
    }

    fn wake(&self, requests: &[(RequestId, i64)]) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, version) in requests {
            if let Some(sender) = watched.get(id) {
                sender.send_if_modified(|seen| match *version {
                    UNKNOWN_VERSION => true,
                    version => (version > *seen).then(|| *seen = version).is_some(),
                });
            }
        }
        watched.retain(|_, sender| sender.receiver_count() > 0);
    }

    fn waited_for(&self) -> Vec<RequestId> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched.keys().cloned().collect()
    }

    fn take_untold(&self) -> Untold {
        std::mem::take(&mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts what keeps waiters of this and of other replicas informed.
pub(super) fn start(app: &App) {
    let this = app.clone();
    app.keep_running("slow poll", move || poll(this.clone()));
    if app.0.db.has_replicas() {
        let this = app.clone();
        app.keep_running("replica notifier", move || tell(this.clone()));
        let this = app.clone();
        app.keep_running("replica listener", move || listen(this.clone()));
    }
}

async fn poll(app: App) {
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        app.look_again().await;
    }
}

async fn tell(app: App) {
    loop {
        tokio::time::sleep(NOTIFY_INTERVAL).await;
        app.tell_replicas().await;
    }
}

async fn listen(app: App) {
    loop {
        if let Err(error) = app.hear_replicas().await {
            tracing::warn!(%error, "cannot receive notifications from other replicas, polling slowly");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

impl App {
    /// One request, as soon as it has left `pending` (or, with `newer_than`, has any newer version), else as it is after `patience`.
    pub async fn wait(
        &self,
        request: &RequestRef,
        newer_than: Option<i64>,
        patience: Duration,
    ) -> Result<RequestDetails, AppError> {
        let id = self.in_turn(|| self.id_of(request)).await?;
        let named = RequestRef::Id(id.clone());
        let mut versions = self.0.waits.watch(&id, 0);
        let moved = async {
            loop {
                versions.mark_unchanged();
                let shown = self.in_turn(|| self.show(&named)).await?;
                let status = shown.request.state.clone().at(self.now()).status();
                let arrived = newer_than.map_or(status != Status::Pending, |seen| {
                    shown.request.version > seen
                });
                if arrived || versions.changed().await.is_err() {
                    return Ok(shown);
                }
            }
        };
        let patient = tokio::time::timeout(patience, moved);
        match self.0.waits.over.run_until_cancelled(patient).await {
            Some(Ok(shown)) => shown,
            Some(Err(_)) | None => self.in_turn(|| self.show(&named)).await,
        }
    }

    async fn id_of(&self, request: &RequestRef) -> Result<RequestId, AppError> {
        resolve(&mut self.0.db.read().await?, request).await
    }

    /// What somebody who waits has to read, when it is their turn. Until then it takes up no memory.
    pub async fn in_turn<F: Future>(&self, reading: impl FnOnce() -> F) -> F::Output {
        let _turn = self.0.waits.turns.acquire().await; // the line is never closed
        Box::pin(reading()).await
    }

    /// Whoever waits is answered now, with what is: the process is about to stop.
    pub fn end_waits(&self) {
        self.0.waits.over.cancel();
    }

    /// The version of a request whenever it grows, at this replica or another one. It may begin with an older version; the present one
    /// follows within a second.
    pub async fn request_versions(
        &self,
        request: &RequestRef,
    ) -> Result<watch::Receiver<i64>, AppError> {
        let id = self.in_turn(|| self.id_of(request)).await?;
        Ok(self.0.waits.watch(&id, 0))
    }

    /// Changes whenever anything has, at this replica or another one.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.waits.anything.changes.subscribe()
    }

    /// Returns when the process is about to stop.
    pub async fn waits_ended(&self) {
        self.0.waits.over.cancelled().await;
    }

    /// Wakes those who wait for what has moved without a wake.
    async fn look_again(&self) {
        if self.0.waits.anything.changes.receiver_count() > 0 {
            match self.newest_event().await {
                Ok(newest) => self.0.waits.anything.found(newest),
                Err(error) => tracing::warn!(%error, "cannot poll for new events"),
            }
        }
        let ids = self.0.waits.waited_for();
        if ids.is_empty() {
            return;
        }
        match self.versions(&ids).await {
            Ok(versions) => self.0.waits.wake(&versions),
            Err(error) => tracing::warn!(%error, "cannot poll for changed requests"),
        }
    }

    async fn newest_event(&self) -> Result<Option<String>, AppError> {
        Ok(self.0.db.read().await?.newest_event().await?)
    }

    async fn versions(&self, ids: &[RequestId]) -> Result<Vec<(RequestId, i64)>, AppError> {
        Ok(self.0.db.read().await?.versions(ids).await?)
    }

    async fn tell_replicas(&self) {
        let untold = self.0.waits.take_untold();
        if untold.is_empty() {
            return;
        }
        if let Err(error) = self.0.db.notify(&untold.requests).await {
            tracing::warn!(%error, "cannot notify other replicas, they poll slowly");
        }
    }

    async fn hear_replicas(&self) -> Result<(), AppError> {
        let Some(mut wakes) = self.0.db.listen().await? else {
            return Ok(());
        };
        loop {
            let moved = wakes.next().await?;
            self.0.waits.wake(&self.versions(&moved).await?);
            self.0.waits.anything.moved();
            self.0.work.send_modify(|commits| *commits += 1);
        }
    }
}
