//! Whether the people of the directory could ever meet a quorum, and if not, why (docs/decisions.md D14).

use super::decision::Decision;
use super::document::Quorum;
use super::eligibility::{
    Exclusions, PeopleInvolved, candidates, counted_approvals, each_named, named_people, names,
};
use super::english;
use super::id::{PersonId, PolicyId, TeamId};
use super::people::{Directory, Person};
use super::pinned_policy::PinnedPolicy;
use super::quorum::{self, CountedApproval, size};
use std::collections::{BTreeSet, HashSet};

/// A policy that nobody could complete any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// The policy's id.
    pub policy: PolicyId,
    /// What the policy needs and who is left: `needs two teams; only SRE is left once alice is excluded`.
    pub message: String,
}

/// Whether the approvals so far, together with those of everyone who may still approve, would satisfy every policy. An additional
/// approval never makes a policy unsatisfied, so each policy can be checked separately.
pub fn satisfiable(
    gates: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    decisions: &[Decision],
    directory: &Directory,
) -> bool {
    let exclusions = Exclusions::by(gates, excluded);
    gates
        .iter()
        .all(|gate| is_meetable(gate, exclusions, decisions, directory))
}

/// After this many people the quorum is checked for the first time; each further check follows after twice as many.
const FIRST_LOOK: usize = 32;
/// If a quorum requires several teams, a few members of this many teams are tried first.
const TEAMS_FIRST: usize = 64;

/// Whether everyone who could approve would satisfy this policy. An additional approval never makes a policy unsatisfied, so this
/// stops as soon as some people suffice. In a large directory, only a negative answer looks at everyone.
fn is_meetable(
    gate: &PinnedPolicy,
    exclusions: Exclusions<'_>,
    decisions: &[Decision],
    directory: &Directory,
) -> bool {
    let template = &gate.template;
    let mut counted_approvals = counted_approvals(gate, exclusions, decisions);
    let mut known: HashSet<&PersonId> = decisions.iter().map(|decision| &decision.by).collect();
    let may = |person: &Person| {
        person.active && exclusions.part(&person.id).is_none() && names(template, person.into())
    };
    let mut look = FIRST_LOOK;
    let first = likely(&template.quorum, directory, &may);
    for person in first.into_iter().chain(each_named(template, directory)) {
        if exclusions.part(&person.id).is_none() && known.insert(&person.id) {
            counted_approvals.push(person.into());
            if counted_approvals.len() >= look {
                if quorum::is_met(&template.quorum, &counted_approvals) {
                    return true;
                }
                look *= 2;
            }
        }
    }
    quorum::is_met(&template.quorum, &counted_approvals)
}

/// People who match what the quorum names: for each team and role, as many people as approvals are needed.
fn likely<'a>(
    quorum: &'a Quorum,
    directory: &'a Directory,
    may: &dyn Fn(&Person) -> bool,
) -> Vec<&'a Person> {
    let few = quorum::need(quorum).min(FIRST_LOOK);
    let mut likely: Vec<&Person> = Vec::new();
    let users = quorum.required_user_ids.iter();
    likely.extend(
        users
            .filter_map(|id| directory.person(id))
            .filter(|person| may(person)),
    );
    for role in &quorum.required_org_roles {
        likely.extend(
            directory
                .holders(role)
                .filter(|person| may(person))
                .take(few),
        );
    }
    for team in &quorum.required_team_ids {
        likely.extend(
            directory
                .members(team)
                .filter(|person| may(person))
                .take(few),
        );
    }
    if quorum.min_distinct_teams > 0 {
        for team in directory.teams().take(TEAMS_FIRST) {
            likely.extend(
                directory
                    .members(team)
                    .filter(|person| may(person))
                    .take(few),
            );
        }
    }
    likely
}

/// The policies that could never be satisfied, with the reason.
pub fn shortfalls(
    gates: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    decisions: &[Decision],
    directory: &Directory,
) -> Vec<Shortfall> {
    let exclusions = Exclusions::by(gates, excluded);
    gates
        .iter()
        .filter(|gate| !is_meetable(gate, exclusions, decisions, directory))
        .map(|gate| Shortfall {
            policy: gate.template.id.clone(),
            message: Short {
                gate,
                exclusions,
                counted_approvals: pool(gate, exclusions, decisions, directory),
                directory,
            }
            .sentence(),
        })
        .collect()
}

/// Everyone who has approved or still could.
fn pool<'a>(
    gate: &PinnedPolicy,
    exclusions: Exclusions<'_>,
    decisions: &'a [Decision],
    directory: &'a Directory,
) -> Vec<CountedApproval<'a>> {
    let mut pool = counted_approvals(gate, exclusions, decisions);
    let people = candidates(gate, exclusions, decisions, directory);
    pool.extend(people.into_iter().map(CountedApproval::from));
    pool
}

/// A policy that the possible approvals cannot satisfy.
struct Short<'a> {
    gate: &'a PinnedPolicy,
    exclusions: Exclusions<'a>,
    counted_approvals: Vec<CountedApproval<'a>>,
    directory: &'a Directory,
}

impl Short<'_> {
    fn sentence(&self) -> String {
        let quorum = &self.gate.template.quorum;
        let mut parts = Vec::new();
        for id in &quorum.required_user_ids {
            if !quorum::has_person(&self.counted_approvals, id) {
                parts.push(self.person(id));
            }
        }
        for id in &quorum.required_team_ids {
            if !quorum::has_team(&self.counted_approvals, id) {
                let name = self.directory.team_name(id);
                parts.push(format!(
                    "needs {name}; nobody in {name} {}",
                    self.left(false)
                ));
            }
        }
        for id in &quorum.required_org_roles {
            if !quorum::has_role(&self.counted_approvals, id) {
                parts.push(format!(
                    "needs the role {id}; nobody with it {}",
                    self.left(false)
                ));
            }
        }
        let teams = size(quorum.min_distinct_teams);
        if quorum::distinct_teams(&self.counted_approvals, teams) < teams {
            parts.push(self.teams(teams));
        }
        if parts.is_empty() {
            parts.push(self.approvals(quorum::need(quorum)));
        }
        parts.join("; ")
    }

    fn person(&self, id: &PersonId) -> String {
        let Some(person) = self.directory.person(id).filter(|person| person.active) else {
            return format!("needs {id}, who is not active");
        };
        if !names(&self.gate.template, person.into()) {
            return format!("needs {id}, who is not among its approvers");
        }
        if self.exclusions.part(id).is_some() {
            return format!("needs {id}, who is excluded");
        }
        format!("needs {id}, whose approval does not count")
    }

    fn teams(&self, want: usize) -> String {
        let teams: BTreeSet<&TeamId> = self
            .counted_approvals
            .iter()
            .flat_map(|approval| approval.teams)
            .collect();
        let head = format!("needs {}", english::count(want, "team"));
        if teams.len() >= want {
            return format!(
                "{head}, each by another person; only {} {}",
                self.people(),
                self.left(self.counted_approvals.len() > 1)
            );
        }
        let names: Vec<&str> = teams
            .iter()
            .map(|id| self.directory.team_name(id))
            .collect();
        match names.as_slice() {
            [] => format!("{head}; nobody who is in a team {}", self.left(false)),
            names => format!(
                "{head}; only {} {}",
                english::list(names),
                self.left(names.len() > 1)
            ),
        }
    }

    fn approvals(&self, need: usize) -> String {
        let head = format!("needs {}", english::count(need, "approval"));
        if self.counted_approvals.is_empty() {
            return format!("{head}; nobody {}", self.left(false));
        }
        format!(
            "{head}; only {} {}",
            self.people(),
            self.left(self.counted_approvals.len() > 1)
        )
    }

    fn people(&self) -> String {
        const NAMES_SHOWN: usize = 3;
        if self.counted_approvals.len() > NAMES_SHOWN {
            return format!("{} people", english::number(self.counted_approvals.len()));
        }
        let names: Vec<&str> = self
            .counted_approvals
            .iter()
            .map(|approval| approval.by.as_str())
            .collect();
        english::list(&names)
    }

    /// `is left once alice is excluded`, or `can approve` if none of the approvers is excluded.
    fn left(&self, plural: bool) -> String {
        let mut out = named_people(&self.gate.template, self.directory);
        out.retain(|person| self.exclusions.part(&person.id).is_some());
        let names: Vec<&str> = out.iter().map(|person| person.id.as_str()).collect();
        if names.is_empty() {
            return "can approve".to_owned();
        }
        let verb = if plural { "are" } else { "is" };
        let they = if names.len() == 1 { "is" } else { "are" };
        format!("{verb} left once {} {they} excluded", english::list(&names))
    }
}
