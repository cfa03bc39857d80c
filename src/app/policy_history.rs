//! How a policy came to be what it is: the versions of the configuration that changed it, or where it is bound.

use super::config::nothing;
use super::{App, AppError};
use crate::domain::diff::{Difference, diff};
use crate::domain::document::{Binding, ConfigDocument, PolicyTemplate};
use crate::domain::id::PolicyId;
use crate::domain::principal::Principal;
use crate::store::{ConfigVersion, StoreError};

/// How many versions of the configuration one call compares.
const VERSIONS_COMPARED: usize = 32;

/// A version of the configuration that changed a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyChange {
    /// Which, when, by whom, and why.
    pub made: ConfigVersion,
    /// The number of the request that made it, if it was gated.
    pub request: Option<i64>,
    /// What it changed of the policy and its bindings.
    pub difference: Difference,
}

/// Changes of a policy, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyHistory {
    /// The changes.
    pub changes: Vec<PolicyChange>,
    /// Below this version the history goes on.
    pub next: Option<i64>,
    /// Whether this release cannot read the version before these.
    pub is_cut: bool,
}

impl App {
    /// The versions that changed a policy, among the latest ones with a number below `below`.
    pub async fn policy_history(
        &self,
        policy: &PolicyId,
        below: Option<i64>,
    ) -> Result<PolicyHistory, AppError> {
        let config = self.compiled_config().await?;
        let below = below.unwrap_or(i64::MAX).min(config.version() + 1);
        let mut tx = self.0.db.read().await?;
        let most = i64::try_from(VERSIONS_COMPARED).unwrap_or(i64::MAX);
        let versions = tx.config_versions_below(below, most + 1).await?;
        let mut history = PolicyHistory::default();
        let Some(newest) = versions.first() else {
            return Ok(history);
        };
        let mut after = if newest.version == config.version() {
            config.document().clone()
        } else {
            match readable(tx.config_at(newest.version).await)? {
                Some(document) => document,
                None => return Ok(cut(history)),
            }
        };
        for (place, made) in versions.iter().take(VERSIONS_COMPARED).enumerate() {
            let before = match versions.get(place + 1) {
                None => nothing(),
                Some(older) => match readable(tx.config_before(older.version, &after).await)? {
                    Some(document) => document,
                    None => return Ok(cut(history)),
                },
            };
            if let Some(difference) = difference(policy, &before, &after) {
                let request = match made.actor {
                    Principal::Bot => tx.request_that_made(made).await?,
                    _ => None,
                };
                history.changes.push(PolicyChange {
                    made: made.clone(),
                    request,
                    difference,
                });
            }
            after = before;
        }
        let next = versions.get(VERSIONS_COMPARED);
        history.next = next.map(|version| version.version + 1);
        Ok(history)
    }
}

/// An unreadable version is missing from the display, and nothing else.
fn readable(
    document: Result<Option<ConfigDocument>, StoreError>,
) -> Result<Option<ConfigDocument>, AppError> {
    match document {
        Err(StoreError::Unreadable(_)) => Ok(None),
        other => Ok(other?),
    }
}

fn cut(history: PolicyHistory) -> PolicyHistory {
    PolicyHistory {
        is_cut: true,
        ..history
    }
}

/// What two versions say differently of one policy; everything else counts as it was before.
fn difference(
    policy: &PolicyId,
    before: &ConfigDocument,
    after: &ConfigDocument,
) -> Option<Difference> {
    let (old, new) = (part(before, policy), part(after, policy));
    if old == new {
        return None;
    }
    let mut before = before.clone();
    (before.policies, before.bindings) = old;
    let mut after = before.clone();
    (after.policies, after.bindings) = new;
    Some(diff(&before, &after))
}

fn part(document: &ConfigDocument, policy: &PolicyId) -> (Vec<PolicyTemplate>, Vec<Binding>) {
    let policies = document.policies.iter().filter(|one| one.id == *policy);
    let bindings = document.bindings.iter().filter(|one| one.policy == *policy);
    (policies.cloned().collect(), bindings.cloned().collect())
}
