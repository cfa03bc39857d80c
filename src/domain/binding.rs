//! Bindings, indexed by the resource they are bound to (docs/policies.md; docs/decisions.md D09), so that a request reads only the
//! bindings of its own resources.

use super::document::{Binding, ConfigDocument, Level};
use super::id::{ClusterId, EnvironmentId, PolicyId, ProjectId};
use super::resources::Registry;
use super::target::Target;
use std::collections::HashMap;

/// Where policies are bound; a policy is represented by its index in the document.
#[derive(Debug, Clone, Default)]
pub(super) struct Bindings {
    organization: Vec<usize>,
    by_resource: HashMap<Level, HashMap<String, Vec<usize>>>,
    /// The same bindings in the order of the document, for targets that leave out a level.
    by_level: HashMap<Level, Vec<(String, usize)>>,
}

/// A binding that protects a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Protection<'a> {
    /// The index of the bound policy in the document.
    pub(super) template: usize,
    /// The level of the binding.
    pub(super) level: Level,
    /// The bound resource; `None` for the organization.
    pub(super) resource: Option<&'a str>,
    /// Whether the target leaves out this level, so that it may mean this resource.
    pub(super) left_out: bool,
}

impl Protection<'_> {
    /// Where the policy is bound: `organization`, `environment production`.
    pub(super) fn words(&self) -> String {
        place(self.level, self.resource)
    }
}

impl Bindings {
    /// Indexes a document's bindings. Bindings to unknown policies were reported before.
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

    /// The bindings of the organization and of the resources that the target names. A level that the target leaves out may mean any
    /// resource, so all bindings of that level protect the target; for clusters, only those in the target's environment.
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

/// Whether a target without a cluster may mean this cluster: it is in the target's environment, or one of the two environments is
/// unknown.
fn lies_in(cluster: &str, target: &Target, registry: &Registry) -> bool {
    let home = registry.environment_of(&cluster.into());
    match (home, &target.environment) {
        (Some(home), Some(environment)) => home == environment,
        (None, _) | (_, None) => true,
    }
}

/// Where a binding is bound: `organization`, `environment production`.
pub(super) fn words(binding: &Binding) -> String {
    place(binding.level, binding.resource.as_deref())
}

fn place(level: Level, resource: Option<&str>) -> String {
    match resource {
        None => level.as_str().to_owned(),
        Some(resource) => format!("{} {resource}", level.as_str()),
    }
}
