//! Deciding and cancelling on the web: the same use cases as everywhere else.

use super::{back_to_list, number_of, parts_seen};
use crate::app::{AppError, ApproverIdentity, DecisionInput, RequestRef};
use crate::domain::decision::{DecisionKind, Via};
use crate::domain::digest::SeenDigest;
use crate::domain::refusal::Refusal;
use crate::domain::sign_in::Identity;
use crate::web::Web;
use crate::web::access::Visitor;
use crate::web::failure::Failure;
use crate::web::fields::Fields;
use crate::web::next;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};

/// `POST /approvals/{number}/decision`
pub(in crate::web) async fn decide(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    let number = number_of(&number)?;
    let page = format!("/approvals/{number}");
    let verdict = match fields.get("decision") {
        Some("approve") => DecisionKind::Approve,
        Some("reject") => DecisionKind::Reject,
        _ => return Err(incomplete(&page, "Choose Approve or Reject.")),
    };
    // the digest of what the page showed: without it, a changed request could be approved
    let Some(digest) = fields.get("digest").map(SeenDigest::from) else {
        return Err(incomplete(&page, "Open the page again and decide there."));
    };
    let input = DecisionInput {
        identity: match visitor.signed_in.sign_in.identity.clone() {
            Identity::Slack(account) => ApproverIdentity::Slack(account),
            Identity::Oidc(identity) => ApproverIdentity::Oidc(identity),
        },
        request: RequestRef::Number(number),
        digest: Some(digest),
        verdict,
        comment: fields.get("comment").map(str::to_owned),
        pages_seen: (fields.get("seen").map(parts_seen).into_iter().flatten()).collect(),
        via: Via::Web,
        authentication: visitor.signed_in.sign_in.authentication(),
        once: None,
    };
    let comment = input.comment.clone();
    match web.app.decide(input).await {
        Err(AppError::Refused(refusal @ Refusal::SignInTooOld { .. })) => {
            let sign_in = next::prove_and_return_to(&page, &visitor.signed_in.sign_in.identity);
            let failure = Failure::from(refusal).leading_to(sign_in, "Sign in again");
            return Err(failure.keeping(comment));
        }
        decided => decided.map_err(|error| leading_back(error.into(), page.clone()))?,
    };
    Ok(Redirect::to(&page).into_response())
}

/// `POST /approvals/{number}/cancel`
pub(in crate::web) async fn cancel(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    let number = number_of(&number)?;
    let page = format!("/approvals/{number}");
    let request = RequestRef::Number(number);
    let cancelled = web.app.cancel(&visitor.caller(), &request, None).await;
    cancelled.map_err(|error| leading_back(error.into(), page.clone()))?;
    Ok(Redirect::to(&page).into_response())
}

fn incomplete(page: &str, what_next: &str) -> Failure {
    let title = "This decision is incomplete";
    let detail = format!("Nothing was recorded. {what_next}");
    let failure = Failure::new(StatusCode::UNPROCESSABLE_ENTITY, title, detail);
    leading_back(failure, page.to_owned())
}

fn leading_back(failure: Failure, page: String) -> Failure {
    if failure.is_missing() {
        back_to_list(failure)
    } else {
        failure.leading_to(page, "Back to the request")
    }
}
