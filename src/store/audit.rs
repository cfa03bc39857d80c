//! The audit log. A row is written with the change it records, and sealed into the hash chain soon after.

use super::dialect::{self, on};
use super::keys::Keys;
use super::{StoreError, Tx, json, on_db, read, sql};
use crate::domain::audit::{AuditEvent, AuditEventKind};
use crate::domain::decision::Via;
use crate::domain::id::RequestId;
use crate::domain::principal::Principal;
use crate::domain::time::Timestamp;
use serde_json::{Value, json};

sql! {
    NEWEST = "SELECT max(id) FROM audit";
    INSERT = "INSERT INTO audit (id, at, what, actor, via, request_id, session_id, prominent, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    LAST_SEAL = "SELECT seal, hash FROM audit WHERE seal IS NOT NULL ORDER BY seal DESC LIMIT 1";
    UNSEALED = "SELECT id, at, what, actor, via, request_id, session_id, prominent, detail FROM audit WHERE seal IS NULL ORDER BY id LIMIT $1";
    ANY_UNSEALED = "SELECT id FROM audit WHERE seal IS NULL LIMIT 1";
    SEALED_AFTER = "SELECT id, at, what, actor, via, request_id, session_id, prominent, detail, seal, hash FROM audit
        WHERE seal > $1 ORDER BY seal LIMIT $2";
    LATEST_EVENTS = "SELECT a.id, a.at, a.what, a.actor, a.via, a.request_id, a.session_id, a.prominent, a.detail, a.seal, a.hash, r.number,
            (SELECT p.hash FROM audit p WHERE p.seal = a.seal - 1) AS hash_before
        FROM audit a LEFT JOIN requests r ON r.id = a.request_id ORDER BY a.id DESC LIMIT $1";
    EVENTS_BELOW = "SELECT a.id, a.at, a.what, a.actor, a.via, a.request_id, a.session_id, a.prominent, a.detail, a.seal, a.hash, r.number,
            (SELECT p.hash FROM audit p WHERE p.seal = a.seal - 1) AS hash_before
        FROM audit a LEFT JOIN requests r ON r.id = a.request_id WHERE a.id < $1 ORDER BY a.id DESC LIMIT $2";
    COUNT_UNSEALED = "SELECT count(*) FROM audit WHERE seal IS NULL";
}

/// An audit row as stored, before it is sealed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Unsealed {
    /// The row's id.
    pub id: String,
    /// When it happened, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The kind of event, such as `request.created`.
    pub what: String,
    /// The principal, such as `person:alice`.
    pub actor: String,
    /// The interface it came through.
    pub via: String,
    /// The request that the event is about.
    pub request_id: Option<String>,
    /// The break-glass session that the event belongs to.
    pub session_id: Option<String>,
    /// Whether the event is about break-glass or recovery and is highlighted.
    pub prominent: bool,
    /// More data, as JSON.
    pub detail: String,
}

/// A sealed row: its position in the hash chain, and the hash.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Sealed {
    /// The row.
    #[sqlx(flatten)]
    pub row: Unsealed,
    /// The position in the chain.
    pub seal: i64,
    /// The hash of the chain up to and including this row.
    pub hash: String,
}

/// A row for display, sealed or not.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Logged {
    /// The row.
    #[sqlx(flatten)]
    pub row: Unsealed,
    /// The position in the chain, once the row is sealed.
    pub seal: Option<i64>,
    /// The hash of the chain up to and including this row.
    pub hash: Option<String>,
    /// The hash of the chain up to the previous row.
    pub hash_before: Option<String>,
    /// The number of the request that the event is about.
    pub number: Option<i64>,
}

/// One line of a request's timeline, as stored.
#[derive(Debug, Clone)]
pub struct TimelineRow {
    /// The request.
    pub request: RequestId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub what: AuditEventKind,
    /// Who did it.
    pub actor: Principal,
    /// The interface it came through.
    pub via: Via,
    /// More data, as JSON.
    pub detail: Value,
}

impl Tx {
    /// Records an event, in the same transaction as the change it describes.
    pub async fn record(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        let detail = json(&event.detail)?;
        let via = serde_json::to_value(event.via)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        on_db!(self, |c| sqlx::query(INSERT)
            .bind(event.id.as_str())
            .bind(event.at.0)
            .bind(event.what.as_str())
            .bind(event.actor.to_string())
            .bind(via.as_str())
            .bind(event.request.as_ref().map(RequestId::as_str))
            .bind(
                event
                    .session
                    .as_ref()
                    .map(super::super::domain::id::SessionId::as_str)
            )
            .bind(event.prominent())
            .bind(&detail)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// The timelines of these requests, oldest first: for each, the first event and the latest `limit`.
    pub async fn timeline(
        &mut self,
        ids: &[&RequestId],
        limit: usize,
    ) -> Result<Vec<TimelineRow>, StoreError> {
        let text = on!(
            self,
            dialect::READ_TIMELINE_SQLITE,
            dialect::READ_TIMELINE_POSTGRES
        );
        let ids = Keys::of(ids);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<(String, i64, String, String, String, String, String)> =
            on_db!(self, |c| sqlx::query_as(text)
                .bind(&ids)
                .bind(limit)
                .fetch_all(c)
                .await)?;
        let line = |at, what: String, actor, via: String, request: String, detail: String| {
            Ok(TimelineRow {
                request: read("id", request.parse())?,
                at: Timestamp(at),
                what: what.parse().unwrap_or(AuditEventKind::Unknown),
                actor: read("actor", Principal::try_from(actor))?,
                via: read("via", serde_json::from_value(via.into()))?,
                detail: read("detail", serde_json::from_str(&detail))?,
            })
        };
        let lines = rows
            .into_iter()
            .filter_map(|(id, at, what, actor, via, request, detail)| {
                let line = line(at, what, actor, via, request, detail);
                self.readable("audit", &id, line)
            });
        Ok(lines.collect())
    }

    /// Unsealed rows, oldest first. Nobody else seals rows until this transaction ends.
    pub async fn unsealed(&mut self, limit: i64) -> Result<Vec<Unsealed>, StoreError> {
        if self.locks_rows() {
            on_db!(self, |c| sqlx::query(dialect::LOCK_SEALS)
                .execute(c)
                .await
                .map(|_| ()))?;
        }
        on_db!(self, |c| sqlx::query_as(UNSEALED)
            .bind(limit)
            .fetch_all(c)
            .await)
    }

    /// Whether any row is unsealed.
    pub async fn any_unsealed(&mut self) -> Result<bool, StoreError> {
        let row: Option<(String,)> = on_db!(self, |c| sqlx::query_as(ANY_UNSEALED)
            .fetch_optional(c)
            .await)?;
        Ok(row.is_some())
    }

    /// The end of the chain: the last position and its hash.
    pub async fn last_seal(&mut self) -> Result<Option<(i64, String)>, StoreError> {
        on_db!(self, |c| sqlx::query_as(LAST_SEAL).fetch_optional(c).await)
    }

    /// Seals rows: id, position, hash.
    pub async fn seal(&mut self, rows: &[(&str, i64, String)]) -> Result<(), StoreError> {
        let text = on!(self, dialect::SEAL_SQLITE, dialect::SEAL_POSTGRES);
        let (ids, is_postgres) = (Keys::of(rows.iter().map(|row| row.0)), self.locks_rows());
        let rows: Vec<Value> = rows
            .iter()
            .map(|(id, seal, hash)| json!({"i": id, "s": seal, "h": hash}))
            .collect();
        let rows = json(&rows)?;
        on_db!(self, |c| {
            let mut seal = sqlx::query(text).bind(&rows);
            if is_postgres {
                seal = seal.bind(&ids);
            }
            seal.execute(c).await.map(|_| ())
        })
    }

    /// Sealed rows after a position in the chain.
    pub async fn sealed_after(
        &mut self,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Sealed>, StoreError> {
        on_db!(self, |c| sqlx::query_as(SEALED_AFTER)
            .bind(after)
            .bind(limit)
            .fetch_all(c)
            .await)
    }

    /// The id of the newest row.
    pub async fn newest_event(&mut self) -> Result<Option<String>, StoreError> {
        let (id,): (Option<String>,) = on_db!(self, |c| sqlx::query_as(NEWEST).fetch_one(c).await)?;
        Ok(id)
    }

    /// The latest rows, newest first.
    pub async fn latest_events(&mut self, limit: i64) -> Result<Vec<Logged>, StoreError> {
        on_db!(self, |c| sqlx::query_as(LATEST_EVENTS)
            .bind(limit)
            .fetch_all(c)
            .await)
    }

    /// Rows below an id, newest first.
    pub async fn events_below(&mut self, id: &str, limit: i64) -> Result<Vec<Logged>, StoreError> {
        on_db!(self, |c| sqlx::query_as(EVENTS_BELOW)
            .bind(id)
            .bind(limit)
            .fetch_all(c)
            .await)
    }

    /// How many rows are unsealed.
    pub async fn count_unsealed(&mut self) -> Result<i64, StoreError> {
        let (count,): (i64,) = on_db!(self, |c| sqlx::query_as(COUNT_UNSEALED).fetch_one(c).await)?;
        Ok(count)
    }
}
