//! What the workspace knows: plain data, changed by the Web API, by what people do, and by tests.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::tickets::Tickets;

/// A person or a bot, as `users.info` shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "Slack's user object is a row of flags"
)]
pub struct User {
    /// `U...` or `W...`.
    pub id: String,
    /// The workspace the person belongs to; another one than ours for a Slack Connect guest.
    pub team_id: String,
    /// The Enterprise Grid organisation, when there is one.
    pub enterprise: Option<String>,
    /// The handle: `alice`.
    pub name: String,
    /// The name people read: `Alice Anderson`.
    pub real_name: String,
    /// IANA time zone.
    pub tz: String,
    /// A bot cannot click.
    pub is_bot: bool,
    /// The account was deactivated.
    pub deleted: bool,
    /// Multi-channel guest.
    pub is_restricted: bool,
    /// Single-channel guest.
    pub is_ultra_restricted: bool,
    /// Somebody of another workspace, seen through a shared channel.
    pub is_stranger: bool,
    /// Workspace admin.
    pub is_admin: bool,
}

/// Who can see a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// Everybody of the workspace.
    Public,
    /// Its members.
    Private,
    /// Two people.
    Im,
}

/// A channel or a direct message, with what was said in it.
#[derive(Debug, Clone)]
pub struct Channel {
    /// `C...` or `D...`.
    pub id: String,
    /// Without `#`; `directmessage` for an IM, as Slack sends it.
    pub name: String,
    /// Who can see it.
    pub kind: ChannelKind,
    /// User ids.
    pub members: BTreeSet<String>,
    /// Nobody can post any more.
    pub is_archived: bool,
    /// Shared with another organisation.
    pub is_ext_shared: bool,
    /// By `ts`, which is unique and rising.
    pub messages: BTreeMap<String, Message>,
}

/// One message.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Identity and order in its channel: seconds and microseconds.
    pub ts: String,
    /// The author's user id.
    pub user: String,
    /// Body, or the fallback of the blocks.
    pub text: String,
    /// Block Kit, with block ids filled in.
    pub blocks: Vec<Value>,
    /// The parent of a reply.
    pub thread_ts: Option<String>,
    /// `ts` of the last edit.
    pub edited: Option<String>,
    /// An ephemeral message: the one person who sees it.
    pub only_for: Option<String>,
    /// `{event_type, event_payload}`.
    pub metadata: Option<Value>,
}

/// A modal or a Home view.
#[derive(Debug, Clone)]
pub struct View {
    /// `V...`.
    pub id: String,
    /// As the app gave it, with block ids filled in.
    pub body: Value,
    /// Changes with every update.
    pub hash: String,
    /// The first view of the stack.
    pub root_id: String,
    /// The view beneath.
    pub previous_id: Option<String>,
    /// What the app said beside the fields, by block id.
    pub errors: BTreeMap<String, String>,
    /// What the app offered for the letters typed into long lists, by action id.
    pub offered: BTreeMap<String, Vec<Value>>,
}

impl View {
    /// The body with everything in its long lists that was offered so far: nothing else can be chosen there.
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

/// A user group ("subteam").
#[derive(Debug, Clone)]
pub struct Group {
    /// `S...`.
    pub id: String,
    /// Without `@`.
    pub handle: String,
    /// The name people read.
    pub name: String,
    /// User ids.
    pub users: Vec<String>,
    /// The workspace that it belongs to.
    pub team_id: String,
    /// Who changed it last.
    pub updated_by: String,
    /// When, in seconds.
    pub updated_at: i64,
    /// A disabled group resolves to nobody.
    pub is_disabled: bool,
}

/// The workspace and the app installed in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// `T...`.
    pub team_id: String,
    /// The workspace's name.
    pub team_name: String,
    /// The part before `.slack.com`.
    pub domain: String,
    /// `E...`, where the app is installed for a whole Enterprise Grid organization.
    pub enterprise_id: Option<String>,
    /// `A...`.
    pub app_id: String,
    /// `B...`.
    pub bot_id: String,
    /// The bot's user, `U...`.
    pub bot_user: String,
}

/// Everything in the workspace.
#[derive(Debug, Clone)]
pub struct State {
    /// Workspace and app.
    pub install: Install,
    /// By id.
    pub users: BTreeMap<String, User>,
    /// By id.
    pub channels: BTreeMap<String, Channel>,
    /// By id.
    pub groups: BTreeMap<String, Group>,
    /// Open modals per user, the top one last; at most three.
    pub modals: HashMap<String, Vec<View>>,
    /// Published Home views per user.
    pub homes: HashMap<String, View>,
    /// What the bot token may do.
    pub scopes: BTreeSet<String>,
    /// Set to answer every call with this error: `token_revoked`, `account_inactive`.
    pub token_error: Option<String>,
    /// One-time permissions: triggers and response urls.
    pub tickets: Tickets,
    pub(super) last_ts: i64,
    pub(super) serial: u64,
}

impl State {
    /// The next message timestamp: unique and rising even when the clock stands still.
    pub fn next_ts(&mut self, now_ms: i64) -> String {
        self.last_ts = (now_ms.saturating_mul(1000)).max(self.last_ts.saturating_add(1));
        format!(
            "{}.{:06}",
            self.last_ts.div_euclid(1_000_000),
            self.last_ts.rem_euclid(1_000_000)
        )
    }

    /// A number that was not used before in this workspace.
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

    /// The direct message between the bot and a user, opened when there is none; its id is made from the user's.
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

    /// Stores a message under a fresh `ts` and returns that `ts`; false channels are the caller's to check.
    pub fn post(&mut self, channel: &str, mut message: Message, now_ms: i64) -> String {
        let ts = self.next_ts(now_ms);
        message.ts.clone_from(&ts);
        self.name_blocks(&mut message.blocks);
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.messages.insert(ts.clone(), message);
        }
        ts
    }

    /// Gives a block id to each block without one, as Slack does when it stores them.
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

    /// A view of anybody by its id.
    pub fn view_mut(&mut self, id: &str) -> Option<&mut View> {
        let stacked = self.modals.values_mut().flatten();
        stacked.chain(self.homes.values_mut()).find(|v| v.id == id)
    }

    /// A new view with its own id and hash; `root` and `previous` come from the stack it goes on.
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

    /// Puts another body into a view that is open; `None` when nobody has it open.
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
