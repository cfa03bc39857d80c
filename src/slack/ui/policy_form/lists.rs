//! What the lists of these forms offer, and what a stored policy holds of it.

use super::RESOURCE;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::{Approvers, Level, PolicyTemplate, Weekday};
use crate::slack::ui::form::Choice;
use serde_json::{Value, json};

/// What a list of these forms offers.
pub fn choices(config: &CompiledConfig, list: &str) -> Vec<Choice> {
    let document = config.document();
    let with_name = |id: &str, name: &str| Choice {
        value: id.to_owned(),
        words: format!("{name} ({id})"),
    };
    match list {
        "actions" => config
            .actions()
            .iter()
            .map(|action| with_name(action.id.as_str(), &action.name))
            .collect(),
        "approvers.users" | "quorum.requiredUserIds" => {
            let people = config.directory().people();
            people
                .map(|person| with_name(person.id.as_str(), &person.name))
                .collect()
        }
        "approvers.teams" | "quorum.requiredTeamIds" => {
            let teams = document.directory.teams.iter();
            teams
                .map(|team| with_name(team.id.as_str(), &team.name))
                .collect()
        }
        "approvers.orgRoles" | "quorum.requiredOrgRoles" => config
            .directory()
            .roles()
            .map(|role| Choice::named(role.as_str()))
            .collect(),
        "conditions.environments" => document
            .resources
            .environments
            .iter()
            .map(|id| Choice::named(id.as_str()))
            .collect(),
        RESOURCE => [Level::Project, Level::Cluster, Level::Environment]
            .into_iter()
            .flat_map(|level| resources(config, level))
            .collect(),
        _ => Vec::new(),
    }
}

pub(super) fn resources(config: &CompiledConfig, level: Level) -> Vec<Choice> {
    let resources = &config.document().resources;
    match level {
        Level::Organization => vec![Choice {
            value: "organization".to_owned(),
            words: "The whole organization".to_owned(),
        }],
        Level::Project => resources
            .projects
            .iter()
            .map(|id| Choice::named(id.as_str()))
            .collect(),
        Level::Cluster => resources
            .clusters
            .iter()
            .map(|cluster| Choice::named(cluster.id.as_str()))
            .collect(),
        Level::Environment => resources
            .environments
            .iter()
            .map(|id| Choice::named(id.as_str()))
            .collect(),
    }
}

pub(super) fn levels() -> Vec<Choice> {
    [
        Level::Organization,
        Level::Project,
        Level::Cluster,
        Level::Environment,
    ]
    .map(|level| Choice::named(level.as_str()))
    .to_vec()
}

pub(super) fn whose() -> Vec<Choice> {
    [
        ("required", "Whoever the quorum requires"),
        ("anyone", "Anyone"),
        ("these", "The people, teams and roles named below"),
    ]
    .map(|(value, words)| Choice {
        value: value.to_owned(),
        words: words.to_owned(),
    })
    .to_vec()
}

pub(super) fn approvers(policy: Option<&PolicyTemplate>) -> &'static str {
    match policy.and_then(|policy| policy.approvers.as_ref()) {
        None => "required",
        Some(Approvers::Anyone) => "anyone",
        Some(Approvers::Among(_)) => "these",
    }
}

pub(super) fn weekdays() -> Vec<Choice> {
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    [
        Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday,
    ]
    .iter()
    .filter_map(|day| json!(day).as_str().map(Choice::named))
    .collect()
}

/// What a list of a stored policy holds.
pub(super) fn chosen(policy: &PolicyTemplate, list: &str) -> Vec<String> {
    let template = serde_json::to_value(policy).unwrap_or_default();
    let place = format!("/{}", list.replace('.', "/"));
    let held = template.pointer(&place).and_then(Value::as_array);
    let texts = held.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}
