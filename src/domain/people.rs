//! The directory: people with their Slack identities, teams and roles.

use super::document::{DirectoryDocument, OidcIdentity, People, SlackIdentity};
use super::id::{PersonId, RoleId, TeamId};
use super::principal::Principal;
use super::slack_directory::{Membership, RecentMembership, SlackDirectory, SyncedAccount};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A person of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The person's id.
    pub id: PersonId,
    /// The display name.
    pub name: String,
    /// Where the person receives e-mails.
    pub email: Option<String>,
    /// Slack identities; a person can have several.
    pub slack: Vec<SlackIdentity>,
    /// The person's teams, by configuration and by Slack user group.
    pub teams: BTreeSet<TeamId>,
    /// The organization roles that the person holds.
    pub roles: BTreeSet<RoleId>,
    /// Whether the person is active; an inactive person may do nothing.
    pub active: bool,
}

/// A Slack account that was verified with a signed payload and `users.info`: the enterprise if there is one, the workspace, and the
/// user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlackAccount {
    /// The id of the Enterprise Grid organization, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enterprise_id: Option<String>,
    /// The id of the account's own workspace.
    pub team_id: String,
    /// The user id.
    pub user_id: String,
}

/// The key that matches a Slack identity: the enterprise if there is one, or else the workspace, and the user. `is_enterprise`
/// keeps the two kinds apart, so that a workspace id cannot pass for an enterprise id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SlackKey {
    is_enterprise: bool,
    tenant: String,
    user: String,
}

impl SlackKey {
    /// The key of these ids; `None` if a required id is empty.
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

/// Everyone whom the configuration and Slack define, indexed for lookups.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    people: BTreeMap<PersonId, Person>,
    slack: HashMap<SlackKey, PersonId>,
    oidc: HashMap<OidcIdentity, PersonId>,
    teams: BTreeMap<TeamId, Team>,
    holders: BTreeMap<RoleId, BTreeSet<PersonId>>,
    /// Maps the ids of workspace members to the ids under which they are listed.
    aliases: BTreeMap<PersonId, PersonId>,
    /// Memberships that are too new for older requests, the newest last.
    recent_memberships: Vec<RecentMembership>,
    /// Team memberships on hold: until the given time they give neither administrator rights nor break-glass.
    held: BTreeMap<(PersonId, TeamId), Timestamp>,
    /// Team memberships that the configuration itself lists.
    listed: BTreeSet<(PersonId, TeamId)>,
    /// Slack accounts that are deactivated or belong to guests.
    refused: HashSet<SlackKey>,
}

impl Directory {
    /// Indexes a directory. The checks of [`super::compiled_config::CompiledConfig::compile`] report contradictions.
    pub fn compile(document: &DirectoryDocument) -> Self {
        Self::compile_with(document, &SlackDirectory::default())
    }

    /// Like [`Directory::compile`], together with the Slack directory.
    pub fn compile_with(document: &DirectoryDocument, slack_directory: &SlackDirectory) -> Self {
        let mut directory = Self::default();
        for user in &document.users {
            for identity in &user.oidc {
                directory.oidc.insert(identity.clone(), user.id.clone());
            }
            directory.add(Person {
                id: user.id.clone(),
                name: user.name.clone(),
                email: user.email.clone(),
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

    /// Applies holds to memberships that people may have given themselves, unless the configuration lists the membership too.
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

    /// Applies the accounts of the workspace. A listed person is inactive if all of their accounts that Slack told of are deactivated
    /// or belong to guests. If `members` is set, every other full member is added as a person.
    fn add_accounts(&mut self, members: bool, accounts: &[SyncedAccount]) {
        let mut standing: BTreeMap<PersonId, bool> = BTreeMap::new();
        for account in accounts {
            let Some(key) = SlackKey::of(&account.identity) else {
                continue;
            };
            let own_id = PersonId::new(&*account.identity.user_id);
            if !account.is_active || !account.is_full {
                self.refused.insert(key.clone());
            }
            if let Some(listed) = self.slack.get(&key).cloned() {
                *standing.entry(listed.clone()).or_default() |= !self.refused.contains(&key);
                if listed != own_id && !self.people.contains_key(&own_id) {
                    self.aliases.insert(own_id, listed);
                }
            } else if members && account.is_full && !self.people.contains_key(&own_id) {
                self.add(Person {
                    id: own_id,
                    name: account.name.clone(),
                    email: None,
                    slack: vec![account.identity.clone()],
                    teams: BTreeSet::new(),
                    roles: BTreeSet::new(),
                    active: account.is_active,
                });
            }
        }
        for (listed, is_active) in standing {
            if let Some(person) = self.people.get_mut(&listed) {
                person.active = is_active;
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

    /// Whether this person exists and is active, under their current or an earlier id.
    pub fn is_active(&self, id: &PersonId) -> bool {
        self.person(self.canonical(id))
            .is_some_and(|person| person.active)
    }

    /// The current id of a person: the listed id, for a workspace member who was first known only by their account.
    pub fn canonical<'a>(&'a self, id: &'a PersonId) -> &'a PersonId {
        self.aliases.get(id).unwrap_or(id)
    }

    /// The person's current id, and the ids they had before they were listed.
    pub fn ids_of<'a>(&'a self, id: &'a PersonId) -> impl Iterator<Item = &'a PersonId> {
        let before = self.aliases.iter().filter(move |(_, listed)| *listed == id);
        std::iter::once(id).chain(before.map(|(before, _)| before))
    }

    /// Replaces a person's id by their current one; other principals stay unchanged.
    pub fn recognise(&self, principal: &mut Principal) {
        if let Principal::Person(id) = principal {
            *id = self.canonical(id).clone();
        }
    }

    /// The person who owns a Slack account, matched by enterprise and user if the account has an enterprise, or else by workspace
    /// and user.
    pub fn by_slack(&self, account: &SlackAccount) -> Option<&Person> {
        let key = SlackKey::of_account(account)?;
        self.people.get(self.slack.get(&key)?)
    }

    /// The person with this Slack identity.
    pub fn by_identity(&self, identity: &SlackIdentity) -> Option<&Person> {
        self.people.get(self.slack.get(&SlackKey::of(identity)?)?)
    }

    /// The person with this identity at an `OpenID` provider.
    pub fn by_oidc(&self, identity: &OidcIdentity) -> Option<&Person> {
        self.people.get(self.oidc.get(identity)?)
    }

    /// Whether this account is known to be deactivated or to belong to a guest. Nobody may act through such an account.
    pub fn is_refused(&self, account: &SlackAccount) -> bool {
        SlackKey::of_account(account).is_some_and(|key| self.refused.contains(&key))
    }

    /// Whether the configuration itself lists this person in this team.
    pub fn is_listed_in(&self, person: &PersonId, team: &TeamId) -> bool {
        self.listed.contains(&(person.clone(), team.clone()))
    }

    /// When the hold on this membership ends, if there is one.
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
            Membership::Oidc(identity) => self.oidc.get(identity) == Some(&person.id),
        })
    }

    /// The recent memberships since `asked`, inclusive: a request of the same moment counts as older.
    fn gained_membership_since(&self, asked: Timestamp) -> &[RecentMembership] {
        let first = self
            .recent_memberships
            .partition_point(|recent_memberships| recent_memberships.since < asked);
        &self.recent_memberships[first..]
    }

    /// A person as they count for a request created at `asked`: without recent memberships.
    pub fn person_as_of(&self, id: &PersonId, asked: Timestamp) -> Option<Cow<'_, Person>> {
        let mut person = Cow::Borrowed(self.person(id)?);
        for recent in self.gained_membership_since(asked) {
            if recent.person == *id {
                strip(person.to_mut(), &recent.what);
            }
        }
        Some(person)
    }

    /// Whether the account was linked to its person after `asked`, so that it does not count for a request created then.
    pub fn is_linked_since(&self, account: &SlackAccount, asked: Timestamp) -> bool {
        let key = SlackKey::of_account(account);
        self.gained_membership_since(asked)
            .iter()
            .any(|recent_memberships| match &recent_memberships.what {
                Membership::Slack(identity) => key.is_some() && SlackKey::of(identity) == key,
                Membership::Team(_) | Membership::Role(_) | Membership::Oidc(_) => false,
            })
    }

    /// Whether the identity was linked to its person after `asked`, so that it does not count for a request created then.
    pub fn is_oidc_linked_since(&self, identity: &OidcIdentity, asked: Timestamp) -> bool {
        self.gained_membership_since(asked)
            .iter()
            .any(|recent| recent.what == Membership::Oidc(identity.clone()))
    }

    /// The directory as it counts for a request created at `asked`.
    pub fn as_of(&self, asked: Timestamp) -> Cow<'_, Self> {
        let since = self.gained_membership_since(asked);
        if since.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut then = self.clone();
        for recent in since {
            then.take_away(recent);
        }
        Cow::Owned(then)
    }

    fn take_away(&mut self, recent: &RecentMembership) {
        if let Some(person) = self.people.get_mut(&recent.person) {
            strip(person, &recent.what);
        }
        match &recent.what {
            Membership::Team(team) => {
                if let Some(team) = self.teams.get_mut(team) {
                    team.members.remove(&recent.person);
                }
            }
            Membership::Role(role) => {
                if let Some(holders) = self.holders.get_mut(role) {
                    holders.remove(&recent.person);
                }
            }
            Membership::Slack(_) | Membership::Oidc(_) => {}
        }
    }

    /// All people, sorted by id.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// A person's name, or the id of an unknown person.
    pub fn name<'a>(&'a self, id: &'a PersonId) -> &'a str {
        self.people
            .get(id)
            .map_or(id.as_str(), |person| person.name.as_str())
    }

    /// A team's name, or the id of an unknown team.
    pub fn team_name<'a>(&'a self, id: &'a TeamId) -> &'a str {
        self.teams
            .get(id)
            .map_or(id.as_str(), |team| team.name.as_str())
    }

    /// All teams.
    pub fn teams(&self) -> impl Iterator<Item = &TeamId> {
        self.teams.keys()
    }

    /// All roles that someone holds.
    pub fn roles(&self) -> impl Iterator<Item = &RoleId> {
        self.holders.keys()
    }

    /// The active people among those named, sorted by id. Empty means nobody.
    pub fn among(&self, named: &People) -> Vec<&Person> {
        let people: BTreeMap<&PersonId, &Person> = self
            .each_among(named)
            .map(|person| (&person.id, person))
            .collect();
        people.into_values().collect()
    }

    /// Like [`Directory::among`], but lazy and unsorted; a person who is named twice appears twice.
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

    /// The members of a team, active or not, sorted by id.
    pub fn members(&self, team: &TeamId) -> impl Iterator<Item = &Person> {
        let members = self.teams.get(team).map(|team| &team.members);
        let ids = members.into_iter().flatten();
        ids.filter_map(|id| self.people.get(id))
    }

    /// The holders of a role, active or not, sorted by id.
    pub fn holders(&self, role: &RoleId) -> impl Iterator<Item = &Person> {
        let ids = self.holders.get(role).into_iter().flatten();
        ids.filter_map(|id| self.people.get(id))
    }
}

/// Removes one membership from a person. A Slack identity stays, because [`Directory::is_linked_since`] checks the account itself.
fn strip(person: &mut Person, what: &Membership) {
    match what {
        Membership::Team(team) => {
            person.teams.remove(team);
        }
        Membership::Role(role) => {
            person.roles.remove(role);
        }
        Membership::Slack(_) | Membership::Oidc(_) => {}
    }
}
