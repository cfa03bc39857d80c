//! What keeps the API standing: how much at once, how long, how large; and what every answer has (an id, a trace, no panic).

use super::Api;
use super::body::{LARGEST_BODY, sent};
use super::large_answer::{self, Memory};
use super::problem::Problem;
use super::route;
use crate::app::LogLimit;
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

static PANICS: LogLimit = LogLimit::new();

/// The longest long poll.
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(1);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The most memory for bodies that are being received and answers that are being sent, in bytes.
const TRANSFER_BYTES: usize = 192 * 1024 * 1024;

/// How many calls may be under way, and how long one may take.
#[derive(Debug)]
pub struct Bounds {
    calls: Semaphore,
    waits: Semaphore,
    longest_call: Duration,
    transfers: Memory,
}

impl Bounds {
    /// At most so many calls and so many long polls at once; a call ends after `longest_call`, a long poll that much after its wait.
    pub fn new(calls: usize, waits: usize, longest_call: Duration) -> Self {
        Self {
            calls: Semaphore::new(calls),
            waits: Semaphore::new(waits),
            longest_call,
            transfers: Memory::new(TRANSFER_BYTES),
        }
    }

    /// Calls and long polls that leave an eighth of these connections free for Slack's deliveries and for whoever is new.
    pub fn for_connections(connections: usize) -> Self {
        let (calls, waits) = (connections / 8, connections / 4 * 3);
        Self::new(
            calls.clamp(1, 1_024),
            waits.clamp(1, 20_000),
            Duration::from_secs(15),
        )
    }

    /// Bodies and answers of at most so many bytes at once.
    #[must_use]
    pub fn with_transfer_bytes(self, bytes: usize) -> Self {
        Self {
            transfers: Memory::new(bytes),
            ..self
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
        .fallback(async |request: Request| Problem::no_route(&asked(&request)))
        .method_not_allowed_fallback(async |request: Request| {
            let path = request.extensions().get::<MatchedPath>();
            let methods = path.map_or_else(String::new, |path| methods_of(path.as_str()));
            if methods.is_empty() {
                return Problem::no_route(&asked(&request)); // a page
            }
            Problem::wrong_method(&asked(&request), &methods)
        })
        .layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| {
            if let Some(left_out) = PANICS.admit() {
                tracing::error!(left_out, "a handler panicked");
            }
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
        // what fails on our side is logged where it fails; a 503 is not worth a line, or anybody could fill the log
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_failure(()),
        )
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(middleware::map_request(own_request_id))
}

/// Method and path, as they were sent.
fn asked(request: &Request) -> String {
    sent(&format!("{} {}", request.method(), request.uri().path()))
}

/// The methods that a path takes.
fn methods_of(path: &str) -> String {
    static ROUTES: OnceLock<Vec<(String, &str)>> = OnceLock::new();
    let routes = ROUTES.get_or_init(|| {
        let routes = route::routes().into_iter();
        routes.map(|route| (route.path, route.method)).collect()
    });
    let here = routes.iter().filter(|(known, _)| known == path);
    here.map(|(_, method)| *method)
        .collect::<Vec<_>>()
        .join(" and ")
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
    let upload = axum::body::HttpBody::size_hint(request.body()).upper();
    let upload = upload.map_or(LARGEST_BODY, |size| {
        usize::try_from(size).map_or(LARGEST_BODY, |size| size.min(LARGEST_BODY))
    });
    let Some(_upload) = bounds.transfers.take(upload) else {
        return Problem::busy().into_response();
    };
    let changes_nothing = request.method().is_safe();
    let answer = tokio::time::timeout(longest, next.run(request))
        .await
        .unwrap_or_else(|_| Problem::busy().into_response());
    if !changes_nothing {
        // what has been done is not answered with "busy": the answer to an execution is given only once
        return large_answer::always_sent(answer, &bounds.transfers);
    }
    large_answer::bounded(answer, &bounds.transfers)
        .unwrap_or_else(|| Problem::busy().into_response())
}
