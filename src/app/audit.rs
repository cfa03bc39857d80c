//! The audit log's chain: sealing, and reading what is sealed.

use super::show::note;
use super::{App, AppError, measure};
use crate::domain::audit::What;
use crate::domain::digest::canonical;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::vote::Door;
use crate::store::{Logged, Sealed, Unsealed};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Most rows that one unit seals.
const AT_ONCE: i64 = 500;

/// A sealed audit row, as it is served and exported.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditLine {
    /// Its place in the chain; the cursor.
    pub seal: i64,
    /// The hash of the chain up to and with this row.
    pub hash: String,
    /// The row itself.
    #[serde(flatten)]
    pub event: Value,
}

impl App {
    /// Chains rows that have no seal yet. Says whether there may be more.
    pub async fn seal(&self) -> Result<bool, AppError> {
        if !self.0.db.read().await?.any_unsealed().await? {
            return Ok(false);
        }
        let rows = self
            .0
            .db
            .unit::<_, AppError>(async |tx| {
                let rows = tx.unsealed(AT_ONCE).await?;
                let (mut place, mut hash) = tx.last_seal().await?.unwrap_or((0, String::new()));
                let mut sealed = Vec::with_capacity(rows.len());
                for row in &rows {
                    place += 1;
                    hash = link(&hash, place, &event(row))?;
                    sealed.push((row.id.as_str(), place, hash.clone()));
                }
                tx.seal(&sealed).await?;
                Ok(rows)
            })
            .await?;
        measure::sealed(rows.iter().map(|row| row.what.as_str()));
        Ok(i64::try_from(rows.len()).unwrap_or(0) == AT_ONCE)
    }

    /// Sealed audit rows after a place in the chain.
    pub async fn audit(&self, after: i64, limit: u32) -> Result<Vec<AuditLine>, AppError> {
        let rows = self
            .0
            .db
            .read()
            .await?
            .sealed_after(after, i64::from(limit))
            .await?;
        Ok(rows.into_iter().map(line).collect())
    }

    /// The latest events as people read them, newest first, sealed or not; for administrators.
    pub async fn latest_events(
        &self,
        caller: &Caller,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, AppError> {
        if !self.rules().await?.is_administrator(&caller.principal) {
            let why = "Only administrators may read the audit log.";
            return Err(Refusal::Forbidden(why.to_owned()).into());
        }
        let mut tx = self.0.db.read().await?;
        let rows = tx.latest_events(i64::from(limit)).await?;
        // a row that this release does not know is in the export, as it is stored
        Ok(rows.into_iter().filter_map(logged).collect())
    }

    /// Walks the whole chain: how many rows are sealed, how many are not yet, and the place of the first row that does not fit.
    pub async fn verify_audit(&self) -> Result<Verified, AppError> {
        let mut tx = self.0.db.read().await?;
        let (mut place, mut hash) = (0, String::new());
        loop {
            let rows = tx.sealed_after(place, AT_ONCE).await?;
            if rows.is_empty() {
                return Ok(Verified {
                    sealed: place,
                    unsealed: tx.count_unsealed().await?,
                    broken_at: None,
                });
            }
            for Sealed {
                row,
                seal,
                hash: stored,
            } in rows
            {
                let expected = link(&hash, place + 1, &event(&row))?;
                if seal != place + 1 || stored != expected {
                    return Ok(Verified {
                        sealed: place,
                        unsealed: tx.count_unsealed().await?,
                        broken_at: Some((seal, row.id)),
                    });
                }
                (place, hash) = (seal, expected);
            }
        }
    }
}

/// What a walk along the chain has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Rows whose seal fits, from the first one on.
    pub sealed: i64,
    /// Rows that wait for their seal.
    pub unsealed: i64,
    /// The first row that does not fit: its place and id.
    pub broken_at: Option<(i64, String)>,
}

/// An event of the audit log, as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// Who.
    pub actor: Principal,
    /// Through which door.
    pub via: Door,
    /// Whether it is highlighted.
    pub prominent: bool,
    /// The number of the request it is about.
    pub number: Option<i64>,
    /// A reason, comment or message, where there was one.
    pub note: Option<String>,
}

fn logged(row: Logged) -> Option<LoggedEvent> {
    let detail: Value = serde_json::from_str(&row.detail).ok()?;
    Some(LoggedEvent {
        at: Timestamp(row.at),
        what: row.what.parse().ok()?,
        actor: Principal::try_from(row.actor).ok()?,
        via: serde_json::from_value(row.via.into()).ok()?,
        prominent: row.prominent,
        number: row.number,
        note: note(&detail),
    })
}

fn line(sealed: Sealed) -> AuditLine {
    AuditLine {
        seal: sealed.seal,
        event: event(&sealed.row),
        hash: sealed.hash,
    }
}

/// The row as it is chained and exported. A detail that is not JSON is chained as the text that it is, so that it stops no other row.
fn event(row: &Unsealed) -> Value {
    let detail: Value =
        serde_json::from_str(&row.detail).unwrap_or_else(|_| Value::String(row.detail.clone()));
    json!({
        "id": row.id, "at": crate::domain::time::Timestamp(row.at).rfc3339(), "event": row.what, "actor": row.actor, "via": row.via,
        "request": row.request_id, "breakGlassSession": row.session_id, "prominent": row.prominent, "detail": detail,
    })
}

/// The chain's next hash: SHA-256 over the last one, the place and the row in canonical form.
fn link(last: &str, place: i64, event: &Value) -> Result<String, AppError> {
    let event = canonical(event).map_err(|error| AppError::Internal(error.to_string()))?;
    Ok(hex::encode(Sha256::digest(format!(
        "{last}\n{place}\n{event}"
    ))))
}
