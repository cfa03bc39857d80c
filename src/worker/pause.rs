//! When a call that failed is tried again.

use crate::domain::time::{Span, Timestamp};
use crate::slack::api::error::SlackError;

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Span = Span::seconds(1);
/// The longest pause, so that what waits arrives within a minute of a recovery.
const LONGEST_PAUSE: Span = Span::seconds(45);
/// The longest pause where trying again helps only after somebody has changed something: however many such messages there are, they
/// take no noticeable share of the calls.
const LONGEST_AFTER_REFUSAL: Span = Span::hours(1);
/// The longest pause of a mail server that fails.
const LONGEST_WITHOUT_MAIL: Span = Span::minutes(5);

/// When to try a message again after so many failures in a row. What Slack says about pausing is obeyed.
pub(super) fn next_try(error: &SlackError, failures: i64, now: Timestamp) -> Timestamp {
    let longest = if error.is_final() {
        LONGEST_AFTER_REFUSAL
    } else {
        LONGEST_PAUSE
    };
    after(error, failures, longest, now)
}

/// When to probe a channel again after so many failures in a row: one call for all that waits for it.
pub(super) fn next_probe(error: &SlackError, failures: i64, now: Timestamp) -> Timestamp {
    after(error, failures, LONGEST_PAUSE, now)
}

/// When to probe the way to Slack again after so many failures in a row.
pub(super) fn next_probe_of_egress(failures: i64, now: Timestamp) -> Timestamp {
    now.plus(doubled(failures, LONGEST_PAUSE))
}

/// When to connect to the mail server again after so many failures in a row.
pub(super) fn next_probe_of_mail_server(failures: i64, now: Timestamp) -> Timestamp {
    now.plus(doubled(failures, LONGEST_WITHOUT_MAIL))
}

/// When to try an e-mail again that the mail server has refused for now so many times: it expects a pause of minutes.
pub(super) fn next_try_of_email(failures: i64, now: Timestamp) -> Timestamp {
    let pause = doubled(failures, LONGEST_AFTER_REFUSAL)
        .0
        .saturating_mul(60);
    now.plus(Span(pause.min(LONGEST_AFTER_REFUSAL.0)))
}

/// When to try again what failed for a reason of ours, such as a request that cannot be read.
pub(super) fn next_try_of_ours(failures: i64, now: Timestamp) -> Timestamp {
    now.plus(doubled(failures, LONGEST_AFTER_REFUSAL))
}

/// When to try again what never left: soon, by whichever replica can.
pub(super) fn next_try_elsewhere(now: Timestamp) -> Timestamp {
    now.plus(FIRST_PAUSE)
}

fn after(error: &SlackError, failures: i64, longest: Span, now: Timestamp) -> Timestamp {
    let asked = error.retry_after();
    let asked =
        asked.map(|pause| Span(i64::try_from(pause.as_millis()).unwrap_or(LONGEST_PAUSE.0)));
    now.plus(asked.unwrap_or_else(|| doubled(failures, longest)))
}

fn doubled(failures: i64, longest: Span) -> Span {
    let doublings = u32::try_from(failures.clamp(0, 20)).unwrap_or(20);
    Span(FIRST_PAUSE.0.saturating_mul(1 << doublings).min(longest.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn retry_pauses_double_up_to_a_limit_and_retry_after_is_obeyed() {
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

    #[test]
    fn what_slack_refuses_is_tried_more_and_more_rarely_but_channels_are_probed_r05() {
        let now = Timestamp(0);
        let refused = SlackError::IsArchived;
        assert_eq!(next_try(&refused, 99, now), Timestamp(3_600_000));
        assert_eq!(next_probe(&refused, 99, now), Timestamp(45_000));
        assert_eq!(next_try_of_ours(99, now), Timestamp(3_600_000));
    }

    #[test]
    fn emails_wait_for_minutes_and_the_mail_server_for_seconds() {
        let minutes = |failures| next_try_of_email(failures, Timestamp(0)).0 / 60_000;
        assert_eq!(
            [minutes(0), minutes(1), minutes(3), minutes(99)],
            [1, 2, 8, 60]
        );
        let seconds = |failures| next_probe_of_mail_server(failures, Timestamp(0)).0 / 1_000;
        assert_eq!([seconds(0), seconds(1), seconds(99)], [1, 2, 300]);
    }
}
