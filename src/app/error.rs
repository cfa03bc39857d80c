//! Why a use case gave no answer.

use crate::domain::refusal::Refusal;
use crate::store::StoreError;

/// What is said while the clock is not believed.
pub(super) const CLOCK_UNSURE: &str =
    "the clock has jumped; nothing is executed until two readings of it agree";

/// Why a use case gave no answer, or said no.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppError {
    /// The answer is no.
    #[error("{}", .0.title())]
    Refused(Refusal),
    /// Not begun, or not known to have ended, in time; nothing is promised. Try again.
    #[error("busy; try again")]
    Busy,
    /// The clock has jumped, and what time it is is not known until two readings agree; nothing has changed. Try again.
    #[error("{CLOCK_UNSURE}")]
    ClockUnsure,
    /// The database answers and takes no writes, and why; nothing has changed.
    #[error("the database cannot be written: {0}")]
    NotWritable(String),
    /// The database does not answer; the cause is for the log and the operator.
    #[error("the database does not answer: {0}")]
    NoDatabase(String),
    /// The stored configuration cannot be read by this release, so that everything is refused; why is for the log and the operator.
    #[error(
        "the stored configuration cannot be read by this release: {0}; start the release that wrote it, or store another one with `countersign recover`"
    )]
    UnreadableConfig(String),
    /// Something of ours is broken; the text is for the log, never for a caller.
    #[error("{0}")]
    Internal(String),
}

impl From<Refusal> for AppError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Writer | StoreError::Crowded => Self::Busy,
            StoreError::TooSlow(why) => {
                tracing::warn!(why, "the database took too long");
                Self::Busy
            }
            StoreError::NotWritable(why) => Self::NotWritable(why),
            StoreError::Unreachable(why) => Self::NoDatabase(why),
            StoreError::Unreadable(why) => {
                tracing::error!(why, "refused: unreadable row");
                Self::Refused(Refusal::Unreadable)
            }
            other => Self::Internal(other.to_string()),
        }
    }
}
