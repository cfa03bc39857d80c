//! One person's decision on one request.

use super::id::{PersonId, RoleId, TeamId};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DecisionKind {
    /// The person agrees that the action runs.
    Approve,
    /// The action must not run; one eligible rejection ends a request.
    Reject,
}

/// The interface that a decision or event came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Via {
    /// A button on a Slack card or in the Home tab.
    Button,
    /// A Slack modal.
    Modal,
    /// A slash command.
    Command,
    /// A web page.
    Web,
    /// The HTTP API, which the client commands of the command line also use.
    Api,
    /// A command that opens the database itself.
    Cli,
    /// A configuration file passed to `serve`.
    File,
    /// Countersign itself: expiry, the end of a session, effects.
    Bot,
}

impl Via {
    /// Whether it came through Slack.
    pub fn is_slack(self) -> bool {
        match self {
            Self::Button | Self::Modal | Self::Command => true,
            Self::Web | Self::Api | Self::Cli | Self::File | Self::Bot => false,
        }
    }
}

/// A decision, with the memberships that the approver had when they made it (docs/decisions.md D18).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The approver.
    pub by: PersonId,
    /// Approve or reject.
    pub verdict: DecisionKind,
    /// The approver's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The approver's teams at the time of the decision.
    pub teams: BTreeSet<TeamId>,
    /// The approver's roles at the time of the decision.
    pub roles: BTreeSet<RoleId>,
    /// When the decision was made.
    pub at: Timestamp,
    /// The interface it came through.
    pub via: Via,
    /// Whether the approver had signed in to the web pages shortly before. Policies with `decideOn: web` count such approvals only.
    #[serde(default)]
    pub fresh_sign_in: bool,
    /// Whether the approver is no longer an active person. The decision is then displayed but does not count. The value is computed
    /// when the decision is loaded.
    #[serde(skip)]
    pub author_left: bool,
}
