//! One decision on one request: the order of refusals, what is recorded, and what completes the request.

use super::fixture::{NOON, directory, document, excluding, gate, template};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::decide::{NewDecision, add_decision, valid_for};
use crate::domain::decision::{Decision, DecisionKind, Via};
use crate::domain::digest::{Digest, SeenDigest};
use crate::domain::document::Resources;
use crate::domain::eligibility::{Ineligible, Involvement};
use crate::domain::execute::{Recheck, recheck};
use crate::domain::people::Person;
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::request::{Effect, Grant, Outcome, Request, State, Status};
use crate::domain::target::Target;
use crate::domain::time::{Span, Timestamp};
use std::collections::BTreeMap;

/// A day after [`NOON`].
const EXPIRY: Timestamp = Timestamp(NOON.0 + 24 * 60 * 60 * 1000);

fn policy(quorum: &str, valid_for: Span) -> PinnedPolicy {
    let quorum = serde_saphyr::from_str(quorum).expect("a quorum");
    let mut template = template("gate", quorum);
    template.valid_for = valid_for;
    gate(template)
}

/// Erin's pending request, gated by these policies.
pub(super) fn request(gates: Vec<PinnedPolicy>) -> Request {
    let erin = Principal::Person("erin".into());
    Request {
        id: "req_00000000000000000000000000".parse().expect("an id"),
        number: 1,
        version: 1,
        action: "release.deploy".into(),
        target: Target::default(),
        requester: erin.clone(),
        submitted_by: erin,
        authors: Vec::new(),
        reason: None,
        payload: "null".to_owned(),
        digest: Digest::of(b"what people approve"),
        gates,
        observed: Vec::new(),
        bypassed: Vec::new(),
        session: None,
        excluded: excluding(&["erin"]),
        state: State::Pending { expires_at: EXPIRY },
        created_at: NOON,
        decided_at: None,
        replaces: None,
        callback_url: None,
    }
}

fn person(id: &str) -> Person {
    directory().person(&id.into()).expect("a person").clone()
}

fn decision(approver: Option<&Person>, verdict: DecisionKind) -> NewDecision<'_> {
    NewDecision {
        approver,
        linked_since: false,
        digest: None,
        verdict,
        comment: Some("looks right"),
        at: NOON,
        via: Via::Button,
        fresh: None,
        web_only: &[],
    }
}

fn approve(request: &mut Request, decisions: &mut Vec<Decision>, id: &str) -> Result<(), Refusal> {
    let person = person(id);
    add_decision(
        request,
        decisions,
        decision(Some(&person), DecisionKind::Approve),
    )
}

#[test]
fn an_approval_keeps_who_decided_with_their_memberships_and_completes_only_a_met_quorum() {
    let gates = vec![policy("{minApprovals: 2}", Span::minutes(30))];
    let (mut request, mut decisions) = (request(gates), Vec::new());
    assert_eq!(approve(&mut request, &mut decisions, "bob"), Ok(()));
    let bob = person("bob");
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0].by, bob.id);
    assert_eq!(decisions[0].teams, bob.teams);
    assert_eq!(decisions[0].comment.as_deref(), Some("looks right"));
    assert_eq!(
        (request.state.status(), request.decided_at),
        (Status::Pending, None)
    );
    assert_eq!(approve(&mut request, &mut decisions, "carol"), Ok(()));
    let until = NOON.plus(Span::minutes(30));
    assert_eq!(
        request.state,
        State::Granted {
            grant: Grant::Approved,
            until
        }
    );
    assert_eq!(request.decided_at, Some(NOON));
}

#[test]
fn one_eligible_rejection_ends_the_request_whatever_was_approved_before() {
    let gates = vec![policy("{minApprovals: 2}", Span::hours(1))];
    let (mut request, mut decisions) = (request(gates), Vec::new());
    assert_eq!(approve(&mut request, &mut decisions, "bob"), Ok(()));
    let carol = person("carol");
    let rejection = decision(Some(&carol), DecisionKind::Reject);
    assert_eq!(
        add_decision(&mut request, &mut decisions, rejection),
        Ok(())
    );
    assert_eq!(request.state, State::Rejected);
    assert_eq!(request.decided_at, Some(NOON));
}

#[test]
fn refusals_come_in_order_and_a_refused_decision_changes_nothing() {
    let gates = || vec![policy("{minApprovals: 2}", Span::hours(1))];
    let bob = person("bob");
    let (mut before, mut decisions) = (request(gates()), Vec::new());
    assert_eq!(approve(&mut before, &mut decisions, "bob"), Ok(()));
    let wrong = SeenDigest::from("sha256:00");
    let wrong_digest = Some(&wrong);
    let right_digest = SeenDigest::from(before.digest.clone());
    let ended = State::Cancelled;

    // already reviewed comes before everything else
    let mut closed = before.clone();
    closed.state = ended.clone();
    let mut again = decision(Some(&bob), DecisionKind::Reject);
    again.digest = wrong_digest;
    let refused = add_decision(&mut closed, &mut decisions.clone(), again);
    assert_eq!(refused, Err(Refusal::AlreadyReviewed));

    // then the state, also when only time has ended it
    let carol = person("carol");
    let mut late = decision(Some(&carol), DecisionKind::Approve);
    late.digest = wrong_digest;
    let refused = add_decision(&mut closed, &mut decisions.clone(), late);
    assert_eq!(refused, Err(Refusal::Closed(Status::Cancelled)));
    late.at = EXPIRY;
    let refused = add_decision(&mut before.clone(), &mut decisions.clone(), late);
    assert_eq!(refused, Err(Refusal::Closed(Status::Expired)));

    // then the digest, before the person is looked at
    let mut stale = decision(None, DecisionKind::Approve);
    stale.digest = wrong_digest;
    let refused = add_decision(&mut before.clone(), &mut decisions.clone(), stale);
    assert_eq!(refused, Err(Refusal::DigestMismatch));

    // then the person
    let erin = person("erin");
    let cases = [
        (decision(None, DecisionKind::Approve), Ineligible::Unknown),
        (
            NewDecision {
                linked_since: true,
                ..decision(Some(&carol), DecisionKind::Approve)
            },
            Ineligible::LinkedSince,
        ),
        (
            decision(Some(&erin), DecisionKind::Reject),
            Ineligible::Excluded(Involvement::Requester),
        ),
    ];
    for (case, why) in cases {
        let (mut request, mut kept) = (before.clone(), decisions.clone());
        let refused = add_decision(&mut request, &mut kept, case);
        assert_eq!(refused, Err(Refusal::NotEligible(why)));
        assert_eq!((&request, &kept), (&before, &decisions));
    }

    // and with the digest that is stored it counts
    let mut right = decision(Some(&carol), DecisionKind::Approve);
    right.digest = Some(&right_digest);
    assert_eq!(add_decision(&mut before, &mut decisions, right), Ok(()));
}

#[test]
fn no_policy_is_never_an_approval() {
    let (mut request, mut decisions) = (request(Vec::new()), Vec::new());
    let refused = approve(&mut request, &mut decisions, "bob");
    assert_eq!(refused, Err(Refusal::NotEligible(Ineligible::NotNamed)));
    assert_eq!(request.state.status(), Status::Pending);
}

#[test]
fn a_grant_lasts_as_long_as_its_shortest_policy() {
    let (long, short) = (
        policy("{}", Span::hours(3)),
        policy("{}", Span::minutes(20)),
    );
    assert_eq!(
        valid_for(&request(vec![long.clone(), short.clone()])),
        Span::minutes(20)
    );
    // the policies that gate decide; bypassed ones only where nothing else gates
    let mut both = request(vec![long.clone()]);
    both.bypassed = vec![short.clone()];
    assert_eq!(valid_for(&both), Span::hours(3));
    both.gates.clear();
    assert_eq!(valid_for(&both), Span::minutes(20));
    both.bypassed.clear();
    assert_eq!(valid_for(&both), Span::hours(1));
}

#[test]
fn only_requests_of_countersign_itself_have_an_effect() {
    let mut request = request(Vec::new());
    for (action, effect) in [
        ("environment.policy_update", Some(Effect::ConfigChange)),
        ("break_glass.initiate", Some(Effect::SessionStart)),
        ("release.deploy", None),
    ] {
        request.action = action.into();
        request.target = Target::default();
        assert_eq!(request.effect(), effect, "{action}");
        // people ask for a change of the policies of an environment, which Countersign does not make
        request.target.environment = Some("production".into());
        assert_eq!(request.effect(), None, "{action}");
    }
}

#[test]
fn an_outcome_has_the_word_that_the_api_takes() {
    assert_eq!(Outcome::Succeeded.as_str(), "succeeded");
    assert_eq!(Outcome::Failed.as_str(), "failed");
}

#[test]
fn every_ineligible_person_is_told_why_in_a_sentence() {
    let parts = [
        Involvement::Requester,
        Involvement::Submitter,
        Involvement::Owner,
        Involvement::Author,
    ];
    let reasons = parts.into_iter().map(Ineligible::Excluded).chain([
        Ineligible::NotNamed,
        Ineligible::Inactive,
        Ineligible::Unknown,
        Ineligible::LinkedSince,
    ]);
    let sentences: std::collections::BTreeSet<String> =
        reasons.map(|reason| reason.to_string()).collect();
    assert_eq!(sentences.len(), 8, "each has its own: {sentences:#?}");
    assert!(
        sentences
            .iter()
            .all(|one| one.ends_with('.') && one.len() > 20)
    );
}

/// Not even while a session covers it.
#[test]
fn a_grant_whose_target_moved_or_is_gone_never_runs_st3() {
    type Change = fn(&mut Resources);
    let cases: [(Change, &str); 4] = [
        (|_| {}, ""),
        (
            |resources| resources.clusters[0].environment = "staging".into(),
            "The cluster prod-eu-1 belongs to another environment now, so it was cancelled. Ask again.",
        ),
        (
            |resources| drop(resources.clusters.remove(0)),
            "The cluster prod-eu-1 does not exist any more, so it was cancelled. Ask again for one that does.",
        ),
        (
            |resources| resources.projects.retain(|id| id.as_str() != "api"),
            "The project api does not exist any more, so it was cancelled. Ask again for one that does.",
        ),
    ];
    for (change, refused) in cases {
        let mut document = document("");
        change(&mut document.resources);
        let config = CompiledConfig::compile(8, document, &BTreeMap::new()).expect("it compiles");
        for (grant, covered) in [(Grant::Allowed, false), (Grant::Bypassed, true)] {
            let mut request = request(Vec::new());
            request.target = Target {
                project: Some("api".into()),
                cluster: Some("prod-eu-1".into()),
                environment: Some("production".into()),
                release: None,
            };
            request.state = State::Granted {
                grant,
                until: EXPIRY,
            };
            let expected = if refused.is_empty() {
                Recheck::Holds
            } else {
                Recheck::Impossible {
                    decisions: Vec::new(),
                    why: refused.to_owned(),
                }
            };
            let checked = recheck(&request, &[], &config, covered, NOON);
            assert_eq!(checked, expected, "{grant:?}");
        }
    }
}
