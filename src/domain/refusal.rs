//! Every way in which a use case says no: a value with a code for programs and sentences for people.

use super::break_glass::SessionStatus;
use super::compiled_config::{ConfigError, Violation};
use super::eligibility::Ineligible;
use super::request::Status;

/// A refusal. Nothing has changed, except where a variant says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such request (or nothing that this caller may know of).
    NotFound,
    /// This person decided on this request before, whatever the verdict.
    AlreadyReviewed,
    /// The request has ended, or is not in a state that allows this.
    Closed(Status),
    /// What was approved or clicked is not what is stored.
    DigestMismatch,
    /// This person may not decide on this request.
    NotEligible(Ineligible),
    /// The request breaks rules; it was not stored.
    Violations(Vec<Violation>),
    /// Somebody else's request.
    NotYours,
    /// More is required now than when it was granted; the request waits again, or was cancelled.
    RequirementsChanged(String),
    /// The break-glass session that covered it has ended.
    SessionEnded,
    /// There is no such break-glass session.
    NoSession,
    /// A break-glass session is not in a state that allows this, and why.
    SessionClosed(SessionStatus, String),
    /// A door that needs a right this caller does not have.
    Forbidden(String),
    /// The same idempotency key came before with other content.
    KeyReused,
    /// The first call with this idempotency key has not ended yet.
    InFlight,
    /// Too many pending requests, or too many a second; after so many seconds it may be tried again.
    TooMany(String, u32),
    /// What it was made from is not what is stored any more.
    Stale(String),
    /// A row that this needs cannot be read by this release, so that nothing is decided by it; the log names the row.
    Unreadable,
    /// The document does not make sense; every problem of it, with its place.
    Invalid(Vec<ConfigError>),
}

impl Refusal {
    /// The code that the API answers with (docs/decisions.md D38).
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "request_not_found",
            Self::AlreadyReviewed | Self::SessionClosed(SessionStatus::Reviewed, _) => {
                "already_reviewed"
            }
            Self::Closed(_) => "request_closed",
            Self::DigestMismatch => "digest_mismatch",
            Self::NotEligible(_) => "not_eligible",
            Self::Violations(_) => "policy_violations",
            Self::NotYours => "not_yours",
            Self::RequirementsChanged(_) => "requirements_changed",
            Self::SessionEnded => "session_ended",
            Self::NoSession => "session_not_found",
            Self::SessionClosed(..) => "session_closed",
            Self::Forbidden(_) => "forbidden",
            Self::KeyReused => "idempotency_key_reused",
            Self::InFlight => "in_flight",
            Self::TooMany(..) => "too_many_requests",
            Self::Stale(_) => "stale",
            Self::Unreadable => "unreadable",
            Self::Invalid(_) => "invalid_configuration",
        }
    }

    /// What people read first; the specification's own sentence where it has one.
    pub fn title(&self) -> String {
        match self {
            Self::NotFound => "request not found".to_owned(),
            Self::AlreadyReviewed | Self::SessionClosed(SessionStatus::Reviewed, _) => {
                "already reviewed".to_owned()
            }
            Self::Closed(status) => format!("this request is {status}"),
            Self::DigestMismatch => "the content is not what was approved".to_owned(),
            Self::NotEligible(_) => "you are not an eligible approver for this request".to_owned(),
            Self::Violations(_) => "policy violations".to_owned(),
            Self::NotYours => "this request is not yours".to_owned(),
            Self::RequirementsChanged(_) => "the requirements have changed".to_owned(),
            Self::SessionEnded => "the break-glass session has ended".to_owned(),
            Self::NoSession => "break-glass session not found".to_owned(),
            Self::SessionClosed(status, _) => format!("this break-glass session is {status}"),
            Self::Forbidden(_) => "you may not do this".to_owned(),
            Self::KeyReused => "this idempotency key was used for something else".to_owned(),
            Self::InFlight => {
                "the first call with this idempotency key has not ended yet".to_owned()
            }
            Self::TooMany(..) => "too many requests".to_owned(),
            Self::Stale(_) => "somebody else has changed it".to_owned(),
            Self::Unreadable => "this release of Countersign cannot read it".to_owned(),
            Self::Invalid(_) => "this configuration does not make sense".to_owned(),
        }
    }

    /// Why, and what to do.
    pub fn detail(&self) -> String {
        match self {
            Self::NotFound => "It may have been cancelled, or its id is mistyped.".to_owned(),
            Self::AlreadyReviewed => "Your decision is recorded; there is nothing left for you to do.".to_owned(),
            Self::Closed(status) => format!("It is {status}, so nothing more can be done with it. Ask again if it is still needed."),
            Self::DigestMismatch => "Its digest differs. Look at the request again; changed content needs a new request.".to_owned(),
            Self::NotEligible(why) => why.to_string(),
            Self::Violations(violations) => violations.iter().map(|v| v.message.as_str()).collect::<Vec<_>>().join("; "),
            Self::NotYours => "Only who asked may do this, or who submitted it for them.".to_owned(),
            Self::RequirementsChanged(what) | Self::Forbidden(what) | Self::Stale(what) | Self::TooMany(what, _) => what.clone(),
            Self::KeyReused => "Use a new key for a new call.".to_owned(),
            Self::InFlight => "Try again in a moment with the same key.".to_owned(),
            Self::Unreadable => "A newer release has written it, or it was damaged; nothing has changed. Ask the operator of Countersign: the log and /readyz name the row.".to_owned(),
            Self::Invalid(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            Self::SessionEnded => "Ask again: policies gate it now.".to_owned(),
            Self::NoSession => "Its id is mistyped; `countersign break-glass status` lists them all.".to_owned(),
            Self::SessionClosed(_, why) => why.clone(),
        }
    }
}
