//! Who has a right that nobody may give themselves: to administer, and to start a break-glass session.

use super::document::{Administrators, People};
use super::id::{PersonId, RoleId, TeamId};
use super::people::{Directory, Person};
use super::time::Timestamp;

/// The people whom a right names.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    users: &'a [PersonId],
    teams: &'a [TeamId],
    roles: &'a [RoleId],
}

impl<'a> From<&'a People> for Named<'a> {
    fn from(people: &'a People) -> Self {
        Self {
            users: &people.users,
            teams: &people.teams,
            roles: &people.org_roles,
        }
    }
}

impl<'a> From<&'a Administrators> for Named<'a> {
    fn from(named: &'a Administrators) -> Self {
        Self {
            users: &named.users,
            teams: &named.teams,
            roles: &named.org_roles,
        }
    }
}

impl Directory {
    /// Whether the right names this person, ignoring memberships on hold.
    pub fn is_entitled<'a>(&self, named: impl Into<Named<'a>>, person: &Person) -> bool {
        let named = named.into();
        let mut teams = named
            .teams
            .iter()
            .filter(|team| person.teams.contains(*team));
        person.active
            && (named.users.contains(&person.id)
                || named.roles.iter().any(|role| person.roles.contains(role))
                || teams.any(|team| self.held_until(&person.id, team).is_none()))
    }

    /// If the right names this person only through memberships on hold: when the first hold ends.
    pub fn entitled_from<'a>(
        &self,
        named: impl Into<Named<'a>>,
        person: &Person,
    ) -> Option<Timestamp> {
        let named = named.into();
        if !person.active || self.is_entitled(named, person) {
            return None;
        }
        let held = named.teams.iter();
        held.filter_map(|team| self.held_until(&person.id, team))
            .min()
    }
}
