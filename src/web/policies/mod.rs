//! `/approval-policies`: the templates, where each is bound and when it gates; administrators change them through the same use case
//! as everywhere else.

pub(super) mod form;
pub(super) mod replay;
pub(super) mod versions;

use super::access::Visitor;
use super::failure::Failure;
use super::page::{Shell, render};
use crate::domain::document::{Approvers, Binding, DecideOn, Mode, PolicyTemplate};
use crate::domain::id::PolicyId;
use crate::domain::people::Directory;
use crate::domain::window::Week;
use askama::Template;
use axum::Extension;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use form::{BLANK, check_right, read, unreadable};

/// The list.
const PAGE: &str = "/approval-policies";
/// The days of the week, as the table names them.
const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
struct Row {
    id: String,
    name: String,
    description: String,
    scope: &'static str,
    approvals: u32,
    bound: Vec<String>,
    hours: usize,
    is_observed: bool,
}

#[derive(Template)]
#[template(path = "policies.html", config = "src/web/askama.toml")]
struct ListPage {
    shell: Shell,
    rows: Vec<Row>,
}

struct Bound {
    text: String,
    resource: String,
}

/// One day of the week: whether the policy applies in each hour.
struct Day {
    name: &'static str,
    hours: Vec<bool>,
}

#[derive(Template)]
#[template(path = "policy.html", config = "src/web/askama.toml")]
struct PolicyPage {
    shell: Shell,
    row: Row,
    version: i64,
    config_version: i64,
    gates: String,
    approvers: String,
    bound: Vec<Bound>,
    resources: Vec<String>,
    zone: String,
    week: Vec<Day>,
    yaml: String,
    is_new: bool,
}

/// `GET /approval-policies`
pub(super) async fn list(Extension(visitor): Extension<Visitor>) -> Response {
    let document = visitor.signed_in.config.document();
    render(&ListPage {
        shell: Shell::of(&visitor, "policies"),
        rows: document
            .policies
            .iter()
            .map(|one| row(one, &visitor))
            .collect(),
    })
}

/// `GET /approval-policies/{id}`; the id `new` is the form of a new policy.
pub(super) async fn show(
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let config = &visitor.signed_in.config;
    if id == "new" {
        check_right(&visitor)?;
        let blank = read(BLANK).map_err(|why| back(unreadable(&why)))?;
        return Ok(render(&page(&blank, 0, BLANK.to_owned(), &visitor)));
    }
    let known = config.versioned_template(&PolicyId::new(id));
    let (version, policy) = known.ok_or_else(no_policy)?;
    let yaml = serde_saphyr::to_string(policy).map_err(|error| unreadable(&error.to_string()))?;
    Ok(render(&page(policy, version, yaml, &visitor)))
}

fn page(policy: &PolicyTemplate, version: i64, yaml: String, visitor: &Visitor) -> PolicyPage {
    let config = &visitor.signed_in.config;
    let week = Week::of(&policy.conditions);
    let day = |(place, name): (usize, &&'static str)| Day {
        name,
        hours: (0..24).map(|hour| week.contains(place, hour)).collect(),
    };
    let bindings = config.document().bindings.iter();
    let bound = bindings
        .filter(|binding| binding.policy == policy.id)
        .map(|binding| Bound {
            text: place(binding),
            resource: binding.resource.clone().unwrap_or_default(),
        });
    PolicyPage {
        shell: Shell::of(visitor, "policies"),
        row: row(policy, visitor),
        version,
        config_version: config.version(),
        gates: match &policy.actions {
            None => "every action but configuration changes and break-glass starts".to_owned(),
            Some(actions) => joined(actions.iter().map(AsRef::as_ref)),
        },
        approvers: approvers(policy, config.directory()),
        bound: bound.collect(),
        resources: config
            .registry()
            .names(policy.scope)
            .map(str::to_owned)
            .collect(),
        zone: policy.conditions.timezone.clone().unwrap_or_default(),
        week: DAYS.iter().enumerate().map(day).collect(),
        yaml,
        is_new: version == 0,
    }
}

fn row(policy: &PolicyTemplate, visitor: &Visitor) -> Row {
    let bindings = visitor.signed_in.config.document().bindings.iter();
    let bound = bindings.filter(|binding| binding.policy == policy.id);
    Row {
        id: policy.id.to_string(),
        name: policy.name.clone(),
        description: policy.description.clone(),
        scope: policy.scope.as_str(),
        approvals: policy.quorum.min_approvals,
        bound: bound.map(place).collect(),
        hours: Week::of(&policy.conditions).hours(),
        is_observed: policy.mode == Mode::Observe,
    }
}

fn place(binding: &Binding) -> String {
    match &binding.resource {
        Some(resource) => format!("{} {resource}", binding.level.as_str()),
        None => "the whole organization".to_owned(),
    }
}

fn approvers(policy: &PolicyTemplate, directory: &Directory) -> String {
    let who = match &policy.approvers {
        None => "whoever the quorum requires".to_owned(),
        Some(Approvers::Anyone) => "anyone".to_owned(),
        Some(Approvers::Among(people)) => {
            let users = people.users.iter().map(|id| directory.name(id));
            let teams = people.teams.iter().map(|id| directory.team_name(id));
            let roles = people.org_roles.iter().map(AsRef::as_ref);
            joined(users.chain(teams).chain(roles))
        }
    };
    match policy.decide_on {
        None => who,
        Some(DecideOn::Web) => format!("{who}; on these pages only"),
    }
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn no_policy() -> Failure {
    let title = "This policy does not exist";
    let detail = "It may have been removed. Choose one from the list.";
    back(Failure::new(StatusCode::NOT_FOUND, title, detail))
}

pub(super) fn back(failure: Failure) -> Failure {
    failure.leading_to(PAGE, "Back to the policies")
}
