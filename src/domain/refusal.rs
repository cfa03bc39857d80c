//! All refusals of use cases: a code for programs and texts for people.

use super::break_glass::SessionStatus;
use super::compiled_config::ConfigError;
use super::eligibility::Ineligible;
use super::request::Status;
use super::violation::Violation;

/// A refusal. Nothing has changed, except where a variant says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request does not exist, or this caller may not know about it.
    NotFound,
    /// This person already decided on this request, either way.
    AlreadyReviewed,
    /// The request has ended, or its status does not allow this.
    Closed(Status),
    /// The content that the caller approved or clicked differs from the stored content.
    DigestMismatch,
    /// This person may not decide on this request.
    NotEligible(Ineligible),
    /// A policy counts approvals on the web pages only, and this one came through another interface; with the address of the page.
    OnWebOnly {
        /// The policy's name.
        policy: String,
        /// The request's page, if the pages have an address.
        page: Option<String>,
    },
    /// A policy counts approvals only shortly after signing in, and this sign-in is older.
    SignInTooOld {
        /// The policy's name.
        policy: String,
    },
    /// The request has violations; it was not stored.
    Violations(Vec<Violation>),
    /// The request belongs to someone else.
    NotYours,
    /// More approvals are required now than when the request was granted. The request is pending again, or was cancelled.
    RequirementsChanged(String),
    /// The break-glass session that covered the request has ended.
    SessionEnded,
    /// The break-glass session does not exist.
    NoSession,
    /// The state of the break-glass session does not allow this; with the reason.
    SessionClosed(SessionStatus, String),
    /// The caller does not have the required right.
    Forbidden(String),
    /// The idempotency key was already used with different content.
    KeyReused,
    /// The first call with this idempotency key is still running.
    InFlight,
    /// Too many pending requests, or too many per second; with the seconds after which the caller may retry.
    TooMany(String, u32),
    /// The stored version is no longer the one that the call is based on.
    Stale(String),
    /// This release cannot read a row that it needs, so it refuses; the log names the row.
    Unreadable,
    /// The configuration is invalid; contains all config errors with their paths.
    Invalid(Vec<ConfigError>),
}

impl Refusal {
    /// The error code in the API (docs/decisions.md D38).
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "request_not_found",
            Self::AlreadyReviewed | Self::SessionClosed(SessionStatus::Reviewed, _) => {
                "already_reviewed"
            }
            Self::Closed(_) => "request_closed",
            Self::DigestMismatch => "digest_mismatch",
            Self::NotEligible(_) => "not_eligible",
            Self::OnWebOnly { .. } => "on_web_only",
            Self::SignInTooOld { .. } => "sign_in_too_old",
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

    /// The first line that people see. The wording of some titles is fixed.
    pub fn title(&self) -> String {
        match self {
            Self::NotFound => "request not found".to_owned(),
            Self::AlreadyReviewed | Self::SessionClosed(SessionStatus::Reviewed, _) => {
                "already reviewed".to_owned()
            }
            Self::Closed(status) => format!("this request is {status}"),
            Self::DigestMismatch => "the content is not what was approved".to_owned(),
            Self::NotEligible(_) => "you are not an eligible approver for this request".to_owned(),
            Self::OnWebOnly { .. } => "approvals of this request count on the web only".to_owned(),
            Self::SignInTooOld { .. } => "sign in again to approve this request".to_owned(),
            Self::Violations(_) => "policy violations".to_owned(),
            Self::NotYours => "this request is not yours".to_owned(),
            Self::RequirementsChanged(_) => "the requirements have changed".to_owned(),
            Self::SessionEnded => "the break-glass session has ended".to_owned(),
            Self::NoSession => "break-glass session not found".to_owned(),
            Self::SessionClosed(status, _) => format!("this break-glass session is {status}"),
            Self::Forbidden(_) => "you may not do this".to_owned(),
            Self::KeyReused => "this idempotency key was used for a different call".to_owned(),
            Self::InFlight => {
                "the first call with this idempotency key has not ended yet".to_owned()
            }
            Self::TooMany(..) => "too many requests".to_owned(),
            Self::Stale(_) => "it was changed in the meantime".to_owned(),
            Self::Unreadable => "this release of Countersign cannot read it".to_owned(),
            Self::Invalid(_) => "the configuration is invalid".to_owned(),
        }
    }

    /// Why, and what to do next.
    pub fn detail(&self) -> String {
        match self {
            Self::NotFound => "No request has this id, or you may not see it. Check the number or the id, then try again.".to_owned(),
            Self::AlreadyReviewed => "Your decision is recorded; there is nothing left for you to do.".to_owned(),
            Self::Closed(status) => next_step(*status).to_owned(),
            Self::DigestMismatch => "The digests differ, so nothing was done. Open the request again and read its content; changed content needs a new request.".to_owned(),
            Self::NotEligible(why) => why.to_string(),
            Self::OnWebOnly { policy, page } => on_web_only(policy, page.as_deref()),
            Self::SignInTooOld { policy } => format!("{policy} counts approvals only shortly after signing in, so nothing was recorded. Sign in again, then approve. You can reject it without that."),
            Self::Violations(violations) => violations.iter().map(|v| v.message.as_str()).collect::<Vec<_>>().join("; "),
            Self::NotYours => "Only the requester, or whoever submitted it for them, may do this.".to_owned(),
            Self::RequirementsChanged(what) | Self::Forbidden(what) | Self::Stale(what) | Self::TooMany(what, _) => what.clone(),
            Self::KeyReused => "Use a new key for a new call.".to_owned(),
            Self::InFlight => "Try again in a moment with the same key.".to_owned(),
            Self::Unreadable => "A newer release wrote it, or it is damaged. Nothing has changed. Ask the operator of Countersign: the log and /readyz name the row.".to_owned(),
            Self::Invalid(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            Self::SessionEnded => "Create a new request; policies gate it now.".to_owned(),
            Self::NoSession => "Check the id; `countersign break-glass status` lists all sessions.".to_owned(),
            Self::SessionClosed(_, why) => why.clone(),
        }
    }
}

fn on_web_only(policy: &str, page: Option<&str>) -> String {
    let next = match page {
        Some(page) => format!("Approve it at {page}"),
        None => "The pages have no address yet: ask the operator of Countersign to set COUNTERSIGN_PUBLIC_URL".to_owned(),
    };
    format!(
        "{policy} counts approvals only if they are given on the web pages, so nothing was recorded. {next} (rejecting works here, too)."
    )
}

/// What to do with a request whose status does not allow what was tried.
fn next_step(status: Status) -> &'static str {
    match status {
        Status::Pending => "It needs more approvals first.",
        Status::Approved | Status::Allowed | Status::Bypassed => {
            "It needs no more decisions; the requester can execute it."
        }
        Status::Rejected | Status::Cancelled | Status::Expired => {
            "It has ended. Create a new request if it is still needed."
        }
        Status::Executed | Status::Completed => {
            "It was executed. Create a new request to execute it again."
        }
    }
}
