//! How fast Slack is spoken to: about one call a second and method, with bursts (Slack: Web API rate limits). What is too fast waits
//! in its table, where ten changes of one card become one call.

use crate::domain::time::Timestamp;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// How many calls may be made when.
#[derive(Debug)]
pub(super) enum Pace {
    /// A bucket of calls that fills with time.
    Bucket {
        burst: i64,
        millis_per_call: i64,
        /// Up to when calls are spent already; never more than a burst behind the clock.
        spent_until: Mutex<i64>,
    },
    /// Never more than `most` calls within any minute, as Slack's tiers count them.
    Minute {
        most: usize,
        /// When the calls of the last minute were made.
        calls: Mutex<VecDeque<i64>>,
    },
}

/// The window in which Slack's tiers count, in milliseconds.
const MINUTE: i64 = 60_000;

impl Pace {
    /// So many calls at once, then one for each `millis_per_call`.
    pub(super) fn new(burst: i64, millis_per_call: i64) -> Self {
        Self::Bucket {
            burst,
            millis_per_call,
            spent_until: Mutex::new(i64::MIN),
        }
    }

    /// So many calls within any minute.
    pub(super) fn per_minute(most: usize) -> Self {
        Self::Minute {
            most,
            calls: Mutex::default(),
        }
    }

    /// How many calls may be made now, at most `wanted`; they are spent.
    pub(super) fn take(&self, wanted: i64, now: Timestamp) -> i64 {
        match self {
            Self::Bucket {
                burst,
                millis_per_call,
                spent_until,
            } => {
                let mut spent = lock(spent_until);
                let full = now.0.saturating_sub(burst * millis_per_call);
                let from = (*spent).max(full);
                let taken = ((now.0 - from) / millis_per_call).clamp(0, wanted);
                *spent = from + taken * millis_per_call;
                taken
            }
            Self::Minute { most, calls } => {
                let mut calls = lock(calls);
                while calls.front().is_some_and(|at| *at <= now.0 - MINUTE) {
                    calls.pop_front();
                }
                let free = most.saturating_sub(calls.len());
                let taken = usize::try_from(wanted).unwrap_or(0).min(free);
                calls.extend(std::iter::repeat_n(now.0, taken));
                i64::try_from(taken).unwrap_or(0)
            }
        }
    }

    /// Gives back calls that were not made.
    pub(super) fn give_back(&self, count: i64) {
        match self {
            Self::Bucket {
                millis_per_call,
                spent_until,
                ..
            } => {
                let mut spent = lock(spent_until);
                *spent = spent.saturating_sub(count * millis_per_call);
            }
            Self::Minute { calls, .. } => {
                let mut calls = lock(calls);
                let left = calls
                    .len()
                    .saturating_sub(usize::try_from(count).unwrap_or(0));
                calls.truncate(left);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn no_minute_has_more_calls_than_a_tier_allows_no2() {
        let pace = Pace::per_minute(3);
        let take = |wanted, millis: i64| pace.take(wanted, Timestamp(1_800_000_000_000 + millis));
        assert_eq!([take(2, 0), take(8, 10_000), take(8, 59_999)], [2, 1, 0]);
        assert_eq!(
            [take(8, 60_000), take(8, 69_999), take(8, 70_000)],
            [2, 0, 1]
        );
        pace.give_back(1);
        assert_eq!(take(8, 70_000), 1);
    }
}
