//! A receiver of webhooks beside the workspace, so that the demo shows them among the protocol.

use super::{Sandbox, lock, mail, trace};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use std::io;

impl Sandbox {
    /// Receives webhooks on this machine until [`Sandbox::stop`]; a port that is taken is replaced by a free one. Returns the address of
    /// the receiver.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn serve_hooks(&self, port: u16) -> io::Result<String> {
        let listener = mail::bind(port).await?;
        let url = format!("http://{}/hooks", listener.local_addr()?);
        let app = Router::new()
            .route("/hooks", post(receive))
            .with_state(self.clone());
        let stop = self.0.stop.clone();
        let serving = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
        self.0.server.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the receiver of webhooks stopped");
            }
        });
        Ok(url)
    }
}

/// Keeps what was sent, and accepts it.
async fn receive(State(sandbox): State<Sandbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let payload = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let entry = trace::of_webhook(header, payload, sandbox.now_ms());
    lock(&sandbox.0.trace).add(entry);
    StatusCode::NO_CONTENT
}
