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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::DirectoryDocument;
    use crate::domain::slack_directory::{
        Membership, RecentMembership, SlackDirectory, SyncedGroup,
    };
    use crate::domain::time::Span;
    use std::collections::BTreeMap;

    const NOW: Timestamp = Timestamp(1_763_800_000_000);

    fn people(users: &str, teams: &str) -> People {
        serde_saphyr::from_str(&format!("{{users: [{users}], teams: [{teams}]}}")).expect("people")
    }

    #[test]
    fn a_membership_on_hold_entitles_from_its_end_and_not_before_r18() {
        let document: DirectoryDocument = serde_saphyr::from_str(
            "users: [{id: ann, name: Ann}, {id: ben, name: Ben}]\n\
             teams: [{id: sre, name: SRE, slackUserGroup: S0SRE}, {id: ops, name: Ops, slackUserGroup: S0OPS}]",
        )
        .expect("a directory");
        let held = |team: &str, hours: i64| RecentMembership {
            person: "ann".into(),
            what: Membership::Team(team.into()),
            since: NOW,
            held_until: Some(NOW.plus(Span::hours(hours))),
        };
        let group = |people: &[&str]| SyncedGroup {
            accounts: Vec::new(),
            people: people.iter().map(|&id| id.into()).collect(),
            synced_at: NOW,
            recent: Vec::new(),
        };
        let known = SlackDirectory {
            groups: BTreeMap::from([
                ("S0SRE".to_owned(), group(&["ann", "ben"])),
                ("S0OPS".to_owned(), group(&["ann"])),
            ]),
            recent_memberships: vec![held("sre", 24), held("ops", 6)],
            ..SlackDirectory::default()
        };
        let directory = Directory::compile_with(&document, &known);
        let ann = directory.person(&"ann".into()).expect("ann");
        let ben = directory.person(&"ben".into()).expect("ben");
        let asked = |named: &People, person: &Person| {
            let from = directory.entitled_from(named, person);
            (directory.is_entitled(named, person), from)
        };
        let (first, both) = (people("", "sre"), people("", "sre, ops"));
        assert_eq!(asked(&first, ben), (true, None));
        assert_eq!(asked(&first, ann), (false, Some(NOW.plus(Span::hours(24)))));
        assert_eq!(asked(&both, ann), (false, Some(NOW.plus(Span::hours(6)))));
        // who is named by id waits for nothing, and a right that names nobody entitles nobody
        assert_eq!(asked(&people("ann", "sre"), ann), (true, None));
        assert_eq!(asked(&people("", ""), ann), (false, None));
        let inactive = Person {
            active: false,
            ..ann.clone()
        };
        assert_eq!(asked(&first, &inactive), (false, None));
    }
}
