//! What would happen, without asking.

use super::Api;
use super::access::{Allowed, ReadRequests};
use super::body::Call;
use super::problem::{Problem, ViolationView};
use super::requests::SubmitBody;
use super::view::{PolicyView, Who};
use crate::domain::document::Conditions;
use crate::domain::explain::PolicyReason;
use crate::domain::progress::PolicyProgress;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What would happen to a request.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedView {
    /// Whether any policy would gate it.
    pub gated: bool,
    /// The policies that would, why, and with everything that is missing.
    pub policies: Vec<GatingPolicy>,
    /// Policies that are only tried out, told as if they gated it.
    pub observed: Vec<GatingPolicy>,
    /// Policies that would not, and why.
    pub others: Vec<OtherPolicy>,
    /// Who could approve.
    pub eligible: Vec<Who>,
    /// The fewest people who would do.
    pub smallest_set: Vec<Who>,
    /// Rules it breaks.
    pub violations: Vec<ViolationView>,
}

/// A policy that applies.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct GatingPolicy {
    /// How far it is.
    #[serde(flatten)]
    pub policy: PolicyView,
    /// Why it applies.
    #[schema(example = "is bound to environment production")]
    pub why: String,
    /// Its conditions, where its hours matter here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub hours: Option<Conditions>,
}

/// A policy that does not apply.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct OtherPolicy {
    /// The policy's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Why it does not apply.
    #[schema(example = "is bound to environment staging")]
    pub why: String,
    /// Its conditions, where its hours are the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub hours: Option<Conditions>,
}

fn gating(policies: &[PolicyProgress], because: Vec<PolicyReason>) -> Vec<GatingPolicy> {
    let both = policies.iter().zip(because);
    both.map(|(verdict, because)| GatingPolicy {
        policy: PolicyView::of(verdict),
        why: because.why,
        hours: because.hours,
    })
    .collect()
}

/// What would happen to a request
///
/// Takes what `POST /v1/requests` takes, and stores nothing.
#[utoipa::path(post, path = "/v1/explain", tag = "requests", request_body = SubmitBody,
    responses((status = 200, description = "What would happen", body = ExplainedView)))]
pub(super) async fn explain(
    allowed: Allowed<ReadRequests>,
    State(api): State<Api>,
    call: Call<SubmitBody>,
) -> Result<Json<ExplainedView>, Problem> {
    let ask = call.body.ask()?;
    let explained = api.app.explain(&allowed.caller, &ask).await?;
    let config = api.app.compiled_config().await?;
    let who = |ids: &[crate::domain::id::PersonId]| {
        let name = |id| {
            config
                .directory()
                .person(id)
                .map(|person| person.name.clone())
        };
        ids.iter()
            .map(|id| Who {
                id: id.as_str().to_owned(),
                name: name(id).unwrap_or_else(|| id.as_str().to_owned()),
            })
            .collect()
    };
    Ok(Json(ExplainedView {
        // what breaks a rule would not run either
        gated: !explained.gates.is_empty() || !explained.violations.is_empty(),
        policies: gating(&explained.policies, explained.because),
        observed: gating(&explained.observed, explained.observed_because),
        others: explained
            .others
            .into_iter()
            .map(|other| OtherPolicy {
                id: other.policy.to_string(),
                name: other.name,
                why: other.why,
                hours: other.hours,
            })
            .collect(),
        eligible: who(&explained.eligible),
        smallest_set: who(&explained.smallest_set),
        violations: explained
            .violations
            .into_iter()
            .map(ViolationView::from)
            .collect(),
    }))
}
