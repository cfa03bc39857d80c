//! Explains what would happen to an ask: the policies that would gate it, those that would not and why, and who could approve.

use super::admit::Parties;
use super::ask::Ask;
use super::binding;
use super::compiled_config::CompiledConfig;
use super::conditions;
use super::document::{Conditions, PolicyTemplate};
use super::eligibility;
use super::english;
use super::id::{ActionId, PersonId, PolicyId};
use super::pinned_policy::PinnedPolicy;
use super::principal::Caller;
use super::progress::{self, PolicyProgress};
use super::resolve::gates_action;
use super::smallest;
use super::target::Target;
use super::time::Timestamp;
use super::violation::Violation;
use std::collections::{HashMap, HashSet};

/// What would happen to an ask; nothing is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The policies that would gate the request. Empty if the target is invalid; see `violations`.
    pub gates: Vec<PinnedPolicy>,
    /// How far these policies are before any approval.
    pub policies: Vec<PolicyProgress>,
    /// Why each of them gates the request, in the same order.
    pub because: Vec<PolicyReason>,
    /// How far the observed policies would be.
    pub observed: Vec<PolicyProgress>,
    /// Why each observed policy applies, in the same order.
    pub observed_because: Vec<PolicyReason>,
    /// The policies that do not apply, and why.
    pub others: Vec<PolicyReason>,
    /// The people who could approve, by id.
    pub eligible: Vec<PersonId>,
    /// A smallest set of people whose approvals would suffice.
    pub smallest_set: Vec<PersonId>,
    /// The violations of the ask.
    pub violations: Vec<Violation>,
}

/// Why a policy applies, or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyReason {
    /// The policy's id.
    pub policy: PolicyId,
    /// The policy's name.
    pub name: String,
    /// The reason: `is bound to environment staging`.
    pub why: String,
    /// The policy's conditions, if its hours are part of the reason; interfaces can draw the week from them.
    pub hours: Option<Conditions>,
}

impl CompiledConfig {
    /// Explains what would happen to the ask of a caller at `now`.
    pub fn explain(&self, ask: &Ask, caller: &Caller, now: Timestamp) -> Explained {
        let resolved = self.resolve_ask(ask, now);
        let parties = Parties::of(ask, caller);
        let authors = self.authors(&parties, &mut Vec::new());
        let excluded = self.excluded(&parties, &authors);
        let admitted = self.finish(resolved.clone(), ask.reason.as_deref(), &parties, None);
        let mut violations = admitted.err().unwrap_or_default();
        self.suggest_names(&mut violations);
        let (gates, observed) = (resolved.gates, resolved.observed);
        let applying = [&gates, &observed];
        let others = match &resolved.action {
            Some(action) if resolved.names_exist => {
                self.others(&action.id, &resolved.target, now, applying)
            }
            _ => Vec::new(),
        };
        let directory = self.directory();
        let eligible = eligibility::eligible(&gates, &excluded, directory);
        let because =
            |gates: &[PinnedPolicy]| gates.iter().map(|gate| applies(gate, now)).collect();
        Explained {
            because: because(&gates),
            observed_because: because(&observed),
            policies: progress::evaluate(&gates, &excluded, &[], directory),
            observed: progress::evaluate_observed(&gates, &observed, &excluded, &[], directory),
            eligible: eligible
                .into_iter()
                .map(|person| person.id.clone())
                .collect(),
            smallest_set: smallest::smallest_set(&gates, &excluded, &[], directory),
            gates,
            others,
            violations,
        }
    }

    fn others(
        &self,
        action: &ActionId,
        target: &Target,
        now: Timestamp,
        applying: [&Vec<PinnedPolicy>; 2],
    ) -> Vec<PolicyReason> {
        let mut bound: HashMap<&PolicyId, Vec<String>> = HashMap::new();
        for binding in &self.document().bindings {
            bound
                .entry(&binding.policy)
                .or_default()
                .push(binding::words(binding));
        }
        let here: HashSet<usize> = self
            .bindings()
            .of(target, self.registry())
            .map(|protection| protection.template)
            .collect();
        let applies = |id: &PolicyId| {
            applying
                .into_iter()
                .flatten()
                .any(|gate| gate.template.id == *id)
        };
        let policies = self.document().policies.iter().enumerate();
        policies
            .filter(|(_, template)| !applies(&template.id))
            .map(|(place, template)| {
                let elsewhere = gates_action(template, action) && !here.contains(&place);
                let (why, hours) = if elsewhere {
                    let bound = bound.get(&template.id);
                    (bound_to(bound.map_or(&[], Vec::as_slice)), None)
                } else {
                    why_not(template, action, target, now)
                };
                PolicyReason {
                    policy: template.id.clone(),
                    name: template.name.clone(),
                    why,
                    hours,
                }
            })
            .collect()
    }
}

/// Why a policy applies: where it is bound, and until when its hours apply.
fn applies(gate: &PinnedPolicy, now: Timestamp) -> PolicyReason {
    let conditions = &gate.template.conditions;
    let timed = conditions::is_timed(conditions);
    let until = conditions::next_edge(conditions, now).map_or_else(String::new, |edge| {
        let until = conditions::on_the_wall(conditions, edge);
        format!(", and applies at this hour, until {until}")
    });
    let left_out = gate.left_out_reason();
    let left_out = left_out.map_or_else(String::new, |why| format!("; {why}"));
    let why = format!("{}{until}{left_out}", bound_to(&gate.bound));
    PolicyReason {
        policy: gate.template.id.clone(),
        name: gate.template.name.clone(),
        why,
        hours: timed.then(|| conditions.clone()),
    }
}

/// Where a policy is bound; names only the first few resources.
fn bound_to(places: &[String]) -> String {
    const NAMES_SHOWN: usize = 3;
    match places {
        [] => "is bound to nothing".to_owned(),
        places if places.len() > NAMES_SHOWN => {
            let rest = places.len() - NAMES_SHOWN;
            format!(
                "is bound to {} and {rest} more",
                places[..NAMES_SHOWN].join(", ")
            )
        }
        places => format!("is bound to {}", english::list(places)),
    }
}

/// Why a policy that is bound here does not apply, with its hours if they are the reason.
fn why_not(
    template: &PolicyTemplate,
    action: &ActionId,
    target: &Target,
    now: Timestamp,
) -> (String, Option<Conditions>) {
    if !gates_action(template, action) {
        let why = match &template.actions {
            None => format!("gates {action} only where it names it"),
            Some(_) => format!("does not gate {action}"),
        };
        return (why, None);
    }
    let conditions = &template.conditions;
    if !conditions::applies_to(conditions, target.environment.as_ref()) {
        let named: Vec<&str> = conditions
            .environments
            .iter()
            .flatten()
            .map(AsRef::as_ref)
            .collect();
        return (format!("applies to {} alone", english::list(&named)), None);
    }
    let why = match conditions::next_edge(conditions, now) {
        Some(edge) => format!(
            "is outside its hours; it applies again from {}",
            conditions::on_the_wall(conditions, edge)
        ),
        None => "is outside its hours".to_owned(),
    };
    (why, Some(conditions.clone()))
}
