//! Audit events. Each is stored in the same transaction as the change it describes (docs/decisions.md D29).

use super::decision::Via;
use super::id::{AuditId, RequestId, SessionId};
use super::principal::Principal;
use super::time::Timestamp;
use serde_json::Value;

/// One event of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// The event's id.
    pub id: AuditId,
    /// When it happened, by the clock that the use case used.
    pub at: Timestamp,
    /// What happened.
    pub what: AuditEventKind,
    /// Who did it.
    pub actor: Principal,
    /// The interface it came through.
    pub via: Via,
    /// The request that the event is about.
    pub request: Option<RequestId>,
    /// The break-glass session that the event belongs to.
    pub session: Option<SessionId>,
    /// More data as JSON: before and after, digest, comment, policies.
    pub detail: Value,
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The kinds of audit events.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AuditEventKind { $($(#[$doc])* $name,)* }

        impl AuditEventKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word that is stored and displayed.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

events! {
    /// A request was created; policies gate it.
    RequestCreated = "request.created",
    /// A request was created; no policy gates it.
    RequestAllowed = "request.allowed",
    /// A request was created; a break-glass session covers it.
    RequestBypassed = "request.bypassed",
    /// An eligible person approved.
    VoteApproved = "vote.approved",
    /// An eligible person rejected.
    VoteRejected = "vote.rejected",
    /// A decision was refused.
    VoteRefused = "vote.refused",
    /// The last quorum of a request was met.
    RequestApproved = "request.approved",
    /// A rejection ended a request.
    RequestRejected = "request.rejected",
    /// A request was cancelled.
    RequestCancelled = "request.cancelled",
    /// A request expired.
    RequestExpired = "request.expired",
    /// A grant was claimed for execution.
    RequestExecuted = "request.executed",
    /// The outcome of an execution was reported.
    RequestCompleted = "request.completed",
    /// More approvals were required at execution, so the request is pending again.
    RequestReopened = "request.reopened",
    /// An execution was refused.
    ExecutionRefused = "execution.refused",
    /// A new version of the configuration is in force.
    ConfigChanged = "config.changed",
    /// A sync with Slack changed the directory.
    DirectoryChanged = "directory.changed",
    /// An API token was created.
    TokenCreated = "token.created",
    /// An API token was revoked.
    TokenRevoked = "token.revoked",
    /// A break-glass session started.
    SessionStarted = "break_glass.started",
    /// A break-glass session ended, by time or by revocation.
    SessionEnded = "break_glass.ended",
    /// A break-glass session was reviewed.
    SessionReviewed = "break_glass.reviewed",
    /// The operator changed the configuration without the usual checks (`recover`).
    Recovered = "operator.recovered",
    /// A cancellation, a completion or another call about a request was refused.
    RequestRefused = "request.refused",
    /// A configuration change was refused.
    ConfigRefused = "config.refused",
    /// The start, revocation or review of a break-glass session was refused.
    SessionRefused = "break_glass.refused",
    /// Calls used a token that is unknown, revoked or without the required scope.
    TokenRefused = "token.refused",
    /// A webhook endpoint that failed for a day was switched off.
    WebhookDisabled = "webhook.disabled",
    /// The operator switched a webhook endpoint on again.
    WebhookEnabled = "webhook.enabled",
    /// A person changed what they want to be told.
    PreferencesChanged = "preferences.changed",
    /// A person signed in to the web pages.
    SignedIn = "session.signed_in",
    /// A person signed out of the web pages.
    SignedOut = "session.signed_out",
    /// A sign-in was ended by somebody else, or the person signed out everywhere.
    SignInRevoked = "session.revoked",
    /// A sign-in to the web pages was refused.
    SignInRefused = "session.refused",
    /// An event of a later release; this release never writes it.
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
    /// Whether the event is highlighted wherever the log is displayed: events about break-glass and recovery.
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
                | AuditEventKind::WebhookDisabled
                | AuditEventKind::WebhookEnabled
                | AuditEventKind::PreferencesChanged
                | AuditEventKind::SignedIn
                | AuditEventKind::SignedOut
                | AuditEventKind::SignInRevoked
                | AuditEventKind::SignInRefused
                | AuditEventKind::Unknown => false,
            }
    }
}
