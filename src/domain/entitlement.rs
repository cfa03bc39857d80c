//! Who has a right that nobody may take for themselves: to administer, and to start a break-glass session.

use super::document::{Administrators, People};
use super::id::{PersonId, RoleId, TeamId};
use super::people::{Directory, Person};
use super::time::Timestamp;

/// People as a right names them.
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
    /// Whether one of these names this person by what is not held back.
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

    /// Where these name this person by what is held back alone: when the first of it counts.
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
