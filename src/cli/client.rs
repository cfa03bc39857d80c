//! The API client: calls with timeouts and retries.

use super::error::CliError;
use crate::config::client::{ClientArgs, ClientSettings};
use crate::config::settings::environment;
use crate::http::problem::{PROBLEM_JSON, Problem};
use crate::net::{Connector, Proxies, Unreached, address_of};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, PROXY_AUTHORIZATION,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::rt::TokioExecutor;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// How long a call is retried while the server does not answer and nothing is stored yet.
pub const RETRY_PERIOD: Duration = Duration::from_secs(10);
/// The timeout of one call, in addition to the time that the server is asked to wait.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest response body that is read, in bytes.
const RESPONSE_LIMIT: usize = 32 * 1024 * 1024;

/// A server, and the token to call it with.
pub struct Client {
    base: Url,
    authorization: HeaderValue,
    proxies: Proxies,
    hyper: Hyper<HttpsConnector<Connector>, Full<Bytes>>,
}

/// One API call.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    path: String,
    body: Option<String>,
    key: Option<String>,
    if_match: Option<String>,
    waits: Duration,
}

/// A successful response.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Version of the returned object (`ETag`), if it has one.
    pub etag: Option<String>,
    /// Response body.
    pub body: Bytes,
}

impl Call {
    /// A call that reads (GET).
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: None,
            key: None,
            if_match: None,
            waits: Duration::ZERO,
        }
    }

    /// A call that changes something (POST). Retries with the same idempotency key have effect once.
    pub fn post(path: impl Into<String>, body: &serde_json::Value, key: String) -> Self {
        Self {
            method: Method::POST,
            body: Some(body.to_string()),
            key: Some(key),
            ..Self::get(path)
        }
    }

    /// A call that replaces something (PUT), provided that it still has this version.
    pub fn put(path: impl Into<String>, body: String, version: String) -> Self {
        Self {
            method: Method::PUT,
            body: Some(body),
            if_match: Some(version),
            ..Self::get(path)
        }
    }

    /// Gives the server this much longer to answer.
    #[must_use]
    pub fn waiting(mut self, wait: Duration) -> Self {
        self.waits = wait;
        self
    }
}

/// A new random idempotency key.
pub fn fresh_key() -> String {
    uuid::Uuid::now_v7().to_string()
}

impl Client {
    /// A client for the server and the token that arguments and environment name.
    pub fn open(args: &ClientArgs) -> Result<Self, CliError> {
        let settings = ClientSettings::read(args, environment)
            .map_err(|complaints| CliError::Usage(complaints.to_string()))?;
        Self::new(settings.url.url().as_str(), &settings.token)
    }

    /// A client for this server and token.
    pub fn new(url: &str, token: &SecretString) -> Result<Self, CliError> {
        let base = Url::parse(url)
            .ok()
            .filter(|base| matches!(base.scheme(), "http" | "https") && base.has_host())
            .ok_or_else(|| {
                CliError::Usage(
                    "COUNTERSIGN_URL is no address; write for example https://countersign.example.com"
                        .to_owned(),
                )
            })?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
            .map_err(|_| CliError::Usage("COUNTERSIGN_TOKEN is no token".to_owned()))?;
        authorization.set_sensitive(true);
        let proxies = Proxies::from_env();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| CliError::Usage(format!("no trusted certificates: {error}")))?
            .https_or_http()
            .enable_http1() // a retry never waits on the connection of the call before it
            .wrap_connector(Connector::new(proxies.clone()).forwarding());
        Ok(Self {
            base,
            authorization,
            proxies,
            hyper: Hyper::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// Calls the server, and retries while there is no answer and `patience` lasts.
    pub async fn call(&self, call: &Call, patience: Duration) -> Result<Answer, CliError> {
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(200);
        loop {
            let trouble = match self.try_once(call).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) if passes(&trouble) => trouble,
                Err(trouble) => return Err(trouble),
            };
            if Instant::now() + pause >= deadline {
                return Err(trouble);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// Calls the server and parses the response.
    pub async fn read<T: DeserializeOwned>(
        &self,
        call: &Call,
        patience: Duration,
    ) -> Result<T, CliError> {
        let answer = self.call(call, patience).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| strange(&self.base, answer.status, &error.to_string()))
    }

    async fn try_once(&self, call: &Call) -> Result<Answer, CliError> {
        let request = self.request(call)?;
        let address = address_of(request.uri());
        let exchange = async {
            let response = self.hyper.request(request).await.map_err(|error| {
                CliError::NoAnswer(if error.is_connect() {
                    Unreached::of(&error, &address).to_string()
                } else {
                    format!("{address} broke the connection off before it answered")
                })
            })?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, RESPONSE_LIMIT)
                .collect()
                .await
                .map_err(|_| CliError::NoAnswer(format!("{address} broke its answer off")))?;
            Ok((parts.status, parts.headers, body.to_bytes()))
        };
        let (status, headers, body) = tokio::time::timeout(CALL_TIMEOUT + call.waits, exchange)
            .await
            .map_err(|_| {
                let seconds = (CALL_TIMEOUT + call.waits).as_secs();
                CliError::NoAnswer(format!(
                    "{address} accepted the connection and did not answer within {seconds} seconds"
                ))
            })??;
        sort(&self.base, status, &headers, body)
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, CliError> {
        let unsent = |error: &dyn std::fmt::Display| {
            CliError::Usage(format!("this cannot be sent: {error}"))
        };
        let base = self.base.as_str().trim_end_matches('/');
        let uri: Uri = format!("{base}{}", call.path)
            .parse()
            .map_err(|error| unsent(&error))?;
        let proxy_authorization = self.proxies.forwarding_auth(&uri);
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(uri)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, "application/json");
        if let Some(value) = proxy_authorization {
            request = request.header(PROXY_AUTHORIZATION, value);
        }
        if let Some(key) = &call.key {
            request = request.header(crate::http::body::IDEMPOTENCY_KEY, key);
        }
        if let Some(version) = &call.if_match {
            request = request.header(IF_MATCH, version);
        }
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = call.body.clone().unwrap_or_default();
        request
            .body(Full::from(body))
            .map_err(|error| unsent(&error))
    }
}

/// Whether a retry makes sense: there was no answer, or the server asks for a retry.
fn passes(trouble: &CliError) -> bool {
    match trouble {
        CliError::NoAnswer(_) => true,
        CliError::Refused(problem) => problem.status == 429 || problem.code == "in_flight",
        CliError::Usage(_) | CliError::OutputClosed | CliError::OutputFailed(_) => false,
    }
}

/// Distinguishes responses, problem documents and everything else. Anything that is not clearly from the API counts as no answer.
fn sort(
    base: &Url,
    status: StatusCode,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Answer, CliError> {
    if status.is_success() {
        let etag = headers.get(ETAG).and_then(|etag| etag.to_str().ok());
        return Ok(Answer {
            status,
            etag: etag.map(str::to_owned),
            body,
        });
    }
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Err(CliError::NoAnswer(
            "the proxy requires a user name and password (407); write http://USER:PASSWORD@HOST:PORT in HTTP_PROXY"
                .to_owned(),
        ));
    }
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let is_problem = media.is_some_and(|media| media.starts_with(PROBLEM_JSON));
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) if is_problem && status.is_server_error() => Err(CliError::NoAnswer(format!(
            "{base}: {} ({status})",
            problem.title
        ))),
        Ok(problem) if is_problem => Err(CliError::Refused(problem)),
        _ => Err(strange(base, status, "it is no problem document")),
    }
}

fn strange(base: &Url, status: StatusCode, why: &str) -> CliError {
    CliError::NoAnswer(format!(
        "{base} answered {status}, but not as Countersign does ({why}); is COUNTERSIGN_URL right?"
    ))
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
