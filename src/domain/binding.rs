//! Bindings, indexed by what they are bound to (specification: Binding Levels; docs/decisions.md D09), so that a request looks at its own
//! resources' bindings alone.

use super::document::{Binding, ConfigDocument, Level};
use super::id::{ClusterId, EnvironmentId, PolicyId, ProjectId};
use super::resources::Registry;
use super::target::Target;
use std::collections::HashMap;

/// Where templates are bound; a template is named by its place in the document.
#[derive(Debug, Clone, Default)]
pub(super) struct Bindings {
    organization: Vec<usize>,
    by_resource: HashMap<Level, HashMap<String, Vec<usize>>>,
    /// The same in the order of the document, for targets that leave a level out.
    by_level: HashMap<Level, Vec<(String, usize)>>,
}

/// A binding that protects a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Protection<'a> {
    /// The place of the bound template in the document.
    pub(super) template: usize,
    /// The level of the binding.
    pub(super) level: Level,
    /// The resource it is bound to; none for the organization.
    pub(super) resource: Option<&'a str>,
    /// Whether the target leaves this level out, so that it may mean this resource.
    pub(super) left_out: bool,
}

impl Protection<'_> {
    /// Where it is bound, in words: `organization`, `environment production`.
    pub(super) fn words(&self) -> String {
        place(self.level, self.resource)
    }
}

impl Bindings {
    /// Indexes a document's bindings. Those that name no template were refused before.
    pub(super) fn new(document: &ConfigDocument, templates: &HashMap<PolicyId, usize>) -> Self {
        let mut bindings = Self::default();
        for binding in &document.bindings {
            let Some(&template) = templates.get(&binding.policy) else {
                continue;
            };
            let Some(resource) = &binding.resource else {
                bindings.organization.push(template);
                continue;
            };
            let by_resource = bindings.by_resource.entry(binding.level).or_default();
            by_resource
                .entry(resource.clone())
                .or_default()
                .push(template);
            let by_level = bindings.by_level.entry(binding.level).or_default();
            by_level.push((resource.clone(), template));
        }
        bindings
    }

    /// The bindings to the organization and to what the target names. A level that the target leaves out may mean any resource, so
    /// every binding of that level protects it; of clusters only those that lie in the target's environment.
    pub(super) fn of<'a>(
        &'a self,
        target: &'a Target,
        registry: &'a Registry,
    ) -> impl Iterator<Item = Protection<'a>> + 'a {
        let organization = self.organization.iter().map(|&template| Protection {
            template,
            level: Level::Organization,
            resource: None,
            left_out: false,
        });
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
        organization.chain(
            levels
                .into_iter()
                .flat_map(move |(level, name)| self.at(level, name, target, registry)),
        )
    }

    fn at<'a>(
        &'a self,
        level: Level,
        name: Option<&'a str>,
        target: &Target,
        registry: &Registry,
    ) -> Vec<Protection<'a>> {
        let protection = |resource, template, left_out| Protection {
            template,
            level,
            resource: Some(resource),
            left_out,
        };
        if let Some(name) = name {
            let found = self
                .by_resource
                .get(&level)
                .and_then(|bound| bound.get(name));
            let templates = found.into_iter().flatten();
            return templates
                .map(|&template| protection(name, template, false))
                .collect();
        }
        let bound = self.by_level.get(&level).into_iter().flatten();
        bound
            .filter(|(resource, _)| level != Level::Cluster || lies_in(resource, target, registry))
            .map(|(resource, template)| protection(resource.as_str(), *template, true))
            .collect()
    }
}

/// Whether a cluster may be meant by a target that names none: it lies in the target's environment, or nothing says where either is.
fn lies_in(cluster: &str, target: &Target, registry: &Registry) -> bool {
    let home = registry.environment_of(&cluster.into());
    match (home, &target.environment) {
        (Some(home), Some(environment)) => home == environment,
        (None, _) | (_, None) => true,
    }
}

/// Where a binding binds, in words: `organization`, `environment production`.
pub(super) fn words(binding: &Binding) -> String {
    place(binding.level, binding.resource.as_deref())
}

fn place(level: Level, resource: Option<&str>) -> String {
    match resource {
        None => level.as_str().to_owned(),
        Some(resource) => format!("{} {resource}", level.as_str()),
    }
}
