//! Who may come in: the only place that recognises a browser, and the only one that accepts a form (docs/decisions.md D51).

use super::cookies::Cookie;
use super::failure::Failure;
use super::fields::Fields;
use super::{Web, next};
use crate::app::{App, AppError, SignedIn};
use crate::domain::id::PersonId;
use crate::domain::principal::Caller;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::sync::Arc;

/// The largest form, in bytes: a comment of 4,000 characters and more.
const LARGEST_FORM: usize = 64 * 1024;
/// The hidden field of every form.
pub const CSRF: &str = "csrf";

/// The header by which the script reads a page again after a change: nobody used it, so the sign-in does not live longer.
const REFRESH: &str = "countersign-refresh";

/// Where the pages are reached: proof that they are switched on.
#[derive(Debug, Clone)]
pub struct Site {
    /// `https://countersign.example.com`
    pub url: Arc<str>,
}

impl Site {
    /// Whether cookies may demand https.
    pub fn is_https(&self) -> bool {
        self.url.starts_with("https://")
    }
}

/// A browser whose person has signed in. Only this module creates one. It holds a token, so it is not for the log.
#[derive(Clone)]
pub struct Visitor {
    /// Who it is, as of this moment.
    pub signed_in: SignedIn,
    /// The token that every form of this browser carries.
    pub csrf: String,
    _checked: (),
}

impl Visitor {
    /// The caller of a use case.
    pub fn caller(&self) -> Caller {
        self.signed_in.caller()
    }

    /// Whether the person is an administrator.
    pub fn administers(&self) -> bool {
        let config = &self.signed_in.config;
        config.is_administrator(&self.caller().principal)
    }

    /// The person's id.
    pub fn person(&self) -> &PersonId {
        &self.signed_in.person.id
    }
}

/// An open page whose person has signed in. Only this module creates one.
#[derive(Clone)]
pub struct Listener {
    person: PersonId,
    secret: String,
    _checked: (),
}

impl Listener {
    /// Who listens.
    pub fn person(&self) -> &PersonId {
        &self.person
    }

    /// Whether the sign-in is still alive, and that of the same person.
    pub async fn is_still_signed_in(&self, app: &App) -> Result<bool, AppError> {
        let found = app.in_turn(|| app.recognise(&self.secret)).await?;
        Ok(found.is_some_and(|found| found.person.id == self.person))
    }
}

/// Lets everybody in, as long as there are pages.
pub(super) async fn open(State(web): State<Web>, mut request: Request, then: Next) -> Response {
    match site(&web).await {
        Ok(site) => {
            request.extensions_mut().insert(site);
            then.run(request).await
        }
        Err(failure) => failure.into_response(),
    }
}

/// Lets people in who have signed in; sends everybody else to the sign-in.
pub(super) async fn signed_in(
    State(web): State<Web>,
    mut request: Request,
    then: Next,
) -> Response {
    // a request must not be borrowed while others work
    let headers = request.headers().clone();
    let found = async {
        let site = site(&web).await?;
        let visitor = visitor(&web, &site, &headers).await?;
        Ok::<_, Failure>((site, visitor))
    };
    match found.await {
        Ok((site, Some(visitor))) => {
            request.extensions_mut().insert(site);
            request.extensions_mut().insert(visitor);
            then.run(request).await
        }
        Ok((_, None)) => {
            let path = request.uri().path_and_query().map(PathAndQuery::as_str);
            Redirect::to(&next::sign_in_and_return_to(path.unwrap_or(next::START))).into_response()
        }
        Err(failure) => failure.into_response(),
    }
}

/// Lets the script of an open page listen. Nobody else is redirected, since a script cannot sign anybody in.
pub(super) async fn listening(State(web): State<Web>, request: Request, then: Next) -> Response {
    let headers = request.headers().clone();
    let found = async {
        let site = site(&web).await?;
        let secret = Cookie::SignIn.read(&headers, site.is_https());
        let secret = secret.ok_or_else(|| Failure::signed_out(next::START))?;
        let found = web.app.recognise(&secret).await?;
        let person = found.ok_or_else(|| Failure::signed_out(next::START))?;
        Ok::<_, Failure>(Listener {
            person: person.person.id,
            secret,
            _checked: (),
        })
    };
    match found.await {
        Ok(listener) => {
            let mut request = request;
            request.extensions_mut().insert(listener);
            then.run(request).await
        }
        Err(failure) => failure.into_response(),
    }
}

/// Lets a form in: of a person who has signed in, sent by our own page, with the token of their sign-in.
pub(super) async fn form(State(web): State<Web>, request: Request, then: Next) -> Response {
    match checked_form(&web, request).await {
        Ok(request) => then.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

async fn checked_form(web: &Web, request: Request) -> Result<Request, Failure> {
    let site = site(web).await?;
    let (mut parts, body) = request.into_parts();
    if parts.method != Method::POST || !is_own_origin(&parts.headers, &site) {
        return Err(Failure::forged());
    }
    let body = axum::body::to_bytes(body, LARGEST_FORM).await;
    let body = body.map_err(|_| Failure::too_large())?;
    // after the body, which can be held back until a sign-in has ended
    let Some(visitor) = visitor(web, &site, &parts.headers).await? else {
        let back = parts.uri.path().rsplit_once('/').map(|(page, _)| page);
        return Err(Failure::signed_out(back.unwrap_or(next::START)));
    };
    let fields = is_form(&parts.headers)
        .then(|| Fields::read(&body))
        .flatten();
    let fields = fields.ok_or_else(Failure::forged)?;
    let secret = Cookie::SignIn.read(&parts.headers, site.is_https());
    let sent = fields.get(CSRF).and_then(|token| hex::decode(token).ok());
    let (Some(secret), Some(sent)) = (secret, sent) else {
        return Err(Failure::forged());
    };
    // compares in constant time
    if csrf_mac(&secret).verify_slice(&sent).is_err() {
        return Err(Failure::forged());
    }
    parts.extensions.insert(site);
    parts.extensions.insert(visitor);
    parts.extensions.insert(fields);
    Ok(Request::from_parts(parts, Body::empty()))
}

/// Where the pages are; a failure where they are off.
async fn site(web: &Web) -> Result<Site, Failure> {
    let config = web.app.compiled_config().await?;
    if config.document().console.is_none() {
        return Err(Failure::switched_off());
    }
    let url = web.app.public_url().ok_or_else(Failure::no_public_url)?;
    Ok(Site { url })
}

/// Who is behind a browser.
async fn visitor(web: &Web, site: &Site, headers: &HeaderMap) -> Result<Option<Visitor>, Failure> {
    let Some(secret) = Cookie::SignIn.read(headers, site.is_https()) else {
        return Ok(None);
    };
    let found = if headers.contains_key(REFRESH) {
        web.app.recognise(&secret).await?
    } else {
        web.app.signed_in(&secret).await?
    };
    Ok(found.map(|signed_in| Visitor {
        signed_in,
        csrf: hex::encode(csrf_mac(&secret).finalize().into_bytes()),
        _checked: (),
    }))
}

/// The token of a sign-in's forms; whoever knows it cannot find the secret.
fn csrf_mac(secret: &str) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mut mac = mac.expect("HMAC takes keys of any length");
    mac.update(b"form");
    mac
}

/// Browsers name the origin of every form; whoever sends none, or another one, is refused.
fn is_own_origin(headers: &HeaderMap, site: &Site) -> bool {
    let of_site = url::Url::parse(&site.url).map(|url| url.origin().ascii_serialization());
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let fetch_site = headers.get("sec-fetch-site");
    of_site.is_ok_and(|own| origin == Some(own.as_str()))
        && fetch_site.is_none_or(|from| from == "same-origin")
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.split(';').next() == Some("application/x-www-form-urlencoded"))
}
