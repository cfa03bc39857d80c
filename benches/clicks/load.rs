//! The process that sends the load: prepared HTTP requests over a number of connections, each as soon as the one before was answered.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// One request to be sent.
#[derive(Clone, Serialize, Deserialize)]
pub struct Prepared {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What to send where.
#[derive(Serialize, Deserialize)]
pub struct Plan {
    /// Host and port.
    pub address: String,
    /// The number of connections.
    pub clients: usize,
    /// What is sent, in this order.
    pub requests: Vec<Prepared>,
    /// Whether the bodies of the answers are wanted.
    pub keep_answers: bool,
}

/// What came back.
#[derive(Serialize, Deserialize)]
pub struct Outcome {
    /// From the first request to the last answer.
    pub seconds: f64,
    /// How often each status came; 0 is a connection that broke.
    pub statuses: BTreeMap<u16, usize>,
    /// The median in milliseconds.
    pub p50: f64,
    /// The 99th percentile in milliseconds.
    pub p99: f64,
    /// The bodies, in the order of the requests, if they were wanted.
    pub answers: Vec<String>,
}

impl Outcome {
    /// Answers per second.
    pub fn per_second(&self) -> f64 {
        self.statuses.values().sum::<usize>() as f64 / self.seconds
    }

    /// The number of answers with a status of success.
    pub fn succeeded(&self) -> usize {
        let good = |status: &u16| (200..300).contains(status);
        let mut all = 0;
        for (status, count) in &self.statuses {
            all += if good(status) { *count } else { 0 };
        }
        all
    }
}

/// Starts this program again as the load, and waits for what it measured.
pub async fn send(plan: &Plan) -> Outcome {
    let file = std::env::temp_dir().join(format!("load-{}.json", uuid::Uuid::now_v7().simple()));
    std::fs::write(&file, serde_json::to_vec(plan).expect("JSON")).expect("a file");
    let own = std::env::current_exe().expect("this program");
    let ended = tokio::process::Command::new(own)
        .arg("--load")
        .arg(&file)
        .stderr(Stdio::inherit())
        .output()
        .await
        .expect("the load runs");
    let _ = std::fs::remove_file(&file); // it is in the temporary folder
    assert!(ended.status.success(), "the load failed");
    serde_json::from_slice(&ended.stdout).expect("what was measured")
}

/// Sends what a file describes, and prints the outcome.
pub async fn run(plan: &Path) {
    let plan: Plan = serde_json::from_slice(&std::fs::read(plan).expect("the plan")).expect("JSON");
    let plan = Arc::new(plan);
    let next = Arc::new(AtomicUsize::new(0));
    let mut connections = Vec::new();
    for _ in 0..plan.clients {
        connections.push(connect(&plan.address).await);
    }
    let since = Instant::now();
    let clients: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::spawn(client(plan.clone(), next.clone(), connection)))
        .collect();
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.await.expect("a client"));
    }
    let seconds = since.elapsed().as_secs_f64();
    println!(
        "{}",
        serde_json::to_string(&outcome(seconds, all, plan.keep_answers)).expect("JSON")
    );
}

struct Answered {
    at: usize,
    status: u16,
    took: Duration,
    body: String,
}

fn outcome(seconds: f64, mut all: Vec<Answered>, keep_answers: bool) -> Outcome {
    let mut statuses = BTreeMap::new();
    for one in &all {
        *statuses.entry(one.status).or_default() += 1;
    }
    let mut times: Vec<f64> = all.iter().map(|one| one.took.as_secs_f64() * 1e3).collect();
    times.sort_unstable_by(f64::total_cmp);
    let percentile = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
    let (p50, p99) = (percentile(50), percentile(99));
    all.sort_unstable_by_key(|one| one.at);
    let answers = all.into_iter().filter(|_| keep_answers);
    Outcome {
        seconds,
        statuses,
        p50,
        p99,
        answers: answers.map(|one| one.body).collect(),
    }
}

async fn connect(address: &str) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.expect("the server");
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    sender
}

async fn client(
    plan: Arc<Plan>,
    next: Arc<AtomicUsize>,
    mut connection: SendRequest<Full<Bytes>>,
) -> Vec<Answered> {
    let mut all = Vec::new();
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(prepared) = plan.requests.get(at) else {
            return all;
        };
        let request = request(&plan.address, prepared);
        let since = Instant::now();
        let (status, body) = if connection.ready().await.is_ok() {
            answer(&mut connection, request).await
        } else {
            (0, String::new())
        };
        if status == 0 {
            connection = connect(&plan.address).await;
        }
        all.push(Answered {
            at,
            status,
            took: since.elapsed(),
            body,
        });
    }
}

async fn answer(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> (u16, String) {
    let Ok(answer) = connection.send_request(request).await else {
        return (0, String::new());
    };
    let status = answer.status().as_u16();
    match answer.into_body().collect().await {
        Ok(body) => {
            let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            (status, text)
        }
        Err(_) => (0, String::new()),
    }
}

fn request(address: &str, prepared: &Prepared) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::from(prepared.body.clone())));
    *request.method_mut() = prepared.method.parse().expect("a method");
    *request.uri_mut() = prepared.path.parse().expect("a path");
    let headers = request.headers_mut();
    headers.insert("host", HeaderValue::from_str(address).expect("a host"));
    for (name, value) in &prepared.headers {
        let name: HeaderName = name.parse().expect("a name");
        headers.insert(name, HeaderValue::from_str(value).expect("a value"));
    }
    request
}
