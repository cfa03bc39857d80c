//! Signatures of webhooks, by the Standard Webhooks specification: `webhook-id`, `webhook-timestamp` and `webhook-signature`.

use super::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

/// What a secret starts with.
const PREFIX: &str = "whsec_";
/// How many bytes a secret may have.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The secrets of an endpoint: usually one; two while it is replaced.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeys(Vec<Vec<u8>>);

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({} secrets)", self.0.len())
    }
}

/// Why a text contains no usable secret. It never contains the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// There is no secret.
    #[error("contains no secret")]
    Empty,
    /// A secret is not well formed.
    #[error(
        "contains a secret that is not `whsec_` and the base64 of 24 to 64 random bytes; make one with: echo \"whsec_$(openssl rand -base64 32)\""
    )]
    Malformed,
}

impl SigningKeys {
    /// Reads secrets, separated by commas or white space.
    pub fn read(text: &str) -> Result<Self, BadSecret> {
        let secrets = text
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|part| !part.is_empty());
        let keys: Vec<Vec<u8>> = secrets.map(key).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(BadSecret::Empty);
        }
        Ok(Self(keys))
    }

    /// Reads the secrets from the value of this environment variable. An error names the variable.
    pub fn of_variable(name: &str, value: Option<String>) -> Result<Self, String> {
        let value = value.ok_or_else(|| format!("{name} is not set, so nothing can be signed"))?;
        Self::read(&value).map_err(|error| format!("{name} {error}"))
    }

    /// The headers of a delivery. The id stays the same over all attempts; the time is that of the attempt.
    pub fn headers(&self, id: &str, now: Timestamp, body: &str) -> [(&'static str, String); 3] {
        let seconds = now.0.div_euclid(1_000);
        [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", self.sign(id, seconds, body)),
        ]
    }

    /// The value of `webhook-signature`: one signature for each secret, separated by spaces. A receiver accepts any that matches.
    fn sign(&self, id: &str, unix_seconds: i64, body: &str) -> String {
        let signatures: Vec<String> = self
            .0
            .iter()
            .filter_map(|key| signature(key, id, unix_seconds, body))
            .collect();
        signatures.join(" ")
    }
}

fn key(secret: &str) -> Result<Vec<u8>, BadSecret> {
    let encoded = secret.strip_prefix(PREFIX).ok_or(BadSecret::Malformed)?;
    let decoded = STANDARD
        .decode(encoded)
        .or_else(|_| STANDARD_NO_PAD.decode(encoded))
        .map_err(|_| BadSecret::Malformed)?;
    if KEY_BYTES.contains(&decoded.len()) {
        Ok(decoded)
    } else {
        Err(BadSecret::Malformed)
    }
}

fn signature(key: &[u8], id: &str, unix_seconds: i64, body: &str) -> Option<String> {
    // a key of any length is accepted
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(format!("{id}.{unix_seconds}.{body}").as_bytes());
    Some(format!(
        "v1,{}",
        STANDARD.encode(mac.finalize().into_bytes())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_Q291bnRlcnNpZ24taW50ZWdyYXRpb25zLXRlc3Qta2V5MDE=";

    fn sign(secrets: &str, id: &str, at: i64, body: &str) -> String {
        let keys = SigningKeys::read(secrets).expect("secrets");
        keys.sign(id, at, body)
    }

    /// The first vector is from the test suite of the specification's own libraries.
    #[test]
    fn signatures_match_the_published_vectors_no10() {
        assert_eq!(
            sign(
                OLD,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                "{\"test\": 2432232314}"
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_eq!(
            sign(
                NEW,
                "msg_01",
                1_795_356_000,
                "{\"type\":\"request.decided\",\"timestamp\":\"2026-11-22T14:00:00Z\",\"data\":{\"id\":\"req_1\"}}"
            ),
            "v1,ALQlF6mp7/uUyM1JDDlp7OUpfN99MzDbE2skyl4/mbc="
        );
    }

    #[test]
    fn two_secrets_give_two_signatures_while_one_replaces_the_other_no10() {
        let (old, new) = (sign(OLD, "msg_1", 1, "{}"), sign(NEW, "msg_1", 1, "{}"));
        for both in [format!("{OLD},{NEW}"), format!(" {OLD}\n{NEW} ")] {
            assert_eq!(sign(&both, "msg_1", 1, "{}"), format!("{old} {new}"));
        }
    }

    #[test]
    fn weak_and_malformed_secrets_are_refused_and_never_shown() {
        for bad in [
            "secret",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_***",
            &format!("{OLD},oops"),
            &format!("whsec_{}", "A".repeat(100)),
        ] {
            assert_eq!(SigningKeys::read(bad), Err(BadSecret::Malformed), "{bad}");
        }
        assert_eq!(SigningKeys::read(" , "), Err(BadSecret::Empty));
        let keys = SigningKeys::read(OLD).expect("a secret");
        assert_eq!(format!("{keys:?}"), "SigningKeys(1 secrets)");
    }
}
