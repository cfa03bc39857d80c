//! The stored configuration, with its version as the `ETag`.

use super::Api;
use super::access::{Allowed, ReadConfig, WriteConfig};
use super::body::{self, Call, Params, sent_header};
use super::problem::Problem;
use super::requests::seen;
use super::view::RequestView;
use crate::app::{Changed, StoredConfig};
use crate::domain::document::ConfigDocument;
use crate::domain::principal::Caller;
use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

/// The configuration
///
/// Its version is the `ETag`, which a change has to name.
#[utoipa::path(get, path = "/v1/config", tag = "configuration",
    responses((status = 200, description = "The document", body = serde_json::Value)))]
pub(super) async fn read(
    _: Allowed<ReadConfig>,
    State(api): State<Api>,
) -> Result<Response, Problem> {
    Ok(stored(api.app.config().await?))
}

/// Why the configuration changes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ChangeQuery {
    /// Why; it stands on the card where the change needs approvals.
    pub reason: Option<String>,
}

/// Replace the configuration
///
/// For administrators. A change that policies gate becomes a request (202) and is carried out when that is approved.
#[utoipa::path(put, path = "/v1/config", tag = "configuration", request_body = serde_json::Value,
    params(ChangeQuery, ("If-Match" = String, Header, description = "The `ETag` of the document that the change was made from")),
    responses((status = 200, description = "It holds now", body = serde_json::Value),
        (status = 202, description = "It has become this request", body = RequestView)))]
pub(super) async fn write(
    allowed: Allowed<WriteConfig>,
    State(api): State<Api>,
    Params(query): Params<ChangeQuery>,
    headers: HeaderMap,
    call: Call<ConfigDocument>,
) -> Result<Response, Problem> {
    let reason = body::text("reason", query.reason.as_deref())?;
    let made_from = match if_match(&headers)? {
        None => return Err(condition_required()),
        Some(Condition::Any) => None,
        Some(Condition::Version(version)) => Some(version),
    };
    let changed = api
        .app
        .change_config(&allowed.caller, call.body, made_from, reason)
        .await?;
    answer(&api, &allowed.caller, changed, stored)
}

/// The answer to a change: what holds now, as `show` tells it, or the request it has become.
pub(super) fn answer(
    api: &Api,
    caller: &Caller,
    changed: Changed,
    show: impl FnOnce(StoredConfig) -> Response,
) -> Result<Response, Problem> {
    match changed {
        Changed::Applied(config) | Changed::Unchanged(config) => Ok(show(config)),
        Changed::Requested(shown) => {
            let view = seen(api, caller, &shown)?;
            let location = format!("/v1/requests/{}", view.id);
            Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(view)).into_response())
        }
    }
}

fn stored(config: StoredConfig) -> Response {
    with_etag(config.version, Json(config.document).into_response())
}

/// With the configuration's version as the `ETag`.
pub(super) fn with_etag(version: i64, mut response: Response) -> Response {
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

/// What an `If-Match` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Whatever is stored.
    Any,
    /// This version.
    Version(i64),
}

/// Reads `If-Match`; what cannot be one of our `ETag`s matches nothing.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Condition>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("").trim();
    if text == "*" {
        return Ok(Some(Condition::Any));
    }
    let quoted = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match quoted.map(str::parse) {
        Some(Ok(version)) => Ok(Some(Condition::Version(version))),
        _ => Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "stale",
            "it was changed in the meantime",
            &format!(
                "`If-Match: {}` names no version. Read the configuration again and send its `ETag` with the quotes, such as `\"7\"`, or `*` to replace whatever is stored.",
                sent_header(value)
            ),
        )),
    }
}

fn condition_required() -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_REQUIRED,
        "if_match_required",
        "`If-Match` is missing",
        "Send `If-Match` with the `ETag` of `GET /v1/config`, or `*` to replace whatever is stored.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Result<Option<Condition>, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, HeaderValue::from_static(text));
        if_match(&headers).map_err(|problem| problem.status)
    }

    #[test]
    fn config_change_requires_the_current_version_in_if_match() {
        assert_eq!(if_match(&HeaderMap::new()).ok(), Some(None));
        assert_eq!(read("\"7\""), Ok(Some(Condition::Version(7))));
        assert_eq!(read("*"), Ok(Some(Condition::Any)));
        for stale in ["7", "\"seven\"", "W/\"7\"", "", "\"7\", \"8\""] {
            assert_eq!(read(stale), Err(412), "{stale}");
        }
        assert_eq!(condition_required().status, 428);
    }

    #[test]
    fn a_condition_that_names_no_version_is_repeated_as_it_was_sent_f5() {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, HeaderValue::from_static("W/\"7\""));
        let problem = if_match(&headers).expect_err("no version");
        let said = "`If-Match: W/\"7\"` names no version.";
        assert!(problem.detail.starts_with(said), "{}", problem.detail);
    }

    #[test]
    fn the_etag_reads_back() {
        let response = with_etag(12, StatusCode::OK.into_response());
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, response.headers()[ETAG].clone());
        assert_eq!(if_match(&headers).ok(), Some(Some(Condition::Version(12))));
    }
}
