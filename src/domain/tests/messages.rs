//! Where each message waits, who receives it and how important it is; which events webhooks and audit pages get.

use super::fixture::NOON;
use crate::domain::audit::{AuditEvent, AuditEventKind};
use crate::domain::audit_words::in_words;
use crate::domain::break_glass::SessionStatus;
use crate::domain::decision::Via;
use crate::domain::id::{AuditId, ChannelId, PersonId, RequestId, SessionId};
use crate::domain::message::{Lane, Message};
use crate::domain::preferences::Importance;
use crate::domain::principal::Principal;
use crate::domain::request::State;
use crate::domain::webhook::{RequestMoment, WebhookEvent, WebhookMessage};
use serde_json::{Value, json};

const REQUEST: &str = "req_00000000000000000000000000";
const SESSION: &str = "bg_00000000000000000000000000";

fn message(value: Value) -> Message {
    serde_json::from_value(value).expect("a message")
}

fn alert() -> Value {
    json!({"session": SESSION, "initiator": "Alice", "reason": "the site is down", "scope": {"actions": []}, "responders": [],
        "event": {"kind": "started", "until": 1}, "at": 1, "mentioned": []})
}

/// A message, its lane, the person and the channel that receive it, whether it is about the request, and its importance.
type Row = (
    Value,
    Lane,
    Option<&'static str>,
    Option<&'static str>,
    bool,
    Importance,
);

const BOB: Option<&str> = Some("bob");
const SECURITY: Option<&str> = Some("C01SECURITY");

fn check(rows: Vec<Row>) {
    for (value, lane, to, channel, request, importance) in rows {
        let message = message(value.clone());
        let request = request.then_some(REQUEST);
        assert_eq!(message.lane(), lane, "{value}");
        assert_eq!(message.to().map(PersonId::as_str), to, "{value}");
        let is_to = |who: Principal| message.is_to(&who);
        assert_eq!(is_to(Principal::Person("bob".into())), to.is_some());
        assert!(!is_to(Principal::Person("alice".into())) && !is_to(Principal::Bot));
        assert_eq!(message.channel().map(ChannelId::as_str), channel, "{value}");
        assert_eq!(message.queue(), channel, "{value}");
        assert_eq!(message.request().map(RequestId::as_str), request);
        assert_eq!(message.subject(), request, "{value}");
        assert_eq!(message.importance(), importance, "{value}");
        let administrators = ["dan".into(), "erin".into()];
        let undeliverable = message.undeliverable("is_archived", &administrators);
        let told: Vec<_> = undeliverable.iter().filter_map(Message::to).collect();
        let expected = if channel.is_some() {
            &administrators[..]
        } else {
            &[]
        };
        assert!(told.into_iter().eq(expected), "{value}");
    }
}

fn text() -> Value {
    json!({"kind": "alert", "channel": "C01SECURITY", "text": "Look!"})
}

fn reminder() -> Value {
    json!({"kind": "reminder", "to": "bob", "request": REQUEST, "number": 1})
}

/// What an e-mail about a message says.
fn email(to: &Value, about: &Value) -> Value {
    json!({"kind": "email", "email": {"to": to, "about": about}})
}

#[test]
fn messages_to_people_have_their_lane_recipient_subject_and_importance() {
    use Importance::{Alert, Informed, Needed};
    use Lane::{Direct, Email};
    let news = json!({"kind": "news", "to": "bob", "request": REQUEST});
    let escalated = json!({"kind": "escalated", "to": "bob", "request": REQUEST, "policy": "p"});
    let warning = json!({"kind": "expiryWarning", "to": "bob", "request": REQUEST});
    let session = json!({"kind": "sessionTold", "to": "bob", "alert": alert()});
    let undeliverable = json!({"kind": "unheard", "to": "bob", "channel": "C01SECURITY", "why": "is_archived", "alert": text()});
    let to = json!({"person": "bob"});
    check(vec![
        (news, Direct, BOB, None, true, Informed),
        (reminder(), Direct, BOB, None, true, Needed),
        (escalated, Direct, BOB, None, true, Needed),
        (warning, Direct, BOB, None, true, Needed),
        (session, Direct, BOB, None, false, Alert),
        (undeliverable, Direct, BOB, None, false, Alert),
        (email(&to, &reminder()), Email, BOB, None, true, Needed),
    ]);
}

#[test]
fn messages_to_channels_have_their_lane_and_subject() {
    use Importance::Alert;
    let thread = json!({"kind": "thread", "request": REQUEST});
    let escalation =
        json!({"kind": "escalation", "channel": "C01SRE", "request": REQUEST, "policy": "p"});
    let digest = json!({"kind": "digest", "channel": "C01SRE"});
    let session = json!({"kind": "session", "channel": "C01SECURITY", "alert": alert()});
    let posts = json!({"kind": "sessionPosts", "session": SESSION});
    let email = email(&json!({"address": "oncall@example.com"}), &text());
    check(vec![
        (thread, Lane::Thread, None, None, true, Alert),
        (escalation, Lane::Direct, None, None, true, Alert),
        (digest, Lane::Direct, None, None, false, Alert),
        (text(), Lane::Alert, None, SECURITY, false, Alert),
        (session, Lane::Alert, None, SECURITY, false, Alert),
        (posts, Lane::Alert, None, None, false, Alert),
        (email, Lane::Email, None, None, false, Alert),
    ]);
}

#[test]
fn webhooks_wait_for_their_endpoint_and_emails_for_the_first_alert() {
    let url = "https://example.com/hooks";
    let webhook = |request: Option<RequestMoment>, session: Option<SessionId>| Message::Webhook {
        webhook: Box::new(WebhookMessage {
            url: url.to_owned(),
            event: WebhookEvent::SessionUsed,
            at: NOON,
            request,
            session,
        }),
    };
    let moment = RequestMoment {
        id: REQUEST.parse().expect("an id"),
        version: 1,
        state: State::Rejected,
        decided_at: None,
    };
    let session: SessionId = SESSION.parse().expect("an id");
    for (message, subject, request) in [
        (
            webhook(Some(moment.clone()), Some(session.clone())),
            REQUEST,
            Some(REQUEST),
        ),
        (webhook(None, Some(session)), SESSION, None),
        (webhook(None, None), "", None),
    ] {
        assert_eq!(
            (message.lane(), message.to(), message.channel()),
            (Lane::Webhook, None, None)
        );
        assert_eq!(
            (message.queue(), message.subject()),
            (Some(url), Some(subject))
        );
        assert_eq!(message.request().map(RequestId::as_str), request);
        assert_eq!(message.importance(), Importance::Alert);
        assert_eq!(message.content(), &message);
    }
    let about = text();
    let first = "out_00000000000000000000000000";
    let email =
        json!({"to": {"address": "oncall@example.com"}, "about": about, "standsInFor": [first]});
    let email = message(json!({"kind": "email", "email": email}));
    assert_eq!(email.queue(), Some(first));
    assert_eq!(email.content(), &message(about));
}

#[test]
fn webhooks_get_the_events_of_requests_and_sessions() {
    use WebhookEvent::{RequestCreated, SessionUsed};
    for kind in AuditEventKind::ALL {
        let names: Vec<&str> = WebhookEvent::of(*kind)
            .iter()
            .map(|event| event.as_str())
            .collect();
        let expected: &[&str] = match kind.as_str() {
            "request.created" | "request.allowed" => &["request.created"],
            "request.bypassed" => &["request.created", "break_glass.used"],
            "request.approved" | "request.rejected" => &["request.decided"],
            same @ ("request.executed"
            | "request.completed"
            | "request.cancelled"
            | "request.expired"
            | "break_glass.started"
            | "break_glass.ended"
            | "break_glass.reviewed") => &[same],
            _ => &[],
        };
        assert_eq!(names, expected, "{}", kind.as_str());
    }
    for (event, status) in [
        (RequestCreated, None),
        (WebhookEvent::RequestDecided, None),
        (WebhookEvent::RequestExecuted, None),
        (WebhookEvent::SessionStarted, Some(SessionStatus::Active)),
        (SessionUsed, Some(SessionStatus::Active)),
        (WebhookEvent::SessionEnded, Some(SessionStatus::Ended)),
        (WebhookEvent::SessionReviewed, Some(SessionStatus::Reviewed)),
    ] {
        assert_eq!(event.session_status(), status, "{event:?}");
    }
}

#[test]
fn events_about_break_glass_and_recovery_are_highlighted() {
    for kind in AuditEventKind::ALL {
        let event = |session: Option<&str>| AuditEvent {
            id: AuditId::from_uuid(uuid::Uuid::nil()),
            at: NOON,
            what: *kind,
            actor: Principal::Operator,
            via: Via::Cli,
            request: None,
            session: session.map(|id| id.parse().expect("an id")),
            detail: Value::Null,
        };
        let expected = matches!(
            kind.as_str(),
            "request.bypassed"
                | "break_glass.started"
                | "break_glass.ended"
                | "break_glass.reviewed"
                | "operator.recovered"
        );
        assert_eq!(event(None).prominent(), expected, "{}", kind.as_str());
        assert!(event(Some(SESSION)).prominent(), "{}", kind.as_str());
    }
}

#[test]
fn nobody_is_known_behind_an_unknown_token() {
    let words = |actor| in_words(AuditEventKind::TokenRefused, &actor, "a request");
    assert_eq!(words(Principal::Bot), "refused an unknown API token");
    assert_eq!(
        words(Principal::Service("ci".into())),
        "used an API token and was refused"
    );
}
