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

#[test]
fn each_message_has_its_lane_recipient_subject_and_importance() {
    use Importance::{Alert, Informed, Needed};
    let text = json!({"kind": "alert", "channel": "C01SECURITY", "text": "Look!"});
    let reminder = json!({"kind": "reminder", "to": "bob", "request": REQUEST, "number": 1});
    for (value, lane, to, channel, request, importance) in [
        (
            json!({"kind": "news", "to": "bob", "request": REQUEST}),
            Lane::Direct,
            Some("bob"),
            None,
            true,
            Informed,
        ),
        (
            json!({"kind": "thread", "request": REQUEST}),
            Lane::Thread,
            None,
            None,
            true,
            Alert,
        ),
        (
            reminder.clone(),
            Lane::Direct,
            Some("bob"),
            None,
            true,
            Needed,
        ),
        (
            json!({"kind": "escalation", "channel": "C01SRE", "request": REQUEST, "policy": "p"}),
            Lane::Direct,
            None,
            None,
            true,
            Alert,
        ),
        (
            json!({"kind": "escalated", "to": "bob", "request": REQUEST, "policy": "p"}),
            Lane::Direct,
            Some("bob"),
            None,
            true,
            Needed,
        ),
        (
            json!({"kind": "expiryWarning", "to": "bob", "request": REQUEST}),
            Lane::Direct,
            Some("bob"),
            None,
            true,
            Needed,
        ),
        (
            json!({"kind": "digest", "channel": "C01SRE"}),
            Lane::Direct,
            None,
            None,
            false,
            Alert,
        ),
        (
            text.clone(),
            Lane::Alert,
            None,
            Some("C01SECURITY"),
            false,
            Alert,
        ),
        (
            json!({"kind": "session", "channel": "C01SECURITY", "alert": alert()}),
            Lane::Alert,
            None,
            Some("C01SECURITY"),
            false,
            Alert,
        ),
        (
            json!({"kind": "sessionTold", "to": "bob", "alert": alert()}),
            Lane::Direct,
            Some("bob"),
            None,
            false,
            Alert,
        ),
        (
            json!({"kind": "sessionPosts", "session": SESSION}),
            Lane::Alert,
            None,
            None,
            false,
            Alert,
        ),
        (
            json!({"kind": "unheard", "to": "bob", "channel": "C01SECURITY", "why": "is_archived", "alert": text}),
            Lane::Direct,
            Some("bob"),
            None,
            false,
            Alert,
        ),
        (
            json!({"kind": "email", "email": {"to": {"person": "bob"}, "about": reminder}}),
            Lane::Email,
            Some("bob"),
            None,
            true,
            Needed,
        ),
        (
            json!({"kind": "email", "email": {"to": {"address": "oncall@example.com"}, "about": text}}),
            Lane::Email,
            None,
            None,
            false,
            Alert,
        ),
    ] {
        let message = message(value.clone());
        assert_eq!(message.lane(), lane, "{value}");
        assert_eq!(message.to().map(PersonId::as_str), to, "{value}");
        assert_eq!(
            message.is_to(&Principal::Person("bob".into())),
            to.is_some(),
            "{value}"
        );
        assert!(
            !message.is_to(&Principal::Person("alice".into())) && !message.is_to(&Principal::Bot),
            "{value}"
        );
        assert_eq!(message.channel().map(ChannelId::as_str), channel, "{value}");
        assert_eq!(message.queue(), channel, "{value}");
        assert_eq!(
            message.request().map(RequestId::as_str),
            request.then_some(REQUEST),
            "{value}"
        );
        assert_eq!(message.subject(), request.then_some(REQUEST), "{value}");
        assert_eq!(message.importance(), importance, "{value}");
        let administrators = ["dan".into(), "erin".into()];
        let undeliverable = message.undeliverable("is_archived", &administrators);
        assert_eq!(
            undeliverable.len(),
            if channel.is_some() { 2 } else { 0 },
            "{value}"
        );
        assert!(
            undeliverable
                .iter()
                .zip(&administrators)
                .all(|(one, to)| one.to() == Some(to)),
            "{value}"
        );
    }
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
    let about = json!({"kind": "alert", "channel": "C01SECURITY", "text": "Look!"});
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
