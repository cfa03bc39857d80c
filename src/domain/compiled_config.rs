//! The compiled config: the configuration and the Slack directory, checked once and indexed.

use super::action::{self, Action};
use super::binding::Bindings;
use super::check;
use super::document::{ConfigDocument, PolicyTemplate, Route, ServiceDocument};
use super::eligibility::PeopleInvolved;
use super::id::{ActionId, ChannelId, PolicyId, ServiceId};
use super::people::Directory;
use super::pinned_policy::PinnedPolicy;
use super::principal::Principal;
use super::refusal::Refusal;
use super::resources::Registry;
use super::satisfiable;
use super::slack_directory::{ConfigVersions, SlackDirectory, bound_groups};
use super::target::Target;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

/// One thing that is wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigError {
    /// Path of the value, such as `policies[2].quorum.requiredTeamIds[0]`; the file loader adds the line.
    pub path: String,
    /// What is wrong and how to fix it.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The compiled config.
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
    /// Whether any policy says `decideOn: web`, so that decisions need not look for one.
    decides_on_web: bool,
}

/// A document that passed all checks. The checks depend on the document alone, so they run before any lock is taken.
#[derive(Debug, Clone)]
pub struct CheckedDocument {
    document: ConfigDocument,
    listed: Directory,
    registry: Registry,
    actions: Vec<Action>,
}

impl CheckedDocument {
    /// Checks a document. Returns all config errors.
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

/// The version of a policy that was never stored.
const FIRST_VERSION: i64 = 1;

impl CompiledConfig {
    /// Checks and indexes a document. `template_versions` contains the stored version of each policy; a policy that is missing
    /// there has version 1. Returns all config errors.
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

    /// Like [`CompiledConfig::compile`], together with the Slack directory. A change in Slack never makes a valid document invalid.
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

    /// Indexes a document that was already checked.
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
            decides_on_web: document.policies.iter().any(|one| one.decide_on.is_some()),
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

    /// The version of the stored document; 0 if none was ever stored.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The versions of the document and of the Slack directory.
    pub fn versions(&self) -> ConfigVersions {
        ConfigVersions {
            config: self.version,
            directory: self.slack_directory.version,
        }
    }

    /// The Slack directory.
    pub fn slack_directory(&self) -> &SlackDirectory {
        &self.slack_directory
    }

    /// The bound policies that nobody could complete now, with the reason. Empty while Slack user groups or workspace members that
    /// the document uses were not synced yet, because they could still complete a policy.
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

    /// Whether all groups and members that the document takes from Slack were synced.
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

    /// The people and teams in force.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// All configured projects, clusters and environments.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Whether any policy counts approvals on the web pages only.
    pub fn decides_on_web(&self) -> bool {
        self.decides_on_web
    }

    pub(super) fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// The action with this id.
    pub fn action(&self, id: &ActionId) -> Option<&Action> {
        self.actions.get(*self.action_places.get(id)?)
    }

    /// Every action of this installation: the 16 built-in ones, then the custom ones.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// A policy of the document, with its version.
    pub fn versioned_template(&self, id: &PolicyId) -> Option<(i64, &PolicyTemplate)> {
        let (place, template) = self.template(id)?;
        Some((self.template_version(place), template))
    }

    /// A policy of the document, with its index.
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

    /// The configured service with this id.
    pub fn service(&self, id: &ServiceId) -> Option<&ServiceDocument> {
        self.document.services.get(*self.service_places.get(id)?)
    }

    /// The channels for a request's card: that of the first matching route, or else the default; plus the channels of its policies.
    /// A policy can only add a channel, so it cannot hide cards from the people who watch a channel.
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

    /// Whether this principal may change the configuration. An empty list means nobody. The operator and Countersign itself do not
    /// need this right; the audit log records their changes under their own names.
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

    /// Refuses everybody who may not change the configuration.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] for all but administrators and the operator.
    pub fn check_may_change(&self, principal: &Principal) -> Result<(), Refusal> {
        if *principal == Principal::Operator || self.is_administrator(principal) {
            return Ok(());
        }
        let why = "Only administrators may change the configuration.";
        Err(Refusal::Forbidden(why.to_owned()))
    }
}

fn places<'a, T: Clone + Eq + std::hash::Hash + 'a>(
    ids: impl Iterator<Item = &'a T>,
) -> HashMap<T, usize> {
    ids.enumerate()
        .map(|(place, id)| (id.clone(), place))
        .collect()
}

/// Whether all fields that the route gives match the request.
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
