//! Interactions: clicks, modals and shortcuts share one lenient shape.

use super::Origin;
use crate::domain::text;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What kind of interaction it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum InteractionKind {
    /// A click on a button or a choice in a menu.
    #[default]
    BlockActions,
    /// A modal was sent.
    ViewSubmission,
    /// A modal was closed; never a decision.
    ViewClosed,
    /// A shortcut without a message.
    Shortcut,
    /// A shortcut on a message.
    MessageAction,
    /// A long list in a modal asks for what fits the letters typed so far.
    BlockSuggestion,
}

impl InteractionKind {
    const ALL: [Self; 6] = [
        Self::BlockActions,
        Self::ViewSubmission,
        Self::ViewClosed,
        Self::Shortcut,
        Self::MessageAction,
        Self::BlockSuggestion,
    ];

    /// Slack's `type` of the interaction.
    pub(in crate::slack) fn as_str(self) -> &'static str {
        match self {
            Self::BlockActions => "block_actions",
            Self::ViewSubmission => "view_submission",
            Self::ViewClosed => "view_closed",
            Self::Shortcut => "shortcut",
            Self::MessageAction => "message_action",
            Self::BlockSuggestion => "block_suggestion",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// An interaction; what is shown in the clicked message is not even read, because it may be old or copied.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interaction {
    #[serde(skip_deserializing)]
    pub kind: InteractionKind,
    pub api_app_id: Option<String>,
    pub team: Option<Named>,
    pub enterprise: Option<Named>,
    pub user: Option<User>,
    pub trigger_id: Option<String>,
    pub response_url: Option<String>,
    pub channel: Option<Named>,
    pub container: Option<Container>,
    pub callback_id: Option<String>,
    pub view: Option<View>,
    pub actions: Option<Vec<ActionTaken>>,
    pub action_id: Option<String>,
    pub value: Option<String>,
}

/// Something with an id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Named {
    pub id: Option<String>,
    pub enterprise_id: Option<String>,
}

/// Who acts. Names in a payload are never believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    pub id: Option<String>,
    pub team_id: Option<String>,
}

/// Where it happened; recorded, never believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    pub channel_id: Option<String>,
    pub message_ts: Option<String>,
    pub is_ephemeral: Option<bool>,
}

/// What was clicked or chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActionTaken {
    pub action_id: Option<String>,
    pub value: Option<String>,
    pub selected_option: Option<Choice>,
}

/// An option that was chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    pub value: Option<String>,
}

impl ActionTaken {
    /// What a button carries, or what was chosen in a menu.
    pub fn value(&self) -> &str {
        let chosen = || self.selected_option.as_ref()?.value.as_deref();
        self.value.as_deref().or_else(chosen).unwrap_or_default()
    }
}

/// A modal or the Home tab.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct View {
    pub id: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub hash: Option<String>,
    pub callback_id: Option<String>,
    pub private_metadata: Option<String>,
    pub state: Option<Value>,
}

impl View {
    /// What was typed into, or chosen in, an input.
    pub fn input(&self, block_id: &str, action_id: &str) -> Option<&str> {
        let input = self.state.as_ref()?.get("values")?.get(block_id)?;
        let input = input.get(action_id)?;
        let chosen = || input.get("selected_option")?.get("value")?.as_str();
        input.get("value").and_then(Value::as_str).or_else(chosen)
    }

    /// What was typed into, or chosen in, an input whose block and action have one name; blank counts as left out.
    pub fn field(&self, name: &str) -> Option<String> {
        let text = self.input(name, name).map(str::trim);
        text.filter(|text| !text::is_blank(text)).map(str::to_owned)
    }

    /// Everything that was chosen in an input of several choices or people.
    pub fn chosen(&self, name: &str) -> Vec<String> {
        let input = || self.state.as_ref()?.get("values")?.get(name)?.get(name);
        let Some(input) = input() else {
            return Vec::new();
        };
        let list = |key: &str| input.get(key).and_then(Value::as_array);
        let options = list("selected_options").into_iter().flatten();
        let options = options.filter_map(|option| option.get("value"));
        let users = list("selected_users").into_iter().flatten();
        let texts = options.chain(users).filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }
}

impl Interaction {
    /// The first thing that was clicked; Slack sends one at a time.
    pub fn action(&self) -> Option<&ActionTaken> {
        self.actions.as_deref().and_then(<[ActionTaken]>::first)
    }

    /// The id of the user who acted.
    pub fn user_id(&self) -> Option<&str> {
        self.user.as_ref()?.id.as_deref()
    }

    /// The channel it happened in.
    pub fn channel_id(&self) -> Option<&str> {
        let channel = self.channel.as_ref().and_then(|c| c.id.as_deref());
        channel.or_else(|| self.container.as_ref()?.channel_id.as_deref())
    }

    /// The clicker's own workspace is `user.team_id`; `team` is the app's and `null` for an org-wide install.
    pub(super) fn origin(&self) -> Origin {
        let team = self.team.as_ref();
        let user = self.user.as_ref();
        let enterprise = self.enterprise.as_ref().and_then(|e| e.id.clone());
        Origin {
            app_id: self.api_app_id.clone(),
            team_id: user
                .and_then(|user| user.team_id.clone())
                .or_else(|| team?.id.clone()),
            enterprise_id: enterprise.or_else(|| team?.enterprise_id.clone()),
            user_id: user.and_then(|user| user.id.clone()),
        }
    }
}
