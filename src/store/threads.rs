//! The threads of cards: what was posted in each, and which worker posts there now.

use super::{StoreError, Tx, json, on_db, sql};
use crate::domain::id::{ChannelId, RequestId};
use crate::domain::thread::PostedLines;
use crate::domain::time::Timestamp;

sql! {
    OF_REQUEST = "SELECT channel, ts, due_at, threaded, notice FROM cards WHERE request_id = $1 AND (person IS NULL OR notice) ORDER BY channel";
    HOLD = "UPDATE cards SET thread_until = $4 WHERE request_id = $1 AND channel = $2
            AND (thread_until IS NULL OR thread_until <= $3)
        RETURNING threaded";
    RELEASE = "UPDATE cards SET thread_until = NULL, threaded = coalesce($4, threaded)
        WHERE request_id = $1 AND channel = $2 AND thread_until = $3";
}

/// The thread of a card or notice in a channel.
#[derive(Debug, Clone)]
pub struct Thread {
    /// The channel.
    pub channel: ChannelId,
    /// Slack's id of the card; `None` while the card is not posted.
    pub ts: Option<String>,
    /// Whether the card is still to be posted or updated.
    pub is_due: bool,
    /// What was posted in the thread.
    pub posted: PostedLines,
    /// Whether it belongs to a notice, in the channel in which the request was asked.
    pub is_of_notice: bool,
}

/// A thread that one worker posts in.
#[derive(Debug)]
pub struct HeldThread {
    /// What was posted in the thread.
    pub posted: PostedLines,
    until: Timestamp,
}

/// An unreadable list counts as empty: a line that stands there twice is better than one that is missing.
fn posted_lines(stored: Option<&str>) -> PostedLines {
    stored
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

impl Tx {
    /// The threads of a request, one for each channel that shows its card or a notice of it.
    pub async fn threads(&mut self, request: &RequestId) -> Result<Vec<Thread>, StoreError> {
        type Row = (String, Option<String>, Option<i64>, Option<String>, bool);
        let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(OF_REQUEST)
            .bind(request.as_str())
            .fetch_all(c)
            .await)?;
        let threads = rows
            .into_iter()
            .map(|(channel, ts, due, posted, notice)| Thread {
                channel: channel.as_str().into(),
                ts,
                is_due: due.is_some(),
                posted: posted_lines(posted.as_deref()),
                is_of_notice: notice,
            });
        Ok(threads.collect())
    }

    /// Holds a thread until `until`, so that no other worker posts in it; `None` if another one holds it.
    pub async fn hold_thread(
        &mut self,
        request: &RequestId,
        channel: &ChannelId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<HeldThread>, StoreError> {
        let row: Option<(Option<String>,)> = on_db!(self, |c| sqlx::query_as(HOLD)
            .bind(request.as_str())
            .bind(channel.as_str())
            .bind(now.0)
            .bind(until.0)
            .fetch_optional(c)
            .await)?;
        Ok(row.map(|(posted,)| HeldThread {
            posted: posted_lines(posted.as_deref()),
            until,
        }))
    }

    /// Lets go of a thread, and stores what stands there now if something was posted. Does nothing if it is held no longer.
    pub async fn release_thread(
        &mut self,
        request: &RequestId,
        channel: &ChannelId,
        held: &HeldThread,
        posted: Option<&PostedLines>,
    ) -> Result<(), StoreError> {
        let posted = posted.map(json).transpose()?;
        on_db!(self, |c| sqlx::query(RELEASE)
            .bind(request.as_str())
            .bind(channel.as_str())
            .bind(held.until.0)
            .bind(&posted)
            .execute(c)
            .await
            .map(|_| ()))
    }
}
