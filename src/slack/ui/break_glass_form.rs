//! The form of a break-glass start: it asks what cannot be known, and is filled in with what was typed already, known or not: a name
//! that fell away unseen would widen the session.

use super::form::{self, Choice, Select, Text};
use super::{blocks, phrases};
use crate::domain::action::must_be_named;
use crate::domain::break_glass::{ScopeAction, SessionAsk};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::BreakGlassConfig;
use crate::domain::principal::Principal;
use crate::domain::time::Span;
use crate::domain::violation::{AskField, Violation};
use crate::slack::inbound::View;
use serde_json::Value;

/// The modal's `callback_id`.
pub const START: &str = "bg_start";

const REASON: &str = "reason";
const ACTIONS: &str = "actions";
const PROJECTS: &str = "projects";
const CLUSTERS: &str = "clusters";
const ENVIRONMENTS: &str = "environments";
const DURATION: &str = "duration";
const RESPONDERS: &str = "responders";

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

/// The form; nothing, where what was typed is too much for one.
pub fn form(
    config: &CompiledConfig,
    settings: &BreakGlassConfig,
    given: &SessionAsk,
) -> Option<Value> {
    form::sized(|most| sized(config, settings, given, most))
}

fn sized(
    config: &CompiledConfig,
    settings: &BreakGlassConfig,
    given: &SessionAsk,
    most: usize,
) -> Value {
    let several = |name, label, hint, optional, now: Option<&Vec<String>>| {
        let select = Select {
            name,
            label,
            hint,
            optional,
            most,
        };
        let now = now.map(Vec::as_slice).unwrap_or_default();
        form::several_of(&select, &choices(config, name), now)
    };
    let within = |name, label, now| several(name, label, "", true, now);
    let reason = Text {
        name: REASON,
        label: "What is the emergency?",
        ..Text::default()
    };
    let warning = "While it is active, what it covers runs without any approval. Everything is announced and recorded, and somebody else reviews it.";
    let mut blocks = vec![
        blocks::section(warning),
        form::lines(&reason, Some(&given.reason)),
    ];
    let actions = Some(&given.actions);
    blocks.extend(several(ACTIONS, "What must be done?", "", false, actions));
    let clusters = given.clusters.as_ref();
    blocks.extend(within(CLUSTERS, "Only these clusters", clusters));
    let environments = given.environments.as_ref();
    blocks.extend(within(
        ENVIRONMENTS,
        "Only these environments",
        environments,
    ));
    let projects = given.projects.as_ref();
    blocks.extend(within(PROJECTS, "Only these projects", projects));
    blocks.extend(lengths(settings, given.duration));
    blocks.extend(several(
        RESPONDERS,
        "Who acts?",
        "You alone, when left empty.",
        true,
        Some(&given.responders),
    ));
    let mut view = blocks::modal(START, "Break-glass", "", &blocks);
    view["submit"] = blocks::plain_text("Start session");
    view["close"] = blocks::plain_text("Cancel");
    view
}

/// What a list of the form offers.
pub fn choices(config: &CompiledConfig, list: &str) -> Vec<Choice> {
    let resources = &config.document().resources;
    match list {
        ACTIONS => actions(config),
        PROJECTS => named(resources.projects.iter()),
        ENVIRONMENTS => named(resources.environments.iter()),
        CLUSTERS => named(resources.clusters.iter().map(|cluster| &cluster.id)),
        RESPONDERS => responders(config),
        _ => Vec::new(),
    }
}

fn named<T: AsRef<str>>(ids: impl Iterator<Item = T>) -> Vec<Choice> {
    ids.map(|id| Choice::named(id.as_ref())).collect()
}

/// The two groups first, then every action that a session can cover.
fn actions(config: &CompiledConfig) -> Vec<Choice> {
    let choice = |value: &str, words: String| Choice {
        value: value.to_owned(),
        words,
    };
    let groups = ["cluster", "project"].map(|group| choice(group, format!("Every {group} action")));
    let covered = config
        .actions()
        .iter()
        .filter(|action| !must_be_named(&action.id));
    let covered = covered.map(|action| {
        let group = ScopeAction::Group(action.group);
        let risk = phrases::risk(action.risk);
        let words = format!("{} ({group}, {risk})", action.name);
        choice(action.id.as_str(), words)
    });
    groups.into_iter().chain(covered).collect()
}

/// Whoever could act: people who are there, and services.
fn responders(config: &CompiledConfig) -> Vec<Choice> {
    let people = config.directory().people().filter(|person| person.active);
    let people = people.map(|person| Choice {
        value: person.id.to_string(),
        words: format!("{} ({})", person.name, person.id),
    });
    let services = config.document().services.iter();
    let services =
        services.map(|one| Choice::named(&Principal::Service(one.id.clone()).to_string()));
    people.chain(services).collect()
}

fn lengths(settings: &BreakGlassConfig, given: Option<Span>) -> Option<Value> {
    let mut lengths = vec![settings.min_duration, settings.max_duration];
    lengths.extend(LENGTHS);
    lengths.retain(|length| (settings.min_duration..=settings.max_duration).contains(length));
    lengths.extend(given);
    lengths.sort_unstable();
    lengths.dedup();
    let choices: Vec<Choice> = named(lengths.iter().map(ToString::to_string));
    let select = Select {
        name: DURATION,
        label: "For how long?",
        hint: "",
        optional: false,
        most: form::OPTIONS,
    };
    let now = given.unwrap_or(settings.min_duration).to_string();
    form::one_of(&select, &choices, Some(&now))
}

/// What was filled in.
pub fn read(view: &View) -> SessionAsk {
    let within = |name: &str| Some(view.chosen(name)).filter(|names| !names.is_empty());
    SessionAsk {
        reason: view.field(REASON).unwrap_or_default(),
        actions: view.chosen(ACTIONS),
        projects: within(PROJECTS),
        clusters: within(CLUSTERS),
        environments: within(ENVIRONMENTS),
        duration: view.field(DURATION).and_then(|text| text.parse().ok()),
        responders: view.chosen(RESPONDERS),
    }
}

/// Each broken rule beside an input of the form; one input tells all that is wrong with it.
pub fn beside(violations: &[Violation]) -> Vec<(&'static str, String)> {
    let mut wrong: Vec<(&'static str, String)> = Vec::new();
    for violation in violations {
        let input = match violation.field {
            AskField::Duration => DURATION,
            AskField::Responders => RESPONDERS,
            AskField::Action => ACTIONS,
            AskField::Project => PROJECTS,
            AskField::Cluster => CLUSTERS,
            AskField::Environment => ENVIRONMENTS,
            AskField::Whole
            | AskField::Release
            | AskField::Reason
            | AskField::Payload
            | AskField::Requester
            | AskField::Authors
            | AskField::CallbackUrl => REASON,
        };
        match wrong.iter_mut().find(|(known, _)| *known == input) {
            Some((_, said)) => *said = format!("{said}; {}", violation.message),
            None => wrong.push((input, violation.message.clone())),
        }
    }
    wrong
}
