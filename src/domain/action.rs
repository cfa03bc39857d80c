//! The actions that can be gated (docs/policies.md; docs/decisions.md D08).

use super::document::{ActionGroup, CustomAction, Level, Risk};
use super::id::ActionId;
use serde::{Deserialize, Serialize};

/// The action of a change of Countersign's own configuration.
pub const POLICY_UPDATE: &str = "environment.policy_update";

/// The action that starts a break-glass session.
pub const BREAK_GLASS: &str = "break_glass.initiate";

/// How the inbox groups requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the specification's own words")]
pub enum RequestType {
    Release,
    Promotion,
    Rollback,
    Project,
    Cluster,
    Security,
}

impl RequestType {
    /// All request types.
    pub const ALL: [Self; 6] = [
        Self::Release,
        Self::Promotion,
        Self::Rollback,
        Self::Project,
        Self::Cluster,
        Self::Security,
    ];

    /// The word that is stored and displayed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Promotion => "promotion",
            Self::Rollback => "rollback",
            Self::Project => "project",
            Self::Cluster => "cluster",
            Self::Security => "security",
        }
    }
}

/// An action that can be requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The action's id, such as `release.deploy`.
    pub id: ActionId,
    /// The display name.
    pub name: String,
    /// The group, used by break-glass scopes and lists.
    pub group: ActionGroup,
    /// The risk.
    pub risk: Risk,
    /// The resources that a request must name.
    pub requires: Vec<Level>,
    /// The request type under which the inbox lists it.
    pub kind: RequestType,
}

type Row = (
    &'static str,
    &'static str,
    ActionGroup,
    Risk,
    &'static [Level],
    RequestType,
);

/// The built-in actions (docs/policies.md).
const CATALOGUE: [Row; 16] = {
    use ActionGroup as G;
    use Risk::{Critical, High, Medium};
    const INTO: &[Level] = &[Level::Project, Level::Environment];
    const PROJECT: &[Level] = &[Level::Project];
    const ENVIRONMENT: &[Level] = &[Level::Environment];
    const CLUSTER: &[Level] = &[Level::Cluster];
    [
        (
            "release.deploy",
            "Release Deploy",
            G::Project,
            High,
            INTO,
            RequestType::Release,
        ),
        (
            "promotion.execute",
            "Promotion Execute",
            G::Project,
            High,
            INTO,
            RequestType::Promotion,
        ),
        (
            "rollback.execute",
            "Rollback Execute",
            G::Project,
            High,
            INTO,
            RequestType::Rollback,
        ),
        (
            "project.delete",
            "Project Delete",
            G::Project,
            Critical,
            PROJECT,
            RequestType::Project,
        ),
        (
            "environment.freeze",
            "Environment Freeze",
            G::Project,
            Medium,
            ENVIRONMENT,
            RequestType::Project,
        ),
        (
            "environment.unfreeze",
            "Environment Unfreeze",
            G::Project,
            Medium,
            ENVIRONMENT,
            RequestType::Project,
        ),
        (
            POLICY_UPDATE,
            "Environment Policy Update",
            G::Project,
            Medium,
            ENVIRONMENT,
            RequestType::Project,
        ),
        (
            "cluster.sync",
            "Cluster Sync",
            G::Cluster,
            Medium,
            CLUSTER,
            RequestType::Cluster,
        ),
        (
            "cluster.rollback",
            "Cluster Rollback",
            G::Cluster,
            High,
            CLUSTER,
            RequestType::Cluster,
        ),
        (
            "cluster.restart",
            "Cluster Restart",
            G::Cluster,
            High,
            CLUSTER,
            RequestType::Cluster,
        ),
        (
            "cluster.scale",
            "Cluster Scale",
            G::Cluster,
            Medium,
            CLUSTER,
            RequestType::Cluster,
        ),
        (
            "manifest.apply",
            "Manifest Apply",
            G::Cluster,
            High,
            CLUSTER,
            RequestType::Cluster,
        ),
        (
            "command.execute",
            "Command Execution",
            G::Cluster,
            Critical,
            CLUSTER,
            RequestType::Cluster,
        ),
        (
            "resource.delete",
            "Resource Delete",
            G::Cluster,
            Critical,
            CLUSTER,
            RequestType::Cluster,
        ),
        (
            "token.issue",
            "Token Issue",
            G::Cluster,
            Critical,
            CLUSTER,
            RequestType::Cluster,
        ),
        (
            BREAK_GLASS,
            "Break-Glass Initiate",
            G::Security,
            Critical,
            &[],
            RequestType::Security,
        ),
    ]
};

/// The 16 built-in actions.
pub fn catalogue() -> impl Iterator<Item = Action> {
    CATALOGUE
        .iter()
        .map(|&(id, name, group, risk, requires, kind)| Action {
            id: id.into(),
            name: name.to_owned(),
            group,
            risk,
            requires: requires.to_vec(),
            kind,
        })
}

/// Whether a policy gates this action only if it names it. Otherwise, a policy that always applies could prevent its own
/// correction, or the start of a break-glass session (docs/decisions.md D10).
pub fn must_be_named(action: &ActionId) -> bool {
    [POLICY_UPDATE, BREAK_GLASS].contains(&action.as_str())
}

impl From<&CustomAction> for Action {
    fn from(own: &CustomAction) -> Self {
        Self {
            id: own.id.clone(),
            name: own.name.clone(),
            group: own.group,
            risk: own.risk,
            requires: own.requires.clone(),
            kind: match own.group {
                ActionGroup::Project => RequestType::Project,
                ActionGroup::Cluster => RequestType::Cluster,
                ActionGroup::Security => RequestType::Security,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogue_matches_the_specification() {
        let table: Vec<String> = catalogue()
            .map(|action| {
                format!(
                    "{:22} {:26} {:?} {:?} {} {:?}",
                    action.id.as_str(),
                    action.name,
                    action.group,
                    action.risk,
                    action.kind.as_str(),
                    action.requires
                )
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"));
    }
}
