//! The state of the workspace: plain data, changed by the Web API, by people's actions, and by tests.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::tickets::Tickets;

/// A person or a bot, with the fields of `users.info`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "Slack's user object is a row of flags"
)]
pub struct User {
    /// User id: `U...` or `W...`.
    pub id: String,
    /// The person's workspace; for a Slack Connect guest it is another one than the app's.
    pub team_id: String,
    /// The Enterprise Grid organization, if any.
    pub enterprise: Option<String>,
    /// The handle: `alice`.
    pub name: String,
    /// The displayed name: `Alice Anderson`.
    pub real_name: String,
    /// IANA time zone.
    pub tz: String,
    /// A bot; it cannot click.
    pub is_bot: bool,
    /// The account was deactivated.
    pub deleted: bool,
    /// A multi-channel guest.
    pub is_restricted: bool,
    /// A single-channel guest.
    pub is_ultra_restricted: bool,
    /// A member of another workspace, seen through a shared channel.
    pub is_stranger: bool,
    /// A workspace administrator.
    pub is_admin: bool,
}

/// Who can see a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// Everyone in the workspace.
    Public,
    /// The channel's members.
    Private,
    /// Two people: a direct message.
    Im,
}

/// A channel or a direct message, with its messages.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Channel id: `C...` or `D...`.
    pub id: String,
    /// The name without `#`; `directmessage` for a direct message, as Slack sends it.
    pub name: String,
    /// Who can see the channel.
    pub kind: ChannelKind,
    /// User ids of the members.
    pub members: BTreeSet<String>,
    /// Archived: no one can post any more.
    pub is_archived: bool,
    /// Shared with another organization.
    pub is_ext_shared: bool,
    /// The messages by `ts`, which is unique and increasing.
    pub messages: BTreeMap<String, Message>,
}

/// One message.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Identity and order in its channel: seconds and microseconds, as Slack writes them.
    pub ts: String,
    /// The author's user id.
    pub user: String,
    /// The body, or the fallback text of the blocks.
    pub text: String,
    /// Block Kit blocks; missing block ids are filled in.
    pub blocks: Vec<Value>,
    /// `ts` of the parent, if this is a reply.
    pub thread_ts: Option<String>,
    /// `ts` of the last edit, if any.
    pub edited: Option<String>,
    /// The only person who sees it, if this is an ephemeral message.
    pub only_for: Option<String>,
    /// Metadata: `{event_type, event_payload}`.
    pub metadata: Option<Value>,
}

/// A modal or a Home tab.
#[derive(Debug, Clone)]
pub struct View {
    /// View id: `V...`.
    pub id: String,
    /// The view as the app sent it; missing block ids are filled in.
    pub body: Value,
    /// Changes with every update of the view.
    pub hash: String,
    /// Id of the first view of the stack.
    pub root_id: String,
    /// Id of the view below.
    pub previous_id: Option<String>,
    /// Field errors from the app, by block id.
    pub errors: BTreeMap<String, String>,
    /// Options that the app offered for typed text in long lists, by action id.
    pub offered: BTreeMap<String, Vec<Value>>,
}

impl View {
    /// The body with all options offered so far in its long lists; no others can be chosen.
    pub(super) fn with_offered(&self) -> Value {
        let mut body = self.body.clone();
        let blocks = body["blocks"].as_array_mut().into_iter().flatten();
        for block in blocks.filter(|block| block["type"] == "input") {
            let element = &mut block["element"];
            let long = matches!(
                element["type"].as_str(),
                Some("external_select" | "multi_external_select")
            );
            if !long {
                continue;
            }
            let action_id = element["action_id"].as_str().unwrap_or_default();
            let mut options = self.offered.get(action_id).cloned().unwrap_or_default();
            let initial = element["initial_options"].as_array().cloned();
            options.extend(initial.unwrap_or_default());
            options.extend(element.get("initial_option").cloned());
            element["options"] = options.into();
        }
        body
    }
}

/// A user group (Slack also calls it "subteam").
#[derive(Debug, Clone)]
pub struct Group {
    /// Group id: `S...`.
    pub id: String,
    /// The handle without `@`.
    pub handle: String,
    /// The displayed name.
    pub name: String,
    /// User ids of the members.
    pub users: Vec<String>,
    /// Id of the group's workspace.
    pub team_id: String,
    /// User id of the last editor.
    pub updated_by: String,
    /// Time of the last change, in seconds since 1970.
    pub updated_at: i64,
    /// Disabled: the group resolves to no members.
    pub is_disabled: bool,
}

/// The workspace and the app installed in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// Workspace id: `T...`.
    pub team_id: String,
    /// The workspace's name.
    pub team_name: String,
    /// The subdomain: the part before `.slack.com`.
    pub domain: String,
    /// Organization id `E...`, if the app is installed for a whole Enterprise Grid organization.
    pub enterprise_id: Option<String>,
    /// App id: `A...`.
    pub app_id: String,
    /// Bot id: `B...`.
    pub bot_id: String,
    /// User id of the bot: `U...`.
    pub bot_user: String,
}

/// The whole state of the workspace.
#[derive(Debug, Clone)]
pub struct State {
    /// The workspace and the app.
    pub install: Install,
    /// People and bots by user id.
    pub users: BTreeMap<String, User>,
    /// Channels and direct messages by channel id.
    pub channels: BTreeMap<String, Channel>,
    /// User groups by group id.
    pub groups: BTreeMap<String, Group>,
    /// Open modals by user id, the top one last; at most three each.
    pub modals: HashMap<String, Vec<View>>,
    /// Published Home tabs by user id.
    pub homes: HashMap<String, View>,
    /// Scopes of the bot token.
    pub scopes: BTreeSet<String>,
    /// If set, every call fails with this error: `token_revoked`, `account_inactive`.
    pub token_error: Option<String>,
    /// Trigger ids and response URLs, which are valid for a short time.
    pub tickets: Tickets,
    /// The e-mails that were received, oldest first.
    pub mails: Vec<Mail>,
    /// Whether there is a mail server.
    pub(super) has_mail: bool,
    pub(super) last_ts: i64,
    pub(super) serial: u64,
}

/// A received e-mail, for one recipient.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// Its number in the workspace.
    pub serial: u64,
    /// The recipient's address.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// Its plain text.
    pub text: String,
    /// When it came, in milliseconds since 1970.
    pub at_ms: i64,
}

impl State {
    /// The next message timestamp: unique and increasing, even when the clock stands still.
    pub fn next_ts(&mut self, now_ms: i64) -> String {
        self.last_ts = (now_ms.saturating_mul(1000)).max(self.last_ts.saturating_add(1));
        format!(
            "{}.{:06}",
            self.last_ts.div_euclid(1_000_000),
            self.last_ts.rem_euclid(1_000_000)
        )
    }

    /// A number that was not used in this workspace before.
    pub fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Finds a person by id or by handle.
    pub fn user(&self, id_or_name: &str) -> Option<&User> {
        let wanted = id_or_name.trim_start_matches('@');
        self.users
            .get(wanted)
            .or_else(|| self.users.values().find(|user| user.name == wanted))
    }

    /// Finds a channel by id or by name.
    pub fn channel(&self, id_or_name: &str) -> Option<&Channel> {
        let wanted = id_or_name.trim_start_matches('#');
        let named = |channel: &&Channel| channel.kind != ChannelKind::Im && channel.name == wanted;
        self.channels
            .get(wanted)
            .or_else(|| self.channels.values().find(named))
    }

    /// Finds a message by channel id and `ts`.
    pub fn message(&self, channel: &str, ts: &str) -> Option<&Message> {
        self.channels.get(channel)?.messages.get(ts)
    }

    /// The direct message between the bot and a user; opens it if there is none. Its id is derived from the user's id.
    pub fn open_im(&mut self, user: &str) -> String {
        let id = format!("D{}", user.get(1..).unwrap_or_default());
        let members = BTreeSet::from([self.install.bot_user.clone(), user.to_owned()]);
        self.channels.entry(id.clone()).or_insert_with(|| Channel {
            id: id.clone(),
            name: "directmessage".to_owned(),
            kind: ChannelKind::Im,
            members,
            is_archived: false,
            is_ext_shared: false,
            messages: BTreeMap::new(),
        });
        id
    }

    /// Stores a message under a new `ts` and returns that `ts`. The caller checks that the channel exists.
    pub fn post(&mut self, channel: &str, mut message: Message, now_ms: i64) -> String {
        let ts = self.next_ts(now_ms);
        message.ts.clone_from(&ts);
        self.name_blocks(&mut message.blocks);
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.messages.insert(ts.clone(), message);
        }
        ts
    }

    /// Fills in missing block ids, as Slack does when it stores blocks.
    pub fn name_blocks(&mut self, blocks: &mut [Value]) {
        for block in blocks {
            let named = block
                .get("block_id")
                .and_then(Value::as_str)
                .is_some_and(|id| !id.is_empty());
            if let (false, Some(fields)) = (named, block.as_object_mut()) {
                let id = format!("b{:04}", self.next_serial());
                fields.insert("block_id".to_owned(), Value::String(id));
            }
        }
    }

    /// Finds an open view by its id.
    pub fn view_mut(&mut self, id: &str) -> Option<&mut View> {
        let stacked = self.modals.values_mut().flatten();
        stacked.chain(self.homes.values_mut()).find(|v| v.id == id)
    }

    /// Makes a new view with its own id and hash; `root_id` and `previous_id` come from the view below.
    pub fn new_view(&mut self, mut body: Value, below: Option<&View>, now_ms: i64) -> View {
        if let Some(blocks) = body.get_mut("blocks").and_then(Value::as_array_mut) {
            self.name_blocks(blocks);
        }
        let id = format!("V{:08}", self.next_serial());
        View {
            body,
            hash: self.next_hash(now_ms),
            root_id: below.map_or_else(|| id.clone(), |view| view.root_id.clone()),
            previous_id: below.map(|view| view.id.clone()),
            errors: BTreeMap::new(),
            offered: BTreeMap::new(),
            id,
        }
    }

    /// Replaces the body of an open view; `None` if the view is not open.
    pub fn replace_view(&mut self, id: &str, mut body: Value, now_ms: i64) -> Option<&View> {
        if let Some(blocks) = body.get_mut("blocks").and_then(Value::as_array_mut) {
            self.name_blocks(blocks);
        }
        let hash = self.next_hash(now_ms);
        let view = self.view_mut(id)?;
        view.body = body;
        view.hash = hash;
        view.errors.clear();
        Some(view)
    }

    fn next_hash(&mut self, now_ms: i64) -> String {
        format!("{}.{:08x}", now_ms.div_euclid(1000), self.next_serial())
    }

    /// Whether a person can read a channel.
    pub fn can_see(&self, user: &str, channel: &Channel) -> bool {
        let own = self.users.get(user).is_some_and(|user| {
            !user.is_stranger && !user.is_restricted && !user.is_ultra_restricted
        });
        channel.members.contains(user) || (own && channel.kind == ChannelKind::Public)
    }
}
