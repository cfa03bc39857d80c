//! The use cases. Each one begins a unit of work, loads a snapshot, asks the domain, saves the change with its audit events and its
//! outgoing messages, and commits.

mod announce;
mod audit;
mod break_glass;
mod cancel;
mod clock;
mod config;
mod config_change;
mod decide;
mod effect;
mod emails;
mod error;
mod events;
mod execute;
mod explain;
mod follow_ups;
mod health;
mod homes;
mod idempotency;
mod ids;
mod inbox;
mod log_limit;
mod long_poll;
mod measure;
mod people;
mod policy_history;
mod preferences;
mod public_url;
mod recover;
mod refusals;
mod replay;
mod show;
mod sign_ins;
mod stale;
mod stats;
mod submit;
mod sweep;
mod text;
mod threads;
mod tokens;
mod turns;
mod undelivered;
mod webhooks;

pub use crate::domain::explain::Explained;
pub use crate::domain::request_ref::RequestRef;
pub use crate::store::ConfigVersion;
pub use audit::{AuditLine, LoggedEvent, Verified};
pub use break_glass::{SessionPage, Started};
pub use clock::{Clock, Machine, Measured};
pub use config::{Changed, StoredConfig};
pub use decide::{ApproverIdentity, DecisionInput, DecisionOutcome};
pub use error::AppError;
pub use events::{EventFilter, EventPage};
pub use execute::Executed;
pub use follow_ups::WaitingDetails;
pub use idempotency::IdempotencyKey;
pub use inbox::{ListFilter, Page};
pub use log_limit::LogLimit;
pub use measure::{
    CONNECTIONS, CONNECTIONS_CLOSED, DECIDE_SECONDS, DELIVERIES_REFUSED, EMAILS,
    WEBHOOK_DELIVERIES, describe_metrics,
};
pub use people::{Due, ListedGroup};
pub use policy_history::{PolicyChange, PolicyHistory};
pub use recover::{Recovered, Voided};
pub use replay::ReplayPage;
pub use sign_ins::{NewSignIn, SignedIn};
pub use stale::StaleReport;
pub use stats::{LatencyStats, window as stats_window};
pub use submit::Submitted;
pub use tokens::NewToken;
pub use undelivered::Undelivered;
pub use webhooks::{WebhookSubject, name_of as name_of_webhook};

use crate::domain::audit::{AuditEvent, AuditEventKind};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::decision::Via;
use crate::domain::id::{AuditId, OutboxId, PersonId, RequestId};
use crate::domain::message::Message;
use crate::domain::people::Directory;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::Request;
use crate::domain::slack_directory::ConfigVersions;
use crate::domain::time::Timestamp;
use crate::store::{Db, Loaded, Tx};
use crate::supervisor::Supervisor;
use error::CLOCK_UNSURE;
use futures::FutureExt as _;
use serde_json::Value;
use show::resolve;
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
    config: RwLock<Arc<CompiledConfig>>,
    decision_queue: mpsc::Sender<decide::QueuedDecision>,
    waits: long_poll::Waits,
    refusals: refusals::RecentRefusals,
    turns: turns::Turns,
    work: watch::Sender<u64>,
    supervisor: Supervisor,
    proof: health::Proof,
    stored_troubles: health::StoredTroubles,
    pulse: health::Pulse,
    tasks: TaskTracker,
    stop: CancellationToken,
    public_url: public_url::PublicUrl,
}

impl App {
    /// Starts the use cases over an open database: the deciders, and the watch over what other replicas change.
    pub async fn start(db: Db, clock: Clock) -> Result<Self, AppError> {
        let watched = matches!(clock, Clock::System);
        let (app, waiting) = Self::build(db, clock)?;
        app.compiled_config().await?;
        if watched {
            clock::start(&app).await;
        }
        if let Err(why) = app.prove_writable().await {
            tracing::error!(why, "this replica cannot write");
        }
        decide::start(&app, waiting);
        long_poll::start(&app);
        Ok(app)
    }

    /// Opens a database for the operator alone, whether or not its rules can be read: nothing is decided, no replica watched.
    pub async fn open(db: Db, clock: Clock) -> Result<Self, AppError> {
        let (app, _) = Self::build(db, clock)?;
        app.measure().await?;
        Ok(app)
    }

    fn build(
        db: Db,
        clock: Clock,
    ) -> Result<(Self, mpsc::Receiver<decide::QueuedDecision>), AppError> {
        let (decision_queue, waiting) = mpsc::channel(decide::DECISION_QUEUE_CAPACITY);
        let app = Self(Arc::new(Inner {
            db,
            clock: clock.over_a_database(),
            ids: ids::Ids::default(),
            config: RwLock::new(Arc::new(config::empty_config()?)),
            decision_queue,
            waits: long_poll::Waits::default(),
            refusals: refusals::RecentRefusals::default(),
            turns: turns::Turns::default(),
            work: watch::Sender::new(0),
            supervisor: Supervisor::default(),
            proof: health::Proof::default(),
            stored_troubles: health::StoredTroubles::default(),
            pulse: health::Pulse::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            public_url: public_url::PublicUrl::default(),
        }));
        Ok((app, waiting))
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

    /// Keeps the long-lived tasks of this process running.
    pub fn supervisor(&self) -> &Supervisor {
        &self.0.supervisor
    }

    /// Runs a task of the use cases until the app closes, which ends it wherever it is.
    fn keep_running<F: Future<Output = ()> + Send + 'static>(
        &self,
        task: &'static str,
        start: impl FnMut() -> F + Send + 'static,
    ) {
        let stop = self.0.stop.clone();
        let supervisor = self.0.supervisor.clone();
        let running = supervisor.supervise(task, stop.clone(), start);
        self.0.tasks.spawn(stop.run_until_cancelled_owned(running));
    }

    /// Changes whenever a commit has left work for the workers.
    pub fn work(&self) -> watch::Receiver<u64> {
        self.0.work.subscribe()
    }

    /// Whether what must not happen at a wrong hour may happen now (threat ST6).
    pub(super) fn check_clock(&self) -> Result<(), AppError> {
        if self.0.clock.is_sure() {
            Ok(())
        } else {
            Err(AppError::ClockUnsure)
        }
    }

    /// A fact that was learnt once, such as the Slack app's own id.
    pub async fn fact(&self, name: &str) -> Result<Option<String>, AppError> {
        Ok(self.0.db.read().await?.fact(name).await?)
    }

    /// Learns a fact for good.
    pub async fn learn(&self, name: &str, value: &str) -> Result<(), AppError> {
        self.0
            .db
            .transaction(async |tx| Ok(tx.learn(name, value).await?))
            .await
    }

    /// The rules in force.
    pub async fn compiled_config(&self) -> Result<Arc<CompiledConfig>, AppError> {
        let versions = self.0.db.ask(|tx| tx.config_versions().boxed()).await?;
        self.compiled_config_of(versions).await
    }

    /// The rules of versions that were just read, or of newer ones.
    async fn compiled_config_of(
        &self,
        versions: ConfigVersions,
    ) -> Result<Arc<CompiledConfig>, AppError> {
        let held = self.last_read_config();
        if held.versions() == versions {
            return Ok(held);
        }
        let mut tx = self.0.db.read().await?;
        let versions = tx.config_versions().await?;
        self.compiled_config_at(&mut tx, versions).await
    }

    /// The rules of these versions, which are those in force in this unit.
    async fn compiled_config_at(
        &self,
        tx: &mut Tx,
        version: ConfigVersions,
    ) -> Result<Arc<CompiledConfig>, AppError> {
        let held = self.last_read_config();
        if held.versions() == version {
            return Ok(held);
        }
        let config = Arc::new(config::load(tx).await?);
        if config.versions() != version {
            return Err(AppError::Busy); // it moved between two reads; nothing has been written yet
        }
        self.hold(config.clone());
        Ok(config)
    }

    /// Adds suggestions to a refusal that names something unknown. The transaction that refused has ended, so that nobody waits
    /// for the comparison; the rules are those that this replica last read.
    fn with_suggestions(&self, mut error: AppError) -> AppError {
        if let AppError::Refused(Refusal::Violations(violations)) = &mut error {
            self.last_read_config().suggest_names(violations);
        }
        error
    }

    /// Holds rules that a commit has put into force, so that they are not read and compiled once more. Whoever needs rules compares
    /// their version with the database first.
    fn hold(&self, config: Arc<CompiledConfig>) {
        *self
            .0
            .config
            .write()
            .unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// The configuration that this process read last, to show what was just read. Whoever decides compares its version with the database.
    pub fn last_read_config(&self) -> Arc<CompiledConfig> {
        self.0
            .config
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Locks one request, and reads it with the rules that hold.
    async fn locked(
        &self,
        tx: &mut Tx,
        request: &RequestRef,
        payload: bool,
    ) -> Result<(Loaded, Arc<CompiledConfig>), AppError> {
        let id = resolve(tx, request).await?;
        tx.lock_requests(&[&id], true).await?;
        let loaded = tx
            .requests(&[&id], payload)
            .await?
            .pop()
            .ok_or_else(|| self.absent(&id))?;
        let config = self.compiled_config_at(tx, loaded.config).await?;
        Ok((canonicalize_people(loaded, config.directory()), config))
    }

    /// Why a request was not among those that were read: there is none, or it cannot be read.
    fn absent(&self, id: &RequestId) -> Refusal {
        if self.0.db.aside().holds("requests", id.as_str()) {
            Refusal::Unreadable
        } else {
            Refusal::NotFound
        }
    }

    /// An audit event of this moment.
    fn event(
        &self,
        now: Timestamp,
        what: AuditEventKind,
        actor: &Principal,
        via: Via,
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
    fn own_event(
        &self,
        now: Timestamp,
        what: AuditEventKind,
        caller: &Caller,
        detail: Value,
    ) -> AuditEvent {
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
        // boxed, as every use case contains this
        for message in Box::pin(self.with_emails(tx, messages)).await? {
            tx.send(&OutboxId::from_uuid(self.0.ids.next(now)), &message, now)
                .await?;
        }
        Ok(())
    }

    /// Lets the workers look for something to do.
    pub fn wake_workers(&self) {
        self.notify_changes(&[]);
    }

    /// After a commit: whoever waits for these requests is told, and the workers look.
    fn notify_changes(&self, requests: &[(RequestId, i64)]) {
        self.0.waits.moved(requests);
        self.0.work.send_modify(|commits| *commits += 1);
    }
}

/// The request as the directory is now: whoever was only known as a member of the workspace, and is listed by now, goes by the listed
/// id, so that requests, votes and exclusions under the old one are theirs (docs/decisions.md D19). Votes of people who are not active any more
/// are marked as such.
fn canonicalize_people(mut loaded: Loaded, directory: &Directory) -> Loaded {
    let listed = |id: &PersonId| directory.canonical(id).clone();
    let request = &mut loaded.request;
    directory.recognise(&mut request.requester);
    directory.recognise(&mut request.submitted_by);
    for author in &mut request.authors {
        *author = listed(author);
    }
    let excluded = std::mem::take(&mut request.excluded.0);
    for (id, part) in excluded {
        request.excluded.0.entry(listed(&id)).or_insert(part);
    }
    for decision in &mut loaded.decisions {
        decision.by = listed(&decision.by);
        decision.author_left = !directory.is_active(&decision.by);
    }
    loaded
}

/// What the people who asked are told, as far as they are still active: no message reaches the others.
fn news_to_active(request: &Request, config: &CompiledConfig) -> Vec<Message> {
    let mut news = outcome_messages(request);
    news.retain(|message| match message {
        Message::News { to, .. } => config.directory().is_active(to),
        _ => true,
    });
    news
}

/// What the people who asked are told.
fn outcome_messages(request: &Request) -> Vec<Message> {
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
