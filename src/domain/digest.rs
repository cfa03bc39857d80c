//! Canonical content and its digest: the approved bytes are the bytes that run (docs/decisions.md D21).

use super::id::ActionId;
use super::target::Target;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// `sha256:` and 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(Sha256::digest(bytes))))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight hex digits, for display.
    pub fn short(&self) -> &str {
        &self.0["sha256:".len()..][..8]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Digest {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex_digits = text.strip_prefix("sha256:").unwrap_or("");
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if hex_digits.len() == 64 && hex_digits.bytes().all(lower_hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a digest is `sha256:` and 64 lower-case hex digits")
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.0
    }
}

/// The digest that a caller saw. Text that is no digest is the digest of no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenDigest(Option<Digest>);

impl SeenDigest {
    /// Whether the caller saw this digest.
    pub fn is(&self, digest: &Digest) -> bool {
        self.0.as_ref() == Some(digest)
    }
}

impl From<Digest> for SeenDigest {
    fn from(digest: Digest) -> Self {
        Self(Some(digest))
    }
}

impl From<&str> for SeenDigest {
    fn from(text: &str) -> Self {
        Self(text.parse().ok())
    }
}

/// The RFC 8785 form of a value that follows the rules of [`Payload`].
pub fn canonical(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json_canonicalizer::to_string(value)
}

/// The digest of the canonical content: action, target and payload as one document.
pub fn content_digest(action: &ActionId, target: &Target, payload: &str) -> Digest {
    // The target's keys are ASCII and in order, and its serialisation cannot fail, so the parts can be joined as text. The payload
    // is already canonical.
    let target = canonical(target).unwrap_or_default();
    let action = Value::from(action.as_str());
    Digest::of(format!(r#"{{"action":{action},"payload":{payload},"target":{target}}}"#).as_bytes())
}

/// Largest integer that all JSON parsers represent exactly (RFC 7493): 2^53 - 1.
const LARGEST_EXACT: f64 = 9_007_199_254_740_991.0;

/// A payload read from JSON. Duplicate keys and numbers that RFC 8785 would round are refused, so that two different payloads never
/// have the same digest.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Payload(pub Value);

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Strict.deserialize(from).map(Self)
    }
}

/// Reads any JSON value, strictly.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        exact(Number::from(number))
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        exact(Number::from(number))
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number).map_or_else(|| Err(E::custom("a number must be finite")), exact)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Strict)?;
            if map.contains_key(&key) {
                return Err(de::Error::custom(format_args!(
                    "the key {key:?} stands twice in one object"
                )));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

fn exact<E: de::Error>(number: Number) -> Result<Value, E> {
    let rounded = number.as_f64().unwrap_or(f64::INFINITY);
    let whole = rounded.fract() == 0.0;
    if whole && rounded.abs() > LARGEST_EXACT {
        return Err(E::custom(format_args!(
            "the number {number} is too large to be exact everywhere; send it as a string"
        )));
    }
    Ok(Value::Number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let payload: Payload = serde_json::from_str(text).map_err(|error| error.to_string())?;
        canonical(&payload.0).map_err(|error| error.to_string())
    }

    #[test]
    fn canonical_form_is_a_fixpoint_ap10() {
        for text in [
            r#"{"b":1,"a":[1.0,-0.0,1e3,"é\u0001"]}"#,
            "null",
            "\"x\"",
            "[]",
            r#"{"\u20ac":1,"\r":2,"1":3}"#,
        ] {
            let once = read(text).expect(text);
            assert_eq!(read(&once), Ok(once.clone()));
        }
        assert_eq!(
            read(r#"{"b":1.0,"a":-0.0}"#),
            Ok(r#"{"a":0,"b":1}"#.to_owned())
        );
    }

    #[test]
    fn two_payloads_never_share_a_digest_ap10() {
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"b":1,"\u0062":2}"#,
            r#"[{"x":{"y":1,"y":2}}]"#,
            "9007199254740993",
            "9007199254740992",
            "9007199254740993.0",
            "18446744073709551616",
            "-9007199254740993",
            "1e400",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(read("9007199254740991"), Ok("9007199254740991".to_owned()));
    }

    /// AP4, B07: changing any single field of the canonical content changes the digest.
    #[test]
    fn every_field_is_bound_ap4() {
        let target = Target {
            project: Some("api".into()),
            cluster: None,
            environment: Some("production".into()),
            release: Some("v1".into()),
        };
        let digest = content_digest(&"release.deploy".into(), &target, r#"{"a":1}"#);
        let others = [
            content_digest(&"rollback.execute".into(), &target, r#"{"a":1}"#),
            content_digest(&"release.deploy".into(), &target, r#"{"a":2}"#),
            content_digest(
                &"release.deploy".into(),
                &Target {
                    project: Some("web".into()),
                    ..target.clone()
                },
                r#"{"a":1}"#,
            ),
            content_digest(
                &"release.deploy".into(),
                &Target {
                    cluster: Some("c".into()),
                    ..target.clone()
                },
                r#"{"a":1}"#,
            ),
            content_digest(
                &"release.deploy".into(),
                &Target {
                    environment: None,
                    ..target.clone()
                },
                r#"{"a":1}"#,
            ),
            content_digest(
                &"release.deploy".into(),
                &Target {
                    release: Some("v1 ".into()),
                    ..target.clone()
                },
                r#"{"a":1}"#,
            ),
        ];
        assert!(others.iter().all(|other| *other != digest));
        assert_eq!(digest.as_str().parse(), Ok(digest.clone()));
        assert!(digest.as_str().to_uppercase().parse::<Digest>().is_err());
    }

    /// The example of RFC 8785, sections 3.2.2 and 3.2.3.
    #[test]
    fn the_rfcs_example() {
        let text = r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(
            canonical(&value).expect("canonical"),
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
    }

    #[test]
    fn a_payload_keeps_every_value_it_was_given_ap10() {
        for (text, kept) in [
            ("null", "null"),
            ("true", "true"),
            ("false", "false"),
            (r#""""#, r#""""#),
            (r#""two words""#, r#""two words""#),
            ("0", "0"),
            ("-7", "-7"),
            ("0.5", "0.5"),
            ("[]", "[]"),
            ("{}", "{}"),
            (r#"[null,true,"a",[1],{}]"#, r#"[null,true,"a",[1],{}]"#),
            (
                r#"{"b":[false],"a":{"c":""}}"#,
                r#"{"a":{"c":""},"b":[false]}"#,
            ),
        ] {
            assert_eq!(read(text), Ok(kept.to_owned()));
        }
        let unreadable = read("[1").expect_err("no end");
        assert!(unreadable.contains("EOF"), "{unreadable}");
        let not_json: Result<Payload, serde::de::value::Error> =
            Payload::deserialize(serde::de::value::BytesDeserializer::new(b"x"));
        let why = not_json.expect_err("bytes are not JSON").to_string();
        assert!(why.ends_with("expected JSON"), "{why}");
    }

    #[test]
    fn a_digest_has_one_long_and_one_short_form() {
        let digest = Digest::of(b"");
        let long = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.as_str(), long);
        assert_eq!(digest.to_string(), long);
        assert_eq!(String::from(digest.clone()), long);
        assert_eq!(digest.short(), "e3b0c442");
        for wrong in ["", "sha256:", &long[..70], &format!("{long}0"), &long[7..]] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
