//! The use cases. Each one begins a unit of work, loads a snapshot, asks the domain, saves the change with its audit events and its
//! outgoing messages, and commits.

mod audit;
mod cancel;
mod clock;
mod config;
mod decide;
mod execute;
mod explain;
mod ids;
mod inbox;
mod judge;
mod once;
mod show;
mod submit;
mod sweep;
mod tokens;
mod undelivered;
mod wait;

pub use crate::domain::explain::Explained;
pub use audit::AuditLine;
pub use clock::Clock;
pub use config::{Changed, StoredConfig};
pub use decide::{Click, Clicker, Decided};
pub use execute::Executed;
pub use inbox::{ListFilter, Page};
pub use once::Once;
pub use submit::{Submission, Submitted};
pub use tokens::NewToken;
pub use undelivered::Undelivered;

use crate::domain::audit::{AuditEvent, What};
use crate::domain::id::{AuditId, NotAnId, OutboxId, PersonId, RequestId};
use crate::domain::message::Message;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::Request;
use crate::domain::rules::Rules;
use crate::domain::time::Timestamp;
use crate::domain::vote::Door;
use crate::store::{Db, Loaded, StoreError, Tx};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// All use cases over one database; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    ids: ids::Ids,
    rules: RwLock<Arc<Rules>>,
    clicks: mpsc::Sender<decide::Waiting>,
    waits: wait::Waits,
    work: watch::Sender<u64>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Why a use case gave no answer, or said no.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppError {
    /// The answer is no.
    #[error("{}", .0.title())]
    Refused(Refusal),
    /// Not begun, or not known to have ended, in time; nothing is promised. Try again.
    #[error("busy; try again")]
    Busy,
    /// Something of ours is broken; the text is for the log, never for a caller.
    #[error("{0}")]
    Internal(String),
}

impl From<Refusal> for AppError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Writer => Self::Busy,
            other => Self::Internal(other.to_string()),
        }
    }
}

/// How a request is named: by its id, or by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestRef {
    /// By id.
    Id(RequestId),
    /// By number, `#42`.
    Number(i64),
}

impl std::str::FromStr for RequestRef {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        if !digits.is_empty() && digits.len() < 18 && digits.bytes().all(|b| b.is_ascii_digit()) {
            return digits.parse().map(Self::Number).map_err(|_| NotAnId);
        }
        text.parse().map(Self::Id)
    }
}

impl App {
    /// Starts the use cases over an open database: the deciders, and the watch over what other replicas change.
    pub async fn start(db: Db, clock: Clock) -> Result<Self, AppError> {
        let (clicks, waiting) = mpsc::channel(decide::LINE);
        let app = Self(Arc::new(Inner {
            db,
            clock,
            ids: ids::Ids::default(),
            rules: RwLock::new(Arc::new(config::no_rules()?)),
            clicks,
            waits: wait::Waits::default(),
            work: watch::Sender::new(0),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }));
        app.rules().await?;
        decide::start(&app, waiting);
        wait::start(&app);
        Ok(app)
    }

    /// Finishes what is in flight and closes the database.
    pub async fn close(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.db.close().await;
    }

    /// The time, by the clock that decides.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The clock that decides.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The database, for the workers' own units.
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// Changes whenever a commit has left work for the workers.
    pub fn work(&self) -> watch::Receiver<u64> {
        self.0.work.subscribe()
    }

    /// Whether this replica can serve: why not, in words.
    pub async fn ready(&self) -> Result<(), String> {
        if self.0.stop.is_cancelled() {
            return Err("shutting down".to_owned());
        }
        self.rules()
            .await
            .map(|_| ())
            .map_err(|error| format!("the database does not answer: {error}"))
    }

    /// A fact that was learnt once, such as the Slack app's own id.
    pub async fn fact(&self, name: &str) -> Result<Option<String>, AppError> {
        Ok(self.0.db.read().await?.fact(name).await?)
    }

    /// Learns a fact for good.
    pub async fn learn(&self, name: &str, value: &str) -> Result<(), AppError> {
        self.0
            .db
            .unit(async |tx| Ok(tx.learn(name, value).await?))
            .await
    }

    /// The rules in force.
    pub async fn rules(&self) -> Result<Arc<Rules>, AppError> {
        let mut tx = self.0.db.read().await?;
        let version = tx.config_version().await?;
        self.rules_at(&mut tx, version).await
    }

    /// The rules of this version, which is the one in force in this unit.
    async fn rules_at(&self, tx: &mut Tx, version: i64) -> Result<Arc<Rules>, AppError> {
        let held = self
            .0
            .rules
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if held.version() == version {
            return Ok(held);
        }
        let rules = Arc::new(config::load(tx).await?);
        if rules.version() != version {
            return Err(AppError::Busy); // it moved between two reads; nothing has been written yet
        }
        *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = rules.clone();
        Ok(rules)
    }

    /// Locks one request, and reads it with the rules that hold.
    async fn locked(
        &self,
        tx: &mut Tx,
        request: &RequestRef,
        payload: bool,
    ) -> Result<(Loaded, Arc<Rules>), AppError> {
        let id = resolve(tx, request).await?;
        tx.lock_requests(&[&id], true).await?;
        let loaded = tx
            .requests(&[&id], payload)
            .await?
            .pop()
            .ok_or(Refusal::NotFound)?;
        let rules = self.rules_at(tx, loaded.rules).await?;
        Ok((loaded, rules))
    }

    /// An audit event of this moment.
    fn event(
        &self,
        now: Timestamp,
        what: What,
        actor: &Principal,
        via: Door,
        request: &Request,
        detail: Value,
    ) -> AuditEvent {
        AuditEvent {
            id: AuditId::from_uuid(self.0.ids.next(now)),
            at: now,
            what,
            actor: actor.clone(),
            via,
            request: Some(request.id.clone()),
            session: request.session.clone(),
            detail,
        }
    }

    /// An audit event that is about no request.
    fn own_event(&self, now: Timestamp, what: What, caller: &Caller, detail: Value) -> AuditEvent {
        AuditEvent {
            id: AuditId::from_uuid(self.0.ids.next(now)),
            at: now,
            what,
            actor: caller.principal.clone(),
            via: caller.via,
            request: None,
            session: None,
            detail,
        }
    }

    /// Puts messages into the outbox of this unit.
    async fn send(
        &self,
        tx: &mut Tx,
        messages: Vec<Message>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        for message in messages {
            tx.send(&OutboxId::from_uuid(self.0.ids.next(now)), &message, now)
                .await?;
        }
        Ok(())
    }

    /// After a commit: whoever waits for these requests is told, and the workers look.
    fn moved(&self, requests: &[(RequestId, i64)]) {
        self.0.waits.moved(requests);
        self.0.work.send_modify(|commits| *commits += 1);
    }
}

/// The id of a request, by id or number.
async fn resolve(tx: &mut Tx, request: &RequestRef) -> Result<RequestId, AppError> {
    match request {
        RequestRef::Id(id) => Ok(id.clone()),
        RequestRef::Number(number) => {
            Ok(tx.id_of_number(*number).await?.ok_or(Refusal::NotFound)?)
        }
    }
}

/// What the people who asked are told.
fn news_of(request: &Request) -> Vec<Message> {
    let asked: BTreeSet<&PersonId> = [&request.requester, &request.submitted_by]
        .into_iter()
        .filter_map(Principal::person)
        .collect();
    asked
        .into_iter()
        .map(|to| Message::News {
            to: to.clone(),
            request: request.id.clone(),
        })
        .collect()
}
