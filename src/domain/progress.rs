//! How far each policy of a request is, with an explanation as a tree (docs/decisions.md D14).

use super::decision::Decision;
use super::document::DecideOn;
use super::eligibility::{Exclusions, PeopleInvolved, candidates, counted_approvals, names};
use super::english;
use super::id::PolicyId;
use super::people::{Directory, Person};
use super::pinned_policy::PinnedPolicy;
use super::quorum::{self, CountedApproval, size};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How far one policy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyProgress {
    /// The policy's id.
    pub policy: PolicyId,
    /// The policy's name.
    pub name: String,
    /// What the policy protects and why.
    pub description: String,
    /// The pinned version.
    pub version: i64,
    /// Whether the policy is satisfied.
    pub satisfied: bool,
    /// The number of approvals that count.
    pub have: u32,
    /// The number of approvals needed in total.
    pub need: u32,
    /// What is missing, one phrase each: `SRE has not approved`.
    pub missing: Vec<String>,
    /// The explanation of the result.
    pub explanation: Explanation,
}

/// One node of the explanation: whether it is met, a text, and its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Whether this part is met.
    pub met: bool,
    /// The text to display: `1 of 2 approvals`.
    pub text: String,
    /// The parts that this node consists of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Explanation>,
}

/// How far each policy is. Approvals count only if the approver is eligible.
pub fn evaluate(
    gates: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    decisions: &[Decision],
    directory: &Directory,
) -> Vec<PolicyProgress> {
    let exclusions = Exclusions::by(gates, excluded);
    gates
        .iter()
        .map(|gate| policy_progress(gate, exclusions, decisions, directory))
        .collect()
}

/// How far each observed policy would be if it gated the request together with the policies that do.
pub fn evaluate_observed(
    gates: &[PinnedPolicy],
    observed: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    decisions: &[Decision],
    directory: &Directory,
) -> Vec<PolicyProgress> {
    let stacked: Vec<PinnedPolicy> = gates.iter().chain(observed).cloned().collect();
    let exclusions = Exclusions::by(&stacked, excluded);
    observed
        .iter()
        .map(|gate| policy_progress(gate, exclusions, decisions, directory))
        .collect()
}

/// Whether every policy is satisfied; cheaper than [`evaluate`], because it builds no texts. No policies at all means `false`: a
/// request that no policy gates never waits for approvals, and its state says so.
pub fn all_satisfied(
    gates: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    decisions: &[Decision],
) -> bool {
    let exclusions = Exclusions::by(gates, excluded);
    !gates.is_empty()
        && gates.iter().all(|gate| {
            quorum::is_met(
                &gate.template.quorum,
                &counted_approvals(gate, exclusions, decisions),
            )
        })
}

/// The people who could still contribute, sorted by id: eligible for a policy that is not satisfied yet, and without a decision.
pub fn waiting_for<'a>(
    gates: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    decisions: &[Decision],
    directory: &'a Directory,
) -> Vec<&'a Person> {
    let exclusions = Exclusions::by(gates, excluded);
    let mut people: Vec<&Person> = open(gates, exclusions, decisions)
        .flat_map(|gate| candidates(gate, exclusions, decisions, directory))
        .collect();
    people.sort_by(|a, b| a.id.cmp(&b.id)); // a stable sort merges the sorted runs cheaply
    people.dedup_by(|a, b| a.id == b.id);
    people
}

/// Whether this person could still contribute.
pub fn waits_for(
    gates: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    decisions: &[Decision],
    person: &Person,
) -> bool {
    let exclusions = Exclusions::by(gates, excluded);
    person.active
        && exclusions.part(&person.id).is_none()
        && !decisions.iter().any(|decision| decision.by == person.id)
        && open(gates, exclusions, decisions).any(|gate| names(&gate.template, person.into()))
}

/// The policies that are not satisfied yet.
fn open<'a>(
    gates: &'a [PinnedPolicy],
    exclusions: Exclusions<'a>,
    decisions: &'a [Decision],
) -> impl Iterator<Item = &'a PinnedPolicy> {
    gates.iter().filter(move |gate| {
        !quorum::is_met(
            &gate.template.quorum,
            &counted_approvals(gate, exclusions, decisions),
        )
    })
}

/// The decisions as they count at execution (docs/decisions.md D18). Each approval keeps only the memberships that the approver
/// still has and that a policy asks for. Approvals of people who are gone, inactive or no longer named by any policy are dropped.
/// Rejections always stay.
pub fn cut(decisions: &[Decision], directory: &Directory, gates: &[PinnedPolicy]) -> Vec<Decision> {
    decisions
        .iter()
        .filter_map(|decision| match decision.verdict {
            super::decision::DecisionKind::Reject => Some(decision.clone()),
            super::decision::DecisionKind::Approve => reduce_approval(decision, directory, gates),
        })
        .collect()
}

fn reduce_approval(
    decision: &Decision,
    directory: &Directory,
    gates: &[PinnedPolicy],
) -> Option<Decision> {
    let author = directory
        .person(&decision.by)
        .filter(|author| author.active)?;
    let asked = Asked::by(gates);
    let left = Decision {
        teams: decision
            .teams
            .intersection(&author.teams)
            .filter(|team| asked.every_team || asked.teams.contains(team))
            .cloned()
            .collect(),
        roles: decision
            .roles
            .intersection(&author.roles)
            .filter(|role| asked.roles.contains(role))
            .cloned()
            .collect(),
        ..decision.clone()
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
    fn by(gates: &'a [PinnedPolicy]) -> Self {
        let mut asked = Self::default();
        for PinnedPolicy { template, .. } in gates {
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

fn policy_progress(
    gate: &PinnedPolicy,
    exclusions: Exclusions<'_>,
    decisions: &[Decision],
    directory: &Directory,
) -> PolicyProgress {
    let template = &gate.template;
    let counted_approvals = counted_approvals(gate, exclusions, decisions);
    let parts = parts(gate, &counted_approvals, directory);
    let satisfied = parts.iter().all(|part| part.node.met);
    let missing: Vec<String> = parts
        .iter()
        .filter_map(|part| part.missing.clone())
        .collect();
    let text = headline(&parts);
    let mut children: Vec<Explanation> = parts.into_iter().map(|part| part.node).collect();
    // the count is always the first part
    if let Some(count) = children.first_mut() {
        let need = quorum::need(&template.quorum);
        count.text += &counted(&counted_approvals, need, directory);
    }
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
    PolicyProgress {
        policy: template.id.clone(),
        name: template.name.clone(),
        description: template.description.clone(),
        version: gate.version,
        satisfied,
        have: u32::try_from(counted_approvals.len()).unwrap_or(u32::MAX),
        need: u32::try_from(quorum::need(&template.quorum)).unwrap_or(u32::MAX),
        missing,
        explanation,
    }
}

/// One part of a quorum: its node, and the phrase to display while it is missing.
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

    /// A part that one approval meets: the text names the approver. If it is missing, the explanation and the `missing` list use
    /// the same phrase.
    fn either(
        by: Option<&CountedApproval<'_>>,
        directory: &Directory,
        there: &str,
        missing: String,
    ) -> Self {
        match by {
            Some(approval) => {
                let who = directory.name(approval.by);
                let text = if who == there {
                    format!("{there} has approved")
                } else {
                    format!("{who} counts for {there}")
                };
                Self::new(true, text, None)
            }
            None => Self::new(false, missing.clone(), Some(missing)),
        }
    }
}

fn parts(
    gate: &PinnedPolicy,
    counted_approvals: &[CountedApproval<'_>],
    directory: &Directory,
) -> Vec<Part> {
    let quorum = &gate.template.quorum;
    let place = match gate.template.decide_on {
        None => "",
        Some(DecideOn::Web) => " on the web",
    };
    let need = quorum::need(quorum);
    let mut parts = vec![approvals(counted_approvals.len(), need, place)];
    for id in unique(&quorum.required_user_ids) {
        let by = counted_approvals.iter().find(|approval| approval.by == id);
        let name = directory.name(id);
        parts.push(Part::either(
            by,
            directory,
            name,
            format!("{name} has not approved"),
        ));
    }
    for id in unique(&quorum.required_team_ids) {
        let by = counted_approvals
            .iter()
            .find(|approval| approval.teams.contains(id));
        let name = directory.team_name(id);
        parts.push(Part::either(
            by,
            directory,
            name,
            format!("{name} has not approved"),
        ));
    }
    for id in unique(&quorum.required_org_roles) {
        let by = counted_approvals
            .iter()
            .find(|approval| approval.roles.contains(id));
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
        parts.push(distinct(
            quorum::distinct_teams(counted_approvals, teams),
            teams,
        ));
    }
    parts
}

fn unique<T: Ord>(items: &[T]) -> BTreeSet<&T> {
    items.iter().collect()
}

/// The count of approvals; `place` says where they must be given.
fn approvals(have: usize, need: usize, place: &str) -> Part {
    let ending = if need == 1 { "" } else { "s" };
    let missing = format!(
        "needs {} more approval{}{place}",
        english::number(need.saturating_sub(have)),
        if need.saturating_sub(have) == 1 {
            ""
        } else {
            "s"
        }
    );
    Part::new(
        have >= need,
        format!("{have} of {need} approval{ending}{place}"),
        Some(missing),
    )
}

/// Who the counted approvals are from, and how many more are needed: ` (Bob Brown); one more is needed`.
fn counted(approvals: &[CountedApproval<'_>], need: usize, directory: &Directory) -> String {
    const NAMES_SHOWN: usize = 5;
    if approvals.is_empty() {
        return String::new();
    }
    let mut names: Vec<String> = approvals
        .iter()
        .take(NAMES_SHOWN)
        .map(|approval| directory.name(approval.by).to_owned())
        .collect();
    if approvals.len() > names.len() {
        names.push(format!("{} more", approvals.len() - names.len()));
    }
    let names = english::list(&names);
    match need.saturating_sub(approvals.len()) {
        0 => format!(" ({names})"),
        1 => format!(" ({names}); one more is needed"),
        more => format!(" ({names}); {} more are needed", english::number(more)),
    }
}

fn distinct(have: usize, need: usize) -> Part {
    if have >= need {
        let text = format!("{have} of {need} teams");
        return Part::new(true, text, None);
    }
    let more = need - have;
    let ending = if more == 1 { "" } else { "s" };
    let text = format!("needs {} more team{ending}", english::number(more));
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
