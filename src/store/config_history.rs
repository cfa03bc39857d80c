//! Earlier versions of the configuration, one after another.

use super::{StoreError, Tx, on_db, read, sql};
use crate::domain::delta::Delta;
use crate::domain::document::ConfigDocument;
use crate::domain::id::AuditId;
use crate::domain::principal::Principal;
use crate::domain::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

sql! {
    VERSIONS_BELOW = "SELECT version, made_at, actor, reason FROM config WHERE version < $1
        UNION ALL SELECT version, made_at, actor, reason FROM config_history WHERE version < $1
        ORDER BY version DESC LIMIT $2";
    DOCUMENT_AT = "SELECT document FROM config WHERE version = $1";
    DELTA_AT = "SELECT delta FROM config_history WHERE version = $1";
    // the ids of audit rows begin with their time
    COMPLETED_AT = "SELECT r.number, a.detail FROM audit a JOIN requests r ON r.id = a.request_id
        WHERE a.id >= $1 AND a.id <= $2 AND a.what = 'request.completed' ORDER BY a.id LIMIT 100";
}

/// The bits of an id after its time.
const RANDOM_BITS: u32 = 80;

/// A version of the configuration, without its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigVersion {
    /// The version.
    pub version: i64,
    /// When it was stored.
    pub made_at: Timestamp,
    /// Who stored it.
    pub actor: Principal,
    /// The reason that was given.
    pub reason: Option<String>,
}

impl Tx {
    /// The versions below this one, newest first.
    pub async fn config_versions_below(
        &mut self,
        below: i64,
        limit: i64,
    ) -> Result<Vec<ConfigVersion>, StoreError> {
        let rows: Vec<(i64, i64, String, Option<String>)> =
            on_db!(self, |c| sqlx::query_as(VERSIONS_BELOW)
                .bind(below)
                .bind(limit)
                .fetch_all(c)
                .await)?;
        rows.into_iter()
            .map(|(version, made_at, actor, reason)| {
                Ok(ConfigVersion {
                    version,
                    made_at: Timestamp(made_at),
                    actor: read("actor", Principal::try_from(actor))?,
                    reason,
                })
            })
            .collect()
    }

    /// The document of a version, given that of the next one.
    pub async fn config_before(
        &mut self,
        version: i64,
        next: &ConfigDocument,
    ) -> Result<Option<ConfigDocument>, StoreError> {
        let delta: Option<(String,)> = on_db!(self, |c| sqlx::query_as(DELTA_AT)
            .bind(version)
            .fetch_optional(c)
            .await)?;
        if let Some((delta,)) = delta {
            let delta: Delta = read("configuration", serde_json::from_str(&delta))?;
            return Ok(delta.older(next));
        }
        let document: Option<(String,)> = on_db!(self, |c| sqlx::query_as(DOCUMENT_AT)
            .bind(version)
            .fetch_optional(c)
            .await)?;
        document
            .map(|(document,)| read("configuration", serde_json::from_str(&document)))
            .transpose()
    }

    /// The number of the request whose approval made this version.
    pub async fn request_that_made(
        &mut self,
        version: &ConfigVersion,
    ) -> Result<Option<i64>, StoreError> {
        let (first, last) = ids_of(version.made_at);
        let rows: Vec<(i64, String)> = on_db!(self, |c| sqlx::query_as(COMPLETED_AT)
            .bind(first.as_str())
            .bind(last.as_str())
            .fetch_all(c)
            .await)?;
        let made = |detail: &str| {
            let detail: Option<Value> = serde_json::from_str(detail).ok();
            detail.is_some_and(|detail| detail["version"] == version.version)
        };
        let found = rows.into_iter().find(|(_, detail)| made(detail));
        Ok(found.map(|(number, _)| number))
    }
}

/// The first and the last id that an audit row of this moment can have.
fn ids_of(at: Timestamp) -> (AuditId, AuditId) {
    let time = u128::try_from(at.0).unwrap_or(0) << RANDOM_BITS;
    let id = |random: u128| AuditId::from_uuid(Uuid::from_u128(time | random));
    (id(0), id((1 << RANDOM_BITS) - 1))
}
