//! `POST /slack/events`: the HTTP route for commands, interactions and events (docs/decisions.md D33).

use crate::app::{DELIVERIES_REFUSED, LogLimit};
use crate::domain::time::Timestamp;
use crate::net::Crowd;
use crate::slack::inbound::signature::{SIGNATURE_HEADER, SigningSecrets, TIMESTAMP_HEADER};
use crate::slack::inbound::{self, Ack, Delivery, Handler, Inbound};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// Larger bodies are refused before any other work (threat B56).
pub const BODY_LIMIT: usize = 256 * 1024;

/// How long a body may take. Slack itself gives up after 3 seconds.
pub const BODY_DEADLINE: Duration = Duration::from_secs(3);
/// Bodies that are received at once; with another one, the one that is late longest is given up.
const RECEIVED_AT_ONCE: usize = 512;

/// Anybody can post an unsigned delivery, so not each of them is logged.
static UNSIGNED: LogLimit = LogLimit::new();
static UNREADABLE: LogLimit = LogLimit::new();

/// What the route needs; cheap to clone.
#[derive(Clone)]
pub struct InboundState {
    /// The signing secrets in force.
    pub secrets: Arc<SigningSecrets>,
    /// Where deliveries go.
    pub handler: Handler,
    /// The clock against which a delivery's moment is checked.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// The bodies that are being received.
    pub bodies: Bodies,
}

/// Bodies that are being received, each within a deadline: strangers who send theirs slowly cannot keep Slack's out.
#[derive(Clone)]
pub struct Bodies {
    deadline: Duration,
    received: Arc<Crowd>,
}

impl Bodies {
    /// Each body may take this long.
    pub fn within(deadline: Duration) -> Self {
        Self {
            deadline,
            received: Crowd::new(RECEIVED_AT_ONCE),
        }
    }

    /// The raw bytes. A length that is announced is refused before a byte is read.
    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, StatusCode> {
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > BODY_LIMIT as u64) {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let Some(seat) = self.received.enter() else {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        };
        let body = Limited::new(body, BODY_LIMIT).collect();
        let body = tokio::select! {
            body = tokio::time::timeout(self.deadline, body) => body,
            () = seat.evicted() => return Err(StatusCode::SERVICE_UNAVAILABLE),
        };
        match body {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        }
    }
}

/// The router with the one route.
pub fn router(inlet: InboundState) -> Router {
    Router::new()
        .route("/slack/events", post(receive))
        .with_state(inlet)
}

async fn receive(State(inlet): State<InboundState>, request: Request<Body>) -> Response {
    let now = (inlet.clock)();
    match accept(&inlet.secrets, &inlet.bodies, request, now).await {
        Ok((inbound, delivery)) => answer((inlet.handler)(inbound, delivery).await),
        Err(status) => status.into_response(),
    }
}

/// What was sent, once its size, its signature and its form are right, in this order.
async fn accept(
    secrets: &SigningSecrets,
    bodies: &Bodies,
    request: Request<Body>,
    now: Timestamp,
) -> Result<(Inbound, Delivery), StatusCode> {
    let (head, body) = request.into_parts();
    let body = bodies.read(&head.headers, body).await?;
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let timestamp = header(TIMESTAMP_HEADER).unwrap_or_default();
    let signature = header(SIGNATURE_HEADER).unwrap_or_default();
    secrets
        .verify(timestamp, signature, &body, now)
        .map_err(|why| {
            metrics::counter!(DELIVERIES_REFUSED, "why" => "unsigned").increment(1);
            if let Some(left_out) = UNSIGNED.admit() {
                warn!(%why, left_out, "refused a delivery that Slack has not signed");
            }
            StatusCode::UNAUTHORIZED
        })?;
    let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let inbound = inbound::parse(content_type, &body).map_err(|why| {
        metrics::counter!(DELIVERIES_REFUSED, "why" => "unreadable").increment(1);
        if let Some(left_out) = UNREADABLE.admit() {
            warn!(%why, left_out, "refused a signed delivery that cannot be read");
        }
        StatusCode::BAD_REQUEST
    })?;
    let delivery = Delivery::of(&inbound, &body);
    Ok((inbound, delivery))
}

fn answer(ack: Ack) -> Response {
    match ack {
        Ack::Ok => StatusCode::OK.into_response(),
        Ack::Json(body) => Json(body).into_response(),
        Ack::TryAgain => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

#[cfg(test)]
mod tests;
