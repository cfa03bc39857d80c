//! The only path to a decision. All clicks that wait are decided in one batch.

mod batch;

pub(in crate::app) use batch::Approval;

use crate::app::idempotency::IdempotencyKey;
use crate::app::refusals::RefusalKey;
use crate::app::text::entered;
use crate::app::{App, AppError, RequestRef, measure, resolve};
use crate::domain::decision::{DecisionKind, Via};
use crate::domain::digest::SeenDigest;
use crate::domain::document::OidcIdentity;
use crate::domain::id::{PersonId, RequestId};
use crate::domain::people::SlackAccount;
use crate::domain::refusal::Refusal;
use crate::domain::request::Status;
use crate::domain::sign_in::Authentication;
use crate::store::Tx;
use batch::DecisionBatch;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc, oneshot};
use tracing::{Instrument as _, Span, info_span};

/// The most decisions in one batch.
const BATCH_SIZE: usize = 64;
/// How long a decision may wait before it is dropped: Slack waits 3 seconds for its answer.
const DECISION_DEADLINE: Duration = Duration::from_millis(2_500);
/// How many decisions may wait; callers beyond that are asked to try again.
pub(in crate::app) const DECISION_QUEUE_CAPACITY: usize = 4_096;

/// Who decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApproverIdentity {
    /// A Slack account; the transaction finds the person.
    Slack(SlackAccount),
    /// An identity at an `OpenID` provider; the transaction finds the person.
    Oidc(OidcIdentity),
    /// The person of an API token.
    Person(PersonId),
}

/// A decision somebody wants to make.
#[derive(Debug, Clone)]
pub struct DecisionInput {
    /// Who.
    pub identity: ApproverIdentity,
    /// On what.
    pub request: RequestRef,
    /// The digest that they saw; if given, it must be the request's.
    pub digest: Option<SeenDigest>,
    /// Approve or reject.
    pub verdict: DecisionKind,
    /// In their own words.
    pub comment: Option<String>,
    /// Pages of the canonical content that were opened before (`SL9`); empty where the card shows all of it.
    pub pages_seen: Vec<u32>,
    /// The interface it came through.
    pub via: Via,
    /// When the person behind a browser proved who they are.
    pub authentication: Option<Authentication>,
    /// So that it counts once.
    pub once: Option<IdempotencyKey>,
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionOutcome {
    /// The request.
    pub request: RequestId,
    /// Its number.
    pub number: i64,
    /// Its status now.
    pub status: Status,
    /// The same delivery or key came before; nothing has changed, and the clicker has been told already.
    pub repeated: bool,
    /// Why the effect that it completed did not run.
    pub note: Option<String>,
}

/// A click in line, and where its answer goes; a click whose answer nobody awaits any more is skipped.
pub(in crate::app) struct QueuedDecision {
    input: DecisionInput,
    request: RequestId,
    answer: oneshot::Sender<Result<DecisionOutcome, AppError>>,
    since: Instant,
    /// The span of the delivery or call, which the span of the batch follows from.
    span: Span,
}

/// How a batch locks the configuration. A shared lock is never raised: two batches that did would wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LockMode {
    Shared,
    Exclusive,
}

/// What became of one decision of a batch.
type Outcome = Result<DecisionOutcome, Refusal>;

/// What became of a unit: of each click, the requests that moved, and the refusals that were recorded.
type BatchResult = (Vec<Outcome>, Vec<(RequestId, i64)>, Vec<RefusalKey>);

/// Starts the deciders: one on `SQLite`, two on Postgres.
pub(in crate::app) fn start(app: &App, queue: mpsc::Receiver<QueuedDecision>) {
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..app.0.db.deciders() {
        let (this, queue) = (app.clone(), queue.clone());
        let decider = move || decide_on(this.clone(), queue.clone());
        // not cut short at the end: whoever clicked before it is answered
        let (supervisor, stop) = (app.0.supervisor.clone(), app.0.stop.clone());
        let running = supervisor.supervise("decider", stop, decider);
        app.0.tasks.spawn(running);
    }
}

async fn decide_on(app: App, queue: Arc<Mutex<mpsc::Receiver<QueuedDecision>>>) {
    while let Some(batch) = next_batch(&app, &queue).await {
        let span = info_span!("decide", decisions = batch.len());
        for queued in &batch {
            span.follows_from(&queued.span);
        }
        app.decide_batch(batch).instrument(span).await;
    }
}

/// The first click that waits and whatever else is there; none once the app stops and the line is empty.
async fn next_batch(
    app: &App,
    queue: &Mutex<mpsc::Receiver<QueuedDecision>>,
) -> Option<Vec<QueuedDecision>> {
    let mut queue = queue.lock().await;
    let first = tokio::select! {
        biased;
        first = queue.recv() => first?,
        () = app.0.stop.cancelled() => return None,
    };
    let mut batch = vec![first];
    while batch.len() < BATCH_SIZE {
        match queue.try_recv() {
            Ok(queued) => batch.push(queued),
            Err(_) => break,
        }
    }
    Some(batch)
}

impl App {
    /// The only path to a decision: buttons, modals, commands, API and command line all come through here.
    pub async fn decide(&self, input: DecisionInput) -> Result<DecisionOutcome, AppError> {
        let since = Instant::now();
        let who = self.pace_of(&input.identity);
        let decided = match self.0.refusals.check_pace(&who, self.now()) {
            Ok(()) => self.enqueue(input, since).await,
            Err(refusal) => Err(refusal.into()),
        };
        if let Err(AppError::Refused(_)) = &decided {
            self.0.refusals.count(&who, self.now());
        }
        let outcome = match &decided {
            Ok(_) => "decided",
            Err(AppError::Refused(_)) => "refused",
            Err(_) => "failed",
        };
        measure::decided(outcome, since.elapsed());
        decided
    }

    async fn enqueue(
        &self,
        input: DecisionInput,
        since: Instant,
    ) -> Result<DecisionOutcome, AppError> {
        let input = DecisionInput {
            comment: entered("comment", input.comment.as_deref())?,
            ..input
        };
        let request = match &input.request {
            RequestRef::Id(id) => id.clone(),
            number @ RequestRef::Number(_) => resolve(&mut self.0.db.read().await?, number).await?,
        };
        let (answer, outcome) = oneshot::channel();
        let queued = QueuedDecision {
            input,
            request,
            answer,
            since,
            span: Span::current(),
        };
        self.0
            .decision_queue
            .try_send(queued)
            .map_err(|_| AppError::Busy)?;
        outcome.await.unwrap_or(Err(AppError::Busy))
    }

    async fn decide_batch(&self, mut batch: Vec<QueuedDecision>) {
        // nobody waits any more, or Slack has been told to try again: a click that has not begun is dropped
        batch.retain(|queued| {
            !queued.answer.is_closed() && queued.since.elapsed() < DECISION_DEADLINE
        });
        let inputs: Vec<(&DecisionInput, &RequestId)> =
            batch.iter().map(|w| (&w.input, &w.request)).collect();
        let outcomes = match self
            .decide_in_one_transaction(&inputs, LockMode::Shared)
            .await
        {
            Ok(Some(outcomes)) => outcomes
                .into_iter()
                .map(|outcome| outcome.map_err(AppError::from))
                .collect(),
            // without a database every click fails alike, and to try each would hold up those behind
            Err(error @ (AppError::NotWritable(_) | AppError::NoDatabase(_))) => {
                vec![Err(error); inputs.len()]
            }
            // one bad click fails alone, and one that changes the rules is decided alone
            Ok(None) | Err(_) => self.decide_one_by_one(&inputs).await,
        };
        for (queued, outcome) in batch.into_iter().zip(outcomes) {
            let _ = queued.answer.send(outcome); // whoever gave up is told by the card
        }
    }

    async fn decide_one_by_one(
        &self,
        inputs: &[(&DecisionInput, &RequestId)],
    ) -> Vec<Result<DecisionOutcome, AppError>> {
        let mut outcomes = Vec::with_capacity(inputs.len());
        let mut held = BTreeSet::new();
        for input in inputs {
            // whoever holds one request's lock holds up its clicks once, not each of them
            let outcome = if held.contains(input.1) {
                Err(AppError::Busy)
            } else {
                self.decide_alone(input).await
            };
            if matches!(outcome, Err(AppError::Busy)) {
                held.insert(input.1);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn decide_alone(
        &self,
        input: &(&DecisionInput, &RequestId),
    ) -> Result<DecisionOutcome, AppError> {
        let one = std::slice::from_ref(input);
        let outcome = match self
            .decide_in_one_transaction(one, LockMode::Shared)
            .await?
        {
            Some(outcome) => Some(outcome),
            None => {
                self.decide_in_one_transaction(one, LockMode::Exclusive)
                    .await?
            }
        };
        let outcome = outcome.and_then(|mut outcomes| outcomes.pop());
        outcome
            .unwrap_or(Err(Refusal::NotFound))
            .map_err(AppError::from)
    }

    /// None: a request among them changes the rules, so its clicks must be decided alone, with the rules held exclusively.
    async fn decide_in_one_transaction(
        &self,
        inputs: &[(&DecisionInput, &RequestId)],
        lock: LockMode,
    ) -> Result<Option<Vec<Outcome>>, AppError> {
        let heard = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| self.decide_in(tx, inputs, lock).await)
            .await?;
        Ok(heard.map(|(outcomes, moved, refusals)| {
            for key in refusals {
                self.0.refusals.committed(key, self.now());
            }
            if !moved.is_empty() {
                self.notify_changes(&moved);
            }
            let named = outcomes.into_iter().zip(inputs);
            named
                .map(|(outcome, (_, id))| self.distinguish_unreadable(outcome, id))
                .collect()
        }))
    }

    /// A request that cannot be read is told apart from one that does not exist.
    fn distinguish_unreadable(&self, outcome: Outcome, id: &RequestId) -> Outcome {
        match outcome {
            Err(Refusal::NotFound) => Err(self.absent(id)),
            other => other,
        }
    }

    async fn decide_in(
        &self,
        tx: &mut Tx,
        inputs: &[(&DecisionInput, &RequestId)],
        lock: LockMode,
    ) -> Result<Option<BatchResult>, AppError> {
        let ids: BTreeSet<&RequestId> = inputs.iter().map(|(_, id)| *id).collect();
        let ids: Vec<&RequestId> = ids.into_iter().collect();
        let once = inputs.iter().filter_map(|(input, _)| input.once.as_ref());
        let keys: Vec<&str> = once.map(|once| once.key.as_str()).collect();
        if lock == LockMode::Exclusive {
            tx.lock_config().await?;
        }
        tx.lock_requests(&ids, lock == LockMode::Shared).await?;
        let now = self.now();
        let loaded = tx.requests(&ids, lock == LockMode::Exclusive).await?;
        let Some(first) = loaded.first() else {
            return Ok(Some((
                vec![Err(Refusal::NotFound); inputs.len()],
                Vec::new(),
                Vec::new(),
            )));
        };
        if lock == LockMode::Shared && loaded.iter().any(|one| one.request.effect().is_some()) {
            return Ok(None);
        }
        let config = self.compiled_config_at(tx, first.config).await?;
        let mut batch = DecisionBatch::new(self, now, &config, loaded, tx.answers(&keys).await?);
        let mut outcomes: Vec<Outcome> = inputs
            .iter()
            .map(|(input, id)| batch.apply(input, id))
            .collect::<Result<_, _>>()?;
        batch.queue_thread_lines();
        if batch.has_effect() {
            tx.write_batch(&batch.changed(), &batch.changes, now)
                .await?;
        }
        if lock == LockMode::Exclusive {
            for approval in batch.approvals() {
                let Some(effect) = approval.request.effect() else {
                    continue;
                };
                // these clicks are decided alone, so that all of them came in the same way
                let via = inputs.first().map_or(Via::Bot, |(input, _)| input.via);
                let outcome = self.run_effect(tx, approval, effect, &config, via).await?;
                for decided in outcomes.iter_mut().flatten() {
                    decided.status = outcome.status;
                    decided.note.clone_from(&outcome.note);
                }
            }
        }
        Ok(Some((outcomes, batch.moved(), batch.refusals)))
    }
}
