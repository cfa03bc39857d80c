//! How long requests wait for people.

use super::Api;
use super::access::{Allowed, ReadRequests};
use super::body::{Params, sent};
use super::problem::Problem;
use crate::app::{LatencyStats, stats_window};
use crate::domain::latency::{Latency, Spread};
use crate::domain::time::Span;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which window of time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StatsQuery {
    /// How far back; 30d when left out.
    #[param(example = "30d")]
    since: Option<String>,
}

impl StatsQuery {
    fn window(&self) -> Result<Span, Problem> {
        stats_window(self.since.as_deref()).map_err(|_| {
            let since = sent(self.since.as_deref().unwrap_or_default());
            let why =
                format!("`since={since}`: expected a duration of up to ten years, such as 30d.");
            Problem::unfit("invalid_query", &why)
        })
    }
}

/// How some lengths of time are spread, in whole seconds.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpreadView {
    /// How many there are.
    pub count: usize,
    /// Half of them are no longer than this.
    pub median_seconds: i64,
    /// Nine of ten are no longer than this.
    pub p90_seconds: i64,
    /// None is longer than this.
    pub longest_seconds: i64,
}

impl SpreadView {
    fn of(spread: Spread) -> Self {
        let seconds = |span: Span| span.0 / 1_000;
        Self {
            count: spread.count,
            median_seconds: seconds(spread.median),
            p90_seconds: seconds(spread.p90),
            longest_seconds: seconds(spread.longest),
        }
    }
}

/// How long a group of requests took; `null` where there was none.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatencyView {
    /// The policy, the team or the type; left out for all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// From asked to the first decision; for a team, to the first of its own.
    pub first_decision: Option<SpreadView>,
    /// From asked to approved.
    pub approval: Option<SpreadView>,
}

impl LatencyView {
    fn of(id: Option<&str>, latency: &Latency) -> Self {
        Self {
            id: id.map(str::to_owned),
            first_decision: latency.first_decision.map(SpreadView::of),
            approval: latency.approval.map(SpreadView::of),
        }
    }

    fn all<'a>(groups: impl Iterator<Item = (&'a str, &'a Latency)>) -> Vec<Self> {
        groups
            .map(|(id, latency)| Self::of(Some(id), latency))
            .collect()
    }
}

/// How long the requests of a window took.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatencyStatsView {
    /// Where the window begins.
    pub since: String,
    /// How many gated requests were counted.
    pub requests: usize,
    /// Whether that is all of the window; `false`: the latest ones only.
    pub complete: bool,
    /// All together.
    pub overall: LatencyView,
    /// By policy; a request counts for each that gated it.
    pub by_policy: Vec<LatencyView>,
    /// By team; a request counts for each team that decided on it.
    pub by_team: Vec<LatencyView>,
    /// By type.
    pub by_type: Vec<LatencyView>,
    /// How long those that are pending now have waited; `null` where there is none.
    pub pending: Option<SpreadView>,
}

impl LatencyStatsView {
    fn of(stats: &LatencyStats) -> Self {
        let found = &stats.latencies;
        Self {
            since: stats.since.rfc3339(),
            requests: stats.requests,
            complete: stats.complete,
            overall: LatencyView::of(None, &found.overall),
            by_policy: LatencyView::all(found.by_policy.iter().map(|(id, l)| (id.as_str(), l))),
            by_team: LatencyView::all(found.by_team.iter().map(|(id, l)| (id.as_str(), l))),
            by_type: LatencyView::all(found.by_kind.iter().map(|(id, l)| (*id, l))),
            pending: stats.pending.map(SpreadView::of),
        }
    }
}

/// How long requests wait for people
///
/// From asked to the first decision and to the approval, by policy, by team and by type; at most the latest 5,000 requests count.
#[utoipa::path(get, path = "/v1/stats/latency", tag = "stats", params(StatsQuery),
    responses((status = 200, description = "How long they took", body = LatencyStatsView)))]
pub(super) async fn latency(
    _: Allowed<ReadRequests>,
    State(api): State<Api>,
    Params(query): Params<StatsQuery>,
) -> Result<Json<LatencyStatsView>, Problem> {
    let stats = api.app.latency(query.window()?).await?;
    Ok(Json(LatencyStatsView::of(&stats)))
}
