//! The forms of a policy: what administrators send, read as strictly as a configuration file.

use super::{PAGE, back, no_policy};
use crate::app::Changed;
use crate::config::file;
use crate::domain::config_edit::ConfigEdit;
use crate::domain::document::{Binding, Level, PolicyTemplate};
use crate::domain::id::PolicyId;
use crate::web::Web;
use crate::web::access::Visitor;
use crate::web::failure::Failure;
use crate::web::fields::Fields;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};

/// What a new policy looks like before it is written.
pub(super) const BLANK: &str = "id: new-policy
name: New Policy
description: What it protects and why.
scope: environment
actions: [release.deploy]
approvers: {teams: []}
quorum: {minApprovals: 1}
";
/// Parts of a policy that are mappings; a list in their place would be read by position.
const MAPPINGS: [&str; 3] = ["quorum", "conditions", "escalation"];

/// `POST /approval-policies/{id}`: an edit, or with the id `new` a new policy.
pub(in crate::web) async fn save(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    // before anything is read: what others send is refused whatever it says
    check_right(&visitor)?;
    let edit = edit(&id, fields.get("policy").unwrap_or_default())?;
    change(&web, &visitor, &fields, edit).await
}

/// `POST /approval-policies/{id}/bindings`: binds or unbinds.
pub(in crate::web) async fn bind(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let config = &visitor.signed_in.config;
    let known = config.versioned_template(&PolicyId::new(id));
    let (_, policy) = known.ok_or_else(no_policy)?;
    let binding = binding(policy, fields.get("resource"));
    let edit = match fields.get("change") {
        Some("bind") => ConfigEdit::Bind(binding),
        Some("unbind") => ConfigEdit::Unbind(binding),
        _ => return Err(unreadable("Choose Bind or Unbind.")),
    };
    change(&web, &visitor, &fields, edit).await
}

/// The right that the use case checks again.
pub(super) fn check_right(visitor: &Visitor) -> Result<(), Failure> {
    let config = &visitor.signed_in.config;
    let right = config.check_may_change(&visitor.caller().principal);
    right.map_err(|no| back(no.into()))
}

/// Where a policy would be bound.
pub(super) fn binding(policy: &PolicyTemplate, resource: Option<&str>) -> Binding {
    Binding {
        policy: policy.id.clone(),
        level: policy.scope,
        resource: match policy.scope {
            Level::Organization => None,
            Level::Project | Level::Cluster | Level::Environment => resource.map(str::to_owned),
        },
    }
}

/// The edit that a form asks for: of the policy with this id, or of a new one.
pub(in crate::web) fn edit(id: &str, yaml: &str) -> Result<ConfigEdit, Failure> {
    let policy = read(yaml).map_err(|why| unreadable(&why))?;
    if id == "new" {
        Ok(ConfigEdit::AddPolicy(Box::new(policy)))
    } else if policy.id.as_str() == id {
        Ok(ConfigEdit::PutPolicy(Box::new(policy)))
    } else {
        Err(unreadable(
            "The id of a policy stays as it is; make a new policy instead.",
        ))
    }
}

/// One edit of the configuration, made from the version that the page showed.
async fn change(
    web: &Web,
    visitor: &Visitor,
    fields: &Fields,
    edit: ConfigEdit,
) -> Result<Response, Failure> {
    let version = fields
        .get("version")
        .and_then(|version| version.parse().ok());
    let version: i64 = version.ok_or_else(|| unreadable("Open the page again."))?;
    let why = fields.get("why").map(str::to_owned);
    let changed = web
        .app
        .change_config(&visitor.caller(), edit, Some(version), why)
        .await;
    let to = match changed.map_err(|error| back(error.into()))? {
        Changed::Applied(_) | Changed::Unchanged(_) => PAGE.to_owned(),
        Changed::Requested(shown) => format!("/approvals/{}", shown.request.number),
    };
    Ok(Redirect::to(&to).into_response())
}

/// Reads a policy as YAML; the checks of the whole configuration follow.
pub(super) fn read(text: &str) -> Result<PolicyTemplate, String> {
    let value = file::read_part(text)?;
    if let Some(key) = MAPPINGS.iter().find(|key| value[**key].is_array()) {
        return Err(format!(
            "{key} must be a mapping of keys and values, but it is a list."
        ));
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

pub(super) fn unreadable(why: &str) -> Failure {
    let detail = format!("Nothing was changed. {why}");
    let title = "This policy cannot be read";
    back(Failure::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        title,
        detail,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_policy_reads_and_positions_are_refused() {
        assert_eq!(read(BLANK).expect("a policy").id.as_str(), "new-policy");
        assert!(read("id: a\nname: A\nscope: project\nquorum: [1]").is_err());
        assert!(read("id: a\nname: A\nscope: project\nqorum: {}").is_err());
        assert!(read("- a").is_err() && read("").is_err());
    }

    #[test]
    fn policy_is_read_within_the_limits_of_a_file_w12() {
        let policy = "id: a\nname: A\nscope: project\n";
        let nested = format!("{policy}quorum: {}", "{all: [".repeat(40));
        let repeated = format!(
            "{policy}description: &a x\nactions: [{}]",
            "*a,".repeat(2_000)
        );
        for (what, text) in [
            ("a key twice", format!("{policy}name: B")),
            ("a merge key", format!("{policy}<<: {{mode: observe}}")),
            ("deep nesting", nested),
            ("many aliases", repeated),
            ("two documents", format!("{policy}---\n{policy}")),
            ("a word as a boolean", format!("{policy}x: yes\n")),
        ] {
            assert!(read(&text).is_err(), "{what}");
        }
    }
}
