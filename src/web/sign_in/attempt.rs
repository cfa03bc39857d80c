//! One attempt to sign in, bound to the browser that began it by a cookie (threat W1). Nothing of it is stored: state, nonce and verifier
//! are derived from the secret in the cookie, so that any replica can complete what another one began.

use super::super::next;
use super::ProviderKind;
use crate::app::AppError;
use crate::domain::time::{Span, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// How long a person may take at the provider.
pub const ATTEMPT_LASTS: Span = Span::minutes(10);
/// Bytes of randomness in a secret.
const RANDOM_BYTES: usize = 32;

/// An attempt to sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    secret: String,
    /// At which provider.
    pub provider: ProviderKind,
    /// When it began.
    pub began_at: Timestamp,
    /// The page to open afterwards.
    pub next: String,
    /// Whether the person must prove again who they are, although the provider knows them.
    pub is_fresh: bool,
}

/// The end of a fresh attempt's cookie. Others look as they did before there were fresh ones, so that replicas of two releases can
/// complete each other's attempts.
const FRESH: &str = ".fresh";

impl Attempt {
    /// A new attempt.
    pub fn begin(
        provider: ProviderKind,
        next: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, AppError> {
        let mut random = [0_u8; RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(|error| AppError::Internal(error.to_string()))?;
        Ok(Self {
            secret: hex::encode(random),
            provider,
            began_at: now,
            next: next::safe(next).to_owned(),
            is_fresh: false,
        })
    }

    /// The same, for a person who must prove again who they are.
    #[must_use]
    pub fn fresh(self) -> Self {
        Self {
            is_fresh: true,
            ..self
        }
    }

    /// The value of the cookie.
    pub fn to_cookie(&self) -> String {
        let next = URL_SAFE_NO_PAD.encode(&self.next);
        let (secret, provider, began) = (&self.secret, self.provider.as_str(), self.began_at.0);
        let fresh = if self.is_fresh { FRESH } else { "" };
        format!("{secret}.{provider}.{began}.{next}{fresh}")
    }

    /// Reads a cookie; nothing if it is not one of ours, or too old.
    pub fn read(cookie: &str, now: Timestamp) -> Option<Self> {
        let cut = cookie.strip_suffix(FRESH);
        let parts: Vec<&str> = cut.unwrap_or(cookie).split('.').collect();
        let [secret, provider, began, next] = parts.as_slice() else {
            return None;
        };
        let began_at = Timestamp(began.parse().ok()?);
        let is_secret =
            secret.len() == 2 * RANDOM_BYTES && secret.bytes().all(|b| b.is_ascii_hexdigit());
        let in_time = began_at <= now && now < began_at.plus(ATTEMPT_LASTS);
        let next = String::from_utf8(URL_SAFE_NO_PAD.decode(next).ok()?).ok()?;
        (is_secret && in_time).then(|| {
            Some(Self {
                secret: (*secret).to_owned(),
                provider: ProviderKind::named(provider)?,
                began_at,
                next: next::safe(Some(&next)).to_owned(),
                is_fresh: cut.is_some(),
            })
        })?
    }

    /// What the provider returns with the browser.
    pub fn state(&self) -> String {
        hex::encode(self.derived("state").finalize().into_bytes())
    }

    /// Whether the browser came back with the state of this attempt; compared in constant time.
    pub fn has_state(&self, state: &str) -> bool {
        hex::decode(state).is_ok_and(|state| self.derived("state").verify_slice(&state).is_ok())
    }

    /// What the provider puts into the token.
    pub fn nonce(&self) -> String {
        hex::encode(self.derived("nonce").finalize().into_bytes())
    }

    /// Whether a token is for this attempt; compared in constant time.
    pub fn has_nonce(&self, nonce: &str) -> bool {
        hex::decode(nonce).is_ok_and(|nonce| self.derived("nonce").verify_slice(&nonce).is_ok())
    }

    /// The verifier of PKCE.
    pub fn verifier(&self) -> String {
        hex::encode(self.derived("verifier").finalize().into_bytes())
    }

    /// The challenge of PKCE, method S256.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier()))
    }

    fn derived(&self, purpose: &str) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes());
        let mut mac = mac.expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    #[test]
    fn attempt_is_read_back_only_in_time_and_whole_w1() {
        let begun = Attempt::begin(ProviderKind::Slack, Some("/approvals/7"), NOW);
        let begun = begun.expect("randomness");
        let cookie = begun.to_cookie();
        let read = |cookie: &str, at: i64| Attempt::read(cookie, Timestamp(at));
        assert!(read(&cookie, NOW.0) == Some(begun.clone()));
        assert!(read(&cookie, NOW.0 + ATTEMPT_LASTS.0).is_none());
        assert!(read(&cookie, NOW.0 - 1).is_none());
        for bad in [
            "",
            "a.slack.1.",
            &cookie[1..],
            &cookie.replace("slack", "other"),
        ] {
            assert!(read(bad, NOW.0).is_none(), "{bad}");
        }
        let evil = URL_SAFE_NO_PAD.encode("//evil.example");
        let head = cookie.splitn(4, '.').take(3).collect::<Vec<_>>().join(".");
        let evil = read(&format!("{head}.{evil}"), NOW.0).expect("an attempt");
        assert_eq!(evil.next, next::START);
        let fresh = begun.clone().fresh();
        assert!(!begun.is_fresh && read(&fresh.to_cookie(), NOW.0) == Some(fresh));
        assert!(begun.has_state(&begun.state()) && !begun.has_state(&begun.nonce()));
        assert!(begun.has_nonce(&begun.nonce()) && !begun.has_nonce(""));
    }
}
