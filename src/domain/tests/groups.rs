//! The smallest set of people who could complete a request, in small groups and in large ones, and how many of them are named.

use super::fixture::{approval, config, quorum};
use crate::domain::decision::Decision;
use crate::domain::eligibility::PeopleInvolved;
use crate::domain::id::PersonId;
use crate::domain::people::Directory;
use crate::domain::progress::{all_satisfied, cut, evaluate};
use crate::domain::satisfiable::shortfalls;
use crate::domain::smallest::smallest_set;

/// People with the teams that they can represent.
fn crowd(people: &[(String, Vec<u8>)]) -> Directory {
    let users: Vec<String> = people
        .iter()
        .map(|(id, _)| format!("  - {{id: {id}, name: {id}}}"))
        .collect();
    let teams: Vec<String> = (1..=8)
        .map(|team| {
            let members = people.iter().filter(|(_, teams)| teams.contains(&team));
            let members: Vec<&str> = members.map(|(id, _)| id.as_str()).collect();
            format!(
                "  - {{id: t{team}, name: T{team}, members: [{}]}}",
                members.join(", ")
            )
        })
        .collect();
    let text = format!(
        "users:\n{}\nteams:\n{}\n",
        users.join("\n"),
        teams.join("\n")
    );
    Directory::compile(&serde_saphyr::from_str(&text).expect("a directory"))
}

/// Every one of eight teams has to approve. `x` and `y` cover them; whoever looks one step ahead begins with `g` and needs two more.
fn smallest_of(others: usize) -> Vec<String> {
    let mut people: Vec<(String, Vec<u8>)> = [
        ("x", vec![1, 2, 3, 4]),
        ("y", vec![5, 6, 7, 8]),
        ("d", vec![4]),
        ("e", vec![8]),
        ("g", vec![1, 2, 3, 5, 6, 7]),
    ]
    .map(|(id, teams)| (id.to_owned(), teams))
    .into();
    let different = [
        [1, 1],
        [2, 2],
        [3, 3],
        [5, 5],
        [6, 6],
        [7, 7],
        [1, 2],
        [1, 3],
        [2, 3],
        [5, 6],
        [5, 7],
        [6, 7],
    ];
    let others = different.iter().take(others).enumerate();
    people.extend(others.map(|(n, teams)| (format!("f{n:02}"), teams.to_vec())));
    let all = quorum("{requiredTeamIds: [t1, t2, t3, t4, t5, t6, t7, t8]}");
    let set = smallest_set(&[all], &PeopleInvolved::default(), &[], &crowd(&people));
    set.into_iter().map(|id| id.to_string()).collect()
}

#[test]
fn up_to_sixteen_different_people_the_smallest_set_is_exact() {
    assert_eq!(smallest_of(0), ["x", "y"]);
    assert_eq!(smallest_of(11), ["x", "y"], "sixteen people");
    assert_eq!(smallest_of(12), ["d", "e", "g"], "seventeen people");
}

/// Beyond that, whoever turned out to be superfluous is left out again, whoever is required by name is not, and nobody else is added.
#[test]
fn a_large_group_gets_a_set_without_anybody_superfluous() {
    let people: Vec<(String, Vec<u8>)> = (0..24_u8)
        .map(|n| {
            let teams =
                (1..=8).filter(|team| n % 8 == team - 1 || (n / 8) & (1 << (team % 2)) != 0);
            (format!("p{n:02}"), teams.collect())
        })
        .collect();
    let directory = crowd(&people);
    let gates = [
        quorum("{minApprovals: 3, requiredUserIds: [p07], minDistinctTeams: 3}"),
        quorum("{requiredTeamIds: [t1, t2, t3, t8]}"),
    ];
    let nobody = PeopleInvolved::default();
    let set = smallest_set(&gates, &nobody, &[], &directory);
    assert!(set.contains(&"p07".into()), "{set:?}");
    let by = |ids: &[PersonId]| -> Vec<Decision> {
        let ids = ids.iter().map(|id| approval(&directory, id.as_str()));
        ids.collect()
    };
    let completes = |ids: &[_]| all_satisfied(&gates, &nobody, &by(ids));
    assert!(completes(&set), "{set:?}");
    assert_eq!(set.len(), 3, "{set:?}");
    for out in &set {
        let rest: Vec<_> = set.iter().filter(|id| *id != out).cloned().collect();
        assert!(!completes(&rest), "{set:?} without {out}");
    }
    // approvals that are there already are not asked for again
    let first = by(&set[..1]);
    let rest = smallest_set(&gates, &nobody, &first, &directory);
    assert!(!rest.contains(&set[0]) && rest.len() == 2, "{rest:?}");
}

fn in_teams(people: &[(&str, &[u8])]) -> Directory {
    let people: Vec<(String, Vec<u8>)> = people
        .iter()
        .map(|(id, teams)| ((*id).to_owned(), teams.to_vec()))
        .collect();
    crowd(&people)
}

#[test]
fn people_who_differ_only_by_team_are_different_where_teams_are_counted() {
    let directory = in_teams(&[("a", &[1]), ("b", &[1]), ("c", &[1]), ("d", &[2])]);
    let two_teams = quorum("{minDistinctTeams: 2}");
    let set = smallest_set(&[two_teams], &PeopleInvolved::default(), &[], &directory);
    assert_eq!(set, ["a".into(), "d".into()]);
}

/// Any number of people who can do the same counts as few, so that the search stays exact.
#[test]
fn people_who_can_do_the_same_are_searched_once() {
    let mut people: Vec<(String, Vec<u8>)> = [
        ("x", vec![1, 2, 3, 4]),
        ("y", vec![5, 6, 7, 8]),
        ("d", vec![4]),
        ("e", vec![8]),
        ("g", vec![1, 2, 3, 5, 6, 7]),
    ]
    .map(|(id, teams)| (id.to_owned(), teams))
    .into();
    people.extend((0..30).map(|n| (format!("f{n:02}"), vec![1])));
    let all = quorum("{requiredTeamIds: [t1, t2, t3, t4, t5, t6, t7, t8]}");
    let set = smallest_set(&[all], &PeopleInvolved::default(), &[], &crowd(&people));
    assert_eq!(set, ["x".into(), "y".into()]);
}

#[test]
fn nobody_is_suggested_where_nobody_could_complete_it() {
    for people in [3_u8, 40] {
        let people: Vec<(String, Vec<u8>)> = (0..people)
            .map(|n| {
                (
                    format!("p{n:02}"),
                    (1..=7).filter(|team| (n >> team) & 1 == 1).collect(),
                )
            })
            .collect();
        let gates = [quorum("{requiredTeamIds: [t8], minDistinctTeams: 2}")];
        let set = smallest_set(&gates, &PeopleInvolved::default(), &[], &crowd(&people));
        assert_eq!(set, [] as [PersonId; 0]);
    }
}

/// An approval keeps every team where a policy counts teams.
#[test]
fn a_reduced_approval_keeps_its_teams_where_teams_are_counted() {
    let directory = in_teams(&[("a", &[1, 2]), ("b", &[3])]);
    let by = [approval(&directory, "a"), approval(&directory, "b")];
    let gates = [quorum("{minDistinctTeams: 2}"), quorum("{minApprovals: 1}")];
    let kept = cut(&by, &directory, &gates);
    assert_eq!(kept, by);
    assert!(all_satisfied(&gates, &PeopleInvolved::default(), &kept));
    let kept = cut(&by, &directory, &gates[1..]);
    assert!(
        kept.iter().all(|decision| decision.teams.is_empty()),
        "no policy asks for a team"
    );
}

/// What the count of approvals says after so many of seven people approved.
fn count_after(approvals: usize, yaml: &str) -> (String, usize) {
    let people = ["p1", "p2", "p3", "p4", "p5", "p6", "p7"];
    let directory = in_teams(&people.map(|id| (id, &[1_u8][..])));
    let by: Vec<Decision> = people
        .iter()
        .take(approvals)
        .map(|id| approval(&directory, id))
        .collect();
    let progress = evaluate(&[quorum(yaml)], &PeopleInvolved::default(), &by, &directory).remove(0);
    let children = progress.explanation.children;
    (children[0].text.clone(), children.len())
}

#[test]
fn five_approvers_are_named_and_the_others_counted() {
    for (approvals, said) in [
        (0, "0 of 7 approvals"),
        (1, "1 of 7 approvals (p1); six more are needed"),
        (
            5,
            "5 of 7 approvals (p1, p2, p3, p4 and p5); two more are needed",
        ),
        (
            6,
            "6 of 7 approvals (p1, p2, p3, p4, p5 and 1 more); one more is needed",
        ),
        (7, "7 of 7 approvals (p1, p2, p3, p4, p5 and 2 more)"),
    ] {
        assert_eq!(
            count_after(approvals, "{minApprovals: 7}"),
            (said.to_owned(), 1)
        );
    }
    assert_eq!(
        count_after(1, "{minApprovals: 1, minDistinctTeams: 1}").1,
        2
    );
}

#[test]
fn three_people_who_are_too_few_are_named_and_more_are_counted() {
    let short = |approvers: &[&str]| {
        let mut gate = quorum("{minApprovals: 5}");
        gate.template.approvers = Some(super::fixture::approvers(&[], approvers));
        let nobody = PeopleInvolved::default();
        let found = shortfalls(&[gate], &nobody, &[], config("").directory());
        found
            .into_iter()
            .map(|short| short.message)
            .collect::<Vec<_>>()
    };
    for (approvers, said) in [
        (
            &["alice", "bob"][..],
            "needs five approvals; only alice and bob can approve",
        ),
        (
            &["alice", "bob", "carol"],
            "needs five approvals; only alice, bob and carol can approve",
        ),
        (
            &["alice", "bob", "carol", "dan"],
            "needs five approvals; only four people can approve",
        ),
        (&["alice", "bob", "carol", "dan", "erin"], ""),
    ] {
        let found = short(approvers);
        assert_eq!(found.concat(), said);
    }
}
