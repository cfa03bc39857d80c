//! Channels whose last call to Slack failed. Only one probe at a time is sent to such a channel, so that it does not delay messages
//! to other channels.

use super::{StoreError, Tx, on_db, sql};
use crate::domain::id::ChannelId;
use crate::domain::time::Timestamp;

sql! {
    PAUSE = "INSERT INTO channel_pauses (channel, lane, until, failures) VALUES ($1, $2, $3, $4)
        ON CONFLICT (channel, lane) DO UPDATE SET until = excluded.until, failures = excluded.failures";
    RESUME = "DELETE FROM channel_pauses WHERE channel = $1 AND lane = $2";
    RESUME_ALL = "DELETE FROM channel_pauses";
    TOLD = "UPDATE channel_pauses SET told_at = $3 WHERE channel = $1 AND lane = $2 AND told_at IS NULL";
    /// The worker that moves the end of the pause owns the probe until then.
    PROBE = "UPDATE channel_pauses SET until = $4 WHERE channel = $1 AND lane = $2 AND until <= $3";
    OVER_FOR_ALERTS = "SELECT p.channel, p.failures FROM channel_pauses p WHERE p.lane = 'alert' AND p.until <= $1
        AND EXISTS (SELECT 1 FROM outbox o WHERE o.lane = 0 AND o.channel = p.channel AND o.due_at <= $1) ORDER BY p.until LIMIT $2";
    OVER_FOR_POSTS = "SELECT p.channel, p.failures FROM channel_pauses p WHERE p.lane = 'post' AND p.until <= $1
        AND EXISTS (SELECT 1 FROM cards c WHERE c.channel = p.channel AND c.due_at <= $1 AND c.ts IS NULL) ORDER BY p.until LIMIT $2";
    OVER_FOR_UPDATES = "SELECT p.channel, p.failures FROM channel_pauses p WHERE p.lane = 'update' AND p.until <= $1
        AND EXISTS (SELECT 1 FROM cards c WHERE c.channel = p.channel AND c.due_at <= $1 AND c.ts IS NOT NULL) ORDER BY p.until LIMIT $2";
}

/// What is sent to a channel. Each kind is paused separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelLane {
    /// Alerts of the outbox.
    Alert,
    /// New cards.
    Post,
    /// Updates of cards.
    Update,
}

impl ChannelLane {
    fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Post => "post",
            Self::Update => "update",
        }
    }
}

/// A channel whose pause is over: the next message claimed for it is a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) channel: String,
    pub(super) failures: i64,
}

impl Tx {
    /// Claims the probes of channels whose pause is over, until `lease_end`.
    pub(super) async fn probes(
        &mut self,
        lane: ChannelLane,
        now: Timestamp,
        lease_end: Timestamp,
        limit: i64,
    ) -> Result<Vec<Probe>, StoreError> {
        let text = match lane {
            ChannelLane::Alert => OVER_FOR_ALERTS,
            ChannelLane::Post => OVER_FOR_POSTS,
            ChannelLane::Update => OVER_FOR_UPDATES,
        };
        let over: Vec<(String, i64)> = on_db!(self, |c| sqlx::query_as(text)
            .bind(now.0)
            .bind(limit)
            .fetch_all(c)
            .await)?;
        let mut probes = Vec::with_capacity(over.len());
        for (channel, failures) in over {
            let taken = on_db!(self, |c| sqlx::query(PROBE)
                .bind(&channel)
                .bind(lane.as_str())
                .bind(now.0)
                .bind(lease_end.0)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?;
            if taken > 0 {
                probes.push(Probe { channel, failures });
            }
        }
        Ok(probes)
    }

    /// Pauses a channel after this many failed calls in a row. After the pause, one probe is sent.
    pub async fn pause_channel(
        &mut self,
        channel: &ChannelId,
        lane: ChannelLane,
        until: Timestamp,
        failures: i64,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(PAUSE)
            .bind(channel.as_str())
            .bind(lane.as_str())
            .bind(until.0)
            .bind(failures)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Ends the pause after a successful probe: everything that waits for the channel is due.
    pub async fn resume_channel(
        &mut self,
        channel: &ChannelId,
        lane: ChannelLane,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(RESUME)
            .bind(channel.as_str())
            .bind(lane.as_str())
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Ends all pauses, because the operator fixed the cause.
    pub(super) async fn resume_channels(&mut self) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(RESUME_ALL)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Whether to notify administrators that a channel refuses alerts; true only once per outage.
    pub async fn is_first_refusal_of_channel(
        &mut self,
        channel: &ChannelId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let told = on_db!(self, |c| sqlx::query(TOLD)
            .bind(channel.as_str())
            .bind(ChannelLane::Alert.as_str())
            .bind(now.0)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(told > 0)
    }
}
