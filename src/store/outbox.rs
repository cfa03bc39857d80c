//! The outbox: one-off messages that were stored in a transaction and wait for delivery.

use super::dialect::{self, on};
use super::pauses::ChannelLane;
use super::{StoreError, Tx, Unreadable, json, on_db, sql};
use crate::domain::id::OutboxId;
use crate::domain::message::{Lane, Message};
use crate::domain::time::Timestamp;

sql! {
    INSERT = "INSERT INTO outbox (id, lane, message, request_id, channel, due_at, attempt, failures, made_at)
        VALUES ($1, $2, $3, $4, $5, $7, 0, 0, $6)";
    DELIVERED = "DELETE FROM outbox WHERE id = $1 AND attempt = $2";
    /// Also stores the channel, because an older release did not.
    PUT_OFF = "UPDATE outbox SET due_at = $3, failures = failures + 1, trouble = $4, channel = $5 WHERE id = $1 AND attempt = $2";
    RELEASE = "UPDATE outbox SET due_at = $3, trouble = coalesce($4, trouble) WHERE id = $1 AND attempt = $2";
    SET_ASIDE = "UPDATE outbox SET due_at = NULL, set_aside_at = $2, trouble = $3 WHERE id = $1";
    RETRY_SET_ASIDE = "UPDATE outbox SET due_at = $1 WHERE set_aside_at <= $2 AND due_at IS NULL";
    COUNT_SET_ASIDE = "SELECT count(*) FROM outbox WHERE set_aside_at IS NOT NULL";
    UNKNOWN_LANES = "SELECT count(*) FROM outbox WHERE lane NOT IN (0, 2, 3, 4, 5) AND due_at IS NOT NULL";
    TOLD = "UPDATE outbox SET told_at = $2 WHERE id = $1 AND told_at IS NULL";
    /// Messages for a paused channel are not due.
    NEXT_DUE = "SELECT min(o.due_at) FROM outbox o WHERE o.lane = $1 AND o.due_at IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM channel_pauses p WHERE p.channel = o.channel AND p.lane = 'alert' AND p.until > $2)";
    UNHEARD = "SELECT count(*), max(o.trouble) FROM outbox o WHERE o.lane = $1 AND o.due_at IS NOT NULL AND (o.trouble IS NOT NULL OR EXISTS
        (SELECT 1 FROM channel_pauses p WHERE p.channel = o.channel AND p.lane = 'alert'))";
    DEAD = "SELECT count(*) FROM outbox WHERE due_at IS NULL";
}

/// A message, claimed until the end of a lease.
#[derive(Debug, Clone)]
pub struct DueMessage {
    /// The message's id.
    pub id: OutboxId,
    /// What to send.
    pub message: Message,
    /// Number of failed calls in a row.
    pub failures: i64,
    /// When the message was stored.
    pub made_at: Timestamp,
    /// If this message is the probe of a channel: the number of failed calls in a row to that channel.
    pub probes_after: Option<i64>,
    attempt: i64,
}

/// Rows that were claimed together.
#[derive(Debug, Clone)]
pub struct Claimed<T> {
    /// The readable rows.
    pub due: Vec<T>,
    /// How many rows were unreadable and were set aside.
    pub set_aside: usize,
}

impl<T> Claimed<T> {
    /// Nothing was claimed.
    pub fn none() -> Self {
        Self {
            due: Vec::new(),
            set_aside: 0,
        }
    }

    /// Takes in rows one by one; returns those that are unreadable, which are to be set aside.
    pub(super) fn take_in<R>(
        &mut self,
        rows: Vec<R>,
        read: impl Fn(&R) -> Result<T, Unreadable>,
    ) -> Vec<(R, Unreadable)> {
        let mut unreadable = Vec::new();
        for row in rows {
            match read(&row) {
                Ok(readable) => self.due.push(readable),
                Err(why) => {
                    why.report("set aside");
                    self.set_aside += 1;
                    unreadable.push((row, why));
                }
            }
        }
        unreadable
    }

    /// How many rows were claimed, including unreadable ones.
    pub fn count(&self) -> i64 {
        i64::try_from(self.due.len() + self.set_aside).unwrap_or(i64::MAX)
    }
}

pub(super) type Row = (String, String, i64, i64, i64, Option<String>);

fn message_of(row: &Row, probes_after: Option<i64>) -> Result<DueMessage, Unreadable> {
    let (id, message, attempt, failures, made_at, _) = row;
    Ok(DueMessage {
        id: Unreadable::read("outbox", id, "id", id.parse())?,
        message: Unreadable::read("outbox", id, "message", serde_json::from_str(message))?,
        failures: *failures,
        made_at: Timestamp(*made_at),
        probes_after,
        attempt: *attempt,
    })
}

impl Tx {
    /// Stores a message in the outbox, in the same transaction as its cause.
    pub async fn send(
        &mut self,
        id: &OutboxId,
        message: &Message,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.send_later(id, message, now, now).await
    }

    /// The same for a message that is not due before `due`.
    pub async fn send_later(
        &mut self,
        id: &OutboxId,
        message: &Message,
        now: Timestamp,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        let text = json(message)?;
        on_db!(self, |c| sqlx::query(INSERT)
            .bind(id.as_str())
            .bind(message.lane() as i64)
            .bind(&text)
            .bind(message.subject())
            .bind(message.queue())
            .bind(now.0)
            .bind(due.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Claims at most `limit` due messages of a lane until `lease_end`. For a channel whose last call failed, it claims only one
    /// message, as a probe. Unreadable messages are set aside.
    pub async fn claim_messages(
        &mut self,
        lane: Lane,
        now: Timestamp,
        lease_end: Timestamp,
        limit: i64,
    ) -> Result<Claimed<DueMessage>, StoreError> {
        let mut claimed = Claimed::none();
        if lane == Lane::Alert {
            // only a share of the claim, so that refusing channels do not use all of it
            let probes = self
                .probes(ChannelLane::Alert, now, lease_end, (limit + 3) / 4)
                .await?;
            for probe in probes {
                let text = on!(
                    self,
                    dialect::PROBE_OUTBOX_SQLITE,
                    dialect::PROBE_OUTBOX_POSTGRES
                );
                let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(text)
                    .bind(now.0)
                    .bind(lease_end.0)
                    .bind(&probe.channel)
                    .fetch_all(c)
                    .await)?;
                self.take_in(rows, Some(probe.failures), now, &mut claimed)
                    .await?;
            }
        }
        let left = limit - claimed.count();
        let text = on!(
            self,
            dialect::CLAIM_OUTBOX_SQLITE,
            dialect::CLAIM_OUTBOX_POSTGRES
        );
        let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(text)
            .bind(now.0)
            .bind(lease_end.0)
            .bind(left.max(0))
            .bind(lane as i64)
            .fetch_all(c)
            .await)?;
        self.take_in(rows, None, now, &mut claimed).await?;
        Ok(claimed)
    }

    /// Reads claimed rows one by one, and sets aside what is unreadable.
    pub(super) async fn take_in(
        &mut self,
        rows: Vec<Row>,
        probes_after: Option<i64>,
        now: Timestamp,
        claimed: &mut Claimed<DueMessage>,
    ) -> Result<(), StoreError> {
        for (row, why) in claimed.take_in(rows, |row| message_of(row, probes_after)) {
            on_db!(self, |c| sqlx::query(SET_ASIDE)
                .bind(&row.0)
                .bind(now.0)
                .bind(why.to_string())
                .execute(c)
                .await
                .map(|_| ()))?;
        }
        Ok(())
    }

    /// Marks messages that were set aside up to `until` as due, because another release may be able to read them.
    pub async fn retry_set_aside_messages(
        &mut self,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(RETRY_SET_ASIDE)
            .bind(now.0)
            .bind(until.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// How many messages this release cannot read, or are in an unknown lane.
    pub async fn set_aside_messages(&mut self) -> Result<i64, StoreError> {
        let mut count = 0;
        for text in [COUNT_SET_ASIDE, UNKNOWN_LANES] {
            let (rows,): (i64,) = on_db!(self, |c| sqlx::query_as(text).fetch_one(c).await)?;
            count += rows;
        }
        Ok(count)
    }

    /// Removes a delivered message. Does nothing if the lease was lost.
    pub async fn delivered(&mut self, message: &DueMessage) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(DELIVERED)
            .bind(message.id.as_str())
            .bind(message.attempt)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Records a failure: the message is due again at `due`, or given up if `due` is `None`. Returns whether the lease was still
    /// held.
    pub async fn put_off_message(
        &mut self,
        message: &DueMessage,
        due: Option<Timestamp>,
        trouble: &str,
    ) -> Result<bool, StoreError> {
        let rows = on_db!(self, |c| sqlx::query(PUT_OFF)
            .bind(message.id.as_str())
            .bind(message.attempt)
            .bind(due.map(|at| at.0))
            .bind(trouble)
            .bind(message.message.queue())
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Returns a claimed message that was not tried. It is due again at the given time; this does not count as a failure.
    pub async fn release_message(
        &mut self,
        message: &DueMessage,
        due: Timestamp,
        trouble: Option<&str>,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(RELEASE)
            .bind(message.id.as_str())
            .bind(message.attempt)
            .bind(due.0)
            .bind(trouble)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Whether to notify administrators that Slack refuses this message because of its content; true only once per message.
    pub async fn is_first_refusal_of_message(
        &mut self,
        message: &DueMessage,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let rows = on_db!(self, |c| sqlx::query(TOLD)
            .bind(message.id.as_str())
            .bind(now.0)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// When the next message of a lane is due.
    pub async fn next_message_due(
        &mut self,
        lane: Lane,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (due,): (Option<i64>,) = on_db!(self, |c| sqlx::query_as(NEXT_DUE)
            .bind(lane as i64)
            .bind(now.0)
            .fetch_one(c)
            .await)?;
        Ok(due.map(Timestamp))
    }

    /// How many messages of a lane could not be delivered yet or wait for a channel that refuses them, and the error of one of
    /// them.
    pub async fn undeliverable(&mut self, lane: Lane) -> Result<(i64, Option<String>), StoreError> {
        on_db!(self, |c| sqlx::query_as(UNHEARD)
            .bind(lane as i64)
            .fetch_one(c)
            .await)
    }

    /// How many messages were given up.
    pub async fn dead_messages(&mut self) -> Result<i64, StoreError> {
        let (count,): (i64,) = on_db!(self, |c| sqlx::query_as(DEAD).fetch_one(c).await)?;
        Ok(count)
    }
}
