//! API tokens: who a bearer is and what it may do (docs/decisions.md D38). The secret itself never gets here.

use super::id::{PersonId, TokenId};
use super::principal::Principal;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// One right of a token; what is not listed is denied.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Scope { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl Scope {
            /// Every scope.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word that is typed, stored and shown.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

scopes! {
    /// Read requests.
    RequestsRead = "requests:read",
    /// Ask, and cancel one's own.
    RequestsWrite = "requests:write",
    /// Execute and complete.
    RequestsExecute = "requests:execute",
    /// Name another requester.
    RequestsActFor = "requests:act-for",
    /// Approve and reject; persons only.
    DecisionsWrite = "decisions:write",
    /// Start, revoke and review break-glass sessions.
    BreakGlassWrite = "break-glass:write",
    /// Read the configuration.
    ConfigRead = "config:read",
    /// Change the configuration, for administrators.
    ConfigWrite = "config:write",
    /// Read the audit log.
    AuditRead = "audit:read",
}

impl std::str::FromStr for Scope {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| {
                let known: Vec<&str> = Self::ALL.iter().map(|scope| scope.as_str()).collect();
                format!("`{text}` is no scope; known are {}", known.join(", "))
            })
    }
}

/// A token as it is stored, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What it is for, in its maker's words.
    pub name: String,
    /// The person or service it speaks for.
    pub principal: Principal,
    /// People who answer for a service's token, besides the configured owners.
    pub owners: Vec<PersonId>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}
