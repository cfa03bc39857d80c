//! What is recorded, in the same commit as what it records (docs/decisions.md D29).

use super::decision::Via;
use super::id::{AuditId, RequestId, SessionId};
use super::principal::Principal;
use super::time::Timestamp;
use serde_json::Value;

/// One event of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// Its id.
    pub id: AuditId,
    /// When, by the clock that decided.
    pub at: Timestamp,
    /// What happened.
    pub what: AuditEventKind,
    /// Who did it.
    pub actor: Principal,
    /// Through which door.
    pub via: Via,
    /// The request it is about.
    pub request: Option<RequestId>,
    /// The break-glass session it belongs to.
    pub session: Option<SessionId>,
    /// What else is worth knowing: before and after, digest, comment, policies.
    pub detail: Value,
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The kinds of event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AuditEventKind { $($(#[$doc])* $name,)* }

        impl AuditEventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word that is stored and shown.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

events! {
    /// Somebody asked, and policies gate it.
    RequestCreated = "request.created",
    /// Somebody asked, and no policy gates it.
    RequestAllowed = "request.allowed",
    /// Somebody asked, and a break-glass session covers it.
    RequestBypassed = "request.bypassed",
    /// An eligible person approved.
    VoteApproved = "vote.approved",
    /// An eligible person rejected.
    VoteRejected = "vote.rejected",
    /// Somebody who may not decide tried to.
    VoteRefused = "vote.refused",
    /// The last quorum was met.
    RequestApproved = "request.approved",
    /// A rejection ended it.
    RequestRejected = "request.rejected",
    /// It was taken back.
    RequestCancelled = "request.cancelled",
    /// Time ended it.
    RequestExpired = "request.expired",
    /// It was handed out for execution.
    RequestExecuted = "request.executed",
    /// Its outcome was reported.
    RequestCompleted = "request.completed",
    /// More was required when it was to be run; it waits again.
    RequestReopened = "request.reopened",
    /// An execution was refused.
    ExecutionRefused = "execution.refused",
    /// A new version of the configuration holds.
    ConfigChanged = "config.changed",
    /// Slack told of other people or groups, and the directory followed.
    DirectoryChanged = "directory.changed",
    /// An API token was made.
    TokenCreated = "token.created",
    /// An API token was revoked.
    TokenRevoked = "token.revoked",
    /// A break-glass session started.
    SessionStarted = "break_glass.started",
    /// A break-glass session ended, by time or by revocation.
    SessionEnded = "break_glass.ended",
    /// A break-glass session was reviewed.
    SessionReviewed = "break_glass.reviewed",
    /// The operator wrote past the rules (`recover`).
    Recovered = "operator.recovered",
    /// A cancellation, a report or another call about a request was refused.
    RequestRefused = "request.refused",
    /// A change of the configuration was refused.
    ConfigRefused = "config.refused",
    /// The start, the end or the review of a break-glass session was refused.
    SessionRefused = "break_glass.refused",
    /// Calls came with a token that is unknown, revoked or lacks the scope.
    TokenRefused = "token.refused",
    /// Written by a later release; never written by this one.
    Unknown = "unknown",
}

impl std::str::FromStr for AuditEventKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|what| what.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no kind of audit event"))
    }
}

impl AuditEvent {
    /// Whether it is highlighted wherever the log is shown (specification: Prominent Flag).
    pub fn prominent(&self) -> bool {
        self.session.is_some()
            || match self.what {
                AuditEventKind::RequestBypassed
                | AuditEventKind::SessionStarted
                | AuditEventKind::SessionEnded
                | AuditEventKind::SessionReviewed
                | AuditEventKind::Recovered => true,
                AuditEventKind::RequestCreated
                | AuditEventKind::RequestAllowed
                | AuditEventKind::VoteApproved
                | AuditEventKind::VoteRejected
                | AuditEventKind::VoteRefused
                | AuditEventKind::RequestApproved
                | AuditEventKind::RequestRejected
                | AuditEventKind::RequestCancelled
                | AuditEventKind::RequestExpired
                | AuditEventKind::RequestExecuted
                | AuditEventKind::RequestCompleted
                | AuditEventKind::RequestReopened
                | AuditEventKind::ExecutionRefused
                | AuditEventKind::ConfigChanged
                | AuditEventKind::DirectoryChanged
                | AuditEventKind::TokenCreated
                | AuditEventKind::TokenRevoked
                | AuditEventKind::RequestRefused
                | AuditEventKind::ConfigRefused
                | AuditEventKind::SessionRefused
                | AuditEventKind::TokenRefused
                | AuditEventKind::Unknown => false,
            }
    }
}
