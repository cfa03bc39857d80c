//! Signing in: to the provider, back, and in (docs/decisions.md D50). Each step is a plain page; no network call is made inside a
//! transaction.

mod attempt;
mod id_token;
mod pace;
mod provider;
mod ring_provider;

pub(super) use provider::Providers;

use super::access::Site;
use super::cookies::Cookie;
use super::failure::Failure;
use super::page::{Shell, render};
use super::{SlackSubject, Web, next};
use crate::app::LogLimit;
use crate::domain::document::{Console, OidcIdentity};
use crate::domain::sign_in::Identity;
use crate::domain::time::Timestamp;
use askama::Template;
use attempt::{ATTEMPT_LASTS, Attempt};
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use id_token::Claims;
pub(super) use provider::ProviderKind;
use provider::{Client, ProviderError};
use serde::Deserialize;

static REFUSED: LogLimit = LogLimit::new();

/// The longest hint that is passed on to a provider.
const LONGEST_HINT: usize = 64;
/// The longest code that is exchanged.
const LONGEST_CODE: usize = 4_096;

/// What the address of a sign-in says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wish {
    next: Option<String>,
    #[serde(rename = "as")]
    hint: Option<String>,
    /// Present where the person must prove again who they are.
    fresh: Option<String>,
}

/// What a provider sends back with the browser; its code is a secret.
#[derive(Default, Deserialize)]
pub(super) struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "sign-in.html", config = "src/web/askama.toml")]
struct ChoicePage {
    shell: Shell,
    /// The page to open afterwards, as a query.
    query: String,
}

#[derive(Template)]
#[template(path = "signed-out.html", config = "src/web/askama.toml")]
struct SignedOutPage {
    shell: Shell,
}

/// `GET /sign-in`: to the only provider at once, or a choice of two.
pub(super) async fn choose(
    State(web): State<Web>,
    Extension(site): Extension<Site>,
    Query(wish): Query<Wish>,
) -> Result<Response, Failure> {
    let console = console(&web).await?;
    let only = match (&console.slack, &console.oidc) {
        (Some(_), Some(_)) => None,
        (None, Some(_)) => Some(ProviderKind::Oidc),
        (_, None) => Some(ProviderKind::Slack),
    };
    match only {
        Some(kind) => start(&web, &site, kind, wish).await,
        None => Ok(render(&ChoicePage {
            shell: Shell::nobody(),
            query: next::query(wish.next.as_deref()),
        })),
    }
}

/// `GET /sign-in/{provider}`
pub(super) async fn begin(
    State(web): State<Web>,
    Extension(site): Extension<Site>,
    Path(provider): Path<String>,
    Query(wish): Query<Wish>,
) -> Result<Response, Failure> {
    let kind = ProviderKind::named(&provider).ok_or_else(Failure::no_page)?;
    start(&web, &site, kind, wish).await
}

/// `GET /signed-out`
pub(super) async fn signed_out() -> Response {
    render(&SignedOutPage {
        shell: Shell::nobody(),
    })
}

async fn console(web: &Web) -> Result<Console, Failure> {
    let config = web.app.compiled_config().await?;
    let console = config.document().console.clone();
    console.ok_or_else(Failure::switched_off)
}

async fn client(web: &Web, kind: ProviderKind) -> Result<Client, Failure> {
    let console = console(web).await?;
    let client = web.providers.client(&console, kind);
    client.ok_or_else(Failure::no_page)
}

fn redirect_uri(site: &Site, kind: ProviderKind) -> String {
    format!("{}/sign-in/{}/callback", site.url, kind.as_str())
}

/// Sends the browser to the provider, with a cookie that binds the attempt to it.
async fn start(
    web: &Web,
    site: &Site,
    kind: ProviderKind,
    wish: Wish,
) -> Result<Response, Failure> {
    let now = web.app.now();
    let _room = web.providers.pace.take(now).ok_or_else(crowded)?;
    let client = client(web, kind).await?;
    let fresh_for = console(web).await?.fresh_for;
    let mut attempt = Attempt::begin(kind, wish.next.as_deref(), now)?;
    if wish.fresh.is_some() {
        attempt = attempt.fresh();
    }
    let hint = wish.hint.filter(|hint| {
        hint.len() <= LONGEST_HINT && hint.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    let redirect = redirect_uri(site, kind);
    let url = web
        .providers
        .authorization_url(&client, &attempt, &redirect, (hint.as_deref(), fresh_for))
        .await;
    let url = url.map_err(|error| broken(&error))?;
    let cookie = Cookie::Attempt.set(
        &attempt.to_cookie(),
        ATTEMPT_LASTS.0 / 1_000,
        site.is_https(),
    );
    Ok(redirect_to(&url, [cookie]))
}

/// `GET /sign-in/{provider}/callback`
pub(super) async fn complete(
    State(web): State<Web>,
    Extension(site): Extension<Site>,
    Path(provider): Path<String>,
    Query(answer): Query<Answer>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let now = web.app.now();
    let kind = ProviderKind::named(&provider).ok_or_else(Failure::no_page)?;
    let attempt = Cookie::Attempt
        .read(&headers, site.is_https())
        .and_then(|cookie| Attempt::read(&cookie, now))
        .filter(|attempt| attempt.provider == kind);
    let state = answer.state.as_deref().unwrap_or_default();
    let Some(attempt) = attempt.filter(|attempt| attempt.has_state(state)) else {
        return Err(not_begun_here());
    };
    let code = match (answer.code, answer.error) {
        (Some(code), None) if (1..=LONGEST_CODE).contains(&code.len()) => code,
        (_, error) => return Err(declined(error.as_deref(), &attempt.next)),
    };
    let _room = web.providers.pace.take(now).ok_or_else(crowded)?;
    let client = client(&web, kind).await?;
    let own = web
        .providers
        .is_own_answer(&client, answer.iss.as_deref(), now);
    if !own.await.map_err(|error| broken(&error))? {
        return Err(not_begun_here());
    }
    let redirect = redirect_uri(&site, kind);
    let claims = web
        .providers
        .identify(&client, &attempt, &redirect, (&code, now))
        .await
        .map_err(|error| broken(&error))?;
    let console = console(&web).await?;
    let authenticated_at = claims.authenticated_at(now);
    if attempt.is_fresh {
        check_fresh(authenticated_at, &console, now)
            .map_err(|error| not_asked(&error, kind, &attempt.next))?;
    }
    let identity = identity(&web, &client, claims).await?;
    let began = web
        .app
        .sign_in(identity, authenticated_at)
        .await
        .map_err(|error| {
            Failure::from(error).leading_to(next::sign_in_and_return_to(&attempt.next), "Try again")
        })?;
    // whoever signs in again leaves no second sign-in behind in the same browser
    if let Some(before) = Cookie::SignIn.read(&headers, site.is_https())
        && let Some(before) = web.app.signed_in(&before).await?
    {
        web.app.sign_out(&before).await?;
    }
    let lasts = console.absolute.0 / 1_000;
    let cookies = [
        Cookie::SignIn.set(&began.secret, lasts, site.is_https()),
        Cookie::Attempt.clear(site.is_https()),
    ];
    Ok(redirect_to(&attempt.next, cookies))
}

/// Whether the provider asked the person again, as it was told to. What the browser was told can be changed on its way; the token cannot.
fn check_fresh(
    authenticated_at: Option<Timestamp>,
    console: &Console,
    now: Timestamp,
) -> Result<(), ProviderError> {
    match authenticated_at {
        None => Err(ProviderError::NotAsked("its token has no auth_time")),
        Some(at) if at.plus(console.fresh_for) <= now => Err(ProviderError::NotAsked(
            "the auth_time of its token is too old",
        )),
        Some(_) => Ok(()),
    }
}

/// Who the token is about: for Slack by the ids of account and workspace, otherwise by issuer and subject. Nothing else is read.
async fn identity(web: &Web, client: &Client, claims: Claims) -> Result<Identity, Failure> {
    if client.kind == ProviderKind::Oidc {
        return Ok(Identity::Oidc(OidcIdentity {
            issuer: client.issuer.clone(),
            subject: claims.sub,
        }));
    }
    let (Some(user_id), Some(team_id)) = (claims.slack_user, claims.slack_team) else {
        return Err(broken(&ProviderError::Unusable(
            "the token names no Slack account".to_owned(),
        )));
    };
    let subject = SlackSubject {
        user_id,
        team_id,
        enterprise_id: claims.slack_enterprise,
    };
    let account = (web.slack_accounts)(subject).await;
    account.map(Identity::Slack).map_err(|why| {
        Failure::new(StatusCode::FORBIDDEN, "You cannot sign in", why).leading_to(
            next::sign_in_and_return_to(next::START),
            "Sign in as somebody else",
        )
    })
}

fn redirect_to<const N: usize>(url: &str, cookies: [Option<HeaderValue>; N]) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(url) {
        headers.insert(LOCATION, location);
    }
    for cookie in cookies.into_iter().flatten() {
        headers.append(SET_COOKIE, cookie);
    }
    response
}

/// The page says that it failed; the log says why, since the cause may name addresses of the operator's network.
fn broken(error: &ProviderError) -> Failure {
    if let Some(left_out) = REFUSED.admit() {
        tracing::warn!(%error, left_out, "sign-in failed");
    }
    let (status, detail) = match error {
        ProviderError::Token(_) | ProviderError::Refused(_) => (
            StatusCode::FORBIDDEN,
            "The answer of the provider was not accepted, so nobody was signed in. Try again; if it fails again, ask the operator: the log names the cause.",
        ),
        ProviderError::NotAsked(_) | ProviderError::NoSecret(_) | ProviderError::Unusable(_) => (
            StatusCode::BAD_GATEWAY,
            "The sign-in provider cannot be used right now. Try again in a minute. The log names the cause.",
        ),
    };
    Failure::new(status, "Sign-in failed", detail)
        .leading_to(next::sign_in_and_return_to(next::START), "Try again")
}

/// The provider answered without asking the person again.
fn not_asked(error: &ProviderError, kind: ProviderKind, next: &str) -> Failure {
    if let Some(left_out) = REFUSED.admit() {
        tracing::warn!(%error, left_out, "sign-in failed");
    }
    Failure::new(
        StatusCode::FORBIDDEN,
        "You were not asked to sign in again",
        "The provider recognised you without asking, or does not say when it asked, so this does not count for approvals that need it. Sign out at the provider, then try again. If that does not help, ask the operator: the log names the cause.",
    )
    .leading_to(next::prove_at_and_return_to(kind, next), "Try again")
}

fn not_begun_here() -> Failure {
    Failure::new(
        StatusCode::FORBIDDEN,
        "This sign-in was not begun in this browser",
        "It took longer than ten minutes, was completed already, or somebody else began it. Nobody was signed in. Sign in again.",
    )
    .leading_to(next::sign_in_and_return_to(next::START), "Sign in")
}

fn declined(error: Option<&str>, next: &str) -> Failure {
    let detail = match error {
        Some("access_denied") => {
            "You, or the provider, declined. Sign in again if that was a mistake."
        }
        _ => "The provider did not say who you are. Sign in again.",
    };
    Failure::new(StatusCode::FORBIDDEN, "You were not signed in", detail)
        .leading_to(next::sign_in_and_return_to(next), "Sign in again")
}

fn crowded() -> Failure {
    Failure::new(
        StatusCode::TOO_MANY_REQUESTS,
        "Too many people are signing in",
        "Wait a minute, then sign in again.",
    )
}
