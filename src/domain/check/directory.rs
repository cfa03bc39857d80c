//! Checks resources, people, teams, services and administrators.

use super::{Checks, text};
use crate::domain::document::{OidcIdentity, People, SlackIdentity, UserDocument};
use crate::domain::id::{ClusterId, EnvironmentId, PersonId, ProjectId};
use crate::domain::people::SlackKey;
use std::collections::HashMap;

impl Checks<'_> {
    pub(super) fn resources(&mut self) {
        let resources = &self.document.resources;
        let environments = resources.environments.iter().map(EnvironmentId::as_str);
        self.ids("resources.environments", "", environments);
        self.ids(
            "resources.projects",
            "",
            resources.projects.iter().map(ProjectId::as_str),
        );
        let clusters = resources.clusters.iter().map(|cluster| &cluster.id);
        self.ids("resources.clusters", ".id", clusters.map(ClusterId::as_str));
        for (at, cluster) in resources.clusters.iter().enumerate() {
            let result = self
                .registry
                .environment(cluster.environment.as_str())
                .map(drop);
            self.expect(format!("resources.clusters[{at}].environment"), result);
        }
    }

    pub(super) fn people_and_teams(&mut self) {
        let directory = &self.document.directory;
        self.ids(
            "directory.users",
            ".id",
            directory.users.iter().map(|user| user.id.as_str()),
        );
        let mut accounts: HashMap<SlackKey, &PersonId> = HashMap::new();
        let mut identities: HashMap<&OidcIdentity, &PersonId> = HashMap::new();
        for (at, user) in directory.users.iter().enumerate() {
            let path = format!("directory.users[{at}]");
            self.name(format!("{path}.name"), &user.name);
            for (at, role) in user.org_roles.iter().enumerate() {
                self.expect(format!("{path}.orgRoles[{at}]"), text::id(role.as_str()));
            }
            self.accounts(&path, user, &mut accounts);
            self.oidc_identities(&path, user, &mut identities);
        }
        self.ids(
            "directory.teams",
            ".id",
            directory.teams.iter().map(|team| team.id.as_str()),
        );
        let mut groups: HashMap<&str, &str> = HashMap::new();
        for (at, team) in directory.teams.iter().enumerate() {
            let path = format!("directory.teams[{at}]");
            self.name(format!("{path}.name"), &team.name);
            self.users(&format!("{path}.members"), &team.members);
            let Some(group) = team.slack_user_group.as_deref() else {
                continue;
            };
            let path = format!("{path}.slackUserGroup");
            if !text::slack_id(group, "S") {
                self.problem(
                    path,
                    format!(
                        "`{}` is no id of a user group; it begins with S",
                        group.escape_debug()
                    ),
                );
            } else if let Some(other) = groups.insert(group, team.id.as_str()) {
                self.problem(path, format!("`{group}` is the group of `{other}` already"));
            }
        }
    }

    fn accounts<'b>(
        &mut self,
        path: &str,
        user: &'b UserDocument,
        accounts: &mut HashMap<SlackKey, &'b PersonId>,
    ) {
        for (at, identity) in user.slack.0.iter().enumerate() {
            let path = match user.slack.0.len() {
                1 => format!("{path}.slack"),
                _ => format!("{path}.slack[{at}]"),
            };
            if let Err(message) = account(identity) {
                self.problem(path, message);
                continue;
            }
            let Some(key) = SlackKey::of(identity) else {
                continue;
            };
            if let Some(other) = accounts.insert(key, &user.id) {
                let message = format!(
                    "this Slack account is `{other}` already; two people may not share one"
                );
                self.problem(path, message);
            }
        }
    }

    pub(super) fn services(&mut self) {
        let services = &self.document.services;
        self.ids(
            "services",
            ".id",
            services.iter().map(|service| service.id.as_str()),
        );
        for (at, service) in services.iter().enumerate() {
            self.users(&format!("services[{at}].owners"), &service.owners);
        }
    }

    pub(super) fn administrators(&mut self) {
        let named = &self.document.administrators;
        let people = People {
            users: named.users.clone(),
            teams: named.teams.clone(),
            org_roles: named.org_roles.clone(),
        };
        self.named("administrators", &people);
        for (at, id) in named.services.iter().enumerate() {
            let services = &self.document.services;
            if services.iter().all(|service| service.id != *id) {
                let known = services.iter().map(|service| service.id.as_str());
                let message = self.suggestions.unknown("service", id.as_str(), known);
                self.problem(format!("administrators.services[{at}]"), message);
            }
        }
    }
}

/// A Slack account names a user, and either a workspace or an enterprise.
fn account(identity: &SlackIdentity) -> Result<(), String> {
    let tenant = match (&identity.team_id, &identity.enterprise_id) {
        (Some(team), None) => text::slack_id(team, "T"),
        (None, Some(enterprise)) => text::slack_id(enterprise, "E"),
        (None, None) => {
            return Err(
                "needs a `teamId` (T..), or in an Enterprise Grid an `enterpriseId` (E..)"
                    .to_owned(),
            );
        }
        (Some(_), Some(_)) => {
            return Err(
                "has both `teamId` and `enterpriseId`; keep `enterpriseId` where there is one"
                    .to_owned(),
            );
        }
    };
    if !tenant {
        return Err(
            "a `teamId` begins with T and an `enterpriseId` with E, then capitals and digits"
                .to_owned(),
        );
    }
    if !text::slack_id(&identity.user_id, "UW") {
        return Err(format!(
            "the userId `{}` is no Slack id; it begins with U or W, then capitals and digits",
            identity.user_id.escape_debug()
        ));
    }
    Ok(())
}
