//! The use cases. Each one begins a unit of work, loads a snapshot, asks the domain, saves the change with its audit events and its
//! outgoing messages, and commits.

mod announce;
mod audit;
mod break_glass;
mod cancel;
mod clock;
mod config;
mod decide;
mod effect;
mod execute;
mod explain;
mod ids;
mod inbox;
mod judge;
mod measure;
mod once;
mod people;
mod plan;
mod recover;
mod session_news;
mod session_review;
mod sessions;
mod show;
mod stats;
mod submit;
mod sweep;
mod tokens;
mod undelivered;
mod wait;

pub use crate::domain::explain::Explained;
pub use audit::{AuditLine, LoggedEvent};
pub use break_glass::Started;
pub use clock::{Clock, Machine, Measured};
pub use config::{Changed, StoredConfig};
pub use decide::{Click, Clicker, Decided};
pub use execute::Executed;
pub use inbox::{ListFilter, Page};
pub use measure::{DECIDE_SECONDS, describe_metrics};
pub use once::Once;
pub use people::{Due, HeardGroup};
pub use recover::{Recovered, Voided};
pub use sessions::SessionPage;
pub use stats::{LatencyStats, window as stats_window};
pub use submit::{Submission, Submitted};
pub use tokens::NewToken;
pub use undelivered::Undelivered;

use crate::domain::audit::{AuditEvent, What};
use crate::domain::id::{AuditId, NotAnId, OutboxId, PersonId, RequestId};
use crate::domain::message::{Lane, Message};
use crate::domain::people::Directory;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::Request;
use crate::domain::roster::Stamp;
use crate::domain::rules::Rules;
use crate::domain::time::Timestamp;
use crate::domain::vote::Door;
use crate::store::{Card, Db, Loaded, StoreError, Tx};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A card that has failed so often in a row is worth a word to the operator.
const STUCK_AFTER: i64 = 3;

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

/// What is said while the clock is not believed.
const CLOCK_UNSURE: &str =
    "the clock has jumped; nothing is executed until two readings of it agree";

/// Why a use case gave no answer, or said no.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppError {
    /// The answer is no.
    #[error("{}", .0.title())]
    Refused(Refusal),
    /// Not begun, or not known to have ended, in time; nothing is promised. Try again.
    #[error("busy; try again")]
    Busy,
    /// The clock has jumped, and what time it is is not known until two readings agree; nothing has changed. Try again.
    #[error("{CLOCK_UNSURE}")]
    ClockUnsure,
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
            StoreError::Writer | StoreError::Crowded => Self::Busy,
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
        let watched = matches!(clock, Clock::System);
        let (app, waiting) = Self::build(db, clock)?;
        app.rules().await?;
        if watched {
            clock::start(&app).await;
        }
        decide::start(&app, waiting);
        wait::start(&app);
        Ok(app)
    }

    /// Opens a database for the operator alone, whether or not its rules can be read: nothing is decided, no replica watched.
    pub async fn open(db: Db, clock: Clock) -> Result<Self, AppError> {
        let (app, _) = Self::build(db, clock)?;
        app.measure().await?;
        Ok(app)
    }

    fn build(db: Db, clock: Clock) -> Result<(Self, mpsc::Receiver<decide::Waiting>), AppError> {
        let (clicks, waiting) = mpsc::channel(decide::LINE);
        let app = Self(Arc::new(Inner {
            db,
            clock: clock.over_a_database(),
            ids: ids::Ids::default(),
            rules: RwLock::new(Arc::new(config::no_rules()?)),
            clicks,
            waits: wait::Waits::default(),
            work: watch::Sender::new(0),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
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

    /// Changes whenever a commit has left work for the workers.
    pub fn work(&self) -> watch::Receiver<u64> {
        self.0.work.subscribe()
    }

    /// Whether this replica can serve: why not, in words.
    pub async fn ready(&self) -> Result<(), String> {
        if self.0.stop.is_cancelled() {
            return Err("shutting down".to_owned());
        }
        if !self.0.clock.is_set() {
            return Err("the clock has not been read yet".to_owned());
        }
        self.rules()
            .await
            .map(|_| ())
            .map_err(|error| format!("the database does not answer: {error}"))
    }

    /// What does not work although this replica serves, a sentence each.
    pub async fn degraded(&self) -> Result<Vec<String>, AppError> {
        let unsure = (!self.0.clock.is_sure()).then(|| CLOCK_UNSURE.to_owned());
        let people = self.people_trouble().await?;
        let mut troubles: Vec<String> = unsure.into_iter().chain(people).collect();
        troubles.extend(self.unheard().await?);
        Ok(troubles)
    }

    /// What does not reach people although this replica serves, in words: alerts and cards that Slack does not take.
    async fn unheard(&self) -> Result<Vec<String>, AppError> {
        let mut tx = self.0.db.read().await?;
        let alerts = tx.unheard(Lane::Alert).await?;
        let to_post = tx.failing_cards(Card::ToPost, STUCK_AFTER).await?;
        let to_update = tx.failing_cards(Card::ToUpdate, STUCK_AFTER).await?;
        let told = [
            (alerts, "alerts have not been delivered"),
            (to_post, "cards could not be posted"),
            (to_update, "cards could not be brought up to date"),
        ];
        Ok(told
            .into_iter()
            .filter(|((count, _), _)| *count > 0)
            .map(|((count, why), what)| format!("{count} {what}: {}", why.unwrap_or_default()))
            .collect())
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
            .unit(async |tx| Ok(tx.learn(name, value).await?))
            .await
    }

    /// The rules in force.
    pub async fn rules(&self) -> Result<Arc<Rules>, AppError> {
        let mut tx = self.0.db.read().await?;
        let version = tx.rules_version().await?;
        self.rules_at(&mut tx, version).await
    }

    /// The rules of these versions, which are those in force in this unit.
    async fn rules_at(&self, tx: &mut Tx, version: Stamp) -> Result<Arc<Rules>, AppError> {
        let held = self
            .0
            .rules
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if held.stamp() == version {
            return Ok(held);
        }
        let rules = Arc::new(config::load(tx).await?);
        if rules.stamp() != version {
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
        Ok((recognised(loaded, rules.directory()), rules))
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

/// The request as the directory is now: whoever was only known as a member of the workspace, and is listed by now, goes by the listed
/// id, so that requests, votes and exclusions under the old one are theirs (design 2.5). Votes of people who are not active any more
/// are marked as such.
fn recognised(mut loaded: Loaded, directory: &Directory) -> Loaded {
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
    for vote in &mut loaded.votes {
        vote.by = listed(&vote.by);
        vote.author_left = !directory.is_active(&vote.by);
    }
    loaded
}

/// What the people who asked are told, as far as they are still active: no message reaches the others.
fn news_to_active(request: &Request, rules: &Rules) -> Vec<Message> {
    let mut news = news_of(request);
    news.retain(|message| match message {
        Message::News { to, .. } => rules.directory().is_active(to),
        _ => true,
    });
    news
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
