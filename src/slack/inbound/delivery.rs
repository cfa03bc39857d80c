//! What makes a delivery the same as another one (docs/decisions.md D23), whether it came over HTTP or over a socket.

use super::Inbound;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// One delivery, as it is known to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `slack:` and the trigger's id, else the event's, else the SHA-256 of the payload.
    pub key: String,
    /// The SHA-256 of what we read of it, which no transport changes.
    pub fingerprint: String,
}

impl Delivery {
    /// The delivery with this content: the body of an HTTP request, or the payload of a socket's envelope.
    pub fn of(inbound: &Inbound, content: &[u8]) -> Self {
        let id = match inbound {
            Inbound::Command(command) => command.trigger_id.as_deref(),
            Inbound::Interaction(interaction) => interaction.trigger_id.as_deref(),
            Inbound::Event(event) => event.event_id.as_deref(),
            Inbound::UrlVerification { .. } | Inbound::SslCheck | Inbound::Unusable { .. } => None,
        };
        let id = id.filter(|id| !id.is_empty() && id.len() <= 200);
        let key = match id {
            Some(id) => format!("slack:{id}"),
            None => format!("slack:{}", hash(&payload(content))),
        };
        Self {
            key,
            fingerprint: match inbound {
                Inbound::Command(read) => meaning("command", read),
                Inbound::Interaction(read) => meaning("interaction", read),
                Inbound::Event(read) => meaning("event", read),
                // these have no effect to be repeated
                Inbound::UrlVerification { .. } | Inbound::SslCheck | Inbound::Unusable { .. } => {
                    hash(content)
                }
            },
        }
    }
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn meaning(kind: &str, read: &impl Serialize) -> String {
    // plain data of ours always serializes
    hash(&serde_json::to_vec(&(kind, read)).unwrap_or_default())
}

/// The payload in one form for both transports: a form is an object of texts or holds the object, and keys have one order.
fn payload(content: &[u8]) -> Vec<u8> {
    let object: Option<Value> = serde_json::from_slice(content).ok().or_else(|| {
        let form: BTreeMap<String, String> = serde_urlencoded::from_bytes(content).ok()?;
        match form.get("payload") {
            Some(payload) => serde_json::from_str(payload).ok(),
            None => serde_json::to_value(form).ok(),
        }
    });
    object
        .and_then(|object| serde_json_canonicalizer::to_vec(&object).ok())
        .unwrap_or_else(|| content.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slack::inbound::parse;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn over_http(pairs: &[(&str, &str)]) -> Delivery {
        let body = serde_urlencoded::to_string(pairs).expect("a form");
        let inbound = parse(FORM, body.as_bytes()).expect("it reads");
        Delivery::of(&inbound, body.as_bytes())
    }

    #[test]
    fn both_transports_bring_the_same_delivery_sl12() {
        for trigger in ["", r#""trigger_id":"1.2.3","#] {
            let click = format!(
                r#"{{"type":"block_actions",{trigger}"user":{{"id":"U1"}},"actions":[{{"action_ts":"7.7"}}]}}"#
            );
            let inbound = Inbound::from_interaction(&click).expect("it reads");
            let socket = Delivery::of(&inbound, click.as_bytes());
            assert_eq!(over_http(&[("payload", &click)]), socket, "{click}");
            // Slack may write the very same in another order
            let other = format!(
                r#"{{"actions":[{{"action_ts":"7.7"}}],{trigger} "user":{{"id":"U1"}},"type":"block_actions"}}"#
            );
            assert_eq!(over_http(&[("payload", &other)]), socket, "{other}");
        }
        for trigger in ["", "9.9"] {
            let typed =
                format!(r#"{{"command":"/approval","text":"inbox","trigger_id":"{trigger}"}}"#);
            let inbound = Inbound::from_command(&typed).expect("it reads");
            let form = [
                ("text", "inbox"),
                ("command", "/approval"),
                ("trigger_id", trigger),
            ];
            assert_eq!(
                over_http(&form),
                Delivery::of(&inbound, typed.as_bytes()),
                "{typed}"
            );
        }
    }

    #[test]
    fn a_delivery_without_ids_is_known_by_all_of_its_payload() {
        let click =
            |at: &str| format!(r#"{{"type":"block_actions","actions":[{{"action_ts":"{at}"}}]}}"#);
        let of = |json: &str| {
            let inbound = Inbound::from_interaction(json).expect("it reads");
            Delivery::of(&inbound, json.as_bytes())
        };
        assert_ne!(of(&click("1.1")).key, of(&click("1.2")).key);
        assert_eq!(of(&click("1.1")), of(&click("1.1")));
        let (one, two) = (
            Delivery::of(&Inbound::SslCheck, b"1"),
            Delivery::of(&Inbound::SslCheck, b"2"),
        );
        assert_ne!(one.key, two.key);
        assert!(one.key.starts_with("slack:") && one.key.len() == 70);
    }

    #[test]
    fn same_key_with_another_body_has_another_fingerprint() {
        let click = |value: &str| {
            format!(
                r#"{{"type":"block_actions","trigger_id":"1","actions":[{{"value":"{value}"}}]}}"#
            )
        };
        let of = |json: &str| {
            let inbound = Inbound::from_interaction(json).expect("it reads");
            Delivery::of(&inbound, json.as_bytes())
        };
        let (one, two) = (of(&click("a")), of(&click("b")));
        assert_eq!(one.key, two.key);
        assert_ne!(one.fingerprint, two.fingerprint);
        let sent = click("a").replace("block_actions", "view_submission");
        assert_ne!(of(&sent).fingerprint, one.fingerprint);
    }
}
