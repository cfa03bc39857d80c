//! Data for statistics: the latest requests, limited in number.

use super::{StoreError, Tx, on_db, read, sql};
use crate::domain::action::RequestType;
use crate::domain::id::{PolicyId, RequestId, TeamId};
use crate::domain::latency::Asked;
use crate::domain::request::Status;
use crate::domain::time::Timestamp;
use serde::Deserialize;

sql! {
    // the inner limit bounds the cost for any time range; the decisions of each row are found by their key
    ASKED_LATELY = "SELECT r.number, r.kind, r.status, r.gates, r.created_at, r.decided_at,
            (SELECT '[' || string_agg('{\"at\":' || d.at || ',\"teams\":' || d.teams || '}', ',') || ']' FROM decisions d
                WHERE d.request_id = r.id) AS decisions
        FROM (SELECT id, number, kind, status, gates, created_at, decided_at FROM requests ORDER BY number DESC LIMIT $2) AS r
        WHERE r.created_at >= $1";
    PENDING_SINCE = "SELECT created_at FROM requests WHERE status = 'pending' AND ends_at > $1 ORDER BY number LIMIT $2";
    STALE = "SELECT id FROM requests WHERE status = 'pending' AND created_at <= $1 AND ends_at > $2 ORDER BY number LIMIT $3";
    PENDING = "SELECT count(*) FROM requests WHERE status = 'pending'";
    MESSAGES_DUE = "SELECT count(*) FROM outbox WHERE due_at IS NOT NULL";
    CARDS_TO_POST = "SELECT count(*) FROM cards WHERE due_at IS NOT NULL AND ts IS NULL";
    CARDS_TO_UPDATE = "SELECT count(*) FROM cards WHERE due_at IS NOT NULL AND ts IS NOT NULL";
}

#[derive(sqlx::FromRow)]
struct LatestRow {
    number: i64,
    kind: String,
    status: String,
    gates: String,
    created_at: i64,
    decided_at: Option<i64>,
    decisions: Option<String>,
}

#[derive(Deserialize)]
struct DecisionJson {
    at: Timestamp,
    teams: Vec<TeamId>,
}

/// A pinned policy, of which statistics need the id alone.
#[derive(Deserialize)]
struct GateJson {
    template: TemplateJson,
}

#[derive(Deserialize)]
struct TemplateJson {
    id: PolicyId,
}

impl LatestRow {
    fn asked(self) -> Result<Asked, StoreError> {
        let gates: Vec<GateJson> = read("gates", serde_json::from_str(&self.gates))?;
        let policies: Vec<PolicyId> = gates.into_iter().map(|gate| gate.template.id).collect();
        let decisions = self.decisions.unwrap_or_else(|| "[]".to_owned());
        let decisions: Vec<DecisionJson> = read("votes", serde_json::from_str(&decisions))?;
        let kind: RequestType = read("type", serde_json::from_value(self.kind.into()))?;
        let status: Status = read("status", self.status.parse())?;
        Ok(Asked {
            kind,
            status,
            policies,
            created_at: Timestamp(self.created_at),
            decided_at: self.decided_at.map(Timestamp),
            decisions: decisions
                .into_iter()
                .map(|decision| (decision.at, decision.teams))
                .collect(),
        })
    }
}

/// The work that is still to be done. Finished work is not counted, so that counting stays cheap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Pending requests.
    pub pending: i64,
    /// Messages to be delivered.
    pub messages: i64,
    /// Messages that were given up.
    pub undelivered: i64,
    /// Cards to be posted or updated.
    pub cards: i64,
    /// Unsealed audit rows.
    pub unsealed: i64,
}

/// The latest requests.
#[derive(Debug, Clone)]
pub struct Latest {
    /// The requests of the time range.
    pub asked: Vec<Asked>,
    /// Whether older requests of the time range may be missing.
    pub cut: bool,
}

impl Tx {
    /// The work that is still to be done.
    pub async fn backlog(&mut self) -> Result<Backlog, StoreError> {
        Ok(Backlog {
            pending: self.number(PENDING).await?,
            messages: self.number(MESSAGES_DUE).await?,
            undelivered: self.dead_messages().await?,
            cards: self.number(CARDS_TO_POST).await? + self.number(CARDS_TO_UPDATE).await?,
            unsealed: self.count_unsealed().await?,
        })
    }

    async fn number(&mut self, statement: &'static str) -> Result<i64, StoreError> {
        let (number,): (i64,) = on_db!(self, |c| sqlx::query_as(statement).fetch_one(c).await)?;
        Ok(number)
    }

    /// The latest requests created since `since`; reads at most `limit`.
    pub async fn latest(&mut self, since: Timestamp, limit: i64) -> Result<Latest, StoreError> {
        let rows: Vec<LatestRow> = on_db!(self, |c| sqlx::query_as(ASKED_LATELY)
            .bind(since.0)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        // all rows that were read are in the time range, and there are older ones
        let cut = usize::try_from(limit).is_ok_and(|limit| rows.len() >= limit)
            && rows.iter().all(|row| row.number > 1);
        // an unreadable row is reported where it is read as a request
        let asked = rows.into_iter().filter_map(|row| row.asked().ok());
        Ok(Latest {
            asked: asked.collect(),
            cut,
        })
    }

    /// Pending requests that were created up to `before`, the oldest first; at most `limit`.
    pub async fn stale_requests(
        &mut self,
        before: Timestamp,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<RequestId>, StoreError> {
        let rows: Vec<(String,)> = on_db!(self, |c| sqlx::query_as(STALE)
            .bind(before.0)
            .bind(now.0)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        Ok(rows.iter().filter_map(|(id,)| id.parse().ok()).collect())
    }

    /// When pending requests were created, the oldest first; at most `limit`.
    pub async fn pending_since(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Timestamp>, StoreError> {
        let rows: Vec<(i64,)> = on_db!(self, |c| sqlx::query_as(PENDING_SINCE)
            .bind(now.0)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        Ok(rows.into_iter().map(|(at,)| Timestamp(at)).collect())
    }
}
