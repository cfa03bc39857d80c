//! What another configuration would have done with a past request.

use super::compiled_config::CompiledConfig;
use super::id::PolicyId;
use super::pinned_policy::PinnedPolicy;
use super::request::Request;
use super::satisfiable::satisfiable;
use super::smallest::smallest_set;
use serde::{Deserialize, Serialize};

/// How a draft differs for one request from what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReplayChange {
    /// No policy gated the request; the draft would.
    NewlyGated,
    /// Policies gated the request; the draft would not.
    NoLongerGated,
    /// Nobody could complete the request under the draft.
    Unsatisfiable,
    /// The draft needs more people.
    MoreApprovals,
    /// The draft needs fewer people.
    FewerApprovals,
}

impl ReplayChange {
    /// All of them, the most important first.
    pub const ALL: [Self; 5] = [
        Self::Unsatisfiable,
        Self::NewlyGated,
        Self::NoLongerGated,
        Self::MoreApprovals,
        Self::FewerApprovals,
    ];

    /// In words, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewlyGated => "newly gated",
            Self::NoLongerGated => "no longer gated",
            Self::Unsatisfiable => "unsatisfiable",
            Self::MoreApprovals => "more approvals",
            Self::FewerApprovals => "fewer approvals",
        }
    }
}

/// The policies that gate a request, and the fewest people whose approvals satisfy them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gating {
    /// The policies by id.
    pub policies: Vec<PolicyId>,
    /// The fewest people; 0 if no policy gates the request, or if nobody could complete it.
    pub approvals: usize,
}

/// One request under both configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// As it was: the policies that were pinned, including those that a break-glass session bypassed.
    pub before: Gating,
    /// Under the draft, at the moment of the request.
    pub after: Gating,
    /// How they differ; `None` if they ask for the same number of people.
    pub change: Option<ReplayChange>,
}

/// Evaluates a past request under a draft. People and teams are those of today in both configurations.
pub fn replay(in_force: &CompiledConfig, draft: &CompiledConfig, request: &Request) -> Replayed {
    let pinned: Vec<PinnedPolicy> = request
        .gates
        .iter()
        .chain(&request.bypassed)
        .cloned()
        .collect();
    let gates = draft.in_force(request, request.created_at);
    let before = gating(in_force, &pinned, request);
    let after = gating(draft, &gates, request);
    let can_complete = satisfiable(&gates, &request.excluded, &[], draft.directory());
    let change = match (pinned.is_empty(), gates.is_empty()) {
        (_, false) if !can_complete => Some(ReplayChange::Unsatisfiable),
        (true, false) => Some(ReplayChange::NewlyGated),
        (false, true) => Some(ReplayChange::NoLongerGated),
        _ if after.approvals > before.approvals => Some(ReplayChange::MoreApprovals),
        _ if after.approvals < before.approvals => Some(ReplayChange::FewerApprovals),
        _ => None,
    };
    Replayed {
        before,
        after,
        change,
    }
}

fn gating(config: &CompiledConfig, gates: &[PinnedPolicy], request: &Request) -> Gating {
    Gating {
        policies: gates.iter().map(|gate| gate.template.id.clone()).collect(),
        approvals: smallest_set(gates, &request.excluded, &[], config.directory()).len(),
    }
}
