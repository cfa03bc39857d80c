//! How many sign-ins one replica takes part in: each costs calls to the provider, and anybody can begin one (threat W5).

use crate::domain::time::{Span, Timestamp};
use std::sync::{Mutex, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Steps of sign-ins in one window, all visitors together.
const STEPS: u32 = 600;
const WINDOW: Span = Span::minutes(1);
/// Steps under way at once.
const AT_ONCE: usize = 32;

/// Counts the steps.
#[derive(Debug)]
pub struct Pace {
    window: Mutex<(Timestamp, u32)>,
    under_way: Semaphore,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            window: Mutex::new((Timestamp(0), 0)),
            under_way: Semaphore::new(AT_ONCE),
        }
    }
}

impl Pace {
    /// Room for one more step; nothing if there is none.
    pub fn take(&self, now: Timestamp) -> Option<SemaphorePermit<'_>> {
        let permit = self.under_way.try_acquire().ok()?;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, steps) = *window;
        let is_over = now < since || since.plus(WINDOW) <= now;
        let (since, steps) = if is_over { (now, 0) } else { (since, steps) };
        *window = (since, steps.saturating_add(1));
        (steps < STEPS).then_some(permit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_ins_are_limited_in_number_and_at_once_w5() {
        let pace = Pace::default();
        let now = Timestamp(1_000);
        let held: Vec<_> = (0..AT_ONCE).map(|_| pace.take(now)).collect();
        assert!(held.iter().all(Option::is_some) && pace.take(now).is_none());
        drop(held);
        let taken = (0..STEPS).filter(|_| pace.take(now).is_some()).count();
        assert_eq!(taken + AT_ONCE, usize::try_from(STEPS).expect("small"));
        assert!(pace.take(now.plus(WINDOW)).is_some());
    }
}
