//! An endpoint that keeps what it receives and answers as it is told.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// One delivery.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).expect("the header");
        value.to_str().expect("a text").to_owned()
    }
}

#[derive(Clone)]
struct Shared {
    received: Arc<Mutex<Vec<Received>>>,
    /// The next answers; 200 once there are none.
    answers: Arc<Mutex<VecDeque<u16>>>,
    /// What it answers to everything, if anything.
    always: Arc<Mutex<Option<u16>>>,
    /// Where a redirect leads.
    location: Arc<Mutex<String>>,
    /// No answer is sent while this is false.
    open: watch::Sender<bool>,
    arrived: watch::Sender<usize>,
}

pub struct Endpoint {
    address: String,
    shared: Shared,
}

impl Endpoint {
    pub async fn start() -> Self {
        let shared = Shared {
            received: Arc::default(),
            answers: Arc::default(),
            always: Arc::default(),
            location: Arc::default(),
            open: watch::Sender::new(true),
            arrived: watch::Sender::new(0),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let router = Router::new().fallback(receive).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("a lock").clone()
    }

    /// What was received, and forgets it.
    pub fn taken(&self) -> Vec<Received> {
        std::mem::take(&mut *self.shared.received.lock().expect("a lock"))
    }

    /// The answers to the next deliveries.
    pub fn answers(&self, statuses: &[u16]) {
        self.shared.answers.lock().expect("a lock").extend(statuses);
    }

    /// The answer to everything; `None` is 200.
    pub fn always(&self, status: Option<u16>) {
        *self.shared.always.lock().expect("a lock") = status;
    }

    pub fn redirects_to(&self, url: &str) {
        self.always(Some(307));
        url.clone_into(&mut self.shared.location.lock().expect("a lock"));
    }

    /// From now on, answers nothing until it is opened again.
    pub fn holds(&self) {
        self.shared.open.send_replace(false);
    }

    pub fn opens(&self) {
        self.shared.open.send_replace(true);
    }

    /// Waits until so many deliveries have arrived.
    pub async fn arrived(&self, count: usize) {
        let mut arrived = self.shared.arrived.subscribe();
        arrived
            .wait_for(|now| *now >= count)
            .await
            .expect("it runs");
    }
}

async fn receive(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = String::from_utf8(body.to_vec()).expect("UTF-8");
    let path = uri.to_string();
    shared.received.lock().expect("a lock").push(Received {
        path,
        headers,
        body,
    });
    shared.arrived.send_modify(|count| *count += 1);
    let mut open = shared.open.subscribe();
    open.wait_for(|open| *open).await.expect("it runs");
    let always = *shared.always.lock().expect("a lock");
    let next = shared.answers.lock().expect("a lock").pop_front();
    let status = next.or(always).unwrap_or(200);
    let status = StatusCode::from_u16(status).expect("a status");
    if status.is_redirection() {
        let location = shared.location.lock().expect("a lock").clone();
        return (status, [("location", location)]).into_response();
    }
    status.into_response()
}
