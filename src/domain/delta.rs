//! The difference between two configurations, list by list. It lets an edit among thousands of policies be stored, announced and
//! audited by its changes alone.

use super::document::{
    Binding, ClusterDocument, ConfigDocument, DirectoryDocument, PolicyTemplate, Resources, Route,
    Routes, TeamDocument, UserDocument,
};
use super::id::{EnvironmentId, ProjectId};
use serde::{Deserialize, Serialize};

/// Turns a list into an older one: `first` items at the start and `last` items at the end are the same, and the older list has
/// `items` between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Splice<T> {
    first: usize,
    last: usize,
    items: Vec<T>,
}

impl<T: Clone + PartialEq> Splice<T> {
    fn of(older: &[T], newer: &[T]) -> Self {
        let first = alike(older.iter().zip(newer));
        let last = alike(older[first..].iter().rev().zip(newer[first..].iter().rev()));
        Self {
            first,
            last,
            items: older[first..older.len() - last].to_vec(),
        }
    }

    /// The older list; `None` if `newer` is not the list that the splice was computed from.
    fn onto(self, newer: &[T]) -> Option<Vec<T>> {
        let end = newer.len().checked_sub(self.last)?;
        let mut list = newer.get(..self.first)?.to_vec();
        list.extend(self.items);
        list.extend_from_slice(newer.get(end.max(self.first)..)?);
        (end >= self.first).then_some(list)
    }
}

/// How many pairs at the start are equal.
fn alike<T: PartialEq>(pairs: impl Iterator<Item = (T, T)>) -> usize {
    pairs.take_while(|(one, other)| one == other).count()
}

/// The lists that can be long, each with its item type and its path in a document.
macro_rules! long_lists {
    ($($name:ident: $item:ty = $($path:ident).+;)*) => {
        /// Turns a configuration into the version before it.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct Delta {
            /// The older document without its long lists.
            rest: ConfigDocument,
            $($name: Splice<$item>,)*
        }

        impl Delta {
            /// The delta that turns `newer` into `older`.
            pub fn of(older: &ConfigDocument, newer: &ConfigDocument) -> Self {
                Self {
                    rest: rest(older),
                    $($name: Splice::of(&older.$($path).+, &newer.$($path).+),)*
                }
            }

            /// The older document; `None` if `newer` is not the document that the delta was computed from.
            pub fn older(self, newer: &ConfigDocument) -> Option<ConfigDocument> {
                let mut older = self.rest;
                $(older.$($path).+ = self.$name.onto(&newer.$($path).+)?;)*
                Some(older)
            }
        }

        /// Both documents, without the common starts and ends of their long lists.
        pub(super) fn changed_parts(before: &ConfigDocument, after: &ConfigDocument) -> (ConfigDocument, ConfigDocument) {
            let (mut old, mut new) = (rest(before), rest(after));
            $(
                old.$($path).+ = Splice::of(&before.$($path).+, &after.$($path).+).items;
                new.$($path).+ = Splice::of(&after.$($path).+, &before.$($path).+).items;
            )*
            (old, new)
        }
    };
}

long_lists! {
    environments: EnvironmentId = resources.environments;
    projects: ProjectId = resources.projects;
    clusters: ClusterDocument = resources.clusters;
    users: UserDocument = directory.users;
    teams: TeamDocument = directory.teams;
    policies: PolicyTemplate = policies;
    bindings: Binding = bindings;
    route_rules: Route = routes.rules;
}

/// A document without its long lists.
fn rest(document: &ConfigDocument) -> ConfigDocument {
    ConfigDocument {
        email: document.email.clone(),
        organization: document.organization.clone(),
        resources: Resources::default(),
        directory: DirectoryDocument {
            slack: document.directory.slack.clone(),
            users: Vec::new(),
            teams: Vec::new(),
        },
        policies: Vec::new(),
        bindings: Vec::new(),
        routes: Routes {
            default: document.routes.default.clone(),
            rules: Vec::new(),
        },
        services: document.services.clone(),
        actions: document.actions.clone(),
        webhooks: document.webhooks.clone(),
        limits: document.limits.clone(),
        reminders: document.reminders.clone(),
        notifications: document.notifications.clone(),
        console: document.console.clone(),
        break_glass: document.break_glass.clone(),
        administrators: document.administrators.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn document(policies: &[u8], projects: &[u8]) -> ConfigDocument {
        let text = serde_json::json!({
            "organization": "acme",
            "resources": {"projects": projects.iter().map(|n| format!("p{n}")).collect::<Vec<_>>()},
            "policies": policies.iter().map(|n| serde_json::json!({
                "id": format!("policy-{n}"), "name": format!("Policy {n}"), "scope": "project",
            })).collect::<Vec<_>>(),
        });
        serde_json::from_value(text).expect("a document")
    }

    proptest! {
        #[test]
        fn every_older_version_is_made_again_r26(
            old in proptest::collection::vec(0u8..5, 0..8), new in proptest::collection::vec(0u8..5, 0..8),
            old_projects in proptest::collection::vec(0u8..3, 0..4), new_projects in proptest::collection::vec(0u8..3, 0..4),
        ) {
            let (older, newer) = (document(&old, &old_projects), document(&new, &new_projects));
            let text = serde_json::to_string(&Delta::of(&older, &newer)).expect("JSON");
            let read: Delta = serde_json::from_str(&text).expect("it reads back");
            prop_assert_eq!(read.older(&newer), Some(older));
        }
    }

    #[test]
    fn a_delta_is_as_large_as_the_edit_r26() {
        let all: Vec<u8> = (0..200).collect();
        let older = document(&all, &[]);
        let mut newer = older.clone();
        newer.policies[100].name = "Another name".to_owned();
        let delta = Delta::of(&older, &newer);
        assert_eq!(delta.policies.items.len(), 1);
        let (before, after) = changed_parts(&older, &newer);
        assert_eq!((before.policies.len(), after.policies.len()), (1, 1));
        // another document is refused, because the result would be a version that never existed
        assert_eq!(delta.older(&document(&[1], &[])), None);
    }
}
