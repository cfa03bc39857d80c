//! What another configuration would have done with past requests.

use super::Api;
use super::access::{Allowed, ReadRequests};
use super::body::Call;
use super::problem::Problem;
use super::view::{TargetView, target};
use crate::app::stats_window;
use crate::domain::document::ConfigDocument;
use crate::domain::replay::{Gating, ReplayChange, Replayed};
use crate::domain::request::Request;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A draft, and which requests to evaluate under it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplayBody {
    /// The whole configuration, as for `PUT /v1/config`.
    #[schema(value_type = Object)]
    pub config: ConfigDocument,
    /// How far to look back; 30 days if left out.
    #[schema(example = "30d")]
    pub since: Option<String>,
    /// `next` of the page before.
    pub below: Option<i64>,
}

/// The policies that gate a request.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct GatingView {
    /// The policies by id.
    pub policies: Vec<String>,
    /// The fewest people whose approvals satisfy them.
    pub approvals: usize,
}

impl GatingView {
    fn of(gating: &Gating) -> Self {
        Self {
            policies: gating.policies.iter().map(ToString::to_string).collect(),
            approvals: gating.approvals,
        }
    }
}

/// A request for which the draft makes a difference.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayedView {
    /// The request's id.
    pub id: String,
    /// Its number.
    pub number: i64,
    /// Its action.
    pub action: String,
    /// Its target.
    pub target: TargetView,
    /// When it was created.
    pub created_at: String,
    /// The difference: `newlyGated`, `noLongerGated`, `unsatisfiable`, `moreApprovals` or `fewerApprovals`.
    #[schema(value_type = String)]
    pub change: ReplayChange,
    /// As it was.
    pub before: GatingView,
    /// Under the draft.
    pub after: GatingView,
}

impl ReplayedView {
    fn of(request: &Request, replayed: &Replayed) -> Option<Self> {
        Some(Self {
            id: request.id.to_string(),
            number: request.number,
            action: request.action.to_string(),
            target: target(request),
            created_at: request.created_at.rfc3339(),
            change: replayed.change?,
            before: GatingView::of(&replayed.before),
            after: GatingView::of(&replayed.after),
        })
    }
}

/// One page of a replay.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayView {
    /// Where the window begins.
    pub since: String,
    /// How many requests this page evaluated.
    pub evaluated: usize,
    /// The approvals that these requests needed, together.
    pub approvals_before: usize,
    /// The approvals that they would need under the draft.
    pub approvals_after: usize,
    /// The requests for which the draft makes a difference, newest first.
    pub changes: Vec<ReplayedView>,
    /// Send it as `below` to continue; left out at the end of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// What another configuration would have done
///
/// Evaluates a configuration over past requests, newest first, at most 200 in one call. Nothing is stored.
#[utoipa::path(post, path = "/v1/replay", tag = "configuration", request_body = ReplayBody,
    responses((status = 200, description = "The differences", body = ReplayView)))]
pub(super) async fn replay(
    _: Allowed<ReadRequests>,
    State(api): State<Api>,
    call: Call<ReplayBody>,
) -> Result<Json<ReplayView>, Problem> {
    let window = stats_window(call.body.since.as_deref()).map_err(|_| {
        let why = "`since` must be a duration of up to ten years, such as 30d.";
        Problem::unfit("invalid_query", why)
    })?;
    let page = api
        .app
        .replay(call.body.config, window, call.body.below)
        .await?;
    let sum = |count: fn(&Replayed) -> usize| {
        page.items
            .iter()
            .map(|(_, item)| count(item))
            .sum::<usize>()
    };
    let change = |(request, replayed): &(Request, Replayed)| ReplayedView::of(request, replayed);
    Ok(Json(ReplayView {
        since: page.since.rfc3339(),
        evaluated: page.items.len(),
        approvals_before: sum(|item| item.before.approvals),
        approvals_after: sum(|item| item.after.approvals),
        changes: page.items.iter().filter_map(change).collect(),
        next: page.next,
    }))
}
