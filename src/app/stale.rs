//! What nobody should forget: stale requests, owed reviews, and how long requests wait. On demand, and as a weekly digest.

use super::stats::SCAN_LIMIT;
use super::{App, AppError, cancel};
use crate::domain::break_glass::Session;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::WeeklyDigest;
use crate::domain::latency::{Asked, Latencies};
use crate::domain::message::Message;
use crate::domain::principal::Caller;
use crate::domain::request_details::RequestDetails;
use crate::domain::stale::{SlowestSlots, TargetMisses, is_digest_due, target_misses};
use crate::domain::time::{Span, Timestamp};
use chrono_tz::Tz;
use std::sync::Arc;

/// After which time a pending request is stale if the configuration does not say.
const STALE_AFTER: Span = Span::hours(24);
/// The stale requests and owed reviews that are listed.
const LISTED: i64 = 20;
/// The time that a digest looks back.
const WINDOW: Span = Span::hours(7 * 24);
/// The name of the digest among what repeats.
const DIGEST: &str = "digest";

/// What a digest says.
#[derive(Debug, Clone)]
pub struct StaleReport {
    /// After which time a pending request is stale.
    pub after: Span,
    /// The stale requests, the oldest first.
    pub stale: Vec<RequestDetails>,
    /// Whether there are more.
    pub more: bool,
    /// Ended break-glass sessions that owe a review.
    pub owed: Vec<Session>,
    /// How long the requests of the last seven days waited.
    pub latencies: Latencies,
    /// The slowest slots, in the hours of `zone`.
    pub slots: SlowestSlots,
    /// The time zone of the slots.
    pub zone: Tz,
    /// The policies with a target.
    pub misses: Vec<TargetMisses>,
    /// The configuration in force.
    pub config: Arc<CompiledConfig>,
}

impl App {
    /// What nobody should forget, as it is now.
    pub async fn stale_report(&self) -> Result<StaleReport, AppError> {
        let config = self.compiled_config().await?;
        let now = self.now();
        let notifications = config.document().notifications.as_ref();
        let after = notifications
            .and_then(|notifications| notifications.stale_after)
            .unwrap_or(STALE_AFTER);
        let zone = notifications.and_then(|notifications| notifications.digest.as_ref());
        let zone = zone.and_then(|digest| digest.timezone.parse().ok());
        let zone: Tz = zone.unwrap_or(Tz::UTC);
        let mut tx = self.0.db.read().await?;
        let before = Timestamp(now.0.saturating_sub(after.0));
        let mut ids = tx.stale_requests(before, now, LISTED + 1).await?;
        let more = i64::try_from(ids.len()).unwrap_or(0) > LISTED;
        ids.truncate(usize::try_from(LISTED).unwrap_or(0));
        let stale = self
            .show_all(&mut tx, &ids.iter().collect::<Vec<_>>())
            .await?;
        let owed = tx.owed_sessions(now, LISTED).await?;
        let since = Timestamp(now.0.saturating_sub(WINDOW.0));
        let latest = tx.latest(since, SCAN_LIMIT).await?;
        let gated: Vec<Asked> = latest
            .asked
            .into_iter()
            .filter(|asked| !asked.policies.is_empty())
            .collect();
        Ok(StaleReport {
            after,
            stale,
            more,
            owed,
            latencies: Latencies::of(&gated),
            slots: SlowestSlots::of(&gated, zone),
            zone,
            misses: target_misses(&gated, &config.document().policies, now),
            config,
        })
    }

    /// Whether this caller may cancel a request; cancelling checks it again.
    pub fn may_cancel(caller: &Caller, shown: &RequestDetails, config: &CompiledConfig) -> bool {
        shown.is_pending() && cancel::may(caller, &shown.request, config)
    }

    /// Stores the weekly digest as a message, once for each week, whichever replica is first.
    pub async fn send_digest(&self) -> Result<bool, AppError> {
        let config = self.compiled_config().await?;
        let notifications = config.document().notifications.as_ref();
        let Some(digest) = notifications.and_then(|notifications| notifications.digest.as_ref())
        else {
            return Ok(false);
        };
        let last = self.0.db.read().await?.last_time(DIGEST).await?;
        if last.is_some_and(|last| !is_digest_due(digest, last, self.now())) {
            return Ok(false);
        }
        self.store_digest(digest).await?;
        self.notify_changes(&[]);
        Ok(false)
    }

    async fn store_digest(&self, digest: &WeeklyDigest) -> Result<(), AppError> {
        self.0
            .db
            .transaction::<_, AppError>(async |tx| {
                let now = self.now();
                let Some(last) = tx.last_time(DIGEST).await? else {
                    // the first week begins now
                    return Ok(tx.first_time(DIGEST, now).await?);
                };
                if is_digest_due(digest, last, now) && tx.done_again(DIGEST, last, now).await? {
                    let channel = digest.channel.clone();
                    self.send(tx, vec![Message::Digest { channel }], now)
                        .await?;
                }
                Ok(())
            })
            .await
    }
}
