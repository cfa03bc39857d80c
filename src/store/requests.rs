//! Requests with their decisions and payloads.

use super::dialect::{self, on};
use super::keys::Keys;
use super::request_row::Row;
use super::{StoreError, SweepCursor, Tx, json, on_db, read, sql};
use crate::domain::action::RequestType;
use crate::domain::decision::Decision;
use crate::domain::id::{PersonId, RequestId};
use crate::domain::principal::Principal;
use crate::domain::request::{Request, State};
use crate::domain::slack_directory::ConfigVersions;
use crate::domain::time::Timestamp;
use std::collections::HashMap;

sql! {
    SAVE = "UPDATE requests SET version = version + 1, status = $2, gates = $3, ends_at = $4, decided_at = $5, executed_at = $6, outcome = $7,
        bypassed = $8 WHERE id = $1";
    ID_OF_NUMBER = "SELECT id FROM requests WHERE number = $1";
    IDENTICAL = "SELECT id FROM requests WHERE status = 'pending' AND digest = $1 AND requester = $2 ORDER BY number DESC LIMIT 1";
    LOAD_OF = "SELECT (SELECT count(*) FROM requests WHERE status = 'pending' AND submitted_by = $1),
        (SELECT count(*) FROM requests WHERE submitted_by = $1 AND created_at > $2)";
    ENDING = "SELECT ends_at, id FROM requests WHERE ends_at <= $1 AND (ends_at, id) > ($2, $3) ORDER BY ends_at, id LIMIT $4";
    CUT_VOTE = "UPDATE decisions SET teams = $3, roles = $4 WHERE request_id = $1 AND person = $2 AND at = $5";
}

/// A request as stored, with its decisions, oldest first.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The request; its payload is empty if it was not loaded.
    pub request: Request,
    /// The decisions, oldest first.
    pub decisions: Vec<Decision>,
    /// The versions of the configuration and the Slack directory at the time of loading.
    pub config: ConfigVersions,
}

/// A page of overdue requests.
#[derive(Debug, Clone)]
pub struct OverdueRequests {
    /// Their ids, the longest overdue first.
    pub ids: Vec<RequestId>,
    /// Where the next page starts; `None` after the last page.
    pub next: Option<SweepCursor>,
}

/// The columns that store a state: end, execution, outcome.
fn columns(state: &State) -> (Option<i64>, Option<i64>, Option<&'static str>) {
    let ends_at = state.ends_at().map(|at| at.0);
    match state {
        State::Executed { at } => (ends_at, Some(at.0), None),
        State::Completed { at, outcome } => (ends_at, Some(at.0), Some(outcome.as_str())),
        _ => (ends_at, None, None),
    }
}

impl Tx {
    /// The number for a new request.
    pub async fn next_number(&mut self) -> Result<i64, StoreError> {
        let text = on!(
            self,
            dialect::NEXT_NUMBER_SQLITE,
            dialect::NEXT_NUMBER_POSTGRES
        );
        let (number,): (i64,) = on_db!(self, |c| sqlx::query_as(text).fetch_one(c).await)?;
        Ok(number)
    }

    /// Stores a new request with its payload.
    pub async fn insert_request(
        &mut self,
        request: &Request,
        kind: RequestType,
    ) -> Result<(), StoreError> {
        let (ends_at, _, _) = columns(&request.state);
        let [target, authors, gates, observed, bypassed, excluded] = [
            json(&request.target)?,
            json(&request.authors)?,
            json(&request.gates)?,
            json(&request.observed)?,
            json(&request.bypassed)?,
            json(&request.excluded)?,
        ];
        let text = on!(
            self,
            dialect::INSERT_REQUEST_SQLITE,
            dialect::INSERT_REQUEST_POSTGRES
        );
        on_db!(self, |c| sqlx::query(text)
            .bind(request.id.as_str())
            .bind(request.number)
            .bind(request.version)
            .bind(request.state.status().as_str())
            .bind(kind.as_str())
            .bind(request.action.as_str())
            .bind(&target)
            .bind(request.requester.to_string())
            .bind(request.submitted_by.to_string())
            .bind(&authors)
            .bind(request.reason.as_deref())
            .bind(request.digest.as_str())
            .bind(&gates)
            .bind(&observed)
            .bind(&bypassed)
            .bind(&excluded)
            .bind(
                request
                    .session
                    .as_ref()
                    .map(super::super::domain::id::SessionId::as_str)
            )
            .bind(ends_at)
            .bind(request.created_at.0)
            .bind(request.decided_at.map(|at| at.0))
            .bind(request.replaces.as_ref().map(RequestId::as_str))
            .bind(request.callback_url.as_deref())
            .bind(&request.payload)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Saves a request's state, policies and times, and increments its version.
    pub async fn save_request(&mut self, request: &mut Request) -> Result<(), StoreError> {
        let (ends_at, executed_at, outcome) = columns(&request.state);
        let (gates, bypassed) = (json(&request.gates)?, json(&request.bypassed)?);
        on_db!(self, |c| sqlx::query(SAVE)
            .bind(request.id.as_str())
            .bind(request.state.status().as_str())
            .bind(&gates)
            .bind(ends_at)
            .bind(request.decided_at.map(|at| at.0))
            .bind(executed_at)
            .bind(outcome)
            .bind(&bypassed)
            .execute(c)
            .await
            .map(|_| ()))?;
        request.version += 1;
        Ok(())
    }

    /// Locks these requests, in a fixed order, until the transaction ends. With `config`, it first takes the configuration lock
    /// shared; a transaction that holds it exclusively passes `false`.
    pub async fn lock_requests(
        &mut self,
        ids: &[&RequestId],
        config: bool,
    ) -> Result<(), StoreError> {
        if config {
            self.lock_config_shared().await?;
        }
        if !self.locks_rows() || ids.is_empty() {
            return Ok(()); // a writing SQLite transaction runs alone
        }
        let ids = Keys::of(ids);
        on_db!(self, |c| sqlx::query(dialect::LOCK_REQUESTS)
            .bind(&ids)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// The requests with these ids, with their decisions; leaves out unknown ids and requests that this release cannot read.
    pub async fn requests(
        &mut self,
        ids: &[&RequestId],
        payload: bool,
    ) -> Result<Vec<Loaded>, StoreError> {
        let text = on!(
            self,
            dialect::READ_REQUESTS_SQLITE,
            dialect::READ_REQUESTS_POSTGRES
        );
        self.read_requests(text, &Keys::of(ids), payload).await
    }

    /// The readable requests with these keys, loaded by the given statement.
    pub(super) async fn read_requests(
        &mut self,
        text: &'static str,
        keys: &Keys,
        payload: bool,
    ) -> Result<Vec<Loaded>, StoreError> {
        let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(text)
            .bind(keys)
            .bind(i64::from(payload))
            .fetch_all(c)
            .await)?;
        let loaded = rows.into_iter().filter_map(|row| {
            let id = row.id.clone();
            self.readable("requests", &id, row.loaded())
        });
        Ok(loaded.collect())
    }

    /// One request, with its payload.
    pub async fn request(&mut self, id: &RequestId) -> Result<Option<Loaded>, StoreError> {
        Ok(self.requests(&[id], true).await?.pop())
    }

    /// The id of the request with this number.
    pub async fn id_of_number(&mut self, number: i64) -> Result<Option<RequestId>, StoreError> {
        let row: Option<(String,)> = on_db!(self, |c| sqlx::query_as(ID_OF_NUMBER)
            .bind(number)
            .fetch_optional(c)
            .await)?;
        read("id", row.map(|(id,)| id.parse()).transpose())
    }

    /// The newest pending request of this requester with this digest.
    pub async fn identical(
        &mut self,
        digest: &str,
        requester: &Principal,
    ) -> Result<Option<RequestId>, StoreError> {
        let row: Option<(String,)> = on_db!(self, |c| sqlx::query_as(IDENTICAL)
            .bind(digest)
            .bind(requester.to_string())
            .fetch_optional(c)
            .await)?;
        read("id", row.map(|(id,)| id.parse()).transpose())
    }

    /// How many requests of this principal are pending, and how many it submitted after `since`.
    pub async fn load_of(
        &mut self,
        principal: &Principal,
        since: Timestamp,
    ) -> Result<(i64, i64), StoreError> {
        on_db!(self, |c| sqlx::query_as(LOAD_OF)
            .bind(principal.to_string())
            .bind(since.0)
            .fetch_one(c)
            .await)
    }

    /// A page of the requests whose time is over at `now`. Unreadable requests stay overdue, so `limit` is extended by the number of
    /// those that are known.
    pub async fn ending(
        &mut self,
        now: Timestamp,
        after: &SweepCursor,
        limit: i64,
    ) -> Result<OverdueRequests, StoreError> {
        let limit = self.beyond_aside("requests", limit);
        let rows: Vec<(i64, String)> = on_db!(self, |c| sqlx::query_as(ENDING)
            .bind(now.0)
            .bind(after.at)
            .bind(&after.id)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        let last = rows.last().map(|(at, id)| (*at, id.as_str()));
        let next = SweepCursor::after(last, rows.len(), limit);
        let ids = rows.into_iter().filter_map(|(_, id)| {
            let read = read("id", id.parse());
            self.part("requests", &id, read).ok()
        });
        Ok(OverdueRequests {
            ids: ids.collect(),
            next,
        })
    }

    /// Loads the payloads of requests that were loaded without.
    pub async fn read_payloads(&mut self, requests: &mut [Loaded]) -> Result<(), StoreError> {
        let text = on!(
            self,
            dialect::READ_PAYLOADS_SQLITE,
            dialect::READ_PAYLOADS_POSTGRES
        );
        let ids = Keys::of(requests.iter().map(|one| &one.request.id));
        let rows: Vec<(String, String)> =
            on_db!(self, |c| sqlx::query_as(text).bind(&ids).fetch_all(c).await)?;
        let mut contents: HashMap<String, String> = rows.into_iter().collect();
        for one in requests {
            let content = contents.remove(one.request.id.as_str());
            one.request.payload = content.unwrap_or_default();
        }
        Ok(())
    }

    /// Stores a decision's reduced memberships permanently (docs/decisions.md D18). `stored_as` is the approver's id in the stored
    /// row.
    pub async fn reduce_decision(
        &mut self,
        request: &RequestId,
        stored_as: &PersonId,
        decision: &Decision,
    ) -> Result<(), StoreError> {
        let (teams, roles) = (json(&decision.teams)?, json(&decision.roles)?);
        on_db!(self, |c| sqlx::query(CUT_VOTE)
            .bind(request.as_str())
            .bind(stored_as.as_str())
            .bind(&teams)
            .bind(&roles)
            .bind(decision.at.0)
            .execute(c)
            .await
            .map(|_| ()))
    }
}
