//! Whether a delivery comes from Slack: HMAC-SHA256 over the raw bytes, and a moment that is near (threats SL1, SL2, B50, B53).

use crate::domain::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The header with the moment of signing, in seconds.
pub const TIMESTAMP_HEADER: &str = "x-slack-request-timestamp";
/// The header with the signature, `v0=` and 64 lower-case hex digits.
pub const SIGNATURE_HEADER: &str = "x-slack-signature";

/// How far a delivery's moment may lie from now, on either side, in milliseconds.
const WINDOW: u128 = 300_000;
/// Slack's own secrets have 32 characters; what is shorter than this is a mistake.
const SHORTEST_SECRET: usize = 16;

/// The signing secrets in force: one, or two while one replaces the other. Never printed.
#[derive(Debug, Clone)]
pub struct SigningSecrets(Vec<SecretString>);

/// Why signing secrets are refused. The secret itself is never part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// None at all, or more than a rotation needs.
    #[error("give one signing secret, or two while one replaces the other, not {0}")]
    Count(usize),
    /// An empty one would let everybody sign.
    #[error("the signing secret is empty")]
    Empty,
    /// Cut off, or something else.
    #[error("the signing secret is shorter than {SHORTEST_SECRET} characters")]
    Short,
    /// White space is never part of one, but often pasted along.
    #[error("the signing secret contains white space")]
    Blank,
}

/// Why a delivery is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// A header is missing or does not look as Slack writes it.
    #[error("the signature headers are missing or malformed")]
    Malformed,
    /// Too old, or from the future.
    #[error("the delivery is more than five minutes away")]
    OutsideWindow,
    /// Signed with another secret, or changed.
    #[error("the signature does not match")]
    Mismatch,
}

impl SigningSecrets {
    /// Takes one secret, or two while one replaces the other.
    pub fn new(secrets: Vec<SecretString>) -> Result<Self, BadSecret> {
        if secrets.is_empty() || secrets.len() > 2 {
            return Err(BadSecret::Count(secrets.len()));
        }
        for secret in &secrets {
            let text = secret.expose_secret();
            if text.trim().is_empty() {
                return Err(BadSecret::Empty);
            }
            if text.contains(char::is_whitespace) {
                return Err(BadSecret::Blank);
            }
            if text.len() < SHORTEST_SECRET {
                return Err(BadSecret::Short);
            }
        }
        Ok(Self(secrets))
    }

    /// Checks the raw bytes of a delivery against its two headers, at `now`.
    pub fn verify(
        &self,
        timestamp: &str,
        signature: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), BadSignature> {
        let signed_at = milliseconds(timestamp).ok_or(BadSignature::Malformed)?;
        let given = digest(signature).ok_or(BadSignature::Malformed)?;
        if signed_at.abs_diff(i128::from(now.0)) > WINDOW {
            return Err(BadSignature::OutsideWindow);
        }
        let ours = |secret: &SecretString| {
            mac(secret, timestamp, body).is_some_and(|mac| mac.verify_slice(&given).is_ok())
        };
        if self.0.iter().any(ours) {
            Ok(())
        } else {
            Err(BadSignature::Mismatch)
        }
    }

    /// Signs as Slack does, with the first secret: for a local workspace that plays Slack.
    pub fn sign(&self, timestamp: &str, body: &[u8]) -> Option<String> {
        let mac = mac(self.0.first()?, timestamp, body)?;
        Some(format!("v0={}", hex::encode(mac.finalize().into_bytes())))
    }
}

fn mac(secret: &SecretString, timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(b"v0:");
    mac.update(timestamp.as_bytes());
    mac.update(b":");
    mac.update(body);
    Some(mac)
}

/// Digits only: what `parse` also takes (a sign, white space) Slack never sends.
fn milliseconds(timestamp: &str) -> Option<i128> {
    let digits = !timestamp.is_empty() && timestamp.bytes().all(|b| b.is_ascii_digit());
    let seconds: i64 = digits.then(|| timestamp.parse().ok())??;
    Some(i128::from(seconds) * 1_000)
}

fn digest(signature: &str) -> Option<[u8; 32]> {
    let digits = signature.strip_prefix("v0=")?;
    if digits.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    // the example that Slack publishes in "Verifying requests from Slack"
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const AT: &str = "1531420618";
    const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const NOW: Timestamp = Timestamp(1_531_420_618_000);

    fn secrets(list: &[&str]) -> Result<SigningSecrets, BadSecret> {
        SigningSecrets::new(list.iter().map(|&s| SecretString::from(s)).collect())
    }

    fn slack() -> SigningSecrets {
        secrets(&[SECRET]).expect("a good secret")
    }

    #[test]
    fn published_signature_example_verifies_sl1() {
        assert_eq!(slack().verify(AT, SIGNATURE, BODY, NOW), Ok(()));
        assert_eq!(slack().sign(AT, BODY).as_deref(), Some(SIGNATURE));
    }

    #[test]
    fn any_flipped_bit_is_refused_sl1() {
        let flipped = |bytes: &[u8], bit: usize| {
            let mut changed = bytes.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            changed
        };
        for bit in 0..BODY.len() * 8 {
            let body = flipped(BODY, bit);
            assert!(slack().verify(AT, SIGNATURE, &body, NOW).is_err(), "{bit}");
        }
        for bit in 0..SIGNATURE.len() * 8 {
            let signature = String::from_utf8(flipped(SIGNATURE.as_bytes(), bit));
            let believed = signature.is_ok_and(|s| slack().verify(AT, &s, BODY, NOW).is_ok());
            assert!(!believed, "{bit}");
        }
        for bit in 0..AT.len() * 8 {
            let at = String::from_utf8(flipped(AT.as_bytes(), bit));
            let believed = at.is_ok_and(|t| slack().verify(&t, SIGNATURE, BODY, NOW).is_ok());
            assert!(!believed, "{bit}");
        }
        assert!(slack().verify(AT, SIGNATURE, &BODY[1..], NOW).is_err());
    }

    #[test]
    fn both_sides_of_five_minutes_sl2() {
        let at = |offset: i64| slack().verify(AT, SIGNATURE, BODY, Timestamp(NOW.0 + offset));
        for near in [-300_000, -299_000, 299_000, 300_000] {
            assert_eq!(at(near), Ok(()), "{near}");
        }
        for far in [-301_000, -300_001, 300_001, 301_000, i64::MIN / 2] {
            assert_eq!(at(far), Err(BadSignature::OutsideWindow), "{far}");
        }
        for end in [i64::MIN, i64::MAX] {
            let verdict = slack().verify(AT, SIGNATURE, BODY, Timestamp(end));
            assert_eq!(verdict, Err(BadSignature::OutsideWindow));
        }
    }

    #[test]
    fn odd_timestamps_are_refused_without_a_panic_sl2() {
        for odd in [
            "",
            "+1531420618",
            "-9223372036854775808",
            " 1531420618",
            "1531420618.0",
            "9223372036854775808",
            "99999999999999999999999999",
            "1531420618\n",
        ] {
            let signature = slack().sign(odd, BODY).expect("any text can be signed");
            let verdict = slack().verify(odd, &signature, BODY, NOW);
            assert_eq!(verdict, Err(BadSignature::Malformed), "{odd:?}");
        }
        let latest = i64::MAX.to_string();
        let signature = slack().sign(&latest, BODY).expect("any text can be signed");
        for now in [i64::MIN, 0, i64::MAX] {
            let verdict = slack().verify(&latest, &signature, BODY, Timestamp(now));
            assert_eq!(verdict, Err(BadSignature::OutsideWindow));
        }
    }

    #[test]
    fn an_empty_blank_or_short_secret_is_refused_b50() {
        assert_eq!(secrets(&[]).err(), Some(BadSecret::Count(0)));
        assert_eq!(secrets(&[""]).err(), Some(BadSecret::Empty));
        assert_eq!(secrets(&["   \n"]).err(), Some(BadSecret::Empty));
        assert_eq!(secrets(&[SECRET, ""]).err(), Some(BadSecret::Empty));
        assert_eq!(secrets(&["fifteen-letters"]).err(), Some(BadSecret::Short));
        assert_eq!(secrets(&["sixteen--letters"]).err(), None);
        let pasted = format!("{SECRET}\n");
        assert_eq!(secrets(&[&pasted]).err(), Some(BadSecret::Blank));
        assert_eq!(secrets(&[SECRET; 3]).err(), Some(BadSecret::Count(3)));
    }

    #[test]
    fn a_signature_made_with_an_empty_key_is_refused_b50() {
        let empty = SigningSecrets(vec![SecretString::from("")]);
        let forged = empty.sign(AT, BODY).expect("any key signs");
        let verdict = slack().verify(AT, &forged, BODY, NOW);
        assert_eq!(verdict, Err(BadSignature::Mismatch));
    }

    #[test]
    fn two_secrets_overlap_and_a_removed_one_is_dead_op2() {
        let next = "another-secret-of-32-characters!";
        let both = secrets(&[next, SECRET]).expect("two good secrets");
        assert_eq!(both.verify(AT, SIGNATURE, BODY, NOW), Ok(()));
        let new = both.sign(AT, BODY).expect("any key signs");
        assert_eq!(both.verify(AT, &new, BODY, NOW), Ok(()));
        let after = secrets(&[next]).expect("a good secret");
        assert_eq!(
            after.verify(AT, SIGNATURE, BODY, NOW),
            Err(BadSignature::Mismatch)
        );
    }

    #[test]
    fn nothing_prints_a_secret() {
        assert!(!format!("{:?}", slack()).contains(SECRET));
    }
}
