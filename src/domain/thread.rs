//! Which lines the thread of a card still lacks. The list is derived from the request, so that a line is posted once, however often
//! somebody asks for it, and an outage ends with one message instead of many.

use super::decision::Decision;
use super::id::PersonId;
use super::people::Directory;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What was posted in a thread.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PostedLines {
    /// The approvers whose decisions were posted.
    pub decisions: BTreeSet<PersonId>,
    /// The number of the last reminder that was posted.
    pub reminder: u32,
}

impl PostedLines {
    /// The decisions that are still to be posted, in their order. A person who was known only as a member of the workspace, and is
    /// listed by now, is not posted a second time.
    pub fn missing<'a>(
        &self,
        decisions: &'a [Decision],
        directory: &Directory,
    ) -> Vec<&'a Decision> {
        let posted: BTreeSet<&PersonId> = self
            .decisions
            .iter()
            .map(|id| directory.canonical(id))
            .collect();
        let is_new = |decision: &&Decision| !posted.contains(directory.canonical(&decision.by));
        decisions.iter().filter(is_new).collect()
    }

    /// What was posted after these decisions and this reminder were posted as well.
    #[must_use]
    pub fn with(&self, posted: &[&Decision], reminder: u32) -> Self {
        let mut all = self.clone();
        all.reminder = all.reminder.max(reminder);
        all.decisions
            .extend(posted.iter().map(|decision| decision.by.clone()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::{DecisionKind, Via};
    use crate::domain::time::Timestamp;
    use proptest::prelude::*;

    fn decision(by: &str) -> Decision {
        Decision {
            by: by.into(),
            verdict: DecisionKind::Approve,
            comment: None,
            teams: BTreeSet::new(),
            roles: BTreeSet::new(),
            at: Timestamp(0),
            via: Via::Button,
            fresh_sign_in: false,
            author_left: false,
        }
    }

    proptest! {
        /// However decisions and posts interleave, each decision is posted exactly once.
        #[test]
        fn each_decision_is_posted_once(posts in proptest::collection::vec(0_usize..8, 0..12)) {
            let directory = Directory::default();
            let all: Vec<Decision> = (0..8).map(|n| decision(&format!("p{n}"))).collect();
            let (mut stored, mut posted) = (PostedLines::default(), Vec::new());
            let mut there = 0;
            for more in posts.into_iter().chain([8]) {
                there = (there + more).min(all.len());
                let missing = stored.missing(&all[..there], &directory);
                posted.extend(missing.iter().map(|one| one.by.clone()));
                stored = stored.with(&missing, 0);
                prop_assert!(stored.missing(&all[..there], &directory).is_empty());
            }
            prop_assert_eq!(posted, all.iter().map(|one| one.by.clone()).collect::<Vec<_>>());
        }
    }
}
