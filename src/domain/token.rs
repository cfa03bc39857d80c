//! API tokens: whom a token identifies and what it may do (docs/decisions.md D38). This module never sees the secret.

use super::id::{PersonId, TokenId};
use super::principal::Principal;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// One right of a token; a right that is not listed is denied.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Scope { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl Scope {
            /// All scopes.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word that is typed, stored and displayed.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

scopes! {
    /// Read requests.
    RequestsRead = "requests:read",
    /// Create requests, and cancel one's own.
    RequestsWrite = "requests:write",
    /// Execute grants and report outcomes.
    RequestsExecute = "requests:execute",
    /// Name another requester.
    RequestsActFor = "requests:act-for",
    /// Approve and reject; for people only.
    DecisionsWrite = "decisions:write",
    /// Start, revoke and review break-glass sessions.
    BreakGlassWrite = "break-glass:write",
    /// Read the configuration.
    ConfigRead = "config:read",
    /// Change the configuration; for administrators only.
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

/// A token as stored, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The token's id.
    pub id: TokenId,
    /// What the token is for; a name chosen by its creator.
    pub name: String,
    /// The person or service that the token identifies.
    pub principal: Principal,
    /// The owners of a service's token, in addition to the configured owners.
    pub owners: Vec<PersonId>,
    /// What the token may do.
    pub scopes: Vec<Scope>,
    /// When the token was created.
    pub created_at: Timestamp,
    /// When the token was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When the token was revoked.
    pub revoked_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(*scope));
        }
        for wrong in ["", "requests", "config:Write", "config:write "] {
            let said = wrong.parse::<Scope>().expect_err(wrong);
            assert!(said.contains("is no scope"), "{said}");
        }
    }
}
