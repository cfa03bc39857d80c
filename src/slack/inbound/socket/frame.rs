//! What stands in one text frame of a socket. Pure: bytes in, meaning out (docs/decisions.md D33).

use crate::slack::inbound::{Ack, Delivery, Inbound, NotUnderstood, object};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// One text frame.
#[derive(Debug, PartialEq)]
pub enum Frame {
    /// The connection is open.
    Hello,
    /// A delivery, to be acknowledged by its id.
    Envelope(Box<Envelope>),
    /// A delivery that can never be read: acknowledged, or it would come again and again.
    Spoiled {
        /// What is acknowledged.
        envelope_id: String,
        /// What is wrong with it.
        why: NotUnderstood,
    },
    /// Slack is about to close this connection, or all of them.
    Disconnect(Reason),
    /// Nothing for us; by kind.
    Other(String),
}

/// Why Slack takes a connection away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It will be closed in about ten seconds, or now: another one is wanted in its place.
    Replace,
    /// Socket Mode was switched off in the app's settings.
    LinkDisabled,
}

/// One delivery.
#[derive(Debug, PartialEq)]
pub struct Envelope {
    /// What is acknowledged; new for each try, so it tells nothing about sameness.
    pub id: String,
    /// What was sent.
    pub inbound: Inbound,
    /// What it is known by.
    pub delivery: Delivery,
    /// Whether the ack may carry an answer.
    pub answerable: bool,
}

/// The frame as Slack writes it; each field may be missing.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    envelope_id: Option<String>,
    accepts_response_payload: Option<bool>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    reason: Option<String>,
}

/// Reads a frame. Whatever it is, it means something.
pub fn read(text: &str) -> Frame {
    let written = object(text).map(serde_json::from_str::<Written<'_>>);
    let Ok(Ok(written)) = written else {
        return Frame::Other("no frame of Slack's".to_owned());
    };
    let kind = written.kind.as_deref().unwrap_or_default();
    match (kind, &written.envelope_id) {
        ("hello", _) => Frame::Hello,
        ("disconnect", _) => Frame::Disconnect(match written.reason.as_deref() {
            Some("link_disabled") => Reason::LinkDisabled,
            // warning, refresh_requested, and whatever is new: another connection is never wrong
            _ => Reason::Replace,
        }),
        (_, Some(id)) if !id.is_empty() => envelope(kind, id, &written),
        _ => Frame::Other(kind.chars().filter(|c| !c.is_control()).take(80).collect()),
    }
}

fn envelope(kind: &str, id: &str, written: &Written<'_>) -> Frame {
    let payload = written.payload.map_or("", RawValue::get);
    let inbound = match kind {
        "events_api" => Inbound::from_event(payload),
        "interactive" => Inbound::from_interaction(payload),
        "slash_commands" => Inbound::from_command(payload),
        _ => Err(NotUnderstood::ContentType),
    };
    match inbound {
        Ok(inbound) => Frame::Envelope(Box::new(Envelope {
            id: id.to_owned(),
            delivery: Delivery::of(&inbound, payload.as_bytes()),
            inbound,
            answerable: written.accepts_response_payload.unwrap_or(false),
        })),
        Err(why) => Frame::Spoiled {
            envelope_id: id.to_owned(),
            why,
        },
    }
}

/// The frame that acknowledges an envelope; none where Slack must try again.
pub fn acknowledge(envelope_id: &str, answerable: bool, ack: Ack) -> Option<String> {
    let mut frame = json!({ "envelope_id": envelope_id });
    match ack {
        Ack::Ok => {}
        Ack::Json(answer) if answerable => frame["payload"] = answer,
        Ack::Json(answer) => {
            let lost = answer
                .get("text")
                .and_then(Value::as_str)
                .map_or(0, str::len);
            tracing::warn!(lost, "envelope takes no response, one was dropped");
        }
        Ack::TryAgain => return None,
    }
    Some(frame.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: &str, payload: &Value) -> Frame {
        let frame = json!({"type": kind, "envelope_id": "e1", "accepts_response_payload": true, "payload": payload});
        read(&frame.to_string())
    }

    #[test]
    fn every_kind_of_envelope_reads_as_over_http() {
        let click = json!({"type": "block_actions", "trigger_id": "1.2.3", "user": {"id": "U1"}});
        let Frame::Envelope(read) = frame("interactive", &click) else {
            panic!("an envelope");
        };
        assert_eq!(read.delivery.key, "slack:1.2.3");
        assert!(read.answerable && matches!(read.inbound, Inbound::Interaction(_)));
        let typed = json!({"command": "/approval", "text": "inbox", "trigger_id": "9.9", "is_enterprise_install": "false"});
        let Frame::Envelope(read) = frame("slash_commands", &typed) else {
            panic!("an envelope");
        };
        assert_eq!(read.delivery.key, "slack:9.9");
        let event =
            json!({"type": "event_callback", "event_id": "Ev1", "event": {"type": "user_change"}});
        let Frame::Envelope(read) = frame("events_api", &event) else {
            panic!("an envelope");
        };
        assert_eq!(read.delivery.key, "slack:Ev1");
    }

    #[test]
    fn only_unreadable_envelopes_are_acked_without_handling() {
        for (kind, payload) in [
            ("interactive", json!(null)),
            ("interactive", json!("text")),
            ("slash_commands", json!({"text": 5})),
            ("slash_commands", json!([])),
            ("events_api", json!(7)),
            ("never_heard_of", json!({})),
            ("", json!({})),
        ] {
            let read = frame(kind, &payload);
            assert!(
                matches!(&read, Frame::Spoiled { envelope_id, .. } if envelope_id == "e1"),
                "{kind} {payload}: {read:?}"
            );
        }
        for text in [
            "",
            "garbage",
            "[]",
            r#"["hello"]"#,
            "null",
            r#"{"type":"interactive","payload":{}}"#,
            r#"{"type":"interactive","envelope_id":"","payload":{}}"#,
            r#"{"type":"interactive","envelope_id":5,"payload":{}}"#,
            r#"{"type":"pong"}"#,
        ] {
            assert!(matches!(read(text), Frame::Other(_)), "{text}");
        }
    }

    #[test]
    fn reasons_read() {
        for (reason, meant) in [
            ("warning", Reason::Replace),
            ("refresh_requested", Reason::Replace),
            ("link_disabled", Reason::LinkDisabled),
            ("something_new", Reason::Replace),
        ] {
            let text = json!({"type": "disconnect", "reason": reason, "debug_info": {"host": "x"}});
            assert_eq!(read(&text.to_string()), Frame::Disconnect(meant));
        }
        assert_eq!(
            read(r#"{"type":"disconnect"}"#),
            Frame::Disconnect(Reason::Replace)
        );
        assert_eq!(
            read(r#"{"type":"hello","num_connections":1}"#),
            Frame::Hello
        );
    }

    #[test]
    fn acks_carry_answers_where_they_may() {
        let answer = || Ack::Json(json!({"text": "hi"}));
        let written = |ack, answerable| acknowledge("e1", answerable, ack);
        assert_eq!(
            written(Ack::Ok, true).as_deref(),
            Some(r#"{"envelope_id":"e1"}"#)
        );
        assert_eq!(
            written(answer(), true).as_deref(),
            Some(r#"{"envelope_id":"e1","payload":{"text":"hi"}}"#)
        );
        assert_eq!(
            written(answer(), false).as_deref(),
            Some(r#"{"envelope_id":"e1"}"#)
        );
        assert_eq!(written(Ack::TryAgain, true), None);
    }
}
