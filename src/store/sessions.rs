//! Break-glass sessions, their uses, and their alerts posted in Slack.

use super::session_row::Row;
use super::{StoreError, SweepCursor, Tx, json, on_db, read, sql};
use crate::domain::break_glass::{Session, SessionAlert, SessionState, SessionUse};
use crate::domain::id::{ChannelId, RequestId, SessionId};
use crate::domain::principal::Principal;
use crate::domain::request::Outcome;
use crate::domain::time::Timestamp;

/// The columns of a session, with the status of the request for its start.
macro_rules! session {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.status, s.initiator, s.reason, s.scope, s.responders, s.duration, s.channel, s.request_id, s.asked_at,
                s.starts_at, s.ends_at, s.ended_by, s.reviewer, s.review_note, s.reviewed_at, s.remind_at,
                r.number AS request_number, r.status AS request_status, r.ends_at AS request_ends_at
            FROM sessions s LEFT JOIN requests r ON r.id = s.request_id ",
            $rest
        )
    };
}

sql! {
    INSERT = "INSERT INTO sessions (id, status, initiator, reason, scope, responders, duration, channel, request_id, asked_at, starts_at, ends_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    SAVE = "UPDATE sessions SET status = $2, starts_at = $3, ends_at = $4, ended_by = $5, reviewer = $6, review_note = $7,
        reviewed_at = $8, remind_at = $9 WHERE id = $1";
    GET = session!("WHERE s.id = $1");
    ACTIVE = session!("WHERE s.status = 'active' AND s.ends_at > $1 ORDER BY s.ends_at");
    LAPSED = session!("WHERE s.status = 'active' AND s.ends_at <= $1 AND (s.ends_at, s.id) > ($2, $3) ORDER BY s.ends_at, s.id LIMIT $4");
    NAGGING = session!("WHERE s.remind_at <= $1 AND (s.remind_at, s.id) > ($2, $3) ORDER BY s.remind_at, s.id LIMIT $4");
    OWED = session!("WHERE s.remind_at IS NOT NULL ORDER BY s.remind_at LIMIT $1");
    LIST = session!("WHERE s.id < $1 ORDER BY s.id DESC LIMIT $2");
    REMIND_AT = "UPDATE sessions SET remind_at = $2 WHERE id = $1 AND remind_at IS NOT NULL";
    USES = "SELECT r.id, r.number, r.action, r.target, r.submitted_by, r.requester, r.created_at, r.status, r.outcome FROM requests r
        WHERE r.session_id = $1 AND r.id <> $2 ORDER BY r.number LIMIT $3";
    CUT_GRANTS = "UPDATE requests SET ends_at = $2, version = version + 1
        WHERE session_id = $1 AND status = 'bypassed' AND ends_at > $2";
    KEEP_POST = "INSERT INTO session_posts (session_id, part, channel, ts, alert) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (session_id, part, channel) DO UPDATE SET ts = excluded.ts, alert = excluded.alert";
    POSTS = "SELECT part, channel, ts, alert FROM session_posts WHERE session_id = $1 ORDER BY part";
}

/// An alert that was posted in Slack.
#[derive(Debug, Clone)]
pub struct SessionPost {
    /// Which of the session's alerts it is.
    pub part: String,
    /// The channel.
    pub channel: ChannelId,
    /// Slack's id of the message.
    pub ts: String,
    /// The content of the alert.
    pub alert: SessionAlert,
}

type UseRow = (
    String,
    i64,
    String,
    String,
    String,
    String,
    i64,
    String,
    Option<String>,
);

impl Tx {
    /// Stores a new session, pending or active.
    pub async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let (scope, responders) = (json(&session.scope)?, json(&session.responders)?);
        let ran = session.state.ran();
        on_db!(self, |c| sqlx::query(INSERT)
            .bind(session.id.as_str())
            .bind(session.state.status().as_str())
            .bind(session.initiator.as_str())
            .bind(&session.reason)
            .bind(&scope)
            .bind(&responders)
            .bind(session.duration.0)
            .bind(session.channel.as_str())
            .bind(session.request.as_ref().map(|asked| asked.id.as_str()))
            .bind(session.asked_at.0)
            .bind(ran.map(|(from, _)| from.0))
            .bind(ran.map(|(_, until)| until.0))
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Saves the state of a session, and the time of the next reminder of an owed review.
    pub async fn save_session(
        &mut self,
        session: &Session,
        remind_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let (ran, ended_by) = (session.state.ran(), session.state.ended_by());
        let review = match &session.state {
            SessionState::Reviewed { review, .. } => Some(review),
            SessionState::Pending
            | SessionState::NotStarted(_)
            | SessionState::Active { .. }
            | SessionState::Ended { .. } => None,
        };
        on_db!(self, |c| sqlx::query(SAVE)
            .bind(session.id.as_str())
            .bind(session.state.status().as_str())
            .bind(ran.map(|(from, _)| from.0))
            .bind(ran.map(|(_, until)| until.0))
            .bind(ended_by.as_deref())
            .bind(review.map(|review| review.by.as_str()))
            .bind(review.map(|review| review.note.as_str()))
            .bind(review.map(|review| review.at.0))
            .bind(remind_at.map(|at| at.0))
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// One session, with its state at `now`.
    pub async fn session(
        &mut self,
        id: &SessionId,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let row: Option<Row> = on_db!(self, |c| sqlx::query_as(GET)
            .bind(id.as_str())
            .fetch_optional(c)
            .await)?;
        row.map(|row| {
            let id = row.id.clone();
            self.sole("sessions", &id, row.session(now))
        })
        .transpose()
    }

    /// Like [`Tx::session`], for callers that can continue without the session: an unreadable session is `None`.
    pub async fn readable_session(
        &mut self,
        id: &SessionId,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        match self.session(id, now).await {
            Err(StoreError::Unreadable(_)) => Ok(None), // set aside and reported
            other => other,
        }
    }

    fn readable_sessions(&self, rows: Vec<Row>, now: Timestamp) -> Vec<Session> {
        let sessions = rows.into_iter().filter_map(|row| {
            let id = row.id.clone();
            self.readable("sessions", &id, row.session(now))
        });
        sessions.collect()
    }

    /// Overdue sessions of the first page that contains a readable one. Unreadable sessions stay overdue, so `limit` is extended by
    /// the number of those that are known.
    async fn overdue_sessions(
        &mut self,
        text: &'static str,
        due: fn(&Row) -> Option<i64>,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Session>, StoreError> {
        let limit = self.beyond_aside("sessions", limit);
        let mut after = SweepCursor::default();
        loop {
            let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(text)
                .bind(now.0)
                .bind(after.at)
                .bind(&after.id)
                .bind(limit)
                .fetch_all(c)
                .await)?;
            let last = rows
                .last()
                .and_then(|row| Some((due(row)?, row.id.as_str())));
            let next = SweepCursor::after(last, rows.len(), limit);
            let sessions = self.readable_sessions(rows, now);
            match next {
                Some(next) if sessions.is_empty() => after = next,
                _ => return Ok(sessions),
            }
        }
    }

    /// The sessions that bypass policies at `now`; an unreadable session bypasses nothing.
    pub async fn active_sessions(&mut self, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(ACTIVE)
            .bind(now.0)
            .fetch_all(c)
            .await)?;
        Ok(self.readable_sessions(rows, now))
    }

    /// Active sessions whose time is over at `now` and whose end is not stored yet.
    pub async fn lapsed_sessions(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Session>, StoreError> {
        self.overdue_sessions(LAPSED, |row| row.ends_at, now, limit)
            .await
    }

    /// Sessions whose reminder of an owed review is due at `now`.
    pub async fn nagging_sessions(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Session>, StoreError> {
        self.overdue_sessions(NAGGING, |row| row.remind_at, now, limit)
            .await
    }

    /// Sessions that owe a review, the one with the earliest reminder first.
    pub async fn owed_sessions(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Session>, StoreError> {
        let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(OWED)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        Ok(self.readable_sessions(rows, now))
    }

    /// A page of all sessions, newest first, with ids below a cursor.
    pub async fn list_sessions(
        &mut self,
        below: &str,
        limit: i64,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(LIST)
            .bind(below)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        Ok(self.readable_sessions(rows, now))
    }

    /// Sets the time of the next reminder of an owed review.
    pub async fn remind_of_session(
        &mut self,
        id: &SessionId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(REMIND_AT)
            .bind(id.as_str())
            .bind(at.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// The uses of a session, oldest first. An unreadable use is an error, because whoever used the session may not review it.
    pub async fn uses_of(
        &mut self,
        session: &Session,
        limit: i64,
    ) -> Result<Vec<SessionUse>, StoreError> {
        let rows = self.use_rows(session, limit).await?;
        rows.into_iter()
            .map(|row| {
                let id = row.0.clone();
                self.part("requests", &id, one_use(row))
            })
            .collect()
    }

    /// Like [`Tx::uses_of`], for display: leaves out unreadable uses.
    pub async fn readable_uses_of(
        &mut self,
        session: &Session,
        limit: i64,
    ) -> Result<Vec<SessionUse>, StoreError> {
        let rows = self.use_rows(session, limit).await?;
        let uses = rows.into_iter().filter_map(|row| {
            let id = row.0.clone();
            self.part("requests", &id, one_use(row)).ok()
        });
        Ok(uses.collect())
    }

    async fn use_rows(&mut self, session: &Session, limit: i64) -> Result<Vec<UseRow>, StoreError> {
        let start = session
            .request
            .as_ref()
            .map_or("", |asked| asked.id.as_str());
        on_db!(self, |c| sqlx::query_as(USES)
            .bind(session.id.as_str())
            .bind(start)
            .bind(limit)
            .fetch_all(c)
            .await)
    }

    /// Ends the grants of a session that nobody has executed, together with the session.
    pub async fn cut_grants_of(
        &mut self,
        id: &SessionId,
        end: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(CUT_GRANTS)
            .bind(id.as_str())
            .bind(end.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Remembers where an alert was posted.
    pub async fn keep_session_post(
        &mut self,
        session: &SessionId,
        post: &SessionPost,
    ) -> Result<(), StoreError> {
        let alert = json(&post.alert)?;
        on_db!(self, |c| sqlx::query(KEEP_POST)
            .bind(session.as_str())
            .bind(&post.part)
            .bind(post.channel.as_str())
            .bind(&post.ts)
            .bind(&alert)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// The posted alerts of a session.
    pub async fn session_posts(&mut self, id: &SessionId) -> Result<Vec<SessionPost>, StoreError> {
        let rows: Vec<(String, String, String, String)> = on_db!(self, |c| sqlx::query_as(POSTS)
            .bind(id.as_str())
            .fetch_all(c)
            .await)?;
        let posts = rows.into_iter().filter_map(|(part, channel, ts, alert)| {
            let row = format!("{id} {part} {channel}");
            let alert = self.readable(
                "session_posts",
                &row,
                read("alert", serde_json::from_str(&alert)),
            )?;
            Some(SessionPost {
                part,
                channel: channel.as_str().into(),
                ts,
                alert,
            })
        });
        Ok(posts.collect())
    }

    /// Sessions that owe a review or are about to. An unreadable session is an error, because it must not let an initiator avoid a
    /// review.
    pub async fn unreviewed_sessions(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Session>, StoreError> {
        let mut rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(OWED)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        let first = SweepCursor::default();
        let lapsed: Vec<Row> = on_db!(self, |c| sqlx::query_as(LAPSED)
            .bind(now.0)
            .bind(first.at)
            .bind(&first.id)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        rows.extend(lapsed);
        rows.into_iter()
            .map(|row| {
                let id = row.id.clone();
                self.sole("sessions", &id, row.session(now))
            })
            .collect()
    }
}

fn one_use(
    (id, number, action, target, by, requester, at, status, outcome): UseRow,
) -> Result<SessionUse, StoreError> {
    let id: RequestId = read("id", id.parse())?;
    Ok(SessionUse {
        request: id,
        number,
        action: action.as_str().into(),
        target: read("target", serde_json::from_str(&target))?,
        by: read("submitter", Principal::try_from(by))?,
        requester: read("requester", Principal::try_from(requester))?,
        at: Timestamp(at),
        status: read("status", status.parse())?,
        outcome: match outcome.as_deref() {
            Some("succeeded") => Some(Outcome::Succeeded),
            Some("failed") => Some(Outcome::Failed),
            _ => None,
        },
    })
}
