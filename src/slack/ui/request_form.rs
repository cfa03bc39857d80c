//! Asking with a form: whatever a command left out, and nothing that is known already.

use super::blocks;
use super::form::{self, Choice, Select, Text};
use super::phrases;
use crate::domain::action::{self, Action};
use crate::domain::compiled_config::{CompiledConfig, Violation, ViolationCode};
use crate::domain::digest::Payload;
use crate::domain::document::{ActionGroup, Level};
use crate::slack::inbound::View;
use crate::slack::inbound::command::Form;
use serde_json::Value;

/// The modal's `callback_id`.
pub const CALLBACK: &str = "request";

const ACTION: &str = "action";
const PROJECT: &str = "project";
const ENVIRONMENT: &str = "environment";
const CLUSTER: &str = "cluster";
const RELEASE: &str = "release";
const REASON: &str = "reason";
const PAYLOAD: &str = "payload";

/// The form, filled in with what is known; nothing, where that is too much for one.
pub fn request_form(config: &CompiledConfig, known: &Form) -> Option<Value> {
    form::sized(|most| sized(config, known, most))
}

fn sized(config: &CompiledConfig, known: &Form, most: usize) -> Value {
    let list = |name, label, hint, now: Option<&String>| {
        let select = Select {
            name,
            label,
            hint,
            optional: true,
            most,
        };
        form::one_of(&select, &choices(config, name), now.map(String::as_str))
    };
    let action = Select {
        name: ACTION,
        label: "What do you want to do?",
        hint: "",
        optional: false,
        most,
    };
    let now = Some(known.action.as_str());
    let mut blocks = Vec::new();
    blocks.extend(form::grouped(&action, &groups(config), now));
    blocks.extend(list(PROJECT, "Project", "", known.project.as_ref()));
    blocks.extend(list(
        ENVIRONMENT,
        "Environment",
        "",
        known.environment.as_ref(),
    ));
    blocks.extend(list(
        CLUSTER,
        "Cluster",
        "The cluster determines the environment.",
        known.cluster.as_ref(),
    ));
    blocks.extend(texts(known));
    let mut view = blocks::modal(CALLBACK, "New request", "", &blocks);
    view["submit"] = blocks::plain_text("Ask for approval");
    view
}

fn texts(known: &Form) -> [Value; 3] {
    let release = Text {
        name: RELEASE,
        label: "Release",
        hint: "Such as v1.4.2.",
        optional: true,
        most: 200,
    };
    let reason = Text {
        name: REASON,
        label: "Why?",
        hint: "Approvers read it. Some policies require it.",
        optional: true,
        ..Text::default()
    };
    let payload = Text {
        name: PAYLOAD,
        label: "What runs, as JSON",
        hint: "Approvers read it, and it is part of what they approve. Such as {\"image\": \"api:1.4.2\"}.",
        optional: true,
        ..Text::default()
    };
    let shown = known.payload.as_ref().map(|payload| payload.0.to_string());
    [
        form::line(&release, known.release.as_deref()),
        form::lines(&reason, known.reason.as_deref()),
        form::lines(&payload, shown.as_deref()),
    ]
}

/// Whether all of it fits the form, so that nothing said is lost on the way.
pub fn takes(known: &Form) -> bool {
    let short =
        |text: Option<&String>| text.is_none_or(|text| text.chars().count() <= form::LONGEST);
    let payload = known.payload.as_ref().map(|payload| payload.0.to_string());
    short(known.reason.as_ref())
        && short(payload.as_ref())
        && known
            .release
            .as_ref()
            .is_none_or(|text| text.chars().count() <= 200)
}

/// Whether all that is wrong is that something was left out, which the form can ask for.
pub fn only_missing(violations: &[Violation]) -> bool {
    let missing = |violation: &Violation| {
        matches!(
            violation.rule,
            ViolationCode::TargetRequired | ViolationCode::ReasonRequired
        )
    };
    violations.iter().all(missing)
}

/// What a list of the form offers.
pub fn choices(config: &CompiledConfig, list: &str) -> Vec<Choice> {
    let resources = &config.document().resources;
    let named = |names: &mut dyn Iterator<Item = &str>| names.map(Choice::named).collect();
    match list {
        ACTION => groups(config)
            .into_iter()
            .flat_map(|(_, choices)| choices)
            .collect(),
        PROJECT => named(&mut resources.projects.iter().map(AsRef::as_ref)),
        ENVIRONMENT => named(&mut resources.environments.iter().map(AsRef::as_ref)),
        CLUSTER => resources
            .clusters
            .iter()
            .map(|cluster| Choice {
                value: cluster.id.to_string(),
                words: format!("{} ({})", cluster.id, cluster.environment),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The actions in their groups; a break-glass session has a form of its own.
fn groups(config: &CompiledConfig) -> [(&'static str, Vec<Choice>); 3] {
    let of = |group: ActionGroup| {
        let actions = config.actions().iter();
        let listed =
            actions.filter(|each| each.group == group && each.id.as_str() != action::BREAK_GLASS);
        listed.map(choice).collect()
    };
    [
        ("Project", of(ActionGroup::Project)),
        ("Cluster", of(ActionGroup::Cluster)),
        ("Security", of(ActionGroup::Security)),
    ]
}

fn choice(action: &Action) -> Choice {
    let name = super::text::cut(&action.name, 55);
    Choice {
        value: action.id.to_string(),
        words: format!("{name} ({} risk)", phrases::risk(action.risk)),
    }
}

/// What was filled in, or what is wrong with it.
pub fn read(view: &View) -> Result<Form, Vec<(&'static str, String)>> {
    let payload: Option<Payload> = match view.field(PAYLOAD) {
        None => None,
        Some(text) => Some(
            serde_json::from_str(&text)
                .map_err(|error| vec![(PAYLOAD, format!("This is not valid JSON: {error}."))])?,
        ),
    };
    Ok(Form {
        action: view.field(ACTION).unwrap_or_default(),
        project: view.field(PROJECT),
        cluster: view.field(CLUSTER),
        environment: view.field(ENVIRONMENT),
        release: view.field(RELEASE),
        reason: view.field(REASON),
        payload,
    })
}

/// Each broken rule beside the field it is about.
pub fn beside(
    violations: &[Violation],
    form: &Form,
    config: &CompiledConfig,
) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    for violation in violations {
        let message = sentence(&violation.message);
        match violation.rule {
            ViolationCode::TargetRequired => {
                // one violation for each level that is missing: all are told by the first
                let told = wrong
                    .iter()
                    .any(|(_, said)| *said == "This action needs it.");
                let fields = missing(form, config).into_iter().filter(|_| !told);
                wrong.extend(fields.map(|field| (field, "This action needs it.".to_owned())));
            }
            ViolationCode::UnknownResource => {
                wrong.push((unknown(form, config, &violation.message), message));
            }
            ViolationCode::ContradictsRegistry => wrong.push((CLUSTER, message)),
            ViolationCode::ReasonRequired => wrong.push((REASON, message)),
            ViolationCode::Payload => wrong.push((PAYLOAD, message)),
            ViolationCode::UnknownAction
            | ViolationCode::Unsatisfiable
            | ViolationCode::UnknownPerson
            | ViolationCode::OwnRoute
            | ViolationCode::Scope
            | ViolationCode::Duration
            | ViolationCode::Callback => wrong.push((ACTION, message)),
        }
    }
    wrong
}

fn sentence(message: &str) -> String {
    let mut signs = message.chars();
    let first = signs.next().map(|sign| sign.to_uppercase().to_string());
    let ending = if message.ends_with(['.', '?']) {
        ""
    } else {
        "."
    };
    format!("{}{}{ending}", first.unwrap_or_default(), signs.as_str())
}

/// The fields of what the action needs and the form does not say.
fn missing(form: &Form, config: &CompiledConfig) -> Vec<&'static str> {
    let action = config.action(&form.action.as_str().into());
    let requires = action.map(|action| action.requires.as_slice());
    let missing = |level: &Level| match level {
        Level::Organization => None,
        Level::Project => form.project.is_none().then_some(PROJECT),
        Level::Cluster => form.cluster.is_none().then_some(CLUSTER),
        Level::Environment => form.environment.is_none().then_some(ENVIRONMENT),
    };
    requires
        .unwrap_or_default()
        .iter()
        .filter_map(missing)
        .collect()
}

/// The field whose resource does not exist, as the registry says it in the same words.
fn unknown(form: &Form, config: &CompiledConfig, message: &str) -> &'static str {
    let fields = [
        (PROJECT, Level::Project, &form.project),
        (CLUSTER, Level::Cluster, &form.cluster),
        (ENVIRONMENT, Level::Environment, &form.environment),
    ];
    let says = |level, name: &Option<String>| {
        let checked = name
            .as_deref()
            .map(|name| config.registry().check(level, name));
        matches!(checked, Some(Err(said)) if said == message)
    };
    let found = fields.iter().find(|(_, level, name)| says(*level, name));
    found.map_or(ACTION, |(field, ..)| field)
}
