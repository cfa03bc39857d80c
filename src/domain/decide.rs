//! One person's decision on one request: whether they may decide, and which state the request enters (docs/decisions.md D22).

use super::decision::{Decision, DecisionKind, Via};
use super::digest::SeenDigest;
use super::eligibility::{self, Ineligible};
use super::people::Person;
use super::pinned_policy::PinnedPolicy;
use super::progress;
use super::refusal::Refusal;
use super::request::{Request, Status};
use super::sign_in::FreshSignIn;
use super::time::{Span, Timestamp};

/// How long a request that no policy gates may be executed.
pub const VALID_FOR: Span = Span::hours(1);

/// A decision that someone wants to make.
#[derive(Debug, Clone, Copy)]
pub struct NewDecision<'a> {
    /// The approver as the directory lists them now; `None` if no person has the Slack account.
    pub approver: Option<&'a Person>,
    /// Whether the Slack account was linked to the person only after the request was created.
    pub linked_since: bool,
    /// The digest that the approver saw, if the call contains it.
    pub digest: Option<&'a SeenDigest>,
    /// Approve or reject.
    pub verdict: DecisionKind,
    /// The approver's comment.
    pub comment: Option<&'a str>,
    /// When the decision is made.
    pub at: Timestamp,
    /// The interface it came through.
    pub via: Via,
    /// The proof that the approver signed in to the web pages shortly before.
    pub fresh: Option<FreshSignIn>,
    /// The policies in force now that say `decideOn: web`, in addition to the pinned ones.
    pub web_only: &'a [PinnedPolicy],
}

/// Adds a decision to a request. Refusals are checked in the order of docs/decisions.md D22. A refused decision changes nothing.
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
    if new.digest.is_some_and(|seen| !seen.is(&request.digest)) {
        return Err(Refusal::DigestMismatch);
    }
    let person = new
        .approver
        .ok_or(Refusal::NotEligible(Ineligible::Unknown))?;
    if new.linked_since {
        return Err(Refusal::NotEligible(Ineligible::LinkedSince));
    }
    eligibility::check(&request.gates, &request.excluded, person).map_err(Refusal::NotEligible)?;
    check_interface(request, &new)?;
    decisions.push(Decision {
        by: person.id.clone(),
        verdict: new.verdict,
        comment: new.comment.map(str::to_owned),
        teams: person.teams.clone(),
        roles: person.roles.clone(),
        at: new.at,
        via: new.via,
        fresh_sign_in: new.fresh.is_some() && new.via == Via::Web,
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

/// An approval that a policy would not count is refused, because the approver could not give it a second time. Rejecting is possible
/// through every interface.
fn check_interface(request: &Request, new: &NewDecision<'_>) -> Result<(), Refusal> {
    let web_only = request.web_only().or(new.web_only.first());
    match (web_only, new.verdict, new.fresh, new.via) {
        (None, ..) | (_, DecisionKind::Reject, ..) | (_, _, Some(_), Via::Web) => Ok(()),
        (Some(gate), DecisionKind::Approve, None, Via::Web) => Err(Refusal::SignInTooOld {
            policy: gate.template.name.clone(),
        }),
        (Some(gate), DecisionKind::Approve, ..) => Err(Refusal::OnWebOnly {
            policy: gate.template.name.clone(),
            page: None,
        }),
    }
}

/// How long a grant may be executed: the shortest `validFor` of the policies that gate the request, or of the bypassed policies if
/// no policy gates it.
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
