//! The smallest set of people who could complete a request now: exact for few people, approximate for many.

use super::decision::Decision;
use super::eligibility::{Exclusions, PeopleInvolved, candidates, counted_approvals};
use super::id::{PersonId, RoleId, TeamId};
use super::people::{Directory, Person};
use super::pinned_policy::PinnedPolicy;
use super::quorum::{self, CountedApproval, size};
use std::collections::{BTreeMap, BTreeSet};

/// Up to this many people with different capabilities for the request, all sets are tried.
const EXACT_UP_TO: usize = 16;

/// The fewest people whose approvals would satisfy every policy now. Empty if nothing is missing, or if nobody could complete it.
/// Up to 16 different candidates the result is exact. With more, it is greedy: people are added until the set is complete, and then
/// those who are not needed are removed.
pub fn smallest_set(
    gates: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    decisions: &[Decision],
    directory: &Directory,
) -> Vec<PersonId> {
    smallest_set_without(gates, excluded, decisions, directory, &BTreeSet::new())
}

/// The same without some people: empty if the others could not complete it.
pub fn smallest_set_without(
    gates: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    decisions: &[Decision],
    directory: &Directory,
    without: &BTreeSet<&PersonId>,
) -> Vec<PersonId> {
    let mut search = Search::new(gates, excluded, decisions, directory);
    search
        .people
        .retain(|(person, _)| !without.contains(&person.id));
    let everybody: Vec<usize> = (0..search.people.len()).collect();
    if gates.is_empty() || search.completes(&[]) || !search.completes(&everybody) {
        return Vec::new();
    }
    let forced = search.forced();
    let rest = search.different(&forced);
    let mut set = if rest.len() <= EXACT_UP_TO {
        search.exact(&forced, &rest)
    } else {
        search.greedy(forced, &rest)
    };
    set.sort_unstable();
    set.into_iter()
        .map(|person| search.people[person].0.id.clone())
        .collect()
}

/// The policies with their approvals so far, and the people who could approve, each with the policies that name them.
struct Search<'a> {
    gates: &'a [PinnedPolicy],
    have: Vec<Vec<CountedApproval<'a>>>,
    people: Vec<(&'a Person, BTreeSet<usize>)>,
}

impl<'a> Search<'a> {
    fn new(
        gates: &'a [PinnedPolicy],
        excluded: &PeopleInvolved,
        decisions: &'a [Decision],
        directory: &'a Directory,
    ) -> Self {
        let exclusions = Exclusions::by(gates, excluded);
        let mut people: BTreeMap<&PersonId, (&Person, BTreeSet<usize>)> = BTreeMap::new();
        for (at, gate) in gates.iter().enumerate() {
            for person in candidates(gate, exclusions, decisions, directory) {
                let entry = people
                    .entry(&person.id)
                    .or_insert((person, BTreeSet::new()));
                entry.1.insert(at);
            }
        }
        Self {
            gates,
            have: gates
                .iter()
                .map(|gate| counted_approvals(gate, exclusions, decisions))
                .collect(),
            people: people.into_values().collect(),
        }
    }

    fn voices_with(&self, gate: usize, set: &[usize]) -> Vec<CountedApproval<'a>> {
        let mut counted_approvals = self.have[gate].clone();
        let named = set.iter().map(|&person| &self.people[person]);
        counted_approvals.extend(
            named
                .filter(|(_, gates)| gates.contains(&gate))
                .map(|(person, _)| CountedApproval::from(*person)),
        );
        counted_approvals
    }

    fn completes(&self, set: &[usize]) -> bool {
        self.gates
            .iter()
            .enumerate()
            .all(|(at, gate)| quorum::is_met(&gate.template.quorum, &self.voices_with(at, set)))
    }

    /// People whom a quorum requires by id: they are in every set.
    fn forced(&self) -> Vec<usize> {
        let required: BTreeSet<&PersonId> = self
            .gates
            .iter()
            .flat_map(|gate| &gate.template.quorum.required_user_ids)
            .collect();
        (0..self.people.len())
            .filter(|&person| required.contains(&self.people[person].0.id))
            .collect()
    }

    /// The other people. Of people with the same capabilities, it keeps no more than could ever be needed.
    fn different(&self, forced: &[usize]) -> Vec<usize> {
        let most = self
            .gates
            .iter()
            .map(|gate| quorum::need(&gate.template.quorum))
            .max()
            .unwrap_or(1);
        let asked = AskedFor::by(self.gates);
        let mut alike: BTreeMap<_, usize> = BTreeMap::new();
        (0..self.people.len())
            .filter(|person| !forced.contains(person))
            .filter(|&person| {
                let (person, gates) = &self.people[person];
                let seen = alike
                    .entry((gates, asked.teams(person), asked.roles(person)))
                    .or_default();
                *seen += 1;
                *seen <= most
            })
            .collect()
    }

    /// Tries all sets, smaller ones first.
    fn exact(&self, forced: &[usize], rest: &[usize]) -> Vec<usize> {
        (0..=rest.len())
            .find_map(|count| {
                let mut set = forced.to_vec();
                self.extend(&mut set, rest, count).then_some(set)
            })
            .unwrap_or_default()
    }

    fn extend(&self, set: &mut Vec<usize>, rest: &[usize], count: usize) -> bool {
        if count == 0 {
            return self.completes(set);
        }
        for (at, &person) in rest.iter().enumerate() {
            if rest.len() - at < count {
                break;
            }
            set.push(person);
            if self.extend(set, &rest[at + 1..], count - 1) {
                return true;
            }
            set.pop();
        }
        false
    }

    /// Adds the person who helps most until the set is complete, then removes everyone who is not needed.
    fn greedy(&self, forced: Vec<usize>, rest: &[usize]) -> Vec<usize> {
        let mut set = forced;
        while !self.completes(&set) {
            let with = |person: usize| [set.as_slice(), &[person]].concat();
            let helpers = rest.iter().copied().filter(|person| !set.contains(person));
            let next = helpers.min_by_key(|&person| self.missing(&with(person)));
            let Some(next) = next else {
                break;
            };
            set.push(next);
        }
        for person in set.clone() {
            let without: Vec<usize> = set
                .iter()
                .copied()
                .filter(|&other| other != person)
                .collect();
            if self.completes(&without) {
                set = without;
            }
        }
        set
    }

    /// How much is missing over all policies; adding a person who helps always decreases it.
    fn missing(&self, set: &[usize]) -> usize {
        let each = self.gates.iter().enumerate().map(|(at, gate)| {
            let quorum = &gate.template.quorum;
            let counted_approvals = self.voices_with(at, set);
            let teams = size(quorum.min_distinct_teams);
            quorum::need(quorum).saturating_sub(counted_approvals.len())
                + quorum
                    .required_team_ids
                    .iter()
                    .filter(|id| !quorum::has_team(&counted_approvals, id))
                    .count()
                + quorum
                    .required_org_roles
                    .iter()
                    .filter(|id| !quorum::has_role(&counted_approvals, id))
                    .count()
                + teams.saturating_sub(quorum::distinct_teams(&counted_approvals, teams))
        });
        each.sum()
    }
}

/// The memberships that matter for these quorums.
struct AskedFor<'a> {
    every_team: bool,
    teams: BTreeSet<&'a TeamId>,
    roles: BTreeSet<&'a RoleId>,
}

impl<'a> AskedFor<'a> {
    fn by(gates: &'a [PinnedPolicy]) -> Self {
        let quorums = || gates.iter().map(|gate| &gate.template.quorum);
        Self {
            every_team: quorums().any(|quorum| quorum.min_distinct_teams > 0),
            teams: quorums()
                .flat_map(|quorum| &quorum.required_team_ids)
                .collect(),
            roles: quorums()
                .flat_map(|quorum| &quorum.required_org_roles)
                .collect(),
        }
    }

    fn teams<'b>(&self, person: &'b Person) -> Vec<&'b TeamId> {
        let asked = |team: &&TeamId| self.every_team || self.teams.contains(*team);
        person.teams.iter().filter(asked).collect()
    }

    fn roles<'b>(&self, person: &'b Person) -> Vec<&'b RoleId> {
        person
            .roles
            .iter()
            .filter(|role| self.roles.contains(role))
            .collect()
    }
}
