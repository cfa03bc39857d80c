//! Who may decide on a request (docs/decisions.md D17). Every interface uses this check.

use super::decision::{Decision, DecisionKind};
use super::document::{Approvers, DecideOn, PolicyTemplate};
use super::id::PersonId;
use super::people::{Directory, Person};
use super::pinned_policy::PinnedPolicy;
use super::quorum::CountedApproval;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Why a person is excluded from approving a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Involvement {
    /// The request is for them.
    Requester,
    /// They submitted the request.
    Submitter,
    /// They own the service that submitted the request.
    Owner,
    /// They are an author of what would run.
    Author,
}

/// The people who are involved in a request. They may not approve it, unless every policy that gates it lets the requester approve.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeopleInvolved(pub BTreeMap<PersonId, Involvement>);

/// Why a person may not decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ineligible {
    /// They are involved in the request.
    Excluded(Involvement),
    /// No policy of the request names them as an approver.
    NotNamed,
    /// They are not active.
    Inactive,
    /// They are not in the directory.
    Unknown,
    /// The Slack account was linked to them only after the request was created.
    LinkedSince,
}

impl fmt::Display for Ineligible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Excluded(Involvement::Requester) => "You asked for it, so somebody else must decide.",
            Self::Excluded(Involvement::Submitter) => "You submitted it, so somebody else must decide.",
            Self::Excluded(Involvement::Owner) => {
                "You own the service that submitted it, so somebody else must decide."
            }
            Self::Excluded(Involvement::Author) => {
                "You are named as an author of what would run, so somebody else must decide."
            }
            Self::NotNamed => "None of its policies names you as an approver.",
            Self::Inactive => "Your account is not active. Ask an administrator of Countersign to activate it.",
            Self::Unknown => {
                "You are not in Countersign's directory; ask an administrator to add you."
            }
            Self::LinkedSince => {
                "Your Slack account was linked to you after this request was created, so it does not count here. It counts for new requests."
            }
        })
    }
}

/// The people whom the policies of a request exclude: everyone involved in the request, unless each of the policies lets the
/// requester approve.
#[derive(Debug, Clone, Copy)]
pub struct Exclusions<'a>(Option<&'a PeopleInvolved>);

impl<'a> Exclusions<'a> {
    /// The exclusions of these policies together. The strictest policy wins. Without any policy, everyone involved is excluded.
    pub fn by(gates: &[PinnedPolicy], excluded: &'a PeopleInvolved) -> Self {
        let lifted =
            !gates.is_empty() && gates.iter().all(|gate| gate.template.requester_can_approve);
        Self((!lifted).then_some(excluded))
    }

    /// Why this person is excluded, if they are.
    pub fn part(self, person: &PersonId) -> Option<Involvement> {
        self.0.and_then(|excluded| excluded.0.get(person).copied())
    }
}

/// Whether a policy names this person as an approver. Without `approvers`, the people whom the quorum requires are the approvers.
/// An empty list names nobody.
pub fn names(template: &PolicyTemplate, approval: CountedApproval<'_>) -> bool {
    let (users, teams, roles) = match &template.approvers {
        Some(Approvers::Anyone) => return true,
        Some(Approvers::Among(people)) => (&people.users, &people.teams, &people.org_roles),
        None => (
            &template.quorum.required_user_ids,
            &template.quorum.required_team_ids,
            &template.quorum.required_org_roles,
        ),
    };
    users.contains(approval.by)
        || teams.iter().any(|team| approval.teams.contains(team))
        || roles.iter().any(|role| approval.roles.contains(role))
}

/// Whether this person may decide on a request with these policies.
pub fn check(
    gates: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    person: &Person,
) -> Result<(), Ineligible> {
    if !person.active {
        return Err(Ineligible::Inactive);
    }
    if let Some(part) = Exclusions::by(gates, excluded).part(&person.id) {
        return Err(Ineligible::Excluded(part));
    }
    if gates
        .iter()
        .any(|gate| names(&gate.template, person.into()))
    {
        Ok(())
    } else {
        Err(Ineligible::NotNamed)
    }
}

/// Whether an approval counts for this policy: the approver is still active, is not excluded, was named as an approver by the
/// memberships that they had when they decided, and decided where the policy says.
pub fn counts_for(gate: &PinnedPolicy, exclusions: Exclusions<'_>, decision: &Decision) -> bool {
    decision.verdict == DecisionKind::Approve
        && !decision.author_left
        && exclusions.part(&decision.by).is_none()
        && names(&gate.template, decision.into())
        && match gate.template.decide_on {
            None => true,
            Some(DecideOn::Web) => decision.fresh_sign_in,
        }
}

/// The approvals that count for this policy, at most one per person.
pub fn counted_approvals<'a>(
    gate: &PinnedPolicy,
    exclusions: Exclusions<'_>,
    decisions: &'a [Decision],
) -> Vec<CountedApproval<'a>> {
    let mut counted_approvals: Vec<CountedApproval<'a>> = Vec::with_capacity(decisions.len());
    for decision in decisions {
        if counts_for(gate, exclusions, decision)
            && !counted_approvals
                .iter()
                .any(|approval| approval.by == &decision.by)
        {
            counted_approvals.push(decision.into());
        }
    }
    counted_approvals
}

/// Everyone in the directory who could still approve for this policy: active, named, not excluded, and without a decision.
pub fn candidates<'a>(
    gate: &PinnedPolicy,
    exclusions: Exclusions<'_>,
    decisions: &[Decision],
    directory: &'a Directory,
) -> Vec<&'a Person> {
    let done: BTreeSet<&PersonId> = decisions.iter().map(|decision| &decision.by).collect();
    named_people(&gate.template, directory)
        .into_iter()
        .filter(|person| exclusions.part(&person.id).is_none() && !done.contains(&person.id))
        .collect()
}

/// The active people whom a policy names as approvers, in no particular order; a person who is named twice appears twice. It is
/// lazy because, in a large directory, the first few people usually answer the question.
pub fn each_named<'t, 'd: 't>(
    template: &'t PolicyTemplate,
    directory: &'d Directory,
) -> Box<dyn Iterator<Item = &'d Person> + 't> {
    let (teams, roles) = match &template.approvers {
        Some(Approvers::Anyone) => {
            return Box::new(directory.people().filter(|person| person.active));
        }
        Some(Approvers::Among(people)) => return Box::new(directory.each_among(people)),
        None => (
            &template.quorum.required_team_ids,
            &template.quorum.required_org_roles,
        ),
    };
    let users = template.quorum.required_user_ids.iter();
    let users = users.filter_map(|id| directory.person(id));
    let members = teams.iter().flat_map(|team| directory.members(team));
    let holders = roles.iter().flat_map(|role| directory.holders(role));
    let everybody = users.chain(members).chain(holders);
    Box::new(everybody.filter(|person| person.active))
}

/// The active people whom a policy names as approvers, sorted by id.
pub fn named_people<'a>(template: &PolicyTemplate, directory: &'a Directory) -> Vec<&'a Person> {
    let named = each_named(template, directory);
    if matches!(template.approvers, Some(Approvers::Anyone)) {
        return named.collect(); // already sorted and unique
    }
    let people: BTreeMap<&PersonId, &Person> = named.map(|person| (&person.id, person)).collect();
    people.into_values().collect()
}

/// The people who may decide on a request with these policies, sorted by id.
pub fn eligible<'a>(
    gates: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    directory: &'a Directory,
) -> Vec<&'a Person> {
    let exclusions = Exclusions::by(gates, excluded);
    let people: BTreeMap<&PersonId, &Person> = gates
        .iter()
        .flat_map(|gate| candidates(gate, exclusions, &[], directory))
        .map(|person| (&person.id, person))
        .collect();
    people.into_values().collect()
}
