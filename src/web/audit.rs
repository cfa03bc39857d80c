//! `/audit`: the log as administrators read it. Break-glass stands out in words, colour and by a sign, and no filter hides it.

use super::Web;
use super::access::Visitor;
use super::failure::Failure;
use super::page::{Shell, render};
use super::words::{self, Moment};
use crate::app::{AppError, EventFilter, LoggedEvent};
use crate::domain::audit::AuditEventKind;
use crate::domain::audit_words::in_words;
use crate::domain::id::PersonId;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Events of one page.
const PAGE_SIZE: usize = 100;
/// Rows of one exported file.
const EXPORT_ROWS: u32 = 1_000;

/// The filters, as they stand in the address. Blank means any.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Filters {
    kind: String,
    who: String,
    request: String,
    #[serde(skip_serializing)]
    after: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Export {
    after: i64,
}

struct Row {
    at: Moment,
    who: String,
    what: String,
    event: &'static str,
    via: &'static str,
    number: Option<i64>,
    note: Option<String>,
    prominent: bool,
    altered: bool,
}

#[derive(Template)]
#[template(path = "audit.html", config = "src/web/askama.toml")]
struct AuditPage {
    shell: Shell,
    filters: Filters,
    kinds: Vec<(String, bool)>,
    people: Vec<(String, String, bool)>,
    rows: Vec<Row>,
    sealed: i64,
    any_altered: bool,
    next: Option<String>,
}

/// `GET /audit`
pub(super) async fn list(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Query(filters): Query<Filters>,
) -> Result<Response, Failure> {
    let (caller, filter) = (visitor.caller(), filters.to_filter());
    let page = web.app.events(&caller, &filter, PAGE_SIZE).await;
    let page = page.map_err(|error| back(error.into()))?;
    let next = page.next.clone().map(|after| filters.address_after(&after));
    let rows: Vec<Row> = page.items.iter().map(|one| row(one, &visitor)).collect();
    Ok(render(&AuditPage {
        shell: Shell::of(&visitor, "audit"),
        kinds: kinds(&filters.kind),
        people: people(&visitor, &filters.who),
        sealed: web.app.last_sealed().await?,
        any_altered: rows.iter().any(|row| row.altered),
        rows,
        next,
        filters,
    }))
}

/// `GET /audit/export`: a thousand sealed rows as JSON Lines, exactly as they are chained.
pub(super) async fn export(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Query(export): Query<Export>,
) -> Result<Response, Failure> {
    if !visitor.administers() {
        let why = "Only administrators may read the audit log.".to_owned();
        return Err(back(Refusal::Forbidden(why).into()));
    }
    let (rows, altered) = web.app.intact_audit(export.after, EXPORT_ROWS).await?;
    if let (Some(place), true) = (altered, rows.is_empty()) {
        return Err(back(Failure::altered_audit(place)));
    }
    let mut text = String::new();
    for row in &rows {
        let line = serde_json::to_string(row);
        let line = line.map_err(|error| AppError::Internal(error.to_string()))?;
        text.push_str(&line);
        text.push('\n');
    }
    let file = format!(
        "attachment; filename=\"audit-after-{}.jsonl\"",
        export.after
    );
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (CONTENT_DISPOSITION, file),
    ];
    Ok((headers, text).into_response())
}

impl Filters {
    fn to_filter(&self) -> EventFilter {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        EventFilter {
            kind: given(&self.kind),
            actor: given(&self.who).map(|id| Principal::Person(PersonId::new(id))),
            // what is no number is no request's
            request: given(&self.request)
                .map(|text| text.trim_start_matches('#').parse().unwrap_or(0)),
            below: given(&self.after),
        }
    }

    fn address_after(&self, after: &str) -> String {
        let own = serde_urlencoded::to_string(self).unwrap_or_default();
        format!("/audit?{own}&after={after}")
    }
}

fn kinds(chosen: &str) -> Vec<(String, bool)> {
    let words = AuditEventKind::ALL
        .iter()
        .filter_map(|what| what.as_str().split_once('.'));
    let words: BTreeSet<&str> = words.map(|(kind, _)| kind).collect();
    let choice = |word: &str| (word.to_owned(), word == chosen);
    words.into_iter().map(choice).collect()
}

fn people(visitor: &Visitor, chosen: &str) -> Vec<(String, String, bool)> {
    let people = visitor.signed_in.config.directory().people();
    let choice = |person: &crate::domain::people::Person| {
        let id = person.id.to_string();
        (id.clone(), person.name.clone(), id == chosen)
    };
    people.map(choice).collect()
}

fn row(event: &LoggedEvent, visitor: &Visitor) -> Row {
    let directory = visitor.signed_in.config.directory();
    let request = match event.number {
        Some(number) => format!("#{number}"),
        None => "a request".to_owned(),
    };
    Row {
        at: Moment::of(event.at),
        who: match &event.actor {
            Principal::Person(id) => directory.name(directory.canonical(id)).to_owned(),
            Principal::Service(id) => id.to_string(),
            Principal::Operator => "the operator".to_owned(),
            Principal::Bot => "Countersign".to_owned(),
        },
        what: in_words(event.what, &event.actor, &request),
        event: event.what.as_str(),
        via: words::via(event.via),
        number: event.number,
        note: event.note.clone(),
        prominent: event.prominent,
        altered: event.altered,
    }
}

fn back(failure: Failure) -> Failure {
    failure.leading_to("/approvals", "Open the approvals")
}
