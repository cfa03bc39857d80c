//! One-off messages that left with a commit and wait for their delivery.

use super::dialect::{self, on};
use super::{StoreError, Tx, json, on_db, read, sql};
use crate::domain::id::{OutboxId, RequestId};
use crate::domain::message::{Lane, Message};
use crate::domain::time::Timestamp;

sql! {
    INSERT = "INSERT INTO outbox (id, lane, message, request_id, due_at, attempt, failures, made_at) VALUES ($1, $2, $3, $4, $5, 0, 0, $5)";
    DELIVERED = "DELETE FROM outbox WHERE id = $1 AND attempt = $2";
    PUT_OFF = "UPDATE outbox SET due_at = $3, failures = failures + 1, trouble = $4 WHERE id = $1 AND attempt = $2";
    NEXT_DUE = "SELECT min(due_at) FROM outbox WHERE lane = $1 AND due_at IS NOT NULL";
    UNHEARD = "SELECT count(*), max(trouble) FROM outbox WHERE lane = $1 AND due_at IS NOT NULL AND trouble IS NOT NULL";
    DEAD = "SELECT count(*) FROM outbox WHERE due_at IS NULL";
}

/// A message, claimed until the end of a lease.
#[derive(Debug, Clone)]
pub struct DueMessage {
    /// Its id.
    pub id: OutboxId,
    /// What to say.
    pub message: Message,
    /// How many failed calls in a row.
    pub failures: i64,
    /// When it was written.
    pub made_at: Timestamp,
    attempt: i64,
}

impl Tx {
    /// Puts a message into the outbox, in the commit of what it tells.
    pub async fn send(
        &mut self,
        id: &OutboxId,
        message: &Message,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let text = json(message)?;
        on_db!(self, |c| sqlx::query(INSERT)
            .bind(id.as_str())
            .bind(message.lane() as i64)
            .bind(&text)
            .bind(message.request().map(RequestId::as_str))
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Claims messages of a lane that are due, until `lease_end`.
    pub async fn claim_messages(
        &mut self,
        lane: Lane,
        now: Timestamp,
        lease_end: Timestamp,
        limit: i64,
    ) -> Result<Vec<DueMessage>, StoreError> {
        let text = on!(
            self,
            dialect::CLAIM_OUTBOX_SQLITE,
            dialect::CLAIM_OUTBOX_POSTGRES
        );
        let rows: Vec<(String, String, i64, i64, i64)> = on_db!(self, |c| sqlx::query_as(text)
            .bind(now.0)
            .bind(lease_end.0)
            .bind(limit)
            .bind(lane as i64)
            .fetch_all(c)
            .await)?;
        rows.into_iter()
            .map(|(id, message, attempt, failures, made_at)| {
                Ok(DueMessage {
                    id: read("id", id.parse())?,
                    message: read("message", serde_json::from_str(&message))?,
                    failures,
                    made_at: Timestamp(made_at),
                    attempt,
                })
            })
            .collect()
    }

    /// It has been delivered. Nothing happens after the lease was lost.
    pub async fn delivered(&mut self, message: &DueMessage) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(DELIVERED)
            .bind(message.id.as_str())
            .bind(message.attempt)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// It failed: tried again at `due`, or given up for this reason.
    pub async fn put_off_message(
        &mut self,
        message: &DueMessage,
        due: Option<Timestamp>,
        trouble: &str,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(PUT_OFF)
            .bind(message.id.as_str())
            .bind(message.attempt)
            .bind(due.map(|at| at.0))
            .bind(trouble)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// When the next message of a lane is due.
    pub async fn next_message_due(&mut self, lane: Lane) -> Result<Option<Timestamp>, StoreError> {
        let (due,): (Option<i64>,) = on_db!(self, |c| sqlx::query_as(NEXT_DUE)
            .bind(lane as i64)
            .fetch_one(c)
            .await)?;
        Ok(due.map(Timestamp))
    }

    /// How many messages of a lane could not be delivered yet, and why one of them.
    pub async fn unheard(&mut self, lane: Lane) -> Result<(i64, Option<String>), StoreError> {
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
