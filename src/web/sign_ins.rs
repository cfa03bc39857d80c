//! A person's sign-ins: listed, ended one by one or all at once. Administrators see everybody's.

use super::access::{Site, Visitor};
use super::cookies::Cookie;
use super::failure::Failure;
use super::fields::Fields;
use super::page::{Shell, render};
use super::{Web, words};
use crate::domain::id::SignInId;
use crate::domain::sign_in::{Identity, SignIn};
use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    all: String,
}

struct Row {
    id: String,
    name: String,
    by: &'static str,
    began: words::Moment,
    seen: words::Moment,
    is_this: bool,
}

#[derive(Template)]
#[template(path = "sign-ins.html", config = "src/web/askama.toml")]
struct SignInsPage {
    shell: Shell,
    rows: Vec<Row>,
    is_administrator: bool,
    shows_all: bool,
}

/// `GET /sign-ins`
pub(super) async fn list(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Query(wish): Query<Wish>,
) -> Result<Response, Failure> {
    let config = &visitor.signed_in.config;
    let is_administrator = visitor.administers();
    let shows_all = is_administrator && !wish.all.is_empty();
    let live = web.app.sign_ins(&visitor.signed_in, shows_all).await?;
    let row = |one: SignIn| Row {
        name: config.directory().name(&one.person).to_owned(),
        by: match one.identity {
            Identity::Slack(_) => "Slack",
            Identity::Oidc(_) => "your organization's sign-in",
        },
        began: words::Moment::of(one.started_at),
        seen: words::Moment::of(one.seen_at),
        is_this: one.id == visitor.signed_in.sign_in.id,
        id: one.id.to_string(),
    };
    Ok(render(&SignInsPage {
        shell: Shell::of(&visitor, "sign-ins"),
        rows: live.into_iter().map(row).collect(),
        is_administrator,
        shows_all,
    }))
}

/// `POST /sign-ins/revoke`
pub(super) async fn revoke(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    let id = fields.get("id").and_then(|id| id.parse::<SignInId>().ok());
    let id = id.ok_or_else(Failure::no_page)?;
    let revoked = web.app.revoke_sign_in(&visitor.caller(), &id).await;
    revoked
        .map_err(|error| Failure::from(error).leading_to("/sign-ins", "Back to the sign-ins"))?;
    Ok(Redirect::to("/sign-ins").into_response())
}

/// `POST /sign-out`: this browser, or with `everywhere` all browsers.
pub(super) async fn sign_out(
    State(web): State<Web>,
    Extension(site): Extension<Site>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    if fields.get("everywhere").is_some() {
        web.app.sign_out_everywhere(&visitor.signed_in).await?;
    } else {
        web.app.sign_out(&visitor.signed_in).await?;
    }
    let mut response = Redirect::to("/signed-out").into_response();
    if let Some(cookie) = Cookie::SignIn.clear(site.is_https()) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}
