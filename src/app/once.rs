//! Calls that have effect once: Slack's deliveries and idempotency keys (design 2.6).

use super::AppError;
use crate::domain::id::{RequestId, SessionId};
use crate::domain::refusal::Refusal;
use crate::domain::time::{Span, Timestamp};
use crate::store::{Answer, StoreError, Tx};
use serde::{Deserialize, Serialize};

/// Makes a call have effect once: its key is stored with its answer, in the commit of its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// `slack:` and the delivery's key, or `api:`, the principal and the `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of what was asked, so that a key is not used for something else.
    pub fingerprint: String,
    /// How long it is kept: a day for deliveries, 7 days for idempotency keys.
    pub keep: Span,
}

/// What is kept of an answer; the rest is read anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The request it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The break-glass session it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

impl Kept {
    /// It was about a request.
    pub(super) fn request(id: &RequestId) -> Self {
        Self {
            request: Some(id.clone()),
            session: None,
        }
    }

    /// It was about a break-glass session.
    pub(super) fn session(id: &SessionId) -> Self {
        Self {
            request: None,
            session: Some(id.clone()),
        }
    }

    /// The request it was about; a key that was used for something else is told so.
    pub(super) fn of_request(&self) -> Result<&RequestId, Refusal> {
        self.request.as_ref().ok_or(Refusal::KeyReused)
    }
}

impl Once {
    /// The row that keeps this answer.
    pub(super) fn answer(&self, kept: &Kept, now: Timestamp) -> Result<Answer, AppError> {
        Ok(Answer {
            key: self.key.clone(),
            fingerprint: self.fingerprint.clone(),
            answer: serde_json::to_string(kept)
                .map_err(|error| AppError::Internal(error.to_string()))?,
            keep_until: now.plus(self.keep).0,
        })
    }

    /// What a kept row answers to this call.
    pub(super) fn repeats(&self, row: &Answer) -> Result<Kept, AppError> {
        if row.fingerprint != self.fingerprint {
            return Err(Refusal::KeyReused.into());
        }
        serde_json::from_str(&row.answer)
            .map_err(|error| StoreError::Unreadable(format!("a kept answer: {error}")).into())
    }
}

/// The answer this call got before, if it came before.
pub(super) async fn before(tx: &mut Tx, once: Option<&Once>) -> Result<Option<Kept>, AppError> {
    let Some(once) = once else { return Ok(None) };
    let rows = tx.answers(&[&once.key]).await?;
    rows.first().map(|row| once.repeats(row)).transpose()
}

/// Keeps the answer to this call; when another call with the key was faster, this one ends without effect.
pub(super) async fn keep(
    tx: &mut Tx,
    once: Option<&Once>,
    kept: &Kept,
    now: Timestamp,
) -> Result<(), AppError> {
    let Some(once) = once else { return Ok(()) };
    if tx.claim_answer(&once.answer(kept, now)?).await? {
        Ok(())
    } else {
        Err(Refusal::InFlight.into())
    }
}
