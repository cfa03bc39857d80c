//! Finds the policies that apply to a request (docs/policies.md; docs/decisions.md D08, D09).

use super::action::{self, must_be_named};
use super::binding;
use super::break_glass::SessionStart;
use super::compiled_config::CompiledConfig;
use super::conditions;
use super::document::{Binding, Level, Mode, PolicyTemplate};
use super::id::{ActionId, ClusterId, EnvironmentId, ProjectId};
use super::pinned_policy::PinnedPolicy;
use super::request::{Effect, Request};
use super::target::Target;
use super::time::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// The resources that a break-glass session covers. `None` at a level means all resources of that level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Covered projects.
    pub projects: Option<Vec<ProjectId>>,
    /// Covered clusters.
    pub clusters: Option<Vec<ClusterId>>,
    /// Covered environments.
    pub environments: Option<Vec<EnvironmentId>>,
}

impl Reach {
    /// Whether a target is covered: each level that is given must contain the target's resource. A target without a resource at
    /// that level is not covered.
    pub fn contains(&self, target: &Target) -> bool {
        fn within<T: PartialEq>(list: Option<&Vec<T>>, own: Option<&T>) -> bool {
            list.is_none_or(|list| own.is_some_and(|own| list.contains(own)))
        }
        within(self.projects.as_ref(), target.project.as_ref())
            && within(self.clusters.as_ref(), target.cluster.as_ref())
            && within(self.environments.as_ref(), target.environment.as_ref())
    }

    /// Whether the resource that this binding protects is covered.
    fn meets(&self, binding: &Binding) -> bool {
        fn named<T: AsRef<str>>(list: Option<&Vec<T>>, name: &str) -> bool {
            list.is_none_or(|list| list.iter().any(|id| id.as_ref() == name))
        }
        match (binding.level, binding.resource.as_deref()) {
            (Level::Project, Some(name)) => named(self.projects.as_ref(), name),
            (Level::Cluster, Some(name)) => named(self.clusters.as_ref(), name),
            (Level::Environment, Some(name)) => named(self.environments.as_ref(), name),
            (Level::Organization, _) | (_, None) => true,
        }
    }
}

/// Whether a policy gates this action: it names the action, or it names no actions and the action does not have to be named.
pub(super) fn gates_action(template: &PolicyTemplate, action: &ActionId) -> bool {
    match &template.actions {
        Some(named) => named.contains(action),
        None => !must_be_named(action),
    }
}

/// A policy that gates an action, and where it is bound.
struct Found {
    /// Index of the policy in the document.
    template: usize,
    bound: Vec<String>,
    left_out: Option<Level>,
}

impl CompiledConfig {
    /// The policies in force for a target at `at`, enforced and observed ones separately. A configuration change and the start of a
    /// break-glass session have no target; every bound policy that names the action applies to them. A level that the target leaves
    /// out matches every binding of that level (threat R03).
    pub fn resolve(
        &self,
        action: &ActionId,
        target: &Target,
        at: Timestamp,
    ) -> (Vec<PinnedPolicy>, Vec<PinnedPolicy>) {
        if must_be_named(action) && *target == Target::default() {
            return self.naming(action, at, |_| true);
        }
        let target = self.filled_in(target);
        let mut found: Vec<Found> = Vec::new();
        let mut places: HashMap<usize, usize> = HashMap::new();
        for protection in self.bindings().of(&target, self.registry()) {
            let template = protection.template;
            let Some(text) = self.document().policies.get(template) else {
                continue;
            };
            if let Some(&known) = places.get(&template) {
                found[known].bound.push(protection.words());
            } else if gates_action(text, action)
                && conditions::applies_to(&text.conditions, target.environment.as_ref())
                && conditions::applies_at(&text.conditions, at)
            {
                places.insert(template, found.len());
                found.push(Found {
                    template,
                    bound: vec![protection.words()],
                    left_out: protection.left_out.then_some(protection.level),
                });
            }
        }
        self.pinned(found)
    }

    /// The policies that gate a change of Countersign's own configuration at `at`: every bound policy that names
    /// `environment.policy_update`, at any level. Their hours are checked; their environments are not.
    pub fn gates_of_config_change(&self, at: Timestamp) -> (Vec<PinnedPolicy>, Vec<PinnedPolicy>) {
        self.naming(&ActionId::from(action::POLICY_UPDATE), at, |_| true)
    }

    /// The policies that gate the start of a break-glass session at `at`: every policy that names `break_glass.initiate` and is
    /// bound to a resource that the session covers.
    pub fn gates_of_break_glass_start(
        &self,
        reach: &Reach,
        at: Timestamp,
    ) -> (Vec<PinnedPolicy>, Vec<PinnedPolicy>) {
        self.naming(&ActionId::from(action::BREAK_GLASS), at, |binding| {
            reach.meets(binding)
        })
    }

    /// The enforced policies that gate this request now: those of its target, or of its effect. An unreadable session start counts
    /// as covering everything.
    pub(super) fn in_force(&self, request: &Request, now: Timestamp) -> Vec<PinnedPolicy> {
        let (gates, _) = match request.effect() {
            Some(Effect::ConfigChange) => self.gates_of_config_change(now),
            Some(Effect::SessionStart) => {
                let start = serde_json::from_str::<SessionStart>(&request.payload);
                let reach = start.map_or_else(|_| Reach::default(), |start| start.scope.reach());
                self.gates_of_break_glass_start(&reach, now)
            }
            None => self.resolve(&request.action, &request.target, now),
        };
        gates
    }

    /// The policies in force now that count approvals of this request on the web pages only. While a break-glass session lets the
    /// request past policies, those that it would bypass are left out; the check before the execution decides on them.
    pub fn web_only_in_force(&self, request: &Request, now: Timestamp) -> Vec<PinnedPolicy> {
        if !self.decides_on_web() {
            return Vec::new();
        }
        let mut gates = self.in_force(request, now);
        gates.retain(|gate| {
            let is_bypassed = !request.bypassed.is_empty() && gate.template.break_glass_bypass;
            gate.template.decide_on.is_some() && !is_bypassed
        });
        gates
    }

    fn naming(
        &self,
        action: &ActionId,
        at: Timestamp,
        within: impl Fn(&Binding) -> bool,
    ) -> (Vec<PinnedPolicy>, Vec<PinnedPolicy>) {
        let mut found: BTreeMap<usize, Found> = BTreeMap::new();
        for binding in self
            .document()
            .bindings
            .iter()
            .filter(|binding| within(binding))
        {
            let Some((place, template)) = self.template(&binding.policy) else {
                continue;
            };
            if gates_action(template, action) && conditions::applies_at(&template.conditions, at) {
                let here = found.entry(place).or_insert_with(|| Found {
                    template: place,
                    bound: Vec::new(),
                    left_out: None,
                });
                here.bound.push(binding::words(binding));
            }
        }
        self.pinned(found.into_values().collect())
    }

    /// The target with the environment of its cluster filled in, so that leaving it out does not avoid a policy.
    fn filled_in(&self, target: &Target) -> Target {
        let mut target = target.clone();
        if target.environment.is_none()
            && let Some(cluster) = &target.cluster
        {
            target.environment = self.registry().environment_of(cluster).cloned();
        }
        target
    }

    fn pinned(&self, found: Vec<Found>) -> (Vec<PinnedPolicy>, Vec<PinnedPolicy>) {
        found
            .into_iter()
            .filter_map(|found| {
                Some(PinnedPolicy {
                    version: self.template_version(found.template),
                    template: self.document().policies.get(found.template)?.clone(),
                    bound: found.bound,
                    left_out: found.left_out,
                })
            })
            .partition(|gate| gate.template.mode == Mode::Enforce)
    }
}
