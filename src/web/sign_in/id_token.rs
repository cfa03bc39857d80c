//! The token by which a provider says who is there: its signature, and every claim that must hold (threat W1).

use super::attempt::Attempt;
use super::ring_provider;
use crate::domain::time::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

/// How far the provider's clock may differ from ours, in seconds.
const LEEWAY: i64 = 30;
/// A token that was made longer ago than this is not of this sign-in, in seconds.
const OLDEST: i64 = 15 * 60;
/// The longest token that is looked at, in bytes.
const LONGEST_TOKEN: usize = 16 * 1024;
/// The longest subject, in bytes (`OpenID` Connect Core, section 2).
const LONGEST_SUBJECT: usize = 255;

/// The key set of a provider.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug, Clone, Deserialize)]
struct Key {
    kid: Option<String>,
    kty: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl KeySet {
    /// The RSA key with this id, if it is for signatures with RS256.
    fn key(&self, kid: Option<&str>) -> Option<DecodingKey> {
        let usable = |key: &&Key| {
            key.kty == "RSA"
                && key.kid.as_deref() == kid
                && key.alg.as_deref().is_none_or(|alg| alg == "RS256")
                && key
                    .purpose
                    .as_deref()
                    .is_none_or(|purpose| purpose == "sig")
        };
        let key = self.keys.iter().find(usable)?;
        DecodingKey::from_rsa_components(key.n.as_deref()?, key.e.as_deref()?).ok()
    }
}

/// One audience, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// The claims that are read.
#[derive(Debug, Clone, Deserialize)]
pub struct Claims {
    /// The provider's id of the person.
    pub sub: String,
    aud: Audience,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    azp: Option<String>,
    /// Slack's user id.
    #[serde(rename = "https://slack.com/user_id")]
    pub slack_user: Option<String>,
    /// Slack's workspace id.
    #[serde(rename = "https://slack.com/team_id")]
    pub slack_team: Option<String>,
    /// Slack's id of the Enterprise Grid organization.
    #[serde(rename = "https://slack.com/enterprise_id")]
    pub slack_enterprise: Option<String>,
}

/// Why a token is not accepted; for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// The key set does not have its key. The set may have changed.
    #[error("its key is not in the provider's key set")]
    UnknownKey,
    /// Anything else.
    #[error("{0}")]
    Invalid(String),
}

fn invalid(why: &str) -> BadToken {
    BadToken::Invalid(why.to_owned())
}

/// What a token must be for.
pub struct Expected<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// Our client id.
    pub client_id: &'a str,
    /// The attempt.
    pub attempt: &'a Attempt,
    /// The time.
    pub now: Timestamp,
}

/// Checks a token and returns what it says.
pub fn check(token: &str, keys: &KeySet, expected: &Expected<'_>) -> Result<Claims, BadToken> {
    ring_provider::install();
    if token.len() > LONGEST_TOKEN {
        return Err(invalid("it is too long"));
    }
    let header = jsonwebtoken::decode_header(token);
    let header = header.map_err(|error| invalid(&format!("its header: {error}")))?;
    if header.alg != Algorithm::RS256 || header.crit.is_some() {
        return Err(invalid("it is not signed with RS256 alone"));
    }
    let key = keys.key(header.kid.as_deref());
    let key = key.ok_or(BadToken::UnknownKey)?;
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_issuer(&[expected.issuer]);
    rules.set_audience(&[expected.client_id]);
    rules.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
    // the library reads the system's clock; the times are checked below by the clock that decides
    rules.validate_exp = false;
    let token = jsonwebtoken::decode::<Claims>(token, &key, &rules);
    let claims = token.map_err(|error| invalid(&error.to_string()))?.claims;
    check_claims(&claims, expected)?;
    Ok(claims)
}

fn check_claims(claims: &Claims, expected: &Expected<'_>) -> Result<(), BadToken> {
    let now = expected.now.0.div_euclid(1_000);
    if claims.exp.saturating_add(LEEWAY) <= now {
        return Err(invalid("it has expired"));
    }
    let from = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
    if from > now.saturating_add(LEEWAY) || claims.iat < now.saturating_sub(OLDEST) {
        return Err(invalid("it was not made now"));
    }
    let nonce = claims.nonce.as_deref();
    if !nonce.is_some_and(|nonce| expected.attempt.has_nonce(nonce)) {
        return Err(invalid("its nonce is of another sign-in"));
    }
    let several = matches!(&claims.aud, Audience::Many(many) if many.len() > 1);
    let party = claims.azp.as_deref();
    if party.map_or(several, |party| party != expected.client_id) {
        return Err(invalid("it was made for another client"));
    }
    if matches!(&claims.aud, Audience::One(one) if one.is_empty()) {
        return Err(invalid("it names no audience"));
    }
    if !(1..=LONGEST_SUBJECT).contains(&claims.sub.len()) {
        return Err(invalid("its subject is empty or too long"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::provider::ProviderKind;
    use super::*;
    use serde_json::{Value, json};

    const NOW: i64 = 1_763_800_000;

    /// Whether a token with these claims, and otherwise right ones, is accepted.
    fn accepted(changed: &Value) -> bool {
        let now = Timestamp(NOW * 1_000);
        let attempt = Attempt::begin(ProviderKind::Oidc, None, now).expect("randomness");
        let mut claims = json!({
            "sub": "bob", "aud": "countersign", "exp": NOW + 300, "iat": NOW, "nonce": attempt.nonce(),
        });
        for (name, value) in changed.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        let claims = serde_json::from_value(claims).expect("claims");
        let expected = Expected {
            issuer: "https://login.example",
            client_id: "countersign",
            attempt: &attempt,
            now,
        };
        check_claims(&claims, &expected).is_ok()
    }

    #[test]
    fn each_wrong_claim_refuses_the_token_w1() {
        let both = json!(["countersign", "another"]);
        let longest = "x".repeat(LONGEST_SUBJECT);
        for good in [
            json!({}),
            json!({"exp": NOW - LEEWAY + 1}),
            json!({"iat": NOW + LEEWAY}),
            json!({"iat": NOW - OLDEST}),
            json!({"nbf": NOW + LEEWAY}),
            json!({"azp": "countersign"}),
            json!({"aud": ["countersign"]}),
            json!({"aud": both, "azp": "countersign"}),
            json!({"sub": longest}),
        ] {
            assert!(accepted(&good), "{good}");
        }
        for bad in [
            json!({"exp": NOW - LEEWAY}),
            json!({"iat": NOW + LEEWAY + 1}),
            json!({"iat": NOW + LEEWAY + 1, "nbf": NOW}),
            json!({"iat": NOW - OLDEST - 1}),
            json!({"nbf": NOW + LEEWAY + 1}),
            json!({"nonce": null}),
            json!({"nonce": ""}),
            json!({"nonce": "00"}),
            json!({"azp": "another"}),
            json!({"aud": both}),
            json!({"aud": ""}),
            json!({"sub": ""}),
            json!({"sub": format!("{longest}x")}),
        ] {
            assert!(!accepted(&bad), "{bad}");
        }
    }

    #[test]
    fn only_rsa_keys_for_signatures_with_rs256_are_used_w1() {
        let usable = |changed: Value| {
            let mut key = json!({"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig", "n": "AQAB", "e": "AQAB"});
            for (name, value) in changed.as_object().expect("a key") {
                key[name] = value.clone();
            }
            let keys: KeySet = serde_json::from_value(json!({"keys": [key]})).expect("keys");
            keys.key(Some("1")).is_some()
        };
        for good in [json!({}), json!({"alg": null}), json!({"use": null})] {
            assert!(usable(good.clone()), "{good}");
        }
        for bad in [
            json!({"kty": "EC"}),
            json!({"kid": "2"}),
            json!({"kid": null}),
            json!({"alg": "RS512"}),
            json!({"use": "enc"}),
            json!({"n": null}),
        ] {
            assert!(!usable(bad.clone()), "{bad}");
        }
    }

    #[test]
    fn token_is_signed_with_rs256_and_not_too_long_w1() {
        let now = Timestamp(NOW * 1_000);
        let attempt = Attempt::begin(ProviderKind::Oidc, None, now).expect("randomness");
        let expected = Expected {
            issuer: "https://login.example",
            client_id: "countersign",
            attempt: &attempt,
            now,
        };
        let why = |header: &Value, end: &str| {
            use base64::Engine as _;
            let header =
                base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header.to_string());
            let token = format!("{header}.e30.{end}");
            check(&token, &KeySet::default(), &expected)
                .expect_err("no key")
                .to_string()
        };
        let right = json!({"alg": "RS256", "kid": "1"});
        assert_eq!(why(&right, ""), BadToken::UnknownKey.to_string());
        assert_eq!(
            why(&right, &"a".repeat(LONGEST_TOKEN)),
            "it is too long",
            "nothing of it is read"
        );
        for alg in ["HS256", "RS384", "PS256", "ES256", "EdDSA"] {
            let header = json!({"alg": alg, "kid": "1"});
            assert_eq!(
                why(&header, ""),
                "it is not signed with RS256 alone",
                "{alg}"
            );
        }
        assert!(why(&json!({"alg": "none"}), "").starts_with("its header"));
    }
}
