//! A request's row, read strictly: an unknown value could restrict who may approve, so nothing is guessed.

use super::{Loaded, StoreError, read};
use crate::domain::decision::{Decision, DecisionKind, Via};
use crate::domain::id::{PersonId, RoleId, TeamId};
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::principal::Principal;
use crate::domain::request::{Grant, Outcome, Request, State, Status};
use crate::domain::slack_directory::ConfigVersions;
use crate::domain::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: String,
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
    callback_url: Option<String>,
    config: i64,
    directory: i64,
    payload: Option<String>,
    decisions: String,
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

    pub(super) fn loaded(self) -> Result<Loaded, StoreError> {
        let state = self.state()?;
        let decisions: Vec<StoredVote> = from_json("votes", &self.decisions)?;
        let decisions: Result<Vec<Decision>, StoreError> =
            decisions.into_iter().map(StoredVote::decision).collect();
        let mut decisions = decisions?;
        decisions.sort_by(|a, b| (a.at, &a.by).cmp(&(b.at, &b.by)));
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
            observed: displayed(&self.observed),
            bypassed: from_json("bypassed", &self.bypassed)?,
            session: read("session", self.session_id.map(|id| id.parse()).transpose())?,
            excluded: from_json("excluded", &self.excluded)?,
            state,
            created_at: Timestamp(self.created_at),
            decided_at: self.decided_at.map(Timestamp),
            replaces: read("replaces", self.replaces.map(|id| id.parse()).transpose())?,
            callback_url: self.callback_url,
        };
        Ok(Loaded {
            request,
            decisions,
            config: ConfigVersions {
                config: self.config,
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

/// A decision as the database returns it. Its memberships are JSON within JSON, so that one broken row does not fail the whole
/// statement.
#[derive(Deserialize)]
struct StoredVote {
    by: PersonId,
    verdict: DecisionKind,
    comment: Option<String>,
    teams: String,
    roles: String,
    at: Timestamp,
    via: Via,
    fresh: bool,
}

impl StoredVote {
    fn decision(self) -> Result<Decision, StoreError> {
        let teams: BTreeSet<TeamId> = from_json("teams of a decision", &self.teams)?;
        let roles: BTreeSet<RoleId> = from_json("roles of a decision", &self.roles)?;
        Ok(Decision {
            by: self.by,
            verdict: self.verdict,
            comment: self.comment,
            teams,
            roles,
            at: self.at,
            via: self.via,
            fresh_sign_in: self.fresh,
            author_left: false,
        })
    }
}

/// Observed policies are displayed but never gate, so unreadable ones are left out.
fn displayed(observed: &str) -> Vec<PinnedPolicy> {
    let stored: Vec<serde_json::Value> = serde_json::from_str(observed).unwrap_or_default();
    let read = stored.into_iter().map(serde_json::from_value);
    read.filter_map(Result::ok).collect()
}
