//! Policies as people read them: the list, and everything about one of them, with the hours of the week in which it applies.

use super::text::{brief, code, cut_markup, escape, name, push_json};
use super::{Message, blocks};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::{
    Approvers, Binding, ConfigDocument, Mode, PolicyTemplate, ShowPayload,
};
use crate::domain::people::Directory;
use crate::domain::window::Week;
use serde_json::Value;

/// The modal's `callback_id`.
pub const CALLBACK: &str = "policy";

/// Policies that one answer lists; a message has fifty blocks.
const LIST_LIMIT: usize = 40;
/// Bindings that are listed with a button each.
const BINDINGS: usize = 40;

/// The policies of this installation; administrators get a button for a new one.
pub fn list(document: &ConfigDocument, administers: bool) -> Message {
    let mut blocks: Vec<Value> = document
        .policies
        .iter()
        .take(LIST_LIMIT)
        .map(|policy| row(document, policy))
        .collect();
    let left = document.policies.len().saturating_sub(LIST_LIMIT);
    if left > 0 {
        let words = format!("{left} more; `GET /v1/policies` has them all.");
        blocks.push(blocks::context(&[words]));
    }
    if document.policies.is_empty() {
        blocks.push(blocks::section(
            "There are no policies yet, so nothing is gated.",
        ));
    }
    if administers {
        let new = blocks::button("policy_new", "New policy", "new", "Make a new policy");
        blocks.push(blocks::actions(&[new]));
    }
    Message {
        text: match document.policies.len() {
            1 => "There is one policy.".to_owned(),
            many => format!("There are {many} policies."),
        },
        blocks,
    }
}

fn row(document: &ConfigDocument, policy: &PolicyTemplate) -> Value {
    let bound = bindings(document, policy).count();
    let least = policy.quorum.min_approvals;
    let name = brief(&policy.name, 80);
    let about = brief(&policy.description, 100);
    let (approvals, places) = (
        plural(least, "approval"),
        plural(u32::try_from(bound).unwrap_or(u32::MAX), "place"),
    );
    let text = format!(
        "*{name}*{}: at least {approvals}, bound to {places}. {about}",
        mode(policy)
    );
    let mut row = blocks::section(&cut_markup(&text, 240));
    let label = format!("View policy {}", policy.name);
    row["accessory"] = blocks::button("policy_view", "View", policy.id.as_str(), &label);
    row
}

fn mode(policy: &PolicyTemplate) -> &'static str {
    match policy.mode {
        Mode::Enforce => "",
        Mode::Observe => " (only tried out)",
    }
}

fn plural(count: u32, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

fn bindings<'a>(
    document: &'a ConfigDocument,
    policy: &'a PolicyTemplate,
) -> impl Iterator<Item = &'a Binding> {
    document
        .bindings
        .iter()
        .filter(|binding| binding.policy == policy.id)
}

/// Everything about one policy.
pub fn view(policy: &PolicyTemplate, config: &CompiledConfig, administers: bool) -> Value {
    let name = brief(&policy.name, 150);
    let mut blocks = vec![blocks::section(&format!(
        "*{name}* ({}){}",
        code(policy.id.as_str()),
        mode(policy)
    ))];
    if !policy.description.is_empty() {
        blocks.push(blocks::section_plain(&policy.description));
    }
    blocks.extend(blocks::packed(
        &facts(policy, config.directory()),
        blocks::VIEW_BYTES,
    ));
    let week = Week::of(&policy.conditions).picture(policy.conditions.timezone.as_deref());
    blocks.push(blocks::section(&format!(
        "*The hours in which it applies* (# applies, . does not apply)\n```{}```",
        fenced(&week)
    )));
    blocks.extend(bound(policy, config.document(), administers));
    if administers {
        blocks.push(blocks::actions(&buttons(policy)));
    }
    blocks::modal(CALLBACK, "Policy", policy.id.as_str(), &blocks)
}

fn fenced(text: &str) -> String {
    text.split('\n')
        .map(|line| {
            let mut shown = String::new();
            line.chars().for_each(|sign| push_json(&mut shown, sign));
            shown
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn buttons(policy: &PolicyTemplate) -> Vec<Value> {
    let id = policy.id.as_str();
    let name = &policy.name;
    vec![
        blocks::button("policy_edit", "Edit", id, &format!("Edit policy {name}")),
        blocks::button("policy_bind", "Bind", id, &format!("Bind policy {name}")),
    ]
}

fn facts(policy: &PolicyTemplate, directory: &Directory) -> Vec<String> {
    let quorum = &policy.quorum;
    let mut lines = vec![format!("*Gates* {}", gated(policy))];
    lines.push(format!(
        "*Who may approve* {}",
        approvers(policy, directory)
    ));
    lines.push(format!(
        "*Needs* {}",
        plural(quorum.min_approvals, "approval")
    ));
    if quorum.min_distinct_teams > 0 {
        lines.push(format!(
            "    from {}",
            plural(quorum.min_distinct_teams, "different team")
        ));
    }
    let required = [
        (
            "each of",
            names(quorum.required_user_ids.iter().map(|id| directory.name(id))),
        ),
        (
            "somebody of",
            names(
                quorum
                    .required_team_ids
                    .iter()
                    .map(|id| directory.team_name(id)),
            ),
        ),
        (
            "a holder of",
            names(quorum.required_org_roles.iter().map(AsRef::as_ref)),
        ),
    ];
    lines.extend(
        required
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(who, names)| format!("    {who} {names}")),
    );
    if let Some(environments) = &policy.conditions.environments {
        lines.push(format!(
            "*Only in* {}",
            names(environments.iter().map(AsRef::as_ref))
        ));
    }
    lines.extend(rest(policy));
    lines
}

fn rest(policy: &PolicyTemplate) -> Vec<String> {
    let mut lines = Vec::new();
    if policy.conditions.require_reason {
        lines.push("A request must say why.".to_owned());
    }
    if policy.requester_can_approve {
        lines.push("The requester may approve.".to_owned());
    }
    lines.push(format!(
        "A request waits at most {}; an approval holds for {}.",
        policy.expires_after.words(),
        policy.valid_for.words()
    ));
    if policy.decide_on.is_some() {
        lines.push("Approvals count on the web pages only.".to_owned());
    }
    match policy.show_payload {
        ShowPayload::Card => {}
        ShowPayload::Details => lines.push("The content is shown only in Review.".to_owned()),
        ShowPayload::Never => lines.push("The content is kept out of Slack.".to_owned()),
    }
    if !policy.break_glass_bypass {
        lines.push("Break-glass does not bypass it.".to_owned());
    }
    if let Some(escalation) = &policy.escalation {
        lines.push(format!("It escalates after {}.", escalation.after));
    }
    lines
}

fn gated(policy: &PolicyTemplate) -> String {
    match &policy.actions {
        None => "every action but changes of the configuration and break-glass starts".to_owned(),
        Some(actions) => actions
            .iter()
            .map(|id| code(id.as_str()))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn approvers(policy: &PolicyTemplate, directory: &Directory) -> String {
    match &policy.approvers {
        None => "whoever the quorum requires".to_owned(),
        Some(Approvers::Anyone) => "anyone".to_owned(),
        Some(Approvers::Among(people)) => {
            let users = people.users.iter().map(|id| directory.name(id));
            let teams = people.teams.iter().map(|id| directory.team_name(id));
            let roles = people.org_roles.iter().map(AsRef::as_ref);
            names(users.chain(teams).chain(roles))
        }
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(name).collect::<Vec<_>>().join(", ")
}

fn bound(policy: &PolicyTemplate, document: &ConfigDocument, administers: bool) -> Vec<Value> {
    let all: Vec<&Binding> = bindings(document, policy).collect();
    if all.is_empty() {
        return vec![blocks::section("*Bound* nowhere, so it gates nothing.")];
    }
    let mut blocks: Vec<Value> = all
        .iter()
        .take(BINDINGS)
        .map(|binding| {
            let mut row = blocks::section(&format!("*Bound* to {}", escape(&place(binding))));
            if administers {
                let value = unbind_value(binding);
                let label = format!("Unbind {} from {}", policy.name, place(binding));
                row["accessory"] = blocks::button("policy_unbind", "Unbind", &value, &label);
            }
            row
        })
        .collect();
    if all.len() > BINDINGS {
        blocks.push(blocks::context(&[format!(
            "and {} more places",
            all.len() - BINDINGS
        )]));
    }
    blocks
}

/// `the organization`, or `environment production`.
pub fn place(binding: &Binding) -> String {
    match &binding.resource {
        None => "the organization".to_owned(),
        Some(resource) => format!("{} {resource}", binding.level.as_str()),
    }
}

/// What an Unbind button carries: the policy, and the resource it is bound to. Ids have no spaces.
fn unbind_value(binding: &Binding) -> String {
    let resource = binding.resource.as_deref().unwrap_or_default();
    format!("{} {resource}", binding.policy)
}

/// The binding that an Unbind button names, where it is there.
pub fn read_unbind<'a>(value: &str, document: &'a ConfigDocument) -> Option<&'a Binding> {
    document
        .bindings
        .iter()
        .find(|binding| unbind_value(binding) == value)
}
