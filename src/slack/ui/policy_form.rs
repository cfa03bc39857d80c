//! Policies made and changed with forms. A field is called as it is in the configuration, so that what is wrong with it can be said
//! beside it. What a form does not ask for stays as it is stored.

use super::form::{self, Choice, Select, Text};
use super::{blocks, policies};
use crate::domain::compiled_config::{CompiledConfig, ConfigError};
use crate::domain::document::{Binding, ConfigDocument, Mode, PolicyTemplate};
use crate::domain::id::PolicyId;
use crate::slack::inbound::View;
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod lists;
mod reading;

pub use lists::choices;
pub use reading::read;

use lists::{approvers, chosen, levels, resources, weekdays, whose};

/// The `callback_id` of the form that makes or changes a policy.
pub const EDIT: &str = "policy_edit";
/// Of the form that binds one.
pub const BIND: &str = "policy_bind";
/// Of the form that unbinds one.
pub const UNBIND: &str = "policy_unbind";
/// Why the configuration is changed, in each of them.
pub const WHY: &str = "why";
/// What a policy is bound to.
pub const RESOURCE: &str = "resource";

/// The fields of a policy, by their place in a template.
const FIELDS: [&str; 21] = [
    "id",
    "name",
    "description",
    "scope",
    "actions",
    "approvers",
    "approvers.users",
    "approvers.teams",
    "approvers.orgRoles",
    "quorum.minApprovals",
    "quorum.minDistinctTeams",
    "quorum.requiredUserIds",
    "quorum.requiredTeamIds",
    "quorum.requiredOrgRoles",
    "conditions.environments",
    "conditions.weekdays",
    "conditions.startHour",
    "conditions.endHour",
    "conditions.timezone",
    "options",
    "why",
];

/// What a form carries along: which policy, and the version of the configuration that it was opened on. It comes back from outside;
/// a version that is not stored any more is refused, and so is whoever may not change the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The version.
    pub version: i64,
    /// The policy; none for a new one.
    pub policy: Option<PolicyId>,
    /// The resource it is unbound from.
    pub resource: Option<String>,
}

impl Carried {
    /// Reads what a view carries.
    pub fn read(view: &View) -> Option<Self> {
        serde_json::from_str(view.private_metadata.as_deref()?).ok()
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The form of a policy, or of a new one; nothing, where it is too large for one.
pub fn edit(config: &CompiledConfig, policy: Option<&PolicyTemplate>) -> Option<Value> {
    form::sized(|most| sized(config, policy, most))
}

fn sized(config: &CompiledConfig, policy: Option<&PolicyTemplate>, most: usize) -> Value {
    let mut blocks = Vec::new();
    if policy.is_none() {
        blocks.push(short(
            "id",
            "Id",
            "Such as production-deploys; it never changes.",
            false,
            None,
        ));
    }
    blocks.extend(about(policy));
    blocks.extend(lists(config, policy, most));
    blocks.extend(hours(policy, most));
    blocks.push(options(policy));
    blocks.push(why());
    let carried = Carried {
        version: config.version(),
        policy: policy.map(|policy| policy.id.clone()),
        resource: None,
    };
    let title = if policy.is_some() {
        "Edit policy"
    } else {
        "New policy"
    };
    form_of(EDIT, title, "Save", &carried, &blocks)
}

fn form_of(
    callback: &str,
    title: &str,
    submit: &str,
    carried: &Carried,
    blocks: &[Value],
) -> Value {
    let mut view = blocks::modal(callback, title, &carried.text(), blocks);
    view["submit"] = blocks::plain_text(submit);
    view
}

fn short(name: &str, label: &str, hint: &str, optional: bool, now: Option<&str>) -> Value {
    let text = Text {
        name,
        label,
        hint,
        optional,
        most: 200,
    };
    form::line(&text, now)
}

fn why() -> Value {
    let hint = "It is recorded in the audit log. Some policies require it.";
    short(WHY, "Why this change?", hint, true, None)
}

fn about(policy: Option<&PolicyTemplate>) -> Vec<Value> {
    let description = Text {
        name: "description",
        label: "Description",
        hint: "What it protects, and why.",
        optional: true,
        ..Text::default()
    };
    let scope = Select {
        name: "scope",
        label: "Where it can be bound",
        hint: "",
        optional: false,
        most: form::OPTIONS,
    };
    let now = policy.map(|policy| policy.scope.as_str());
    let mut blocks = vec![
        short(
            "name",
            "Name",
            "",
            false,
            policy.map(|policy| policy.name.as_str()),
        ),
        form::lines(
            &description,
            policy.map(|policy| policy.description.as_str()),
        ),
    ];
    blocks.extend(form::one_of(&scope, &levels(), now));
    blocks
}

fn lists(config: &CompiledConfig, policy: Option<&PolicyTemplate>, most: usize) -> Vec<Value> {
    let several = |name, label, hint| {
        let select = Select {
            name,
            label,
            hint,
            optional: true,
            most,
        };
        let now = policy
            .map(|policy| chosen(policy, name))
            .unwrap_or_default();
        form::several_of(&select, &choices(config, name), &now)
    };
    let who = Select {
        name: "approvers",
        label: "Who may approve",
        hint: "",
        optional: false,
        most: form::OPTIONS,
    };
    let number = |name, label, now: Option<u32>| {
        let now = now.unwrap_or(1).to_string();
        Some(short(name, label, "", false, Some(&now)))
    };
    let quorum = policy.map(|policy| &policy.quorum);
    let blocks = [
        several(
            "actions",
            "What it gates",
            "Left empty: every action but changes of the configuration and break-glass.",
        ),
        form::one_of(&who, &whose(), Some(approvers(policy))),
        several("approvers.users", "These people", ""),
        several("approvers.teams", "These teams", ""),
        several("approvers.orgRoles", "Holders of these roles", ""),
        number(
            "quorum.minApprovals",
            "Minimum number of approvals",
            quorum.map(|q| q.min_approvals),
        ),
        number(
            "quorum.minDistinctTeams",
            "Minimum number of different teams",
            Some(quorum.map_or(0, |q| q.min_distinct_teams)),
        ),
        several(
            "quorum.requiredUserIds",
            "Each of these people must approve",
            "",
        ),
        several(
            "quorum.requiredTeamIds",
            "One person from each of these teams",
            "",
        ),
        several(
            "quorum.requiredOrgRoles",
            "One person with each of these roles",
            "",
        ),
        several(
            "conditions.environments",
            "Only in these environments",
            "Left empty: everywhere it is bound.",
        ),
    ];
    blocks.into_iter().flatten().collect()
}

fn hours(policy: Option<&PolicyTemplate>, most: usize) -> Vec<Value> {
    let conditions = policy.map(|policy| &policy.conditions);
    if conditions.is_some_and(|conditions| conditions.windows.is_some()) {
        let words = "Its hours are several windows, which stay as they are; `countersign apply` changes them.";
        return vec![blocks::context(&[words.to_owned()])];
    }
    let days = Select {
        name: "conditions.weekdays",
        label: "Only on these days",
        hint: "Left empty: every day.",
        optional: true,
        most: form::OPTIONS,
    };
    let hour = |name, label, hours: std::ops::RangeInclusive<u8>, now: Option<u8>| {
        let select = Select {
            name,
            label,
            hint: "",
            optional: true,
            most: most.max(25),
        };
        let choice = |hour: u8| Choice {
            value: hour.to_string(),
            words: format!("{hour:02}:00"),
        };
        let choices: Vec<Choice> = hours.map(choice).collect();
        form::one_of(
            &select,
            &choices,
            now.map(|hour| hour.to_string()).as_deref(),
        )
    };
    let now = policy
        .map(|policy| chosen(policy, days.name))
        .unwrap_or_default();
    let zone = conditions.and_then(|conditions| conditions.timezone.as_deref());
    let blocks = [
        form::several_of(&days, &weekdays(), &now),
        hour(
            "conditions.startHour",
            "From",
            0..=23,
            conditions.and_then(|c| c.start_hour),
        ),
        hour(
            "conditions.endHour",
            "Until",
            0..=24,
            conditions.and_then(|c| c.end_hour),
        ),
        Some(short(
            "conditions.timezone",
            "Time zone of days and hours",
            "Such as Europe/Istanbul.",
            true,
            zone,
        )),
    ];
    blocks.into_iter().flatten().collect()
}

fn options(policy: Option<&PolicyTemplate>) -> Value {
    let choice = |value: &str, words: &str| Choice {
        value: value.to_owned(),
        words: words.to_owned(),
    };
    let choices = [
        choice("requireReason", "A request must say why"),
        choice(
            "requesterCanApprove",
            "The requester may approve (discouraged for production)",
        ),
        choice("observe", "Observe only: shown and recorded, gates nothing"),
    ];
    let mut now = Vec::new();
    if let Some(policy) = policy {
        let set = [
            (policy.conditions.require_reason, "requireReason"),
            (policy.requester_can_approve, "requesterCanApprove"),
            (policy.mode == Mode::Observe, "observe"),
        ];
        now.extend(set.iter().filter(|(on, _)| *on).map(|(_, name)| *name));
    }
    form::boxes("options", "Options", &choices, &now)
}

/// Binds a policy to one resource of its scope, or to the organization.
pub fn bind(config: &CompiledConfig, policy: &PolicyTemplate) -> Value {
    let name = super::text::escape(&super::text::cut(&policy.name, 150));
    let level = policy.scope.as_str();
    let mut blocks = vec![blocks::section(&format!(
        "Bind *{name}*, which can be bound to: {level}."
    ))];
    let select = Select {
        name: RESOURCE,
        label: "To which one?",
        hint: "",
        optional: false,
        most: form::OPTIONS,
    };
    blocks.extend(form::one_of(
        &select,
        &resources(config, policy.scope),
        None,
    ));
    blocks.push(why());
    let carried = Carried {
        version: config.version(),
        policy: Some(policy.id.clone()),
        resource: None,
    };
    form_of(BIND, "Bind policy", "Bind", &carried, &blocks)
}

/// Asks before a policy is unbound.
pub fn unbind(config: &CompiledConfig, binding: &Binding) -> Value {
    let place = super::text::escape(&policies::place(binding));
    let policy = super::text::code(binding.policy.as_str());
    let words =
        format!("Unbind {policy} from {place}? Actions there no longer need its approvals.");
    let carried = Carried {
        version: config.version(),
        policy: Some(binding.policy.clone()),
        resource: binding.resource.clone(),
    };
    form_of(
        UNBIND,
        "Unbind policy",
        "Unbind",
        &carried,
        &[blocks::section(&words), why()],
    )
}

/// Each problem of a document beside the field it is about; what is about no field of this form stands beside the reason.
pub fn beside(
    problems: &[ConfigError],
    document: &ConfigDocument,
    policy: &PolicyId,
) -> Vec<(&'static str, String)> {
    let at = document.policies.iter().position(|each| each.id == *policy);
    let prefix = at.map_or_else(String::new, |at| format!("policies[{at}]."));
    let field = |path: &str| {
        let within = path.strip_prefix(&prefix).filter(|_| at.is_some())?;
        let fits = FIELDS.iter().filter(|field| within.starts_with(**field));
        fits.max_by_key(|field| field.len()).copied()
    };
    problems
        .iter()
        .map(|problem| match field(&problem.path) {
            Some("approvers.users" | "approvers.teams" | "approvers.orgRoles") | None => {
                (WHY, problem.to_string())
            }
            Some(field) => (field, problem.message.clone()),
        })
        .collect()
}
