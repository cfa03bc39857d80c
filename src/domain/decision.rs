//! A decision of one person on one request, as it was cast.

use super::id::{PersonId, RoleId, TeamId};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DecisionKind {
    /// The action may run, as far as this person is concerned.
    Approve,
    /// The action must not run; one eligible rejection ends a request.
    Reject,
}

/// The door through which something came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Via {
    /// A button on a Slack card or in App Home.
    Button,
    /// A Slack modal.
    Modal,
    /// A slash command.
    Command,
    /// The HTTP API (the command line's client commands use it as well).
    Api,
    /// A command that opens the database itself.
    Cli,
    /// A configuration file given to `serve`.
    File,
    /// The bot's own work: expiry, session ends, carrying out what was approved.
    Bot,
}

impl Via {
    /// Whether somebody came in through Slack.
    pub fn is_slack(self) -> bool {
        match self {
            Self::Button | Self::Modal | Self::Command => true,
            Self::Api | Self::Cli | Self::File | Self::Bot => false,
        }
    }
}

/// A vote with the memberships its author had when it was cast (docs/decisions.md D18).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Who decided.
    pub by: PersonId,
    /// What.
    pub verdict: DecisionKind,
    /// In their own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The teams the person was in.
    pub teams: BTreeSet<TeamId>,
    /// The roles the person held.
    pub roles: BTreeSet<RoleId>,
    /// When.
    pub at: Timestamp,
    /// Through which door.
    pub via: Via,
    /// Whether its author is not an active person any more: it is listed and does not count. Known once it is loaded.
    #[serde(skip)]
    pub author_left: bool,
}
