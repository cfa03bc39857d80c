//! Log lines that others can cause at will, such as strangers who post unsigned deliveries: one line a minute, with the count of the
//! lines that were left out. Metrics count each of them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the same line is not logged again.
const INTERVAL: Duration = Duration::from_mins(1);

/// Decides whether one kind of line is logged now; a `static` where the line is.
#[derive(Debug)]
pub struct LogLimit(Mutex<State>);

#[derive(Debug)]
struct State {
    logged_at: Option<Instant>,
    left_out: u64,
}

impl LogLimit {
    /// Nothing has been logged yet.
    pub const fn new() -> Self {
        Self(Mutex::new(State {
            logged_at: None,
            left_out: 0,
        }))
    }

    /// How many lines were left out before this one; none where this one is to be left out, too.
    pub fn admit(&self) -> Option<u64> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |at: Instant| now.saturating_duration_since(at) < INTERVAL;
        if state.logged_at.is_some_and(recent) {
            state.left_out += 1;
            return None;
        }
        state.logged_at = Some(now);
        Some(std::mem::take(&mut state.left_out))
    }
}

impl Default for LogLimit {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_is_logged_with_the_count_of_the_others_r32() {
        let limit = LogLimit::new();
        let start = Instant::now();
        assert_eq!(limit.admit_at(start), Some(0));
        for second in 0..60 {
            let at = start + Duration::from_secs(second);
            assert_eq!(limit.admit_at(at), None, "{second}");
        }
        assert_eq!(limit.admit_at(start + INTERVAL), Some(60));
        assert_eq!(limit.admit_at(start + INTERVAL), None);
        assert_eq!(limit.admit_at(start + 3 * INTERVAL), Some(1));
    }
}
