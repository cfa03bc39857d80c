//! Approving and rejecting; the approver is the token's person, and no field names one.

use super::Api;
use super::access::{Allowed, Decide};
use super::body::{self, Call, Named};
use super::problem::Problem;
use super::requests::seen;
use super::view::RequestView;
use crate::app::{ApproverIdentity, DecisionInput, RequestRef};
use crate::domain::decision::{DecisionKind, Via};
use crate::domain::digest::SeenDigest;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecisionBody {
    /// `approve` or `reject`.
    #[schema(value_type = String, example = "approve", pattern = "^(approve|reject)$")]
    verdict: DecisionKind,
    /// In your own words, in at most 4,000 characters.
    comment: Option<String>,
    /// What you have looked at; given, it must be the request's digest.
    digest: Option<String>,
}

/// Approve or reject
///
/// One decision per person and request; one eligible rejection ends it.
#[utoipa::path(post, path = "/v1/requests/{id}/decisions", tag = "requests", request_body = DecisionBody,
    params(("id" = String, Path, description = "The id or the number"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated call have effect once, for 7 days")),
    responses((status = 200, description = "The request as it is now", body = RequestView)))]
pub(super) async fn decide(
    allowed: Allowed<Decide>,
    State(api): State<Api>,
    Named(request): Named,
    call: Call<DecisionBody>,
) -> Result<Json<RequestView>, Problem> {
    let Some(person) = allowed.person().cloned() else {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "you may not do this",
            "Only people decide.",
        ));
    };
    let comment = body::text("comment", call.body.comment.as_deref())?;
    let once = call.once(&allowed.caller);
    let click = DecisionInput {
        identity: ApproverIdentity::Person(person),
        request,
        digest: call.body.digest.as_deref().map(SeenDigest::from),
        verdict: call.body.verdict,
        comment,
        pages_seen: Vec::new(),
        via: Via::Api,
        authentication: None,
        once,
    };
    let decided = api.app.decide(click).await?;
    let shown = api.app.show(&RequestRef::Id(decided.request)).await?;
    Ok(Json(seen(&api, &allowed.caller, &shown)?))
}
