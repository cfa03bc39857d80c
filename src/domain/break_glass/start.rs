//! Validates the start of a session. All violations are returned together.

use super::scope::{ScopeAction, SessionScope};
use crate::domain::action::must_be_named;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::{BreakGlassConfig, Level};
use crate::domain::id::{ActionId, PersonId, SessionId};
use crate::domain::principal::Principal;
use crate::domain::text;
use crate::domain::time::Span;
use crate::domain::violation::{AskField, NameKind, UnknownName, Violation, ViolationCode};
use serde::{Deserialize, Serialize};

/// Minimum number of letters and digits of a justification: a single word is enough, a single character is not.
const REASON_MIN_LETTERS: usize = 5;
/// Maximum number of names in one list; a larger session should name environments instead.
const NAME_LIMIT: usize = 200;

/// The unvalidated input of a session start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionAsk {
    /// The justification.
    pub reason: String,
    /// Action ids, and the groups `project` and `cluster`.
    pub actions: Vec<String>,
    /// Only these projects.
    pub projects: Option<Vec<String>>,
    /// Only these clusters.
    pub clusters: Option<Vec<String>>,
    /// Only these environments.
    pub environments: Option<Vec<String>>,
    /// The duration; if left out, the minimum duration.
    pub duration: Option<Span>,
    /// Who may act under the session: people by id, services as `service:ci`. If empty, the initiator.
    pub responders: Vec<String>,
}

/// A valid start. If policies gate it, this is the payload that people approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionStart {
    /// The id of the session to start.
    pub session: SessionId,
    /// The justification, trimmed.
    pub reason: String,
    /// Actions and resources that the session covers.
    pub scope: SessionScope,
    /// Who may act under the session.
    pub responders: Vec<Principal>,
    /// How long the session lasts.
    pub duration: Span,
}

impl CompiledConfig {
    /// Validates the input of a session start.
    pub fn read_start(
        &self,
        ask: &SessionAsk,
        initiator: &PersonId,
        settings: &BreakGlassConfig,
        session: SessionId,
    ) -> Result<SessionStart, Vec<Violation>> {
        let mut broken = Vec::new();
        let start = SessionStart {
            session,
            reason: text::with_plain_line_ends(&ask.reason).trim().to_owned(),
            scope: SessionScope {
                actions: Self::scope_actions(ask, &mut broken),
                projects: Self::names(Level::Project, ask.projects.as_deref(), &mut broken),
                clusters: Self::names(Level::Cluster, ask.clusters.as_deref(), &mut broken),
                environments: Self::names(
                    Level::Environment,
                    ask.environments.as_deref(),
                    &mut broken,
                ),
            },
            responders: self.responders(ask, initiator, &mut broken),
            duration: ask.duration.unwrap_or(settings.min_duration),
        };
        broken.extend(reason_trouble(&start.reason));
        broken.extend(self.start_troubles(&start, settings));
        if broken.is_empty() {
            Ok(start)
        } else {
            Err(broken)
        }
    }

    /// What may have become invalid since the start was requested: its limits, and names that no longer exist.
    pub fn start_troubles(
        &self,
        start: &SessionStart,
        settings: &BreakGlassConfig,
    ) -> Vec<Violation> {
        let mut broken = Vec::new();
        let SessionStart {
            scope, duration, ..
        } = start;
        if *duration < settings.min_duration || settings.max_duration < *duration {
            let message = format!(
                "a session lasts from {} to {}, not {duration}",
                settings.min_duration, settings.max_duration
            );
            broken.push(Violation::new(
                AskField::Duration,
                ViolationCode::Duration,
                message,
            ));
        }
        if scope.projects.is_none() && scope.clusters.is_none() && scope.environments.is_none() {
            let message = "the scope names no resource; name projects, clusters or environments besides its actions";
            broken.push(scope_violation(AskField::Action, message));
        }
        for action in &scope.actions {
            if let ScopeAction::Action(id) = action {
                broken.extend(self.action_trouble(id));
            }
        }
        let projects = scope.projects.iter().flatten();
        let clusters = scope.clusters.iter().flatten();
        let environments = scope.environments.iter().flatten();
        let named = projects
            .map(|id| (Level::Project, id.as_str()))
            .chain(clusters.map(|id| (Level::Cluster, id.as_str())))
            .chain(environments.map(|id| (Level::Environment, id.as_str())));
        broken.extend(named.filter_map(|(level, name)| {
            let unknown = !self.registry().has(level, name);
            unknown.then(|| Violation::unknown_resource(level, name))
        }));
        broken
    }

    fn scope_actions(ask: &SessionAsk, broken: &mut Vec<Violation>) -> Vec<ScopeAction> {
        if ask.actions.is_empty() || ask.actions.len() > NAME_LIMIT {
            let message = format!(
                "the scope names 1 to {NAME_LIMIT} actions, such as cluster.restart, or the groups `project` and `cluster`"
            );
            broken.push(scope_violation(AskField::Action, message));
            return Vec::new();
        }
        let mut actions: Vec<ScopeAction> = Vec::new();
        for name in &ask.actions {
            let action = ScopeAction::from(name.clone());
            if !actions.contains(&action) {
                actions.push(action);
            }
        }
        actions
    }

    /// A session can never cover a configuration change or the start of another session (threat OP6).
    fn action_trouble(&self, id: &ActionId) -> Option<Violation> {
        if must_be_named(id) {
            let message = format!("{id} can never be covered by a session");
            return Some(scope_violation(AskField::Action, message));
        }
        if self.action(id).is_some() {
            return None;
        }
        let unknown = UnknownName {
            kind: NameKind::SessionAction,
            name: id.as_str().to_owned(),
        };
        Some(Violation::unknown(
            AskField::Action,
            ViolationCode::UnknownAction,
            "action",
            unknown,
        ))
    }

    /// A list that is given must not be empty: an empty list computed by a script must not widen the session.
    fn names<T>(
        level: Level,
        given: Option<&[String]>,
        broken: &mut Vec<Violation>,
    ) -> Option<Vec<T>>
    where
        T: for<'a> From<&'a str> + PartialEq,
    {
        let given = given?;
        if given.is_empty() || given.len() > NAME_LIMIT {
            let message = format!(
                "the scope's list of {}s names 1 to {NAME_LIMIT}; leave it out to not restrict by it",
                level.as_str()
            );
            broken.push(scope_violation(level.into(), message));
        }
        let mut names: Vec<T> = Vec::new();
        for name in given.iter().take(NAME_LIMIT) {
            let name = T::from(name.as_str());
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Some(names)
    }

    fn responders(
        &self,
        ask: &SessionAsk,
        initiator: &PersonId,
        broken: &mut Vec<Violation>,
    ) -> Vec<Principal> {
        if ask.responders.is_empty() {
            return vec![Principal::Person(initiator.clone())];
        }
        if ask.responders.len() > NAME_LIMIT {
            let message = format!("name at most {NAME_LIMIT} responders");
            broken.push(responders_violation(message));
        }
        let mut responders: Vec<Principal> = Vec::new();
        for name in ask.responders.iter().take(NAME_LIMIT) {
            let bare = name.strip_prefix("person:").unwrap_or(name);
            let principal = match name.strip_prefix("service:") {
                Some(service) => Principal::Service(service.into()),
                None => Principal::Person(bare.into()),
            };
            broken.extend(self.responder_trouble(&principal));
            if !responders.contains(&principal) {
                responders.push(principal);
            }
        }
        responders
    }

    fn responder_trouble(&self, principal: &Principal) -> Option<Violation> {
        let refused = |message| Some(responders_violation(message));
        let unknown = |what, kind, name: &str| {
            let name = name.to_owned();
            let unknown = UnknownName { kind, name };
            Some(Violation::unknown(
                AskField::Responders,
                ViolationCode::UnknownPerson,
                what,
                unknown,
            ))
        };
        match principal {
            Principal::Person(id) => match self.directory().person(id) {
                Some(person) if person.active => None,
                Some(_) => refused(format!("the responder `{id}` is not active")),
                None => unknown("responder", NameKind::Person, id.as_str()),
            },
            Principal::Service(id) if self.service(id).is_some() => None,
            Principal::Service(id) => unknown("service", NameKind::Service, id.as_str()),
            Principal::Operator | Principal::Bot => {
                refused(format!("`{principal}` cannot be a responder"))
            }
        }
    }
}

fn reason_trouble(reason: &str) -> Option<Violation> {
    let signs = reason.chars().filter(|sign| sign.is_alphanumeric()).count();
    if signs < REASON_MIN_LETTERS {
        let message = "say in a few words what the emergency is; everybody will read it";
        let rule = ViolationCode::ReasonRequired;
        return Some(Violation::new(AskField::Reason, rule, message));
    }
    text::entered("reason", Some(reason)).err()
}

fn scope_violation(field: AskField, message: impl Into<String>) -> Violation {
    Violation::new(field, ViolationCode::Scope, message)
}

fn responders_violation(message: impl Into<String>) -> Violation {
    Violation::new(AskField::Responders, ViolationCode::UnknownPerson, message)
}
