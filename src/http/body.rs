//! What comes in, read strictly: bodies, queries, ids in paths and idempotency keys. What does not parse is 400, what does not fit 422.

use super::Api;
use super::problem::Problem;
use crate::app::{IdempotencyKey, RequestRef};
use crate::domain::document::LARGEST_CONFIGURATION;
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use crate::domain::text;
use crate::domain::time::Span;
use crate::domain::violation::{AskField, Violation, ViolationCode};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// The largest body that is read, in bytes; a configuration may have [`LARGEST_CONFIGURATION`].
pub const LARGEST_BODY: usize = 2 * 1024 * 1024;
/// Where a whole configuration is written, which may be larger than any other body.
const CONFIGURATION_PATH: &str = "/v1/config";
/// The longest name or id, in characters.
const LONGEST_NAME: usize = 2_000;
/// How long an idempotency key is kept.
const KEPT: Span = Span::hours(7 * 24);
/// The header of an idempotency key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A call with a body, and with an idempotency key where there was one.
#[derive(Debug)]
pub struct Call<T> {
    /// The body.
    pub body: T,
    key: Option<String>,
    fingerprint: String,
}

impl<T> Call<T> {
    /// What makes the call have effect once; keys are per principal.
    pub fn once(&self, caller: &Caller) -> Option<IdempotencyKey> {
        let key = self.key.as_ref()?;
        Some(IdempotencyKey::by_key(
            &caller.principal,
            key,
            self.fingerprint.clone(),
            KEPT,
        ))
    }
}

impl<T: DeserializeOwned> FromRequest<Api> for Call<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let key = idempotency_key(request.headers())?;
        json_or_nothing(request.headers())?;
        let asked = format!("{} {}", request.method(), request.uri().path());
        let mut request = request;
        if request.uri().path() == CONFIGURATION_PATH {
            DefaultBodyLimit::max(LARGEST_CONFIGURATION).apply(&mut request);
        }
        let bytes = Bytes::from_request(request, api).await.map_err(unread)?;
        let fingerprint = fingerprint(&asked, &bytes);
        Ok(Self {
            body: parse(&bytes)?,
            key,
            fingerprint,
        })
    }
}

fn unread(rejection: BytesRejection) -> Problem {
    use axum::response::IntoResponse as _;
    if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "this body is too large",
            "A configuration may have 8 MiB, any other body 2 MiB, and a payload 1 MiB in canonical form. For larger content, send its digest and its location.",
        );
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed_body",
        "this body could not be read",
        "It ended before it was complete. Send it again.",
    )
}

fn fingerprint(asked: &str, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(asked.as_bytes());
    hash.update(b"\n");
    hash.update(body);
    hex::encode(hash.finalize())
}

fn json_or_nothing(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let media = value.to_str().unwrap_or("").split(';').next().unwrap_or("");
    if media.trim().eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        let sent = sent_header(value);
        Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "the body must be JSON",
            &format!("`Content-Type: {sent}` was sent. Send `Content-Type: application/json`."),
        ))
    }
}

/// Reads an idempotency key: 1 to 255 printable ASCII characters, at most one of them.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("");
    let fits = (1..=255).contains(&text.len())
        && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && values.next().is_none();
    if fits {
        Ok(Some(text.to_owned()))
    } else {
        let all: Vec<String> = headers
            .get_all(IDEMPOTENCY_KEY)
            .iter()
            .map(|value| format!("`{}`", sent_header(value)))
            .collect();
        Err(Problem::unfit(
            "invalid_idempotency_key",
            &format!(
                "`Idempotency-Key` was sent as {}. It must be 1 to 255 printable ASCII characters and be sent once.",
                sent_list(&all)
            ),
        ))
    }
}

/// What was sent, with an end where there was too much.
fn sent_list(all: &[String]) -> String {
    match all {
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, rest @ ..] => format!("{first} and {} others", rest.len()),
        [] => "nothing".to_owned(),
    }
}

/// Reads a JSON body; none at all reads as `{}`.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    // serde would fill the fields from a list by position; nobody means that
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::unfit(
            "invalid_body",
            "Expected a JSON object, not a list.",
        ));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        misread(&path, &error.into_inner())
    })?;
    json.end().map_err(|error| misread("", &error))?;
    Ok(value)
}

fn misread(path: &str, error: &serde_json::Error) -> Problem {
    let (path, why) = (&bounded(path), bounded(&error.to_string()));
    if !error.is_data() {
        return Problem::new(
            StatusCode::BAD_REQUEST,
            "malformed_body",
            "this body is not JSON",
            &format!("It could not be read: {}.", bounded(&error.to_string())),
        );
    }
    let in_payload =
        path == "payload" || path.starts_with("payload.") || path.starts_with("payload[");
    if in_payload {
        return payload_refused(&format!("`{path}`: {why}."));
    }
    let place = if path.is_empty() || path == "." {
        String::new()
    } else {
        format!("`{path}`: ")
    };
    Problem::unfit("invalid_body", &format!("{place}{why}."))
}

/// The payload breaks a rule of its own.
pub(super) fn payload_refused(message: &str) -> Problem {
    let violation = Violation::new(AskField::Payload, ViolationCode::Payload, message);
    Refusal::Violations(vec![violation]).into()
}

/// A text of people, as it is kept.
pub(super) fn text(field: &str, text: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(text) = text else { return Ok(None) };
    text::prose(text)
        .map_err(|fault| Problem::unfit("invalid_body", &format!("`{field}` {fault}.")))
}

/// A name or an id: one line.
pub(super) fn check_name(field: &str, text: Option<&str>) -> Result<(), Problem> {
    check_line(field, text, LONGEST_NAME)
}

/// Refuses a value of more than one line, or of more than `longest` characters.
pub(super) fn check_line(field: &str, text: Option<&str>, longest: usize) -> Result<(), Problem> {
    let Some(text) = text else { return Ok(()) };
    text::check_line(text, longest)
        .map_err(|fault| Problem::unfit("invalid_body", &format!("`{field}` {fault}.")))
}

/// The parameters after the question mark; unknown and repeated ones are refused.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        query(parts.uri.query().unwrap_or("")).map(Self)
    }
}

fn query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    serde_urlencoded::from_str(text).map_err(|error: serde_urlencoded::de::Error| {
        Problem::unfit(
            "invalid_query",
            &misread_query::<T>(text, &error.to_string()),
        )
    })
}

/// Which parameter could not be read: as it was sent, and what would be accepted.
fn misread_query<T: DeserializeOwned>(text: &str, error: &str) -> String {
    for pair in text.split('&') {
        let Err(error) = serde_urlencoded::from_str::<T>(pair) else {
            continue;
        };
        let pair = sent(pair);
        let why = match error.to_string().as_str() {
            "invalid digit found in string" | "cannot parse integer from empty string" => {
                "expected a whole number".to_owned()
            }
            "number too large to fit in target type" | "number too small to fit in target type" => {
                "the number is out of range".to_owned()
            }
            // what was expected stands last, behind what was sent
            other => match other.rsplit_once(", expected ") {
                Some((_, expected)) => format!("expected {expected}"),
                None => sent(other),
            },
        };
        return format!("`{pair}`: {why}.");
    }
    // each is right by itself
    format!("`{}`: {error}. Send each parameter once.", sent(text))
}

/// Something that was sent, for a message: as it was sent, but one line, without backticks, and not longer than a line.
pub(super) fn sent(text: &str) -> String {
    const LONGEST: usize = 100;
    let visible = |c: char| match c {
        '`' => "'".to_owned(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    let cut: String = text.chars().take(LONGEST).map(visible).collect();
    if text.chars().nth(LONGEST).is_some() {
        cut + "…"
    } else {
        cut
    }
}

/// What the reader of JSON says. It repeats what was sent, which may be long.
fn bounded(text: &str) -> String {
    const LONGEST: usize = 400;
    match text.char_indices().nth(LONGEST) {
        // what was expected and where stands at its end
        Some((cut, _)) => {
            let end: String = text.chars().rev().take(LONGEST / 2).collect();
            let end: String = end.chars().rev().collect();
            format!("{}…{end}", text.get(..cut / 2).unwrap_or_default())
        }
        None => text.to_owned(),
    }
}

/// The value of a header, for a message.
pub(super) fn sent_header(value: &axum::http::HeaderValue) -> String {
    sent(&String::from_utf8_lossy(value.as_bytes()))
}

/// The request a path names; what is no id is a request that does not exist.
#[derive(Debug)]
pub struct Named(pub RequestRef);

impl FromRequestParts<Api> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, api)
            .await
            .map_err(|_| Problem::from(Refusal::NotFound))?;
        text.parse().map(Self).map_err(|_| {
            let mut problem = Problem::from(Refusal::NotFound);
            problem.detail = format!(
                "`{}` is not a request: expected a number such as 42, or an id such as req_01k8f3t2v6f8j9m0p1q2r3s4t5.",
                sent(&text)
            );
            problem
        })
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
