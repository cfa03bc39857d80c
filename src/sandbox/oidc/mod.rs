//! The workspace as an `OpenID` provider, as Slack is one: discovery, keys, authorization and token. It asks for no password, because nothing
//! in the workspace is real, and it fails as it is told ([`SignInFault`]).

mod token;

use std::collections::{HashMap, VecDeque};

use axum::extract::{Query, State as Shared};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::state::User;
use super::{Sandbox, lock};

/// The client secret that the workspace accepts.
pub const CLIENT_SECRET: &str = "sandbox-client-secret";

/// What goes wrong with the next sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInFault {
    /// The provider's configuration names another issuer.
    WrongProvider,
    /// The browser comes back with another state.
    WrongState,
    /// The browser comes back in the name of another provider.
    WrongSender,
    /// The token has another nonce.
    WrongNonce,
    /// The token has no nonce.
    NoNonce,
    /// The token is for another client.
    WrongAudience,
    /// The token is for our client and another one, and was issued to the other one.
    SharedAudience,
    /// The token names another issuer.
    WrongIssuer,
    /// The token has expired.
    Expired,
    /// The token was made a day ago.
    Old,
    /// The token is not valid yet.
    NotYet,
    /// The token names a key that is not in the key set.
    UnknownKey,
    /// The token is not signed: `alg: none`.
    Unsigned,
    /// The token is signed with HMAC by the public key: `alg: HS256`.
    PublicKeyAsSecret,
    /// The signature belongs to another token.
    WrongSignature,
    /// The token is of another workspace.
    OtherWorkspace,
    /// The token names no Slack account.
    NoAccount,
    /// The token endpoint answers with an error 500.
    Down,
    /// The token does not say when the person proved who they are.
    NoAuthTime,
    /// The person is not asked again, although the app wants it.
    NotAskedAgain,
    /// The token says that the person will prove in an hour who they are.
    FutureAuthTime,
}

/// One code that was handed out.
#[derive(Debug, Clone)]
struct Grant {
    user: String,
    client_id: String,
    redirect_uri: String,
    nonce: Option<String>,
    challenge: Option<String>,
    auth_time: i64,
}

/// What the provider remembers.
#[derive(Debug)]
pub(super) struct Provider {
    codes: HashMap<String, Grant>,
    /// When each person last said who they are, in seconds.
    said_at: HashMap<String, i64>,
    faults: VecDeque<SignInFault>,
    key_id: u32,
    key_requests: u32,
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            codes: HashMap::new(),
            said_at: HashMap::new(),
            faults: VecDeque::new(),
            key_id: 1,
            key_requests: 0,
        }
    }
}

impl Provider {
    fn kid(&self) -> String {
        format!("sandbox-{}", self.key_id)
    }

    /// When the person last said who they are: now, unless they are known and the app does not want them to say it again.
    fn auth_time(&mut self, asked: &Asked, user: &str, now: i64) -> i64 {
        let known = self.said_at.get(user).copied();
        let too_old = |at: i64| asked.max_age.is_some_and(|limit| now - at > limit);
        let again = asked.prompt.as_deref() == Some("login") || known.is_none_or(too_old);
        let ignored = self.take(|fault| fault == SignInFault::NotAskedAgain);
        if again && ignored.is_none() {
            self.said_at.insert(user.to_owned(), now);
            return now;
        }
        known.unwrap_or(now)
    }

    /// Takes the next fault if it is one of these.
    fn take(&mut self, wanted: impl Fn(SignInFault) -> bool) -> Option<SignInFault> {
        let next = self
            .faults
            .front()
            .copied()
            .filter(|fault| wanted(*fault))?;
        self.faults.pop_front();
        Some(next)
    }
}

impl Sandbox {
    /// The next sign-in fails like this.
    pub fn fail_next_sign_in(&self, fault: SignInFault) {
        lock(&self.0.oidc).faults.push_back(fault);
    }

    /// The provider changes its key: tokens name another one from now on.
    pub fn rotate_sign_in_key(&self) {
        lock(&self.0.oidc).key_id += 1;
    }

    /// How often the key set was fetched.
    pub fn sign_in_key_requests(&self) -> u32 {
        lock(&self.0.oidc).key_requests
    }
}

pub(super) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/openid/connect/keys", get(keys))
        .route("/openid/connect/authorize", get(authorize))
        .route("/api/openid.connect.token", post(exchange))
}

async fn discovery(Shared(sandbox): Shared<Sandbox>) -> Json<Value> {
    let url = sandbox.url();
    let wrong = lock(&sandbox.0.oidc).take(|fault| fault == SignInFault::WrongProvider);
    let issuer = wrong.map_or(url, |_| "https://evil.example");
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{url}/openid/connect/authorize"),
        "token_endpoint": format!("{url}/api/openid.connect.token"),
        "jwks_uri": format!("{url}/openid/connect/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

async fn keys(Shared(sandbox): Shared<Sandbox>) -> Json<Value> {
    let mut provider = lock(&sandbox.0.oidc);
    provider.key_requests += 1;
    Json(json!({"keys": [token::public_key(&provider.kid())]}))
}

#[derive(Debug, Deserialize)]
struct Asked {
    response_type: String,
    scope: String,
    client_id: String,
    redirect_uri: String,
    state: String,
    nonce: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    prompt: Option<String>,
    max_age: Option<i64>,
    login_hint: Option<String>,
}

/// Signs in at once as whom the hint names, which stands for a password, or asks who it is.
async fn authorize(Shared(sandbox): Shared<Sandbox>, Query(asked): Query<Asked>) -> Response {
    if let Err(why) = check(&asked) {
        return (StatusCode::BAD_REQUEST, why).into_response();
    }
    let hint = asked.login_hint.as_deref();
    let person = sandbox
        .look(|state| hint.and_then(|hint| people(state).find(|user| user.id == hint).cloned()));
    match person {
        Some(user) => grant(&sandbox, asked, user.id),
        None => ask(&sandbox, &asked),
    }
}

fn check(asked: &Asked) -> Result<(), &'static str> {
    if asked.response_type != "code" || !asked.scope.split(' ').any(|scope| scope == "openid") {
        return Err("this provider grants codes for the scope openid only");
    }
    if asked.code_challenge.is_some() && asked.code_challenge_method.as_deref() != Some("S256") {
        return Err("this provider takes challenges of the method S256 only");
    }
    let redirect =
        url::Url::parse(&asked.redirect_uri).map_err(|_| "the redirect_uri is no address")?;
    let is_local = matches!(redirect.host_str(), Some("127.0.0.1" | "localhost"));
    if !is_local || !redirect.path().starts_with("/sign-in/") {
        return Err("the redirect_uri is not one of the app's");
    }
    Ok(())
}

fn people(state: &super::State) -> impl Iterator<Item = &User> {
    let users = state.users.values();
    users.filter(|user| !user.is_bot && !user.deleted)
}

fn grant(sandbox: &Sandbox, asked: Asked, user: String) -> Response {
    let code = uuid::Uuid::new_v4().simple().to_string();
    let now = sandbox.now_ms().div_euclid(1_000);
    let mut provider = lock(&sandbox.0.oidc);
    let auth_time = provider.auth_time(&asked, &user, now);
    let is_wrong = |fault| matches!(fault, SignInFault::WrongState | SignInFault::WrongSender);
    let (state, issuer) = match provider.take(is_wrong) {
        Some(SignInFault::WrongState) => ("of-somebody-else", None),
        Some(_) => (asked.state.as_str(), Some(("iss", "https://evil.example"))),
        None => (asked.state.as_str(), None),
    };
    let mut query = vec![("code", code.as_str()), ("state", state)];
    query.extend(issuer);
    let query = serde_urlencoded::to_string(query);
    let target = format!("{}?{}", asked.redirect_uri, query.unwrap_or_default());
    let granted = Grant {
        user,
        client_id: asked.client_id,
        redirect_uri: asked.redirect_uri,
        nonce: asked.nonce,
        challenge: asked.code_challenge,
        auth_time,
    };
    provider.codes.insert(code, granted);
    (
        StatusCode::SEE_OTHER,
        [(LOCATION, target), (CACHE_CONTROL, "no-store".to_owned())],
    )
        .into_response()
}

/// A plain page with a link for each person.
fn ask(sandbox: &Sandbox, asked: &Asked) -> Response {
    let max_age = asked.max_age.map(|seconds| seconds.to_string());
    let link = |user: &User| {
        let mut pairs = vec![
            ("response_type", asked.response_type.as_str()),
            ("scope", &asked.scope),
            ("client_id", &asked.client_id),
            ("redirect_uri", &asked.redirect_uri),
            ("state", &asked.state),
            ("login_hint", &user.id),
        ];
        let optional = [
            ("nonce", &asked.nonce),
            ("code_challenge", &asked.code_challenge),
            ("code_challenge_method", &asked.code_challenge_method),
            ("prompt", &asked.prompt),
            ("max_age", &max_age),
        ];
        pairs.extend(
            optional
                .into_iter()
                .filter_map(|(key, value)| Some((key, value.as_deref()?))),
        );
        let query = serde_urlencoded::to_string(pairs).unwrap_or_default();
        let (query, name) = (escaped(&query), escaped(&user.real_name));
        format!("<li><a href=\"/openid/connect/authorize?{query}\">{name}</a></li>")
    };
    let links: String = sandbox.look(|state| people(state).map(link).collect());
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>Sign in to the sandbox</title>\
         <main><h1>Who are you?</h1><p>This is the local workspace, so nobody needs a password.</p><ul>{links}</ul></main></html>"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ];
    (headers, page).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[derive(Debug, Deserialize)]
struct Redeemed {
    grant_type: String,
    code: String,
    redirect_uri: String,
    client_id: Option<String>,
    client_secret: Option<String>,
    code_verifier: Option<String>,
}

/// A code is worth one token, for the client and the browser that it was made for.
async fn exchange(
    Shared(sandbox): Shared<Sandbox>,
    headers: HeaderMap,
    axum::Form(redeemed): axum::Form<Redeemed>,
) -> Response {
    let refused = |error: &str| Json(json!({"ok": false, "error": error})).into_response();
    let mut provider = lock(&sandbox.0.oidc);
    let Some(granted) = provider.codes.remove(&redeemed.code) else {
        return refused("invalid_code");
    };
    if provider.take(|fault| fault == SignInFault::Down).is_some() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let (client_id, secret) = client_of(&headers, &redeemed);
    let verified = match (&granted.challenge, &redeemed.code_verifier) {
        (Some(challenge), Some(verifier)) => {
            *challenge == URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
        }
        (None, _) => true,
        (Some(_), None) => false,
    };
    if redeemed.grant_type != "authorization_code"
        || redeemed.redirect_uri != granted.redirect_uri
        || !verified
    {
        return refused("invalid_grant");
    }
    if client_id != granted.client_id || secret != CLIENT_SECRET {
        return refused("bad_client_secret");
    }
    let fault = provider.take(|_| true);
    let signed = token::Wanted {
        kid: &provider.kid(),
        issuer: sandbox.url(),
        client_id: &granted.client_id,
        nonce: granted.nonce.as_deref(),
        now: sandbox.now_ms().div_euclid(1_000),
        auth_time: granted.auth_time,
        fault,
    };
    let token = sandbox.look(|state| {
        state
            .users
            .get(&granted.user)
            .map(|user| signed.token(user))
    });
    match token {
        Some(token) => Json(json!({"ok": true, "access_token": "xoxp-none", "token_type": "Bearer", "id_token": token})).into_response(),
        None => refused("user_not_found"),
    }
}

fn client_of(headers: &HeaderMap, redeemed: &Redeemed) -> (String, String) {
    let basic = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let basic = basic.and_then(|value| value.strip_prefix("Basic "));
    let decoded =
        basic.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let pair = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some((id, secret)) = pair.as_deref().and_then(|pair| pair.split_once(':')) {
        return (id.to_owned(), secret.to_owned());
    }
    let given = |text: &Option<String>| text.clone().unwrap_or_default();
    (given(&redeemed.client_id), given(&redeemed.client_secret))
}
