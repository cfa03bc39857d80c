//! A decision on one request: who may make it, whether it counts, and what it completes (docs/decisions.md D22).

use super::decision::{Decision, DecisionKind, Via};
use super::digest::Digest;
use super::eligibility::{self, Ineligible};
use super::people::Person;
use super::progress;
use super::refusal::Refusal;
use super::request::{Request, Status};
use super::time::{Span, Timestamp};

/// How long what no policy gates may be executed, and what the shortest `validFor` is compared with.
pub const VALID_FOR: Span = Span::hours(1);

/// A decision that somebody wants to make.
#[derive(Debug, Clone, Copy)]
pub struct NewDecision<'a> {
    /// Who, as the directory knows them now; nobody where the account belongs to nobody.
    pub approver: Option<&'a Person>,
    /// Whether the account they use became theirs only after it was asked.
    pub linked_since: bool,
    /// The digest of what they saw, where they say so.
    pub digest: Option<&'a str>,
    /// What.
    pub verdict: DecisionKind,
    /// In their own words.
    pub comment: Option<&'a str>,
    /// When.
    pub at: Timestamp,
    /// Through which door.
    pub via: Via,
}

/// Casts a vote. Refusals come in the order of docs/decisions.md D22; a refused new changes nothing.
pub fn add_decision(
    request: &mut Request,
    decisions: &mut Vec<Decision>,
    new: NewDecision<'_>,
) -> Result<(), Refusal> {
    let by = new.approver.map(|person| &person.id);
    if decisions.iter().any(|decision| Some(&decision.by) == by) {
        return Err(Refusal::AlreadyReviewed);
    }
    let status = request.state.clone().at(new.at).status();
    if status != Status::Pending {
        return Err(Refusal::Closed(status));
    }
    if new
        .digest
        .is_some_and(|seen| seen.parse::<Digest>().as_ref() != Ok(&request.digest))
    {
        return Err(Refusal::DigestMismatch);
    }
    let person = new
        .approver
        .ok_or(Refusal::NotEligible(Ineligible::Unknown))?;
    if new.linked_since {
        return Err(Refusal::NotEligible(Ineligible::LinkedSince));
    }
    eligibility::check(&request.gates, &request.excluded, person).map_err(Refusal::NotEligible)?;
    decisions.push(Decision {
        by: person.id.clone(),
        verdict: new.verdict,
        comment: new.comment.map(str::to_owned),
        teams: person.teams.clone(),
        roles: person.roles.clone(),
        at: new.at,
        via: new.via,
        author_left: false,
    });
    let state = request.state.clone();
    let next = match new.verdict {
        DecisionKind::Reject => Some(state.reject(new.at)),
        DecisionKind::Approve
            if progress::all_satisfied(&request.gates, &request.excluded, decisions) =>
        {
            Some(state.approve(new.at, new.at.plus(valid_for(request))))
        }
        DecisionKind::Approve => None,
    };
    if let Some(next) = next {
        request.state = next.map_err(|wrong| Refusal::Closed(wrong.0))?;
        request.decided_at = Some(new.at);
    }
    Ok(())
}

/// How long the request's permission may be executed: the shortest `validFor` of its policies, or of those that a session let it past
/// where there are no others.
pub fn valid_for(request: &Request) -> Span {
    let decisive = if request.gates.is_empty() {
        &request.bypassed
    } else {
        &request.gates
    };
    decisive
        .iter()
        .map(|gate| gate.template.valid_for)
        .min()
        .unwrap_or(VALID_FOR)
}
