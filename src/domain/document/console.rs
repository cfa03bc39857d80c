//! Sign-in for the web pages.

use crate::domain::time::Span;
use serde::{Deserialize, Serialize};

/// Who may vouch for people at the web pages, and how long a sign-in lasts (docs/web.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Console {
    /// Sign in with Slack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<SlackSignIn>,
    /// Sign in with another `OpenID` provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcSignIn>,
    /// How long a sign-in may go unused.
    #[serde(default = "a_working_day")]
    pub idle: Span,
    /// How long a sign-in lasts at most.
    #[serde(default = "a_week")]
    pub absolute: Span,
    /// How long after signing in people may approve for policies with `decideOn: web`. The previous release does not know the key, so
    /// the default is not stored.
    #[serde(default = "ten_minutes", skip_serializing_if = "is_ten_minutes")]
    pub fresh_for: Span,
}

fn a_working_day() -> Span {
    Span::hours(8)
}

fn a_week() -> Span {
    Span::hours(7 * 24)
}

fn ten_minutes() -> Span {
    Span::minutes(10)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_ten_minutes(span: &Span) -> bool {
    *span == ten_minutes()
}

/// The Slack app's own `OpenID` client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlackSignIn {
    /// The client id (app settings, Basic Information).
    pub client_id: String,
    /// The environment variable that holds the client secret.
    pub client_secret_env: String,
}

/// A client at another `OpenID` provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OidcSignIn {
    /// The provider's issuer URL; its tokens must name exactly this issuer.
    pub issuer: String,
    /// The client id.
    pub client_id: String,
    /// The environment variable that holds the client secret.
    pub client_secret_env: String,
}

/// A person at an `OpenID` provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OidcIdentity {
    /// The provider's issuer URL.
    pub issuer: String,
    /// The `sub` claim: the provider's permanent id of the person, never an e-mail address.
    pub subject: String,
}
