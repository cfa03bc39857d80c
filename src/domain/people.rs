//! Who is who: people with their Slack identities, teams and roles.

use super::document::{DirectoryDocument, People, SlackIdentity};
use super::id::{PersonId, RoleId, TeamId};
use super::principal::Principal;
use super::slack_directory::{Membership, RecentMembership, SlackDirectory, SyncedAccount};
use super::time::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A person as the directory knows them now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The id.
    pub id: PersonId,
    /// The name that is shown.
    pub name: String,
    /// Slack identities; several of them are one person.
    pub slack: Vec<SlackIdentity>,
    /// Teams, by list and by Slack user group.
    pub teams: BTreeSet<TeamId>,
    /// Roles in the organization.
    pub roles: BTreeSet<RoleId>,
    /// Whether the person may do anything at all.
    pub active: bool,
}

/// A Slack account that has been checked against a signed payload and `users.info`: the enterprise where there is one, the
/// workspace, and the user's id in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SlackAccount {
    /// The Enterprise Grid organization, where there is one.
    pub enterprise_id: Option<String>,
    /// The clicker's own workspace.
    pub team_id: String,
    /// The user's id.
    pub user_id: String,
}

/// What a Slack identity is matched by: the enterprise where there is one, else the workspace, and the user. The two kinds never
/// meet, so that a workspace cannot pass for an enterprise.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SlackKey {
    is_enterprise: bool,
    tenant: String,
    user: String,
}

impl SlackKey {
    /// The key of these ids; none where one that is needed is empty.
    fn new(enterprise: Option<&str>, team: Option<&str>, user: &str) -> Option<Self> {
        let (is_enterprise, tenant) = match (enterprise, team) {
            (Some(enterprise), _) => (true, enterprise),
            (None, Some(team)) => (false, team),
            (None, None) => return None,
        };
        (!tenant.trim().is_empty() && !user.trim().is_empty()).then(|| Self {
            is_enterprise,
            tenant: tenant.to_owned(),
            user: user.to_owned(),
        })
    }

    /// The key of a configured identity.
    pub(super) fn of(identity: &SlackIdentity) -> Option<Self> {
        Self::new(
            identity.enterprise_id.as_deref(),
            identity.team_id.as_deref(),
            &identity.user_id,
        )
    }

    fn of_account(account: &SlackAccount) -> Option<Self> {
        Self::new(
            account.enterprise_id.as_deref(),
            Some(&account.team_id),
            &account.user_id,
        )
    }
}

#[derive(Debug, Clone, Default)]
struct Team {
    name: String,
    members: BTreeSet<PersonId>,
}

/// Everybody the configuration and the workspace know, indexed for every question that is asked of them.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    people: BTreeMap<PersonId, Person>,
    slack: HashMap<SlackKey, PersonId>,
    teams: BTreeMap<TeamId, Team>,
    holders: BTreeMap<RoleId, BTreeSet<PersonId>>,
    /// The ids that members of the workspace go by, for those who are listed under another one.
    aliases: BTreeMap<PersonId, PersonId>,
    /// What is too new for older requests, the newest last.
    recent_memberships: Vec<RecentMembership>,
    /// Team memberships that make nobody an administrator and open no break-glass session yet, with the end of that.
    held: BTreeMap<(PersonId, TeamId), Timestamp>,
    /// Who the configuration itself puts into which team.
    listed: BTreeSet<(PersonId, TeamId)>,
    /// Slack accounts that are switched off, or belong to guests.
    refused: HashSet<SlackKey>,
}

impl Directory {
    /// Indexes a directory; what contradicts itself in it is found by the checks of [`super::compiled_config::CompiledConfig::compile`].
    pub fn compile(document: &DirectoryDocument) -> Self {
        Self::compile_with(document, &SlackDirectory::default())
    }

    /// The same with what is known besides the configuration.
    pub fn compile_with(document: &DirectoryDocument, slack_directory: &SlackDirectory) -> Self {
        let mut directory = Self::default();
        for user in &document.users {
            directory.add(Person {
                id: user.id.clone(),
                name: user.name.clone(),
                slack: user.slack.0.clone(),
                teams: BTreeSet::new(),
                roles: user.org_roles.iter().cloned().collect(),
                active: true,
            });
        }
        directory.add_accounts(document.slack.members, &slack_directory.accounts);
        for team in &document.teams {
            let entry = directory.teams.entry(team.id.clone()).or_default();
            entry.name.clone_from(&team.name);
            let group = team.slack_user_group.as_ref();
            let group = group.and_then(|id| slack_directory.groups.get(id));
            let from_slack = group.into_iter().flat_map(|group| &group.people);
            for member in &team.members {
                let member = directory.canonical(member).clone();
                directory.listed.insert((member, team.id.clone()));
            }
            for member in team.members.iter().chain(from_slack) {
                directory.join(member, &team.id);
            }
        }
        directory
            .recent_memberships
            .clone_from(&slack_directory.recent_memberships);
        directory
            .recent_memberships
            .sort_by_key(|recent_memberships| recent_memberships.since);
        directory.hold(&slack_directory.recent_memberships);
        directory
    }

    /// Holds back what somebody may have given themselves; what the configuration gives as well is not held back.
    fn hold(&mut self, recent_memberships: &[RecentMembership]) {
        for one in recent_memberships {
            if let (Membership::Team(team), Some(until)) = (&one.what, one.held_until) {
                let key = (self.canonical(&one.person).clone(), team.clone());
                if !self.listed.contains(&key) {
                    self.held.insert(key, until);
                }
            }
        }
    }

    /// The accounts of the workspace: a listed person all of whose accounts are switched off, or a guest's, is inactive; where members
    /// are people, so is every other full member.
    fn add_accounts(&mut self, members: bool, accounts: &[SyncedAccount]) {
        let mut standing: BTreeMap<PersonId, usize> = BTreeMap::new();
        for account in accounts {
            let Some(key) = SlackKey::of(&account.identity) else {
                continue;
            };
            let own_id = PersonId::new(&*account.identity.user_id);
            if !account.is_active || !account.is_full {
                self.refused.insert(key.clone());
            }
            if let Some(listed) = self.slack.get(&key).cloned() {
                if self.refused.contains(&key) {
                    *standing.entry(listed.clone()).or_default() += 1;
                }
                if listed != own_id && !self.people.contains_key(&own_id) {
                    self.aliases.insert(own_id, listed);
                }
            } else if members && account.is_full && !self.people.contains_key(&own_id) {
                self.add(Person {
                    id: own_id,
                    name: account.name.clone(),
                    slack: vec![account.identity.clone()],
                    teams: BTreeSet::new(),
                    roles: BTreeSet::new(),
                    active: account.is_active,
                });
            }
        }
        for (listed, switched_off) in standing {
            if let Some(person) = self.people.get_mut(&listed) {
                person.active = switched_off < person.slack.len();
            }
        }
    }

    fn add(&mut self, person: Person) {
        for key in person.slack.iter().filter_map(SlackKey::of) {
            self.slack.insert(key, person.id.clone());
        }
        for role in &person.roles {
            let holders = self.holders.entry(role.clone()).or_default();
            holders.insert(person.id.clone());
        }
        self.people.insert(person.id.clone(), person);
    }

    fn join(&mut self, member: &PersonId, team: &TeamId) {
        let member = self.canonical(member).clone();
        let Some(person) = self.people.get_mut(&member) else {
            return;
        };
        person.teams.insert(team.clone());
        let entry = self.teams.entry(team.clone()).or_default();
        entry.members.insert(member);
    }

    /// The person with this id, active or not.
    pub fn person(&self, id: &PersonId) -> Option<&Person> {
        self.people.get(id)
    }

    /// Whether this person is there and active, by whichever id they are known.
    pub fn is_active(&self, id: &PersonId) -> bool {
        self.person(self.canonical(id))
            .is_some_and(|person| person.active)
    }

    /// The id a person goes by: that of the list, for a member of the workspace who was only known by the account before.
    pub fn canonical<'a>(&'a self, id: &'a PersonId) -> &'a PersonId {
        self.aliases.get(id).unwrap_or(id)
    }

    /// Every id that this person goes by, or went by before they were listed.
    pub fn ids_of<'a>(&'a self, id: &'a PersonId) -> impl Iterator<Item = &'a PersonId> {
        let before = self.aliases.iter().filter(move |(_, listed)| *listed == id);
        std::iter::once(id).chain(before.map(|(before, _)| before))
    }

    /// A person by the id they go by now; services, the operator and the bot as they are.
    pub fn recognise(&self, principal: &mut Principal) {
        if let Principal::Person(id) = principal {
            *id = self.canonical(id).clone();
        }
    }

    /// The person behind a Slack account: matched by enterprise and user where the account has an enterprise, else by workspace and user.
    pub fn by_slack(&self, account: &SlackAccount) -> Option<&Person> {
        let key = SlackKey::of_account(account)?;
        self.people.get(self.slack.get(&key)?)
    }

    /// The person with this Slack identity.
    pub fn by_identity(&self, identity: &SlackIdentity) -> Option<&Person> {
        self.people.get(self.slack.get(&SlackKey::of(identity)?)?)
    }

    /// Whether this account is known to be switched off, or to belong to a guest: nobody acts through it, whoever they are.
    pub fn is_refused(&self, account: &SlackAccount) -> bool {
        SlackKey::of_account(account).is_some_and(|key| self.refused.contains(&key))
    }

    /// Whether the configuration itself puts this person into this team.
    pub fn is_listed_in(&self, person: &PersonId, team: &TeamId) -> bool {
        self.listed.contains(&(person.clone(), team.clone()))
    }

    /// Until when this membership makes nobody an administrator and opens no break-glass session.
    pub fn held_until(&self, person: &PersonId, team: &TeamId) -> Option<Timestamp> {
        let key = (person.clone(), team.clone());
        self.held.get(&key).copied()
    }

    /// Whether this person has this membership.
    pub fn has(&self, person: &PersonId, what: &Membership) -> bool {
        self.person(person).is_some_and(|person| match what {
            Membership::Team(team) => person.teams.contains(team),
            Membership::Role(role) => person.roles.contains(role),
            Membership::Slack(identity) => person.slack.contains(identity),
        })
    }

    /// What came to whom at this time or later; a request of the same moment counts as older.
    fn gained_membership_since(&self, asked: Timestamp) -> &[RecentMembership] {
        let first = self
            .recent_memberships
            .partition_point(|recent_memberships| recent_memberships.since < asked);
        &self.recent_memberships[first..]
    }

    /// A person as they count for what was asked at that time: without what they gave themselves since.
    pub fn person_as_of(&self, id: &PersonId, asked: Timestamp) -> Option<Cow<'_, Person>> {
        let mut person = Cow::Borrowed(self.person(id)?);
        for recent_memberships in self.gained_membership_since(asked) {
            if recent_memberships.person == *id {
                strip(person.to_mut(), &recent_memberships.what);
            }
        }
        Some(person)
    }

    /// Whether an edit gave this account to its person after that time, so that it does not count for what was asked then.
    pub fn is_linked_since(&self, account: &SlackAccount, asked: Timestamp) -> bool {
        let key = SlackKey::of_account(account);
        self.gained_membership_since(asked)
            .iter()
            .any(|recent_memberships| match &recent_memberships.what {
                Membership::Slack(identity) => key.is_some() && SlackKey::of(identity) == key,
                Membership::Team(_) | Membership::Role(_) => false,
            })
    }

    /// The whole directory as it counts for what was asked at that time.
    pub fn as_of(&self, asked: Timestamp) -> Cow<'_, Self> {
        let since = self.gained_membership_since(asked);
        if since.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut then = self.clone();
        for recent_memberships in since {
            then.take_away(recent_memberships);
        }
        Cow::Owned(then)
    }

    fn take_away(&mut self, recent_memberships: &RecentMembership) {
        if let Some(person) = self.people.get_mut(&recent_memberships.person) {
            strip(person, &recent_memberships.what);
        }
        match &recent_memberships.what {
            Membership::Team(team) => {
                if let Some(team) = self.teams.get_mut(team) {
                    team.members.remove(&recent_memberships.person);
                }
            }
            Membership::Role(role) => {
                if let Some(holders) = self.holders.get_mut(role) {
                    holders.remove(&recent_memberships.person);
                }
            }
            Membership::Slack(_) => {}
        }
    }

    /// Everybody, by id.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// A person's name, or their id.
    pub fn name<'a>(&'a self, id: &'a PersonId) -> &'a str {
        self.people
            .get(id)
            .map_or(id.as_str(), |person| person.name.as_str())
    }

    /// A team's name, or its id.
    pub fn team_name<'a>(&'a self, id: &'a TeamId) -> &'a str {
        self.teams
            .get(id)
            .map_or(id.as_str(), |team| team.name.as_str())
    }

    /// Every team.
    pub fn teams(&self) -> impl Iterator<Item = &TeamId> {
        self.teams.keys()
    }

    /// Every role that somebody holds.
    pub fn roles(&self) -> impl Iterator<Item = &RoleId> {
        self.holders.keys()
    }

    /// The active people among those named, by id; empty names nobody.
    pub fn among(&self, named: &People) -> Vec<&Person> {
        let people: BTreeMap<&PersonId, &Person> = self
            .each_among(named)
            .map(|person| (&person.id, person))
            .collect();
        people.into_values().collect()
    }

    /// The same as they come, without looking at all of them first; who is named in two ways comes twice.
    pub fn each_among<'t, 'd: 't>(
        &'d self,
        named: &'t People,
    ) -> impl Iterator<Item = &'d Person> + use<'t, 'd> {
        let members = named.teams.iter().flat_map(|team| self.members(team));
        let holders = named.org_roles.iter().flat_map(|role| self.holders(role));
        let users = named.users.iter().filter_map(|id| self.people.get(id));
        users
            .chain(members)
            .chain(holders)
            .filter(|person| person.active)
    }

    /// The members of a team, active or not, by id.
    pub fn members(&self, team: &TeamId) -> impl Iterator<Item = &Person> {
        let members = self.teams.get(team).map(|team| &team.members);
        let ids = members.into_iter().flatten();
        ids.filter_map(|id| self.people.get(id))
    }

    /// The holders of a role, active or not, by id.
    pub fn holders(&self, role: &RoleId) -> impl Iterator<Item = &Person> {
        let ids = self.holders.get(role).into_iter().flatten();
        ids.filter_map(|id| self.people.get(id))
    }
}

/// Takes one membership from a person. An account stays theirs: what it may not do is asked of the account.
fn strip(person: &mut Person, what: &Membership) {
    match what {
        Membership::Team(team) => {
            person.teams.remove(team);
        }
        Membership::Role(role) => {
            person.roles.remove(role);
        }
        Membership::Slack(_) => {}
    }
}
