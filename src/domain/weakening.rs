//! Which configuration changes must be announced (docs/decisions.md D12). A change that might be a weakening counts as one.

use super::action::catalogue;
use super::document::{
    Approvers, Conditions, ConfigDocument, Mode, People, PolicyTemplate, Quorum, Resources,
    ShowPayload,
};
use super::id::{ActionId, ClusterId, EnvironmentId, PolicyId, ProjectId};
use super::resolve::gates_action;
use super::slack_directory::{Membership, moved_accounts};
use super::window::Week;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The changed parts of the document that are announced whatever the change is.
pub(super) fn touched(before: &ConfigDocument, after: &ConfigDocument) -> Vec<&'static str> {
    let parts = [
        ("breakGlass", before.break_glass != after.break_glass),
        ("routes", before.routes != after.routes),
        (
            "administrators",
            before.administrators != after.administrators,
        ),
        ("directory", before.directory != after.directory),
        ("resources", before.resources != after.resources),
        ("services", before.services != after.services),
        ("webhooks", before.webhooks != after.webhooks),
        ("email", before.email != after.email),
        ("console", before.console != after.console),
    ];
    parts
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(name, _)| name)
        .collect()
}

/// How a change weakens existing policies, one sentence each. What new policies and bindings add comes last, since there can be any
/// number of them.
pub(super) fn weakened(before: &ConfigDocument, after: &ConfigDocument) -> Vec<String> {
    let mut told = Vec::new();
    let actions: Vec<ActionId> = catalogue()
        .map(|action| action.id)
        .chain(before.actions.iter().map(|action| action.id.clone()))
        .collect();
    let new: HashMap<&PolicyId, &PolicyTemplate> = after
        .policies
        .iter()
        .map(|template| (&template.id, template))
        .collect();
    for old in &before.policies {
        match new.get(&old.id) {
            None => told.push(format!("policy {} is removed", old.id)),
            Some(new) if *new == old => {}
            Some(new) => {
                let how = weaker(old, new, &actions);
                told.extend(
                    how.into_iter()
                        .map(|how| format!("policy {} {how}", old.id)),
                );
            }
        }
    }
    let kept: HashSet<_> = after.bindings.iter().collect();
    for binding in before
        .bindings
        .iter()
        .filter(|binding| !kept.contains(binding))
    {
        told.push(format!(
            "policy {} is unbound from {}",
            binding.policy,
            super::binding::words(binding)
        ));
    }
    told.extend(resources(&before.resources, &after.resources));
    told.extend(accounts(before, after));
    for old in &before.actions {
        if !after.actions.contains(old) {
            told.push(format!("action {} is changed or removed", old.id));
        }
    }
    told.extend(added(before, after));
    told
}

/// The resources that are removed, and the clusters that move to another environment: other policies gate them after the change.
fn resources(before: &Resources, after: &Resources) -> Vec<String> {
    let mut told = Vec::new();
    let environments: HashSet<&EnvironmentId> = after.environments.iter().collect();
    for old in &before.environments {
        if !environments.contains(old) {
            told.push(format!("environment {old} is removed"));
        }
    }
    let projects: HashSet<&ProjectId> = after.projects.iter().collect();
    for old in &before.projects {
        if !projects.contains(old) {
            told.push(format!("project {old} is removed"));
        }
    }
    let clusters = after.clusters.iter();
    let clusters: HashMap<&ClusterId, &EnvironmentId> = clusters
        .map(|cluster| (&cluster.id, &cluster.environment))
        .collect();
    for old in &before.clusters {
        match clusters.get(&old.id) {
            None => told.push(format!("cluster {} is removed", old.id)),
            Some(new) if **new == old.environment => {}
            Some(new) => told.push(format!(
                "cluster {} moves from environment {} to {new}",
                old.id, old.environment
            )),
        }
    }
    told
}

/// The Slack accounts and identities that belong to another person after the change.
fn accounts(before: &ConfigDocument, after: &ConfigDocument) -> Vec<String> {
    let users = before.directory.users.iter();
    let known: HashSet<_> = users.clone().map(|user| &user.id).collect();
    let slack: HashSet<_> = users.clone().flat_map(|user| &user.slack.0).collect();
    let oidc: HashSet<_> = users.flat_map(|user| &user.oidc).collect();
    let mut told = Vec::new();
    for (person, own) in moved_accounts(
        (&before.directory, before.oidc_issuer()),
        (&after.directory, after.oidc_issuer()),
    ) {
        let (was_owned, what) = match &own {
            Membership::Slack(account) => (
                slack.contains(account),
                format!("Slack account {}", account.user_id),
            ),
            Membership::Oidc(identity) => (
                oidc.contains(identity),
                format!("identity {} at {}", identity.subject, identity.issuer),
            ),
            Membership::Team(_) | Membership::Role(_) => continue,
        };
        if was_owned || known.contains(&person) {
            told.push(format!("{person} acts by the {what}"));
        }
    }
    told
}

/// How policies that are new, or newly bound, change what people see of the requests they gate.
fn added(before: &ConfigDocument, after: &ConfigDocument) -> Vec<String> {
    let old: HashSet<&PolicyId> = before.policies.iter().map(|one| &one.id).collect();
    let new = after.policies.iter();
    let mut told: Vec<String> = new
        .filter(|template| !old.contains(&template.id))
        .flat_map(|template| {
            let side_effects = side_effects(template).into_iter();
            side_effects.map(|how| format!("policy {} is added and {how}", template.id))
        })
        .collect();
    let bound: HashSet<_> = before.bindings.iter().collect();
    for binding in &after.bindings {
        let mut templates = after.policies.iter();
        let template = templates.find(|one| one.id == binding.policy && old.contains(&one.id));
        if let (Some(template), false) = (template, bound.contains(binding)) {
            let place = super::binding::words(binding);
            told.extend(
                side_effects(template)
                    .into_iter()
                    .map(|how| format!("policy {} is bound to {place} and {how}", template.id)),
            );
        }
    }
    told
}

/// What a policy does besides gating.
fn side_effects(template: &PolicyTemplate) -> Vec<String> {
    let mut told = Vec::new();
    match template.show_payload {
        ShowPayload::Card => {}
        ShowPayload::Details => told.push("keeps the payload off the cards".to_owned()),
        ShowPayload::Never => told.push("hides the payload from those who decide".to_owned()),
    }
    if let Some(channel) = &template.channel {
        told.push(format!("posts its cards to {channel}, too"));
    }
    told
}

fn weaker(old: &PolicyTemplate, new: &PolicyTemplate, actions: &[ActionId]) -> Vec<&'static str> {
    let fewer = actions
        .iter()
        .any(|action| gates_action(old, action) && !gates_action(new, action));
    let checks = [
        (old.scope != new.scope, "has another scope"),
        (fewer, "gates fewer actions"),
        (
            !within(approvers(new).as_ref(), approvers(old).as_ref()),
            "lets more people approve",
        ),
        (less(&old.quorum, &new.quorum), "needs less of a quorum"),
        (
            narrower(&old.conditions, &new.conditions),
            "applies less often",
        ),
        (
            old.conditions.require_reason && !new.conditions.require_reason,
            "needs no reason any more",
        ),
        (
            old.decide_on.is_some() && new.decide_on.is_none(),
            "takes approvals outside the web pages",
        ),
        (
            !old.requester_can_approve && new.requester_can_approve,
            "lets the requester approve",
        ),
        (
            new.expires_after > old.expires_after,
            "lets requests wait longer",
        ),
        (new.valid_for > old.valid_for, "lets approvals hold longer"),
        (
            new.show_payload < old.show_payload,
            "shows more of the payload",
        ),
        (
            new.show_payload > old.show_payload,
            "shows less of the payload to those who decide",
        ),
        (
            old.channel != new.channel,
            "posts its cards to other channels",
        ),
        (
            old.escalation.is_some() && old.escalation != new.escalation,
            "escalates otherwise",
        ),
        (
            !old.break_glass_bypass && new.break_glass_bypass,
            "can be bypassed by break-glass",
        ),
        (
            old.mode == Mode::Enforce && new.mode == Mode::Observe,
            "only observes",
        ),
    ];
    checks
        .into_iter()
        .filter(|(weaker, _)| *weaker)
        .map(|(_, how)| how)
        .collect()
}

/// The approvers of a policy; `None` means everyone.
fn approvers(template: &PolicyTemplate) -> Option<People> {
    match &template.approvers {
        Some(Approvers::Anyone) => None,
        Some(Approvers::Among(people)) => Some(people.clone()),
        None => Some(People {
            users: template.quorum.required_user_ids.clone(),
            teams: template.quorum.required_team_ids.clone(),
            org_roles: template.quorum.required_org_roles.clone(),
        }),
    }
}

/// Whether everyone named in `new` is also named in `old`, in the same way.
fn within(new: Option<&People>, old: Option<&People>) -> bool {
    match (new, old) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(new), Some(old)) => {
            subset(&new.users, &old.users)
                && subset(&new.teams, &old.teams)
                && subset(&new.org_roles, &old.org_roles)
        }
    }
}

fn subset<T: Ord>(small: &[T], large: &[T]) -> bool {
    let large: BTreeSet<&T> = large.iter().collect();
    small.iter().all(|item| large.contains(item))
}

fn less(old: &Quorum, new: &Quorum) -> bool {
    new.min_approvals < old.min_approvals
        || new.min_distinct_teams < old.min_distinct_teams
        || !subset(&old.required_user_ids, &new.required_user_ids)
        || !subset(&old.required_team_ids, &new.required_team_ids)
        || !subset(&old.required_org_roles, &new.required_org_roles)
}

fn narrower(old: &Conditions, new: &Conditions) -> bool {
    let environments = match (&old.environments, &new.environments) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => !subset(old, new),
    };
    let always = Week::of(new).hours() == Week::always().hours();
    let hours = !Week::of(new).covers(&Week::of(old)) || (!always && old.timezone != new.timezone);
    environments || hours
}
