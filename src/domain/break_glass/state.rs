//! The states of a session and the transitions between them.

use crate::domain::id::PersonId;
use crate::domain::people::Directory;
use crate::domain::principal::Principal;
use crate::domain::text;
use crate::domain::time::{Span, Timestamp};
use crate::domain::violation::{AskField, Violation, ViolationCode};
use std::fmt;

/// The name of a session's state, as stored and displayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionStatus {
    /// The start waits for decisions.
    Pending,
    /// The session bypasses policies.
    Active,
    /// The session is over, or never started.
    Ended,
    /// The session is over and was reviewed.
    Reviewed,
}

impl SessionStatus {
    /// All statuses, in the order of a session's life.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Ended, Self::Reviewed];

    /// The word that is stored and displayed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Ended => "ended",
            Self::Reviewed => "reviewed",
        }
    }
}

impl fmt::Display for SessionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What ended a session that ran; stored and displayed as `time`, or as the principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedBy {
    /// The session's time was over.
    Time,
    /// A principal revoked the session.
    Revoked(Principal),
}

/// Why a session never started: how the request for it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStarted {
    /// An eligible person rejected the request.
    Rejected,
    /// The request was cancelled, or the session could no longer be started.
    Cancelled,
    /// The request was not decided in time.
    Expired,
}

impl NotStarted {
    /// The word that is displayed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// The review of a session that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionReview {
    /// The reviewer.
    pub by: PersonId,
    /// What the reviewer found.
    pub note: String,
    /// When the review was written.
    pub at: Timestamp,
}

impl SessionReview {
    /// Creates a review; a blank note is a violation.
    pub fn new(by: &PersonId, note: &str, at: Timestamp) -> Result<Self, Vec<Violation>> {
        let note = text::entered("note", Some(note)).map_err(|broken| vec![broken])?;
        let note = note.ok_or_else(|| {
            vec![Violation::new(
                AskField::Reason,
                ViolationCode::ReasonRequired,
                "say what you found",
            )]
        })?;
        Ok(Self {
            by: by.clone(),
            note,
            at,
        })
    }
}

/// The state of a session. Each variant holds only the data that exists in that state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionState {
    /// The start waits for decisions.
    Pending,
    /// The request for the session ended without starting it; no review is owed.
    NotStarted(NotStarted),
    /// The session bypasses policies from `from` until `until` (exclusive).
    Active {
        /// When the session started.
        from: Timestamp,
        /// First moment at which the session no longer covers anything.
        until: Timestamp,
    },
    /// The session is over.
    Ended {
        /// When the session started.
        from: Timestamp,
        /// When the session ended.
        at: Timestamp,
        /// What ended it.
        by: EndedBy,
    },
    /// The session is over and was reviewed.
    Reviewed {
        /// When the session started.
        from: Timestamp,
        /// When the session ended.
        at: Timestamp,
        /// What ended it.
        by: EndedBy,
        /// The review.
        review: SessionReview,
    },
}

/// Error: the transition is not allowed in the current state, which it contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session is {0}")]
pub struct WrongSessionState(pub SessionStatus);

impl SessionState {
    /// The name of the state.
    pub fn status(&self) -> SessionStatus {
        match self {
            Self::Pending => SessionStatus::Pending,
            Self::Active { .. } => SessionStatus::Active,
            Self::NotStarted(_) | Self::Ended { .. } => SessionStatus::Ended,
            Self::Reviewed { .. } => SessionStatus::Reviewed,
        }
    }

    /// Replaces the reviewer's id by their current one. `ended_by` stays as stored, because an ended session is never written
    /// again.
    pub(super) fn recognise(&mut self, directory: &Directory) {
        if let Self::Reviewed { review, .. } = self {
            review.by = directory.canonical(&review.by).clone();
        }
    }

    /// Starts a pending session at `now`.
    pub fn start(self, now: Timestamp, duration: Span) -> Result<Self, WrongSessionState> {
        match self {
            Self::Pending => Ok(Self::Active {
                from: now,
                until: now.plus(duration),
            }),
            Self::NotStarted(_)
            | Self::Active { .. }
            | Self::Ended { .. }
            | Self::Reviewed { .. } => Err(self.wrong()),
        }
    }

    /// Ends an active session early.
    pub fn revoke(self, now: Timestamp, by: Principal) -> Result<Self, WrongSessionState> {
        match self {
            Self::Active { from, until } if now < until => Ok(Self::Ended {
                from,
                at: now.max(from),
                by: EndedBy::Revoked(by),
            }),
            Self::Active { .. } => Err(WrongSessionState(SessionStatus::Ended)),
            Self::Pending | Self::NotStarted(_) | Self::Ended { .. } | Self::Reviewed { .. } => {
                Err(self.wrong())
            }
        }
    }

    /// Ends a session whose time is over. The end is the planned one, however late this is called.
    pub fn lapse(self, now: Timestamp) -> Result<Self, WrongSessionState> {
        match self {
            Self::Active { from, until } if until <= now => Ok(Self::Ended {
                from,
                at: until,
                by: EndedBy::Time,
            }),
            Self::Pending
            | Self::NotStarted(_)
            | Self::Active { .. }
            | Self::Ended { .. }
            | Self::Reviewed { .. } => Err(self.wrong()),
        }
    }

    /// Adds the review to an ended session.
    pub fn review(self, review: SessionReview) -> Result<Self, WrongSessionState> {
        match self {
            Self::Ended { from, at, by } => Ok(Self::Reviewed {
                from,
                at,
                by,
                review,
            }),
            Self::Pending | Self::NotStarted(_) | Self::Active { .. } | Self::Reviewed { .. } => {
                Err(self.wrong())
            }
        }
    }

    /// The state at `now`: a session whose time is over reads as ended, even before the sweep has stored that.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        self.clone().lapse(now).unwrap_or(self)
    }

    /// The state as it was while the session had this status; a later state contains the earlier one.
    #[must_use]
    pub fn as_of(self, status: SessionStatus, duration: Span) -> Self {
        match (status, self) {
            (SessionStatus::Active, Self::Ended { from, .. } | Self::Reviewed { from, .. }) => {
                Self::Active {
                    from,
                    until: from.plus(duration),
                }
            }
            (SessionStatus::Ended, Self::Reviewed { from, at, by, .. }) => {
                Self::Ended { from, at, by }
            }
            (_, state) => state,
        }
    }

    /// Whether the session bypasses policies at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        matches!(self, Self::Active { from, until } if *from <= now && now < *until)
    }

    /// Whether a review is owed: the session ran, is over, and was not reviewed.
    pub fn owes_review(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }

    /// When the session started and when it ends or ended; `None` if it never ran.
    pub fn ran(&self) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::Pending | Self::NotStarted(_) => None,
            Self::Active { from, until: end }
            | Self::Ended { from, at: end, .. }
            | Self::Reviewed { from, at: end, .. } => Some((*from, *end)),
        }
    }

    /// What ended the session, as stored and displayed.
    pub fn ended_by(&self) -> Option<String> {
        match self {
            Self::Pending | Self::Active { .. } => None,
            Self::NotStarted(why) => Some(why.as_str().to_owned()),
            Self::Ended { by, .. } | Self::Reviewed { by, .. } => Some(match by {
                EndedBy::Time => "time".to_owned(),
                EndedBy::Revoked(who) => who.to_string(),
            }),
        }
    }

    fn wrong(&self) -> WrongSessionState {
        WrongSessionState(self.status())
    }
}
