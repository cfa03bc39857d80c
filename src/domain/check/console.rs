//! Checks sign-in for the web pages.

use super::Checks;
use super::edges::is_variable;
use crate::domain::document::{OidcIdentity, UserDocument};
use crate::domain::id::PersonId;
use crate::domain::time::Span;
use std::collections::HashMap;
use std::fmt::Display;
use url::{Host, Url};

/// A sign-in lasts no longer than this.
const LONGEST_SIGN_IN: Span = Span::hours(30 * 24);
/// Longer after signing in, nobody can be sure that the person is still there.
const LONGEST_FRESH: Span = Span::hours(1);
/// The client secret of Sign in with Slack. Whoever may change the configuration must not be able to send another secret of the server
/// to a provider of theirs.
const SLACK_SECRET: &str = "SLACK_CLIENT_SECRET";
/// The longest issuer, client id or subject; `OpenID` Connect allows 255 characters for a subject.
const LONGEST_NAME: usize = 255;

/// The issuer of an `OpenID` provider: an `https` address, or `http` on this machine, without credentials, query and fragment.
fn issuer(issuer: &str) -> Result<(), String> {
    let url = Url::parse(issuer).map_err(|error| format!("is not an address ({error})"))?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err("names no host".to_owned()),
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err(
            "must begin with https://; http:// is allowed for this machine only".to_owned(),
        );
    }
    let extra = !url.username().is_empty() || url.password().is_some();
    if extra || url.query().is_some() || url.fragment().is_some() || issuer.len() > LONGEST_NAME {
        return Err(format!(
            "must be the provider's issuer alone, without password, `?` or `#`, in at most {LONGEST_NAME} characters"
        ));
    }
    Ok(())
}

/// A client id or subject: visible ASCII characters, so that two that look alike are alike.
fn visible(name: &str) -> Result<(), String> {
    if (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(format!(
        "must have 1 to {LONGEST_NAME} visible ASCII characters"
    ))
}

impl Checks<'_> {
    pub(super) fn console(&mut self) {
        let Some(console) = &self.document.console else {
            return;
        };
        if console.slack.is_none() && console.oidc.is_none() {
            self.problem(
                "console",
                "names no provider, so nobody could sign in; add `slack` or `oidc`, or leave `console` out",
            );
        }
        if let Some(slack) = &console.slack {
            self.client("console.slack", &slack.client_id, &slack.client_secret_env);
            let own = "must be SLACK_CLIENT_SECRET: no other secret may be sent to Slack";
            if is_variable(&slack.client_secret_env) && slack.client_secret_env != SLACK_SECRET {
                self.problem("console.slack.clientSecretEnv", own);
            }
        }
        if let Some(oidc) = &console.oidc {
            self.expect("console.oidc.issuer", issuer(&oidc.issuer));
            self.client("console.oidc", &oidc.client_id, &oidc.client_secret_env);
            let secret = &oidc.client_secret_env;
            let own = "must end with _CLIENT_SECRET and not be SLACK_CLIENT_SECRET, such as OIDC_CLIENT_SECRET: no other secret may be sent to a provider";
            let is_own = secret.ends_with("_CLIENT_SECRET") && secret != SLACK_SECRET;
            if is_variable(secret) && !is_own {
                self.problem("console.oidc.clientSecretEnv", own);
            }
        }
        self.span("console.idle", console.idle);
        self.span("console.absolute", console.absolute);
        self.span("console.freshFor", console.fresh_for);
        if console.fresh_for > LONGEST_FRESH {
            self.problem("console.freshFor", "must be at most 1h");
        }
        if console.absolute < console.idle {
            self.problem("console.absolute", "is shorter than `idle`");
        }
        if console.absolute > LONGEST_SIGN_IN {
            self.problem("console.absolute", "must be at most 30d");
        }
    }

    fn client(&mut self, path: impl Display, id: &str, secret_env: &str) {
        self.expect(format!("{path}.clientId"), visible(id));
        if !is_variable(secret_env) {
            self.problem(
                format!("{path}.clientSecretEnv"),
                "names no environment variable; write letters, digits and `_`, such as SLACK_CLIENT_SECRET",
            );
        }
    }

    /// Each identity belongs to one person, or signing in would not say who it is.
    pub(super) fn oidc_identities<'b>(
        &mut self,
        path: &str,
        user: &'b UserDocument,
        known: &mut HashMap<&'b OidcIdentity, &'b PersonId>,
    ) {
        for (at, identity) in user.oidc.iter().enumerate() {
            let path = format!("{path}.oidc[{at}]");
            self.expect(format!("{path}.issuer"), issuer(&identity.issuer));
            self.expect(format!("{path}.subject"), visible(&identity.subject));
            if let Some(other) = known.insert(identity, &user.id) {
                let message =
                    format!("this identity is `{other}` already; two people may not share one");
                self.problem(path, message);
            }
        }
    }
}
