//! Compares the quorum with a second, slow and short implementation on random cases. To run it in full:
//! `COUNTERSIGN_ORACLE_CASES=1000000 cargo test --release oracle`.

use super::fixture::{approvers, gate, template};
use crate::domain::decision::{Decision, DecisionKind, Via};
use crate::domain::document::Quorum;
use crate::domain::eligibility::{Involvement, PeopleInvolved};
use crate::domain::people::Directory;
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::progress::all_satisfied;
use crate::domain::satisfiable;

/// A small random number generator (xorshift), so that a case is identified by its number.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
    fn some(&mut self, of: &[&'static str], one_in: u64) -> Vec<&'static str> {
        of.iter()
            .copied()
            .filter(|_| self.below(one_in) == 0)
            .collect()
    }
}

const PEOPLE: [&str; 6] = ["p0", "p1", "p2", "p3", "p4", "p5"];
const TEAMS: [&str; 4] = ["t0", "t1", "t2", "t3"];
const ROLES: [&str; 3] = ["r0", "r1", "r2"];

fn a_gate(random: &mut Random) -> PinnedPolicy {
    let mut template = template(
        "gate",
        Quorum {
            min_approvals: u32::try_from(random.below(4)).expect("below 4"),
            min_distinct_teams: u32::try_from(random.below(4)).expect("below 4"),
            required_user_ids: random
                .some(&PEOPLE, 8)
                .into_iter()
                .map(Into::into)
                .collect(),
            required_team_ids: random.some(&TEAMS, 6).into_iter().map(Into::into).collect(),
            required_org_roles: random.some(&ROLES, 6).into_iter().map(Into::into).collect(),
        },
    );
    template.requester_can_approve = random.below(2) == 0;
    if random.below(2) == 0 {
        template.approvers = Some(approvers(&random.some(&TEAMS, 2), &random.some(&PEOPLE, 3)));
    }
    gate(template)
}

fn decisions(random: &mut Random) -> Vec<Decision> {
    let by = random.some(&PEOPLE, 2);
    by.into_iter()
        .map(|by| Decision {
            by: by.into(),
            verdict: if random.below(12) == 0 {
                DecisionKind::Reject
            } else {
                DecisionKind::Approve
            },
            comment: None,
            teams: random.some(&TEAMS, 2).into_iter().map(Into::into).collect(),
            roles: random.some(&ROLES, 3).into_iter().map(Into::into).collect(),
            at: super::fixture::NOON,
            via: Via::Api,
            fresh_sign_in: false,
            author_left: false,
        })
        .collect()
}

/// How many of the decisions can each get a team of its own; tries all assignments.
fn teams_apart(decisions: &[&Decision], taken: &mut Vec<String>) -> usize {
    let Some((first, rest)) = decisions.split_first() else {
        return taken.len();
    };
    let mut best = teams_apart(rest, taken);
    for team in &first.teams {
        if !taken.contains(&team.to_string()) {
            taken.push(team.to_string());
            best = best.max(teams_apart(rest, taken));
            taken.pop();
        }
    }
    best
}

fn by_hand(gates: &[PinnedPolicy], excluded: &PeopleInvolved, decisions: &[Decision]) -> bool {
    let lifted = gates.iter().all(|gate| gate.template.requester_can_approve);
    gates.iter().all(|gate| {
        let named = |decision: &Decision| match &gate.template.approvers {
            Some(crate::domain::document::Approvers::Among(people)) => {
                people.users.contains(&decision.by)
                    || people
                        .teams
                        .iter()
                        .any(|team| decision.teams.contains(team))
            }
            _ => true,
        };
        let counted: Vec<&Decision> = decisions
            .iter()
            .filter(|decision| decision.verdict == DecisionKind::Approve)
            .filter(|decision| lifted || !excluded.0.contains_key(&decision.by))
            .filter(|decision| named(decision))
            .collect();
        let quorum = &gate.template.quorum;
        let at_least = |n: u32| usize::try_from(n).expect("small");
        !counted.is_empty()
            && counted.len() >= at_least(quorum.min_approvals)
            && quorum
                .required_user_ids
                .iter()
                .all(|id| counted.iter().any(|decision| decision.by == *id))
            && quorum
                .required_team_ids
                .iter()
                .all(|id| counted.iter().any(|decision| decision.teams.contains(id)))
            && quorum
                .required_org_roles
                .iter()
                .all(|id| counted.iter().any(|decision| decision.roles.contains(id)))
            && teams_apart(&counted, &mut Vec::new()) >= at_least(quorum.min_distinct_teams)
    })
}

/// In a large directory, the check stops early if the first people suffice; the necessary people may also be the very last ones.
#[test]
fn preselection_of_approvers_leaves_nobody_out() {
    let mut document = super::fixture::document("");
    let user = |n| format!("{{id: p{n:04}, name: P}}");
    let users: Vec<String> = (0..5_000).map(user).collect();
    let people = format!(
        "users: [{}]\nteams: [{{id: near, name: Near, members: [p0001, p4998]}}, {{id: far, name: Far, members: [p4999]}}]",
        users.join(", ")
    );
    document.directory = serde_saphyr::from_str(&people).expect("a directory");
    document.directory.users[4_999].org_roles = vec!["late".into()];
    let directory = Directory::compile(&document.directory);
    let says = |quorum: &str, out: &[&str]| {
        let gates = [super::fixture::quorum(quorum)];
        let excluded = super::fixture::excluding(out);
        let short = satisfiable::shortfalls(&gates, &excluded, &[], &directory);
        let can = satisfiable::satisfiable(&gates, &excluded, &[], &directory);
        assert_eq!(can, short.is_empty());
        short
            .into_iter()
            .map(|short| short.message)
            .collect::<String>()
    };
    for met in [
        "{minApprovals: 5000}",
        "{minDistinctTeams: 2}",
        "{requiredUserIds: [p4999], minApprovals: 4999}",
        "{requiredTeamIds: [far, near], requiredOrgRoles: [late]}",
    ] {
        assert_eq!(says(met, &[]), "", "{met}");
    }
    assert_eq!(
        says("{minApprovals: 5000}", &["p2500"]),
        "needs 5000 approvals; only 4999 people are left once p2500 is excluded"
    );
    assert_eq!(
        says("{minDistinctTeams: 2}", &["p4999"]),
        "needs two teams; only Near is left once p4999 is excluded"
    );
    assert_eq!(
        says("{requiredOrgRoles: [late]}", &["p4999"]),
        "needs the role late; nobody with it is left once p4999 is excluded"
    );
    assert_eq!(says("{requiredTeamIds: [near]}", &["p0001"]), "");
}

/// ST10: people satisfy all policies, each as it demands.
#[test]
fn the_oracle_agrees_st10() {
    let cases =
        std::env::var("COUNTERSIGN_ORACLE_CASES").map_or(20_000, |n| n.parse().expect("a number"));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut yes = 0;
    for case in 0..cases {
        let gates: Vec<PinnedPolicy> = (0..=random.below(2)).map(|_| a_gate(&mut random)).collect();
        let decisions = decisions(&mut random);
        let out = random.some(&PEOPLE, 5);
        let excluded = PeopleInvolved(
            out.into_iter()
                .map(|id| (id.into(), Involvement::Author))
                .collect(),
        );
        let expected = by_hand(&gates, &excluded, &decisions);
        assert_eq!(
            all_satisfied(&gates, &excluded, &decisions),
            expected,
            "case {case}: {gates:#?} {excluded:?} {decisions:#?}"
        );
        yes += usize::from(expected);
    }
    assert!(
        yes * 50 > cases,
        "only {yes} of {cases} cases approve: too few to mean anything"
    );
}
