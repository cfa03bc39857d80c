//! Id types: generated ids (a prefix and 26 characters that sort by time), and names chosen in the configuration.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// Error: the text is not an id of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

/// Crockford's base 32 in lower case. It has no `i`, `l`, `o` or `u`, so that ids can be read aloud without confusion.
const SIGNS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SIGN_COUNT: usize = 26;

fn encode(value: u128) -> String {
    (0..SIGN_COUNT)
        .rev()
        .map(|place| {
            let five_bits = (value >> (5 * place)) & 31;
            char::from(SIGNS[usize::try_from(five_bits).unwrap_or(0)])
        })
        .collect()
}

fn is_encoded(text: &str) -> bool {
    // 26 characters hold 130 bits, so the first one may not exceed 7
    text.len() == SIGN_COUNT
        && text.bytes().all(|b| SIGNS.contains(&b))
        && text.as_bytes()[0] <= b'7'
}

macro_rules! made_id {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id for a UUID (version 7, so that ids sort by time).
            pub fn from_uuid(uuid: uuid::Uuid) -> Self {
                Self(format!("{}{}", $prefix, encode(uuid.as_u128())))
            }
            /// The text form, as stored and displayed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                match text.strip_prefix($prefix) {
                    Some(rest) if is_encoded(rest) => Ok(Self(text.to_owned())),
                    _ => Err(NotAnId),
                }
            }
        }
        impl TryFrom<String> for $name {
            type Error = NotAnId;
            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

made_id! {
    /// A request.
    RequestId = "req_";
    /// An audit event.
    AuditId = "aud_";
    /// An outbox message.
    OutboxId = "out_";
    /// An API token (not its secret).
    TokenId = "tok_";
    /// A break-glass session.
    SessionId = "bg_";
    /// A sign-in to the web pages (not its secret).
    SignInId = "sgn_";
}

macro_rules! named_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a name of the configuration. It does not check that the name exists.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }
            /// The text form, as stored and displayed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

named_id! {
    /// A person of the directory.
    PersonId;
    /// A team of the directory.
    TeamId;
    /// An organization role, such as `tech-lead`.
    RoleId;
    /// A service (a pipeline, a controller) that creates requests through the API.
    ServiceId;
    /// A policy.
    PolicyId;
    /// An action, such as `release.deploy`.
    ActionId;
    /// A configured project.
    ProjectId;
    /// A configured cluster.
    ClusterId;
    /// A configured environment.
    EnvironmentId;
    /// A Slack channel, such as `C01APPROVALS`.
    ChannelId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_id_parses_back_and_sorts_by_time() {
        let earlier = RequestId::from_uuid(uuid::Uuid::from_u128(1 << 80));
        let later = RequestId::from_uuid(uuid::Uuid::from_u128(2 << 80));
        assert!(earlier < later);
        assert_eq!(earlier.as_str().parse(), Ok(earlier.clone()));
        assert_eq!(earlier.as_str().len(), "req_".len() + SIGN_COUNT);
        let last = RequestId::from_uuid(uuid::Uuid::from_u128(u128::MAX));
        assert_eq!(last.as_str().parse(), Ok(last.clone()));
    }

    #[test]
    fn id_of_another_kind_case_or_length_is_refused() {
        let id = RequestId::from_uuid(uuid::Uuid::from_u128(7));
        let text = id.as_str();
        for bad in [
            "",
            "req_",
            "42",
            &text.to_uppercase(),
            &text[1..],
            &format!("{text}0"),
            &text.replace("req_", "tok_"),
            "req_8zzzzzzzzzzzzzzzzzzzzzzzzz",
        ] {
            assert_eq!(bad.parse::<RequestId>(), Err(NotAnId), "{bad}");
        }
    }
}
