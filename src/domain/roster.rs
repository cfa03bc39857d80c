//! What is known of people besides the configuration: the accounts and user groups of the Slack workspace, and memberships that are too
//! new to count for what was asked before (design 2.5).

use super::document::{DirectoryDocument, SlackIdentity};
use super::id::{PersonId, RoleId, TeamId};
use super::people::Directory;
use super::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What was heard of a group longer ago gives nothing to people who were not seen in it then.
pub const FRESH: Span = Span::minutes(15);

/// The versions of everything that decides: what Slack adds is versioned apart, so that it makes no draft of the configuration stale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// The configuration's.
    pub config: i64,
    /// That of what is known of people besides.
    pub directory: i64,
}

/// An account of the home workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose it is, in Slack's terms.
    pub identity: SlackIdentity,
    /// The name that is shown.
    pub name: String,
    /// Whether it is not switched off.
    pub is_active: bool,
    /// Whether it belongs to a full member, not to a guest.
    pub is_full: bool,
}

/// A Slack user group that gives a team its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Who was in it when Slack was last asked.
    pub accounts: Vec<SlackIdentity>,
    /// The people whom it gives its team.
    pub people: BTreeSet<PersonId>,
    /// When Slack was last asked, and answered.
    pub synced_at: Timestamp,
}

/// What somebody can come to have in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Membership {
    /// To be in a team.
    Team(TeamId),
    /// To hold a role.
    Role(RoleId),
    /// To be the person behind a Slack account.
    Slack(SlackIdentity),
}

/// A membership that somebody gave himself, or an account that an edit gave to somebody: it does not count for older requests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gained {
    /// Who has it.
    pub person: PersonId,
    /// What.
    pub what: Membership,
    /// Since when.
    pub since: Timestamp,
}

/// Everything that is known of people besides the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// Its version.
    pub version: i64,
    /// The groups that teams are bound to, by id; one that was never heard of is not in it.
    pub groups: BTreeMap<String, Group>,
    /// The accounts of the workspace, as far as they matter.
    pub accounts: Vec<Account>,
    /// What is too new for older requests.
    pub gained: Vec<Gained>,
}

impl Roster {
    /// The same beside this directory: a group gives its team to whoever it gave it to before, and to others only while what was heard
    /// of it is fresh. A group that no team is bound to is forgotten, so that it starts anew when it is bound again.
    #[must_use]
    pub fn settled(mut self, document: &DirectoryDocument, now: Timestamp) -> Self {
        let bare = Self {
            accounts: self.accounts.clone(),
            ..Self::default()
        };
        let directory = Directory::compile_with(document, &bare);
        self.groups
            .retain(|id, _| bound_groups(document).any(|bound| bound == id));
        for group in self.groups.values_mut() {
            let accounts = group.accounts.iter();
            let found = accounts.filter_map(|identity| directory.by_identity(identity));
            let mut people: BTreeSet<PersonId> = found.map(|person| person.id.clone()).collect();
            if now.0.saturating_sub(group.synced_at.0) > FRESH.0 {
                let before = group.people.iter().map(|id| directory.canonical(id));
                let before: BTreeSet<&PersonId> = before.collect();
                people.retain(|person| before.contains(person));
            }
            group.people = people;
        }
        self
    }

    /// What does not count for older requests after a change of the directory: what did not before and is still there, what `givers`
    /// gave themselves in it, and the accounts that the edit moved to somebody.
    #[must_use]
    pub fn gained_after(
        &self,
        (before, after): (&Directory, &Directory),
        givers: &BTreeSet<PersonId>,
        moved: Vec<(PersonId, SlackIdentity)>,
        now: Timestamp,
    ) -> Vec<Gained> {
        let mut gained: BTreeMap<(PersonId, Membership), Timestamp> = self
            .gained
            .iter()
            .filter(|old| after.has(&old.person, &old.what))
            .map(|old| ((old.person.clone(), old.what.clone()), old.since))
            .collect();
        let own = givers.iter().map(|giver| after.canonical(giver));
        for person in own.filter_map(|giver| after.person(giver)) {
            let teams = person.teams.iter().cloned().map(Membership::Team);
            let roles = person.roles.iter().cloned().map(Membership::Role);
            for what in teams.chain(roles) {
                if !before.has(&person.id, &what) {
                    gained.insert((person.id.clone(), what), now);
                }
            }
        }
        for (person, identity) in moved {
            gained.insert((person, Membership::Slack(identity)), now);
        }
        let row = |((person, what), since)| Gained {
            person,
            what,
            since,
        };
        gained.into_iter().map(row).collect()
    }
}

/// The Slack user groups that teams are bound to.
pub fn bound_groups(document: &DirectoryDocument) -> impl Iterator<Item = &str> {
    let teams = document.teams.iter();
    teams.filter_map(|team| team.slack_user_group.as_deref())
}

/// The accounts that an edit adds to somebody, or moves from somebody to somebody else.
pub fn moved_accounts(
    before: &DirectoryDocument,
    after: &DirectoryDocument,
) -> Vec<(PersonId, SlackIdentity)> {
    let owners = |document: &DirectoryDocument| -> BTreeMap<SlackIdentity, PersonId> {
        let users = document.users.iter();
        let owned = users.flat_map(|user| {
            let own = user.slack.0.iter();
            own.map(|identity| (identity.clone(), user.id.clone()))
        });
        owned.collect()
    };
    let old = owners(before);
    let new = owners(after).into_iter();
    new.filter(|(identity, person)| old.get(identity) != Some(person))
        .map(|(identity, person)| (person, identity))
        .collect()
}
