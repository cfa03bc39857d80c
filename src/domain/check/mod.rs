//! Checks whether a configuration makes sense (docs/decisions.md D14, D37). All config errors are reported at once, each with its
//! path and a hint.

mod bindings;
mod console;
mod decide_on;
mod directory;
mod edges;
mod email;
pub mod notifications;
mod policies;
mod text;

use super::action::Action;
use super::compiled_config::ConfigError;
use super::document::{ConfigDocument, Level, People};
use super::id::{ActionId, PersonId, RoleId, TeamId};
use super::people::Directory;
use super::resources::Registry;
use super::suggestion::Suggestions;
use std::collections::HashMap;
use std::fmt::Display;

/// Checks a whole document.
pub(super) fn document(
    document: &ConfigDocument,
    directory: &Directory,
    registry: &Registry,
    actions: &[Action],
) -> Vec<ConfigError> {
    let mut checks = Checks {
        document,
        directory,
        registry,
        actions,
        problems: Vec::new(),
        suggestions: Suggestions::default(),
    };
    checks.name("organization", &document.organization);
    checks.resources();
    checks.people_and_teams();
    checks.own_actions();
    checks.policies();
    checks.bindings();
    checks.routes();
    checks.services();
    checks.webhooks();
    checks.reminders();
    checks.notifications();
    checks.email();
    checks.console();
    checks.break_glass();
    checks.administrators();
    checks.decide_on();
    checks.problems
}

/// The checks of one document.
struct Checks<'a> {
    document: &'a ConfigDocument,
    directory: &'a Directory,
    registry: &'a Registry,
    actions: &'a [Action],
    problems: Vec<ConfigError>,
    suggestions: Suggestions,
}

impl Checks<'_> {
    fn problem(&mut self, path: impl Display, message: impl Into<String>) {
        self.problems.push(ConfigError {
            path: path.to_string(),
            message: message.into(),
        });
    }

    fn expect(&mut self, path: impl Display, result: Result<(), String>) {
        if let Err(message) = result {
            self.problem(path, message);
        }
    }

    /// Checks the ids of one list: each is well formed and unique, and no two differ only in case.
    fn ids<'b>(&mut self, list: &str, field: &str, ids: impl Iterator<Item = &'b str>) {
        let mut seen: HashMap<String, String> = HashMap::new();
        for (at, id) in ids.enumerate() {
            let path = format!("{list}[{at}]{field}");
            self.expect(&path, text::id(id));
            if let Some(other) = seen.insert(id.to_lowercase(), id.to_owned()) {
                let message = if other == id {
                    format!("`{id}` stands twice in {list}")
                } else {
                    format!("`{id}` differs from `{other}` in case alone; choose another id")
                };
                self.problem(path, message);
            }
        }
    }

    fn name(&mut self, path: impl Display, name: &str) {
        self.expect(path, text::name(name));
    }

    /// Checks that people, teams and roles exist.
    fn named(&mut self, path: &str, people: &People) {
        self.users(&format!("{path}.users"), &people.users);
        self.teams(&format!("{path}.teams"), &people.teams);
        self.roles(&format!("{path}.orgRoles"), &people.org_roles);
    }

    fn users(&mut self, path: &str, users: &[PersonId]) {
        for (at, id) in users.iter().enumerate() {
            let result = self.user(id);
            self.expect(format!("{path}[{at}]"), result);
        }
    }

    /// Checks that a person exists. If all members of the workspace are people, any Slack user id is accepted.
    fn user(&self, id: &PersonId) -> Result<(), String> {
        let from_slack = self.document.directory.slack.members && text::slack_id(id.as_str(), "UW");
        if from_slack || self.directory.person(id).is_some() {
            return Ok(());
        }
        let known = self.directory.people().map(|person| person.id.as_str());
        Err(self.suggestions.unknown("person", id.as_str(), known))
    }

    fn teams(&mut self, path: &str, teams: &[TeamId]) {
        for (at, id) in teams.iter().enumerate() {
            if self
                .document
                .directory
                .teams
                .iter()
                .all(|team| team.id != *id)
            {
                let known = self
                    .document
                    .directory
                    .teams
                    .iter()
                    .map(|team| team.id.as_str());
                let message = self.suggestions.unknown("team", id.as_str(), known);
                self.problem(format!("{path}[{at}]"), message);
            }
        }
    }

    fn roles(&mut self, path: &str, roles: &[RoleId]) {
        for (at, id) in roles.iter().enumerate() {
            if self.directory.roles().all(|role| role != id) {
                let known = self.directory.roles().map(RoleId::as_str);
                let message = format!(
                    "{} (no person has it in `orgRoles`)",
                    self.suggestions.unknown("role", id.as_str(), known)
                );
                self.problem(format!("{path}[{at}]"), message);
            }
        }
    }

    fn resource(&self, level: Level, name: &str) -> Result<(), String> {
        if self.registry.has(level, name) {
            return Ok(());
        }
        let known = self.registry.names(level);
        Err(self.suggestions.unknown(level.as_str(), name, known))
    }

    fn action_known(&self, id: &ActionId) -> Result<(), String> {
        if self.actions.iter().any(|action| action.id == *id) {
            return Ok(());
        }
        let known = self.actions.iter().map(|action| action.id.as_str());
        Err(self.suggestions.unknown("action", id.as_str(), known))
    }

    /// Whether these people may include some whom only Slack knows.
    fn open_ended(&self, people: &People) -> bool {
        let groups = |id: &TeamId| {
            let teams = &self.document.directory.teams;
            teams
                .iter()
                .any(|team| team.id == *id && team.slack_user_group.is_some())
        };
        self.document.directory.slack.members || people.teams.iter().any(groups)
    }
}
