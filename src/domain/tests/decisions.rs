//! Texts, eligibility, memberships at execution, the smallest set.

use super::fixture::{
    approval, approvals, approvers, directory, excluding, gate, quorum, template,
};
use crate::domain::decision::DecisionKind;
use crate::domain::document::Quorum;
use crate::domain::eligibility::{self, Ineligible, Involvement, PeopleInvolved};
use crate::domain::people::Directory;
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::progress::{
    PolicyProgress, all_satisfied, cut, evaluate, waiting_for, waits_for,
};
use crate::domain::satisfiable::{satisfiable, shortfalls};
use crate::domain::smallest::smallest_set;

const CROSS_TEAM: &str =
    "{minApprovals: 2, minDistinctTeams: 2, requiredTeamIds: [sre], requiredOrgRoles: [tech-lead]}";

fn one(gate: &PinnedPolicy, by: &[&str]) -> PolicyProgress {
    let gates = [gate.clone()];
    let verdict = evaluate(&gates, &excluding(&["erin"]), &approvals(by), &directory()).remove(0);
    let satisfied = all_satisfied(&gates, &excluding(&["erin"]), &approvals(by));
    assert_eq!(verdict.satisfied, satisfied, "the short way says the same");
    verdict
}

fn told(gate: &PinnedPolicy, by: &[&str]) -> String {
    one(gate, by).explanation.text
}

#[test]
fn policy_progress_explains_itself() {
    let gate = quorum(CROSS_TEAM);
    let verdict = one(&gate, &["carol"]);
    assert_eq!(
        verdict.explanation.text,
        "1 of 2 approvals; SRE has not approved; nobody with the role tech-lead has approved; needs one more team"
    );
    assert_eq!(
        verdict.missing,
        [
            "needs one more approval",
            "SRE has not approved",
            "nobody with the role tech-lead has approved",
            "needs one more team"
        ]
    );
    assert_eq!((verdict.have, verdict.need, verdict.version), (1, 2, 3));
    assert_eq!(
        verdict.explanation.children[0].text,
        "1 of 2 approvals (Carol Clark); one more is needed"
    );
    let verdict = one(&gate, &["carol", "alice"]);
    assert!(verdict.satisfied && verdict.missing.is_empty());
    assert_eq!(verdict.explanation.text, "2 of 2 approvals");
    let children: Vec<&str> = verdict
        .explanation
        .children
        .iter()
        .map(|node| node.text.as_str())
        .collect();
    assert_eq!(
        children,
        [
            "2 of 2 approvals (Carol Clark and Alice Anderson)",
            "Alice Anderson counts for SRE",
            "Alice Anderson counts for the role tech-lead",
            "2 of 2 teams"
        ]
    );
}

#[test]
fn sentences_of_every_field() {
    assert_eq!(told(&quorum("{}"), &[]), "0 of 1 approval");
    assert_eq!(
        told(&quorum("{minApprovals: 3}"), &["bob"]),
        "1 of 3 approvals"
    );
    assert_eq!(
        told(&quorum("{requiredUserIds: [alice, carol]}"), &["alice"]),
        "1 of 2 approvals; Carol Clark has not approved"
    );
    assert_eq!(
        told(&quorum("{minDistinctTeams: 3}"), &[]),
        "0 of 3 approvals; needs three more teams"
    );
    // bob is in two teams and represents one of them
    assert_eq!(
        told(&quorum("{minDistinctTeams: 2}"), &["bob"]),
        "1 of 2 approvals; needs one more team"
    );
    assert_eq!(
        told(&quorum("{minDistinctTeams: 2}"), &["bob", "alice"]),
        "2 of 2 approvals"
    );
    assert_eq!(
        one(&quorum("{minApprovals: 3}"), &[]).missing,
        ["needs three more approvals"]
    );
}

#[test]
fn one_person_counts_once_b24() {
    let gate = quorum("{minApprovals: 2}");
    assert!(!one(&gate, &["bob", "bob"]).satisfied);
    // both Slack accounts belong to the same person of the directory
    let directory = directory();
    let account = |enterprise: Option<&str>, user: &str| crate::domain::people::SlackAccount {
        enterprise_id: enterprise.map(str::to_owned),
        team_id: "T01TEST".to_owned(),
        user_id: user.to_owned(),
    };
    let by_team = directory.by_slack(&account(None, "U01BOB")).expect("bob");
    let by_enterprise = directory
        .by_slack(&account(Some("E01TEST"), "W01BOB"))
        .expect("bob");
    assert_eq!(by_team.id, by_enterprise.id);
}

#[test]
fn an_empty_identity_is_nobody_b29() {
    let directory = directory();
    for (enterprise, team, user) in [
        (None, "", "U01ALICE"),
        (None, "T01TEST", ""),
        (Some(""), "T01TEST", "U01ALICE"),
        (Some(" "), "T01TEST", "U01ALICE"),
        (None, "E01TEST", "W01BOB"),
        (Some("T01TEST"), "T01TEST", "U01ALICE"),
        (None, "t01test", "U01ALICE"),
    ] {
        let account = crate::domain::people::SlackAccount {
            enterprise_id: enterprise.map(str::to_owned),
            team_id: team.to_owned(),
            user_id: user.to_owned(),
        };
        assert_eq!(directory.by_slack(&account), None, "{account:?}");
    }
}

fn check(
    gates: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    person: &str,
) -> Result<(), Ineligible> {
    let directory = directory();
    eligibility::check(
        gates,
        excluded,
        directory.person(&person.into()).expect("a person"),
    )
}

/// Every combination of `requesterCanApprove` over three policies: the strictest wins.
#[test]
fn the_strictest_requester_can_approve_wins_b25() {
    for bits in 0..8_u8 {
        let gates: Vec<PinnedPolicy> = (0..3)
            .map(|n| {
                let mut gate = quorum("{}");
                gate.template.requester_can_approve = bits & (1 << n) != 0;
                gate
            })
            .collect();
        let excluded = excluding(&["alice"]);
        let everyone_lets_them = bits == 7;
        let expected = if everyone_lets_them {
            Ok(())
        } else {
            Err(Ineligible::Excluded(Involvement::Requester))
        };
        assert_eq!(check(&gates, &excluded, "alice"), expected, "{bits:03b}");
        let decisions = approvals(&["alice"]);
        assert_eq!(
            all_satisfied(&gates, &excluded, &decisions),
            everyone_lets_them,
            "{bits:03b}"
        );
    }
}

#[test]
fn empty_approver_list_means_nobody_b20_b43() {
    let mut gate = quorum("{}");
    gate.template.approvers = Some(approvers(&[], &[]));
    assert_eq!(
        check(
            std::slice::from_ref(&gate),
            &PeopleInvolved::default(),
            "bob"
        ),
        Err(Ineligible::NotNamed)
    );
    assert_eq!(told(&gate, &["bob"]), "0 of 1 approval");
    gate.template.approvers = None;
    assert_eq!(
        check(&[gate], &PeopleInvolved::default(), "bob"),
        Err(Ineligible::NotNamed)
    );
    assert_eq!(
        check(&[], &PeopleInvolved::default(), "bob"),
        Err(Ineligible::NotNamed)
    );
    assert!(
        Directory::default()
            .among(&crate::domain::document::People::default())
            .is_empty()
    );
}

#[test]
fn no_policy_is_no_approval_b63() {
    assert!(!all_satisfied(
        &[],
        &PeopleInvolved::default(),
        &approvals(&["bob"])
    ));
    let mut gate = quorum("{}");
    gate.template.quorum.min_approvals = 0;
    assert!(!all_satisfied(&[gate], &PeopleInvolved::default(), &[]));
}

#[test]
fn approvers_left_out_are_whom_the_quorum_requires() {
    let mut gate = quorum("{requiredTeamIds: [sre], requiredUserIds: [dan]}");
    gate.template.approvers = None;
    let gates = [gate];
    for (person, expected) in [
        ("alice", Ok(())),
        ("dan", Ok(())),
        ("carol", Err(Ineligible::NotNamed)),
    ] {
        assert_eq!(
            check(&gates, &PeopleInvolved::default(), person),
            expected,
            "{person}"
        );
    }
}

/// Two policies with one common approver: an approval counts only for policies that name the approver.
#[test]
fn approval_counts_only_for_policies_whose_approvers_include_its_author_st10() {
    let mut sre = gate(template(
        "sre-gate",
        Quorum {
            min_approvals: 2,
            ..Quorum::default()
        },
    ));
    sre.template.approvers = Some(approvers(&["sre"], &[]));
    let mut security = gate(template("security-gate", Quorum::default()));
    security.template.approvers = Some(approvers(&["security"], &[]));
    let gates = [sre, security];
    let verdicts = |by: &[&str]| {
        let verdicts = evaluate(
            &gates,
            &PeopleInvolved::default(),
            &approvals(by),
            &directory(),
        );
        verdicts
            .iter()
            .map(|v| (v.have, v.satisfied))
            .collect::<Vec<_>>()
    };
    assert_eq!(verdicts(&["bob"]), [(1, false), (1, true)]);
    assert_eq!(verdicts(&["bob", "carol"]), [(1, false), (2, true)]);
    assert_eq!(verdicts(&["bob", "alice"]), [(2, true), (1, true)]);
    assert_eq!(
        waiting_for(
            &gates,
            &PeopleInvolved::default(),
            &approvals(&["bob"]),
            &directory()
        )
        .iter()
        .map(|person| person.id.as_str())
        .collect::<Vec<_>>(),
        ["alice"]
    );
}

#[test]
fn approval_keeps_the_memberships_of_its_time() {
    let gates = [quorum("{requiredTeamIds: [security]}")];
    let mut decisions = approvals(&["alice"]);
    assert!(!all_satisfied(
        &gates,
        &PeopleInvolved::default(),
        &decisions
    ));
    decisions[0].teams.insert("security".into());
    assert!(all_satisfied(
        &gates,
        &PeopleInvolved::default(),
        &decisions
    ));
    // at execution the team is gone; the approval still counts, because anyone may approve
    let left = cut(&decisions, &directory(), &gates);
    assert_eq!(left.len(), 1);
    assert!(left[0].teams.is_empty());
    assert!(!all_satisfied(&gates, &PeopleInvolved::default(), &left));
}

#[test]
fn recheck_drops_approvals_of_removed_people() {
    let mut gate = quorum("{}");
    gate.template.approvers = Some(approvers(&["security"], &[]));
    let gates = [gate];
    let mut decisions = approvals(&["alice", "carol"]);
    decisions[0].teams.insert("security".into());
    decisions.push(crate::domain::decision::Decision {
        by: "ghost".into(),
        ..decisions[1].clone()
    });
    let left = cut(&decisions, &directory(), &gates);
    assert_eq!(
        left.iter()
            .map(|decision| decision.by.as_str())
            .collect::<Vec<_>>(),
        ["carol"]
    );
    // a membership gained after the decision is not added, and one that no policy asks for is not kept
    let mut late = approvals(&["bob"]);
    late[0].teams.clear();
    assert!(cut(&late, &directory(), &gates).is_empty());
    assert_eq!(
        cut(&approvals(&["bob"]), &directory(), &gates)[0].teams,
        ["security".into()].into()
    );
    let rejection = crate::domain::decision::Decision {
        verdict: DecisionKind::Reject,
        ..decisions[2].clone()
    };
    assert_eq!(
        cut(std::slice::from_ref(&rejection), &directory(), &gates),
        [rejection]
    );
}

#[test]
fn rejection_never_counts_as_approval() {
    let gates = [quorum("{}")];
    let mut decision = approval(&directory(), "bob");
    decision.verdict = DecisionKind::Reject;
    assert!(!all_satisfied(
        &gates,
        &PeopleInvolved::default(),
        &[decision]
    ));
}

fn short(gate: PinnedPolicy, excluded: &[&str]) -> Vec<String> {
    let shortfalls = shortfalls(
        std::slice::from_ref(&gate),
        &excluding(excluded),
        &[],
        &directory(),
    );
    assert_eq!(
        shortfalls.is_empty(),
        satisfiable(&[gate], &excluding(excluded), &[], &directory())
    );
    shortfalls.into_iter().map(|short| short.message).collect()
}

fn among(teams: &[&str], users: &[&str], yaml: &str) -> PinnedPolicy {
    let mut gate = quorum(yaml);
    gate.template.approvers = Some(approvers(teams, users));
    gate
}

#[test]
fn unsatisfiable_quorum_says_why() {
    assert!(short(quorum(CROSS_TEAM), &["erin"]).is_empty());
    for (gate, excluded, expected) in [
        (
            among(&[], &["alice", "dan"], "{minDistinctTeams: 2}"),
            vec!["dan"],
            "needs two teams; only SRE is left once dan is excluded",
        ),
        (
            among(&["sre"], &[], "{minApprovals: 2}"),
            vec!["alice"],
            "needs two approvals; only bob is left once alice is excluded",
        ),
        (
            among(&["sre"], &[], "{}"),
            vec!["alice", "bob"],
            "needs one approval; nobody is left once alice and bob are excluded",
        ),
        (
            among(&["sre"], &[], "{minApprovals: 3}"),
            vec![],
            "needs three approvals; only alice and bob can approve",
        ),
        (
            quorum("{minApprovals: 9}"),
            vec![],
            "needs nine approvals; only five people can approve",
        ),
        (
            quorum("{requiredOrgRoles: [tech-lead]}"),
            vec!["alice"],
            "needs the role tech-lead; nobody with it is left once alice is excluded",
        ),
        (
            among(&["sre"], &[], "{requiredTeamIds: [payments]}"),
            vec![],
            "needs Payments; nobody in Payments can approve",
        ),
        (
            quorum("{requiredUserIds: [dan]}"),
            vec!["dan"],
            "needs dan, who is excluded",
        ),
        (
            among(&["sre"], &[], "{requiredUserIds: [dan]}"),
            vec![],
            "needs dan, who is not among its approvers",
        ),
        (
            among(&[], &["bob"], "{minDistinctTeams: 2}"),
            vec![],
            "needs two teams, each by another person; only bob can approve",
        ),
        (
            among(&[], &["erin"], "{minDistinctTeams: 1}"),
            vec![],
            "needs one team; nobody who is in a team can approve",
        ),
    ] {
        assert_eq!(short(gate, &excluded), [expected]);
    }
}

#[test]
fn the_smallest_set_is_the_smallest() {
    let set = |gates: &[PinnedPolicy], excluded: &[&str], by: &[&str]| {
        let set = smallest_set(gates, &excluding(excluded), &approvals(by), &directory());
        set.iter()
            .map(|id| id.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    let cross = quorum(CROSS_TEAM);
    assert_eq!(
        set(std::slice::from_ref(&cross), &[], &[]),
        ["alice", "bob"]
    );
    assert_eq!(
        set(std::slice::from_ref(&cross), &["bob"], &[]),
        ["alice", "carol"]
    );
    assert_eq!(
        set(std::slice::from_ref(&cross), &[], &["carol"]),
        ["alice"]
    );
    assert!(
        set(std::slice::from_ref(&cross), &["alice"], &[]).is_empty(),
        "nobody could"
    );
    assert!(
        set(&[cross], &[], &["alice", "bob"]).is_empty(),
        "nothing is missing"
    );
    // bob alone meets both
    let both = [
        quorum("{requiredTeamIds: [sre]}"),
        quorum("{requiredTeamIds: [security]}"),
    ];
    assert_eq!(set(&both, &[], &[]), ["bob"]);
}

#[test]
fn a_request_waits_for_exactly_the_people_who_could_bring_it_forward() {
    let directory = directory();
    let gates = [
        quorum("{minApprovals: 2, requiredTeamIds: [sre]}"),
        quorum("{requiredUserIds: [carol]}"),
    ];
    let excluded = excluding(&["erin"]);
    for (by, expected) in [
        (&[][..], vec!["alice", "bob", "carol", "dan"]),
        (&["alice"], vec!["bob", "carol", "dan"]),
        // the first policy is satisfied, the second one still needs Carol
        (&["alice", "bob"], vec!["carol", "dan"]),
        (&["alice", "carol"], vec![]),
    ] {
        let decisions = approvals(by);
        let waiting: Vec<&str> = waiting_for(&gates, &excluded, &decisions, &directory)
            .into_iter()
            .map(|person| person.id.as_str())
            .collect();
        assert_eq!(waiting, expected, "after {by:?}");
        for person in directory.people() {
            assert_eq!(
                waits_for(&gates, &excluded, &decisions, person),
                expected.contains(&person.id.as_str()),
                "{} after {by:?}",
                person.id
            );
        }
        let inactive = crate::domain::people::Person {
            active: false,
            ..directory.person(&"dan".into()).expect("dan").clone()
        };
        assert!(!waits_for(&gates, &excluded, &decisions, &inactive));
    }
}

#[test]
fn a_reduced_approval_keeps_only_roles_that_are_still_held_and_asked_for() {
    let directory = directory();
    let gate = quorum("{requiredOrgRoles: [tech-lead]}");
    let mut alice = approval(&directory, "alice");
    alice.roles.insert("release-manager".into());
    let kept = cut(&[alice.clone()], &directory, std::slice::from_ref(&gate));
    let held = std::collections::BTreeSet::from(["tech-lead".into()]);
    assert_eq!(kept[0].roles, held, "a role that she does not hold is gone");
    let other = quorum("{minApprovals: 1}");
    let kept = cut(&[alice], &directory, &[other]);
    assert!(kept[0].roles.is_empty(), "no policy asks for a role");
}
