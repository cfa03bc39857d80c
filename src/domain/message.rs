//! Outbox messages: one-off messages that are stored in a transaction and sent later (docs/decisions.md D31).

use super::break_glass::SessionAlert;
use super::email::{EmailMessage, EmailRecipient};
use super::id::{ChannelId, OutboxId, PersonId, PolicyId, RequestId, SessionId};
use super::preferences::Importance;
use super::principal::Principal;
use super::webhook::WebhookMessage;
use serde::{Deserialize, Serialize};

/// The order in which waiting messages are sent. Cards have their own queue, between alerts and direct messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Messages to the security channel.
    Alert = 0,
    /// Messages to one person.
    Direct = 2,
    /// Events for webhook endpoints.
    Webhook = 3,
    /// E-mails.
    Email = 4,
    /// Lines in the threads of cards.
    Thread = 5,
}

/// A message in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Message {
    /// A direct message about the state of a request. Its text is built from the state at the time of sending.
    News {
        /// The recipient.
        to: PersonId,
        /// The request.
        request: RequestId,
    },
    /// Something new for the threads under a request's cards. The lines are found at the time of sending.
    Thread {
        /// The request.
        request: RequestId,
    },
    /// A reminder of a waiting request, for somebody who can approve it. It is sent only while it is the latest one.
    Reminder {
        /// The recipient.
        to: PersonId,
        /// The person who is away and for whom the recipient is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instead_of: Option<PersonId>,
        /// The request.
        request: RequestId,
        /// The number of the reminder.
        number: u32,
    },
    /// A message to a channel about a request that waits too long for a policy.
    Escalation {
        /// The channel.
        channel: ChannelId,
        /// The request.
        request: RequestId,
        /// The policy.
        policy: PolicyId,
    },
    /// The same for a person.
    Escalated {
        /// The recipient.
        to: PersonId,
        /// The request.
        request: RequestId,
        /// The policy.
        policy: PolicyId,
    },
    /// A warning to the requester before a request expires.
    ExpiryWarning {
        /// The recipient.
        to: PersonId,
        /// The request.
        request: RequestId,
    },
    /// The weekly digest for a channel.
    Digest {
        /// The channel.
        channel: ChannelId,
    },
    /// A text for a channel.
    Alert {
        /// The channel.
        channel: ChannelId,
        /// The plain text.
        text: String,
    },
    /// A break-glass alert for the security channel.
    Session {
        /// The channel.
        channel: ChannelId,
        /// The alert.
        alert: Box<SessionAlert>,
    },
    /// A direct message about an event of a break-glass session.
    SessionTold {
        /// The recipient.
        to: PersonId,
        /// The alert.
        alert: Box<SessionAlert>,
    },
    /// Removes buttons that no longer work from the posted alerts of a break-glass session.
    SessionPosts {
        /// The session.
        session: SessionId,
    },
    /// A direct message to an administrator about an alert that its channel refuses.
    #[serde(rename = "unheard")]
    Undeliverable {
        /// The recipient.
        to: PersonId,
        /// The channel that refuses the alert.
        channel: ChannelId,
        /// Slack's reason.
        why: String,
        /// The alert that could not be delivered.
        alert: Box<Message>,
    },
    /// An event for a webhook endpoint.
    Webhook {
        /// The event and its endpoint.
        webhook: Box<WebhookMessage>,
    },
    /// An e-mail.
    Email {
        /// The e-mail.
        email: Box<EmailMessage>,
    },
}

impl Message {
    /// The lane that the message waits in.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Alert { .. } | Self::Session { .. } | Self::SessionPosts { .. } => Lane::Alert,
            Self::News { .. }
            | Self::Reminder { .. }
            | Self::Escalation { .. }
            | Self::Escalated { .. }
            | Self::ExpiryWarning { .. }
            | Self::Digest { .. }
            | Self::SessionTold { .. }
            | Self::Undeliverable { .. } => Lane::Direct,
            Self::Thread { .. } => Lane::Thread,
            Self::Webhook { .. } => Lane::Webhook,
            Self::Email { .. } => Lane::Email,
        }
    }

    /// Whether the message goes to this principal.
    pub fn is_to(&self, principal: &Principal) -> bool {
        self.to().is_some_and(|to| principal.person() == Some(to))
    }

    /// The person who receives the message, if it is a direct message or an e-mail to a person.
    pub fn to(&self) -> Option<&PersonId> {
        match self {
            Self::News { to, .. }
            | Self::Reminder { to, .. }
            | Self::Escalated { to, .. }
            | Self::ExpiryWarning { to, .. }
            | Self::SessionTold { to, .. }
            | Self::Undeliverable { to, .. } => Some(to),
            Self::Email { email } => match &email.to {
                EmailRecipient::Person(to) => Some(to),
                EmailRecipient::Address(_) => None,
            },
            Self::Thread { .. }
            | Self::Escalation { .. }
            | Self::Digest { .. }
            | Self::Alert { .. }
            | Self::Session { .. }
            | Self::SessionPosts { .. }
            | Self::Webhook { .. } => None,
        }
    }

    /// The channel that receives the message, if it is an alert.
    pub fn channel(&self) -> Option<&ChannelId> {
        match self {
            Self::Alert { channel, .. } | Self::Session { channel, .. } => Some(channel),
            Self::News { .. }
            | Self::Thread { .. }
            | Self::Reminder { .. }
            | Self::Escalation { .. }
            | Self::Escalated { .. }
            | Self::ExpiryWarning { .. }
            | Self::Digest { .. }
            | Self::SessionTold { .. }
            | Self::SessionPosts { .. }
            | Self::Undeliverable { .. }
            | Self::Webhook { .. }
            | Self::Email { .. } => None,
        }
    }

    /// What the message waits in line for: the channel of an alert, the endpoint of a webhook, or the alert that an e-mail stands in
    /// for.
    pub fn queue(&self) -> Option<&str> {
        match self {
            Self::Webhook { webhook } => Some(&webhook.url),
            Self::Email { email } => email.stands_in_for.first().map(OutboxId::as_str),
            other => other.channel().map(ChannelId::as_str),
        }
    }

    /// What the message is about: a request, or the session of a webhook. Webhooks about one subject are delivered in order.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Webhook { webhook } => Some(webhook.subject()),
            other => other.request().map(RequestId::as_str),
        }
    }

    /// The request that the message is about.
    pub fn request(&self) -> Option<&RequestId> {
        match self {
            Self::News { request, .. }
            | Self::Thread { request }
            | Self::Reminder { request, .. }
            | Self::Escalation { request, .. }
            | Self::Escalated { request, .. }
            | Self::ExpiryWarning { request, .. } => Some(request),
            Self::Digest { .. }
            | Self::Alert { .. }
            | Self::Session { .. }
            | Self::SessionTold { .. }
            | Self::SessionPosts { .. }
            | Self::Undeliverable { .. } => None,
            Self::Webhook { webhook } => webhook.request.as_ref().map(|request| &request.id),
            Self::Email { email } => email.about.request(),
        }
    }

    /// Why the recipient of a direct message is told. News about a request depends on its status, which is known when it is sent: it
    /// counts as information here.
    pub fn importance(&self) -> Importance {
        match self {
            Self::News { .. } => Importance::Informed,
            Self::Reminder { .. } | Self::Escalated { .. } | Self::ExpiryWarning { .. } => {
                Importance::Needed
            }
            Self::Email { email } => email.about.importance(),
            // those to channels and other systems do not depend on anybody's preferences
            Self::Thread { .. }
            | Self::Escalation { .. }
            | Self::Digest { .. }
            | Self::Alert { .. }
            | Self::Session { .. }
            | Self::SessionTold { .. }
            | Self::SessionPosts { .. }
            | Self::Undeliverable { .. }
            | Self::Webhook { .. } => Importance::Alert,
        }
    }

    /// The message itself, or what an e-mail says.
    pub fn content(&self) -> &Self {
        match self {
            Self::Email { email } => &email.about,
            other => other,
        }
    }

    /// The messages to administrators if the channel of this alert refuses it; empty if the message is not an alert.
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
