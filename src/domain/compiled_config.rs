//! The configuration, compiled: checked once, indexed for every question that a request asks of it.

use super::action::{self, Action};
pub use super::ask::{AdmittedRequest, Ask, NameKind, UnknownName, Violation, ViolationCode};
use super::binding::Bindings;
use super::check;
use super::document::{ConfigDocument, PolicyTemplate, Route, ServiceDocument};
use super::eligibility::PeopleInvolved;
use super::id::{ActionId, ChannelId, PolicyId, ServiceId};
use super::people::Directory;
use super::pinned_policy::PinnedPolicy;
use super::principal::Principal;
use super::resources::Registry;
use super::satisfiable;
use super::slack_directory::{ConfigVersions, SlackDirectory, bound_groups};
use super::target::Target;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigError {
    /// Where, as a path such as `policies[2].quorum.requiredTeamIds[0]`; the loader adds the line of a file.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The configuration, compiled.
#[derive(Debug, Clone)]
pub struct CompiledConfig {
    version: i64,
    document: ConfigDocument,
    slack_directory: SlackDirectory,
    directory: Directory,
    registry: Registry,
    actions: Vec<Action>,
    action_places: HashMap<ActionId, usize>,
    template_places: HashMap<PolicyId, usize>,
    template_versions: Vec<i64>,
    service_places: HashMap<ServiceId, usize>,
    bindings: Bindings,
}

/// A document that makes sense. The check reads all of it, and depends on nothing else, so it is made before any lock is taken.
#[derive(Debug, Clone)]
pub struct CheckedDocument {
    document: ConfigDocument,
    listed: Directory,
    registry: Registry,
    actions: Vec<Action>,
}

impl CheckedDocument {
    /// Checks a document; all problems at once.
    pub fn new(document: ConfigDocument) -> Result<Self, Vec<ConfigError>> {
        let listed = Directory::compile(&document.directory);
        let registry = Registry::new(&document.resources);
        let own = document.actions.iter().map(Action::from);
        let actions: Vec<Action> = action::catalogue().chain(own).collect();
        let problems = check::document(&document, &listed, &registry, &actions);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            document,
            listed,
            registry,
            actions,
        })
    }

    /// The document.
    pub fn document(&self) -> &ConfigDocument {
        &self.document
    }
}

/// The version of a template that was never stored.
const FIRST_VERSION: i64 = 1;

impl CompiledConfig {
    /// Checks and indexes a document. `template_versions` numbers the templates as they are stored; a template that is not in it has
    /// version 1. All problems at once.
    pub fn compile(
        version: i64,
        document: ConfigDocument,
        template_versions: &BTreeMap<PolicyId, i64>,
    ) -> Result<Self, Vec<ConfigError>> {
        Self::compile_with(
            version,
            document,
            template_versions,
            SlackDirectory::default(),
        )
    }

    /// The same beside what is known of people otherwise. Nothing that happens in Slack makes a document wrong that was right.
    pub fn compile_with(
        version: i64,
        document: ConfigDocument,
        template_versions: &BTreeMap<PolicyId, i64>,
        slack_directory: SlackDirectory,
    ) -> Result<Self, Vec<ConfigError>> {
        let checked = CheckedDocument::new(document)?;
        Ok(Self::of(
            version,
            checked,
            template_versions,
            slack_directory,
        ))
    }

    /// Indexes a document that has been checked.
    pub fn of(
        version: i64,
        checked: CheckedDocument,
        template_versions: &BTreeMap<PolicyId, i64>,
        slack_directory: SlackDirectory,
    ) -> Self {
        let CheckedDocument {
            document,
            listed,
            registry,
            actions,
        } = checked;
        let template_places = places(document.policies.iter().map(|template| &template.id));
        Self {
            version,
            action_places: places(actions.iter().map(|action| &action.id)),
            service_places: places(document.services.iter().map(|service| &service.id)),
            template_versions: document
                .policies
                .iter()
                .map(|template| {
                    template_versions
                        .get(&template.id)
                        .copied()
                        .unwrap_or(FIRST_VERSION)
                })
                .collect(),
            bindings: Bindings::new(&document, &template_places),
            template_places,
            directory: if slack_directory.is_empty() {
                listed
            } else {
                Directory::compile_with(&document.directory, &slack_directory)
            },
            slack_directory,
            registry,
            actions,
            document,
        }
    }

    /// The version of the stored document these rules were compiled from; 0 for the rules of an empty store.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The versions of the document and of what is known of people besides.
    pub fn versions(&self) -> ConfigVersions {
        ConfigVersions {
            config: self.version,
            directory: self.slack_directory.version,
        }
    }

    /// What is known of people besides the document.
    pub fn slack_directory(&self) -> &SlackDirectory {
        &self.slack_directory
    }

    /// The bound policies that nobody could complete now, with the reason in words. A policy that may draw on a group, or on members,
    /// of whom Slack has told nothing yet is not among them.
    pub fn unsatisfiable_policies(&self) -> Vec<satisfiable::Shortfall> {
        let bound = self.document.bindings.iter().map(|binding| &binding.policy);
        let bound: BTreeSet<&PolicyId> = bound.collect();
        let gates: Vec<PinnedPolicy> = bound
            .into_iter()
            .filter_map(|id| self.template(id))
            .map(|(place, template)| PinnedPolicy {
                version: self.template_version(place),
                template: template.clone(),
                bound: Vec::new(),
                left_out: None,
            })
            .collect();
        if self.directory_is_complete() {
            satisfiable::shortfalls(&gates, &PeopleInvolved::default(), &[], &self.directory)
        } else {
            Vec::new()
        }
    }

    /// Whether Slack has told of everybody whom the document leaves to it.
    fn directory_is_complete(&self) -> bool {
        let directory = &self.document.directory;
        let groups = &self.slack_directory.groups;
        (!directory.slack.members || !self.slack_directory.accounts.is_empty())
            && bound_groups(directory).all(|id| groups.contains_key(id))
    }

    /// The document.
    pub fn document(&self) -> &ConfigDocument {
        &self.document
    }

    /// Who is who.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What exists.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// The action with this id.
    pub fn action(&self, id: &ActionId) -> Option<&Action> {
        self.actions.get(*self.action_places.get(id)?)
    }

    /// Every action of this installation: the specification's sixteen, then its own.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// A template of the document and its version.
    pub fn versioned_template(&self, id: &PolicyId) -> Option<(i64, &PolicyTemplate)> {
        let (place, template) = self.template(id)?;
        Some((self.template_version(place), template))
    }

    /// A template and its place in the document.
    pub(super) fn template(&self, id: &PolicyId) -> Option<(usize, &PolicyTemplate)> {
        let place = *self.template_places.get(id)?;
        Some((place, self.document.policies.get(place)?))
    }

    pub(super) fn template_version(&self, place: usize) -> i64 {
        self.template_versions
            .get(place)
            .copied()
            .unwrap_or(FIRST_VERSION)
    }

    /// A configured service.
    pub fn service(&self, id: &ServiceId) -> Option<&ServiceDocument> {
        self.document.services.get(*self.service_places.get(id)?)
    }

    /// The channels a request's card goes to: that of the first route that matches, else the default; and those its policies name. A
    /// policy only adds a channel, so that no policy takes cards away from the people who watch them.
    pub fn route(
        &self,
        action: &Action,
        target: &Target,
        gates: &[PinnedPolicy],
    ) -> Vec<ChannelId> {
        let routes = &self.document.routes;
        let mut config = routes.rules.iter();
        let first = config
            .find(|rule| matches(rule, action, target, gates))
            .map(|rule| &rule.channel)
            .or(routes.default.as_ref());
        let own = gates
            .iter()
            .filter_map(|gate| gate.template.channel.as_ref());
        let mut channels: Vec<ChannelId> = Vec::new();
        for channel in first.into_iter().chain(own) {
            if !channels.contains(channel) {
                channels.push(channel.clone());
            }
        }
        channels
    }

    /// Whether this principal may change the configuration. Nobody, where nobody is named; what the operator and the bot do goes
    /// past this question and is audited as theirs.
    pub fn is_administrator(&self, principal: &Principal) -> bool {
        let named = &self.document.administrators;
        match principal {
            Principal::Person(id) => {
                let person = self.directory.person(id);
                person.is_some_and(|one| self.directory.is_entitled(named, one))
            }
            Principal::Service(id) => named.services.contains(id) && self.service(id).is_some(),
            Principal::Operator | Principal::Bot => false,
        }
    }
}

fn places<'a, T: Clone + Eq + std::hash::Hash + 'a>(
    ids: impl Iterator<Item = &'a T>,
) -> HashMap<T, usize> {
    ids.enumerate()
        .map(|(place, id)| (id.clone(), place))
        .collect()
}

/// Whether every field that the rule gives is the request's.
fn matches(rule: &Route, action: &Action, target: &Target, gates: &[PinnedPolicy]) -> bool {
    fn same<T: PartialEq>(wanted: Option<&T>, actual: Option<&T>) -> bool {
        wanted.is_none() || wanted == actual
    }
    let policy = |id: &PolicyId| gates.iter().any(|gate| gate.template.id == *id);
    rule.policy.as_ref().is_none_or(policy)
        && same(rule.project.as_ref(), target.project.as_ref())
        && same(rule.cluster.as_ref(), target.cluster.as_ref())
        && same(rule.environment.as_ref(), target.environment.as_ref())
        && rule.risk.is_none_or(|risk| risk == action.risk)
}
