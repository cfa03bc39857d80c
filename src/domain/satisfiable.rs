//! Whether the people there are could ever meet a quorum, and why not (design 2.3).

use super::document::Quorum;
use super::eligibility::{Barred, Exclusion, candidates, each_named, named_people, names, voices};
use super::id::{PersonId, PolicyId, TeamId};
use super::people::{Directory, Person};
use super::policy::Gate;
use super::quorum::{self, Voice, size};
use super::vote::Vote;
use super::words;
use std::collections::{BTreeSet, HashSet};

/// A policy that nobody could complete any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// The policy.
    pub policy: PolicyId,
    /// What it needs and who is left: `needs two teams; only SRE is left once alice is excluded`.
    pub message: String,
}

/// Whether everybody who may still approve, together with those who have, would satisfy every policy. Since more approvals never
/// un-approve, each policy can be asked on its own.
pub fn satisfiable(
    gates: &[Gate],
    excluded: &Exclusion,
    votes: &[Vote],
    directory: &Directory,
) -> bool {
    let barred = Barred::by(gates, excluded);
    gates
        .iter()
        .all(|gate| is_meetable(gate, barred, votes, directory))
}

/// So many people are asked before the next look at whether they are enough; each look takes twice as many.
const FIRST_LOOK: usize = 32;
/// Of so many teams, a few members are asked first where a quorum wants several teams.
const TEAMS_FIRST: usize = 64;

/// Whether everybody who could approve would satisfy this policy. Since more approvals never un-approve, it stops at the first few
/// people who would do, so that in a large directory only a refusal looks at everybody.
fn is_meetable(gate: &Gate, barred: Barred<'_>, votes: &[Vote], directory: &Directory) -> bool {
    let template = &gate.template;
    let mut voices = voices(gate, barred, votes);
    let mut known: HashSet<&PersonId> = votes.iter().map(|vote| &vote.by).collect();
    let may = |person: &Person| {
        person.active && barred.part(&person.id).is_none() && names(template, person.into())
    };
    let mut look = FIRST_LOOK;
    let first = likely(&template.quorum, directory, &may);
    for person in first.into_iter().chain(each_named(template, directory)) {
        if barred.part(&person.id).is_none() && known.insert(&person.id) {
            voices.push(person.into());
            if voices.len() >= look {
                if quorum::is_met(&template.quorum, &voices) {
                    return true;
                }
                look *= 2;
            }
        }
    }
    quorum::is_met(&template.quorum, &voices)
}

/// People who bring what the quorum asks for by name: as many of each team and role as approvals are needed.
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

/// The policies that could never be satisfied, with the reason in words.
pub fn shortfalls(
    gates: &[Gate],
    excluded: &Exclusion,
    votes: &[Vote],
    directory: &Directory,
) -> Vec<Shortfall> {
    let barred = Barred::by(gates, excluded);
    gates
        .iter()
        .filter(|gate| !is_meetable(gate, barred, votes, directory))
        .map(|gate| Shortfall {
            policy: gate.template.id.clone(),
            message: Short {
                gate,
                barred,
                voices: pool(gate, barred, votes, directory),
                directory,
            }
            .sentence(),
        })
        .collect()
}

/// Everybody who has approved or still could.
fn pool<'a>(
    gate: &Gate,
    barred: Barred<'_>,
    votes: &'a [Vote],
    directory: &'a Directory,
) -> Vec<Voice<'a>> {
    let mut pool = voices(gate, barred, votes);
    let people = candidates(gate, barred, votes, directory);
    pool.extend(people.into_iter().map(Voice::from));
    pool
}

/// A gate that its voices cannot satisfy.
struct Short<'a> {
    gate: &'a Gate,
    barred: Barred<'a>,
    voices: Vec<Voice<'a>>,
    directory: &'a Directory,
}

impl Short<'_> {
    fn sentence(&self) -> String {
        let quorum = &self.gate.template.quorum;
        let mut parts = Vec::new();
        for id in &quorum.required_user_ids {
            if !quorum::has_person(&self.voices, id) {
                parts.push(self.person(id));
            }
        }
        for id in &quorum.required_team_ids {
            if !quorum::has_team(&self.voices, id) {
                let name = self.directory.team_name(id);
                parts.push(format!(
                    "needs {name}; nobody in {name} {}",
                    self.left(false)
                ));
            }
        }
        for id in &quorum.required_org_roles {
            if !quorum::has_role(&self.voices, id) {
                parts.push(format!(
                    "needs the role {id}; nobody with it {}",
                    self.left(false)
                ));
            }
        }
        let teams = size(quorum.min_distinct_teams);
        if quorum::distinct_teams(&self.voices, teams) < teams {
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
        if self.barred.part(id).is_some() {
            return format!("needs {id}, who is excluded");
        }
        format!("needs {id}, whose vote does not count")
    }

    fn teams(&self, want: usize) -> String {
        let teams: BTreeSet<&TeamId> = self.voices.iter().flat_map(|voice| voice.teams).collect();
        let head = format!("needs {}", words::count(want, "team"));
        if teams.len() >= want {
            return format!(
                "{head}, each by another person; only {} {}",
                self.people(),
                self.left(self.voices.len() > 1)
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
                words::list(names),
                self.left(names.len() > 1)
            ),
        }
    }

    fn approvals(&self, need: usize) -> String {
        let head = format!("needs {}", words::count(need, "approval"));
        if self.voices.is_empty() {
            return format!("{head}; nobody {}", self.left(false));
        }
        format!(
            "{head}; only {} {}",
            self.people(),
            self.left(self.voices.len() > 1)
        )
    }

    fn people(&self) -> String {
        const NAMED: usize = 3;
        if self.voices.len() > NAMED {
            return format!("{} people", words::number(self.voices.len()));
        }
        let names: Vec<&str> = self.voices.iter().map(|voice| voice.by.as_str()).collect();
        words::list(&names)
    }

    /// `is left once alice is excluded`, or `can approve` where nobody of its approvers is.
    fn left(&self, plural: bool) -> String {
        let mut out = named_people(&self.gate.template, self.directory);
        out.retain(|person| self.barred.part(&person.id).is_some());
        let names: Vec<&str> = out.iter().map(|person| person.id.as_str()).collect();
        if names.is_empty() {
            return "can approve".to_owned();
        }
        let verb = if plural { "are" } else { "is" };
        let they = if names.len() == 1 { "is" } else { "are" };
        format!("{verb} left once {} {they} excluded", words::list(&names))
    }
}
