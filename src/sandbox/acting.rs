//! Actions of people: commands, clicks, forms. Each returns when the bot has answered, and fails after three seconds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answers::CommandAnswer;
use super::deliver::{After, Answer, Delivery};
use super::payload;
use super::state::{ChannelKind, State, User, View};
use super::{Sandbox, limits};

/// Why a person cannot do something, or what they see in place of the effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// No user has this id or handle.
    #[error("there is no user {0}")]
    NoUser(String),
    /// A bot, a deactivated account, or a guest where guests are not allowed.
    #[error("{0} cannot do this")]
    MayNot(String),
    /// The channel does not exist, or the person cannot see it.
    #[error("there is no channel {0} for this user")]
    NoChannel(String),
    /// The message does not exist, or is an ephemeral message for another person.
    #[error("there is no message {ts} in {channel} for this user")]
    NoMessage {
        /// The channel's id.
        channel: String,
        /// The message's `ts`.
        ts: String,
    },
    /// The message or view does not have this element.
    #[error("there is nothing called {wanted} here; there is: {there}")]
    NoElement {
        /// The action id that was asked for.
        wanted: String,
        /// The action ids that exist.
        there: String,
    },
    /// The person does not have this view open.
    #[error("the user has no such view open")]
    NoView,
    /// The client would not submit the form; errors by block id.
    #[error("the form cannot be sent: {0:?}")]
    Form(BTreeMap<String, String>),
    /// The bot's base URL is not set.
    #[error("the bot's address is not known")]
    NoBot,
    /// The bot did not answer within three seconds.
    #[error("the bot did not answer in time: operation_timeout")]
    Timeout,
    /// The connection failed or broke.
    #[error("the bot could not be reached: {0}")]
    Unreachable(String),
    /// The bot's answer is one that Slack does not accept.
    #[error("the bot's answer is not valid: {0}")]
    BadAnswer(String),
}

/// Where an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// On a message.
    Message {
        /// The channel's id or name.
        channel: &'a str,
        /// The message's `ts`.
        ts: &'a str,
    },
    /// In the topmost modal.
    Modal,
    /// On the Home tab.
    Home,
}

/// An element, and what is chosen in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its action id.
    pub action_id: &'a str,
    /// Its block id, if several elements have this action id.
    pub block_id: Option<&'a str>,
    /// A button's value, if several buttons have this action id.
    pub value: Option<&'a str>,
    /// The value of the option chosen in a select, radio buttons or an overflow menu.
    pub option: Option<&'a str>,
}

impl<'a> From<&'a str> for Element<'a> {
    fn from(action_id: &'a str) -> Self {
        Self {
            action_id,
            ..Self::default()
        }
    }
}

/// Any change of an interaction's JSON.
pub type Edit = Box<dyn FnOnce(&mut Value) + Send>;

/// Changes an interaction after Slack built it and before it is signed, to test what attackers would like to send.
#[derive(Default)]
pub struct Forge {
    /// Replaces `actions[0].value`.
    pub value: Option<String>,
    /// Replaces `team.id` and `user.team_id`.
    pub team_id: Option<String>,
    /// Replaces `api_app_id`.
    pub app_id: Option<String>,
    /// Replaces `user.id`.
    pub user_id: Option<String>,
    /// Replaces `message`, by a stale or foreign one.
    pub message: Option<Value>,
    /// Any other change.
    pub edit: Option<Edit>,
}

impl Forge {
    pub(super) fn apply(self, payload: &mut Value) {
        if let Some(value) = self.value {
            payload["actions"][0]["value"] = json!(value);
        }
        if let Some(team_id) = self.team_id {
            payload["team"]["id"] = json!(team_id);
            payload["user"]["team_id"] = json!(team_id);
        }
        if let Some(app_id) = self.app_id {
            payload["api_app_id"] = json!(app_id);
        }
        if let Some(user_id) = self.user_id {
            payload["user"]["id"] = json!(user_id);
        }
        if let Some(message) = self.message {
            payload["message"] = message;
        }
        if let Some(edit) = self.edit {
            edit(payload);
        }
    }
}

impl Sandbox {
    /// Types a slash command in the first public channel that the person can see.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn command(
        &self,
        user: &str,
        command: &str,
        text: &str,
    ) -> Result<CommandAnswer, ActError> {
        let first = self.look(|state| {
            let person = person(state, user)?;
            let open = |id: &&String| {
                let channel = state.channels.get(*id);
                channel
                    .is_some_and(|c| c.kind == ChannelKind::Public && state.can_see(&person.id, c))
            };
            let first = state.channels.keys().find(open).cloned();
            first.ok_or_else(|| ActError::NoChannel("any".to_owned()))
        })?;
        self.command_in(user, &first, command, text).await
    }

    /// Types a slash command in a channel (id or name).
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn command_in(
        &self,
        user: &str,
        channel: &str,
        command: &str,
        text: &str,
    ) -> Result<CommandAnswer, ActError> {
        let delivery = self.command_delivery(user, channel, command, text)?;
        let answer = self.send(&delivery).await?;
        Ok(CommandAnswer::read(self, answer))
    }

    /// The delivery of a slash command, without sending it.
    ///
    /// # Errors
    /// [`ActError`].
    pub fn command_delivery(
        &self,
        user: &str,
        channel: &str,
        command: &str,
        text: &str,
    ) -> Result<Delivery, ActError> {
        let now_ms = self.now_ms();
        let (fields, after) = self.change(|state| {
            let person = person(state, user)?;
            if person.is_stranger {
                return Err(ActError::MayNot(person.name));
            }
            let seen = state
                .channel(channel)
                .filter(|c| state.can_see(&person.id, c));
            let missing = || ActError::NoChannel(channel.to_owned());
            let channel = seen.cloned().ok_or_else(missing)?;
            let url = state
                .tickets
                .reply_path(&person.id, &channel.id, None, now_ms);
            let url = format!("{}{url}", self.url());
            let trigger = state.tickets.trigger(&person.id, now_ms);
            let fields = payload::command_fields(
                &state.install,
                &person,
                &channel,
                [command, text, &url, &trigger],
            );
            Ok((
                fields,
                After::Command {
                    user: person.id,
                    channel: channel.id,
                },
            ))
        })?;
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Ok(self.form(&fields, after))
    }

    /// Opens the app's Home tab.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn open_home(&self, user: &str) -> Result<Answer, ActError> {
        let now_ms = self.now_ms();
        let event = self.change(|state| {
            let person = person(state, user)?;
            let channel = state.open_im(&person.id);
            let event_ts = state.next_ts(now_ms);
            let mut event = json!({
                "type": "app_home_opened",
                "user": person.id,
                "channel": channel,
                "tab": "home",
                "event_ts": event_ts,
            });
            if let Some(view) = state.homes.get(&person.id) {
                event["view"] = payload::view_json(state, view, &json!({}));
            }
            Ok(event)
        })?;
        self.event(&event).await
    }

    /// Sends an event in Slack's wrapper: `app_uninstalled`, `user_change`, `subteam_updated`.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn event(&self, event: &Value) -> Result<Answer, ActError> {
        self.send(&self.event_delivery(event)).await
    }

    /// The delivery of an event, without sending it.
    pub fn event_delivery(&self, event: &Value) -> Delivery {
        let now_ms = self.now_ms();
        let body = self.change(|state| payload::event_callback(state, event, now_ms));
        self.json_delivery(&body)
    }

    /// The n-th retry of an event (1 to 3), as Slack sends it after a timeout.
    #[must_use]
    pub fn retry_of(&self, delivery: &Delivery, number: u8) -> Delivery {
        let mut again = self.resign(delivery, self.now_ms().div_euclid(1000));
        again.headers = vec![
            ("X-Slack-Retry-Num", number.to_string()),
            ("X-Slack-Retry-Reason", "http_timeout".to_owned()),
        ];
        again
    }

    /// Posts a plain message; the bot does not read those.
    ///
    /// # Errors
    /// [`ActError`].
    pub fn say(&self, user: &str, channel: &str, text: &str) -> Result<String, ActError> {
        self.say_in(user, channel, None, text)
    }

    /// Posts a plain message, as a reply in a thread or by itself.
    pub(super) fn say_in(
        &self,
        user: &str,
        channel: &str,
        thread_ts: Option<&str>,
        text: &str,
    ) -> Result<String, ActError> {
        let now_ms = self.now_ms();
        let text: String = text.chars().take(limits::MESSAGE_TEXT).collect();
        self.change(|state| {
            let person = person(state, user)?;
            let seen = state
                .channel(channel)
                .filter(|c| state.can_see(&person.id, c) && !c.is_archived);
            let id = seen
                .map(|c| c.id.clone())
                .ok_or_else(|| ActError::NoChannel(channel.to_owned()))?;
            let message = super::Message {
                user: person.id,
                text,
                thread_ts: thread_ts.map(str::to_owned),
                ..super::Message::default()
            };
            Ok(state.post(&id, message, now_ms))
        })
    }
}

/// A person who can use the Slack client now.
pub(super) fn person(state: &State, user: &str) -> Result<User, ActError> {
    let person = state
        .user(user)
        .ok_or_else(|| ActError::NoUser(user.to_owned()))?;
    if person.deleted || person.is_bot {
        return Err(ActError::MayNot(person.name.clone()));
    }
    Ok(person.clone())
}

/// The topmost modal of a person.
pub(super) fn top<'a>(state: &'a State, user: &str) -> Result<&'a View, ActError> {
    state
        .modals
        .get(user)
        .and_then(|stack| stack.last())
        .ok_or(ActError::NoView)
}
