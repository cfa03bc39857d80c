//! How fast Slack is spoken to: about one call a second and method, with bursts (Slack: Web API rate limits). What is too fast waits
//! in its table, where ten changes of one card become one call.

use crate::domain::time::Timestamp;
use std::sync::{Mutex, PoisonError};

/// A bucket of calls that fills with time.
#[derive(Debug)]
pub(super) struct Pace {
    burst: i64,
    millis_per_call: i64,
    /// Up to when calls are spent already; never more than a burst behind the clock.
    spent_until: Mutex<i64>,
}

impl Pace {
    /// So many calls at once, then one for each `millis_per_call`.
    pub(super) fn new(burst: i64, millis_per_call: i64) -> Self {
        Self {
            burst,
            millis_per_call,
            spent_until: Mutex::new(i64::MIN),
        }
    }

    /// How many calls may be made now, at most `wanted`; they are spent.
    pub(super) fn take(&self, wanted: i64, now: Timestamp) -> i64 {
        let mut spent = self.lock();
        let full = now.0.saturating_sub(self.burst * self.millis_per_call);
        let from = (*spent).max(full);
        let taken = ((now.0 - from) / self.millis_per_call).clamp(0, wanted);
        *spent = from + taken * self.millis_per_call;
        taken
    }

    /// Gives back calls that were not made.
    pub(super) fn give_back(&self, calls: i64) {
        let mut spent = self.lock();
        *spent = spent.saturating_sub(calls * self.millis_per_call);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, i64> {
        self.spent_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_allows_a_burst_then_one_per_interval() {
        let pace = Pace::new(3, 1_000);
        let take = |wanted, millis: i64| pace.take(wanted, Timestamp(1_800_000_000_000 + millis));
        assert_eq!(take(2, 0), 2);
        assert_eq!(take(8, 0), 1);
        assert_eq!(take(8, 999), 0);
        assert_eq!(take(8, 1_000), 1);
        assert_eq!(take(8, 60_000), 3);
        pace.give_back(2);
        assert_eq!(take(8, 60_000), 2);
        // a clock that is set back gives nothing, and nothing breaks
        assert_eq!(take(8, -60_000), 0);
    }
}
