//! What all pages share: the frame around them, and the headers that keep others out.

use super::Web;
use super::access::Visitor;
use super::assets;
use askama::Template;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

/// Everything comes from this server, in files; nothing inline, no frame, no other server.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// For a year; other hosts of the domain are not our concern.
const HSTS: &str = "max-age=31536000";

/// The frame around a page.
#[derive(Clone)]
pub struct Shell {
    /// The file of the style sheet.
    pub style: &'static str,
    /// The file of the script.
    pub script: &'static str,
    /// The file of the script that updates open pages. It comes first, since the other script changes what is shown.
    pub live_script: &'static str,
    /// The file of the icon.
    pub icon: &'static str,
    /// The name of the person who has signed in.
    pub name: Option<String>,
    /// The token of their forms.
    pub csrf: String,
    /// Whether they are an administrator.
    pub administers: bool,
    /// Which entry of the navigation is the present page.
    pub active: &'static str,
}

impl Shell {
    /// The frame for a person.
    pub fn of(visitor: &Visitor, active: &'static str) -> Self {
        Self {
            name: Some(visitor.signed_in.person.name.clone()),
            csrf: visitor.csrf.clone(),
            administers: visitor.administers(),
            active,
            ..Self::nobody()
        }
    }

    /// The frame for somebody unknown.
    pub fn nobody() -> Self {
        Self {
            style: assets::style(),
            script: assets::script(),
            live_script: assets::live_script(),
            icon: assets::icon(),
            name: None,
            csrf: String::new(),
            administers: false,
            active: "",
        }
    }
}

/// The page, written out.
pub fn render(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => {
            let kind = [(CONTENT_TYPE, "text/html; charset=utf-8")];
            (kind, html).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be written out");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The page could not be written out. The log names the cause.",
            )
                .into_response()
        }
    }
}

/// Adds the headers that every answer of the pages has.
pub(super) async fn with_security_headers(
    State(web): State<Web>,
    mut response: Response,
) -> Response {
    let fixed: [(HeaderName, &'static str); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // the origin stays in forms, which are checked by it; other sites learn nothing
        (REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let url = web.app.public_url();
    if url.is_some_and(|url| url.starts_with("https://")) {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
