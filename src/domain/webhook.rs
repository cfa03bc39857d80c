//! Decision webhooks: which events there are, which endpoint receives them, and what is stored of a request at the time of an event.

use super::audit::AuditEventKind;
use super::break_glass::SessionStatus;
use super::document::Webhook;
use super::id::{RequestId, SessionId};
use super::request::{Request, State};
use super::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The events that webhooks can receive (docs/decisions.md D37).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum WebhookEvent { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl WebhookEvent {
            /// The names of all events, as the configuration writes them.
            pub const NAMES: &[&str] = &[$($text,)*];

            /// The name, as the configuration writes it and as a delivery's `type` says it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

events! {
    /// A request was created; its status says whether policies gate it.
    RequestCreated = "request.created",
    /// A request was approved or rejected.
    RequestDecided = "request.decided",
    /// A request was claimed for execution.
    RequestExecuted = "request.executed",
    /// The outcome of an execution was reported.
    RequestCompleted = "request.completed",
    /// A request was cancelled.
    RequestCancelled = "request.cancelled",
    /// A request was not decided, or not executed, in time.
    RequestExpired = "request.expired",
    /// A break-glass session started.
    SessionStarted = "break_glass.started",
    /// A break-glass session let a request bypass policies.
    SessionUsed = "break_glass.used",
    /// A break-glass session ended.
    SessionEnded = "break_glass.ended",
    /// A break-glass session was reviewed.
    SessionReviewed = "break_glass.reviewed",
}

impl WebhookEvent {
    /// The events that an audit event stands for.
    pub fn of(what: AuditEventKind) -> &'static [Self] {
        match what {
            AuditEventKind::RequestCreated | AuditEventKind::RequestAllowed => {
                &[Self::RequestCreated]
            }
            AuditEventKind::RequestBypassed => &[Self::RequestCreated, Self::SessionUsed],
            AuditEventKind::RequestApproved | AuditEventKind::RequestRejected => {
                &[Self::RequestDecided]
            }
            AuditEventKind::RequestExecuted => &[Self::RequestExecuted],
            AuditEventKind::RequestCompleted => &[Self::RequestCompleted],
            AuditEventKind::RequestCancelled => &[Self::RequestCancelled],
            AuditEventKind::RequestExpired => &[Self::RequestExpired],
            AuditEventKind::SessionStarted => &[Self::SessionStarted],
            AuditEventKind::SessionEnded => &[Self::SessionEnded],
            AuditEventKind::SessionReviewed => &[Self::SessionReviewed],
            _ => &[],
        }
    }

    /// The status that a session has right after the event, if the event is about a session.
    pub fn session_status(self) -> Option<SessionStatus> {
        match self {
            Self::SessionStarted | Self::SessionUsed => Some(SessionStatus::Active),
            Self::SessionEnded => Some(SessionStatus::Ended),
            Self::SessionReviewed => Some(SessionStatus::Reviewed),
            _ => None,
        }
    }

    /// Whether a request's own `callbackUrl` receives the event: everything that happens to the request after its creation.
    fn calls_back(self) -> bool {
        self != Self::RequestCreated && self.session_status().is_none()
    }
}

/// What changes about a request over its life, as it was right after an event. The rest is read when the webhook is delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestMoment {
    /// The request.
    pub id: RequestId,
    /// Its version.
    pub version: i64,
    /// Its state.
    pub state: State,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
}

impl RequestMoment {
    /// The request as it is now.
    pub fn of(request: &Request) -> Self {
        Self {
            id: request.id.clone(),
            version: request.version,
            state: request.state.clone(),
            decided_at: request.decided_at,
        }
    }
}

/// One event for one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookMessage {
    /// The endpoint: a webhook's URL, or a request's `callbackUrl`.
    pub url: String,
    /// What happened.
    pub event: WebhookEvent,
    /// When.
    pub at: Timestamp,
    /// The request that it happened to, if any.
    pub request: Option<RequestMoment>,
    /// The break-glass session that it happened to, if any.
    pub session: Option<SessionId>,
}

impl WebhookMessage {
    /// What the deliveries of one endpoint are ordered by: the request, or the session.
    pub fn subject(&self) -> &str {
        let request = self.request.as_ref().map(|request| request.id.as_str());
        let session = || self.session.as_ref().map(SessionId::as_str);
        request.or_else(session).unwrap_or_default()
    }
}

/// The endpoints that receive an event: the webhooks that subscribe to it, and the request's own callback.
pub fn endpoints<'a>(
    webhooks: &'a [Webhook],
    event: WebhookEvent,
    callback: Option<&'a str>,
) -> Vec<&'a str> {
    let subscribed = webhooks
        .iter()
        .filter(|webhook| webhook.events.iter().any(|name| name == event.as_str()));
    let mut urls: Vec<&str> = subscribed.map(|webhook| webhook.url.as_str()).collect();
    if let Some(callback) = callback.filter(|url| event.calls_back() && !urls.contains(url)) {
        urls.push(callback);
    }
    urls
}

/// The webhook whose secret signs what is sent to this URL: the one with this URL, or else the one with the longest URL above it.
pub fn covering<'a>(webhooks: &'a [Webhook], url: &str) -> Option<&'a Webhook> {
    if let Some(same) = webhooks.iter().find(|webhook| webhook.url == url) {
        return Some(same);
    }
    let url = Url::parse(url).ok()?;
    if hides_its_path(&url) || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    webhooks
        .iter()
        .filter(|webhook| Url::parse(&webhook.url).is_ok_and(|above| lies_under(&url, &above)))
        .max_by_key(|webhook| webhook.url.len())
}

/// Whether servers might read another path than we do: an encoded slash, backslash or dot.
fn hides_its_path(url: &Url) -> bool {
    let path = url.path().to_ascii_lowercase();
    ["%2f", "%5c", "%2e"].iter().any(|code| path.contains(code))
}

fn lies_under(url: &Url, above: &Url) -> bool {
    let same_server = url.scheme() == above.scheme()
        && url.host() == above.host()
        && url.port_or_known_default() == above.port_or_known_default();
    let folder = above.path().trim_end_matches('/');
    let below = url.path().strip_prefix(folder);
    same_server
        && url.fragment().is_none()
        && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The pauses between the attempts to deliver one webhook; together a little more than a day.
const PAUSES: [Span; 7] = [
    Span::seconds(5),
    Span::minutes(5),
    Span::minutes(30),
    Span::hours(2),
    Span::hours(5),
    Span::hours(8),
    Span::minutes(510),
];
/// How long an endpoint may fail until it is switched off.
pub const SWITCH_OFF_AFTER: Span = Span::hours(24);
/// How long events are kept for an endpoint that is switched off.
pub const KEPT_FOR: Span = Span::hours(7 * 24);
/// The longest pause between two attempts at an endpoint that fails, whatever waits for it.
const LONGEST_ENDPOINT_PAUSE: Span = Span::minutes(10);
/// The longest pause that an endpoint may ask for.
const LONGEST_RETRY_AFTER: Span = Span::hours(1);

/// When to try a webhook again after so many failures; `None` once it is given up. `jitter` is a random number: up to a tenth of the
/// pause is added, so that endpoints are not called by everybody at once.
pub fn next_attempt(
    failures: i64,
    asked: Option<Span>,
    jitter: u8,
    now: Timestamp,
) -> Option<Timestamp> {
    let pause = PAUSES.get(usize::try_from(failures).ok()?)?;
    let asked = asked.map_or(0, |asked| asked.0.min(LONGEST_RETRY_AFTER.0));
    let pause = pause.0.max(asked);
    Some(now.plus(Span(pause + pause / 10 * i64::from(jitter) / 255)))
}

/// When an endpoint that has failed so often in a row may be tried again.
pub fn endpoint_pause_ends(failures: i64, asked: Option<Span>, now: Timestamp) -> Timestamp {
    let doublings = u32::try_from(failures.clamp(0, 20)).unwrap_or(20);
    let doubled = Span::seconds(5).0.saturating_mul(1 << doublings);
    let asked = asked.map_or(0, |asked| asked.0.min(LONGEST_RETRY_AFTER.0));
    now.plus(Span(doubled.min(LONGEST_ENDPOINT_PAUSE.0).max(asked)))
}

/// Why a webhook was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointFailure {
    /// The reason, for the operator.
    pub why: String,
    /// How long the endpoint asks to be left alone.
    pub retry_after: Option<Span>,
    /// Whether the endpoint is gone for good.
    pub is_gone: bool,
    /// Whether the cause is here, such as a request that cannot be read: it says nothing about the endpoint.
    pub is_ours: bool,
}

/// Whether an endpoint has accepted a delivery, by the status of its answer. A redirect is not followed: it could lead anywhere.
pub fn accepted(
    status: u16,
    retry_after: Option<&str>,
    now: Timestamp,
) -> Result<(), EndpointFailure> {
    if (200..300).contains(&status) {
        return Ok(());
    }
    let why = match status {
        300..400 => format!("the endpoint answered {status}, and redirects are not followed"),
        410 => "the endpoint answered 410 (gone)".to_owned(),
        _ => format!("the endpoint answered {status}"),
    };
    Err(EndpointFailure {
        why,
        retry_after: retry_after.and_then(|text| asked_pause(text, now)),
        is_gone: status == 410,
        is_ours: false,
    })
}

/// What `Retry-After` says: seconds, or a date.
fn asked_pause(text: &str, now: Timestamp) -> Option<Span> {
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return Some(Span::seconds(seconds.into()));
    }
    let date = chrono::DateTime::parse_from_rfc2822(text.trim()).ok()?;
    Some(Span(date.timestamp_millis().saturating_sub(now.0).max(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(url: &str) -> Webhook {
        Webhook {
            url: url.to_owned(),
            name: None,
            secret_env: "HOOK_SECRET".to_owned(),
            events: vec!["request.decided".to_owned()],
            allow_private: false,
        }
    }

    #[test]
    fn callback_must_lie_under_a_webhook_no9() {
        let hooks = [
            webhook("https://example.com/hooks"),
            webhook("https://example.com/hooks/deep/"),
        ];
        let found = |url: &str| covering(&hooks, url).map(|webhook| webhook.url.as_str());
        let hook = Some("https://example.com/hooks");
        let deep = Some("https://example.com/hooks/deep/");
        for (url, expected) in [
            ("https://example.com/hooks", hook),
            ("https://example.com/hooks/", hook),
            ("https://example.com/hooks/a?run=7", hook),
            ("https://EXAMPLE.com:443/hooks/a", hook),
            ("https://example.com/hooks/deep", deep),
            ("https://example.com/hooks/deep/a", deep),
            ("https://example.com/hooks-of-another", None),
            ("https://example.com/other", None),
            ("https://example.com/hooks/../other", None),
            ("https://example.com/hooks/%2e%2e/other", None),
            ("https://example.com/hooks/..%2fother", None),
            ("https://example.com/hooks/a%5Cb", None),
            ("https://example.com\\hooks\\..\\other", None),
            ("http://example.com/hooks/a", None),
            ("https://example.com:8443/hooks/a", None),
            ("https://example.com.evil.test/hooks/a", None),
            ("https://example.com@evil.test/hooks/a", None),
            ("https://me:pass@example.com/hooks/a", None),
            ("https://example.com/hooks/a#part", None),
            ("/hooks/a", None),
        ] {
            assert_eq!(found(url), expected, "{url}");
        }
    }

    #[test]
    fn endpoint_receives_what_it_subscribes_to_and_a_callback_what_follows() {
        let hooks = [webhook("https://a.test/"), webhook("https://b.test/")];
        let callback = Some("https://a.test/run/7");
        let to = |event| endpoints(&hooks, event, callback);
        let all = ["https://a.test/", "https://b.test/", "https://a.test/run/7"];
        assert_eq!(to(WebhookEvent::RequestDecided), all);
        assert_eq!(
            to(WebhookEvent::RequestExpired),
            ["https://a.test/run/7"],
            "the callback alone"
        );
        assert!(to(WebhookEvent::RequestCreated).is_empty());
        assert!(to(WebhookEvent::SessionUsed).is_empty());
        let same = Some("https://a.test/");
        assert_eq!(
            endpoints(&hooks, WebhookEvent::RequestDecided, same),
            &all[..2]
        );
    }

    #[test]
    fn answers_are_sorted_and_retry_after_is_read_no9() {
        let now = Timestamp(1_795_428_000_000);
        assert_eq!(accepted(200, None, now), Ok(()));
        assert_eq!(accepted(204, Some("5"), now), Ok(()));
        let gone = accepted(410, None, now).expect_err("a failure");
        assert!(gone.is_gone && gone.why.contains("(gone)"));
        let moved = accepted(307, None, now).expect_err("a failure");
        assert!(!moved.is_gone && moved.why.contains("redirects are not followed"));
        for (text, pause) in [
            ("120", Some(Span::minutes(2))),
            ("Mon, 23 Nov 2026 10:10:00 GMT", Some(Span::minutes(10))),
            ("Mon, 23 Nov 2020 10:10:00 GMT", Some(Span(0))),
            ("soon", None),
            ("-5", None),
        ] {
            let busy = accepted(503, Some(text), now).expect_err("a failure");
            assert_eq!(busy.retry_after, pause, "{text}");
        }
    }

    #[test]
    fn attempts_stretch_over_a_day_and_obey_retry_after() {
        let mut at = Timestamp(0);
        let mut attempts = 1;
        while let Some(next) = next_attempt(attempts - 1, None, 0, at) {
            at = next;
            attempts += 1;
        }
        assert_eq!(attempts, 8);
        assert!(at > Timestamp(0).plus(SWITCH_OFF_AFTER), "{at:?}");
        assert!(at < Timestamp(0).plus(Span::hours(25)), "{at:?}");
        let asked = Some(Span::minutes(7));
        let now = Timestamp(0);
        assert_eq!(
            next_attempt(0, asked, 0, now),
            Some(now.plus(Span::minutes(7)))
        );
        assert_eq!(
            next_attempt(0, None, 255, now),
            Some(Timestamp(5_500)),
            "at most a tenth is added"
        );
        let forever = Some(Span::hours(10_000));
        assert_eq!(
            next_attempt(0, forever, 0, now),
            Some(now.plus(Span::hours(1)))
        );
        assert_eq!(endpoint_pause_ends(0, None, now), Timestamp(5_000));
        assert_eq!(
            endpoint_pause_ends(99, None, now),
            now.plus(Span::minutes(10))
        );
    }
}
