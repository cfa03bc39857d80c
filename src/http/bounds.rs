//! What keeps the API standing: how much at once, how long, how large; and what every answer has (an id, a trace, no panic).

use super::Api;
use super::body::LARGEST_BODY;
use super::problem::Problem;
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

/// The longest long poll.
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(1);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How many calls may be under way, and how long one may take.
#[derive(Debug)]
pub struct Bounds {
    calls: Semaphore,
    waits: Semaphore,
    longest_call: Duration,
}

impl Bounds {
    /// At most so many calls and so many long polls at once; a call ends after `longest_call`, a long poll that much after its wait.
    pub fn new(calls: usize, waits: usize, longest_call: Duration) -> Self {
        Self {
            calls: Semaphore::new(calls),
            waits: Semaphore::new(waits),
            longest_call,
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self::new(1_024, 20_000, Duration::from_secs(15))
    }
}

/// Bounds the calls of these routes.
pub(super) fn bound(routes: Router<Api>, api: &Api) -> Router<Api> {
    routes
        .layer(middleware::from_fn_with_state(api.clone(), within))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
}

/// What every answer has.
pub(super) fn dress(routes: Router<Api>) -> Router<Api> {
    routes
        .fallback(async || Problem::no_route())
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| {
            tracing::error!("a handler panicked");
            Problem::internal().into_response()
        }))
        // an answer is for its caller alone, and is what it says it is
        .layer(SetResponseHeaderLayer::if_not_present(
            CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .layer(SetResponseHeaderLayer::if_not_present(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(middleware::map_request(own_request_id))
}

/// A request id of the caller's would let strangers write into the log.
async fn own_request_id(mut request: Request) -> Request {
    request.headers_mut().remove(REQUEST_ID);
    request
}

/// The route and not the path, no query and no header: none of it could hold a secret.
fn span(request: &Request) -> tracing::Span {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str);
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .unwrap_or("");
    tracing::info_span!("http", method = %request.method(), route, id)
}

async fn within(State(api): State<Api>, request: Request, next: Next) -> Response {
    let waits = request
        .uri()
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair.starts_with("wait=")));
    let bounds = &api.bounds;
    let (permits, longest) = if waits {
        (&bounds.waits, LONGEST_WAIT + bounds.longest_call)
    } else {
        (&bounds.calls, bounds.longest_call)
    };
    let Ok(_permit) = permits.try_acquire() else {
        return Problem::busy().into_response();
    };
    tokio::time::timeout(longest, next.run(request))
        .await
        .unwrap_or_else(|_| Problem::busy().into_response())
}
