//! The one source of time; tests set theirs by hand.

use crate::domain::time::{Span, Timestamp};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Tells the time, and waits for a point in it.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that moves when it is told to.
    Manual(Arc<watch::Sender<Timestamp>>),
}

impl Clock {
    /// A clock that stands at `at`.
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(watch::Sender::new(at)))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp(
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |since| {
                        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
                    }),
            ),
            Self::Manual(time) => *time.borrow(),
        }
    }

    /// Waits until the clock shows `at`.
    pub async fn until(&self, at: Timestamp) {
        match self {
            Self::System => {
                let left = at.0.saturating_sub(self.now().0);
                tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
            }
            Self::Manual(time) => {
                // an error would mean that nobody holds the clock any more, and so nobody waits
                let _ = time.subscribe().wait_for(|now| *now >= at).await;
            }
        }
    }

    /// Moves a manual clock on.
    pub fn advance(&self, by: Span) {
        if let Self::Manual(time) = self {
            time.send_modify(|now| *now = now.plus(by));
        }
    }
}
