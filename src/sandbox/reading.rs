//! Reads what people see, as text.

use std::collections::BTreeMap;
use std::fmt;

use super::calls::Call;
use super::forms::elements_of;
use super::state::{Message, State};
use super::{Sandbox, lock, render};

/// A message as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The channel's id.
    pub channel: String,
    /// The message's `ts`.
    pub ts: String,
    /// The author's handle.
    pub from: String,
    /// Blocks as lines, mentions by name.
    pub text: String,
    /// The message's own `text`, which notifications and screen readers use.
    pub notification: String,
    /// The action ids of the elements that can be clicked.
    pub actions: Vec<String>,
    /// `ts` of the parent, if this is a reply.
    pub thread_ts: Option<String>,
    /// Whether it was changed after it was posted.
    pub is_edited: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A modal as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModalText {
    /// View id: `V...`.
    pub id: String,
    /// The view's `callback_id`.
    pub callback_id: String,
    /// Title, blocks, errors and buttons as lines.
    pub text: String,
    /// Field errors from the bot, by block id.
    pub errors: BTreeMap<String, String>,
}

impl fmt::Display for ModalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Sandbox {
    /// The messages of a channel (id or name) that everyone sees, oldest first, including replies.
    pub fn messages(&self, channel: &str) -> Vec<Shown> {
        self.look(|state| {
            let id = state
                .channel(channel)
                .map(|c| c.id.clone())
                .unwrap_or_default();
            shown(state, &id, |message| message.only_for.is_none())
        })
    }

    /// The bot's newest message in a channel that is not a reply: the card.
    pub fn card(&self, channel: &str) -> Option<Shown> {
        self.cards(channel).pop()
    }

    /// The bot's messages in a channel that are not replies, oldest first.
    pub fn cards(&self, channel: &str) -> Vec<Shown> {
        self.look(|state| {
            let id = state
                .channel(channel)
                .map(|c| c.id.clone())
                .unwrap_or_default();
            let bot = &state.install.bot_user;
            shown(state, &id, |m| {
                m.only_for.is_none() && m.thread_ts.is_none() && m.user == *bot
            })
        })
    }

    /// The replies to a message.
    pub fn thread(&self, channel: &str, ts: &str) -> Vec<Shown> {
        let all = self.messages(channel);
        all.into_iter()
            .filter(|message| message.thread_ts.as_deref() == Some(ts))
            .collect()
    }

    /// The ephemeral messages of a person (id or handle) in all channels, oldest first.
    pub fn ephemerals(&self, user: &str) -> Vec<Shown> {
        self.look(|state| {
            let user = id_of(state, user);
            let mine = |message: &Message| message.only_for.as_ref() == Some(&user);
            let mut all: Vec<_> = state
                .channels
                .keys()
                .flat_map(|id| shown(state, id, mine))
                .collect();
            all.sort_by(|a, b| a.ts.cmp(&b.ts));
            all
        })
    }

    /// The bot's direct messages to a person, oldest first, without ephemeral ones.
    pub fn direct_messages(&self, user: &str) -> Vec<Shown> {
        self.look(|state| {
            let im = format!("D{}", id_of(state, user).get(1..).unwrap_or_default());
            shown(state, &im, |m| {
                m.only_for.is_none() && m.user == state.install.bot_user
            })
        })
    }

    /// The topmost modal of a person.
    pub fn modal(&self, user: &str) -> Option<ModalText> {
        self.look(|state| {
            let view = state.modals.get(&id_of(state, user))?.last()?;
            Some(ModalText {
                id: view.id.clone(),
                callback_id: view.body["callback_id"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                text: render::view(state, view),
                errors: view.errors.clone(),
            })
        })
    }

    /// A person's Home tab as text.
    pub fn home(&self, user: &str) -> Option<String> {
        self.look(|state| {
            let view = state.homes.get(&id_of(state, user))?;
            Some(render::view(state, view))
        })
    }

    /// A channel as a chat: `name: text`; ephemeral messages are marked with their reader.
    pub fn transcript(&self, channel: &str) -> String {
        self.look(|state| {
            let Some(channel) = state.channel(channel) else {
                return String::new();
            };
            let line = |message: &Message| {
                let from = name_of(state, &message.user);
                let only = message
                    .only_for
                    .as_ref()
                    .map(|user| format!(" (only to {})", name_of(state, user)));
                let reply = if message.thread_ts.is_some() {
                    "  > "
                } else {
                    ""
                };
                let text = render::message(state, message).replace('\n', "\n    ");
                format!("{reply}{from}{}: {text}", only.unwrap_or_default())
            };
            let lines: Vec<_> = channel.messages.values().map(line).collect();
            lines.join("\n")
        })
    }

    /// How often a method was called, whether or not the calls succeeded.
    pub fn call_count(&self, method: &str) -> u64 {
        lock(&self.0.calls).count(method)
    }

    /// Waits until a method has been called this often, whether or not the calls succeeded. `None` after five seconds.
    pub async fn wait_for_calls(&self, method: &str, count: u64) -> Option<()> {
        self.wait_for(|_| (self.call_count(method) >= count).then_some(()))
            .await
    }

    /// The latest calls of a method, oldest first.
    pub fn calls(&self, method: &str) -> Vec<Call> {
        lock(&self.0.calls).recent(method)
    }

    /// What no test should leave behind: calls that were the bot's own mistake, and faults that no call met.
    pub fn leftovers(&self) -> Vec<String> {
        let mut all = lock(&self.0.calls).mistakes().to_vec();
        let faults = lock(&self.0.faults);
        if faults.waiting() > 0 {
            all.push(format!("{} faults met no call", faults.waiting()));
        }
        if faults.outage {
            all.push("the outage was not ended".to_owned());
        }
        all
    }

    /// Forgets the bot's mistakes so far, for tests that provoke them.
    pub fn forgive(&self) {
        lock(&self.0.calls).forgive();
    }
}

fn shown(state: &State, channel: &str, wanted: impl Fn(&Message) -> bool) -> Vec<Shown> {
    let Some(channel) = state.channels.get(channel) else {
        return Vec::new();
    };
    let one = |message: &Message| {
        let elements = message.blocks.iter().flat_map(elements_of);
        let actions = elements.filter_map(|element| element["action_id"].as_str());
        Shown {
            channel: channel.id.clone(),
            ts: message.ts.clone(),
            from: name_of(state, &message.user).to_owned(),
            text: render::message(state, message),
            notification: message.text.clone(),
            actions: actions.map(ToOwned::to_owned).collect(),
            thread_ts: message.thread_ts.clone(),
            is_edited: message.edited.is_some(),
        }
    };
    channel
        .messages
        .values()
        .filter(|message| wanted(message))
        .map(one)
        .collect()
}

fn id_of(state: &State, user: &str) -> String {
    state
        .user(user)
        .map_or_else(|| user.to_owned(), |user| user.id.clone())
}

fn name_of<'a>(state: &'a State, id: &'a str) -> &'a str {
    state.users.get(id).map_or(id, |user| &user.name)
}
