//! What the person who acted is told, and what a handler ends with.

use crate::app::{AppError, LogLimit};
use crate::domain::refusal::Refusal;
use crate::slack::ui::text::escape;
use crate::slack::ui::{Message, replies};
use serde_json::Value;
use tracing::error;

/// An unexpected failure is logged at most once per interval: one person can cause many.
static FAILED: LogLimit = LogLimit::new();

/// What is wrong with the inputs of a form: the `block_id` of an input, and the sentence shown beside it.
pub(super) type FieldErrors = Vec<(&'static str, String)>;

/// What the person who acted is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// Nothing: there is nothing to say, or it has been said before.
    Nothing,
    /// It is done. Where a card shows it, the card is enough.
    Done(Message),
    /// It is not done, or an answer was asked for: this must be read.
    Answer(Message),
    /// Errors beside the inputs of a form.
    Fields(FieldErrors),
    /// The options of a searched list.
    Choices(Vec<Value>),
    /// Not done: the delivery is not acknowledged, so that Slack shows its own sign of failure.
    Again,
}

impl Reply {
    /// The message to show, if there is one.
    pub(super) fn message(self) -> Option<Message> {
        match self {
            Self::Nothing | Self::Choices(_) => None,
            Self::Done(message) | Self::Answer(message) => Some(message),
            Self::Fields(errors) => {
                let errors: Vec<String> = errors.into_iter().map(|(_, error)| error).collect();
                Some(Message::plain(escape(&errors.join(" "))))
            }
            Self::Again => Some(replies::busy()),
        }
    }
}

/// Why a handler did not do what was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The use case refused or failed.
    App(AppError),
    /// The handler itself refused.
    Message(Message),
    /// A form has invalid inputs.
    Fields(FieldErrors),
}

/// How a handler ends.
pub(super) type Handled = Result<Reply, Failure>;

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::App(AppError::Refused(refusal))
    }
}

impl From<Message> for Failure {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::App(error) => error.into(),
            Failure::Message(message) => Self::Answer(message),
            Failure::Fields(errors) => Self::Fields(errors),
        }
    }
}

impl From<AppError> for Reply {
    fn from(failure: AppError) -> Self {
        match failure {
            AppError::Refused(refusal) => Self::Answer(replies::refusal(&refusal, None)),
            AppError::Busy | AppError::ClockUnsure => Self::Again,
            AppError::NotWritable(reason) => {
                error!(reason, "refused: the database cannot be written");
                Self::Answer(replies::not_writable(&reason))
            }
            AppError::NoDatabase(reason) => {
                error!(reason, "refused: the database does not answer");
                Self::Answer(replies::no_database())
            }
            AppError::UnreadableConfig(reason) => {
                error!(reason, "refused: the stored configuration cannot be read");
                Self::Answer(replies::unreadable_config())
            }
            AppError::Internal(reason) => {
                if let Some(left_out) = FAILED.admit() {
                    error!(reason, left_out, "a use case failed");
                }
                Self::Answer(replies::broken())
            }
        }
    }
}
