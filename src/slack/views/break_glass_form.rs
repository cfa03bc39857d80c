//! The form of a break-glass start: it asks what cannot be known, and is filled in with what was typed already.

use super::kit;
use super::text::cut;
use crate::domain::break_glass::StartAsk;
use crate::domain::document::{ActionGroup, BreakGlassRules, Document, Level};
use crate::domain::rules::Rules;
use crate::domain::time::Span;
use crate::slack::inbound::View;
use serde_json::{Value, json};

/// The modal's `callback_id`.
pub const START: &str = "bg_start";
/// Inputs, each as block and action.
pub const REASON: &str = "reason";
/// See [`REASON`].
pub const ACTIONS: &str = "actions";
/// See [`REASON`].
pub const PROJECTS: &str = "projects";
/// See [`REASON`].
pub const CLUSTERS: &str = "clusters";
/// See [`REASON`].
pub const ENVIRONMENTS: &str = "environments";
/// See [`REASON`].
pub const DURATION: &str = "duration";
/// See [`REASON`].
pub const RESPONDERS: &str = "responders";

/// Slack's limit of options in one select.
const OPTIONS: usize = 100;
/// How long a session may be chosen to last, as far as the configuration lets.
const LENGTHS: [Span; 8] = [
    Span::minutes(15),
    Span::minutes(30),
    Span::hours(1),
    Span::hours(2),
    Span::hours(4),
    Span::hours(8),
    Span::hours(12),
    Span::hours(24),
];

/// The form.
pub fn form(rules: &Rules, door: &BreakGlassRules, given: &StartAsk) -> Value {
    let document = rules.document();
    let warning = "While it is active, what it covers runs without any approval. Everything is announced and recorded, and somebody else reviews it.";
    let mut blocks = vec![kit::section(warning)];
    let mut reason = json!({
        "type": "plain_text_input", "action_id": REASON, "multiline": true, "max_length": 3_000,
    });
    if !given.reason.is_empty() {
        reason["initial_value"] = cut(&given.reason, 3_000).into();
    }
    blocks.push(input(REASON, "What is the emergency?", reason, false));
    let actions = actions(rules);
    blocks.push(input(
        ACTIONS,
        "What must be done?",
        several(ACTIONS, &actions, Some(&given.actions)),
        false,
    ));
    let resources = [
        (
            CLUSTERS,
            "Only these clusters",
            names(document, Level::Cluster),
            given.clusters.as_ref(),
        ),
        (
            ENVIRONMENTS,
            "Only these environments",
            names(document, Level::Environment),
            given.environments.as_ref(),
        ),
        (
            PROJECTS,
            "Only these projects",
            names(document, Level::Project),
            given.projects.as_ref(),
        ),
    ];
    for (block, label, names, given) in resources {
        if !names.is_empty() {
            let names: Vec<(String, String)> =
                names.into_iter().map(|name| (name.clone(), name)).collect();
            blocks.push(input(block, label, several(block, &names, given), true));
        }
    }
    blocks.push(input(
        DURATION,
        "For how long?",
        lengths(door, given.duration),
        false,
    ));
    let people =
        json!({ "type": "multi_users_select", "action_id": RESPONDERS, "max_selected_items": 20 });
    let mut responders = input(RESPONDERS, "Who acts?", people, true);
    responders["hint"] = kit::plain_text("You alone, when left empty.");
    blocks.push(responders);
    let mut view = kit::modal(START, "Break-glass", "", &blocks);
    view["submit"] = kit::plain_text("Start session");
    view["close"] = kit::plain_text("Cancel");
    view
}

fn input(block: &str, label: &str, element: Value, optional: bool) -> Value {
    let mut input = json!({
        "type": "input", "block_id": block, "optional": optional,
        "label": kit::plain_text(label)
    });
    input["element"] = element;
    input
}

/// A choice of several; where there are more than Slack's select can hold, names are typed.
fn several(action: &str, options: &[(String, String)], given: Option<&Vec<String>>) -> Value {
    let given = given.map(Vec::as_slice).unwrap_or_default();
    if options.len() > OPTIONS {
        let mut typed = json!({
            "type": "plain_text_input", "action_id": action,
            "placeholder": kit::plain_text("names, separated by commas"),
        });
        if !given.is_empty() {
            typed["initial_value"] = given.join(", ").into();
        }
        return typed;
    }
    let option = |(value, words): &(String, String)| json!({ "text": kit::plain_text(&cut(words, 75)), "value": value });
    let chosen: Vec<Value> = options
        .iter()
        .filter(|(value, _)| given.contains(value))
        .map(option)
        .collect();
    let mut select = json!({
        "type": "multi_static_select", "action_id": action,
        "options": options.iter().map(option).collect::<Vec<_>>(),
    });
    if !chosen.is_empty() {
        select["initial_options"] = chosen.into();
    }
    select
}

/// The two groups first, then every action that a session can cover.
fn actions(rules: &Rules) -> Vec<(String, String)> {
    let groups = [
        ("cluster", "Every cluster action"),
        ("project", "Every project action"),
    ];
    let groups = groups.map(|(value, words)| (value.to_owned(), words.to_owned()));
    let covered = rules
        .actions()
        .iter()
        .filter(|action| !crate::domain::action::must_be_named(&action.id));
    let covered = covered.map(|action| {
        let group = match action.group {
            ActionGroup::Project => "project",
            ActionGroup::Cluster => "cluster",
            ActionGroup::Security => "security",
        };
        (
            action.id.to_string(),
            format!(
                "{} ({group}, {})",
                action.name,
                super::parts::risk(action.risk)
            ),
        )
    });
    groups.into_iter().chain(covered).collect()
}

fn names(document: &Document, level: Level) -> Vec<String> {
    let resources = &document.resources;
    match level {
        Level::Organization => Vec::new(),
        Level::Project => resources.projects.iter().map(ToString::to_string).collect(),
        Level::Environment => resources
            .environments
            .iter()
            .map(ToString::to_string)
            .collect(),
        Level::Cluster => resources
            .clusters
            .iter()
            .map(|one| one.id.to_string())
            .collect(),
    }
}

fn lengths(door: &BreakGlassRules, given: Option<Span>) -> Value {
    let mut lengths = vec![door.min_duration, door.max_duration];
    lengths.extend(LENGTHS.into_iter().chain(given));
    lengths.retain(|length| (door.min_duration..=door.max_duration).contains(length));
    lengths.sort_unstable();
    lengths.dedup();
    let option = |length: &Span| json!({ "text": kit::plain_text(&length.to_string()), "value": length.to_string() });
    let options: Vec<Value> = lengths.iter().map(option).collect();
    let initial = given
        .filter(|given| lengths.contains(given))
        .unwrap_or(door.min_duration);
    json!({
        "type": "static_select", "action_id": DURATION,
        "options": options, "initial_option": option(&initial),
    })
}

/// What was filled in. `person_of` knows whose a Slack account is; one that is nobody's is named by its id, which is then refused.
pub fn read(view: &View, person_of: impl Fn(&str) -> Option<String>) -> StartAsk {
    let text = |block: &str| view.input(block, block).unwrap_or_default().to_owned();
    let list = |block: &str| -> Vec<String> {
        let chosen = view.chosen(block);
        if chosen.is_empty() {
            let typed = text(block);
            let names = typed.split(',').map(str::trim);
            return names
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
        }
        chosen
    };
    let within = |block: &str| Some(list(block)).filter(|names| !names.is_empty());
    StartAsk {
        reason: text(REASON),
        actions: list(ACTIONS),
        projects: within(PROJECTS),
        clusters: within(CLUSTERS),
        environments: within(ENVIRONMENTS),
        duration: text(DURATION).parse().ok(),
        responders: view
            .chosen(RESPONDERS)
            .into_iter()
            .map(|user| person_of(&user).unwrap_or(user))
            .collect(),
    }
}
