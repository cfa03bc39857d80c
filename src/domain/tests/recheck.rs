//! What is checked again before an approved request takes effect: its requester, its approvers, and the policies in force.

use super::fixture::{
    ACME, NOON, approvals, ask, config, document as document_of, erin, gate, quorum, template,
};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::digest::Digest;
use crate::domain::document::ConfigDocument;
use crate::domain::eligibility::Involvement;
use crate::domain::execute::{Recheck, nobody_left, recheck};
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::principal::Principal;
use crate::domain::request::{Grant, Request, State};
use crate::domain::slack_directory::{SlackDirectory, SyncedAccount};
use crate::domain::target::Target;
use crate::domain::time::Span;
use std::collections::BTreeMap;

/// One approval of anybody, bound to the organization; `more` adds to the policy.
fn gated_by(more: &str) -> String {
    format!(
        "policies:\n  - {{id: deploy, name: Deploy, scope: organization, actions: [release.deploy], approvers: anyone{more}}}\n\
         bindings:\n  - {{policy: deploy, level: organization}}\n"
    )
}

/// The fixture's organization with some of its text replaced.
fn changed(from: &str, to: &str, more: &str) -> CompiledConfig {
    assert!(ACME.contains(from), "{from}");
    let text = format!("{}\n{more}", ACME.replace(from, to));
    let document: ConfigDocument = serde_saphyr::from_str(&text).expect("a document");
    CompiledConfig::compile(8, document, &BTreeMap::new()).expect("a configuration that compiles")
}

/// Erin's granted request, pinned to what this configuration demands.
fn granted(config: &CompiledConfig, grant: Grant) -> Request {
    let admitted = config
        .admit(&ask(), &erin(), NOON)
        .expect("an ask without violations");
    Request {
        id: "req_00000000000000000000000000".parse().expect("an id"),
        number: 1,
        version: 1,
        action: "release.deploy".into(),
        target: admitted.target,
        requester: Principal::Person("erin".into()),
        submitted_by: Principal::Person("erin".into()),
        authors: Vec::new(),
        reason: None,
        payload: "null".to_owned(),
        digest: Digest::of(b"what people approve"),
        gates: admitted.gates,
        observed: Vec::new(),
        bypassed: Vec::new(),
        session: None,
        excluded: admitted.excluded,
        state: State::Granted {
            grant,
            until: NOON.plus(Span::hours(1)),
        },
        created_at: NOON,
        decided_at: Some(NOON),
        replaces: None,
        callback_url: None,
    }
}

fn check(request: &Request, by: &[&str], config: &CompiledConfig) -> Recheck {
    recheck(request, &approvals(by), config, false, NOON)
}

fn why_impossible(checked: Recheck) -> String {
    match checked {
        Recheck::Impossible { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

/// The policies that gate it now, who still counts, and why.
fn what_is_missing(checked: Recheck) -> (Vec<PinnedPolicy>, Vec<String>, String) {
    match checked {
        Recheck::MoreIsRequired {
            gates,
            decisions,
            why,
        } => {
            let by = decisions.iter().map(|one| one.by.to_string()).collect();
            (gates, by, why)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_approved_holds_while_nothing_has_changed() {
    let config = config(&gated_by(""));
    let request = granted(&config, Grant::Approved);
    assert_eq!(check(&request, &["bob"], &config), Recheck::Holds);
    // without the approval it does not, whatever its state says
    let (_, by, why) = what_is_missing(check(&request, &[], &config));
    assert!(
        by.is_empty() && why.contains("waits again: Deploy ("),
        "{why}"
    );
}

#[test]
fn what_was_allowed_waits_for_a_policy_that_came_into_force_st3() {
    let open = config("");
    let request = granted(&open, Grant::Allowed);
    assert_eq!(check(&request, &[], &open), Recheck::Holds);
    let (gates, _, _) = what_is_missing(check(&request, &[], &config(&gated_by(""))));
    assert_eq!(gates.len(), 1);
}

#[test]
fn the_pinned_policy_and_the_one_in_force_must_both_be_met_st3() {
    let pinned = config(&gated_by(""));
    let request = granted(&pinned, Grant::Approved);
    let tightened = config(&gated_by(", quorum: {minApprovals: 2}"));
    let (gates, by, _) = what_is_missing(check(&request, &["bob"], &tightened));
    assert_eq!((gates.len(), by), (2, vec!["bob".to_owned()]));
    assert_eq!(
        check(&request, &["bob", "carol"], &tightened),
        Recheck::Holds
    );
    // an unbound policy still binds what was pinned to it
    assert_eq!(check(&request, &["bob"], &config("")), Recheck::Holds);
    what_is_missing(check(&request, &[], &config("")));
}

#[test]
fn the_approval_of_somebody_who_left_does_not_count_st4() {
    let request = granted(&config(&gated_by("")), Grant::Approved);
    let carol = "    - {id: carol, name: Carol Clark}\n";
    let left = ACME
        .replace(carol, "")
        .replace("members: [carol, bob]", "members: [bob]");
    let document: ConfigDocument =
        serde_saphyr::from_str(&format!("{left}\n{}", gated_by(""))).expect("a document");
    let left = CompiledConfig::compile(8, document, &BTreeMap::new()).expect("it compiles");
    let (_, by, _) = what_is_missing(check(&request, &["carol"], &left));
    assert!(by.is_empty(), "{by:?}");
    assert_eq!(check(&request, &["bob"], &left), Recheck::Holds);
}

#[test]
fn nobody_left_means_cancelled_and_not_approved() {
    let pinned = config(&gated_by(", quorum: {requiredTeamIds: [payments]}"));
    let request = granted(&pinned, Grant::Approved);
    assert_eq!(nobody_left(&request, &[], &pinned, NOON), None);
    let empty = changed(
        "id: payments, name: Payments, members: [dan]",
        "id: payments, name: Payments, members: []",
        "",
    );
    let why = why_impossible(check(&request, &["dan"], &empty));
    assert!(why.contains("nobody left could approve it"), "{why}");
    let why = nobody_left(&request, &[], &empty, NOON).expect("nobody is left");
    assert!(why.contains("cancelled"), "{why}");
}

#[test]
fn a_policy_that_now_wants_a_reason_cannot_be_met_without_one() {
    let mut request = granted(&config(""), Grant::Allowed);
    let wants = config(&gated_by(", conditions: {requireReason: true}"));
    let why = why_impossible(check(&request, &[], &wants));
    assert!(
        why.starts_with("Deploy gates it now and wants a reason"),
        "{why}"
    );
    request.reason = Some("hotfix".to_owned());
    what_is_missing(check(&request, &[], &wants));
}

#[test]
fn a_bypass_holds_only_while_its_session_covers_it() {
    let ordinary = config(&gated_by(""));
    let mut request = granted(&ordinary, Grant::Bypassed);
    request.bypassed = std::mem::take(&mut request.gates);
    let covered = |config: &CompiledConfig| recheck(&request, &[], config, true, NOON);
    assert_eq!(covered(&ordinary), Recheck::Holds);
    assert_eq!(check(&request, &["bob"], &ordinary), Recheck::SessionEnded);
    let mandatory = config(&gated_by(", breakGlassBypass: false"));
    let (gates, _, _) = what_is_missing(covered(&mandatory));
    assert_eq!(
        gates.len(),
        1,
        "only the policy that no session bypasses gates"
    );
    // approved on the rest, it falls back on what had been bypassed once the session is over
    let mut partly = request.clone();
    partly.gates = vec![quorum("{}")];
    partly.state = State::Granted {
        grant: Grant::Approved,
        until: NOON.plus(Span::hours(1)),
    };
    let decisions = approvals(&["bob"]);
    assert_eq!(
        recheck(&partly, &decisions, &ordinary, true, NOON),
        Recheck::Holds
    );
    partly.bypassed = vec![gate(template(
        "strict",
        serde_saphyr::from_str("{minApprovals: 2}").expect("a quorum"),
    ))];
    let (gates, _, _) = what_is_missing(recheck(&partly, &decisions, &ordinary, false, NOON));
    assert!(
        gates
            .iter()
            .any(|gate| gate.template.id.as_str() == "strict")
    );
}

#[test]
fn a_requester_who_left_runs_nothing_r01() {
    let request = granted(&config(&gated_by("")), Grant::Approved);
    let left = changed("    - {id: erin, name: Erin Evans}\n", "", &gated_by(""));
    let why = why_impossible(check(&request, &["bob"], &left));
    assert!(why.contains("is not active any more"), "{why}");
}

#[test]
fn a_service_needs_an_active_owner_r28() {
    let config = config(&gated_by(""));
    let mut request = granted(&config, Grant::Approved);
    let mut asked_by = |service: &str| {
        request.requester = Principal::Service(service.into());
        request.clone()
    };
    assert_eq!(check(&asked_by("ci"), &["carol"], &config), Recheck::Holds);
    let mut stray = asked_by("stray");
    let why = why_impossible(check(&stray, &["carol"], &config));
    assert!(
        why.contains("Nobody who is active answers any more"),
        "{why}"
    );
    // an author does not answer for a service; an owner by its token does
    for (part, holds) in [(Involvement::Author, false), (Involvement::Owner, true)] {
        stray.excluded.0.insert("dan".into(), part);
        let checked = check(&stray, &["carol"], &config);
        assert_eq!(checked == Recheck::Holds, holds, "{checked:?}");
    }
}

#[test]
fn an_effect_needs_a_requester_who_may_still_ask_for_it_r01() {
    let config = config("");
    let mut request = granted(&config, Grant::Approved);
    request.target = Target::default();
    request.gates = vec![quorum("{}")];
    let mut asked = |action: &str, requester: Principal| {
        request.action = action.into();
        request.requester = requester;
        check(&request, &["bob"], &config)
    };
    let person = |id: &str| Principal::Person(id.into());
    let change = "environment.policy_update";
    assert_eq!(asked(change, person("dan")), Recheck::Holds);
    assert_eq!(asked(change, Principal::Operator), Recheck::Holds);
    let why = why_impossible(asked(change, person("erin")));
    assert!(
        why.contains("does not administer Countersign any more"),
        "{why}"
    );
    let start = "break_glass.initiate";
    let why = why_impossible(asked(start, person("dan")));
    assert!(why.contains("Break-glass is not set up here"), "{why}");
    let why = why_impossible(asked(start, Principal::Operator));
    assert!(why.contains("is not a person"), "{why}");
    let why = why_impossible(asked(change, Principal::Bot));
    assert!(
        why.contains("does not administer Countersign any more"),
        "{why}"
    );
}

/// Whoever lost the right to start sessions starts none, however many have approved it.
#[test]
fn a_session_needs_an_initiator_who_may_still_start_it_r01() {
    let break_glass = |who: &str| {
        config(&format!(
            "breakGlass: {{securityChannel: C01SEC, allowed: {{users: [{who}]}}}}"
        ))
    };
    let mut request = granted(&break_glass("dan"), Grant::Approved);
    request.action = "break_glass.initiate".into();
    request.target = Target::default();
    request.gates = vec![quorum("{}")];
    request.requester = Principal::Person("dan".into());
    let check_with = |who: &str| check(&request, &["bob"], &break_glass(who));
    assert_eq!(check_with("dan"), Recheck::Holds);
    assert_eq!(check_with("dan, erin"), Recheck::Holds);
    assert_eq!(
        why_impossible(check_with("erin")),
        "You may not start a break-glass session; Erin Evans can."
    );
}

/// The directory in force decides who is active, whatever was noted with the decision.
#[test]
fn an_approver_who_left_does_not_count_r01() {
    let gated = gated_by("");
    let before = config(&gated);
    let request = granted(&before, Grant::Approved);
    assert_eq!(check(&request, &["carol"], &before), Recheck::Holds);
    let without = ACME
        .replace("    - {id: carol, name: Carol Clark}\n", "")
        .replace("members: [carol, bob]", "members: [bob]");
    let document = serde_saphyr::from_str(&format!("{without}\n{gated}")).expect("a document");
    let removed = CompiledConfig::compile(8, document, &BTreeMap::new()).expect("a configuration");
    let (_, by, _) = what_is_missing(check(&request, &["carol"], &removed));
    assert_eq!(by, [""; 0]);

    let with_account = |is_active| {
        let account = SyncedAccount {
            identity: serde_json::from_str(r#"{"teamId": "T01TEST", "userId": "U01ALICE"}"#)
                .expect("an identity"),
            name: "alice".to_owned(),
            is_active,
            is_full: true,
        };
        let slack = SlackDirectory {
            accounts: vec![account],
            ..SlackDirectory::default()
        };
        CompiledConfig::compile_with(8, document_of(&gated), &BTreeMap::new(), slack)
            .expect("a configuration")
    };
    let checked = |is_active| check(&request, &["alice"], &with_account(is_active));
    assert_eq!(checked(true), Recheck::Holds);
    let (_, by, _) = what_is_missing(checked(false));
    assert_eq!(by, [""; 0], "deactivated in Slack");
}
