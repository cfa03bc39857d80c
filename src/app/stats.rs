//! How long requests wait for people.

use super::{App, AppError};
use crate::domain::latency::{Asked, Latencies, Spread};
use crate::domain::time::{Span, Timestamp};

/// Most requests that statistics look at, the latest ones: the cost is the same however many are stored.
pub(super) const SCAN_LIMIT: i64 = 5_000;

/// The window when none is asked for.
const WINDOW: Span = Span::hours(30 * 24);
/// The longest window.
const LONGEST_WINDOW: Span = Span::hours(3_660 * 24);

/// How far back statistics look: a length of time such as `7d`, 30 days when none is given.
///
/// # Errors
/// A sentence that says what is allowed.
pub fn window(text: Option<&str>) -> Result<Span, String> {
    let Some(text) = text else {
        return Ok(WINDOW);
    };
    let window: Span = text.parse()?;
    if window <= Span(0) || window > LONGEST_WINDOW {
        return Err(format!(
            "`{text}` is no length of time of up to ten years, such as 30d."
        ));
    }
    Ok(window)
}

/// How long requests of a window of time took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatencyStats {
    /// Where the window begins.
    pub since: Timestamp,
    /// How many gated requests of the window were counted.
    pub requests: usize,
    /// Whether that is all of them; otherwise the older ones were left out.
    pub complete: bool,
    /// How long they took.
    pub latencies: Latencies,
    /// How long those that are pending now have waited; of very many, the oldest.
    pub pending: Option<Spread>,
}

impl App {
    /// Approval latency of the requests asked within the last `window`.
    pub async fn latency(&self, window: Span) -> Result<LatencyStats, AppError> {
        let now = self.now();
        let since = Timestamp(now.0.saturating_sub(window.0));
        let mut tx = self.0.db.read().await?;
        let latest = tx.latest(since, SCAN_LIMIT).await?;
        let pending = tx.pending_since(now, SCAN_LIMIT).await?;
        let waited = |at: &Timestamp| Span(now.0.saturating_sub(at.0).max(0));
        // nobody waited for what no policy gated
        let gated: Vec<Asked> = latest
            .asked
            .into_iter()
            .filter(|asked| !asked.policies.is_empty())
            .collect();
        Ok(LatencyStats {
            since,
            requests: gated.len(),
            complete: !latest.cut,
            latencies: Latencies::of(&gated),
            pending: Spread::of(pending.iter().map(waited).collect()),
        })
    }
}
