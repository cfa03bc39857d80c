//! Who is who: people with their Slack identities, teams and roles.

use super::document::{DirectoryDocument, People, SlackIdentity};
use super::id::{PersonId, RoleId, TeamId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

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
}

#[derive(Debug, Clone, Default)]
struct Team {
    name: String,
    members: BTreeSet<PersonId>,
}

/// Everybody the configuration knows, indexed for every question that is asked of it.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    people: BTreeMap<PersonId, Person>,
    slack: HashMap<SlackKey, PersonId>,
    teams: BTreeMap<TeamId, Team>,
    holders: BTreeMap<RoleId, BTreeSet<PersonId>>,
}

impl Directory {
    /// Indexes a directory; what contradicts itself in it is found by the checks of [`super::rules::Rules::compile`].
    pub fn compile(document: &DirectoryDocument) -> Self {
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
        for team in &document.teams {
            let entry = directory.teams.entry(team.id.clone()).or_default();
            entry.name.clone_from(&team.name);
            for member in &team.members {
                directory.join(member, &team.id);
            }
        }
        directory
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
        let Some(person) = self.people.get_mut(member) else {
            return;
        };
        person.teams.insert(team.clone());
        let entry = self.teams.entry(team.clone()).or_default();
        entry.members.insert(member.clone());
    }

    /// The person with this id, active or not.
    pub fn person(&self, id: &PersonId) -> Option<&Person> {
        self.people.get(id)
    }

    /// The person behind a Slack account: matched by enterprise and user where the account has an enterprise, else by workspace and user.
    pub fn by_slack(&self, account: &SlackAccount) -> Option<&Person> {
        let key = SlackKey::new(
            account.enterprise_id.as_deref(),
            Some(&account.team_id),
            &account.user_id,
        )?;
        self.people.get(self.slack.get(&key)?)
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
