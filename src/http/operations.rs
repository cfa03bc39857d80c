//! What operators and machines ask: is it alive, does it serve, how is it doing, what can it do.

use super::Api;
use super::access::Open;
use super::problem::Problem;
use super::route;
use crate::app::{AppError, LogLimit};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::OnceLock;
use std::time::Duration;
use utoipa::ToSchema;

/// Anybody can ask for the metrics.
static UNCOUNTED: LogLimit = LogLimit::new();

/// How long each reading may take that a probe waits for, after the proof that writing works.
const READING_DEADLINE: Duration = Duration::from_secs(2);

/// Where metrics are served.
pub(super) const METRICS: &str = "/metrics";

/// Whether the process lives
#[utoipa::path(get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub(super) async fn healthz(_: Open) -> &'static str {
    "ok\n"
}

/// Whether this replica serves.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether it can serve calls.
    ready: bool,
    /// What does not work although it serves, such as the connection to Slack.
    degraded: Vec<String>,
}

/// Whether this replica can serve
///
/// A replica is ready if it reads its configuration, commits a write to the database and keeps time. Trouble with Slack does not take it
/// out: it shows in `degraded`.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, description = "It can", body = Readiness)))]
pub(super) async fn readyz(_: Open, State(api): State<Api>) -> Result<Json<Readiness>, Problem> {
    health(&api).await.map(Json).map_err(|why| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_ready",
            "this replica cannot serve",
            &why,
        )
    })
}

/// Whether this replica serves, and what of it does not work; or why it does not serve.
async fn health(api: &Api) -> Result<Readiness, String> {
    let troubles = api.troubles.borrow().clone();
    api.app.ready().await?;
    troubles.unready.map_or(Ok(()), Err)?;
    let own = in_time(api.app.degraded()).await?;
    Ok(Readiness {
        ready: true,
        degraded: [troubles.degraded, own].concat(),
    })
}

/// What was read, or why it was not.
async fn in_time<T>(reading: impl Future<Output = Result<T, AppError>>) -> Result<T, String> {
    match tokio::time::timeout(READING_DEADLINE, reading).await {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err(format!(
            "the database was not read within {} s: it is overloaded",
            READING_DEADLINE.as_secs()
        )),
    }
}

/// Metrics, in the text format of Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "All of them", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(_: Open, State(api): State<Api>) -> Response {
    let health = health(&api).await;
    let degraded = health.as_ref().map_or(0, |health| health.degraded.len());
    api.app.measure_health(health.is_ok(), degraded);
    if let Err(error) = in_time(api.app.measure_backlog()).await {
        // the other numbers are wanted all the more now
        if let Some(left_out) = UNCOUNTED.admit() {
            tracing::warn!(%error, left_out, "cannot count pending work");
        }
    }
    let text = api.metrics.render();
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response()
}

/// This document
#[utoipa::path(get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
pub(super) async fn openapi(_: Open) -> Result<Response, Problem> {
    static TEXT: OnceLock<Option<String>> = OnceLock::new();
    match TEXT.get_or_init(|| route::openapi().to_pretty_json().ok()) {
        Some(text) => Ok(([(CONTENT_TYPE, "application/json")], text.as_str()).into_response()),
        None => Err(Problem::internal()),
    }
}
