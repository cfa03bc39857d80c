//! `/approval-policies/{id}/replay`: what a draft of a policy would have done with the requests of the last 30 days. Nothing is stored.

use super::form::{binding, edit, unreadable};
use super::{back, joined};
use crate::app::{ReplayPage, stats_window};
use crate::domain::config_edit::ConfigEdit;
use crate::domain::document::ConfigDocument;
use crate::domain::replay::{Gating, ReplayChange, Replayed};
use crate::domain::request::Request;
use crate::web::Web;
use crate::web::access::Visitor;
use crate::web::failure::Failure;
use crate::web::fields::Fields;
use crate::web::page::{Shell, render};
use crate::web::words::Moment;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;

struct Row {
    number: i64,
    action: String,
    target: String,
    asked: Moment,
    change: &'static str,
    before: String,
    after: String,
}

#[derive(Template)]
#[template(path = "policy-replay.html", config = "src/web/askama.toml")]
struct ReplayedPage {
    shell: Shell,
    id: String,
    yaml: String,
    resource: String,
    since: Moment,
    evaluated: usize,
    newest: Option<i64>,
    oldest: Option<i64>,
    counts: Vec<(usize, &'static str)>,
    approvals_before: usize,
    approvals_after: usize,
    rows: Vec<Row>,
    next: Option<i64>,
}

/// `POST /approval-policies/{id}/replay`: as `POST /v1/replay`, for whoever may read requests.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let yaml = fields.get("policy").unwrap_or_default();
    let resource = fields.get("resource");
    let draft = draft(&visitor, &edit(&id, yaml)?, resource);
    let below = match fields.get("below").map(str::parse) {
        None => None,
        Some(Ok(below)) => Some(below),
        Some(Err(_)) => return Err(unreadable("Open the policy again.")),
    };
    let window = stats_window(None).map_err(|why| unreadable(&why))?;
    let page = web.app.replay(draft, window, below).await;
    let page = page.map_err(|error| back(error.into()))?;
    let sum = |count: fn(&Replayed) -> usize| page.items.iter().map(|(_, item)| count(item)).sum();
    Ok(render(&ReplayedPage {
        shell: Shell::of(&visitor, "policies"),
        yaml: yaml.to_owned(),
        resource: resource.unwrap_or_default().to_owned(),
        since: Moment::of(page.since),
        evaluated: page.items.len(),
        newest: page.items.first().map(|(request, _)| request.number),
        oldest: page.items.last().map(|(request, _)| request.number),
        counts: ReplayChange::ALL
            .map(|change| (count(&page, change), change.as_str()))
            .to_vec(),
        approvals_before: sum(|item| item.before.approvals),
        approvals_after: sum(|item| item.after.approvals),
        rows: page.items.iter().filter_map(row).collect(),
        next: page.next,
        id,
    }))
}

/// The configuration with the draft, which may be bound to one more resource.
pub(in crate::web) fn draft(
    visitor: &Visitor,
    edit: &ConfigEdit,
    resource: Option<&str>,
) -> ConfigDocument {
    let document = edit.applied_to(visitor.signed_in.config.document());
    match (edit, resource) {
        (ConfigEdit::AddPolicy(policy) | ConfigEdit::PutPolicy(policy), Some(_)) => {
            ConfigEdit::Bind(binding(policy, resource)).applied_to(&document)
        }
        _ => document,
    }
}

fn count(page: &ReplayPage, change: ReplayChange) -> usize {
    let items = page.items.iter();
    items
        .filter(|(_, item)| item.change == Some(change))
        .count()
}

fn row((request, replayed): &(Request, Replayed)) -> Option<Row> {
    Some(Row {
        number: request.number,
        action: request.action.to_string(),
        target: request.target.to_string(),
        asked: Moment::of(request.created_at),
        change: replayed.change?.as_str(),
        before: in_words(&replayed.before),
        after: in_words(&replayed.after),
    })
}

fn in_words(gating: &Gating) -> String {
    let policies = joined(gating.policies.iter().map(AsRef::as_ref));
    match (policies.as_str(), gating.approvals) {
        ("", _) => "no policy".to_owned(),
        (policies, 0) => format!("{policies}: nobody could complete it"),
        (policies, 1) => format!("{policies}: 1 approval"),
        (policies, more) => format!("{policies}: {more} approvals"),
    }
}
