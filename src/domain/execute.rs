//! What is checked again before something that was granted is handed out (design 2.6).

use super::policy::Gate;
use super::request::{Request, Status};
use super::rules::Rules;
use super::satisfiable;
use super::time::{Span, Timestamp};
use super::verdict;
use super::vote::Vote;

/// What the check says.
#[derive(Debug, Clone, PartialEq)]
pub enum Recheck {
    /// It may be executed now.
    Holds,
    /// More is required now: it waits again, gated by these.
    MoreIsRequired {
        /// The policies it was granted under, and those that are in force now.
        gates: Vec<Gate>,
        /// The votes, cut to what their authors still are.
        votes: Vec<Vote>,
        /// Why, and what happens.
        why: String,
    },
    /// Nothing but a session allowed it, and that does not cover it any more.
    SessionEnded,
    /// More is required now, and it can never be met.
    NobodyLeft {
        /// The votes, cut to what their authors still are.
        votes: Vec<Vote>,
        /// Why, and what to do.
        why: String,
    },
}

/// Whether the votes, as far as their authors still are what they were, meet the pinned policies and those in force at `now`.
/// `covered`: the break-glass session that let it past policies still covers this very execution.
pub fn recheck(
    request: &Request,
    votes: &[Vote],
    rules: &Rules,
    covered: bool,
    now: Timestamp,
) -> Recheck {
    let bypassed = request.state.status() == Status::Bypassed;
    if bypassed && !covered {
        return Recheck::SessionEnded;
    }
    let gates = stacked(request, rules, covered, now);
    if gates.is_empty() && (bypassed || request.state.status() == Status::Allowed) {
        return Recheck::Holds;
    }
    let directory = &*rules.directory().as_of(request.created_at);
    let votes = verdict::cut(votes, directory, &gates);
    if verdict::all_satisfied(&gates, &request.excluded, &votes) {
        return Recheck::Holds;
    }
    if let Some(policy) = wants_reason(request, &gates) {
        let why = format!(
            "{policy} gates it now and wants a reason, and none was given; it was cancelled. Ask again with a reason."
        );
        return Recheck::NobodyLeft { votes, why };
    }
    if !satisfiable::satisfiable(&gates, &request.excluded, &votes, directory) {
        let why = "More is required now than when it was granted, and nobody left could approve it; it was cancelled. Ask again.";
        return Recheck::NobodyLeft {
            votes,
            why: why.to_owned(),
        };
    }
    let missing: Vec<String> = verdict::evaluate(&gates, &request.excluded, &votes, directory)
        .into_iter()
        .filter(|policy| !policy.satisfied)
        .map(|policy| format!("{} ({})", policy.name, policy.missing.join(", ")))
        .collect();
    let why = format!(
        "More is required now than when it was granted, so it waits again: {}.",
        missing.join("; ")
    );
    Recheck::MoreIsRequired { gates, votes, why }
}

/// The pinned policies, and those in force now in another version or not pinned at all. What a session bypassed counts as met while
/// it covers the execution, as does whatever it would bypass now; once it does not, all of it gates.
fn stacked(request: &Request, rules: &Rules, covered: bool, now: Timestamp) -> Vec<Gate> {
    let (current, _) = rules.resolve(&request.action, &request.target, now);
    let mut gates = request.gates.clone();
    if !covered {
        gates.extend(request.bypassed.iter().cloned());
    }
    for gate in current {
        let known = gates.iter().any(|pinned| pinned.template == gate.template);
        let bypassed = covered && gate.template.break_glass_bypass;
        if !known && !bypassed {
            gates.push(gate);
        }
    }
    gates
}

fn wants_reason(request: &Request, gates: &[Gate]) -> Option<String> {
    let without = request.reason.is_none();
    gates
        .iter()
        .find(|gate| without && gate.template.conditions.require_reason)
        .map(|gate| gate.template.name.clone())
}

/// How long it may wait: the shortest `expiresAfter` of its policies.
pub fn expires_after(request: &Request) -> Span {
    request
        .gates
        .iter()
        .map(|gate| gate.template.expires_after)
        .min()
        .unwrap_or(Span::hours(24))
}
