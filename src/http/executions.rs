//! Carrying out what was approved: execute once, report, or take it back.

use super::Api;
use super::access::{Allowed, Execute, WriteRequests};
use super::body::{self, Call, Named};
use super::problem::Problem;
use super::requests::seen;
use super::view::{RequestView, raw};
use crate::app::{AppError, Executed};
use crate::domain::digest::{Digest, canonical};
use crate::domain::request::Outcome;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Nothing needs to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelBody {}

/// Take a request back
///
/// Possible until it is executed: for who asked, who submitted it, administrators and its eligible approvers.
#[utoipa::path(post, path = "/v1/requests/{id}/cancel", tag = "requests", request_body = Option<CancelBody>,
    params(("id" = String, Path, description = "The id or the number"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated call have effect once, for 7 days")),
    responses((status = 200, description = "The cancelled request", body = RequestView)))]
pub(super) async fn cancel(
    allowed: Allowed<WriteRequests>,
    State(api): State<Api>,
    Named(request): Named,
    call: Call<CancelBody>,
) -> Result<Json<RequestView>, Problem> {
    let once = call.once(&allowed.caller);
    let CancelBody {} = call.body;
    let shown = api.app.cancel(&allowed.caller, &request, once).await?;
    Ok(Json(seen(&api, &allowed.caller, &shown)?))
}

/// What is about to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecuteBody {
    /// The digest of what was asked; another one is refused.
    digest: String,
}

/// What to run, and nothing else.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ExecutedView {
    /// `{action, payload, target}` in canonical form (RFC 8785); `digest` is the SHA-256 of these very bytes.
    #[schema(value_type = serde_json::Value)]
    pub content: Box<RawValue>,
    /// What was approved.
    pub digest: String,
    /// The request, executed.
    pub request: RequestView,
}

/// Run what was approved, once
///
/// Everything is checked again: state, time, digest, who approved, and the policies as they are now. Run the `content` of the answer.
#[utoipa::path(post, path = "/v1/requests/{id}/execute", tag = "requests", request_body = ExecuteBody,
    params(("id" = String, Path, description = "The id or the number"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats the answer instead of refusing, so that a lost one burns no approval")),
    responses((status = 200, description = "What to run", body = ExecutedView)))]
pub(super) async fn execute(
    allowed: Allowed<Execute>,
    State(api): State<Api>,
    Named(request): Named,
    call: Call<ExecuteBody>,
) -> Result<Json<ExecutedView>, Problem> {
    let once = call.once(&allowed.caller);
    let digest = call.body.digest.as_str().into();
    let executed = api
        .app
        .execute(&allowed.caller, &request, digest, once)
        .await?;
    let content = content(&executed)?;
    let request = seen(&api, &allowed.caller, &executed.shown)?;
    Ok(Json(ExecutedView {
        content,
        digest: request.digest.clone(),
        request,
    }))
}

/// The canonical document that was hashed; it is not handed out unless its hash is the approved digest.
fn content(executed: &Executed) -> Result<Box<RawValue>, AppError> {
    let request = &executed.shown.request;
    let broken = |why: &str| AppError::Internal(format!("{}: {why}", request.id));
    let target = canonical(&request.target).map_err(|_| broken("its target is no JSON"))?;
    let action = serde_json::Value::from(request.action.as_str());
    let payload = &executed.payload;
    let text = format!(r#"{{"action":{action},"payload":{payload},"target":{target}}}"#);
    if Digest::of(text.as_bytes()) != request.digest {
        return Err(broken("its content does not have its digest"));
    }
    raw(&text)
}

/// How it ended.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteBody {
    /// `succeeded` or `failed`.
    #[schema(value_type = String, example = "succeeded", pattern = "^(succeeded|failed)$")]
    outcome: Outcome,
    /// More about it, in at most 4,000 characters.
    message: Option<String>,
}

/// Report how the execution ended
#[utoipa::path(post, path = "/v1/requests/{id}/complete", tag = "requests", request_body = CompleteBody,
    params(("id" = String, Path, description = "The id or the number"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated call have effect once, for 7 days")),
    responses((status = 200, description = "The completed request", body = RequestView)))]
pub(super) async fn complete(
    allowed: Allowed<Execute>,
    State(api): State<Api>,
    Named(request): Named,
    call: Call<CompleteBody>,
) -> Result<Json<RequestView>, Problem> {
    let once = call.once(&allowed.caller);
    let CompleteBody { outcome, message } = call.body;
    let message = body::text("message", message.as_deref())?;
    let shown = api
        .app
        .complete(&allowed.caller, &request, outcome, message, once)
        .await?;
    Ok(Json(seen(&api, &allowed.caller, &shown)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::view::tests::shown;

    #[test]
    fn what_runs_has_the_approved_digest_or_is_not_handed_out_ap7() {
        let mut executed = Executed {
            shown: shown(),
            payload: shown().request.payload,
        };
        let handed_out = content(&executed).expect("the fixture is consistent");
        assert_eq!(
            Digest::of(handed_out.get().as_bytes()),
            executed.shown.request.digest
        );
        executed.payload = r#"{"command":["rm"]}"#.to_owned();
        assert!(matches!(content(&executed), Err(AppError::Internal(_))));
    }
}
