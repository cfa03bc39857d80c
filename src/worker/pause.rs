//! When a call that failed is tried again.

use crate::domain::time::{Span, Timestamp};
use crate::slack::error::SlackError;

/// The first pause; each further one is twice as long.
const FIRST: Span = Span::seconds(1);
/// The longest pause.
const LONGEST: Span = Span::seconds(45);

/// When to try again after so many failures in a row. What Slack says about pausing is obeyed.
pub(super) fn next_try(error: &SlackError, failures: i64, now: Timestamp) -> Timestamp {
    if let Some(pause) = error.retry_after() {
        return now.plus(Span(i64::try_from(pause.as_millis()).unwrap_or(LONGEST.0)));
    }
    let doubled = u32::try_from(failures.clamp(0, 20)).unwrap_or(20);
    now.plus(Span(FIRST.0.saturating_mul(1 << doubled).min(LONGEST.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn pauses_double_up_to_a_limit_and_slacks_own_are_obeyed() {
        let now = Timestamp(0);
        let after = |failures| next_try(&SlackError::TimedOut, failures, now).0;
        assert_eq!(
            [after(0), after(1), after(5), after(99)],
            [1_000, 2_000, 32_000, 45_000]
        );
        let limited = SlackError::RateLimited {
            retry_after: Some(Duration::from_secs(30)),
        };
        assert_eq!(next_try(&limited, 0, now), Timestamp(30_000));
    }
}
