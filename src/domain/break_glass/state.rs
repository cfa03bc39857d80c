//! The life of a session: which state follows which, and nothing else.

use crate::domain::ask::{Violation, ViolationCode};
use crate::domain::id::PersonId;
use crate::domain::people::Directory;
use crate::domain::principal::Principal;
use crate::domain::text;
use crate::domain::time::{Span, Timestamp};
use std::fmt;

/// The name of a session's state, as stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionStatus {
    /// Its start waits for approvers.
    Pending,
    /// It bypasses policies.
    Active,
    /// It is over, or was never started.
    Ended,
    /// It is over, and somebody has looked into it.
    Reviewed,
}

impl SessionStatus {
    /// All of them, in the order of a session's life.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Ended, Self::Reviewed];

    /// The word that is stored and shown.
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

/// Who or what ended a session that ran; stored and shown as `time`, or the principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedBy {
    /// Its time was over.
    Time,
    /// It was revoked.
    Revoked(Principal),
}

/// Why a session never started: what became of the request for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStarted {
    /// An eligible person rejected it.
    Rejected,
    /// It was taken back, or could not be started any more.
    Cancelled,
    /// Nobody decided in time.
    Expired,
}

impl NotStarted {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// Somebody's look into a session that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionReview {
    /// Whose.
    pub by: PersonId,
    /// What they found.
    pub note: String,
    /// When.
    pub at: Timestamp,
}

impl SessionReview {
    /// What somebody found; a review that says nothing is none.
    pub fn new(by: &PersonId, note: &str, at: Timestamp) -> Result<Self, Vec<Violation>> {
        let note = text::said("note", Some(note)).map_err(|broken| vec![broken])?;
        let note = note.ok_or_else(|| {
            vec![Violation::new(
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

/// Where a session stands; what a state does not have cannot be read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionState {
    /// Its start waits for approvers.
    Pending,
    /// The request for it ended otherwise; it owes no review.
    NotStarted(NotStarted),
    /// It bypasses policies from `from` on, until `until` (exclusive).
    Active {
        /// The first moment.
        from: Timestamp,
        /// From this very millisecond on nothing is usable.
        until: Timestamp,
    },
    /// It is over.
    Ended {
        /// When it began.
        from: Timestamp,
        /// When it ended.
        at: Timestamp,
        /// Why.
        by: EndedBy,
    },
    /// It is over and reviewed.
    Reviewed {
        /// When it began.
        from: Timestamp,
        /// When it ended.
        at: Timestamp,
        /// Why.
        by: EndedBy,
        /// What the reviewer found.
        review: SessionReview,
    },
}

/// The command does not fit the state, which is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session is {0}")]
pub struct WrongSessionState(pub SessionStatus);

impl SessionState {
    /// The state's name.
    pub fn status(&self) -> SessionStatus {
        match self {
            Self::Pending => SessionStatus::Pending,
            Self::Active { .. } => SessionStatus::Active,
            Self::NotStarted(_) | Self::Ended { .. } => SessionStatus::Ended,
            Self::Reviewed { .. } => SessionStatus::Reviewed,
        }
    }

    /// Names the reviewer by the id they go by now. Who ended it stays as it is stored: what is over is never written again.
    pub(super) fn recognise(&mut self, directory: &Directory) {
        if let Self::Reviewed { review, .. } = self {
            review.by = directory.canonical(&review.by).clone();
        }
    }

    /// Its time begins, in the commit that lets it.
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

    /// Somebody ends it before its time.
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

    /// Time ends it, at its very end, however late that is noticed.
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

    /// Somebody has looked into it.
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

    /// The state as it is at `now`: what time has ended reads as ended, whether or not a sweep has come by.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        self.clone().lapse(now).unwrap_or(self)
    }

    /// Whether it bypasses policies at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        matches!(self, Self::Active { from, until } if *from <= now && now < *until)
    }

    /// Whether a review is owed: it ran, it is over, and nobody has looked into it.
    pub fn owes_review(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }

    /// When it began and when it ends or ended; none for one that never ran.
    pub fn ran(&self) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::Pending | Self::NotStarted(_) => None,
            Self::Active { from, until: end }
            | Self::Ended { from, at: end, .. }
            | Self::Reviewed { from, at: end, .. } => Some((*from, *end)),
        }
    }

    /// Who or what ended it, as it is stored and shown.
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
