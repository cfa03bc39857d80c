//! Events: the wrapper, and the little that we use of what is in it.

use super::Origin;
use serde::{Deserialize, Serialize};

/// Something that happened in the workspace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "Slack's own names")]
pub struct Event {
    pub api_app_id: Option<String>,
    pub team_id: Option<String>,
    pub enterprise_id: Option<String>,
    pub event_id: Option<String>,
    pub event: Happening,
}

/// What happened. `user` is an id in some events and a whole user in others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Happening {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub user: serde_json::Value,
    pub tab: Option<String>,
    pub subteam_id: serde_json::Value,
    pub date_update: serde_json::Value,
    pub added_users: serde_json::Value,
}

impl Happening {
    /// The user it is about.
    pub fn user_id(&self) -> Option<&str> {
        self.user.as_str().or_else(|| self.user.get("id")?.as_str())
    }
}

impl Event {
    pub(super) fn origin(&self) -> Origin {
        Origin {
            app_id: self.api_app_id.clone(),
            team_id: self.team_id.clone(),
            enterprise_id: self.enterprise_id.clone(),
            user_id: self.event.user_id().map(str::to_owned),
        }
    }
}
