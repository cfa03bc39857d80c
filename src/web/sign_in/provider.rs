//! `OpenID` providers: where they are, their keys, and the exchange of a code for a token.

use super::attempt::Attempt;
use super::id_token::{self, BadToken, Claims, Expected, KeySet};
use crate::domain::document::Console;
use crate::domain::time::{Span, Timestamp};
use crate::net::{Fetched, Fetcher};
use crate::web::Variables;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::Url;

/// How long a provider's addresses are remembered.
const METADATA_KEPT: Span = Span::hours(1);
/// How long its keys are remembered.
const KEYS_KEPT: Span = Span::hours(24);
/// After an unknown key, the keys are fetched again at most this often.
const REFETCH_EVERY: Span = Span::minutes(1);

/// Which of the two providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// Sign in with Slack.
    Slack,
    /// The other provider.
    Oidc,
}

impl ProviderKind {
    /// The word in paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Oidc => "oidc",
        }
    }

    /// The provider with this word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Slack, Self::Oidc]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// Our client at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Which provider.
    pub kind: ProviderKind,
    /// Its issuer.
    pub issuer: String,
    /// Our client id.
    pub id: String,
    /// The environment variable with the secret.
    pub secret_env: String,
}

/// Why a provider could not say who is there; for the log, since it may name addresses of the operator's network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// A setting of ours is missing.
    #[error("the environment variable {0} is not set")]
    NoSecret(String),
    /// The provider cannot be reached, or answers nonsense.
    #[error("{0}")]
    Unusable(String),
    /// The provider refused the code.
    #[error("the provider refused the code: {0}")]
    Refused(String),
    /// The provider did not ask the person again.
    #[error("the provider did not ask the person to sign in again: {0}")]
    NotAsked(&'static str),
    /// The token is not acceptable.
    #[error("the token is not accepted: {0}")]
    Token(#[from] BadToken),
}

/// What a provider says of itself.
#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, Timestamp)>,
    keys: Option<(Arc<KeySet>, Timestamp)>,
    asked_for_keys_at: Option<Timestamp>,
}

/// The providers, with what is known of each.
pub struct Providers {
    fetcher: Fetcher,
    slack_issuer: String,
    variables: Variables,
    known: Mutex<HashMap<String, Known>>,
    pub(super) pace: super::pace::Pace,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<String>,
    error: Option<String>,
}

impl Providers {
    /// Knows nothing of any provider yet.
    pub fn new(fetcher: Fetcher, slack_issuer: String, variables: Variables) -> Self {
        Self {
            fetcher,
            slack_issuer,
            variables,
            known: Mutex::default(),
            pace: super::pace::Pace::default(),
        }
    }

    /// Our client at a provider, if it is configured.
    pub fn client(&self, console: &Console, kind: ProviderKind) -> Option<Client> {
        let (issuer, client_id, secret_env) = match kind {
            ProviderKind::Slack => {
                let slack = console.slack.as_ref()?;
                (
                    &self.slack_issuer,
                    &slack.client_id,
                    &slack.client_secret_env,
                )
            }
            ProviderKind::Oidc => {
                let oidc = console.oidc.as_ref()?;
                (&oidc.issuer, &oidc.client_id, &oidc.client_secret_env)
            }
        };
        Some(Client {
            kind,
            issuer: issuer.clone(),
            id: client_id.clone(),
            secret_env: secret_env.clone(),
        })
    }

    /// Where the browser goes to sign in.
    pub async fn authorization_url(
        &self,
        client: &Client,
        attempt: &Attempt,
        redirect_uri: &str,
        (hint, fresh_for): (Option<&str>, Span),
    ) -> Result<String, ProviderError> {
        let metadata = self.metadata(client, attempt.began_at).await?;
        let url = Url::parse(&metadata.authorization_endpoint);
        let mut url = url.map_err(|error| unusable(&error.to_string()))?;
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("scope", "openid")
            .append_pair("client_id", &client.id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", &attempt.state())
            .append_pair("nonce", &attempt.nonce())
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256");
        if attempt.is_fresh {
            let seconds = (fresh_for.0 / 1_000).to_string();
            query.append_pair("max_age", &seconds);
            query.append_pair("prompt", "login");
        }
        if let Some(hint) = hint {
            query.append_pair("login_hint", hint);
        }
        drop(query);
        Ok(url.into())
    }

    /// Whether an answer's `iss` is of this provider, so that no other one can answer for it (RFC 9207).
    pub async fn is_own_answer(
        &self,
        client: &Client,
        issuer: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, ProviderError> {
        let metadata = self.metadata(client, now).await?;
        let needed = metadata.authorization_response_iss_parameter_supported;
        Ok(issuer.map_or(!needed, |issuer| issuer == client.issuer))
    }

    /// Exchanges a code for a token and returns what the token says.
    pub async fn identify(
        &self,
        client: &Client,
        attempt: &Attempt,
        redirect_uri: &str,
        (code, now): (&str, Timestamp),
    ) -> Result<Claims, ProviderError> {
        let token = self
            .exchange(client, attempt, redirect_uri, (code, now))
            .await?;
        let expected = Expected {
            issuer: &client.issuer,
            client_id: &client.id,
            attempt,
            now,
        };
        let keys = self.keys(client, now, false).await?;
        match id_token::check(&token, &keys, &expected) {
            Err(BadToken::UnknownKey) => {
                let keys = self.keys(client, now, true).await?;
                Ok(id_token::check(&token, &keys, &expected)?)
            }
            checked => Ok(checked?),
        }
    }

    async fn exchange(
        &self,
        client: &Client,
        attempt: &Attempt,
        redirect_uri: &str,
        (code, now): (&str, Timestamp),
    ) -> Result<String, ProviderError> {
        let metadata = self.metadata(client, now).await?;
        let secret = (self.variables)(&client.secret_env).filter(|secret| !secret.is_empty());
        let secret = secret.ok_or_else(|| ProviderError::NoSecret(client.secret_env.clone()))?;
        let verifier = attempt.verifier();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", &verifier),
        ];
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let in_body = methods.iter().any(|method| method == "client_secret_post");
        let basic = if in_body {
            form.extend([
                ("client_id", client.id.as_str()),
                ("client_secret", &secret),
            ]);
            None
        } else {
            let encoded = |text: &str| {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
            };
            let pair = format!("{}:{}", encoded(&client.id), encoded(&secret));
            Some(format!("Basic {}", STANDARD.encode(pair)))
        };
        let form =
            serde_urlencoded::to_string(&form).map_err(|error| unusable(&error.to_string()))?;
        let answer = self
            .fetcher
            .post_form(&metadata.token_endpoint, basic.as_deref(), form);
        let answer = answer.await.map_err(|error| unusable(&error.to_string()))?;
        let body: Result<TokenAnswer, _> = serde_json::from_slice(&answer.body);
        match body {
            Ok(TokenAnswer {
                id_token: Some(token),
                error: None,
            }) if answer.status == 200 => Ok(token),
            Ok(TokenAnswer {
                error: Some(error), ..
            }) => Err(ProviderError::Refused(error.chars().take(100).collect())),
            _ => Err(unusable(&format!(
                "the token endpoint answered {} without a token",
                answer.status
            ))),
        }
    }

    async fn metadata(
        &self,
        client: &Client,
        now: Timestamp,
    ) -> Result<Arc<Metadata>, ProviderError> {
        let known = self
            .known()
            .get(&client.issuer)
            .and_then(|known| known.metadata.clone());
        if let Some((metadata, at)) = known
            && is_fresh(at, METADATA_KEPT, now)
        {
            return Ok(metadata);
        }
        let issuer = client.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let metadata: Metadata = self.document(&url).await?;
        if metadata.issuer != client.issuer {
            return Err(unusable("its configuration names another issuer"));
        }
        for endpoint in [
            &metadata.authorization_endpoint,
            &metadata.token_endpoint,
            &metadata.jwks_uri,
        ] {
            check_endpoint(endpoint, &client.issuer)?;
        }
        let metadata = Arc::new(metadata);
        let mut known = self.known();
        known.entry(client.issuer.clone()).or_default().metadata = Some((metadata.clone(), now));
        Ok(metadata)
    }

    /// The keys. `again` fetches them although they are known, but not more often than once a minute; keys that cannot be fetched again
    /// stay in use until they are too old.
    async fn keys(
        &self,
        client: &Client,
        now: Timestamp,
        again: bool,
    ) -> Result<Arc<KeySet>, ProviderError> {
        let (known, asked) = {
            let known = self.known();
            let known = known.get(&client.issuer);
            (
                known.and_then(|known| known.keys.clone()),
                known.and_then(|known| known.asked_for_keys_at),
            )
        };
        let held = known
            .filter(|(_, at)| is_fresh(*at, KEYS_KEPT, now))
            .map(|(keys, _)| keys);
        let too_soon = asked.is_some_and(|at| is_fresh(at, REFETCH_EVERY, now));
        if let Some(keys) = &held
            && (!again || too_soon)
        {
            return Ok(keys.clone());
        }
        self.known()
            .entry(client.issuer.clone())
            .or_default()
            .asked_for_keys_at = Some(now);
        let metadata = self.metadata(client, now).await?;
        match (self.document::<KeySet>(&metadata.jwks_uri).await, held) {
            (Ok(keys), _) => {
                let keys = Arc::new(keys);
                let mut known = self.known();
                known.entry(client.issuer.clone()).or_default().keys = Some((keys.clone(), now));
                Ok(keys)
            }
            (Err(_), Some(keys)) => Ok(keys),
            (Err(error), None) => Err(error),
        }
    }

    async fn document<T: DeserializeOwned>(&self, url: &str) -> Result<T, ProviderError> {
        let Fetched { status, body } =
            (self.fetcher.get(url).await).map_err(|error| unusable(&error.to_string()))?;
        if status != 200 {
            return Err(unusable(&format!("{url} answered {status}")));
        }
        serde_json::from_slice(&body).map_err(|error| unusable(&format!("{url}: {error}")))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether something of that time is still to be used; a clock that was set back makes it old.
fn is_fresh(at: Timestamp, kept: Span, now: Timestamp) -> bool {
    at <= now && now < at.plus(kept)
}

/// An endpoint uses https, unless the provider is on this machine.
fn check_endpoint(endpoint: &str, issuer: &str) -> Result<(), ProviderError> {
    let url = Url::parse(endpoint).map_err(|error| unusable(&error.to_string()))?;
    let issuer = Url::parse(issuer).map_err(|error| unusable(&error.to_string()))?;
    let same_plain_host = url.scheme() == "http" && url.origin() == issuer.origin();
    if url.scheme() == "https" || same_plain_host {
        return Ok(());
    }
    Err(unusable(
        "one of its addresses does not begin with https://",
    ))
}

fn unusable(why: &str) -> ProviderError {
    ProviderError::Unusable(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_use_https_unless_the_provider_is_on_this_machine_w1() {
        let is_good = |endpoint, issuer| check_endpoint(endpoint, issuer).is_ok();
        let login = "https://login.example";
        assert!(is_good("https://login.example/token", login));
        assert!(is_good("https://tokens.example/token", login));
        assert!(!is_good("http://login.example/token", login));
        assert!(!is_good("ftp://login.example/token", login));
        assert!(!is_good("login.example/token", login));
        assert!(is_good("http://127.0.0.1:9/token", "http://127.0.0.1:9"));
        assert!(!is_good("http://127.0.0.1:8/token", "http://127.0.0.1:9"));
        assert!(!is_good("http://evil.example/token", "http://127.0.0.1:9"));
    }
}
