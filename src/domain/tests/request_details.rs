//! Whom a request waits for, whose decision it takes, and whether anyone could complete it.

use super::decide::request;
use super::fixture::{NOON, approvals, config, directory, document, excluding, gate, quorum};
use crate::domain::document::{Approvers, PolicyTemplate};
use crate::domain::id::PersonId;
use crate::domain::people::Directory;
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::request::State;
use crate::domain::request_details::RequestDetails;
use crate::domain::satisfiable::{satisfiable, shortfalls};
use crate::domain::slack_directory::{SlackDirectory, SyncedAccount};
use crate::domain::time::Span;
use std::collections::BTreeMap;

/// Erin's request, which Bob has approved.
fn details(gates: Vec<PinnedPolicy>, state: State) -> RequestDetails {
    let mut request = request(gates);
    request.state = state;
    RequestDetails {
        action: config("")
            .action(&request.action)
            .expect("an action")
            .clone(),
        request,
        policies: Vec::new(),
        observed: Vec::new(),
        bypassed: Vec::new(),
        session: None,
        decisions: approvals(&["bob"]),
        people: BTreeMap::new(),
        waiting_for: Vec::new(),
        waiting_more: 0,
        timeline: Vec::new(),
        timeline_truncated: false,
        page: None,
        difference: None,
    }
}

#[test]
fn pending_request_takes_decisions_of_people_who_have_not_decided() {
    let gates = || vec![quorum("{minApprovals: 2, requiredTeamIds: [security]}")];
    let pending = State::Pending {
        expires_at: NOON.plus(Span::hours(1)),
    };
    let details = |state| details(gates(), state);
    let (pending, rejected) = (details(pending), details(State::Rejected));
    for (id, takes) in [
        ("alice", true),
        ("carol", true),
        ("bob", false),
        ("erin", false),
        ("nobody", false),
    ] {
        let id: PersonId = id.into();
        assert_eq!(pending.takes_decision_of(&id, &directory()), takes, "{id}");
        assert!(!rejected.takes_decision_of(&id, &directory()), "{id}");
        assert!(!rejected.waits_for(&id, &directory()), "{id}");
    }
    assert!(pending.waits_for(&"carol".into(), &directory()));
    assert!(!pending.waits_for(&"erin".into(), &directory()));
}

/// Alice and Bob are the members of `sre`; Alice has an account, and Bob has two. Dan asks, or nobody.
#[test]
fn inactive_and_excluded_people_cannot_complete_a_policy() {
    let without = |deactivated: &[&str]| {
        let document = document("").directory;
        let people = document.users.iter().flat_map(|user| &user.slack.0);
        let known = SlackDirectory {
            accounts: people
                .map(|identity| SyncedAccount {
                    identity: identity.clone(),
                    name: identity.user_id.clone(),
                    is_active: !deactivated.contains(&&*identity.user_id),
                    is_full: true,
                })
                .collect(),
            ..SlackDirectory::default()
        };
        Directory::compile_with(&document, &known)
    };
    let (alice, bob) = (["U01ALICE"], ["U01BOB", "W01BOB"]);
    let both = ["U01ALICE", "U01BOB", "W01BOB"];
    let of_sre = "{minApprovals: 1, requiredTeamIds: [sre]}";
    let of_alice = "{minApprovals: 1, requiredUserIds: [alice]}";
    let of_a_lead = "{minApprovals: 1, requiredOrgRoles: [tech-lead]}";
    let of_all = "{minApprovals: 5}";
    for (wanted, deactivated, excluded, is_satisfiable) in [
        (of_sre, &alice[..], "dan", true),
        (of_sre, &bob, "dan", true),
        (of_sre, &both, "dan", false),
        (of_sre, &alice, "bob", false),
        (of_alice, &bob, "dan", true),
        (of_alice, &alice, "dan", false),
        (of_alice, &bob, "alice", false),
        (of_a_lead, &bob, "dan", true),
        (of_a_lead, &alice, "dan", false),
        (of_all, &[], "nobody", true),
        (of_all, &["U01BOB"], "nobody", true),
        (of_all, &bob, "nobody", false),
        (of_all, &[], "dan", false),
    ] {
        let gates = [gate(PolicyTemplate {
            approvers: Some(Approvers::Anyone),
            ..quorum(wanted).template
        })];
        let (directory, excluded) = (without(deactivated), excluding(&[excluded]));
        let told = format!("{wanted}: {deactivated:?}");
        let answer = satisfiable(&gates, &excluded, &[], &directory);
        assert_eq!(answer, is_satisfiable, "{told}");
        let short = shortfalls(&gates, &excluded, &[], &directory);
        assert_eq!(short.is_empty(), is_satisfiable, "{told}");
    }
}
