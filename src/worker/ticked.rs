//! What the steps of a tick have come to: one that fails does not stop the others.

use crate::app::{App, AppError};

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
