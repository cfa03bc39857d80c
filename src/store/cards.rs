//! Which card shows which request where, and which of them are behind.

use super::dialect::{self, on};
use super::{StoreError, Tx, on_db, read, sql};
use crate::domain::id::{ChannelId, PersonId, RequestId};
use crate::domain::time::Timestamp;

sql! {
    INSERT = "INSERT INTO cards (request_id, channel, touched, due_at, attempt, failures) VALUES ($1, $2, 0, $3, 0, 0)
        ON CONFLICT (request_id, channel) DO NOTHING";
    TOUCH = "UPDATE cards SET due_at = $2, touched = touched + 1 WHERE request_id = $1";
    TOUCH_OPEN = "UPDATE cards SET due_at = $1, touched = touched + 1 WHERE request_id IN (SELECT id FROM requests WHERE status = 'pending')";
    SETTLE = "UPDATE cards SET ts = $4, shown = $5, failures = 0, trouble = NULL,
            due_at = CASE WHEN touched > $6 THEN CAST($7 AS BIGINT) END
        WHERE request_id = $1 AND channel = $2 AND attempt = $3";
    PUT_OFF = "UPDATE cards SET due_at = $4, shown = NULL, failures = failures + 1, trouble = $5
        WHERE request_id = $1 AND channel = $2 AND attempt = $3";
    LOSE = "UPDATE cards SET ts = NULL, shown = NULL, due_at = $4 WHERE request_id = $1 AND channel = $2 AND attempt = $3";
    TS = "SELECT ts FROM cards WHERE request_id = $1 AND channel = $2";
    LOSE_PENDING = "UPDATE cards SET ts = NULL, shown = NULL, due_at = $1, attempt = attempt + 1
        WHERE person IS NULL AND request_id IN (SELECT id FROM requests WHERE status = 'pending')";
    KEEP_DIRECT = "INSERT INTO cards (request_id, channel, ts, shown, touched, due_at, attempt, failures, person)
        VALUES ($1, $2, $3, $4, 0, $5, 0, 0, $6)
        ON CONFLICT (request_id, channel) DO UPDATE SET ts = excluded.ts, shown = excluded.shown, due_at = excluded.due_at,
            attempt = cards.attempt + 1, failures = 0, trouble = NULL";
    STUCK_TO_POST = "SELECT count(*), max(trouble) FROM cards WHERE due_at IS NOT NULL AND ts IS NULL AND failures >= $1";
    STUCK_TO_UPDATE = "SELECT count(*), max(trouble) FROM cards WHERE due_at IS NOT NULL AND ts IS NOT NULL AND failures >= $1";
    NEXT_TO_POST = "SELECT min(due_at) FROM cards WHERE due_at IS NOT NULL AND ts IS NULL";
    NEXT_TO_UPDATE = "SELECT min(due_at) FROM cards WHERE due_at IS NOT NULL AND ts IS NOT NULL";
}

/// What a card that is due needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// It has no message yet.
    ToPost,
    /// Its message may be behind.
    ToUpdate,
}

/// A card that may be behind, claimed until the end of a lease.
#[derive(Debug, Clone)]
pub struct DueCard {
    /// The request it shows.
    pub request: RequestId,
    /// Where.
    pub channel: ChannelId,
    /// Slack's id of the message, once it has been posted.
    pub ts: Option<String>,
    /// The hash of what it shows, where that is known.
    pub shown: Option<String>,
    /// How many failed calls in a row.
    pub failures: i64,
    /// Whose direct message it is; none for a card in a channel.
    pub person: Option<PersonId>,
    touched: i64,
    attempt: i64,
}

/// A direct message about a request, as it was delivered.
#[derive(Debug, Clone, Copy)]
pub struct Direct<'a> {
    /// The request it is about.
    pub request: &'a RequestId,
    /// Whose it is.
    pub person: &'a PersonId,
    /// The conversation.
    pub channel: &'a ChannelId,
    /// Slack's id of the message.
    pub ts: &'a str,
    /// The hash of what it shows.
    pub shown: &'a str,
}

type Row = (
    String,
    String,
    Option<String>,
    Option<String>,
    i64,
    i64,
    i64,
    Option<String>,
);

impl Tx {
    /// A card for a request, to be posted.
    pub async fn insert_card(
        &mut self,
        request: &RequestId,
        channel: &ChannelId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(INSERT)
            .bind(request.as_str())
            .bind(channel.as_str())
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// The request has changed, so its cards are behind.
    pub async fn touch_cards(
        &mut self,
        request: &RequestId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(TOUCH)
            .bind(request.as_str())
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// The rules or the directory have changed, so the cards of everything that waits may be behind.
    pub async fn touch_open_cards(&mut self, now: Timestamp) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(TOUCH_OPEN)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Claims cards of a kind that are due, until `lease_end`.
    pub async fn claim_cards(
        &mut self,
        kind: Card,
        now: Timestamp,
        lease_end: Timestamp,
        limit: i64,
    ) -> Result<Vec<DueCard>, StoreError> {
        let text = match kind {
            Card::ToPost => on!(
                self,
                dialect::CLAIM_POSTS_SQLITE,
                dialect::CLAIM_POSTS_POSTGRES
            ),
            Card::ToUpdate => on!(
                self,
                dialect::CLAIM_UPDATES_SQLITE,
                dialect::CLAIM_UPDATES_POSTGRES
            ),
        };
        let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(text)
            .bind(now.0)
            .bind(lease_end.0)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        rows.into_iter()
            .map(
                |(request, channel, ts, shown, touched, attempt, failures, person)| {
                    Ok(DueCard {
                        request: read("id", request.parse())?,
                        channel: channel.as_str().into(),
                        ts,
                        shown,
                        failures,
                        person: person.as_deref().map(PersonId::from),
                        touched,
                        attempt,
                    })
                },
            )
            .collect()
    }

    /// The card shows what has this hash; still due if its request moved meanwhile. Nothing happens after the lease was lost.
    pub async fn settle_card(
        &mut self,
        card: &DueCard,
        ts: &str,
        shown: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(SETTLE)
            .bind(card.request.as_str())
            .bind(card.channel.as_str())
            .bind(card.attempt)
            .bind(ts)
            .bind(shown)
            .bind(card.touched)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// The call failed, or nobody knows: what the card shows is unknown, and it is tried again at `due`.
    pub async fn put_off_card(
        &mut self,
        card: &DueCard,
        due: Option<Timestamp>,
        trouble: &str,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(PUT_OFF)
            .bind(card.request.as_str())
            .bind(card.channel.as_str())
            .bind(card.attempt)
            .bind(due.map(|at| at.0))
            .bind(trouble)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// The message is gone; a new one is posted (NO3).
    pub async fn lose_card(&mut self, card: &DueCard, due: Timestamp) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(LOSE)
            .bind(card.request.as_str())
            .bind(card.channel.as_str())
            .bind(card.attempt)
            .bind(due.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// A direct message about a request has been delivered: from now on it is kept up to date as a card is. It is due at once, for
    /// what has happened while it was under way.
    pub async fn keep_direct(
        &mut self,
        direct: &Direct<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(KEEP_DIRECT)
            .bind(direct.request.as_str())
            .bind(direct.channel.as_str())
            .bind(direct.ts)
            .bind(direct.shown)
            .bind(now.0)
            .bind(direct.person.as_str())
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Slack's id of the card that is kept up to date; none while it is not known.
    pub async fn card_ts(
        &mut self,
        request: &RequestId,
        channel: &ChannelId,
    ) -> Result<Option<String>, StoreError> {
        let row: Option<(Option<String>,)> = on_db!(self, |c| sqlx::query_as(TS)
            .bind(request.as_str())
            .bind(channel.as_str())
            .fetch_optional(c)
            .await)?;
        Ok(row.and_then(|(ts,)| ts))
    }

    /// The messages of all pending requests are gone, and new ones are posted; calls in flight no longer count.
    pub async fn lose_pending_cards(&mut self, due: Timestamp) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(LOSE_PENDING)
            .bind(due.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// How many cards of a kind have failed so often in a row, and why one of them.
    pub async fn failing_cards(
        &mut self,
        kind: Card,
        failures: i64,
    ) -> Result<(i64, Option<String>), StoreError> {
        let text = match kind {
            Card::ToPost => STUCK_TO_POST,
            Card::ToUpdate => STUCK_TO_UPDATE,
        };
        on_db!(self, |c| sqlx::query_as(text)
            .bind(failures)
            .fetch_one(c)
            .await)
    }

    /// When the next card of a kind is due.
    pub async fn next_card_due(&mut self, kind: Card) -> Result<Option<Timestamp>, StoreError> {
        let text = match kind {
            Card::ToPost => NEXT_TO_POST,
            Card::ToUpdate => NEXT_TO_UPDATE,
        };
        let (due,): (Option<i64>,) = on_db!(self, |c| sqlx::query_as(text).fetch_one(c).await)?;
        Ok(due.map(Timestamp))
    }
}
