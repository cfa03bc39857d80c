//! A break-glass session's row, read strictly: an unknown field could narrow what the session covers.

use super::{StoreError, read};
use crate::domain::break_glass::{
    AskedBy, EndedBy, NotStarted, Session, SessionReview, SessionState, SessionStatus,
};
use crate::domain::principal::Principal;
use crate::domain::request::Status;
use crate::domain::time::{Span, Timestamp};

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: String,
    status: String,
    initiator: String,
    reason: String,
    scope: String,
    responders: String,
    duration: i64,
    channel: String,
    request_id: Option<String>,
    asked_at: i64,
    starts_at: Option<i64>,
    pub(super) ends_at: Option<i64>,
    pub(super) remind_at: Option<i64>,
    ended_by: Option<String>,
    reviewer: Option<String>,
    review_note: Option<String>,
    reviewed_at: Option<i64>,
    request_number: Option<i64>,
    request_status: Option<String>,
    request_ends_at: Option<i64>,
}

impl Row {
    /// The session, with its state at `now`.
    pub(super) fn session(self, now: Timestamp) -> Result<Session, StoreError> {
        let state = self.state(now)?;
        let request = match (&self.request_id, self.request_number) {
            (Some(id), Some(number)) => Some(AskedBy {
                id: read("id", id.parse())?,
                number,
            }),
            _ => None,
        };
        Ok(Session {
            id: read("id", self.id.parse())?,
            initiator: self.initiator.as_str().into(),
            reason: self.reason,
            scope: read("scope", serde_json::from_str(&self.scope))?,
            responders: read("responders", serde_json::from_str(&self.responders))?,
            duration: Span(self.duration),
            channel: self.channel.as_str().into(),
            request,
            asked_at: Timestamp(self.asked_at),
            state,
        })
    }

    fn state(&self, now: Timestamp) -> Result<SessionState, StoreError> {
        let missing = |what: &str| {
            StoreError::Unreadable(format!("{} is {} without {what}", self.id, self.status))
        };
        let time = |column: Option<i64>, what| column.map(Timestamp).ok_or_else(|| missing(what));
        let status = SessionStatus::ALL
            .into_iter()
            .find(|status| status.as_str() == self.status)
            .ok_or_else(|| missing("a meaning"))?;
        if status == SessionStatus::Pending {
            return Ok(self
                .not_started(now)?
                .map_or(SessionState::Pending, SessionState::NotStarted));
        }
        let from = time(self.starts_at, "its start")?;
        let at = time(self.ends_at, "its end")?;
        let by = || match self.ended_by.as_deref() {
            None => Err(missing("who ended it")),
            Some("time") => Ok(EndedBy::Time),
            Some(who) => {
                read("who ended it", Principal::try_from(who.to_owned())).map(EndedBy::Revoked)
            }
        };
        Ok(match status {
            SessionStatus::Pending => SessionState::Pending,
            SessionStatus::Active => SessionState::Active { from, until: at },
            SessionStatus::Ended => SessionState::Ended {
                from,
                at,
                by: by()?,
            },
            SessionStatus::Reviewed => SessionState::Reviewed {
                from,
                at,
                by: by()?,
                review: self.review().ok_or_else(|| missing("a review"))?,
            },
        })
    }

    /// How the request for the session ended, if it can no longer start the session.
    fn not_started(&self, now: Timestamp) -> Result<Option<NotStarted>, StoreError> {
        let Some(status) = &self.request_status else {
            return Ok(None);
        };
        let over = self.request_ends_at.is_some_and(|end| end <= now.0);
        Ok(match read("status", status.parse::<Status>())? {
            Status::Pending if over => Some(NotStarted::Expired),
            Status::Rejected => Some(NotStarted::Rejected),
            Status::Cancelled => Some(NotStarted::Cancelled),
            Status::Expired => Some(NotStarted::Expired),
            Status::Pending
            | Status::Allowed
            | Status::Bypassed
            | Status::Approved
            | Status::Executed
            | Status::Completed => None,
        })
    }

    fn review(&self) -> Option<SessionReview> {
        Some(SessionReview {
            by: self.reviewer.as_deref()?.into(),
            note: self.review_note.clone()?,
            at: Timestamp(self.reviewed_at?),
        })
    }
}
