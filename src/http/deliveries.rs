//! Slack's deliveries: each body has to come at once, and strangers who send theirs slowly cannot keep Slack's out.

use super::crowd::Crowd;
use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Limited};
use std::sync::Arc;
use std::time::Duration;

/// Bodies that are received at once; with another one, the one that is late longest is given up.
const RECEIVED_AT_ONCE: usize = 512;

/// How deliveries are received.
#[derive(Debug, Clone)]
pub struct Reception {
    /// The largest body, in bytes.
    largest: usize,
    /// How long a body may take. Slack gives up after 3 seconds.
    patience: Duration,
    received: Arc<Crowd>,
}

impl Reception {
    /// Bodies of at most `largest` bytes, each within `patience`.
    pub fn new(largest: usize, patience: Duration) -> Self {
        Self {
            largest,
            patience,
            received: Crowd::new(RECEIVED_AT_ONCE),
        }
    }
}

/// These routes get their bodies whole.
pub fn deliveries(routes: Router, reception: Reception) -> Router {
    routes.layer(middleware::from_fn_with_state(reception, receive))
}

async fn receive(State(reception): State<Reception>, request: Request, next: Next) -> Response {
    let announced = usize::try_from(request.body().size_hint().lower());
    if announced.is_ok_and(|size| size > reception.largest) {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let Some(seat) = reception.received.enter() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let (head, body) = request.into_parts();
    let body = Limited::new(body, reception.largest).collect();
    let body = tokio::select! {
        body = tokio::time::timeout(reception.patience, body) => body,
        () = seat.evicted() => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    drop(seat);
    match body {
        Ok(Ok(body)) => {
            let body = Body::from(body.to_bytes());
            next.run(Request::from_parts(head, body)).await
        }
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            StatusCode::PAYLOAD_TOO_LARGE.into_response()
        }
        Ok(Err(_)) => StatusCode::BAD_REQUEST.into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}
