//! How far a policy is, in a tree that explains itself (design 2.3).

use super::eligibility::{Barred, Exclusion, candidates, names, voices};
use super::id::PolicyId;
use super::people::{Directory, Person};
use super::policy::Gate;
use super::quorum::{self, Voice, size};
use super::vote::Vote;
use super::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How far one policy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyVerdict {
    /// The policy.
    pub policy: PolicyId,
    /// Its name.
    pub name: String,
    /// What it protects and why.
    pub description: String,
    /// The pinned version.
    pub version: i64,
    /// Whether it is satisfied.
    pub satisfied: bool,
    /// Approvals that count.
    pub have: u32,
    /// Approvals that are needed in all.
    pub need: u32,
    /// What is missing, a phrase each: `SRE has not approved`.
    pub missing: Vec<String>,
    /// The whole tree.
    pub explanation: Explanation,
}

/// One node of the tree: whether it is met, in words, and what it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Whether this part is met.
    pub met: bool,
    /// In words: `1 of 2 approvals`.
    pub text: String,
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Explanation>,
}

/// How far each of the stacked policies is. Votes count only where their authors are eligible.
pub fn evaluate(
    gates: &[Gate],
    excluded: &Exclusion,
    votes: &[Vote],
    directory: &Directory,
) -> Vec<PolicyVerdict> {
    let barred = Barred::by(gates, excluded);
    gates
        .iter()
        .map(|gate| judge(gate, barred, votes, directory))
        .collect()
}

/// How far each policy would be that is only tried out, if it were stacked on those that gate.
pub fn evaluate_observed(
    gates: &[Gate],
    observed: &[Gate],
    excluded: &Exclusion,
    votes: &[Vote],
    directory: &Directory,
) -> Vec<PolicyVerdict> {
    let stacked: Vec<Gate> = gates.iter().chain(observed).cloned().collect();
    let barred = Barred::by(&stacked, excluded);
    observed
        .iter()
        .map(|gate| judge(gate, barred, votes, directory))
        .collect()
}

/// Whether every policy is satisfied, without the sentences. No policy at all is no approval: what nothing gates was never
/// waiting for one, and is told apart by its state.
pub fn all_satisfied(gates: &[Gate], excluded: &Exclusion, votes: &[Vote]) -> bool {
    let barred = Barred::by(gates, excluded);
    !gates.is_empty()
        && gates
            .iter()
            .all(|gate| quorum::is_met(&gate.template.quorum, &voices(gate, barred, votes)))
}

/// The people who could bring it forward now, by id: eligible for a policy that is not satisfied yet, and without a vote.
pub fn waiting_for<'a>(
    gates: &[Gate],
    excluded: &Exclusion,
    votes: &[Vote],
    directory: &'a Directory,
) -> Vec<&'a Person> {
    let barred = Barred::by(gates, excluded);
    let mut people: Vec<&Person> = open(gates, barred, votes)
        .flat_map(|gate| candidates(gate, barred, votes, directory))
        .collect();
    people.sort_by(|a, b| a.id.cmp(&b.id)); // runs that are sorted already are only merged
    people.dedup_by(|a, b| a.id == b.id);
    people
}

/// Whether this person is one of them.
pub fn waits_for(gates: &[Gate], excluded: &Exclusion, votes: &[Vote], person: &Person) -> bool {
    let barred = Barred::by(gates, excluded);
    person.active
        && barred.part(&person.id).is_none()
        && !votes.iter().any(|vote| vote.by == person.id)
        && open(gates, barred, votes).any(|gate| names(&gate.template, person.into()))
}

/// The policies that are not satisfied yet.
fn open<'a>(
    gates: &'a [Gate],
    barred: Barred<'a>,
    votes: &'a [Vote],
) -> impl Iterator<Item = &'a Gate> {
    gates
        .iter()
        .filter(move |gate| !quorum::is_met(&gate.template.quorum, &voices(gate, barred, votes)))
}

/// The votes as they still count at execution (design 2.5): memberships cut to those that the author still has and a policy asks
/// for. The votes of people who are gone, inactive, or named by no policy any more are left out; a rejection is never cut away.
pub fn cut(votes: &[Vote], directory: &Directory, gates: &[Gate]) -> Vec<Vote> {
    votes
        .iter()
        .filter_map(|vote| match vote.verdict {
            super::vote::Verdict::Reject => Some(vote.clone()),
            super::vote::Verdict::Approve => cut_approval(vote, directory, gates),
        })
        .collect()
}

fn cut_approval(vote: &Vote, directory: &Directory, gates: &[Gate]) -> Option<Vote> {
    let author = directory.person(&vote.by).filter(|author| author.active)?;
    let asked = Asked::by(gates);
    let left = Vote {
        teams: vote
            .teams
            .intersection(&author.teams)
            .filter(|team| asked.every_team || asked.teams.contains(team))
            .cloned()
            .collect(),
        roles: vote
            .roles
            .intersection(&author.roles)
            .filter(|role| asked.roles.contains(role))
            .cloned()
            .collect(),
        ..vote.clone()
    };
    gates
        .iter()
        .any(|gate| names(&gate.template, (&left).into()))
        .then_some(left)
}

/// The memberships that policies ask for.
#[derive(Default)]
struct Asked<'a> {
    every_team: bool,
    teams: BTreeSet<&'a super::id::TeamId>,
    roles: BTreeSet<&'a super::id::RoleId>,
}

impl<'a> Asked<'a> {
    fn by(gates: &'a [Gate]) -> Self {
        let mut asked = Self::default();
        for Gate { template, .. } in gates {
            asked.every_team |= template.quorum.min_distinct_teams > 0;
            asked.teams.extend(&template.quorum.required_team_ids);
            asked.roles.extend(&template.quorum.required_org_roles);
            if let Some(super::document::Approvers::Among(people)) = &template.approvers {
                asked.teams.extend(&people.teams);
                asked.roles.extend(&people.org_roles);
            }
        }
        asked
    }
}

fn judge(gate: &Gate, barred: Barred<'_>, votes: &[Vote], directory: &Directory) -> PolicyVerdict {
    let template = &gate.template;
    let voices = voices(gate, barred, votes);
    let parts = parts(gate, &voices, directory);
    let satisfied = parts.iter().all(|part| part.node.met);
    let missing: Vec<String> = parts
        .iter()
        .filter_map(|part| part.missing.clone())
        .collect();
    let text = headline(&parts);
    let mut children: Vec<Explanation> = parts.into_iter().map(|part| part.node).collect();
    children.extend(gate.left_out_reason().map(|text| Explanation {
        met: true,
        text,
        children: Vec::new(),
    }));
    let explanation = Explanation {
        met: satisfied,
        text,
        children,
    };
    PolicyVerdict {
        policy: template.id.clone(),
        name: template.name.clone(),
        description: template.description.clone(),
        version: gate.version,
        satisfied,
        have: u32::try_from(voices.len()).unwrap_or(u32::MAX),
        need: u32::try_from(quorum::need(&template.quorum)).unwrap_or(u32::MAX),
        missing,
        explanation,
    }
}

/// One part of a quorum: its node, and what to say of it where it is missing.
struct Part {
    node: Explanation,
    missing: Option<String>,
}

impl Part {
    fn new(met: bool, text: String, missing: Option<String>) -> Self {
        Self {
            node: Explanation {
                met,
                text,
                children: Vec::new(),
            },
            missing: if met { None } else { missing },
        }
    }

    /// A part that is either there, told by who it was, or missing in the same words on the tree and off it.
    fn either(by: Option<&Voice<'_>>, directory: &Directory, there: &str, missing: String) -> Self {
        match by {
            Some(voice) => {
                let who = directory.name(voice.by);
                let text = if who == there {
                    format!("{there} has approved")
                } else {
                    format!("{there} has approved ({who})")
                };
                Self::new(true, text, None)
            }
            None => Self::new(false, missing.clone(), Some(missing)),
        }
    }
}

fn parts(gate: &Gate, voices: &[Voice<'_>], directory: &Directory) -> Vec<Part> {
    let quorum = &gate.template.quorum;
    let mut parts = vec![approvals(voices.len(), quorum::need(quorum))];
    for id in unique(&quorum.required_user_ids) {
        let by = voices.iter().find(|voice| voice.by == id);
        let name = directory.name(id);
        parts.push(Part::either(
            by,
            directory,
            name,
            format!("{name} has not approved"),
        ));
    }
    for id in unique(&quorum.required_team_ids) {
        let by = voices.iter().find(|voice| voice.teams.contains(id));
        let name = directory.team_name(id);
        parts.push(Part::either(
            by,
            directory,
            name,
            format!("{name} has not approved"),
        ));
    }
    for id in unique(&quorum.required_org_roles) {
        let by = voices.iter().find(|voice| voice.roles.contains(id));
        let there = format!("the role {id}");
        parts.push(Part::either(
            by,
            directory,
            &there,
            format!("nobody with the role {id} has approved"),
        ));
    }
    let teams = size(quorum.min_distinct_teams);
    if teams > 0 {
        parts.push(distinct(quorum::distinct_teams(voices, teams), teams));
    }
    parts
}

fn unique<T: Ord>(items: &[T]) -> BTreeSet<&T> {
    items.iter().collect()
}

fn approvals(have: usize, need: usize) -> Part {
    let ending = if need == 1 { "" } else { "s" };
    let missing = format!(
        "needs {} more approval{}",
        words::number(need.saturating_sub(have)),
        if need.saturating_sub(have) == 1 {
            ""
        } else {
            "s"
        }
    );
    Part::new(
        have >= need,
        format!("{have} of {need} approval{ending}"),
        Some(missing),
    )
}

fn distinct(have: usize, need: usize) -> Part {
    if have >= need {
        let text = format!("{have} of {need} teams");
        return Part::new(true, text, None);
    }
    let more = need - have;
    let ending = if more == 1 { "" } else { "s" };
    let text = format!("needs {} more team{ending}", words::number(more));
    Part::new(false, text.clone(), Some(text))
}

/// The count of approvals, then what else is missing: `1 of 2 approvals; SRE has not approved; needs one more team`.
fn headline(parts: &[Part]) -> String {
    let mut texts = parts
        .iter()
        .enumerate()
        .filter(|(at, part)| *at == 0 || !part.node.met);
    let mut text = String::new();
    for (_, part) in &mut texts {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&part.node.text);
    }
    text
}
