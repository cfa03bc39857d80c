//! What Slack sends, read leniently: a kind that cannot be used is named and acknowledged, never an error (threats SL3, B46).

pub mod account_access;
pub mod command;
mod delivery;
pub mod event;
pub mod installation;
mod interaction;
pub mod route;
pub mod signature;
pub mod socket;

pub use delivery::Delivery;
pub use event::Event;
pub use interaction::{Interaction, InteractionKind, View};

use crate::domain::id::ChannelId;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What Slack gets back for a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Ack {
    /// Received; nothing more to say.
    Ok,
    /// Received, with an answer in Slack's own form.
    Json(Value),
    /// Not done in time, or not done at all: HTTP 503, over a socket no ack.
    TryAgain,
}

/// Handles one delivery that was checked: `Dispatcher::handle` of `slack/handlers`.
pub type Handler = Arc<dyn Fn(Inbound, Delivery) -> BoxFuture<'static, Ack> + Send + Sync>;

/// One delivery. The signature covers the body alone, so each body reads as exactly one of these, whatever the path.
#[derive(Debug, Clone, PartialEq)]
pub enum Inbound {
    /// A slash command.
    Command(Box<Command>),
    /// A click, a sent or closed modal, a shortcut.
    Interaction(Box<Interaction>),
    /// Something that happened in the workspace.
    Event(Box<Event>),
    /// Slack asks whether we live here.
    UrlVerification {
        /// What it wants to hear again.
        challenge: String,
    },
    /// Slack checks our certificate; never dispatched.
    SslCheck,
    /// Something that we have no use for, by kind.
    Unusable {
        /// The kind as Slack calls it, cut to a length that can be logged.
        kind: String,
    },
}

/// The body is nothing that Slack sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    /// Neither a form nor JSON.
    #[error("neither a form nor JSON")]
    ContentType,
    /// Broken JSON, or JSON that is no object.
    #[error("not a JSON object")]
    Json,
    /// A form with a key twice, with more than one kind in it, or with none.
    #[error("a form of no one kind")]
    Form,
}

/// A slash command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "Slack's own names")]
pub struct Command {
    pub api_app_id: Option<String>,
    pub team_id: Option<String>,
    pub enterprise_id: Option<String>,
    pub channel_id: Option<String>,
    pub user_id: Option<String>,
    pub command: Option<String>,
    pub text: Option<String>,
    pub response_url: Option<String>,
    pub trigger_id: Option<String>,
}

impl Command {
    /// The channel in which it was typed, unless that is a direct message.
    pub(in crate::slack) fn channel(&self) -> Option<ChannelId> {
        channel_of(self.channel_id.as_deref()?)
    }
}

/// A channel by its id in Slack; direct messages begin with `D`.
pub(in crate::slack) fn channel_of(id: &str) -> Option<ChannelId> {
    let is_channel = id.starts_with(['C', 'G'])
        && id.len() <= 64
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_channel.then(|| id.into())
}

/// From where something claims to come; checked before anything is touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "Slack's own names")]
pub struct Origin {
    /// The app it was sent to.
    pub app_id: Option<String>,
    /// The workspace of the one who acts.
    pub team_id: Option<String>,
    /// Their Enterprise Grid organization.
    pub enterprise_id: Option<String>,
    /// Who acts.
    pub user_id: Option<String>,
}

impl Inbound {
    /// What it is, for the log.
    pub(in crate::slack) fn kind(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Interaction(interaction) => interaction.kind.as_str(),
            Self::Event(_) => "event",
            Self::UrlVerification { .. } => "url_verification",
            Self::SslCheck => "ssl_check",
            Self::Unusable { .. } => "unusable",
        }
    }

    /// From where it claims to come, where its kind says so.
    pub fn origin(&self) -> Option<Origin> {
        match self {
            Self::Command(command) => Some(Origin {
                app_id: command.api_app_id.clone(),
                team_id: command.team_id.clone(),
                enterprise_id: command.enterprise_id.clone(),
                user_id: command.user_id.clone(),
            }),
            Self::Interaction(interaction) => Some(interaction.origin()),
            Self::Event(event) => Some(event.origin()),
            Self::UrlVerification { .. } | Self::SslCheck | Self::Unusable { .. } => None,
        }
    }

    /// A payload of interactions, as the form's `payload` or a socket's envelope carries it.
    pub fn from_interaction(json: &str) -> Result<Self, NotUnderstood> {
        let kind = kind_of(json)?;
        Ok(InteractionKind::of(&kind)
            .and_then(|known| {
                let mut read: Interaction = serde_json::from_str(json).ok()?;
                read.kind = known;
                Some(Self::Interaction(Box::new(read)))
            })
            .unwrap_or_else(|| Self::unusable(&kind)))
    }

    /// A slash command, as a socket's envelope carries it: the fields of the form as an object.
    pub fn from_command(json: &str) -> Result<Self, NotUnderstood> {
        let command = serde_json::from_str(object(json)?).map_err(|_| NotUnderstood::Json)?;
        Ok(Self::Command(Box::new(command)))
    }

    /// An event's wrapper, as the body or a socket's envelope carries it.
    pub fn from_event(json: &str) -> Result<Self, NotUnderstood> {
        let kind = kind_of(json)?;
        let read = match kind.as_str() {
            "url_verification" => serde_json::from_str::<Challenge>(json)
                .ok()
                .map(|Challenge { challenge }| Self::UrlVerification { challenge }),
            "event_callback" => serde_json::from_str(json)
                .ok()
                .map(|event| Self::Event(Box::new(event))),
            _ => None,
        };
        Ok(read.unwrap_or_else(|| Self::unusable(&kind)))
    }

    fn unusable(kind: &str) -> Self {
        let kind = kind.chars().filter(|c| !c.is_control()).take(80).collect();
        Self::Unusable { kind }
    }
}

/// Reads a signed body.
pub fn parse(content_type: &str, body: &[u8]) -> Result<Inbound, NotUnderstood> {
    let kind = content_type.split(';').next().unwrap_or("").trim();
    if kind.eq_ignore_ascii_case("application/json") {
        let text = str::from_utf8(body).map_err(|_| NotUnderstood::Json)?;
        Inbound::from_event(text)
    } else if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        parse_form(body)
    } else {
        Err(NotUnderstood::ContentType)
    }
}

fn parse_form(body: &[u8]) -> Result<Inbound, NotUnderstood> {
    // the signature does not cover the content type, and a JSON text may hold `&command=..&` in somebody's words (threat SL3)
    if body.trim_ascii_start().starts_with(b"{") {
        return Err(NotUnderstood::Form);
    }
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_bytes(body).map_err(|_| NotUnderstood::Form)?;
    let keys: BTreeSet<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
    if keys.len() != pairs.len() {
        return Err(NotUnderstood::Form);
    }
    // whatever else such a body says, it is never dispatched
    if keys.contains("ssl_check") {
        return Ok(Inbound::SslCheck);
    }
    match (keys.contains("payload"), keys.contains("command")) {
        (true, false) => {
            let payload = pairs.iter().find(|(key, _)| key == "payload");
            Inbound::from_interaction(payload.map_or("", |(_, json)| json))
        }
        (false, true) => serde_urlencoded::from_bytes(body)
            .map(|command| Inbound::Command(Box::new(command)))
            .map_err(|_| NotUnderstood::Form),
        _ => Err(NotUnderstood::Form),
    }
}

#[derive(Deserialize)]
struct Challenge {
    challenge: String,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// A list would read as well, its first item for the first field.
pub(in crate::slack) fn object(json: &str) -> Result<&str, NotUnderstood> {
    if json.trim_start().starts_with('{') {
        Ok(json)
    } else {
        Err(NotUnderstood::Json)
    }
}

/// Refuses a `type` that stands twice, because two readers could each believe another one.
fn kind_of(json: &str) -> Result<String, NotUnderstood> {
    let Kind { kind } = serde_json::from_str(object(json)?).map_err(|_| NotUnderstood::Json)?;
    Ok(kind.unwrap_or_else(|| "without a type".to_owned()))
}

#[cfg(test)]
mod tests;
