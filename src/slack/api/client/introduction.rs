//! Who we are to Slack, with what only the headers of its answer tell: the token's scopes, and Slack's own time.

use super::{BadClient, Slack, address, connector};
use crate::domain::time::Timestamp;
use crate::net::Unreached;
use crate::slack::api::error::SlackError;
use crate::slack::api::reply::{AuthTest, Reply};
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// Bytes of an answer that are read.
const LONGEST: usize = 64 * 1024;

/// Who we are to Slack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// Whose token it is.
    pub auth: AuthTest,
    /// What the token may do, where Slack says so.
    pub scopes: Option<Vec<String>>,
    /// Slack's time when it answered, where it says so.
    pub at: Option<Timestamp>,
}

/// Why there was no introduction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotIntroduced {
    /// The client could not be built.
    #[error(transparent)]
    Client(#[from] BadClient),
    /// Slack did not answer, or says no.
    #[error(transparent)]
    Slack(#[from] SlackError),
}

/// Asks Slack whose token this is. The client library hides headers, so this one call is made past it.
pub async fn introduce(token: &SecretString, api_url: &str) -> Result<Introduction, NotIntroduced> {
    let slack = Slack::new(token, api_url)?;
    let secure = slack.base.scheme() == "https";
    let address = address(&slack.base);
    let client = Client::builder(TokioExecutor::new()).build(connector(secure, &slack.proxies)?);
    let request = Request::post(format!("{}/auth.test", api_url.trim_end_matches('/')))
        .header(AUTHORIZATION, format!("Bearer {}", token.expose_secret()))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|_| SlackError::Lost)?;
    let asking = async {
        let answer = client.request(request).await.map_err(|error| {
            if error.is_connect() {
                SlackError::Transport(Unreached::of(&error, &address))
            } else {
                SlackError::Lost
            }
        })?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, LONGEST).collect().await;
        Ok((head, body.map_err(|_| SlackError::Lost)?.to_bytes()))
    };
    let answered: Result<_, SlackError> = tokio::time::timeout(super::CALL_TIMEOUT, asking)
        .await
        .map_err(|_| SlackError::TimedOut)?;
    let (head, body) = answered?;
    match head.status.as_u16() {
        200 => {}
        429 => {
            let seconds = text(&head.headers, RETRY_AFTER.as_str());
            let retry_after = seconds.and_then(|text| text.parse().ok().map(Duration::from_secs));
            return Err(SlackError::rate_limited(retry_after).into());
        }
        status => return Err(SlackError::Http(status).into()),
    }
    let reply: Reply<AuthTest> = serde_json::from_slice(&body).map_err(|_| SlackError::Lost)?;
    Ok(Introduction {
        auth: reply.into_result()?,
        scopes: text(&head.headers, "x-oauth-scopes").map(words),
        at: text(&head.headers, DATE.as_str()).and_then(time),
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn words(list: &str) -> Vec<String> {
    let words = list.split(',').map(str::trim);
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn time(date: &str) -> Option<Timestamp> {
    let at = chrono::DateTime::parse_from_rfc2822(date).ok()?;
    Some(Timestamp(at.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read() {
        assert_eq!(words("chat:write, commands ,,"), ["chat:write", "commands"]);
        assert_eq!(words(""), Vec::<String>::new());
        assert_eq!(
            time("Mon, 23 Nov 2026 10:00:00 GMT"),
            Some(Timestamp(1_795_428_000_000))
        );
        assert_eq!(time("yesterday"), None);
    }
}
