//! One-off messages that leave with a commit: rows of the outbox (design 2.9).

use super::id::{ChannelId, PersonId, RequestId};
use super::principal::Principal;
use serde::{Deserialize, Serialize};

/// The order in which waiting messages go out; cards have their own queue between alerts and direct messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// What the security channel must hear.
    Alert = 0,
    /// What concerns one person.
    Direct = 2,
}

/// A message as it waits in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Message {
    /// Tells a person what has become of a request, by direct message, as it stands when the message goes out.
    News {
        /// Whom.
        to: PersonId,
        /// Of which request.
        request: RequestId,
    },
    /// Says something in a channel.
    Alert {
        /// Where.
        channel: ChannelId,
        /// What, as plain text.
        text: String,
    },
}

impl Message {
    /// The lane it waits in.
    pub fn lane(&self) -> Lane {
        match self {
            Self::News { .. } => Lane::Direct,
            Self::Alert { .. } => Lane::Alert,
        }
    }

    /// Whether it goes to this principal.
    pub fn is_to(&self, principal: &Principal) -> bool {
        match self {
            Self::News { to, .. } => principal.person() == Some(to),
            Self::Alert { .. } => false,
        }
    }

    /// The request it is about.
    pub fn request(&self) -> Option<&RequestId> {
        match self {
            Self::News { request, .. } => Some(request),
            Self::Alert { .. } => None,
        }
    }
}
