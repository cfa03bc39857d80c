//! What is due while requests wait, and what was done about it.

use super::{StoreError, Tx, Unreadable, json, on_db, sql};
use crate::domain::follow_up::FollowUps;
use crate::domain::id::RequestId;
use crate::domain::time::Timestamp;

sql! {
    BEGIN = "INSERT INTO follow_ups (request_id, since, due_at, done) VALUES ($1, $2, $3, '{}')
        ON CONFLICT (request_id) DO UPDATE SET since = excluded.since, due_at = excluded.due_at, done = excluded.done";
    DUE = "SELECT request_id FROM follow_ups WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
    GET = "SELECT since, due_at, done FROM follow_ups WHERE request_id = $1";
    SAVE = "UPDATE follow_ups SET due_at = $2, done = $3 WHERE request_id = $1";
    PUT_OFF = "UPDATE follow_ups SET due_at = $2 WHERE request_id = $1 AND due_at < $2";
    END = "DELETE FROM follow_ups WHERE request_id = $1";
    RECONSIDER = "UPDATE follow_ups SET due_at = $1";
    UNFOLLOWED = "SELECT EXISTS (SELECT 1 FROM requests r WHERE r.status = 'pending'
        AND NOT EXISTS (SELECT 1 FROM follow_ups f WHERE f.request_id = r.id))";
    ADOPT = "INSERT INTO follow_ups (request_id, since, due_at, done)
        SELECT r.id, r.created_at, $1, '{}' FROM requests r WHERE r.status = 'pending'
            AND NOT EXISTS (SELECT 1 FROM follow_ups f WHERE f.request_id = r.id)
        ON CONFLICT (request_id) DO NOTHING";
    LAST = "SELECT last_at FROM schedules WHERE name = $1";
    FIRST_TIME = "INSERT INTO schedules (name, last_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    AGAIN = "UPDATE schedules SET last_at = $3 WHERE name = $1 AND last_at = $2";
}

/// How far the follow-ups of a waiting request are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowUpRow {
    /// When the request began to wait.
    pub since: Timestamp,
    /// When to look again.
    pub due_at: Timestamp,
    /// What was done.
    pub done: FollowUps,
}

impl Tx {
    /// Begins to follow up a request that waits since `since`; begins again if it was reopened.
    pub async fn begin_follow_ups(
        &mut self,
        request: &RequestId,
        since: Timestamp,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(BEGIN)
            .bind(request.as_str())
            .bind(since.0)
            .bind(due.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Requests that are due to be looked at, the longest due first. An unreadable id is skipped.
    pub async fn due_follow_ups(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<RequestId>, StoreError> {
        let rows: Vec<(String,)> = on_db!(self, |c| sqlx::query_as(DUE)
            .bind(now.0)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        Ok(rows.iter().filter_map(|(id,)| id.parse().ok()).collect())
    }

    /// How far the follow-ups of a request are; `None` if it waits no longer.
    pub async fn follow_ups(
        &mut self,
        request: &RequestId,
    ) -> Result<Option<FollowUpRow>, StoreError> {
        let row: Option<(i64, i64, String)> = on_db!(self, |c| sqlx::query_as(GET)
            .bind(request.as_str())
            .fetch_optional(c)
            .await)?;
        let Some((since, due_at, done)) = row else {
            return Ok(None);
        };
        let done = Unreadable::read(
            "follow_ups",
            request.as_str(),
            "done",
            serde_json::from_str(&done),
        );
        Ok(Some(FollowUpRow {
            since: Timestamp(since),
            due_at: Timestamp(due_at),
            done: done?,
        }))
    }

    /// Saves what was done, and when to look again.
    pub async fn save_follow_ups(
        &mut self,
        request: &RequestId,
        due: Timestamp,
        done: &FollowUps,
    ) -> Result<(), StoreError> {
        let done = json(done)?;
        on_db!(self, |c| sqlx::query(SAVE)
            .bind(request.as_str())
            .bind(due.0)
            .bind(&done)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Looks again later, because the request cannot be read now.
    pub async fn put_off_follow_ups(
        &mut self,
        request: &RequestId,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(PUT_OFF)
            .bind(request.as_str())
            .bind(due.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Stops, because the request waits no longer.
    pub async fn end_follow_ups(&mut self, request: &RequestId) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(END)
            .bind(request.as_str())
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Looks at all waiting requests again, because the configuration changed.
    pub async fn reconsider_follow_ups(&mut self, now: Timestamp) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(RECONSIDER)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Whether a request waits that nobody follows up, because a release without reminders stored it.
    pub async fn has_unfollowed(&mut self) -> Result<bool, StoreError> {
        let (found,): (bool,) = on_db!(self, |c| sqlx::query_as(UNFOLLOWED).fetch_one(c).await)?;
        Ok(found)
    }

    /// Begins to follow up all of those.
    pub async fn adopt_follow_ups(&mut self, now: Timestamp) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(ADOPT)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// When something that repeats was last done.
    pub async fn last_time(&mut self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        let row: Option<(i64,)> = on_db!(self, |c| sqlx::query_as(LAST)
            .bind(name)
            .fetch_optional(c)
            .await)?;
        Ok(row.map(|(at,)| Timestamp(at)))
    }

    /// The time from which something that repeats is counted.
    pub async fn first_time(&mut self, name: &str, now: Timestamp) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(FIRST_TIME)
            .bind(name)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Records that it is done now; `false` if another replica was first.
    pub async fn done_again(
        &mut self,
        name: &str,
        last: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let rows = on_db!(self, |c| sqlx::query(AGAIN)
            .bind(name)
            .bind(last.0)
            .bind(now.0)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }
}
