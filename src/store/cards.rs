//! The cards of requests: where each is posted, and which of them are due for an update.

use super::dialect::{self, on};
use super::outbox::Claimed;
use super::pauses::ChannelLane;
use super::{StoreError, Tx, Unreadable, on_db, sql};
use crate::domain::id::{ChannelId, PersonId, RequestId};
use crate::domain::time::Timestamp;

sql! {
    INSERT = "INSERT INTO cards (request_id, channel, touched, due_at, attempt, failures) VALUES ($1, $2, 0, $3, 0, 0)
        ON CONFLICT (request_id, channel) DO NOTHING";
    TOUCH = "UPDATE cards SET due_at = $2, touched = touched + 1 WHERE request_id = $1";
    TOUCH_OPEN = "UPDATE cards SET due_at = $1, touched = touched + 1 WHERE request_id IN (SELECT id FROM requests WHERE status = 'pending')";
    SETTLE = "UPDATE cards SET ts = $4, shown = $5, failures = 0, trouble = NULL, set_aside_at = NULL,
            due_at = CASE WHEN touched > $6 THEN CAST($7 AS BIGINT) END
        WHERE request_id = $1 AND channel = $2 AND attempt = $3";
    PUT_OFF = "UPDATE cards SET due_at = $4, shown = NULL, failures = failures + 1, trouble = $5
        WHERE request_id = $1 AND channel = $2 AND attempt = $3";
    RELEASE = "UPDATE cards SET due_at = $4, trouble = $5 WHERE request_id = $1 AND channel = $2 AND attempt = $3";
    /// A card that was never posted is useless once its request can be neither decided nor executed.
    GIVE_UP_ENDED = "UPDATE cards SET due_at = NULL, trouble = $2, attempt = attempt + 1, set_aside_at = NULL
        WHERE channel = $1 AND due_at IS NOT NULL AND ts IS NULL
            AND (CAST($3 AS TEXT) IS NULL OR request_id = $3)
            AND EXISTS (SELECT 1 FROM requests r WHERE r.id = cards.request_id
                AND r.status IN ('rejected', 'cancelled', 'expired', 'executed', 'completed'))";
    SET_ASIDE = "UPDATE cards SET due_at = NULL, set_aside_at = $3, trouble = $4 WHERE request_id = $1 AND channel = $2";
    RETRY_SET_ASIDE = "UPDATE cards SET due_at = $1 WHERE set_aside_at <= $2 AND due_at IS NULL";
    LOSE = "UPDATE cards SET ts = NULL, shown = NULL, due_at = $4 WHERE request_id = $1 AND channel = $2 AND attempt = $3";
    TS = "SELECT ts FROM cards WHERE request_id = $1 AND channel = $2";
    LOSE_PENDING = "UPDATE cards SET ts = NULL, shown = NULL, due_at = $1, attempt = attempt + 1
        WHERE person IS NULL AND request_id IN (SELECT id FROM requests WHERE status = 'pending')";
    KEEP_DIRECT = "INSERT INTO cards (request_id, channel, ts, shown, touched, due_at, attempt, failures, person)
        VALUES ($1, $2, $3, $4, 0, $5, 0, 0, $6)
        ON CONFLICT (request_id, channel) DO UPDATE SET ts = excluded.ts, shown = excluded.shown, due_at = excluded.due_at,
            attempt = cards.attempt + 1, failures = 0, trouble = NULL";
    NEXT_TO_POST = "SELECT min(c.due_at) FROM cards c WHERE c.due_at IS NOT NULL AND c.ts IS NULL AND NOT EXISTS
        (SELECT 1 FROM channel_pauses p WHERE p.channel = c.channel AND p.lane = 'post' AND p.until > $1)";
    NEXT_TO_UPDATE = "SELECT min(c.due_at) FROM cards c WHERE c.due_at IS NOT NULL AND c.ts IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM channel_pauses p WHERE p.channel = c.channel AND p.lane = 'update' AND p.until > $1)";
}

/// What a due card needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// The card has no message yet.
    ToPost,
    /// The card's message may be outdated.
    ToUpdate,
}

impl Card {
    /// The lane in which the card's channel is paused.
    pub fn lane(self) -> ChannelLane {
        match self {
            Self::ToPost => ChannelLane::Post,
            Self::ToUpdate => ChannelLane::Update,
        }
    }
}

/// How much of a request a message shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Everything, with buttons, in a channel of the routes or of a policy.
    Card,
    /// Only that it exists and how it stands, in the channel in which it was asked.
    Notice,
    /// What its requester should know, as a direct message.
    Direct,
}

/// A due card, claimed until the end of a lease.
#[derive(Debug, Clone)]
pub struct DueCard {
    /// The request that the card shows.
    pub request: RequestId,
    /// The channel.
    pub channel: ChannelId,
    /// Slack's id of the message, once it was posted.
    pub ts: Option<String>,
    /// The hash of the displayed message, if known.
    pub shown: Option<String>,
    /// Number of failed calls in a row.
    pub failures: i64,
    /// What is shown of the request.
    pub form: Form,
    /// If this card is the probe of a channel: the number of failed calls in a row to that channel.
    pub probes_after: Option<i64>,
    touched: i64,
    pub(super) attempt: i64,
}

impl DueCard {
    /// The lane in which the card's channel is paused.
    pub fn lane(&self) -> ChannelLane {
        match self.ts {
            None => ChannelLane::Post,
            Some(_) => ChannelLane::Update,
        }
    }
}

/// A direct message about a request, as it was delivered.
#[derive(Debug, Clone, Copy)]
pub struct Direct<'a> {
    /// The request.
    pub request: &'a RequestId,
    /// The recipient.
    pub person: &'a PersonId,
    /// The channel of the conversation.
    pub channel: &'a ChannelId,
    /// Slack's id of the message.
    pub ts: &'a str,
    /// The hash of the displayed message.
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
    bool,
);

fn card_of(row: &Row, probes_after: Option<i64>) -> Result<DueCard, Unreadable> {
    let (request, channel, ts, shown, touched, attempt, failures, person, notice) = row;
    Ok(DueCard {
        request: Unreadable::read("cards", request, "request_id", request.parse())?,
        channel: channel.as_str().into(),
        ts: ts.clone(),
        shown: shown.clone(),
        failures: *failures,
        form: match person {
            _ if *notice => Form::Notice,
            Some(_) => Form::Direct,
            None => Form::Card,
        },
        probes_after,
        touched: *touched,
        attempt: *attempt,
    })
}

impl Tx {
    /// Stores a new card, due to be posted.
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

    /// Marks the cards of a changed request as due.
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

    /// Marks the cards of all pending requests as due, because the configuration or the directory changed.
    pub async fn touch_open_cards(&mut self, now: Timestamp) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(TOUCH_OPEN)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Claims due cards of a kind until `lease_end`. For a channel whose last call failed, it claims only one card, as a probe.
    /// Unreadable cards are set aside.
    pub async fn claim_cards(
        &mut self,
        kind: Card,
        now: Timestamp,
        lease_end: Timestamp,
        limit: i64,
    ) -> Result<Claimed<DueCard>, StoreError> {
        let mut claimed = Claimed::none();
        let (claim, probe) = self.claims(kind);
        // only a share of the tick, so that refusing channels do not use all of it
        for probed in self
            .probes(kind.lane(), now, lease_end, (limit + 3) / 4)
            .await?
        {
            let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(probe)
                .bind(now.0)
                .bind(lease_end.0)
                .bind(&probed.channel)
                .fetch_all(c)
                .await)?;
            self.take_in_cards(rows, Some(probed.failures), now, &mut claimed)
                .await?;
        }
        let left = limit - claimed.count();
        let rows: Vec<Row> = on_db!(self, |c| sqlx::query_as(claim)
            .bind(now.0)
            .bind(lease_end.0)
            .bind(left.max(0))
            .fetch_all(c)
            .await)?;
        self.take_in_cards(rows, None, now, &mut claimed).await?;
        Ok(claimed)
    }

    /// The statements that claim cards, and the probe of one channel.
    fn claims(&self, kind: Card) -> (&'static str, &'static str) {
        match kind {
            Card::ToPost => on!(
                self,
                (dialect::CLAIM_POSTS_SQLITE, dialect::PROBE_POSTS_SQLITE),
                (dialect::CLAIM_POSTS_POSTGRES, dialect::PROBE_POSTS_POSTGRES)
            ),
            Card::ToUpdate => on!(
                self,
                (dialect::CLAIM_UPDATES_SQLITE, dialect::PROBE_UPDATES_SQLITE),
                (
                    dialect::CLAIM_UPDATES_POSTGRES,
                    dialect::PROBE_UPDATES_POSTGRES
                )
            ),
        }
    }

    /// Reads claimed rows one by one, and sets aside what is unreadable.
    async fn take_in_cards(
        &mut self,
        rows: Vec<Row>,
        probes_after: Option<i64>,
        now: Timestamp,
        claimed: &mut Claimed<DueCard>,
    ) -> Result<(), StoreError> {
        for (row, why) in claimed.take_in(rows, |row| card_of(row, probes_after)) {
            on_db!(self, |c| sqlx::query(SET_ASIDE)
                .bind(&row.0)
                .bind(&row.1)
                .bind(now.0)
                .bind(why.to_string())
                .execute(c)
                .await
                .map(|_| ()))?;
        }
        Ok(())
    }

    /// Marks cards that were set aside up to `until` as due, because another release may be able to read them.
    pub async fn retry_set_aside_cards(
        &mut self,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(RETRY_SET_ASIDE)
            .bind(now.0)
            .bind(until.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Returns a claimed card that was not tried, with the reason. It is due again at the given time; this does not count as a
    /// failure.
    pub async fn release_card(
        &mut self,
        card: &DueCard,
        due: Timestamp,
        trouble: &str,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(RELEASE)
            .bind(card.request.as_str())
            .bind(card.channel.as_str())
            .bind(card.attempt)
            .bind(due.0)
            .bind(trouble)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Gives up cards that a channel refuses if their requests have ended: all cards of the channel, or only the card of the given
    /// request. Returns how many.
    pub async fn give_up_ended_cards(
        &mut self,
        channel: &ChannelId,
        request: Option<&RequestId>,
        trouble: &str,
    ) -> Result<u64, StoreError> {
        on_db!(self, |c| sqlx::query(GIVE_UP_ENDED)
            .bind(channel.as_str())
            .bind(trouble)
            .bind(request.map(RequestId::as_str))
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
    }

    /// Stores the hash of the displayed message. The card stays due if its request changed meanwhile. Does nothing if the lease was
    /// lost.
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

    /// Records that the call failed or that its result is unknown: the displayed message is then unknown too, and the card is due
    /// again at `due`. Returns whether the lease was still held.
    pub async fn put_off_card(
        &mut self,
        card: &DueCard,
        due: Timestamp,
        trouble: &str,
    ) -> Result<bool, StoreError> {
        let rows = on_db!(self, |c| sqlx::query(PUT_OFF)
            .bind(card.request.as_str())
            .bind(card.channel.as_str())
            .bind(card.attempt)
            .bind(due.0)
            .bind(trouble)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Records that the message was deleted, so that a new one is posted (NO3).
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

    /// Stores a delivered direct message about a request, so that it is kept up to date like a card. It is due at once, because the
    /// request may have changed during the delivery.
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

    /// Slack's id of the card that is kept up to date; `None` while it is unknown.
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

    /// Marks the cards of all pending requests to be posted again. Results of calls in flight no longer count.
    pub async fn lose_pending_cards(&mut self, due: Timestamp) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(LOSE_PENDING)
            .bind(due.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// When the next card of a kind is due; cards of a paused channel do not count.
    pub async fn next_card_due(
        &mut self,
        kind: Card,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let text = match kind {
            Card::ToPost => NEXT_TO_POST,
            Card::ToUpdate => NEXT_TO_UPDATE,
        };
        let (due,): (Option<i64>,) = on_db!(self, |c| sqlx::query_as(text)
            .bind(now.0)
            .fetch_one(c)
            .await)?;
        Ok(due.map(Timestamp))
    }
}
