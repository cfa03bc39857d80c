//! Channels where calls to Slack failed last. Nothing goes there but one probe at a time, so that a channel that refuses delays nothing
//! that goes elsewhere.

use super::{StoreError, Tx, on_db, sql};
use crate::domain::id::ChannelId;
use crate::domain::time::Timestamp;

sql! {
    PAUSE = "INSERT INTO channel_pauses (channel, lane, until, failures) VALUES ($1, $2, $3, $4)
        ON CONFLICT (channel, lane) DO UPDATE SET until = excluded.until, failures = excluded.failures";
    RESUME = "DELETE FROM channel_pauses WHERE channel = $1 AND lane = $2";
    RESUME_ALL = "DELETE FROM channel_pauses";
    TOLD = "UPDATE channel_pauses SET told_at = $3 WHERE channel = $1 AND lane = $2 AND told_at IS NULL";
    /// Whoever moves the end of the pause has the probe until then.
    PROBE = "UPDATE channel_pauses SET until = $4 WHERE channel = $1 AND lane = $2 AND until <= $3";
    OVER_FOR_ALERTS = "SELECT p.channel, p.failures FROM channel_pauses p WHERE p.lane = 'alert' AND p.until <= $1
        AND EXISTS (SELECT 1 FROM outbox o WHERE o.lane = 0 AND o.channel = p.channel AND o.due_at <= $1) ORDER BY p.until LIMIT $2";
    OVER_FOR_POSTS = "SELECT p.channel, p.failures FROM channel_pauses p WHERE p.lane = 'post' AND p.until <= $1
        AND EXISTS (SELECT 1 FROM cards c WHERE c.channel = p.channel AND c.due_at <= $1 AND c.ts IS NULL) ORDER BY p.until LIMIT $2";
    OVER_FOR_UPDATES = "SELECT p.channel, p.failures FROM channel_pauses p WHERE p.lane = 'update' AND p.until <= $1
        AND EXISTS (SELECT 1 FROM cards c WHERE c.channel = p.channel AND c.due_at <= $1 AND c.ts IS NOT NULL) ORDER BY p.until LIMIT $2";
}

/// What goes to a channel; each kind pauses by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelLane {
    /// Alerts of the outbox.
    Alert,
    /// New cards.
    Post,
    /// Changes of cards.
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

/// A channel whose pause is over: what is claimed for it is a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) channel: String,
    pub(super) failures: i64,
}

impl Tx {
    /// Takes the probes of channels whose pause is over, until `lease_end`.
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

    /// A call to a channel failed, so often in a row: nothing goes there until then, and then one probe.
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

    /// A probe has arrived: everything that waits for the channel is due.
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

    /// No channel is paused any more: the operator has fixed the reason.
    pub(super) async fn resume_channels(&mut self) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(RESUME_ALL)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Whether administrators are to be told now that a channel refuses alerts: once for each outage of the channel.
    pub async fn tell_of_channel(
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
