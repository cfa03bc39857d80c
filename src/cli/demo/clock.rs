//! The clock of the demo: it stands in the past while the history is made, then follows the machine's clock, ahead of it by whatever
//! people have skipped.

use crate::app::{App, AppError, Clock};
use crate::domain::time::{Span, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// How often the demo's clock moves.
const STEP: Duration = Duration::from_millis(100);
/// Under which name the database keeps how far the clock is ahead, so that a restart does not go back in time.
const AHEAD: &str = "demo.clock_ahead";

/// The demo's clock; clones share it.
#[derive(Debug, Clone)]
pub(super) struct DemoClock {
    /// What the bot and the workspace read.
    pub(super) clock: Clock,
    /// Milliseconds that were skipped.
    ahead: Arc<AtomicI64>,
}

impl DemoClock {
    /// A clock that stands at `at`.
    pub(super) fn standing_at(at: Timestamp) -> Self {
        Self {
            clock: Clock::manual(at),
            ahead: Arc::default(),
        }
    }

    /// Moves on to the present, and what was skipped in an earlier run.
    pub(super) async fn catch_up(&self, app: &App) -> Result<(), AppError> {
        let kept = app.fact(AHEAD).await?.and_then(|text| text.parse().ok());
        self.ahead.store(kept.unwrap_or(0), Ordering::Relaxed);
        self.step();
        Ok(())
    }

    /// Skips a length of time, and remembers that while the bot runs.
    pub(super) async fn skip(&self, app: Option<&App>, span: Span) -> Result<(), AppError> {
        let ahead = self.ahead.fetch_add(span.0, Ordering::Relaxed);
        self.step();
        match app {
            Some(app) => {
                let text = ahead.saturating_add(span.0).to_string();
                app.learn(AHEAD, &text).await
            }
            None => Ok(()),
        }
    }

    /// Follows the machine's clock for ever.
    pub(super) async fn run(self) {
        let mut steps = tokio::time::interval(STEP);
        loop {
            steps.tick().await;
            self.step();
        }
    }

    fn step(&self) {
        let wanted = Clock::System.now().plus(self.ahead());
        let behind = wanted.0.saturating_sub(self.clock.now().0);
        self.clock.advance(Span(behind.max(0)));
    }

    fn ahead(&self) -> Span {
        Span(self.ahead.load(Ordering::Relaxed))
    }
}
