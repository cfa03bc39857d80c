//! The registry of resources: which ones exist, and which environment a cluster belongs to (docs/decisions.md D08).

use super::document::{Level, Resources};
use super::id::{ClusterId, EnvironmentId, ProjectId};
use super::suggestion;
use std::collections::{BTreeMap, BTreeSet};

/// All configured projects, clusters and environments.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    environments: BTreeSet<EnvironmentId>,
    projects: BTreeSet<ProjectId>,
    clusters: BTreeMap<ClusterId, EnvironmentId>,
}

impl Registry {
    /// Indexes the document's resources.
    pub fn new(resources: &Resources) -> Self {
        Self {
            environments: resources.environments.iter().cloned().collect(),
            projects: resources.projects.iter().cloned().collect(),
            clusters: resources
                .clusters
                .iter()
                .map(|cluster| (cluster.id.clone(), cluster.environment.clone()))
                .collect(),
        }
    }

    /// The project with exactly this name, or an error with similar names.
    pub fn project(&self, name: &str) -> Result<&ProjectId, String> {
        self.projects
            .get(name)
            .ok_or_else(|| suggestion::unknown("project", name, self.names(Level::Project)))
    }

    /// The environment with exactly this name, or an error with similar names.
    pub fn environment(&self, name: &str) -> Result<&EnvironmentId, String> {
        self.environments
            .get(name)
            .ok_or_else(|| suggestion::unknown("environment", name, self.names(Level::Environment)))
    }

    /// The cluster with exactly this name and its environment, or an error with similar names.
    pub fn cluster(&self, name: &str) -> Result<(&ClusterId, &EnvironmentId), String> {
        self.clusters
            .get_key_value(name)
            .ok_or_else(|| suggestion::unknown("cluster", name, self.names(Level::Cluster)))
    }

    /// The environment that a cluster belongs to.
    pub fn environment_of(&self, cluster: &ClusterId) -> Option<&EnvironmentId> {
        self.clusters.get(cluster)
    }

    /// Checks that a resource of this level exists, or returns an error. The organization is not a resource and always passes.
    pub fn check(&self, level: Level, name: &str) -> Result<(), String> {
        match level {
            Level::Organization => Ok(()),
            Level::Project => self.project(name).map(drop),
            Level::Cluster => self.cluster(name).map(drop),
            Level::Environment => self.environment(name).map(drop),
        }
    }

    /// Whether a resource of this level exists; the organization always does.
    pub fn has(&self, level: Level, name: &str) -> bool {
        match level {
            Level::Organization => true,
            Level::Project => self.projects.contains(name),
            Level::Cluster => self.clusters.contains_key(name),
            Level::Environment => self.environments.contains(name),
        }
    }

    /// All resources of this level.
    pub fn names(&self, level: Level) -> Box<dyn Iterator<Item = &str> + '_> {
        match level {
            Level::Organization => Box::new(std::iter::empty()),
            Level::Project => Box::new(self.projects.iter().map(ProjectId::as_str)),
            Level::Cluster => Box::new(self.clusters.keys().map(ClusterId::as_str)),
            Level::Environment => Box::new(self.environments.iter().map(EnvironmentId::as_str)),
        }
    }
}

impl Level {
    /// The level's word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Project => "project",
            Self::Cluster => "cluster",
            Self::Environment => "environment",
        }
    }
}
