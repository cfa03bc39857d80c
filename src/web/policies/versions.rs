//! `/approval-policies/{id}/versions`: what changed a policy, when, by whom, and by which request.

use super::back;
use crate::app::PolicyChange;
use crate::domain::diff::{Change, Line};
use crate::domain::id::PolicyId;
use crate::web::Web;
use crate::web::access::Visitor;
use crate::web::failure::Failure;
use crate::web::page::{Shell, render};
use crate::web::words::{Moment, actor};
use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

/// Lines of one change that are shown.
const LINES_SHOWN: usize = 200;

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Wish {
    below: Option<i64>,
}

struct Row {
    version: i64,
    at: Moment,
    by: String,
    reason: Option<String>,
    request: Option<i64>,
    weakens: Vec<String>,
    lines: Vec<(&'static str, String)>,
    more: usize,
}

#[derive(Template)]
#[template(path = "policy-versions.html", config = "src/web/askama.toml")]
struct VersionsPage {
    shell: Shell,
    id: String,
    name: String,
    is_removed: bool,
    rows: Vec<Row>,
    is_cut: bool,
    next: Option<i64>,
}

/// `GET /approval-policies/{id}/versions`
pub(in crate::web) async fn show(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
) -> Result<Response, Failure> {
    let id = PolicyId::new(id);
    let known = visitor.signed_in.config.versioned_template(&id);
    let history = web.app.policy_history(&id, wish.below).await;
    let history = history.map_err(|error| back(error.into()))?;
    let rows = history.changes.iter();
    Ok(render(&VersionsPage {
        shell: Shell::of(&visitor, "policies"),
        name: known.map_or_else(|| id.to_string(), |(_, policy)| policy.name.clone()),
        is_removed: known.is_none(),
        rows: rows.map(|change| row(change, &id, &visitor)).collect(),
        is_cut: history.is_cut,
        next: history.next,
        id: id.to_string(),
    }))
}

fn row(change: &PolicyChange, policy: &PolicyId, visitor: &Visitor) -> Row {
    let lines = &change.difference.lines;
    let shown = lines.iter().take(LINES_SHOWN);
    Row {
        version: change.made.version,
        at: Moment::of(change.made.made_at),
        by: actor(&change.made.actor, visitor.signed_in.config.directory()),
        reason: change.made.reason.clone(),
        request: change.request,
        weakens: change.difference.weakens.clone(),
        lines: shown.map(|line| in_words(line, policy)).collect(),
        more: lines.len().saturating_sub(LINES_SHOWN),
    }
}

/// A line without what is the same in all of them: the policy that it is about.
fn in_words(line: &Line, policy: &PolicyId) -> (&'static str, String) {
    let (tone, verb) = match line.change {
        Change::Added => ("add", "bound to"),
        Change::Removed => ("del", "no longer bound to"),
        Change::Changed => ("hunk", "bound to"),
    };
    let sign = line.change.sign();
    if let Some(place) = line.path.strip_prefix(&format!("bindings.{policy} ")) {
        return (tone, format!("{sign} {verb} {place}"));
    }
    let text = line.text.strip_prefix(&format!("policies.{policy}."));
    (tone, format!("{sign} {}", text.unwrap_or(&line.text)))
}
