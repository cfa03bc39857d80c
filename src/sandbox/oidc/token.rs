//! Signed tokens, right and wrong ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::{Value, json};
use sha2::Sha256;

use super::SignInFault as Fault;
use crate::sandbox::state::User;

/// The key of every sandbox. It is published with the source, so it protects nothing; ring makes no RSA keys.
const TEST_KEY: &[u8] = include_bytes!("test-key-not-a-secret.der");

const LIFETIME: i64 = 300;
const AN_HOUR: i64 = 60 * 60;
const A_DAY: i64 = 24 * 60 * 60;

fn key() -> KeyPair {
    KeyPair::from_pkcs8(TEST_KEY).expect("the test key is a PKCS #8 document")
}

/// The public key, as a key set lists it.
pub(super) fn public_key(kid: &str) -> Value {
    let public = PublicKeyComponents::<Vec<u8>>::from(key().public());
    let (n, e) = (
        URL_SAFE_NO_PAD.encode(public.n),
        URL_SAFE_NO_PAD.encode(public.e),
    );
    json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": n, "e": e})
}

/// What a token is to say.
pub(super) struct Wanted<'a> {
    pub(super) kid: &'a str,
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: Option<&'a str>,
    pub(super) now: i64,
    pub(super) auth_time: i64,
    pub(super) fault: Option<Fault>,
}

impl Wanted<'_> {
    /// The token of a person.
    pub(super) fn token(&self, user: &User) -> String {
        let claims = self.claims(user);
        let kid = match self.fault {
            Some(Fault::UnknownKey) => "sandbox-unknown",
            _ => self.kid,
        };
        let alg = match self.fault {
            Some(Fault::Unsigned) => "none",
            Some(Fault::PublicKeyAsSecret) => "HS256",
            _ => "RS256",
        };
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(&json!({"alg": alg, "typ": "JWT", "kid": kid}));
        let message = format!("{header}.{}", part(&claims));
        let signature = match self.fault {
            Some(Fault::Unsigned) => Vec::new(),
            Some(Fault::PublicKeyAsSecret) => hmac(&message),
            Some(Fault::WrongSignature) => rsa("another token"),
            _ => rsa(&message),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn claims(&self, user: &User) -> Value {
        let mut claims = json!({
            "iss": self.issuer, "sub": user.id, "aud": self.client_id, "nonce": self.nonce,
            "iat": self.now, "exp": self.now + LIFETIME, "auth_time": self.auth_time,
            // nobody is recognised by these
            "email": format!("{}@example.com", user.name), "email_verified": true, "name": user.real_name,
            "https://slack.com/user_id": user.id, "https://slack.com/team_id": user.team_id,
        });
        if let Some(enterprise) = &user.enterprise {
            claims["https://slack.com/enterprise_id"] = json!(enterprise);
        }
        match self.fault {
            Some(Fault::WrongNonce) => claims["nonce"] = json!("00"),
            Some(Fault::NoNonce) => claims["nonce"] = Value::Null,
            Some(Fault::WrongAudience) => claims["aud"] = json!("another-client"),
            Some(Fault::SharedAudience) => {
                claims["aud"] = json!([self.client_id, "another-client"]);
                claims["azp"] = json!("another-client");
            }
            Some(Fault::WrongIssuer) => claims["iss"] = json!("https://evil.example"),
            Some(Fault::Expired) => claims["exp"] = json!(self.now - 31),
            Some(Fault::Old) => claims["iat"] = json!(self.now - A_DAY),
            Some(Fault::NotYet) => claims["nbf"] = json!(self.now + LIFETIME),
            Some(Fault::OtherWorkspace) => claims["https://slack.com/team_id"] = json!("T99OTHER"),
            Some(Fault::NoAuthTime) => claims["auth_time"] = Value::Null,
            Some(Fault::FutureAuthTime) => claims["auth_time"] = json!(self.now + AN_HOUR),
            Some(Fault::NoAccount) => claims["https://slack.com/user_id"] = Value::Null,
            Some(
                Fault::WrongProvider
                | Fault::WrongState
                | Fault::WrongSender
                | Fault::UnknownKey
                | Fault::Unsigned
                | Fault::PublicKeyAsSecret
                | Fault::WrongSignature
                | Fault::Down
                | Fault::NotAskedAgain,
            )
            | None => {}
        }
        claims
    }
}

fn rsa(message: &str) -> Vec<u8> {
    let key = key();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message.as_bytes(),
        &mut signature,
    )
    .expect("the test key signs");
    signature
}

fn hmac(message: &str) -> Vec<u8> {
    let public = PublicKeyComponents::<Vec<u8>>::from(key().public());
    let mut mac = Hmac::<Sha256>::new_from_slice(&public.n).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
