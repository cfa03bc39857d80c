//! Applies a fault to one call.

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::sync::futures::Notified;

use super::super::faults::Fault;
use super::super::wire::Cut;
use super::{Sandbox, json_answer};

/// The response of a fault; `done` is the real response of a call that took effect.
pub(super) async fn play(
    sandbox: &Sandbox,
    released: Notified<'_>,
    cut: &Cut,
    fault: Fault,
    done: Option<Response>,
) -> Response {
    match fault {
        Fault::RateLimited { retry_after } => {
            let body = json!({"ok": false, "error": "ratelimited"}).to_string();
            let wait = [(header::RETRY_AFTER, retry_after.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, wait, body).into_response()
        }
        Fault::Http(code) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, "upstream trouble").into_response()
        }
        Fault::ApiError(code) => json_answer(&json!({"ok": false, "error": code})),
        Fault::BadJson => (
            [(header::CONTENT_TYPE, "application/json")],
            "{\"ok\":true,",
        )
            .into_response(),
        Fault::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Fault::Timeout | Fault::TimeoutAfterEffect => {
            hang(sandbox, released).await;
            cut.now();
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        Fault::Disconnect | Fault::DisconnectAfterEffect => {
            cut.now();
            StatusCode::BAD_GATEWAY.into_response()
        }
        Fault::CutMidBody => cut_mid_body(cut.clone(), done.unwrap_or_default()).await,
        Fault::SlowDrip => drip(sandbox, done.unwrap_or_default()).await,
    }
}

/// Waits until the hanging calls are released or the workspace stops.
async fn hang(sandbox: &Sandbox, released: Notified<'_>) {
    tokio::select! {
        () = released => {}
        () = sandbox.0.stop.cancelled() => {}
    }
}

async fn bytes_of(answer: Response) -> Bytes {
    let body = answer.into_body().collect().await;
    body.map(http_body_util::Collected::to_bytes)
        .unwrap_or_default()
}

async fn cut_mid_body(cut: Cut, answer: Response) -> Response {
    let whole = bytes_of(answer).await;
    let half = whole.slice(..whole.len() / 2);
    let gone = async move {
        cut.now();
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    };
    let torn = stream::once(async { Ok(half) }).chain(stream::once(gone));
    (
        [(header::CONTENT_TYPE, "application/json")],
        Body::from_stream(torn),
    )
        .into_response()
}

async fn drip(sandbox: &Sandbox, answer: Response) -> Response {
    let whole = bytes_of(answer).await;
    let mut every = tokio::time::interval(std::time::Duration::from_secs(1));
    let mut at = 0;
    let drops = stream::poll_fn(move |cx| {
        if at >= whole.len() {
            return std::task::Poll::Ready(None);
        }
        every.poll_tick(cx).map(|_| {
            at += 1;
            Some(Ok::<_, std::io::Error>(whole.slice(at - 1..at)))
        })
    });
    (
        [(header::CONTENT_TYPE, "application/json")],
        Body::from_stream(drops.take_until(sandbox.0.stop.clone().cancelled_owned())),
    )
        .into_response()
}
