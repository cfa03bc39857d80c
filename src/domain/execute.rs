//! The checks that are repeated before a grant is executed or an effect runs.

use super::compiled_config::CompiledConfig;
use super::decision::Decision;
use super::document::Level;
use super::eligibility::Involvement;
use super::id::{ClusterId, EnvironmentId, PersonId, ProjectId};
use super::pinned_policy::PinnedPolicy;
use super::principal::Principal;
use super::progress;
use super::request::{Effect, Request, Status};
use super::satisfiable;
use super::time::{Span, Timestamp};

/// The result of the recheck.
#[derive(Debug, Clone, PartialEq)]
pub enum Recheck {
    /// It may run now.
    Holds,
    /// More approvals are required now; the request becomes pending again with these policies.
    MoreIsRequired {
        /// The policies that were pinned, and those in force now.
        gates: Vec<PinnedPolicy>,
        /// The decisions, reduced to the memberships that the approvers still have.
        decisions: Vec<Decision>,
        /// Why, and what happens next.
        why: String,
    },
    /// Only a break-glass session allowed the request, and the session no longer covers it.
    SessionEnded,
    /// It can never run: its target is not what it was, the requester has lost the right to it, or the remaining people could not
    /// meet what is required now.
    Impossible {
        /// The decisions, reduced to the memberships that the approvers still have.
        decisions: Vec<Decision>,
        /// Why, and what to do next.
        why: String,
    },
}

/// Whether a request may run at `now`. Its target must be what it was, whatever a break-glass session covers. The requester must still
/// be entitled to it. The decisions, reduced to the memberships that their approvers still have, must satisfy the pinned policies and
/// those in force now. `execute` calls this, and so does Countersign before it runs an effect. `covered` says whether the break-glass
/// session that bypassed policies still covers this execution.
pub fn recheck(
    request: &Request,
    decisions: &[Decision],
    config: &CompiledConfig,
    covered: bool,
    now: Timestamp,
) -> Recheck {
    let bypassed = request.state.status() == Status::Bypassed;
    if bypassed && !covered {
        return Recheck::SessionEnded;
    }
    let checked = check_target(request, config).and_then(|()| check_requester(request, config));
    if let Err(why) = checked {
        return Recheck::Impossible {
            decisions: decisions.to_vec(),
            why,
        };
    }
    let gates = stacked(request, config, covered, now);
    if gates.is_empty() && (bypassed || request.state.status() == Status::Allowed) {
        return Recheck::Holds;
    }
    let directory = &*config.directory().as_of(request.created_at);
    let decisions = progress::cut(decisions, directory, &gates);
    if progress::all_satisfied(&gates, &request.excluded, &decisions) {
        return Recheck::Holds;
    }
    if let Some(policy) = wants_reason(request, &gates) {
        let why = format!(
            "{policy} gates it now and wants a reason, and none was given; it was cancelled. Ask again with a reason."
        );
        return Recheck::Impossible { decisions, why };
    }
    if !satisfiable::satisfiable(&gates, &request.excluded, &decisions, directory) {
        let why = match request.effect() {
            None => {
                "More is required now than when it was granted, and nobody left could approve it; it was cancelled. Ask again."
            }
            Some(_) => NOBODY_LEFT,
        };
        return Recheck::Impossible {
            decisions,
            why: why.to_owned(),
        };
    }
    let missing: Vec<String> = progress::evaluate(&gates, &request.excluded, &decisions, directory)
        .into_iter()
        .filter(|policy| !policy.satisfied)
        .map(|policy| format!("{} ({})", policy.name, policy.missing.join(", ")))
        .collect();
    let missing = missing.join("; ");
    let why = match request.effect() {
        None => {
            format!("More is required now than when it was granted, so it waits again: {missing}.")
        }
        Some(_) => format!(
            "It was not applied and still waits: {missing}. Approvals of people who may not approve any more do not count, and the policies in force now must be met as well."
        ),
    };
    Recheck::MoreIsRequired {
        gates,
        decisions,
        why,
    }
}

/// Why a pending request is cancelled although nobody rejected it.
const NOBODY_LEFT: &str =
    "Nobody left could give the approvals that are still missing; it was cancelled. Ask again.";

/// Why a pending request can no longer be approved, if the remaining people could not complete it.
pub fn nobody_left(
    request: &Request,
    decisions: &[Decision],
    config: &CompiledConfig,
    now: Timestamp,
) -> Option<&'static str> {
    let gates = stacked(request, config, false, now);
    let directory = &*config.directory().as_of(request.created_at);
    let decisions = progress::cut(decisions, directory, &gates);
    let left = satisfiable::satisfiable(&gates, &request.excluded, &decisions, directory);
    (!left).then_some(NOBODY_LEFT)
}

/// Whether the target is still what it was: everything it names exists, and its cluster belongs to its environment. The policies
/// were found by that environment; those of another one have never been asked.
fn check_target(request: &Request, config: &CompiledConfig) -> Result<(), String> {
    let (target, registry) = (&request.target, config.registry());
    let named = [
        (
            Level::Project,
            target.project.as_ref().map(ProjectId::as_str),
        ),
        (
            Level::Cluster,
            target.cluster.as_ref().map(ClusterId::as_str),
        ),
        (
            Level::Environment,
            target.environment.as_ref().map(EnvironmentId::as_str),
        ),
    ];
    for (level, name) in named {
        if let Some(name) = name
            && !registry.has(level, name)
        {
            return Err(format!(
                "The {} {name} does not exist any more, so it was cancelled. Ask again for one that does.",
                level.as_str()
            ));
        }
    }
    match &target.cluster {
        Some(cluster) if registry.environment_of(cluster) != target.environment.as_ref() => {
            Err(format!(
                "The cluster {cluster} belongs to another environment now, so it was cancelled. Ask again."
            ))
        }
        _ => Ok(()),
    }
}

/// Whether the requester still has the right to this request. A person must be active; a service must have an active owner. The
/// requester of a configuration change must still be an administrator, and the initiator of a break-glass session must still be
/// allowed to start one.
fn check_requester(request: &Request, config: &CompiledConfig) -> Result<(), String> {
    let who = config.name_of(&request.requester);
    let lost = |how: &str| {
        let why = format!(
            "{who}, who asked for it, {how}, so it was cancelled. Somebody who may has to ask again."
        );
        Err(why)
    };
    let is_active = |id: &PersonId| config.directory().is_active(id);
    match &request.requester {
        Principal::Person(id) if !is_active(id) => {
            return lost("is not active any more");
        }
        Principal::Service(id) => {
            let parts = request.excluded.0.iter();
            let pinned = parts.filter(|(_, part)| **part == Involvement::Owner);
            let configured = config.service(id).map(|service| &service.owners);
            let mut owners = pinned
                .map(|(owner, _)| owner)
                .chain(configured.into_iter().flatten());
            if !owners.any(is_active) {
                return Err(format!(
                    "Nobody who is active answers any more for the service {who}, which asked for it, so it was cancelled. Name active owners and ask again."
                ));
            }
        }
        Principal::Person(_) | Principal::Operator | Principal::Bot => {}
    }
    match (request.effect(), &request.requester) {
        (None, _) | (Some(Effect::ConfigChange), Principal::Operator) => Ok(()),
        (Some(Effect::ConfigChange), requester) if config.is_administrator(requester) => Ok(()),
        (Some(Effect::ConfigChange), _) => lost("does not administer Countersign any more"),
        (Some(Effect::SessionStart), Principal::Person(id)) => match config.may_start(id) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal.detail()),
        },
        (Some(Effect::SessionStart), _) => lost("is not a person"),
    }
}

/// The pinned policies, plus those in force now that have another version or were not pinned. While the session covers the
/// execution, the policies that it bypassed, or would bypass now, count as met. Otherwise they all gate the request.
fn stacked(
    request: &Request,
    config: &CompiledConfig,
    covered: bool,
    now: Timestamp,
) -> Vec<PinnedPolicy> {
    let mut gates = request.gates.clone();
    if !covered {
        gates.extend(request.bypassed.iter().cloned());
    }
    for gate in config.in_force(request, now) {
        let known = gates.iter().any(|pinned| pinned.template == gate.template);
        let bypassed = covered && gate.template.break_glass_bypass;
        if !known && !bypassed {
            gates.push(gate);
        }
    }
    gates
}

fn wants_reason(request: &Request, gates: &[PinnedPolicy]) -> Option<String> {
    let without = request.reason.is_none();
    gates
        .iter()
        .find(|gate| without && gate.template.conditions.require_reason)
        .map(|gate| gate.template.name.clone())
}

/// How long the request may be pending: the shortest `expiresAfter` of its policies.
pub fn expires_after(request: &Request) -> Span {
    request
        .gates
        .iter()
        .map(|gate| gate.template.expires_after)
        .min()
        .unwrap_or(Span::hours(24))
}
