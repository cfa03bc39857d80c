//! A decision on one request: who may make it, whether it counts, and what it completes (design 2.6).

use super::digest::Digest;
use super::eligibility::{self, Ineligible};
use super::people::Person;
use super::refusal::Refusal;
use super::request::{Request, Status};
use super::time::{Span, Timestamp};
use super::verdict;
use super::vote::{Door, Verdict, Vote};

/// How long what no policy gates may be executed, and what the shortest `validFor` is compared with.
pub const VALID_FOR: Span = Span::hours(1);

/// A decision that somebody wants to make.
#[derive(Debug, Clone, Copy)]
pub struct Cast<'a> {
    /// Who, as the directory knows them now; nobody where the account belongs to nobody.
    pub voter: Option<&'a Person>,
    /// Whether the account they use became theirs only after it was asked.
    pub linked_since: bool,
    /// The digest of what they saw, where they say so.
    pub digest: Option<&'a str>,
    /// What.
    pub verdict: Verdict,
    /// In their own words.
    pub comment: Option<&'a str>,
    /// When.
    pub at: Timestamp,
    /// Through which door.
    pub via: Door,
}

/// Casts a vote. Refusals come in the order of design 3.4; a refused cast changes nothing.
pub fn cast(request: &mut Request, votes: &mut Vec<Vote>, cast: Cast<'_>) -> Result<(), Refusal> {
    let by = cast.voter.map(|person| &person.id);
    if votes.iter().any(|vote| Some(&vote.by) == by) {
        return Err(Refusal::AlreadyReviewed);
    }
    let status = request.state.clone().at(cast.at).status();
    if status != Status::Pending {
        return Err(Refusal::Closed(status));
    }
    if cast
        .digest
        .is_some_and(|seen| seen.parse::<Digest>().as_ref() != Ok(&request.digest))
    {
        return Err(Refusal::DigestMismatch);
    }
    let person = cast
        .voter
        .ok_or(Refusal::NotEligible(Ineligible::Unknown))?;
    if cast.linked_since {
        return Err(Refusal::NotEligible(Ineligible::LinkedSince));
    }
    eligibility::check(&request.gates, &request.excluded, person).map_err(Refusal::NotEligible)?;
    votes.push(Vote {
        by: person.id.clone(),
        verdict: cast.verdict,
        comment: cast.comment.map(str::to_owned),
        teams: person.teams.clone(),
        roles: person.roles.clone(),
        at: cast.at,
        via: cast.via,
        author_left: false,
    });
    let state = request.state.clone();
    let next = match cast.verdict {
        Verdict::Reject => Some(state.reject(cast.at)),
        Verdict::Approve if verdict::all_satisfied(&request.gates, &request.excluded, votes) => {
            Some(state.approve(cast.at, cast.at.plus(valid_for(request))))
        }
        Verdict::Approve => None,
    };
    if let Some(next) = next {
        request.state = next.map_err(|wrong| Refusal::Closed(wrong.0))?;
        request.decided_at = Some(cast.at);
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
