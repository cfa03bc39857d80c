//! Whether this replica can do its work: it reads the rules, writes, and keeps time; and what of it does not work, in sentences.

use super::{App, AppError, CLOCK_UNSURE};
use crate::domain::message::Lane;
use crate::domain::request::Status;
use crate::domain::time::{Span, Timestamp};
use crate::store::{Card, ListQuery, SetAside};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The facts that prove that writing works are named so, with an id of their own behind it.
const WRITE_PROBE: &str = "write_probe";
/// How long a proof holds, in milliseconds; however often somebody asks, the database is written once a second.
const PROOF_HOLDS: u64 = 1_000;
/// How long a proof may take: less than a probe of Kubernetes should wait.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);
/// How often the rows that people wait for are looked through for unreadable ones.
const INSPECT_EVERY: Span = Span::minutes(1);
/// Most requests that are looked through.
const INSPECTED_AT_ONCE: i64 = 1_000;
/// A beat is due every second; a gap of so much was no slow answer.
const STOOD_STILL: Span = Span::seconds(10);
/// How long a gap is reported.
const GAP_REPORTED: Span = Span::minutes(5);
/// A card that has failed so often in a row is worth a word to the operator.
const STUCK_AFTER_FAILURES: i64 = 3;

/// A policy says `decideOn: web`, and nobody can reach the pages.
const NO_WEB_APPROVALS: &str = "policies with `decideOn: web` cannot be approved: the web pages have no address; set COUNTERSIGN_PUBLIC_URL";

/// When it was last tried whether this replica can write, and what came of it.
pub(super) type Proof = tokio::sync::Mutex<Option<(Timestamp, Result<(), String>)>>;

/// What the database last told of what does not work, and when.
pub(super) type StoredTroubles = tokio::sync::Mutex<Option<(Timestamp, Vec<String>)>>;

/// Notices that the process stood still: it was suspended, or starved.
#[derive(Debug, Default)]
pub(super) struct Pulse(Mutex<Beats>);

#[derive(Debug, Default)]
struct Beats {
    last: Option<Span>,
    /// The last gap, and the steady time at which it ended.
    gap: Option<(Span, Span)>,
    inspected: Option<Timestamp>,
}

impl Pulse {
    /// One beat at this steady time; says how long the process stood still before it.
    fn beat(&self, now: Span) -> Option<Span> {
        let mut beats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = beats.last.replace(now)?;
        let gap = Span(now.0.saturating_sub(last.0));
        if gap.0 < STOOD_STILL.0 {
            return None;
        }
        beats.gap = Some((gap, now));
        Some(gap)
    }

    /// The last gap, while it is worth a sentence.
    fn gap(&self, now: Span) -> Option<Span> {
        let beats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (gap, ended) = beats.gap?;
        (now.0.saturating_sub(ended.0) < GAP_REPORTED.0).then_some(gap)
    }

    /// Whether it is time to look through the rows again.
    fn inspects(&self, now: Timestamp) -> bool {
        let mut beats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = beats
            .inspected
            .is_none_or(|at| now.0.abs_diff(at.0) >= INSPECT_EVERY.0.unsigned_abs());
        if due {
            beats.inspected = Some(now);
        }
        due
    }
}

impl App {
    /// Whether this replica can serve: it reads the rules, writes, and has a clock. Why not, in words.
    pub async fn ready(&self) -> Result<(), String> {
        if self.0.stop.is_cancelled() {
            return Err("shutting down".to_owned());
        }
        if !self.0.clock.is_set() {
            return Err("the clock has not been read yet".to_owned());
        }
        self.prove_writable().await
    }

    /// Whether the database tells the rules and takes a commit of this replica now; asked at most once a second, however many ask.
    pub async fn prove_writable(&self) -> Result<(), String> {
        let mut proof = self.0.proof.lock().await;
        if let Some((at, result)) = &*proof
            && self.now().0.abs_diff(at.0) < PROOF_HOLDS
        {
            return result.clone();
        }
        let result = match tokio::time::timeout(PROBE_DEADLINE, self.write_probe()).await {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(_) => Err(self.why_silent().await),
        };
        // it holds from its end on: after a slow probe, those who waited for it would otherwise probe again, one after the other
        *proof = Some((self.now(), result.clone()));
        result
    }

    /// A commit that takes the locks that every submit and decision takes. Its fact is its own and gone with the commit, so that a
    /// replica that stops in the middle holds up no other one's probe.
    async fn write_probe(&self) -> Result<(), AppError> {
        self.compiled_config().await?;
        let now = self.now();
        let name = format!("{WRITE_PROBE}_{}", self.0.ids.next(now));
        self.0
            .db
            .transaction(async |tx| {
                tx.lock_config_shared().await?;
                tx.learn(&name, &now.0.to_string()).await?;
                Ok(tx.forget_fact(&name).await?)
            })
            .await
    }

    /// Why there was no answer in time: there is no connection, or somebody holds what everybody needs.
    async fn why_silent(&self) -> String {
        match self.0.db.why_no_connection().await {
            Some(error) => error.to_string(),
            None => format!(
                "the database took no write within {} s: it is overloaded, or somebody holds a lock",
                PROBE_DEADLINE.as_secs()
            ),
        }
    }

    /// What of this replica itself does not work: its clock, its pulse, rows that it cannot read.
    pub(super) fn own_troubles(&self) -> Vec<String> {
        let unsure = (!self.0.clock.is_sure()).then(|| CLOCK_UNSURE.to_owned());
        let gap = self.0.pulse.gap(self.0.clock.steady()).map(|gap| {
            format!(
                "this replica stood still for {} s (suspended, or without a processor); what it was doing then, another replica may have done",
                gap.0 / 1_000
            )
        });
        let rows = self.0.db.aside().tables();
        let rows = rows.iter().map(unreadable);
        unsure.into_iter().chain(gap).chain(rows).collect()
    }

    /// What does not work although this replica serves, a sentence each.
    pub async fn degraded(&self) -> Result<Vec<String>, AppError> {
        let mut troubles = self.own_troubles();
        troubles.extend(self.0.supervisor.degraded());
        troubles.extend(self.0.db.degraded());
        troubles.extend(self.stored_troubles().await?);
        Ok(troubles)
    }

    /// What the database tells of it; read at most once a second, however many ask, as nobody has to prove who they are.
    async fn stored_troubles(&self) -> Result<Vec<String>, AppError> {
        let mut last = self.0.stored_troubles.lock().await;
        if let Some((at, troubles)) = &*last
            && self.now().0.abs_diff(at.0) < PROOF_HOLDS
        {
            return Ok(troubles.clone());
        }
        let mut troubles = self.people_trouble().await?;
        let web_only = self.compiled_config().await?.decides_on_web();
        if web_only && self.public_url().is_none() {
            troubles.push(NO_WEB_APPROVALS.to_owned());
        }
        troubles.extend(self.undeliverable().await?);
        let mut tx = self.0.db.read().await?;
        troubles.extend(self.webhook_troubles(&mut tx).await?);
        drop(tx);
        let set_aside = self.set_aside().await?;
        if set_aside > 0 {
            troubles.push(format!("{set_aside} messages and cards cannot be read by this release and were set aside; upgrade, or see the log"));
        }
        *last = Some((self.now(), troubles.clone()));
        Ok(troubles)
    }

    /// What does not reach people although this replica serves, in words: alerts and cards that Slack does not take, and
    /// e-mails that the mail server does not take.
    async fn undeliverable(&self) -> Result<Vec<String>, AppError> {
        let mut tx = self.0.db.read().await?;
        let alerts = tx.undeliverable(Lane::Alert).await?;
        let emails = tx.undeliverable(Lane::Email).await?;
        let to_post = tx.failing_cards(Card::ToPost, STUCK_AFTER_FAILURES).await?;
        let to_update = tx
            .failing_cards(Card::ToUpdate, STUCK_AFTER_FAILURES)
            .await?;
        let told = [
            (alerts, "alerts have not been delivered"),
            (emails, "e-mails have not been sent"),
            (to_post, "cards could not be posted"),
            (to_update, "cards could not be brought up to date"),
        ];
        Ok(told
            .into_iter()
            .filter(|((count, _), _)| *count > 0)
            .map(|((count, why), what)| format!("{count} {what}: {}", why.unwrap_or_default()))
            .collect())
    }

    /// The rows that this release cannot read, as far as they were met.
    pub fn unreadable_rows(&self) -> Vec<SetAside> {
        self.0.db.aside().tables()
    }

    /// One beat of this process; `app/clock.rs` calls it once a second.
    pub fn beat(&self) {
        if let Some(gap) = self.0.pulse.beat(self.0.clock.steady()) {
            tracing::warn!(seconds = gap.0 / 1_000, "process was suspended");
        }
    }

    /// Looks through what people wait for once a minute, so that an unreadable row is reported before somebody needs it. There is never
    /// more to do at once.
    pub async fn inspect_rows(&self) -> Result<bool, AppError> {
        let now = self.now();
        if self.0.pulse.inspects(now) {
            self.look_through_rows().await?;
            self.adopt_follow_ups().await?;
        }
        Ok(false)
    }

    /// Reads requests that are open, sessions and tokens; what cannot be read is set aside.
    pub async fn look_through_rows(&self) -> Result<(), AppError> {
        let now = self.now();
        let mut tx = self.0.db.read().await?;
        tx.list(OPEN_REQUESTS, false).await?;
        tx.active_sessions(now).await?;
        tx.owed_sessions(now, INSPECTED_AT_ONCE).await?;
        tx.tokens().await?;
        Ok(())
    }
}

/// Requests that may still be decided or executed.
const OPEN_REQUESTS: ListQuery<'static> = ListQuery {
    statuses: &[
        Status::Pending,
        Status::Allowed,
        Status::Approved,
        Status::Bypassed,
    ],
    kind: None,
    requester: None,
    below: i64::MAX,
    limit: INSPECTED_AT_ONCE,
};

fn unreadable(aside: &SetAside) -> String {
    let SetAside { table, rows, first } = aside;
    let what = match (*table, *rows) {
        ("requests", 1) => "1 request".to_owned(),
        ("sessions", 1) => "1 break-glass session".to_owned(),
        ("tokens", 1) => "1 token".to_owned(),
        ("requests", many) => format!("{many} requests"),
        ("sessions", many) => format!("{many} break-glass sessions"),
        ("tokens", many) => format!("{many} tokens"),
        (table, 1) => format!("1 row of {table}"),
        (table, many) => format!("{many} rows of {table}"),
    };
    format!("{what} cannot be read by this release: {first}; upgrade, or restore the row")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_between_beats_is_reported_for_a_while_f1() {
        let pulse = Pulse::default();
        assert_eq!(pulse.beat(Span::seconds(1)), None);
        assert_eq!(pulse.beat(Span(10_999)), None, "slow is not stopped");
        assert_eq!(pulse.beat(Span(20_999)), Some(Span::seconds(10)));
        assert_eq!(pulse.gap(Span(20_999)), Some(Span::seconds(10)));
        assert_eq!(pulse.beat(Span(21_999)), None);
        assert_eq!(pulse.gap(Span(320_998)), Some(Span::seconds(10)));
        assert_eq!(pulse.gap(Span(320_999)), None);
    }
}
