//! What stories that race at the use cases have in common.

use countersign::app::{ApproverIdentity, DecisionInput, RequestRef};
use countersign::domain::decision::{DecisionKind, Via};

/// How many rounds: so many when nobody says, else this share of `COUNTERSIGN_RACE_ROUNDS`, since some rounds are long.
pub fn rounds(otherwise: usize, share: usize) -> usize {
    let named = std::env::var("COUNTERSIGN_RACE_ROUNDS").ok();
    let named: Option<usize> = named.and_then(|text| text.parse().ok());
    named.map_or(otherwise, |rounds| (rounds / share).max(1))
}

/// Somebody's decision, without a word.
pub fn decision(request: &RequestRef, who: &str, verdict: DecisionKind) -> DecisionInput {
    DecisionInput {
        identity: ApproverIdentity::Person(who.into()),
        request: request.clone(),
        digest: None,
        verdict,
        comment: None,
        pages_seen: Vec::new(),
        via: Via::Api,
        once: None,
    }
}

/// Somebody's approval.
pub fn approval(request: &RequestRef, who: &str) -> DecisionInput {
    decision(request, who, DecisionKind::Approve)
}
