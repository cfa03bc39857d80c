//! Quorum: how many approvals are needed, and whose (docs/policies.md; docs/decisions.md D14). These functions only count; the
//! caller passes in approvals that count.

use super::decision::Decision;
use super::document::Quorum;
use super::id::{PersonId, RoleId, TeamId};
use super::people::Person;
use std::collections::{BTreeSet, HashMap};

/// One person's approval, with the memberships that it can represent.
#[derive(Debug, Clone, Copy)]
pub struct CountedApproval<'a> {
    /// The approver.
    pub by: &'a PersonId,
    /// The teams that the approval can represent.
    pub teams: &'a BTreeSet<TeamId>,
    /// The roles that the approval can represent.
    pub roles: &'a BTreeSet<RoleId>,
}

impl<'a> From<&'a Decision> for CountedApproval<'a> {
    fn from(decision: &'a Decision) -> Self {
        Self {
            by: &decision.by,
            teams: &decision.teams,
            roles: &decision.roles,
        }
    }
}

impl<'a> From<&'a Person> for CountedApproval<'a> {
    fn from(person: &'a Person) -> Self {
        Self {
            by: &person.id,
            teams: &person.teams,
            roles: &person.roles,
        }
    }
}

/// The lower bound of approvals that can meet the quorum. It is at least 1, whatever the stored quorum says.
pub fn need(quorum: &Quorum) -> usize {
    let users: BTreeSet<&PersonId> = quorum.required_user_ids.iter().collect();
    size(quorum.min_approvals)
        .max(size(quorum.min_distinct_teams))
        .max(users.len())
        .max(1)
}

/// Converts a count of the document to `usize`.
pub(super) fn size(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Whether this person approved.
pub fn has_person(counted_approvals: &[CountedApproval<'_>], id: &PersonId) -> bool {
    counted_approvals.iter().any(|approval| approval.by == id)
}

/// Whether a member of this team approved.
pub fn has_team(counted_approvals: &[CountedApproval<'_>], id: &TeamId) -> bool {
    counted_approvals
        .iter()
        .any(|approval| approval.teams.contains(id))
}

/// Whether a holder of this role approved.
pub fn has_role(counted_approvals: &[CountedApproval<'_>], id: &RoleId) -> bool {
    counted_approvals
        .iter()
        .any(|approval| approval.roles.contains(id))
}

/// Whether these approvals, each of a different person, meet every field of the quorum.
pub fn is_met(quorum: &Quorum, counted_approvals: &[CountedApproval<'_>]) -> bool {
    let teams = size(quorum.min_distinct_teams);
    counted_approvals.len() >= need(quorum)
        && quorum
            .required_user_ids
            .iter()
            .all(|id| has_person(counted_approvals, id))
        && quorum
            .required_team_ids
            .iter()
            .all(|id| has_team(counted_approvals, id))
        && quorum
            .required_org_roles
            .iter()
            .all(|id| has_role(counted_approvals, id))
        && distinct_teams(counted_approvals, teams) >= teams
}

/// How many teams these approvals represent when each person represents one team: the size of a maximum matching between people and
/// teams, counted up to `want`.
pub fn distinct_teams(counted_approvals: &[CountedApproval<'_>], want: usize) -> usize {
    let mut matching = Matching::default();
    let mut found = 0;
    for approval in counted_approvals {
        if found >= want {
            break;
        }
        if let Some(person) = matching.offer(approval.teams, want)
            && matching.place(person, &mut BTreeSet::new())
        {
            found += 1;
        }
    }
    found
}

/// Kuhn's algorithm, one person at a time.
#[derive(Default)]
struct Matching<'a> {
    numbers: HashMap<&'a TeamId, usize>,
    /// Per team: how many people were added, and who represents it.
    offered: Vec<usize>,
    stands: Vec<Option<usize>>,
    /// Per person: their teams.
    teams: Vec<Vec<usize>>,
}

impl<'a> Matching<'a> {
    /// Adds a person, unless each of their teams already has `want` people: with so many, one is always free to represent the team.
    fn offer(&mut self, teams: &'a BTreeSet<TeamId>, want: usize) -> Option<usize> {
        let mut numbered = Vec::with_capacity(teams.len());
        for team in teams {
            let next = self.numbers.len();
            let number = *self.numbers.entry(team).or_insert(next);
            if number == self.stands.len() {
                self.stands.push(None);
                self.offered.push(0);
            }
            numbered.push(number);
        }
        if numbered.iter().all(|&team| self.offered[team] >= want) {
            return None;
        }
        for &team in &numbered {
            self.offered[team] += 1;
        }
        self.teams.push(numbered);
        Some(self.teams.len() - 1)
    }

    /// Assigns a person to a team, and reassigns others to another of their teams if necessary.
    fn place(&mut self, person: usize, tried: &mut BTreeSet<usize>) -> bool {
        for at in 0..self.teams[person].len() {
            let team = self.teams[person][at];
            if !tried.insert(team) {
                continue;
            }
            let free = match self.stands[team] {
                None => true,
                Some(other) => self.place(other, tried),
            };
            if free {
                self.stands[team] = Some(person);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn teams_of(people: &[&[&str]], want: usize) -> usize {
        let ids: Vec<PersonId> = (0..people.len())
            .map(|n| PersonId::new(n.to_string()))
            .collect();
        let teams: Vec<BTreeSet<TeamId>> = people
            .iter()
            .map(|teams| teams.iter().map(|&team| TeamId::from(team)).collect())
            .collect();
        let none = BTreeSet::new();
        let counted_approvals: Vec<CountedApproval<'_>> = ids
            .iter()
            .zip(&teams)
            .map(|(by, teams)| CountedApproval {
                by,
                teams,
                roles: &none,
            })
            .collect();
        distinct_teams(&counted_approvals, want)
    }

    #[test]
    fn one_person_in_two_teams_is_not_cross_team_review() {
        assert_eq!(teams_of(&[&["a", "b"]], 2), 1);
        assert_eq!(teams_of(&[&["a", "b"], &["a"]], 2), 2);
        assert_eq!(teams_of(&[&["a"], &["a"], &["a"]], 3), 1);
        assert_eq!(teams_of(&[&["a", "b"], &["a", "c"], &["a"]], 3), 3);
        assert_eq!(teams_of(&[&["a", "b"], &["a", "b"], &["a", "b"]], 3), 2);
        assert_eq!(teams_of(&[&[], &["a"]], 2), 1);
        assert_eq!(teams_of(&[], 1), 0);
    }

    #[test]
    fn a_quorum_of_nothing_still_needs_somebody_b63() {
        let nothing = Quorum {
            min_approvals: 0,
            ..Quorum::default()
        };
        assert!(!is_met(&nothing, &[]));
    }
}
