//! Asking with a form: whatever a command left out, and nothing that is known already.

use super::blocks;
use super::form::{self, Choice, Select, Text};
use super::phrases;
use crate::domain::action::{self, Action};
use crate::domain::ask::Ask;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::digest::Payload;
use crate::domain::document::ActionGroup;
use crate::domain::id::ChannelId;
use crate::domain::violation::{AskField, Violation, ViolationCode};
use crate::slack::inbound::{View, channel_of};
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
pub fn request_form(config: &CompiledConfig, known: &Ask) -> Option<Value> {
    form::sized(|most| sized(config, known, most))
}

fn sized(config: &CompiledConfig, known: &Ask, most: usize) -> Value {
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
    let asked_in = known.asked_in.as_ref().map_or("", ChannelId::as_str);
    let mut view = blocks::modal(CALLBACK, "New request", asked_in, &blocks);
    view["submit"] = blocks::plain_text("Ask for approval");
    view
}

fn texts(known: &Ask) -> [Value; 3] {
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
pub fn takes(known: &Ask) -> bool {
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
pub fn read(view: &View) -> Result<Ask, Vec<(&'static str, String)>> {
    let payload: Option<Payload> = match view.field(PAYLOAD) {
        None => None,
        Some(text) => Some(
            serde_json::from_str(&text)
                .map_err(|error| vec![(PAYLOAD, format!("This is not valid JSON: {error}."))])?,
        ),
    };
    Ok(Ask {
        action: view.field(ACTION).unwrap_or_default(),
        project: view.field(PROJECT),
        cluster: view.field(CLUSTER),
        environment: view.field(ENVIRONMENT),
        release: view.field(RELEASE),
        reason: view.field(REASON),
        payload,
        asked_in: view.private_metadata.as_deref().and_then(channel_of),
        ..Ask::default()
    })
}

/// Each violation beside the input that it is about.
pub fn beside(violations: &[Violation]) -> Vec<(&'static str, String)> {
    let beside = |violation: &Violation| {
        let message = match violation.rule {
            ViolationCode::TargetRequired => "This action needs it.".to_owned(),
            _ => sentence(&violation.message),
        };
        (input_of(violation.field), message)
    };
    violations.iter().map(beside).collect()
}

/// The `block_id` of an input; what has no input of its own is shown beside the action.
fn input_of(field: AskField) -> &'static str {
    match field {
        AskField::Project => PROJECT,
        AskField::Cluster => CLUSTER,
        AskField::Environment => ENVIRONMENT,
        AskField::Release => RELEASE,
        AskField::Reason => REASON,
        AskField::Payload => PAYLOAD,
        AskField::Whole
        | AskField::Action
        | AskField::Requester
        | AskField::Authors
        | AskField::CallbackUrl
        | AskField::Duration
        | AskField::Responders => ACTION,
    }
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
