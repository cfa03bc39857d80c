//! The client distinguishes responses, refusals and missing answers.

use super::*;
use crate::cli::exit_status::ExitStatus;
use crate::domain::refusal::Refusal;
use axum::response::IntoResponse as _;

fn base() -> Url {
    Url::parse("http://127.0.0.1:1").expect("an address")
}

fn sorted(status: u16, media: &'static str, body: &str) -> Result<Answer, CliError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    let status = StatusCode::from_u16(status).expect("a status");
    sort(
        &base(),
        status,
        &headers,
        Bytes::copy_from_slice(body.as_bytes()),
    )
}

fn ending(answer: Result<Answer, CliError>) -> Option<ExitStatus> {
    answer.err().map(|trouble| trouble.ending())
}

fn json(problem: &Problem) -> String {
    serde_json::to_string(problem).expect("JSON")
}

#[test]
fn only_a_problem_document_refuses_and_nothing_else_is_believed_ap7() {
    let refusal = Problem::from(Refusal::AlreadyReviewed);
    assert_eq!(
        ending(sorted(409, PROBLEM_JSON, &json(&refusal))),
        Some(ExitStatus::Refused)
    );
    // a proxy's page, a redirect or a truncated response: the server has not answered
    assert_eq!(
        ending(sorted(404, "text/html", "<h1>Not Found</h1>")),
        Some(ExitStatus::NoAnswer)
    );
    assert_eq!(
        ending(sorted(404, "application/json", &json(&refusal))),
        Some(ExitStatus::NoAnswer)
    );
    assert_eq!(
        ending(sorted(302, "text/html", "")),
        Some(ExitStatus::NoAnswer)
    );
    assert_eq!(
        ending(sorted(503, PROBLEM_JSON, &json(&Problem::busy()))),
        Some(ExitStatus::NoAnswer)
    );
    assert!(sorted(200, "application/json", "{}").is_ok());
}

#[test]
fn only_temporary_errors_are_retried() {
    let refused = |refusal: Refusal| CliError::Refused(refusal.into());
    assert!(passes(&CliError::NoAnswer(String::new())));
    assert!(passes(&refused(Refusal::InFlight)));
    assert!(passes(&refused(Refusal::TooMany(
        "slow down".to_owned(),
        1
    ))));
    assert!(!passes(&refused(Refusal::AlreadyReviewed)));
    assert!(!passes(&refused(Refusal::KeyReused)));
}

fn client(url: &str) -> Client {
    Client::new(url, &SecretString::from("secret")).unwrap_or_else(|trouble| panic!("{trouble:?}"))
}

#[test]
fn a_call_says_who_calls_and_hides_it_from_logs() {
    let client = client("https://example.com/approvals/");
    let call = Call::post(
        "/v1/requests",
        &serde_json::json!({"a": 1}),
        "k1".to_owned(),
    );
    let request = client.request(&call).expect("it can be sent");
    assert_eq!(request.uri(), "https://example.com/approvals/v1/requests");
    assert_eq!(request.headers()["idempotency-key"], "k1");
    assert_eq!(request.headers()[AUTHORIZATION], "Bearer secret");
    assert!(!format!("{:?}", request.headers()).contains("secret"));
}

#[tokio::test]
async fn missing_server_is_reported_as_no_answer() {
    // taken, so that nobody else listens there, and closed
    let port = tokio::net::TcpSocket::new_v4().expect("a socket");
    port.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = port.local_addr().expect("an address");
    let client = client(&format!("http://{address}"));
    let answer = client
        .call(&Call::get("/v1/requests"), Duration::ZERO)
        .await;
    assert_eq!(ending(answer), Some(ExitStatus::NoAnswer));
}

#[tokio::test]
async fn a_call_carries_its_token_and_a_lost_answer_is_asked_for_again_with_the_same_key_b30() {
    use axum::Router;
    use axum::http::HeaderMap;
    use std::sync::{Arc, Mutex};
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&seen);
    let handler = move |headers: HeaderMap| async move {
        let key = headers["idempotency-key"].to_str().unwrap_or("").to_owned();
        let mut seen = sink.lock().expect("no panic before");
        seen.push(key);
        if seen.len() == 1 {
            Problem::busy().into_response()
        } else {
            axum::Json(serde_json::json!({"fine": true})).into_response()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().route("/v1/requests", axum::routing::post(handler));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let call = Call::post("/v1/requests", &serde_json::json!({}), "same".to_owned());
    let answer = client(&format!("http://{address}"))
        .call(&call, RETRY_PERIOD)
        .await;
    server.abort();
    assert!(answer.is_ok());
    assert_eq!(*seen.lock().expect("no panic before"), ["same", "same"]);
}
