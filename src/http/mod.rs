//! The HTTP API (docs/decisions.md D38): bearer tokens in, problem+json out, and no rule of its own. One file per resource.

pub(crate) mod access;
mod audit;
pub(crate) mod body;
mod break_glass;
mod config;
mod decisions;
mod directory;
mod executions;
mod explain;
mod http_limits;
mod large_answer;
mod operations;
mod policies;
pub(crate) mod problem;
mod replay;
mod requests;
pub mod route;
pub mod server;
mod stats;
pub(crate) mod view;
mod webhook;
mod write_deadline;

use crate::app::App;
use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;
use tokio::sync::watch;

pub use break_glass::{SessionList, SessionView};
pub use executions::ExecutedView;
pub use explain::{ExplainedView, GatingPolicy, OtherPolicy};
pub use http_limits::Bounds;
pub use replay::{GatingView, ReplayView, ReplayedView};
pub use requests::{RequestPage, SubmitBody};
pub use webhook::webhook_body;

/// What every handler is given.
#[derive(Clone)]
pub struct Api {
    app: App,
    metrics: PrometheusHandle,
    troubles: watch::Receiver<ReadinessState>,
    bounds: Arc<Bounds>,
}

impl Api {
    /// `metrics` renders `/metrics`; `troubles` says in words what does not work.
    pub fn new(
        app: App,
        metrics: PrometheusHandle,
        troubles: watch::Receiver<ReadinessState>,
        bounds: Bounds,
    ) -> Self {
        Self {
            app,
            metrics,
            troubles,
            bounds: Arc::new(bounds),
        }
    }

    /// The same within other bounds.
    #[must_use]
    pub fn with_bounds(self, bounds: Bounds) -> Self {
        Self {
            bounds: Arc::new(bounds),
            ..self
        }
    }
}

/// What does not work here besides the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadinessState {
    /// Why this replica cannot serve yet.
    pub unready: Option<String>,
    /// What does not work although it serves.
    pub degraded: Vec<String>,
}

/// Where `/metrics` is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsAddress {
    /// Beside the API.
    Public,
    /// On an address of its own, by [`admin_router`].
    Elsewhere,
}

/// The public routes and the web pages, with their bounds, traces and error answers.
pub fn router(api: Api, metrics: MetricsAddress, pages: Router<Api>) -> Router {
    let mut open = Router::new();
    let mut guarded = Router::new();
    for route in route::routes() {
        if route.path == operations::METRICS && metrics == MetricsAddress::Elsewhere {
            continue;
        }
        match route.access {
            // the probes must answer when everything else is full
            access::Access::Open => open = open.route(&route.path, route.handler),
            access::Access::Token { .. } => guarded = guarded.route(&route.path, route.handler),
        }
    }
    let bounded = http_limits::bound(guarded.merge(pages), &api);
    http_limits::dress(open.merge(bounded)).with_state(api)
}

/// `/metrics` alone, for the administrators' own address.
pub fn admin_router(api: Api) -> Router {
    let wanted = route::routes()
        .into_iter()
        .filter(|route| route.path == operations::METRICS);
    let router = wanted.fold(Router::new(), |router, route| {
        router.route(&route.path, route.handler)
    });
    http_limits::dress(router).with_state(api)
}
