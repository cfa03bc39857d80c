//! Every answer that is no success: RFC 9457 problem details with a `code` for programs and sentences for people.

use crate::app::{AppError, LogLimit};
use crate::domain::refusal::Refusal;
use crate::domain::request::Status;
use crate::domain::violation::{Violation, ViolationCode};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::ops::{Deref, DerefMut};
use utoipa::ToSchema;

/// While the database fails, each call fails, however many there are; `countersign_api_problems_total` counts them.
static CALLS_FAILED: LogLimit = LogLimit::new();

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// After so many seconds a call that the database did not take may be tried again.
const RETRY_AFTER_OUTAGE: u32 = 5;

/// Why a call did not do what it was asked; boxed, since every call may answer it and few do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problem(Box<Details>);

impl Deref for Problem {
    type Target = Details;
    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

/// Why a call did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct Details {
    /// For programs: it never changes its meaning.
    #[schema(example = "already_reviewed")]
    pub code: String,
    /// For people, in a few words.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// Why, and what to do.
    pub detail: String,
    /// The state that did not allow it (`request_closed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The rules a request breaks (`policy_violations`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<ViolationView>,
    /// What is wrong with a configuration, each with its place (`invalid_configuration`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ConfigErrorView>,
    #[serde(skip)]
    retry_after: Option<u32>,
    #[serde(skip)]
    challenge: Option<&'static str>,
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ViolationView {
    /// The policy whose rule it is, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The rule.
    #[schema(value_type = String, example = "reason_required")]
    pub rule: ViolationCode,
    /// What is wrong and what to do.
    pub message: String,
}

impl From<Violation> for ViolationView {
    fn from(violation: Violation) -> Self {
        Self {
            policy: violation.policy.map(|id| id.as_str().to_owned()),
            rule: violation.rule,
            message: violation.message,
        }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigErrorView {
    /// Where.
    #[schema(example = "policies[2].quorum.requiredTeamIds[0]")]
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// A problem without extras.
    pub fn new(status: StatusCode, code: &str, title: &str, detail: &str) -> Self {
        Self(Box::new(Details {
            code: code.to_owned(),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.to_owned(),
            state: None,
            violations: Vec::new(),
            problems: Vec::new(),
            retry_after: None,
            challenge: None,
        }))
    }

    /// With a `WWW-Authenticate` header.
    #[must_use]
    pub fn with_challenge(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Something of ours is broken; the caller learns no more than that.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "internal error",
            "Nothing was decided by this call. Try again; the log has the cause under the response's `x-request-id`.",
        )
    }

    /// Not done in time, or too much at once.
    pub fn busy() -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "busy",
            "Try again in a moment, with the same `Idempotency-Key` where there was one.",
        );
        problem.retry_after = Some(1);
        problem
    }

    /// What time it is, is not known.
    pub fn clock_unsure() -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "clock_unsure",
            "the clock has jumped",
            "Nothing is executed until two readings of the database's clock agree, which takes seconds. Try again with the same `Idempotency-Key`.",
        );
        problem.retry_after = Some(2);
        problem
    }

    /// The database answers and takes no writes.
    pub fn not_writable(why: &str) -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_writable",
            "the database cannot be written",
            &format!(
                "Nothing was recorded: {why}. Reading still works. Try again with the same `Idempotency-Key` once the operator has fixed it."
            ),
        );
        problem.retry_after = Some(RETRY_AFTER_OUTAGE);
        problem
    }

    /// The database does not answer.
    pub fn no_database() -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database_unavailable",
            "the database does not answer",
            "It is unknown whether anything was recorded. Try again with the same `Idempotency-Key` in a moment; the log and `/readyz` tell the operator why.",
        );
        problem.retry_after = Some(RETRY_AFTER_OUTAGE);
        problem
    }

    /// The stored configuration was written by a newer release, or does not compile.
    pub fn unreadable_config() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "configuration_unreadable",
            "the stored configuration cannot be read by this release",
            "Nothing is decided without it, and nothing was recorded. The log and `/readyz` tell the operator why.",
        )
    }

    /// Understood, but a value does not fit.
    pub fn unfit(code: &str, detail: &str) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            code,
            "this call does not fit",
            detail,
        )
    }

    /// Nothing is here; `asked` is the method and the path.
    pub fn no_route(asked: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "nothing is here",
            &format!("`{asked}` is not a route. `/openapi.json` lists every route."),
        )
    }

    /// The route exists, but not with this method.
    pub fn wrong_method(asked: &str, methods: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "method not allowed",
            &format!(
                "`{asked}` is not a route; this path takes {methods}. `/openapi.json` lists every route and its methods."
            ),
        )
    }
}

/// The status that says what kind of no it is: 403 a missing right, 409 a state, 412 an old version, 422 content.
fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NotFound | Refusal::NoSession => StatusCode::NOT_FOUND,
        Refusal::AlreadyReviewed
        | Refusal::Closed(_)
        | Refusal::DigestMismatch
        | Refusal::RequirementsChanged(_)
        | Refusal::SessionEnded
        | Refusal::SessionClosed(..)
        | Refusal::Unreadable
        | Refusal::InFlight => StatusCode::CONFLICT,
        Refusal::NotEligible(_)
        | Refusal::OnWebOnly { .. }
        | Refusal::SignInTooOld { .. }
        | Refusal::NotYours
        | Refusal::Forbidden(_) => StatusCode::FORBIDDEN,
        Refusal::Violations(_) | Refusal::KeyReused | Refusal::Invalid(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Refusal::TooMany(..) => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Stale(_) => StatusCode::PRECONDITION_FAILED,
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let mut problem = Self::new(
            status_of(&refusal),
            refusal.code(),
            &refusal.title(),
            &refusal.detail(),
        );
        match refusal {
            Refusal::Closed(status) => problem.state = Some(Status::as_str(status).to_owned()),
            Refusal::SessionClosed(status, _) => problem.state = Some(status.to_string()),
            Refusal::TooMany(_, seconds) => problem.retry_after = Some(seconds.max(1)),
            Refusal::InFlight => problem.retry_after = Some(1),
            Refusal::Violations(violations) => {
                problem.violations = violations.into_iter().map(ViolationView::from).collect();
            }
            Refusal::Invalid(problems) => {
                problem.problems = problems
                    .into_iter()
                    .map(|wrong| ConfigErrorView {
                        path: wrong.path,
                        message: wrong.message,
                    })
                    .collect();
            }
            Refusal::NotFound
            | Refusal::AlreadyReviewed
            | Refusal::DigestMismatch
            | Refusal::NotEligible(_)
            | Refusal::OnWebOnly { .. }
            | Refusal::SignInTooOld { .. }
            | Refusal::NotYours
            | Refusal::RequirementsChanged(_)
            | Refusal::SessionEnded
            | Refusal::NoSession
            | Refusal::Forbidden(_)
            | Refusal::KeyReused
            | Refusal::Unreadable
            | Refusal::Stale(_) => {}
        }
        problem
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Refused(refusal) => refusal.into(),
            AppError::Busy => Self::busy(),
            AppError::ClockUnsure => Self::clock_unsure(),
            AppError::NotWritable(why) => {
                tracing::error!(%why, "a call could not be recorded: the database cannot be written");
                Self::not_writable(&why)
            }
            AppError::NoDatabase(why) => {
                tracing::error!(%why, "a call failed: the database does not answer");
                Self::no_database()
            }
            AppError::UnreadableConfig(why) => {
                tracing::error!(%why, "refused: the stored configuration cannot be read");
                Self::unreadable_config()
            }
            AppError::Internal(why) => {
                if let Some(left_out) = CALLS_FAILED.admit() {
                    tracing::error!(%why, left_out, "a call failed");
                }
                Self::internal()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        metrics::counter!("countersign_api_problems_total", "code" => self.code.clone())
            .increment(1);
        let (retry_after, challenge) = (self.retry_after, self.challenge);
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

#[cfg(test)]
#[path = "problem_tests.rs"]
mod tests;
