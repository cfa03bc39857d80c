//! Bindings, indexed by what they are bound to (specification: Binding Levels; design 2.2), so that a request looks at its own
//! resources' bindings alone.

use super::document::{Binding, Document, Level};
use super::id::{ClusterId, EnvironmentId, PolicyId, ProjectId};
use super::target::Target;
use std::collections::HashMap;

/// Where templates are bound; a template is named by its place in the document.
#[derive(Debug, Clone, Default)]
pub(super) struct Bindings {
    organization: Vec<usize>,
    by_resource: HashMap<Level, HashMap<String, Vec<usize>>>,
}

impl Bindings {
    /// Indexes a document's bindings. Those that name no template were refused before.
    pub(super) fn new(document: &Document, templates: &HashMap<PolicyId, usize>) -> Self {
        let mut bindings = Self::default();
        for binding in &document.bindings {
            let Some(&template) = templates.get(&binding.policy) else {
                continue;
            };
            let list = match &binding.resource {
                None => &mut bindings.organization,
                Some(resource) => bindings
                    .by_resource
                    .entry(binding.level)
                    .or_default()
                    .entry(resource.clone())
                    .or_default(),
            };
            list.push(template);
        }
        bindings
    }

    /// The templates bound to what the target names, and to the organization, with the level they were found at.
    pub(super) fn of<'a>(
        &'a self,
        target: &'a Target,
    ) -> impl Iterator<Item = (Level, usize)> + 'a {
        let organization = self
            .organization
            .iter()
            .map(|&template| (Level::Organization, template));
        let levels = [
            (
                Level::Project,
                target.project.as_ref().map(ProjectId::as_str),
            ),
            (
                Level::Cluster,
                target.cluster.as_ref().map(ClusterId::as_str),
            ),
            (
                Level::Environment,
                target.environment.as_ref().map(EnvironmentId::as_str),
            ),
        ];
        let resources = levels.into_iter().flat_map(|(level, name)| {
            let found = name.and_then(|name| self.by_resource.get(&level)?.get(name));
            found
                .into_iter()
                .flatten()
                .map(move |&template| (level, template))
        });
        organization.chain(resources)
    }
}

/// Where a binding binds, in words: `organization`, `environment production`.
pub(super) fn words(binding: &Binding) -> String {
    match &binding.resource {
        None => binding.level.as_str().to_owned(),
        Some(resource) => format!("{} {resource}", binding.level.as_str()),
    }
}

/// Where a template was found for a target, in the same words.
pub(super) fn found_at(level: Level, target: &Target) -> String {
    let name = match level {
        Level::Organization => None,
        Level::Project => target.project.as_ref().map(ProjectId::as_str),
        Level::Cluster => target.cluster.as_ref().map(ClusterId::as_str),
        Level::Environment => target.environment.as_ref().map(EnvironmentId::as_str),
    };
    name.map_or_else(
        || level.as_str().to_owned(),
        |name| format!("{} {name}", level.as_str()),
    )
}
