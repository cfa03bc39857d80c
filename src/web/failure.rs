//! What a page says when something is refused or fails: what happened, why, and what to do next.

use super::next;
use super::page::{Shell, render};
use crate::app::{AppError, LogLimit};
use crate::domain::refusal::Refusal;
use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

static PAGES_FAILED: LogLimit = LogLimit::new();

/// A page that says no.
#[derive(Debug, Clone)]
pub struct Failure {
    status: StatusCode,
    title: String,
    detail: String,
    link: Option<(String, &'static str)>,
    /// What the person had written, so that they can copy it.
    kept: Option<String>,
}

#[derive(Template)]
#[template(path = "failure.html", config = "src/web/askama.toml")]
struct FailurePage<'a> {
    shell: Shell,
    failure: &'a Failure,
}

impl Failure {
    /// A failure with its two sentences.
    pub fn new(status: StatusCode, title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            status,
            title: title.into(),
            detail: detail.into(),
            link: None,
            kept: None,
        }
    }

    /// The same, with where to go next.
    #[must_use]
    pub fn leading_to(mut self, path: impl Into<String>, words: &'static str) -> Self {
        self.link = Some((path.into(), words));
        self
    }

    /// The same, with what the person had written.
    #[must_use]
    pub fn keeping(mut self, text: Option<String>) -> Self {
        self.kept = text.filter(|text| !text.is_empty());
        self
    }

    /// Whether it says that something does not exist.
    pub fn is_missing(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    pub(super) fn switched_off() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "The web pages are switched off",
            "Use Countersign in Slack. An administrator can switch the pages on with `console` in the configuration.",
        )
    }

    pub(super) fn no_public_url() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The web pages have no address",
            "Sign-in needs to know where people reach this server. Ask the operator to set COUNTERSIGN_PUBLIC_URL.",
        )
    }

    pub(super) fn forged() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "This form was not accepted",
            "It did not come from a page of your present sign-in, so nothing was changed. Open the page again and repeat what you did.",
        )
        .leading_to(next::START, "Open the approvals")
    }

    pub(super) fn altered_audit(place: i64) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The audit log was changed after it had been sealed",
            format!(
                "Row {place} does not fit the rows before it, so this row and everything after it cannot be trusted. Ask the operator to run `countersign audit verify`."
            ),
        )
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "This form is too large",
            "Nothing was changed. Shorten your text, then send it again.",
        )
    }

    pub(super) fn signed_out(back: &str) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "Your sign-in has ended",
            "Nothing was changed. Sign in again, then repeat what you did.",
        )
        .leading_to(next::sign_in_and_return_to(back), "Sign in again")
    }

    pub(super) fn too_many_streams() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many pages are open",
            "This page does not update by itself. Close others, or reload it.",
        )
    }

    pub(super) fn no_page() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "This page does not exist",
            "Check the address, or choose a request from the list.",
        )
        .leading_to(next::START, "Open the approvals")
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let unavailable =
            |title: &str, detail: &str| Self::new(StatusCode::SERVICE_UNAVAILABLE, title, detail);
        match error {
            AppError::Refused(refusal) => refusal.into(),
            AppError::Busy => unavailable(
                "Countersign is busy",
                "It is not known whether your change was recorded. Open the page again to see, then repeat it if needed.",
            ),
            AppError::ClockUnsure => unavailable(
                "The clock has jumped",
                "Nothing was changed. Try again in a minute.",
            ),
            AppError::NotWritable(why) => {
                tracing::error!(%why, "a page could not record anything: the database cannot be written");
                unavailable(
                    "The database cannot be written",
                    "Nothing was recorded; reading still works. Ask the operator: the log and /readyz name the cause.",
                )
            }
            AppError::NoDatabase(why) => {
                tracing::error!(%why, "a page failed: the database does not answer");
                unavailable(
                    "The database does not answer",
                    "It is not known whether anything was recorded. Try again in a moment, or ask the operator.",
                )
            }
            AppError::UnreadableConfig(why) => {
                tracing::error!(%why, "refused: the stored configuration cannot be read");
                unavailable(
                    "This release cannot read the stored configuration",
                    "Nothing is decided without it. Ask the operator: the log and /readyz name the cause.",
                )
            }
            AppError::Internal(why) => {
                if let Some(left_out) = PAGES_FAILED.admit() {
                    tracing::error!(%why, left_out, "a page failed");
                }
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Something went wrong in Countersign",
                    "The log names the cause. Try again, or ask the operator.",
                )
            }
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::NotFound | Refusal::NoSession => StatusCode::NOT_FOUND,
            Refusal::NotEligible(_)
            | Refusal::OnWebOnly { .. }
            | Refusal::SignInTooOld { .. }
            | Refusal::NotYours
            | Refusal::Forbidden(_) => StatusCode::FORBIDDEN,
            Refusal::Violations(_) | Refusal::KeyReused | Refusal::Invalid(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Refusal::TooMany(..) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::AlreadyReviewed
            | Refusal::Closed(_)
            | Refusal::DigestMismatch
            | Refusal::RequirementsChanged(_)
            | Refusal::SessionEnded
            | Refusal::SessionClosed(..)
            | Refusal::Unreadable
            | Refusal::InFlight
            | Refusal::Stale(_) => StatusCode::CONFLICT,
        };
        let title = refusal.title();
        let mut letters = title.chars();
        let title = letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect()
        });
        Self::new(status, title, refusal.detail())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let page = FailurePage {
            shell: Shell::nobody(),
            failure: &self,
        };
        let mut response = render(&page);
        if response.status() == StatusCode::OK {
            *response.status_mut() = self.status;
        }
        response
    }
}
