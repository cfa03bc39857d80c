//! Signed deliveries to the bot, and the bot's answers.

use std::time::Instant;

use axum::body::Bytes;
use axum::http::{Method, Request, header};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use secrecy::ExposeSecret;
use serde_json::Value;
use sha2::Sha256;

use super::acting::ActError;
use super::{Sandbox, limits, lock, trace};

pub(super) type Client = hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>;

/// How many deliveries are kept for sending them again.
const REMEMBERED: usize = 100;
/// How many bytes of an answer are read.
const ANSWER_BYTES: usize = 1_000_000;

/// One signed HTTP request to the bot, which can be sent again byte for byte.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// `X-Slack-Request-Timestamp`, in seconds.
    pub timestamp: i64,
    /// `X-Slack-Signature`: `v0=` and 64 hex digits.
    pub signature: String,
    /// `Content-Type`: form or JSON.
    pub content_type: &'static str,
    /// Further headers, such as those of a retry.
    pub headers: Vec<(&'static str, String)>,
    /// The signed bytes.
    pub body: Bytes,
    pub(super) after: After,
}

/// What the answer to a delivery changes in the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum After {
    Nothing,
    Command { user: String, channel: String },
    Submit { user: String, view_id: String },
}

/// The bot's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, empty when there is none.
    pub content_type: String,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// Whether Slack counts the answer as an acknowledgement.
    pub fn is_ack(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON, if it is JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }
}

/// Slack's signature: HMAC-SHA256 over `v0:{timestamp}:{body}`.
///
/// # Panics
/// Never: HMAC accepts keys of every length.
pub fn sign(secret: &str, timestamp: i64, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of every length");
    mac.update(format!("v0:{timestamp}:").as_bytes());
    mac.update(body);
    format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}

pub(super) fn client() -> Client {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector)
}

impl Sandbox {
    /// A form, signed with the current time.
    pub(super) fn form(&self, fields: &[(&str, &str)], after: After) -> Delivery {
        let body = serde_urlencoded::to_string(fields).unwrap_or_default();
        self.signed("application/x-www-form-urlencoded", body.into(), after)
    }

    /// An interaction: a form with JSON in the field `payload`.
    pub(super) fn interaction(&self, payload: &Value, after: After) -> Delivery {
        self.form(&[("payload", &payload.to_string())], after)
    }

    /// A JSON body, signed with the current time.
    pub(super) fn json_delivery(&self, body: &Value) -> Delivery {
        self.signed("application/json", body.to_string().into(), After::Nothing)
    }

    /// Signs any bytes as a delivery, for bodies that Slack would never send.
    pub fn raw_delivery(&self, content_type: &'static str, body: impl Into<Bytes>) -> Delivery {
        self.signed(content_type, body.into(), After::Nothing)
    }

    fn signed(&self, content_type: &'static str, body: Bytes, after: After) -> Delivery {
        let timestamp = self.now_ms().div_euclid(1000);
        let signature = sign(self.0.signing_secret.expose_secret(), timestamp, &body);
        Delivery {
            timestamp,
            signature,
            content_type,
            headers: Vec::new(),
            body,
            after,
        }
    }

    /// The same body, correctly signed for another time (in seconds).
    #[must_use]
    pub fn resign(&self, delivery: &Delivery, timestamp: i64) -> Delivery {
        let signature = sign(
            self.0.signing_secret.expose_secret(),
            timestamp,
            &delivery.body,
        );
        Delivery {
            timestamp,
            signature,
            ..delivery.clone()
        }
    }

    /// The latest deliveries, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.0.deliveries).iter().cloned().collect()
    }

    /// Sends the same bytes with the same signature again, as a network or an attacker could. The answer does not change the workspace.
    ///
    /// # Errors
    /// When the bot does not answer in three seconds.
    pub async fn redeliver(&self, delivery: &Delivery) -> Result<Answer, ActError> {
        self.post(delivery).await
    }

    /// Sends a delivery and applies the answer to the workspace.
    ///
    /// # Errors
    /// When the bot does not answer in three seconds, or its answer is one that Slack would not accept.
    pub async fn send(&self, delivery: &Delivery) -> Result<Answer, ActError> {
        {
            let mut sent = lock(&self.0.deliveries);
            sent.push_back(delivery.clone());
            if sent.len() > REMEMBERED {
                sent.pop_front();
            }
        }
        let answer = self.post(delivery).await?;
        self.apply(&delivery.after, &answer)?;
        Ok(answer)
    }

    /// Sends a delivery, and keeps it for the page with the bot's answer.
    async fn post(&self, delivery: &Delivery) -> Result<Answer, ActError> {
        let (at_ms, sent) = (self.now_ms(), Instant::now());
        let answer = self.post_untraced(delivery).await;
        let took_ms = u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX);
        let seen = answer.as_ref().map_err(ToString::to_string);
        lock(&self.0.trace).add(trace::of_delivery(delivery, seen, took_ms, at_ms));
        self.0.version.send_modify(|version| *version += 1);
        answer
    }

    async fn post_untraced(&self, delivery: &Delivery) -> Result<Answer, ActError> {
        if self.0.sockets.is_some() {
            return self.post_envelope(delivery).await;
        }
        let bot_url = lock(&self.0.bot_url).clone().ok_or(ActError::NoBot)?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{bot_url}/slack/events"))
            .header(header::CONTENT_TYPE, delivery.content_type)
            .header(
                header::USER_AGENT,
                "Slackbot 1.0 (+https://api.slack.com/robots)",
            )
            .header("X-Slack-Request-Timestamp", delivery.timestamp.to_string())
            .header("X-Slack-Signature", &delivery.signature);
        for (name, value) in &delivery.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(delivery.body.clone()));
        let request = request.map_err(|error| ActError::Unreachable(error.to_string()))?;
        let unreachable = |error: &dyn std::error::Error| ActError::Unreachable(error.to_string());
        let whole = async {
            let response = self
                .0
                .client
                .request(request)
                .await
                .map_err(|error| unreachable(&error))?;
            let status = response.status().as_u16();
            let content_type = response.headers().get(header::CONTENT_TYPE);
            let content_type = content_type
                .and_then(|kind| kind.to_str().ok())
                .unwrap_or_default()
                .to_owned();
            let body = Limited::new(response.into_body(), ANSWER_BYTES)
                .collect()
                .await;
            let body = body
                .map_err(|error| unreachable(error.as_ref()))?
                .to_bytes();
            let body = String::from_utf8_lossy(&body).into_owned();
            Ok(Answer {
                status,
                content_type,
                body,
            })
        };
        tokio::time::timeout(limits::ACK, whole)
            .await
            .map_err(|_| ActError::Timeout)?
    }
}
