//! What the steps of a tick have come to: one that fails does not stop the others.

use crate::app::{App, AppError};
use futures::FutureExt as _;
use std::time::Duration;

/// Longer than any step takes that has an answer to each of its questions.
const STEP_DEADLINE: Duration = Duration::from_mins(1);

/// What a step has done; it fails if a database or a network that vanished silently keeps it waiting.
pub(super) fn in_time<T>(
    step: impl Future<Output = Result<T, AppError>>,
) -> impl Future<Output = Result<T, AppError>> {
    tokio::time::timeout(STEP_DEADLINE, step).map(|done| done.unwrap_or(Err(AppError::Busy)))
}

/// What a tick has come to.
#[derive(Debug, Default)]
pub(super) struct Ticked {
    /// Whether there may be more to do.
    pub(super) more: bool,
    /// The first error of its steps.
    pub(super) error: Option<AppError>,
}

impl Ticked {
    /// Takes in what a step has done; a failure is logged, and reported until the step works.
    pub(super) fn take_in(&mut self, app: &App, step: &'static str, done: Result<bool, AppError>) {
        app.supervisor().step(step, done.is_ok());
        match done {
            Ok(more) => self.more |= more,
            Err(error) => {
                tracing::warn!(step, %error, "worker step failed, retrying");
                self.error.get_or_insert(error);
            }
        }
    }
}
