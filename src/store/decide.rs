//! Writes everything that a decision batch changes, in one statement, because this is the hot path.

use super::dialect::{self, on};
use super::keys::Keys;
use super::{StoreError, StoredResponse, Tx, json, on_db};
use crate::domain::audit::AuditEvent;
use crate::domain::decision::Decision;
use crate::domain::digest::Digest;
use crate::domain::id::{OutboxId, RequestId};
use crate::domain::message::Message;
use crate::domain::request::Request;
use crate::domain::time::Timestamp;
use serde_json::{Value, json};

/// A decision that was made in this batch.
#[derive(Debug, Clone)]
pub struct DecisionRow {
    /// The request.
    pub request: RequestId,
    /// The decision.
    pub decision: Decision,
    /// The digest of the content that the approver decided on.
    pub digest: Digest,
    /// The pages of the content that the approver had opened before.
    pub pages_seen: Vec<u32>,
}

/// Everything that a decision batch changes.
#[derive(Debug, Default)]
pub struct BatchChanges {
    /// New decisions.
    pub decisions: Vec<DecisionRow>,
    /// Audit events.
    pub events: Vec<AuditEvent>,
    /// Outbox messages, stored in the same transaction.
    pub messages: Vec<(OutboxId, Message)>,
    /// Stored responses.
    pub answers: Vec<StoredResponse>,
}

impl Tx {
    /// Writes a batch. `changed` contains each request whose state or decisions changed, once.
    pub async fn write_batch(
        &mut self,
        changed: &[&Request],
        batch: &BatchChanges,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let text = on!(
            self,
            dialect::WRITE_BATCH_SQLITE,
            dialect::WRITE_BATCH_POSTGRES
        );
        let decisions = rows(&batch.decisions, |new| {
            Ok(json!({
                "r": new.request, "p": new.decision.by, "v": new.decision.verdict, "c": new.decision.comment,
                "t": json(&new.decision.teams)?, "o": json(&new.decision.roles)?,
                "d": new.digest, "g": json(&new.pages_seen)?, "i": new.decision.via,
                "f": new.decision.fresh_sign_in,
            }))
        })?;
        let requests = rows(changed, |request| {
            Ok(json!({
                "r": request.id, "s": request.state.status(),
                "e": request.state.ends_at(), "d": request.decided_at,
            }))
        })?;
        let ids = Keys::of(changed.iter().map(|request| &request.id));
        let events = rows(&batch.events, |event| {
            Ok(json!({
                "i": event.id, "w": event.what.as_str(), "a": event.actor, "v": event.via,
                "r": event.request, "s": event.session, "h": event.prominent(), "d": json(&event.detail)?,
            }))
        })?;
        let messages = rows(&batch.messages, |(id, message)| {
            Ok(
                json!({ "i": id, "l": message.lane() as i64, "m": json(message)?, "r": message.subject(), "c": message.queue() }),
            )
        })?;
        let answers = rows(&batch.answers, |answer| {
            Ok(
                json!({ "k": answer.key, "f": answer.fingerprint, "a": answer.answer, "u": answer.keep_until }),
            )
        })?;
        on_db!(self, |c| sqlx::query(text)
            .bind(&decisions)
            .bind(&requests)
            .bind(&events)
            .bind(&messages)
            .bind(&answers)
            .bind(now.0)
            .bind(&ids)
            .execute(c)
            .await
            .map(|_| ()))
    }
}

fn rows<T>(
    items: &[T],
    row: impl Fn(&T) -> Result<Value, StoreError>,
) -> Result<String, StoreError> {
    let rows: Vec<Value> = items.iter().map(row).collect::<Result<_, _>>()?;
    json(&rows)
}
