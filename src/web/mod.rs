//! The web pages (docs/web.md): rendered on the server, usable without JavaScript, and without a rule of their own. Each page calls the
//! same use cases as Slack and the API.

mod access;
mod approvals;
mod assets;
mod audit;
mod break_glass;
mod cookies;
mod explain;
mod failure;
mod fields;
mod next;
mod once;
mod page;
mod policies;
pub mod route;
mod sign_in;
mod sign_ins;
mod stats;
mod updates;
mod visible;
mod words;

use crate::app::App;
use crate::domain::people::SlackAccount;
use crate::net::Fetcher;
use axum::Router;
use axum::middleware;
use futures::future::BoxFuture;
use route::{Access, pages};
use sign_in::Providers;
use std::sync::Arc;
use updates::Streams;

/// Reads an environment variable.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Who signed in with Slack, by the ids of Slack's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackSubject {
    /// The user id.
    pub user_id: String,
    /// The workspace.
    pub team_id: String,
    /// The Enterprise Grid organization, if the token names one.
    pub enterprise_id: Option<String>,
}

/// Finds the account of somebody who signed in with Slack, or says why it may do nothing.
pub type SlackAccounts =
    Arc<dyn Fn(SlackSubject) -> BoxFuture<'static, Result<SlackAccount, String>> + Send + Sync>;

/// What the pages are built from.
pub struct Parts {
    /// The use cases.
    pub app: App,
    /// Fetches documents of `OpenID` providers.
    pub fetcher: Fetcher,
    /// The issuer of Sign in with Slack: `https://slack.com`.
    pub slack_issuer: String,
    /// Finds Slack accounts.
    pub slack_accounts: SlackAccounts,
    /// Reads the client secrets.
    pub variables: Variables,
}

/// What every page is given; cheap to clone.
#[derive(Clone)]
pub struct Web {
    app: App,
    providers: Arc<Providers>,
    slack_accounts: SlackAccounts,
    streams: Arc<Streams>,
}

impl Web {
    /// The pages of this app.
    pub fn new(parts: Parts) -> Self {
        Self {
            app: parts.app,
            providers: Arc::new(Providers::new(
                parts.fetcher,
                parts.slack_issuer,
                parts.variables,
            )),
            slack_accounts: parts.slack_accounts,
            streams: Arc::default(),
        }
    }

    /// All pages and forms, each behind what [`route::pages`] asks of a caller.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let mut router = Router::new();
        for page in pages() {
            let state = self.clone();
            let handler = match page.access {
                Access::Asset => page.handler,
                Access::Open => {
                    let check = middleware::from_fn_with_state(state, access::open);
                    page.handler.layer(check)
                }
                Access::SignedIn => {
                    let check = middleware::from_fn_with_state(state, access::signed_in);
                    page.handler.layer(check)
                }
                Access::Stream => {
                    let check = middleware::from_fn_with_state(state, access::listening);
                    page.handler.layer(check)
                }
                Access::Form => {
                    let check = middleware::from_fn_with_state(state, access::form);
                    page.handler.layer(check)
                }
            };
            router = router.route(page.path, handler);
        }
        router
            .layer(middleware::map_response_with_state(
                self.clone(),
                page::with_security_headers,
            ))
            .with_state(self.clone())
    }
}
