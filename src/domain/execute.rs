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
    /// More is required now, and it can never be met.
    NobodyLeft {
        /// The votes, cut to what their authors still are.
        votes: Vec<Vote>,
        /// Why, and what to do.
        why: String,
    },
}

/// Whether the votes, as far as their authors still are what they were, meet the pinned policies and those in force at `now`.
pub fn recheck(request: &Request, votes: &[Vote], rules: &Rules, now: Timestamp) -> Recheck {
    let gates = stacked(request, rules, now);
    if gates.is_empty() && request.state.status() == Status::Allowed {
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

/// The pinned policies, and those in force now in another version or not pinned at all.
fn stacked(request: &Request, rules: &Rules, now: Timestamp) -> Vec<Gate> {
    let (current, _) = rules.resolve(&request.action, &request.target, now);
    let known = |gate: &Gate| {
        let mut pinned = request.gates.iter().chain(&request.bypassed);
        pinned.any(|pinned| pinned.template == gate.template)
    };
    let added = current
        .into_iter()
        .filter(|gate| !known(gate))
        .collect::<Vec<_>>();
    request.gates.iter().cloned().chain(added).collect()
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
