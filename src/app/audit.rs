//! The audit log's chain: sealing, and reading what is sealed.

use super::show::note;
use super::{App, AppError, measure};
use crate::domain::audit::AuditEventKind;
use crate::domain::decision::Via;
use crate::domain::digest::canonical;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::store::{Logged, Sealed, Unsealed};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Most rows that one unit seals.
const BATCH_SIZE: i64 = 500;

/// The most bytes of one page: a change of the configuration has both documents in its row.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Rows of a page that are read at once, however large they are.
const READ_AT_ONCE: i64 = 20;

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
            .transaction::<_, AppError>(async |tx| {
                let rows = tx.unsealed(BATCH_SIZE).await?;
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
        Ok(i64::try_from(rows.len()).unwrap_or(0) == BATCH_SIZE)
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

    /// The same, as far as the rows are what was sealed; then the place of the first one that is not.
    pub async fn intact_audit(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<(Vec<AuditLine>, Option<i64>), AppError> {
        let mut tx = self.0.db.read().await?;
        let mut hash = match after {
            ..=0 => String::new(),
            _ => match tx.sealed_after(after - 1, 1).await?.pop() {
                Some(last) if last.seal == after => last.hash,
                Some(other) => return Ok((Vec::new(), Some(other.seal))),
                None => return Ok((Vec::new(), None)),
            },
        };
        let (mut lines, mut place) = (Vec::new(), after.max(0));
        let mut bytes = 0;
        let limit = i64::from(limit).saturating_add(after.max(0));
        while place < limit {
            let rows = tx.sealed_after(place, (limit - place).min(READ_AT_ONCE));
            let rows = rows.await?;
            if rows.is_empty() {
                break;
            }
            for sealed in rows {
                let intact = sealed.seal == place + 1
                    && fits(Some(&hash), sealed.seal, &sealed.hash, &sealed.row);
                if !intact {
                    return Ok((lines, Some(sealed.seal)));
                }
                bytes += sealed.row.detail.len();
                if bytes > PAGE_BYTES && !lines.is_empty() {
                    return Ok((lines, None));
                }
                place = sealed.seal;
                hash.clone_from(&sealed.hash);
                lines.push(line(sealed));
            }
        }
        Ok((lines, None))
    }

    /// The place of the last sealed row.
    pub async fn last_sealed(&self) -> Result<i64, AppError> {
        let last = self.0.db.read().await?.last_seal().await?;
        Ok(last.map_or(0, |(place, _)| place))
    }

    /// The latest events as people read them, newest first, sealed or not; for administrators.
    pub async fn latest_events(
        &self,
        caller: &Caller,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, AppError> {
        if !self
            .compiled_config()
            .await?
            .is_administrator(&caller.principal)
        {
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
            let rows = tx.sealed_after(place, BATCH_SIZE).await?;
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
                if seal != place + 1 || !fits(Some(&hash), seal, &stored, &row) {
                    return Ok(Verified {
                        sealed: place,
                        unsealed: tx.count_unsealed().await?,
                        broken_at: Some((seal, row.id)),
                    });
                }
                (place, hash) = (seal, stored);
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
    pub what: AuditEventKind,
    /// Who.
    pub actor: Principal,
    /// The interface it came through.
    pub via: Via,
    /// Whether it is highlighted.
    pub prominent: bool,
    /// The number of the request it is about.
    pub number: Option<i64>,
    /// A reason, comment or message, where there was one.
    pub note: Option<String>,
    /// Whether somebody has changed the row, or the one before it, after it was sealed.
    pub altered: bool,
}

/// Whether a sealed row is what was sealed, behind the row before it.
fn fits(hash_before: Option<&str>, seal: i64, hash: &str, row: &Unsealed) -> bool {
    let before = match hash_before {
        Some(before) => before,
        None if seal == 1 => "",
        None => return false,
    };
    link(before, seal, &event(row)).is_ok_and(|expected| expected == hash)
}

/// An event as people read it; none where this release cannot read who acted and how. An altered row is shown as far as it reads.
pub(super) fn logged(logged: Logged) -> Option<LoggedEvent> {
    let (row, before) = (logged.row, logged.hash_before.as_deref());
    let altered = match (logged.seal, &logged.hash) {
        (Some(seal), Some(hash)) => !fits(before, seal, hash, &row),
        (None, None) => false,
        _ => true,
    };
    let detail: Value = match serde_json::from_str(&row.detail) {
        Ok(detail) => detail,
        Err(_) if altered => Value::Null,
        Err(_) => return None,
    };
    Some(LoggedEvent {
        at: Timestamp(row.at),
        what: row.what.parse().unwrap_or(AuditEventKind::Unknown),
        actor: Principal::try_from(row.actor).ok()?,
        via: serde_json::from_value(row.via.into()).ok()?,
        prominent: row.prominent,
        number: logged.number,
        note: note(&detail),
        altered,
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
