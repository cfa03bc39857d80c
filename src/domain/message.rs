//! One-off messages that leave with a commit: rows of the outbox (docs/decisions.md D31).

use super::break_glass::SessionAlert;
use super::id::{ChannelId, PersonId, RequestId, SessionId};
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
    /// Tells the security channel of an event of a break-glass session.
    Session {
        /// Where.
        channel: ChannelId,
        /// What.
        alert: Box<SessionAlert>,
    },
    /// Tells a person of an event of a break-glass session, by direct message.
    SessionTold {
        /// Whom.
        to: PersonId,
        /// What.
        alert: Box<SessionAlert>,
    },
    /// Takes useless buttons off the alerts of a break-glass session.
    SessionPosts {
        /// Which.
        session: SessionId,
    },
    /// Tells an administrator of an alert that its channel refuses, by direct message.
    #[serde(rename = "unheard")]
    Undeliverable {
        /// Whom.
        to: PersonId,
        /// The channel.
        channel: ChannelId,
        /// Slack's reason.
        why: String,
        /// What the alert says.
        alert: Box<Message>,
    },
}

impl Message {
    /// The lane it waits in.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Alert { .. } | Self::Session { .. } | Self::SessionPosts { .. } => Lane::Alert,
            Self::News { .. } | Self::SessionTold { .. } | Self::Undeliverable { .. } => {
                Lane::Direct
            }
        }
    }

    /// Whether it goes to this principal.
    pub fn is_to(&self, principal: &Principal) -> bool {
        self.to().is_some_and(|to| principal.person() == Some(to))
    }

    /// The person it goes to, where it goes to one.
    pub fn to(&self) -> Option<&PersonId> {
        match self {
            Self::News { to, .. }
            | Self::SessionTold { to, .. }
            | Self::Undeliverable { to, .. } => Some(to),
            Self::Alert { .. } | Self::Session { .. } | Self::SessionPosts { .. } => None,
        }
    }

    /// The channel it goes to, where it is one alert for one channel.
    pub fn channel(&self) -> Option<&ChannelId> {
        match self {
            Self::Alert { channel, .. } | Self::Session { channel, .. } => Some(channel),
            Self::News { .. }
            | Self::SessionTold { .. }
            | Self::SessionPosts { .. }
            | Self::Undeliverable { .. } => None,
        }
    }

    /// The request it is about.
    pub fn request(&self) -> Option<&RequestId> {
        match self {
            Self::News { request, .. } => Some(request),
            Self::Alert { .. }
            | Self::Session { .. }
            | Self::SessionTold { .. }
            | Self::SessionPosts { .. }
            | Self::Undeliverable { .. } => None,
        }
    }

    /// What administrators are told where the channel of this alert refuses it; nothing for what is no alert.
    pub fn undeliverable(&self, why: &str, administrators: &[PersonId]) -> Vec<Self> {
        let Some(channel) = self.channel() else {
            return Vec::new();
        };
        let told = |to: &PersonId| Self::Undeliverable {
            to: to.clone(),
            channel: channel.clone(),
            why: why.to_owned(),
            alert: Box::new(self.clone()),
        };
        administrators.iter().map(told).collect()
    }
}
