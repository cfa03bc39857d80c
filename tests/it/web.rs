//! The web pages over real sockets: signing in, forms, and what each page shows and does.

mod approvals;
mod audit;
mod emergency;
mod forms;
mod lifetime;
mod live;
mod policies;
mod sign_in;
mod step_up;

use crate::world::World;
use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use serde_json::json;
use std::collections::BTreeMap;

/// A browser without JavaScript: it keeps cookies, follows redirects when told to, and fills in forms.
#[derive(Clone)]
pub struct Visitor {
    http: reqwest::Client,
    /// Where the pages are.
    pub url: String,
    /// Cookies of the pages' host.
    pub cookies: BTreeMap<String, String>,
}

/// What a browser got.
#[derive(Debug, Clone)]
pub struct Seen {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Seen {
    /// Where the answer leads.
    pub fn location(&self) -> String {
        let location = self.headers.get(LOCATION);
        let location = location.and_then(|value| value.to_str().ok());
        location.unwrap_or_default().to_owned()
    }

    /// The value of the page's first field with this name.
    pub fn field(&self, name: &str) -> Option<String> {
        let (_, rest) = self.text.split_once(&format!("name=\"{name}\" value=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    }
}

impl Visitor {
    pub fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self {
            http: http.build().expect("a client"),
            url: url.to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// Opens an address of the pages, or of the provider, without following redirects.
    pub async fn open(&mut self, address: &str) -> Seen {
        self.send("GET", address, &[], None).await
    }

    /// Submits a form as a browser does.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let origin = self.url.clone();
        let headers = [
            ("origin", origin.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        let form = serde_urlencoded::to_string(fields).expect("a form");
        self.send("POST", path, &headers, Some(form)).await
    }

    /// A call with these headers.
    pub async fn send(
        &mut self,
        method: &str,
        address: &str,
        headers: &[(&str, &str)],
        form: Option<String>,
    ) -> Seen {
        let own = address.starts_with('/') || address.starts_with(&self.url);
        let whole = if address.starts_with('/') {
            format!("{}{address}", self.url)
        } else {
            address.to_owned()
        };
        let mut call = self.http.request(method.parse().expect("a method"), whole);
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        if own && !self.cookies.is_empty() {
            let pairs = self
                .cookies
                .iter()
                .map(|(key, value)| format!("{key}={value}"));
            call = call.header("cookie", pairs.collect::<Vec<_>>().join("; "));
        }
        if let Some(form) = form {
            let kind = "application/x-www-form-urlencoded";
            call = call.header("content-type", kind).body(form);
        }
        let answer = call.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        if own {
            self.keep(&headers);
        }
        let text = answer.text().await.expect("a body");
        Seen {
            status,
            headers,
            text,
        }
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE) {
            let line = line.to_str().expect("a text");
            let pair = line.split(';').next().expect("a pair");
            let (key, value) = pair.split_once('=').expect("a pair");
            if line.contains("Max-Age=0") {
                self.cookies.remove(key);
            } else {
                self.cookies.insert(key.to_owned(), value.to_owned());
            }
        }
    }

    /// Opens an address and follows redirects to the end.
    pub async fn follow(&mut self, address: &str) -> Seen {
        let mut seen = self.open(address).await;
        for _ in 0..8 {
            if seen.status != 303 {
                return seen;
            }
            let location = seen.location();
            seen = self.open(&location).await;
        }
        panic!("a circle of redirects");
    }

    /// Whether the browser holds the cookie of a sign-in.
    pub fn is_signed_in(&self) -> bool {
        self.cookies.contains_key("countersign-local")
    }

    /// The token of the forms.
    pub async fn csrf(&mut self) -> String {
        let seen = self.open("/sign-ins").await;
        seen.field("csrf").expect("a page with a form")
    }

    /// Opens a request's page and submits the form on it.
    pub async fn decides(&mut self, number: i64, decision: &str, comment: &str) -> Seen {
        let page = self.open(&format!("/approvals/{number}")).await;
        let csrf = page.field("csrf").expect("a form");
        let digest = page.field("digest").unwrap_or_default();
        let fields = [
            ("csrf", csrf.as_str()),
            ("digest", &digest),
            ("decision", decision),
            ("comment", comment),
        ];
        self.submit(&format!("/approvals/{number}/decision"), &fields)
            .await
    }
}

impl World {
    /// Switches the pages on, at this world's own address.
    pub fn shows_pages(&self) {
        self.app().serve_pages_at(&self.url);
    }

    /// A browser that is nobody's yet.
    pub fn browser(&self) -> Visitor {
        self.shows_pages();
        Visitor::new(&self.url)
    }

    /// A browser in which a person (by their Slack id) has signed in.
    pub async fn browser_of(&self, user: &str) -> Visitor {
        let mut browser = self.browser();
        let seen = browser
            .follow(&format!("/sign-in?as={user}&next=/approvals"))
            .await;
        assert_eq!(seen.status, 200, "{}", seen.text);
        assert!(browser.is_signed_in());
        browser
    }

    /// Adds a provider by its issuer, beside Slack: the workspace under its own address.
    pub async fn adds_provider(&self, people: &[(usize, &str)]) {
        let issuer = self.slack.url().to_owned();
        self.reconfigure(|document| {
            document["console"]["oidc"] = json!({"issuer": issuer, "clientId": "own", "clientSecretEnv": "OIDC_CLIENT_SECRET"});
            for (place, subject) in people {
                document["directory"]["users"][*place]["oidc"] = json!([{"issuer": issuer, "subject": subject}]);
            }
        })
        .await;
    }
}
