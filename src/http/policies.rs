//! Policy templates and where they are bound. A write is a change of the configuration, and goes the same way.

use super::Api;
use super::access::{Allowed, ReadConfig, WriteConfig};
use super::body::{self, Call, Params};
use super::config::{self, ChangeQuery, Condition, with_etag};
use super::problem::Problem;
use super::view::RequestView;
use crate::app::StoredConfig;
use crate::domain::config_edit::ConfigEdit;
use crate::domain::document::{Binding, PolicyTemplate};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// All policy templates.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyList {
    /// The templates, as the configuration has them.
    #[schema(value_type = Vec<serde_json::Value>)]
    items: Vec<PolicyTemplate>,
    /// Always `null`: this list has one page.
    #[schema(value_type = Option<String>)]
    next_cursor: Option<String>,
}

/// All bindings.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindingList {
    /// The bindings, as the configuration has them.
    #[schema(value_type = Vec<serde_json::Value>)]
    items: Vec<Binding>,
    /// Always `null`: this list has one page.
    #[schema(value_type = Option<String>)]
    next_cursor: Option<String>,
}

/// The policy templates
#[utoipa::path(get, path = "/v1/policies", tag = "configuration",
    responses((status = 200, description = "All of them", body = PolicyList)))]
pub(super) async fn list(
    _: Allowed<ReadConfig>,
    State(api): State<Api>,
) -> Result<Response, Problem> {
    let stored = api.app.config().await?;
    let list = PolicyList {
        items: stored.document.policies,
        next_cursor: None,
    };
    Ok(with_etag(stored.version, Json(list).into_response()))
}

/// One policy template
#[utoipa::path(get, path = "/v1/policies/{id}", tag = "configuration",
    params(("id" = String, Path, description = "The policy's id")),
    responses((status = 200, description = "The template", body = serde_json::Value)))]
pub(super) async fn read(
    _: Allowed<ReadConfig>,
    State(api): State<Api>,
    Named(id): Named,
) -> Result<Response, Problem> {
    template(api.app.config().await?, &id)
}

fn template(stored: StoredConfig, id: &str) -> Result<Response, Problem> {
    let mut policies = stored.document.policies.into_iter();
    match policies.find(|policy| policy.id.as_str() == id) {
        Some(policy) => Ok(with_etag(stored.version, Json(policy).into_response())),
        None => Err(not_found()),
    }
}

fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "policy_not_found",
        "policy not found",
        "`GET /v1/policies` lists them all.",
    )
}

/// The policy a path names; what is no text is a policy that does not exist.
pub(super) struct Named(String);

impl axum::extract::FromRequestParts<Api> for Named {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        api: &Api,
    ) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, api).await;
        path.map(|Path(id)| Self(id)).map_err(|_| not_found())
    }
}

/// Add or replace a policy template
///
/// For administrators. A change that policies gate becomes a request (202). `If-Match` may name the configuration it was made from.
#[utoipa::path(put, path = "/v1/policies/{id}", tag = "configuration", request_body = serde_json::Value,
    params(("id" = String, Path, description = "The policy's id"), ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the template that the change was made from")),
    responses((status = 200, description = "It holds now", body = serde_json::Value),
        (status = 202, description = "It has become this request", body = RequestView)))]
pub(super) async fn write(
    allowed: Allowed<WriteConfig>,
    State(api): State<Api>,
    Change { id, made_from }: Change,
    Params(query): Params<ChangeQuery>,
    call: Call<PolicyTemplate>,
) -> Result<Response, Problem> {
    let reason = body::text("reason", query.reason.as_deref())?;
    let edit = put_policy(&id, call.body)?;
    let changed = api
        .app
        .change_config(&allowed.caller, edit, made_from, reason)
        .await?;
    config::answer(&api, &allowed.caller, changed, |config| {
        template(config, &id).unwrap_or_else(IntoResponse::into_response)
    })
}

/// Which policy is written, and what the change was made from.
pub(super) struct Change {
    id: String,
    made_from: Option<i64>,
}

impl axum::extract::FromRequestParts<Api> for Change {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        api: &Api,
    ) -> Result<Self, Problem> {
        let Named(id) = Named::from_request_parts(parts, api).await?;
        Ok(Self {
            id,
            made_from: made_from(&parts.headers)?,
        })
    }
}

fn made_from(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    Ok(match config::if_match(headers)? {
        None | Some(Condition::Any) => None,
        Some(Condition::Version(version)) => Some(version),
    })
}

/// A policy is written under its own id only.
fn put_policy(id: &str, policy: PolicyTemplate) -> Result<ConfigEdit, Problem> {
    if policy.id.as_str() != id {
        return Err(Problem::unfit(
            "invalid_body",
            "`id` is not the id in the path; a policy cannot be renamed, only added under a new id.",
        ));
    }
    Ok(ConfigEdit::PutPolicy(Box::new(policy)))
}

/// Where the templates are bound
#[utoipa::path(get, path = "/v1/bindings", tag = "configuration",
    responses((status = 200, description = "All of them", body = BindingList)))]
pub(super) async fn bindings(
    _: Allowed<ReadConfig>,
    State(api): State<Api>,
) -> Result<Response, Problem> {
    let stored = api.app.config().await?;
    let list = BindingList {
        items: stored.document.bindings,
        next_cursor: None,
    };
    Ok(with_etag(stored.version, Json(list).into_response()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(id: &str, name: &str) -> PolicyTemplate {
        let json = format!(r#"{{"id":"{id}","name":"{name}","scope":"organization"}}"#);
        serde_json::from_str(&json).expect("a template")
    }

    #[test]
    fn a_policy_is_never_renamed() {
        let refused = put_policy("a", template("b", "B"));
        assert_eq!(refused.err().map(|problem| problem.status), Some(422));
    }
}
