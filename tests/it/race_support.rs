//! Shared by the tests that race several calls of the use cases.

use countersign::app::{ApproverIdentity, DecisionInput, RequestRef};
use countersign::domain::decision::{DecisionKind, Via};

/// The number of rounds: a default, or this share of `COUNTERSIGN_RACE_ROUNDS`, because some rounds take long.
pub fn rounds(otherwise: usize, share: usize) -> usize {
    let named = std::env::var("COUNTERSIGN_RACE_ROUNDS").ok();
    let named: Option<usize> = named.and_then(|text| text.parse().ok());
    named.map_or(otherwise, |rounds| (rounds / share).max(1))
}

/// A person's decision without a comment.
pub fn decision(request: &RequestRef, who: &str, verdict: DecisionKind) -> DecisionInput {
    DecisionInput {
        identity: ApproverIdentity::Person(who.into()),
        request: request.clone(),
        digest: None,
        verdict,
        comment: None,
        pages_seen: Vec::new(),
        via: Via::Api,
        authentication: None,
        once: None,
    }
}

/// A person's approval.
pub fn approval(request: &RequestRef, who: &str) -> DecisionInput {
    decision(request, who, DecisionKind::Approve)
}
