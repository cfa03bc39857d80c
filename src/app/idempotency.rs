//! Calls that have effect once: Slack's deliveries and idempotency keys (docs/decisions.md D23).

use super::AppError;
use crate::domain::id::{RequestId, SessionId};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Span, Timestamp};
use crate::store::{StoreError, StoredResponse, Tx};
use serde::{Deserialize, Serialize};

/// Makes a call have effect once: its key is stored with its answer, in the commit of its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// `slack:` and the delivery's key, or what [`IdempotencyKey::by_key`] makes of a principal and an `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of what was asked, so that a key is not used for something else.
    pub fingerprint: String,
    /// How long it is kept: a day for deliveries, 7 days for idempotency keys.
    pub keep: Span,
}

impl IdempotencyKey {
    /// A call by API: its `Idempotency-Key` holds for its principal alone. Both parts may contain colons, which are escaped so that
    /// no two pairs of principal and key share a row. Without colons and percent signs the row is the one that earlier releases wrote.
    pub fn by_key(principal: &Principal, key: &str, fingerprint: String, keep: Span) -> Self {
        let (kind, id) = match principal {
            Principal::Person(id) => ("person", id.as_str()),
            Principal::Service(id) => ("service", id.as_str()),
            Principal::Operator => ("operator", ""),
            Principal::Bot => ("bot", ""),
        };
        let id = if id.is_empty() {
            String::new()
        } else {
            format!(":{}", escaped(id))
        };
        Self {
            key: format!("api:{kind}{id}:{}", escaped(key)),
            fingerprint,
            keep,
        }
    }
}

/// The text without colons, and another one for every text.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace(':', "%3A")
}

/// What is kept of an answer; the rest is read anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ResponseSubject {
    /// The request it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The break-glass session it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

impl ResponseSubject {
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

impl IdempotencyKey {
    /// The row that keeps this answer.
    pub(super) fn answer(
        &self,
        kept: &ResponseSubject,
        now: Timestamp,
    ) -> Result<StoredResponse, AppError> {
        Ok(StoredResponse {
            key: self.key.clone(),
            fingerprint: self.fingerprint.clone(),
            answer: serde_json::to_string(kept)
                .map_err(|error| AppError::Internal(error.to_string()))?,
            keep_until: now.plus(self.keep).0,
        })
    }

    /// What a kept row answers to this call.
    pub(super) fn subject_of(&self, row: &StoredResponse) -> Result<ResponseSubject, AppError> {
        if row.fingerprint != self.fingerprint {
            return Err(Refusal::KeyReused.into());
        }
        serde_json::from_str(&row.answer)
            .map_err(|error| StoreError::Unreadable(format!("a kept answer: {error}")).into())
    }
}

/// The answer this call got before, if it came before.
pub(super) async fn stored_response(
    tx: &mut Tx,
    once: Option<&IdempotencyKey>,
) -> Result<Option<ResponseSubject>, AppError> {
    let Some(once) = once else { return Ok(None) };
    let rows = tx.answers(&[&once.key]).await?;
    rows.first().map(|row| once.subject_of(row)).transpose()
}

/// Keeps the answer to this call; when another call with the key was faster, this one ends without effect.
pub(super) async fn store_response(
    tx: &mut Tx,
    once: Option<&IdempotencyKey>,
    kept: &ResponseSubject,
    now: Timestamp,
) -> Result<(), AppError> {
    let Some(once) = once else { return Ok(()) };
    if tx.claim_answer(&once.answer(kept, now)?).await? {
        Ok(())
    } else {
        Err(Refusal::InFlight.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(principal: &Principal, key: &str) -> String {
        IdempotencyKey::by_key(principal, key, String::new(), Span(0)).key
    }

    #[test]
    fn idempotency_keys_of_principals_with_colons_never_collide_r29() {
        let service = |id: &str| Principal::Service(id.into());
        assert_ne!(
            row(&service("ci"), "deploy:7"),
            row(&service("ci:deploy"), "7")
        );
        assert_ne!(row(&service("ci"), "a:b"), row(&service("ci:a"), "b"));
        assert_ne!(row(&service("ci%3Aa"), "b"), row(&service("ci:a"), "b"));
        // what the previous release stored for the same call is found again
        assert_eq!(row(&service("ci"), "deploy-7"), "api:service:ci:deploy-7");
        assert_eq!(row(&Principal::Operator, "k"), "api:operator:k");
    }

    proptest! {
        /// The same text, divided at each of its colons into a principal and a key; once as it is, once as an escape would write it.
        #[test]
        fn every_principal_and_key_has_a_row_of_its_own_r29(parts in prop::collection::vec("(a|%|25|3A|%3A|%25){1,2}", 3..5)) {
            let mut pairs = std::collections::BTreeSet::new();
            for colon in [":", "%3A", "%253A"] {
                for at in 1..parts.len() {
                    let (id, key) = parts.split_at(at);
                    pairs.insert((id.join(colon), key.join(colon)));
                }
            }
            let rows: std::collections::BTreeSet<String> = pairs
                .iter()
                .map(|(id, key)| row(&Principal::Person((&**id).into()), key))
                .collect();
            prop_assert_eq!(rows.len(), pairs.len(), "{:?}", pairs);
        }
    }
}
