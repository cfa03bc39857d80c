//! Properties that hold for every quorum, every set of decisions and all exclusions.

use super::fixture::{
    NOON, approval, approvals, approvers, directory, excluding, gate, quorum, template,
};
use crate::domain::document::{Approvers, Quorum};
use crate::domain::id::PersonId;
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::preferences::{Absence, Preferences};
use crate::domain::progress::{all_satisfied, evaluate};
use crate::domain::satisfiable::satisfiable;
use crate::domain::smallest::{smallest_set, smallest_set_without};
use crate::domain::time::Span;
use crate::domain::whom::{Asked, whom_to_remind};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const PEOPLE: [&str; 5] = ["alice", "bob", "carol", "dan", "erin"];
const TEAMS: [&str; 3] = ["sre", "security", "payments"];
const ROLES: [&str; 2] = ["tech-lead", "platform-admin"];

fn some<const N: usize>(
    of: [&'static str; N],
    most: usize,
) -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(of.to_vec(), 0..=most)
}

prop_compose! {
    fn a_gate()(
        min_approvals in 1..4_u32,
        min_distinct_teams in 0..3_u32,
        users in some(PEOPLE, 1),
        teams in some(TEAMS, 1),
        roles in some(ROLES, 1),
        named in some(TEAMS, 3),
        anyone in any::<bool>(),
        requester_can_approve in any::<bool>(),
    ) -> PinnedPolicy {
        let mut template = template("gate", Quorum {
            min_approvals,
            min_distinct_teams,
            required_user_ids: users.iter().map(|&id| id.into()).collect(),
            required_team_ids: teams.iter().map(|&id| id.into()).collect(),
            required_org_roles: roles.iter().map(|&id| id.into()).collect(),
        });
        template.requester_can_approve = requester_can_approve;
        template.approvers = if anyone { Some(Approvers::Anyone) } else { Some(approvers(&named, &["erin"])) };
        gate(template)
    }
}

fn gates() -> impl Strategy<Value = Vec<PinnedPolicy>> {
    proptest::collection::vec(a_gate(), 1..4)
}

proptest! {
    #[test]
    fn more_approvals_never_unapprove(gates in gates(), by in some(PEOPLE, 5), more in some(PEOPLE, 5), out in some(PEOPLE, 2)) {
        let (excluded, fewer) = (excluding(&out), approvals(&by));
        let mut decisions = fewer.clone();
        decisions.extend(more.iter().filter(|id| !by.contains(id)).map(|id| approval(&directory(), id)));
        prop_assert!(!all_satisfied(&gates, &excluded, &fewer) || all_satisfied(&gates, &excluded, &decisions));
    }

    #[test]
    fn order_never_matters(gates in gates(), by in some(PEOPLE, 5).prop_shuffle(), out in some(PEOPLE, 2)) {
        let excluded = excluding(&out);
        let mut sorted = by.clone();
        sorted.sort_unstable();
        let facts = |by: &[&str]| {
            let verdicts = evaluate(&gates, &excluded, &approvals(by), &directory());
            verdicts.into_iter().map(|v| (v.have, v.satisfied, v.missing)).collect::<Vec<_>>()
        };
        prop_assert_eq!(facts(&by), facts(&sorted));
    }

    /// AP2, B22: no approval of an excluded person counts, unless every policy lets the requester approve.
    #[test]
    fn the_excluded_never_count_unless_all_policies_say_so_ap2(gates in gates(), by in some(PEOPLE, 5), out in some(PEOPLE, 5)) {
        let others: Vec<&str> = by.iter().copied().filter(|id| !out.contains(id)).collect();
        let lifted = gates.iter().all(|gate| gate.template.requester_can_approve);
        // everyone approves, including the excluded people; the result must be the same as if only the others had
        let with_the_excluded = all_satisfied(&gates, &excluding(&out), &approvals(&by));
        let counted = if lifted { by } else { others };
        let nobody_excluded = all_satisfied(&gates, &excluding(&[]), &approvals(&counted));
        prop_assert_eq!(with_the_excluded, nobody_excluded);
    }

    #[test]
    fn all_satisfied_agrees_with_the_explanation(gates in gates(), by in some(PEOPLE, 5), out in some(PEOPLE, 2)) {
        let (excluded, decisions) = (excluding(&out), approvals(&by));
        let verdicts = evaluate(&gates, &excluded, &decisions, &directory());
        prop_assert_eq!(all_satisfied(&gates, &excluded, &decisions), verdicts.iter().all(|v| v.satisfied));
        prop_assert!(verdicts.iter().all(|v| v.satisfied == v.missing.is_empty()));
    }

    #[test]
    fn the_smallest_set_completes_and_none_smaller_does(gates in gates(), by in some(PEOPLE, 3), out in some(PEOPLE, 2)) {
        let (excluded, decisions, directory) = (excluding(&out), approvals(&by), directory());
        let completes = |set: &[&str]| {
            let mut decisions = decisions.clone();
            decisions.extend(set.iter().map(|id| approval(&directory, id)));
            all_satisfied(&gates, &excluded, &decisions)
        };
        let free: Vec<&str> = PEOPLE.iter().copied().filter(|id| !by.contains(id)).collect();
        let sets = (0..1_usize << free.len()).map(|bits| {
            free.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, id)| *id).collect::<Vec<_>>()
        });
        let least = sets.filter(|set| completes(set)).map(|set| set.len()).min();
        prop_assert_eq!(satisfiable(&gates, &excluded, &decisions, &directory), least.is_some());
        let found = smallest_set(&gates, &excluded, &decisions, &directory);
        prop_assert_eq!(found.len(), least.unwrap_or(0));
        if least.is_some() {
            let found: Vec<&str> = found.iter().map(AsRef::as_ref).collect();
            prop_assert!(completes(&found));
        }
    }

    /// Whoever is away is asked only if the others could not complete the request; their delegate is told instead of them.
    #[test]
    fn the_absent_are_not_asked_first(
        gates in gates(), by in some(PEOPLE, 3), out in some(PEOPLE, 2), away in some(PEOPLE, 3), delegate in 0..6_usize,
    ) {
        let (excluded, decisions, directory) = (excluding(&out), approvals(&by), directory());
        let delegate = PEOPLE.get(delegate).filter(|id| !away.contains(id)).map(|id| PersonId::from(*id));
        let away: BTreeSet<PersonId> = away.iter().map(|id| PersonId::from(*id)).collect();
        let until = NOON.plus(Span::hours(1));
        let absent = Preferences { away: Some(Absence { until, delegate: delegate.clone() }), ..Preferences::default() };
        let preferences = away.iter().map(|id| (id.clone(), absent.clone())).collect();
        let at = |now| whom_to_remind(&gates, &excluded, &decisions, &directory, &preferences, now);
        let usual = smallest_set(&gates, &excluded, &decisions, &directory);
        let without = smallest_set_without(&gates, &excluded, &decisions, &directory, &away.iter().collect());
        prop_assert_eq!(at(until).into_iter().map(|asked| asked.to).collect::<Vec<_>>(), usual.clone());
        let told = at(NOON);
        prop_assert_eq!(told.is_empty(), usual.is_empty());
        for Asked { to, instead_of } in told {
            match instead_of {
                Some(who) => prop_assert!(away.contains(&who) && usual.contains(&who) && Some(to) == delegate),
                None if away.contains(&to) => prop_assert!(without.is_empty()),
                None => prop_assert!(usual.contains(&to) || without.contains(&to)),
            }
        }
    }
}

#[test]
fn delegate_who_is_away_is_not_asked() {
    let gates = [quorum("{minApprovals: 1, requiredTeamIds: [sre]}")];
    let until = NOON.plus(Span::hours(1));
    let away = |delegate: Option<&str>| Preferences {
        away: Some(Absence {
            until,
            delegate: delegate.map(PersonId::from),
        }),
        ..Preferences::default()
    };
    let asked = |preferences: BTreeMap<PersonId, Preferences>| {
        let (excluded, directory) = (excluding(&["erin"]), directory());
        let told = whom_to_remind(&gates, &excluded, &[], &directory, &preferences, NOON);
        told.into_iter()
            .map(|one| (one.to.to_string(), one.instead_of.is_some()))
            .collect::<Vec<_>>()
    };
    let alice = || ("alice".into(), away(Some("dan")));
    let dan = || ("dan".into(), away(None));
    let told = |to: &str, is_instead: bool| (to.to_owned(), is_instead);
    assert_eq!(asked([].into()), [told("alice", false)]);
    assert_eq!(
        asked([alice()].into()),
        [told("bob", false), told("dan", true)]
    );
    assert_eq!(asked([alice(), dan()].into()), [told("bob", false)]);
}
