//! The workspace's people, channels and groups at the start.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::state::{Channel, ChannelKind, Group, Install, State, User};
use super::tickets::Tickets;

/// The scopes that were granted when the app was installed.
const SCOPES: [&str; 7] = [
    "commands",
    "chat:write",
    "im:write",
    "users:read",
    "usergroups:read",
    "channels:read",
    "groups:read",
];

/// Builds the first state of a workspace.
#[derive(Debug, Clone)]
pub struct Seed(State);

impl Seed {
    /// The workspace `T01TEST` with the app and its bot, and without people.
    pub fn empty() -> Self {
        let install = Install {
            team_id: "T01TEST".to_owned(),
            team_name: "Test Workspace".to_owned(),
            domain: "test-workspace".to_owned(),
            enterprise_id: None,
            app_id: "A01APP".to_owned(),
            bot_id: "B01BOT".to_owned(),
            bot_user: "U0BOT".to_owned(),
        };
        let bot = User {
            id: install.bot_user.clone(),
            team_id: install.team_id.clone(),
            name: "countersign".to_owned(),
            real_name: "Countersign".to_owned(),
            tz: "Etc/UTC".to_owned(),
            is_bot: true,
            ..User::default()
        };
        Self(State {
            users: BTreeMap::from([(bot.id.clone(), bot)]),
            install,
            channels: BTreeMap::new(),
            groups: BTreeMap::new(),
            modals: HashMap::new(),
            homes: HashMap::new(),
            scopes: SCOPES.iter().map(|scope| (*scope).to_owned()).collect(),
            token_error: None,
            tickets: Tickets::default(),
            mails: Vec::new(),
            has_mail: false,
            last_ts: 0,
            serial: 0,
        })
    }

    /// The example people, groups and channels of `countersign demo` and of the tests.
    pub fn example() -> Self {
        Self::empty()
            .user("U01ALICE", "alice", "Alice Anderson", "Europe/Berlin")
            .user("U02BOB", "bob", "Bob Brown", "Europe/London")
            .user("U03CAROL", "carol", "Carol Clark", "America/New_York")
            .user("U04MALLORY", "mallory", "Mallory Moore", "Europe/Paris")
            .user("U05DAN", "dan", "Dan Davis", "America/Los_Angeles")
            .user("U06ERIN", "erin", "Erin Evans", "Asia/Tokyo")
            .user_with("U06ERIN", |erin| erin.is_admin = true)
            .group("S01BACKEND", "backend", "Backend", &["alice", "bob"])
            .group("S02SRE", "sre", "SRE", &["carol", "dan"])
            .group("S03SECURITY", "security", "Security", &["erin"])
            .channel("C01APPROVALS", "approvals")
            .channel("C02PROD", "prod-approvals")
            .channel("C03SECURITY", "security")
    }

    /// The people, groups and channels of the company that `countersign demo` shows.
    pub fn company() -> Self {
        Self::example()
            .user("U07FRANK", "frank", "Frank Foster", "Europe/Madrid")
            .user("U08GRACE", "grace", "Grace Green", "America/Chicago")
            .user("U09HEIDI", "heidi", "Heidi Hall", "Europe/Zurich")
            .user("U10IVAN", "ivan", "Ivan Ivanov", "Europe/Sofia")
            .user("U11JUDY", "judy", "Judy Jones", "Europe/Dublin")
            .group("S02SRE", "sre", "SRE", &["carol", "dan", "ivan"])
            .group("S03SECURITY", "security", "Security", &["erin", "heidi"])
            .group("S04PAYMENTS", "payments", "Payments", &["frank", "grace"])
            .group("S05DATA", "data", "Data", &["judy"])
            .channel("C01APPROVALS", "approvals")
            .channel("C02PROD", "prod-approvals")
            .channel("C03SECURITY", "security")
            .install(|install| "Acme".clone_into(&mut install.team_name))
    }

    /// Adds a person of this workspace.
    #[must_use]
    pub fn user(mut self, id: &str, name: &str, real_name: &str, tz: &str) -> Self {
        let user = User {
            id: id.to_owned(),
            team_id: self.0.install.team_id.clone(),
            name: name.to_owned(),
            real_name: real_name.to_owned(),
            tz: tz.to_owned(),
            ..User::default()
        };
        self.0.users.insert(user.id.clone(), user);
        self
    }

    /// Changes a person, for example to a guest, a bot, or a member of another workspace.
    ///
    /// # Panics
    /// When the person does not exist, which is a mistake in the seed.
    #[must_use]
    pub fn user_with(mut self, id: &str, change: impl FnOnce(&mut User)) -> Self {
        let user = self.0.users.get_mut(id);
        change(user.expect("the seed changes a user it added before"));
        self
    }

    /// Adds a public channel with the bot and everyone in the workspace as members.
    #[must_use]
    pub fn channel(self, id: &str, name: &str) -> Self {
        let own = |user: &&User| !user.is_stranger && !user.deleted;
        let members: Vec<_> = self
            .0
            .users
            .values()
            .filter(own)
            .map(|u| u.id.clone())
            .collect();
        let members: Vec<_> = members.iter().map(String::as_str).collect();
        self.channel_with(id, name, ChannelKind::Public, &members)
    }

    /// Adds a channel with these members (ids or handles); the bot is a member only if it is named.
    #[must_use]
    pub fn channel_with(
        mut self,
        id: &str,
        name: &str,
        kind: ChannelKind,
        members: &[&str],
    ) -> Self {
        let known = |wanted: &&str| self.0.user(wanted).map(|user| user.id.clone());
        let channel = Channel {
            id: id.to_owned(),
            name: name.to_owned(),
            kind,
            members: members.iter().filter_map(known).collect::<BTreeSet<_>>(),
            is_archived: false,
            is_ext_shared: false,
            messages: BTreeMap::new(),
        };
        self.0.channels.insert(channel.id.clone(), channel);
        self
    }

    /// Adds a user group with these members (ids or handles).
    #[must_use]
    pub fn group(mut self, id: &str, handle: &str, name: &str, users: &[&str]) -> Self {
        let known = |wanted: &&str| self.0.user(wanted).map(|user| user.id.clone());
        let group = Group {
            id: id.to_owned(),
            handle: handle.to_owned(),
            name: name.to_owned(),
            users: users.iter().filter_map(known).collect(),
            team_id: self.0.install.team_id.clone(),
            updated_by: "USLACKBOT".to_owned(),
            updated_at: 1_446_670_362,
            is_disabled: false,
        };
        self.0.groups.insert(group.id.clone(), group);
        self
    }

    /// Changes the ids and names of the workspace and the app; call it before adding people.
    #[must_use]
    pub fn install(mut self, change: impl FnOnce(&mut Install)) -> Self {
        change(&mut self.0.install);
        self
    }

    /// Installs the app for a whole organization, to which everyone then belongs; call it after adding people.
    #[must_use]
    pub fn organization(mut self, enterprise_id: &str) -> Self {
        self.0.install.enterprise_id = Some(enterprise_id.to_owned());
        for user in self.0.users.values_mut() {
            user.enterprise = Some(enterprise_id.to_owned());
        }
        self
    }

    pub(super) fn into_state(self) -> State {
        self.0
    }
}
