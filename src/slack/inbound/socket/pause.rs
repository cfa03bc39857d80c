//! How long to wait before the next try to connect: longer each time, and never the same for everybody.

use std::time::Duration;

/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest; Slack asks for patience, people for a bot that hears them.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Growing pauses.
#[derive(Debug, Default)]
pub(super) struct Pause {
    failures: u32,
}

impl Pause {
    /// A connection has held: the next pause is short again.
    pub(super) fn relax(&mut self) {
        self.failures = 0;
    }

    /// The next pause: twice the last one, of which chance takes up to a half, and never less than Slack asked for.
    pub(super) fn next(&mut self, chance: u32, asked: Option<Duration>) -> Duration {
        let whole = FIRST_PAUSE
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        let part = 1.0 - f64::from(chance) / f64::from(u32::MAX) / 2.0;
        whole.mul_f64(part).max(asked.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnect_pauses_grow_to_a_limit_with_jitter() {
        let mut pause = Pause::default();
        let seconds: Vec<f64> = (0..8).map(|_| pause.next(0, None).as_secs_f64()).collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert_eq!(pause.next(u32::MAX, None), Duration::from_secs(15));
        let asked = Some(Duration::from_mins(1));
        assert_eq!(pause.next(u32::MAX, asked), Duration::from_mins(1));
        pause.relax();
        assert_eq!(pause.next(0, None), Duration::from_millis(500));
    }
}
