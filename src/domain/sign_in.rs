//! Sign-ins to the web pages: who vouched for whom, and how long that lasts (docs/decisions.md D50).

use super::document::{Console, OidcIdentity};
use super::id::{PersonId, SignInId};
use super::people::{Directory, Person, SlackAccount};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who a provider says is there. An e-mail address or a name is never part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Identity {
    /// A Slack account that was verified with Slack.
    Slack(SlackAccount),
    /// A subject of the configured `OpenID` provider.
    Oidc(OidcIdentity),
}

impl Identity {
    /// The active person with this identity.
    pub fn person<'a>(&self, directory: &'a Directory) -> Option<&'a Person> {
        let person = match self {
            Self::Slack(account) if directory.is_refused(account) => None,
            Self::Slack(account) => directory.by_slack(account),
            Self::Oidc(identity) => directory.by_oidc(identity),
        };
        person.filter(|person| person.active)
    }

    /// Whether people may still sign in this way: their provider is configured.
    pub fn is_accepted(&self, console: &Console) -> bool {
        match self {
            Self::Slack(_) => console.slack.is_some(),
            Self::Oidc(identity) => {
                (console.oidc.as_ref()).is_some_and(|provider| provider.issuer == identity.issuer)
            }
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slack(account) => write!(f, "slack:{}/{}", account.team_id, account.user_id),
            Self::Oidc(identity) => write!(f, "oidc:{} {}", identity.issuer, identity.subject),
        }
    }
}

/// When a person proved to their provider who they are. Only a sign-in has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authentication(Timestamp);

impl Authentication {
    /// The proof that this happened shortly before. A moment in the future proves nothing.
    pub fn fresh(self, console: &Console, now: Timestamp) -> Option<FreshSignIn> {
        let is_fresh = self.0 <= now && now < self.fresh_until(console);
        is_fresh.then_some(FreshSignIn(()))
    }

    /// Until when the person may approve for policies with `decideOn: web`.
    pub fn fresh_until(self, console: &Console) -> Timestamp {
        self.0.plus(console.fresh_for)
    }
}

/// Proof that a person has signed in shortly before. Only [`Authentication::fresh`] creates one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreshSignIn(());

/// One signed-in browser of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Its id.
    pub id: SignInId,
    /// The person who signed in.
    pub person: PersonId,
    /// Who the provider said it was.
    pub identity: Identity,
    /// When they signed in.
    pub started_at: Timestamp,
    /// When they proved to the provider who they are, which may be long before; `None` if the provider does not say.
    pub authenticated_at: Option<Timestamp>,
    /// When the browser was last seen, to the minute.
    pub seen_at: Timestamp,
}

impl SignIn {
    /// When the person proved who they are, if that is known.
    pub fn authentication(&self) -> Option<Authentication> {
        self.authenticated_at.map(Authentication)
    }

    /// Whether its time is over: unused for too long, or too old. The configuration in force decides, so that a shorter time
    /// takes effect at once.
    pub fn is_over(&self, console: &Console, now: Timestamp) -> bool {
        self.seen_at.plus(console.idle) <= now || self.started_at.plus(console.absolute) <= now
    }
}
