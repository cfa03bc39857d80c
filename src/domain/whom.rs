//! Whom a reminder is for: the smallest set of people who could complete the request, so that nobody is asked who is not needed.
//! Nothing here decides who may approve.

use super::decision::Decision;
use super::eligibility::PeopleInvolved;
use super::id::PersonId;
use super::people::Directory;
use super::pinned_policy::PinnedPolicy;
use super::preferences::Preferences;
use super::smallest::{smallest_set, smallest_set_without};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody to remind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The person who is told.
    pub to: PersonId,
    /// The person who is away and for whom they are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<PersonId>,
}

/// Whom to remind of a request. People who are away are not asked as long as others can complete the request. The delegate of
/// somebody who would have been asked is told instead of them.
pub fn whom_to_remind(
    gates: &[PinnedPolicy],
    excluded: &PeopleInvolved,
    decisions: &[Decision],
    directory: &Directory,
    preferences: &BTreeMap<PersonId, Preferences>,
    now: Timestamp,
) -> Vec<Asked> {
    let absences: BTreeMap<&PersonId, Option<&PersonId>> = preferences
        .iter()
        .filter_map(|(id, wishes)| Some((id, wishes.absence(now)?.delegate.as_ref())))
        .collect();
    let usual = smallest_set(gates, excluded, decisions, directory);
    if usual.iter().all(|id| !absences.contains_key(id)) {
        return usual.into_iter().map(asked).collect();
    }
    let away: BTreeSet<&PersonId> = absences.keys().copied().collect();
    let present = smallest_set_without(gates, excluded, decisions, directory, &away);
    let delegate_of = |id: &PersonId| {
        let delegate = absences.get(id).copied().flatten();
        delegate.filter(|to| directory.is_active(to) && !absences.contains_key(to))
    };
    let mut told: BTreeMap<PersonId, Asked> = BTreeMap::new();
    for id in &usual {
        if let Some(to) = delegate_of(id) {
            let instead_of = Some(id.clone());
            let to = to.clone();
            told.entry(to.clone()).or_insert(Asked { to, instead_of });
        }
    }
    let rest = if present.is_empty() { &usual } else { &present };
    for id in rest.iter().filter(|id| delegate_of(id).is_none()) {
        told.insert(id.clone(), asked(id.clone()));
    }
    told.into_values().collect()
}

fn asked(to: PersonId) -> Asked {
    Asked {
        to,
        instead_of: None,
    }
}
