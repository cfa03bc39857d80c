//! The one door to a decision. All the clicks that wait are decided in one unit.

use super::judge::Session;
use super::once::Once;
use super::{App, AppError, RequestRef, measure, resolve};
use crate::domain::id::{PersonId, RequestId};
use crate::domain::people::SlackAccount;
use crate::domain::refusal::Refusal;
use crate::domain::request::Status;
use crate::domain::vote::{Door, Verdict};
use crate::store::Tx;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc, oneshot};

/// Most clicks that are decided in one unit.
const BATCH: usize = 64;
/// How long a click may wait before it is dropped: Slack waits 3 seconds for its answer.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// How many clicks may wait; more are told to try again.
pub(super) const LINE: usize = 4_096;

/// Who clicks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clicker {
    /// A Slack account; which person it is, the unit of work decides.
    Slack(SlackAccount),
    /// The person of an API token.
    Person(PersonId),
}

/// A decision somebody wants to make.
#[derive(Debug, Clone)]
pub struct Click {
    /// Who.
    pub clicker: Clicker,
    /// On what.
    pub request: RequestRef,
    /// What they saw; given, it must be the request's.
    pub digest: Option<String>,
    /// Approve or reject.
    pub verdict: Verdict,
    /// In their own words.
    pub comment: Option<String>,
    /// Pages of the canonical content that were opened before (`SL9`); empty where the card shows all of it.
    pub pages_seen: Vec<u32>,
    /// Through which door.
    pub via: Door,
    /// So that it counts once.
    pub once: Option<Once>,
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
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
pub(super) struct Waiting {
    click: Click,
    request: RequestId,
    answer: oneshot::Sender<Result<Decided, AppError>>,
    since: Instant,
}

/// How a unit of decisions holds the rules. Shared is never raised to exclusive: two that did would wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Shared,
    Exclusive,
}

/// What became of one click of a unit.
type Outcome = Result<Decided, Refusal>;

/// Starts the deciders: one on `SQLite`, two on Postgres.
pub(super) fn start(app: &App, line: mpsc::Receiver<Waiting>) {
    let line = Arc::new(Mutex::new(line));
    for _ in 0..app.0.db.deciders() {
        let (app, line) = (app.clone(), line.clone());
        let tasks = app.0.tasks.clone();
        tasks.spawn(async move {
            while let Some(batch) = next_batch(&app, &line).await {
                app.judge(batch).await;
            }
        });
    }
}

/// The first click that waits and whatever else is there; none once the app stops and the line is empty.
async fn next_batch(app: &App, line: &Mutex<mpsc::Receiver<Waiting>>) -> Option<Vec<Waiting>> {
    let mut line = line.lock().await;
    let first = tokio::select! {
        biased;
        first = line.recv() => first?,
        () = app.0.stop.cancelled() => return None,
    };
    let mut batch = vec![first];
    while batch.len() < BATCH {
        match line.try_recv() {
            Ok(waiting) => batch.push(waiting),
            Err(_) => break,
        }
    }
    Some(batch)
}

impl App {
    /// The one door to a decision: buttons, modals, commands, API and command line all come through here.
    pub async fn decide(&self, click: Click) -> Result<Decided, AppError> {
        let since = Instant::now();
        let decided = self.decide_in_line(click, since).await;
        let outcome = match &decided {
            Ok(_) => "decided",
            Err(AppError::Refused(_)) => "refused",
            Err(AppError::Busy | AppError::ClockUnsure | AppError::Internal(_)) => "failed",
        };
        measure::decided(outcome, since.elapsed());
        decided
    }

    async fn decide_in_line(&self, click: Click, since: Instant) -> Result<Decided, AppError> {
        let request = match &click.request {
            RequestRef::Id(id) => id.clone(),
            number @ RequestRef::Number(_) => resolve(&mut self.0.db.read().await?, number).await?,
        };
        let (answer, outcome) = oneshot::channel();
        let waiting = Waiting {
            click,
            request,
            answer,
            since,
        };
        self.0
            .clicks
            .try_send(waiting)
            .map_err(|_| AppError::Busy)?;
        outcome.await.unwrap_or(Err(AppError::Busy))
    }

    async fn judge(&self, mut batch: Vec<Waiting>) {
        // nobody waits any more, or Slack has been told to try again: a click that has not begun is dropped
        batch.retain(|waiting| !waiting.answer.is_closed() && waiting.since.elapsed() < PATIENCE);
        let clicks: Vec<(&Click, &RequestId)> =
            batch.iter().map(|w| (&w.click, &w.request)).collect();
        let outcomes = match self.judge_in_one_unit(&clicks, Hold::Shared).await {
            Ok(Some(outcomes)) => outcomes
                .into_iter()
                .map(|outcome| outcome.map_err(AppError::from))
                .collect(),
            // one bad click fails alone, and one that changes the rules is decided alone
            Ok(None) | Err(_) => self.judge_one_by_one(&clicks).await,
        };
        for (waiting, outcome) in batch.into_iter().zip(outcomes) {
            let _ = waiting.answer.send(outcome); // whoever gave up is told by the card
        }
    }

    async fn judge_one_by_one(
        &self,
        clicks: &[(&Click, &RequestId)],
    ) -> Vec<Result<Decided, AppError>> {
        let mut outcomes = Vec::with_capacity(clicks.len());
        for click in clicks {
            outcomes.push(self.judge_alone(click).await);
        }
        outcomes
    }

    async fn judge_alone(&self, click: &(&Click, &RequestId)) -> Result<Decided, AppError> {
        let one = std::slice::from_ref(click);
        let outcome = match self.judge_in_one_unit(one, Hold::Shared).await? {
            Some(outcome) => Some(outcome),
            None => self.judge_in_one_unit(one, Hold::Exclusive).await?,
        };
        let outcome = outcome.and_then(|mut outcomes| outcomes.pop());
        outcome
            .unwrap_or(Err(Refusal::NotFound))
            .map_err(AppError::from)
    }

    /// None: a request among them changes the rules, so its clicks must be decided alone, with the rules held exclusively.
    async fn judge_in_one_unit(
        &self,
        clicks: &[(&Click, &RequestId)],
        hold: Hold,
    ) -> Result<Option<Vec<Outcome>>, AppError> {
        let heard = self
            .0
            .db
            .unit::<_, AppError>(async |tx| self.judge_in(tx, clicks, hold).await)
            .await?;
        Ok(heard.map(|(outcomes, moved)| {
            if !moved.is_empty() {
                self.moved(&moved);
            }
            outcomes
        }))
    }

    async fn judge_in(
        &self,
        tx: &mut Tx,
        clicks: &[(&Click, &RequestId)],
        hold: Hold,
    ) -> Result<Option<(Vec<Outcome>, Vec<(RequestId, i64)>)>, AppError> {
        let ids: BTreeSet<&RequestId> = clicks.iter().map(|(_, id)| *id).collect();
        let ids: Vec<&RequestId> = ids.into_iter().collect();
        let once = clicks.iter().filter_map(|(click, _)| click.once.as_ref());
        let keys: Vec<&str> = once.map(|once| once.key.as_str()).collect();
        if hold == Hold::Exclusive {
            tx.lock_rules().await?;
        }
        tx.lock_requests(&ids, hold == Hold::Shared).await?;
        let now = self.now();
        let loaded = tx.requests(&ids, hold == Hold::Exclusive).await?;
        let Some(first) = loaded.first() else {
            return Ok(Some((
                vec![Err(Refusal::NotFound); clicks.len()],
                Vec::new(),
            )));
        };
        if hold == Hold::Shared && loaded.iter().any(|one| one.request.effect().is_some()) {
            return Ok(None);
        }
        let rules = self.rules_at(tx, first.rules).await?;
        let mut session = Session::new(self, now, &rules, loaded, tx.answers(&keys).await?);
        let mut outcomes: Vec<Outcome> = clicks
            .iter()
            .map(|(click, id)| session.hear(click, id))
            .collect::<Result<_, _>>()?;
        if session.has_effect() {
            tx.write_judgement(&session.changed(), &session.judgement, now)
                .await?;
        }
        if hold == Hold::Exclusive {
            for approval in session.approvals() {
                let Some(effect) = approval.request.effect() else {
                    continue;
                };
                // these clicks are decided alone, so that all of them came in the same way
                let via = clicks.first().map_or(Door::Bot, |(click, _)| click.via);
                let outcome = self.run_effect(tx, approval, effect, &rules, via).await?;
                for decided in outcomes.iter_mut().flatten() {
                    decided.status = outcome.status;
                    decided.note.clone_from(&outcome.note);
                }
            }
        }
        Ok(Some((outcomes, session.moved())))
    }
}
