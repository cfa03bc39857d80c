//! Slack's answers, as little of them as we use. `ok` is checked by ourselves: the client library takes `ok: false` without an
//! error, and a page that is no JSON, for a success.

use crate::slack::api::error::SlackError;
use secrecy::SecretString;
use serde::Deserialize;

/// Any answer: `ok`, an error's code, and what else it says.
#[derive(Deserialize)]
pub(super) struct Reply<T> {
    ok: bool,
    error: Option<String>,
    #[serde(flatten)]
    rest: Option<T>,
}

impl<T> Reply<T> {
    pub(super) fn into_result(self) -> Result<T, SlackError> {
        match (self.ok, self.rest) {
            (true, Some(rest)) => Ok(rest),
            (true, None) => Err(SlackError::Lost),
            (false, _) => {
                let code = self
                    .error
                    .as_deref()
                    .unwrap_or("not ok, and no reason given");
                Err(SlackError::from_code(code, Vec::new()))
            }
        }
    }
}

/// Nothing but success.
#[derive(Debug, Deserialize)]
pub(super) struct Done {}

/// Whose token it is (`auth.test`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AuthTest {
    pub team_id: String,
    pub user_id: String,
    pub bot_id: Option<String>,
    pub enterprise_id: Option<String>,
    pub is_enterprise_install: Option<bool>,
    pub team: Option<String>,
    pub url: Option<String>,
}

/// A message that was posted or changed: its address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Posted {
    /// The channel's id, which may differ from the one that was named.
    pub channel: String,
    /// The message's timestamp, its id within the channel.
    pub ts: String,
}

/// A user as Slack knows them, as far as their standing depends on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SlackUser {
    pub id: String,
    pub name: Option<String>,
    pub real_name: Option<String>,
    pub team_id: Option<String>,
    pub deleted: Option<bool>,
    pub is_bot: Option<bool>,
    pub is_workflow_bot: Option<bool>,
    pub is_restricted: Option<bool>,
    pub is_ultra_restricted: Option<bool>,
    pub is_stranger: Option<bool>,
    pub is_invited_user: Option<bool>,
    pub tz: Option<String>,
    pub enterprise_user: Option<EnterpriseUser>,
}

/// A user's place in an Enterprise Grid organization.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EnterpriseUser {
    pub enterprise_id: Option<String>,
    pub teams: Option<Vec<String>>,
}

/// A page of the workspace's users.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UsersPage {
    /// The users, deactivated ones too.
    pub members: Vec<SlackUser>,
    /// Where the next page begins.
    pub response_metadata: Option<Cursor>,
}

/// Where a list goes on; empty at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Cursor {
    pub next_cursor: Option<String>,
}

impl Cursor {
    /// Where the next page begins; nothing at the end of the list.
    pub(in crate::slack) fn next(self) -> Option<String> {
        self.next_cursor.filter(|cursor| !cursor.is_empty())
    }
}

/// A page of the workspaces that an organization-wide installation is approved for.
#[derive(Deserialize)]
pub(super) struct WorkspacesPage {
    pub(super) teams: Vec<Workspace>,
    pub(super) response_metadata: Option<Cursor>,
}

#[derive(Deserialize)]
pub(super) struct Workspace {
    pub(super) id: String,
}

/// A user group with its users, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct UserGroup {
    pub id: String,
    pub handle: Option<String>,
    pub name: Option<String>,
    pub updated_by: Option<String>,
    /// When it was updated last, in seconds.
    pub date_update: Option<i64>,
    /// Not 0 when it is switched off.
    pub date_delete: Option<i64>,
    pub users: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct UserGroupsReply {
    pub(super) usergroups: Vec<UserGroup>,
}

#[derive(Deserialize)]
pub(super) struct UserReply {
    pub(super) user: SlackUser,
}

#[derive(Deserialize)]
pub(super) struct BotReply {
    pub(super) bot: Bot,
}

#[derive(Deserialize)]
pub(super) struct Bot {
    pub(super) app_id: String,
}

#[derive(Deserialize)]
pub(super) struct ChannelReply {
    pub(super) channel: OpenedChannel,
}

#[derive(Deserialize)]
pub(super) struct OpenedChannel {
    pub(super) id: String,
}

/// A channel, as far as cards depend on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Channel {
    pub id: String,
    pub name: Option<String>,
    pub is_archived: Option<bool>,
    pub is_member: Option<bool>,
    pub is_private: Option<bool>,
    pub is_ext_shared: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct ChannelInfo {
    pub(super) channel: Channel,
}

#[derive(Deserialize)]
pub(super) struct ChannelPage {
    pub(super) channels: Vec<Channel>,
    pub(super) response_metadata: Option<Cursor>,
}

/// Where a socket can be opened, once.
#[derive(Deserialize)]
pub(super) struct ConnectionReply {
    pub(super) url: SecretString,
}

/// A view that was opened or changed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OpenedView {
    /// Its id, for `views.update`.
    pub id: String,
    /// Guards the next update against another one in between.
    pub hash: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ViewReply {
    pub(super) view: OpenedView,
}

/// The answer of a `response_url`: an object with `ok`, or the word `ok`.
#[derive(Deserialize)]
pub(super) struct HookReply {
    #[serde(default = "yes")]
    pub(super) ok: bool,
}

fn yes() -> bool {
    true
}
