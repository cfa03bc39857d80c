//! Requests with their votes and payloads.

use super::dialect::{self, on};
use super::{StoreError, Tx, json, on_db, read, sql};
use crate::domain::action::Kind;
use crate::domain::id::{PersonId, RequestId};
use crate::domain::principal::Principal;
use crate::domain::request::{Grant, Outcome, Request, State, Status};
use crate::domain::roster::Stamp;
use crate::domain::time::Timestamp;
use crate::domain::vote::Vote;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

sql! {
    INSERT = "INSERT INTO requests (id, number, version, status, kind, action, target, requester, submitted_by, authors, reason, digest,
            gates, observed, bypassed, excluded, session_id, ends_at, created_at, decided_at, executed_at, outcome, replaces)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, NULL, NULL, $21)";
    INSERT_PAYLOAD = "INSERT INTO payloads (request_id, content) VALUES ($1, $2)";
    SAVE = "UPDATE requests SET version = version + 1, status = $2, gates = $3, ends_at = $4, decided_at = $5, executed_at = $6, outcome = $7,
        bypassed = $8 WHERE id = $1";
    ID_OF_NUMBER = "SELECT id FROM requests WHERE number = $1";
    IDENTICAL = "SELECT id FROM requests WHERE status = 'pending' AND digest = $1 AND requester = $2 ORDER BY number DESC LIMIT 1";
    PENDING_OF = "SELECT count(*) FROM requests WHERE status = 'pending' AND submitted_by = $1";
    ASKED_SINCE = "SELECT count(*) FROM requests WHERE submitted_by = $1 AND created_at > $2";
    ENDING = "SELECT id FROM requests WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2";
    CUT_VOTE = "UPDATE decisions SET teams = $3, roles = $4 WHERE request_id = $1 AND person = $2 AND at = $5";
}

/// A request as it is stored, with its votes, oldest first.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The request; its payload is empty where it was not asked for.
    pub request: Request,
    /// The votes.
    pub votes: Vec<Vote>,
    /// The versions of the rules at that moment.
    pub rules: Stamp,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    number: i64,
    version: i64,
    status: String,
    action: String,
    target: String,
    requester: String,
    submitted_by: String,
    authors: String,
    reason: Option<String>,
    digest: String,
    gates: String,
    observed: String,
    bypassed: String,
    excluded: String,
    session_id: Option<String>,
    ends_at: Option<i64>,
    created_at: i64,
    decided_at: Option<i64>,
    executed_at: Option<i64>,
    outcome: Option<String>,
    replaces: Option<String>,
    rules: i64,
    directory: i64,
    payload: Option<String>,
    votes: String,
}

fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    read(what, serde_json::from_str(text))
}

impl Row {
    fn state(&self) -> Result<State, StoreError> {
        let status: Status = read("status", self.status.parse())?;
        let missing =
            |what: &str| StoreError::Unreadable(format!("{} is {status} without {what}", self.id));
        let until = || self.ends_at.map(Timestamp).ok_or_else(|| missing("an end"));
        let granted = |grant| {
            Ok(State::Granted {
                grant,
                until: until()?,
            })
        };
        let executed_at = || {
            self.executed_at
                .map(Timestamp)
                .ok_or_else(|| missing("its execution"))
        };
        match status {
            Status::Pending => Ok(State::Pending {
                expires_at: until()?,
            }),
            Status::Allowed => granted(Grant::Allowed),
            Status::Bypassed => granted(Grant::Bypassed),
            Status::Approved => granted(Grant::Approved),
            Status::Rejected => Ok(State::Rejected),
            Status::Cancelled => Ok(State::Cancelled),
            Status::Expired => Ok(State::Expired),
            Status::Executed => Ok(State::Executed { at: executed_at()? }),
            Status::Completed => Ok(State::Completed {
                at: executed_at()?,
                outcome: outcome(self.outcome.as_deref()).ok_or_else(|| missing("an outcome"))?,
            }),
        }
    }

    fn loaded(self) -> Result<Loaded, StoreError> {
        let state = self.state()?;
        let mut votes: Vec<Vote> = from_json("votes", &self.votes)?;
        votes.sort_by(|a, b| (a.at, &a.by).cmp(&(b.at, &b.by)));
        let request = Request {
            id: read("id", self.id.parse())?,
            number: self.number,
            version: self.version,
            action: self.action.as_str().into(),
            target: from_json("target", &self.target)?,
            requester: read("requester", Principal::try_from(self.requester))?,
            submitted_by: read("submitter", Principal::try_from(self.submitted_by))?,
            authors: from_json("authors", &self.authors)?,
            reason: self.reason,
            payload: self.payload.unwrap_or_default(),
            digest: read("digest", self.digest.parse())?,
            gates: from_json("gates", &self.gates)?,
            observed: from_json("observed", &self.observed)?,
            bypassed: from_json("bypassed", &self.bypassed)?,
            session: read("session", self.session_id.map(|id| id.parse()).transpose())?,
            excluded: from_json("excluded", &self.excluded)?,
            state,
            created_at: Timestamp(self.created_at),
            decided_at: self.decided_at.map(Timestamp),
            replaces: read("replaces", self.replaces.map(|id| id.parse()).transpose())?,
        };
        Ok(Loaded {
            request,
            votes,
            rules: Stamp {
                config: self.rules,
                directory: self.directory,
            },
        })
    }
}

fn outcome(text: Option<&str>) -> Option<Outcome> {
    match text {
        Some("succeeded") => Some(Outcome::Succeeded),
        Some("failed") => Some(Outcome::Failed),
        _ => None,
    }
}

/// The columns that hold a state: end, execution, outcome.
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
        kind: Kind,
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
        on_db!(self, |c| sqlx::query(INSERT)
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
            .execute(c)
            .await
            .map(|_| ()))?;
        on_db!(self, |c| sqlx::query(INSERT_PAYLOAD)
            .bind(request.id.as_str())
            .bind(&request.payload)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Saves the state, the gates and the times of a request; its version grows by one.
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

    /// Locks the rules (shared, unless the unit holds them exclusively) and these requests, in one order, until the unit ends.
    pub async fn lock_requests(
        &mut self,
        ids: &[&RequestId],
        rules: bool,
    ) -> Result<(), StoreError> {
        if rules {
            self.lock_rules_shared().await?;
        }
        if !self.locks_rows() || ids.is_empty() {
            return Ok(()); // an SQLite unit that may write is alone
        }
        let ids = json(&ids)?;
        on_db!(self, |c| sqlx::query(dialect::LOCK_REQUESTS)
            .bind(&ids)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Requests by id with their votes; unknown ids are left out.
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
        self.read_requests(text, &json(&ids)?, payload).await
    }

    /// The requests with these keys, a list in JSON, by a text that reads them.
    pub(super) async fn read_requests(
        &mut self,
        text: &'static str,
        keys: &str,
        payload: bool,
    ) -> Result<Vec<Loaded>, StoreError> {
        let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(text)
            .bind(keys)
            .bind(i64::from(payload))
            .fetch_all(c)
            .await)?;
        rows.into_iter().map(Row::loaded).collect()
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

    /// How many requests of this principal are pending.
    pub async fn pending_of(&mut self, principal: &Principal) -> Result<i64, StoreError> {
        let (count,): (i64,) = on_db!(self, |c| sqlx::query_as(PENDING_OF)
            .bind(principal.to_string())
            .fetch_one(c)
            .await)?;
        Ok(count)
    }

    /// How many requests this principal has submitted after `since`.
    pub async fn asked_since(
        &mut self,
        principal: &Principal,
        since: Timestamp,
    ) -> Result<i64, StoreError> {
        let (count,): (i64,) = on_db!(self, |c| sqlx::query_as(ASKED_SINCE)
            .bind(principal.to_string())
            .bind(since.0)
            .fetch_one(c)
            .await)?;
        Ok(count)
    }

    /// Requests that time has ended by `now`, the longest overdue first.
    pub async fn ending(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<RequestId>, StoreError> {
        let rows: Vec<(String,)> = on_db!(self, |c| sqlx::query_as(ENDING)
            .bind(now.0)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        rows.into_iter()
            .map(|(id,)| read("id", id.parse()))
            .collect()
    }

    /// Reads the payloads of requests that were read without.
    pub async fn read_payloads(&mut self, requests: &mut [Loaded]) -> Result<(), StoreError> {
        let text = on!(
            self,
            dialect::READ_PAYLOADS_SQLITE,
            dialect::READ_PAYLOADS_POSTGRES
        );
        let ids: Vec<&RequestId> = requests.iter().map(|one| &one.request.id).collect();
        let ids = json(&ids)?;
        let rows: Vec<(String, String)> =
            on_db!(self, |c| sqlx::query_as(text).bind(&ids).fetch_all(c).await)?;
        let mut contents: HashMap<String, String> = rows.into_iter().collect();
        for one in requests {
            let content = contents.remove(one.request.id.as_str());
            one.request.payload = content.unwrap_or_default();
        }
        Ok(())
    }

    /// Keeps a vote's cut memberships for good (design 2.5); `stored_as` is the id its author went by when they cast it.
    pub async fn cut_vote(
        &mut self,
        request: &RequestId,
        stored_as: &PersonId,
        vote: &Vote,
    ) -> Result<(), StoreError> {
        let (teams, roles) = (json(&vote.teams)?, json(&vote.roles)?);
        on_db!(self, |c| sqlx::query(CUT_VOTE)
            .bind(request.as_str())
            .bind(stored_as.as_str())
            .bind(&teams)
            .bind(&roles)
            .bind(vote.at.0)
            .execute(c)
            .await
            .map(|_| ()))
    }
}
