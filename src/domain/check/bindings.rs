//! Checks bindings, routes and custom actions.

use super::{Checks, text};
use crate::domain::action::{Action, catalogue};
use crate::domain::document::{Binding, Level, PolicyTemplate};
use crate::domain::id::PolicyId;
use std::collections::HashMap;

impl Checks<'_> {
    pub(super) fn own_actions(&mut self) {
        let own = &self.document.actions;
        self.ids(
            "actions",
            ".id",
            own.iter().map(|action| action.id.as_str()),
        );
        let standard: Vec<Action> = catalogue().collect();
        for (at, action) in own.iter().enumerate() {
            let path = format!("actions[{at}]");
            let id = action.id.as_str().to_lowercase();
            if standard.iter().any(|known| known.id.as_str() == id) {
                self.problem(
                    format!("{path}.id"),
                    format!("`{}` is one of the sixteen actions already", action.id),
                );
            }
            if ["project", "cluster", "security"].contains(&id.as_str()) {
                self.problem(
                    format!("{path}.id"),
                    format!("`{}` is the name of a group of actions", action.id),
                );
            }
            self.name(format!("{path}.name"), &action.name);
            if action.requires.is_empty() {
                let message = "names nothing; an action without a target would match no binding and run ungated";
                self.problem(format!("{path}.requires"), message);
            }
            for (level, required) in action.requires.iter().enumerate() {
                if *required == Level::Organization {
                    let message =
                        "the organization is no target; write project, cluster or environment";
                    self.problem(format!("{path}.requires[{level}]"), message);
                }
            }
        }
    }

    pub(super) fn bindings(&mut self) {
        let mut seen: HashMap<&Binding, usize> = HashMap::new();
        let policies = &self.document.policies;
        let templates: HashMap<&PolicyId, &PolicyTemplate> = policies
            .iter()
            .map(|template| (&template.id, template))
            .collect();
        for (at, binding) in self.document.bindings.iter().enumerate() {
            let path = format!("bindings[{at}]");
            self.bound_template(&path, binding, &templates);
            self.bound_resource(&path, binding);
            if let Some(first) = seen.insert(binding, at) {
                self.problem(path, format!("is the same as bindings[{first}]; keep one"));
            }
        }
    }

    fn bound_template(
        &mut self,
        path: &str,
        binding: &Binding,
        templates: &HashMap<&PolicyId, &PolicyTemplate>,
    ) {
        let Some(template) = templates.get(&binding.policy) else {
            let policies = &self.document.policies;
            let known = policies.iter().map(|template| template.id.as_str());
            let message = self
                .suggestions
                .unknown("policy", binding.policy.as_str(), known);
            return self.problem(format!("{path}.policy"), message);
        };
        if template.scope != binding.level {
            self.problem(
                format!("{path}.level"),
                format!(
                    "`{}` has the scope {}, so it cannot be bound at the level {}",
                    template.id,
                    template.scope.as_str(),
                    binding.level.as_str()
                ),
            );
        }
    }

    fn bound_resource(&mut self, path: &str, binding: &Binding) {
        let path = format!("{path}.resource");
        match (binding.level, &binding.resource) {
            (Level::Organization, None) => {}
            (Level::Organization, Some(_)) => {
                self.problem(
                    path,
                    "at the organization's level there is none; leave it out",
                );
            }
            (level, None) => self.problem(path, format!("is missing; name the {}", level.as_str())),
            (level, Some(name)) => {
                let result = self.resource(level, name);
                self.expect(path, result);
            }
        }
    }

    pub(super) fn routes(&mut self) {
        let routes = &self.document.routes;
        if let Some(channel) = &routes.default {
            self.expect("routes.default", text::channel(channel.as_str()));
        }
        for (at, rule) in routes.rules.iter().enumerate() {
            let path = format!("routes.rules[{at}]");
            self.expect(
                format!("{path}.channel"),
                text::channel(rule.channel.as_str()),
            );
            let named = [
                (Level::Project, rule.project.as_ref().map(AsRef::as_ref)),
                (Level::Cluster, rule.cluster.as_ref().map(AsRef::as_ref)),
                (
                    Level::Environment,
                    rule.environment.as_ref().map(AsRef::<str>::as_ref),
                ),
            ];
            for (level, name) in named {
                let result = name.map_or(Ok(()), |name| self.resource(level, name));
                self.expect(format!("{path}.{}", level.as_str()), result);
            }
            let policies = &self.document.policies;
            if let Some(id) = &rule.policy
                && policies.iter().all(|template| template.id != *id)
            {
                let known = policies.iter().map(|template| template.id.as_str());
                let message = self.suggestions.unknown("policy", id.as_str(), known);
                self.problem(format!("{path}.policy"), message);
            }
            let nothing = named.iter().all(|(_, name)| name.is_none());
            if nothing && rule.policy.is_none() && rule.risk.is_none() {
                self.problem(path, "matches every request; use `routes.default` for that");
            }
        }
    }
}
