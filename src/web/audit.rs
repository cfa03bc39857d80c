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

/// Sealed rows that every view of the page checks: the newest ones.
const NEWEST_CHECKED: u32 = 200;
/// Sealed rows that are checked at once on demand.
const CHECKED_AT_ONCE: u32 = 1_000;

/// The filters, as they stand in the address. Blank means any.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Filters {
    kind: String,
    who: String,
    request: String,
    #[serde(skip_serializing)]
    after: String,
    /// Checks the rows of the hash chain after this place.
    #[serde(skip_serializing)]
    check: Option<i64>,
}

/// What is known of the hash chain.
struct Chain {
    sealed: i64,
    /// The first and the last row that were checked for this view.
    checked: Option<(i64, i64)>,
    broken_at: Option<i64>,
    /// Where the check goes on.
    next: Option<i64>,
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
    chain: Chain,
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
        chain: chain(&web, filters.check).await?,
        any_altered: rows.iter().any(|row| row.altered),
        rows,
        next,
        filters,
    }))
}

/// Checks a part of the chain: the rows after a place, or else the newest ones.
async fn chain(web: &Web, after: Option<i64>) -> Result<Chain, AppError> {
    let sealed = web.app.last_sealed().await?;
    let newest = sealed.saturating_sub(i64::from(NEWEST_CHECKED));
    let from = after.unwrap_or(newest).max(0);
    let limit = after.map_or(NEWEST_CHECKED, |_| CHECKED_AT_ONCE);
    let (rows, broken_at) = web.app.intact_audit(from, limit).await?;
    let last = rows.last().map(|row| row.seal);
    Ok(Chain {
        sealed,
        checked: last.map(|last| (from + 1, last)),
        broken_at,
        next: last.filter(|last| after.is_some() && broken_at.is_none() && *last < sealed),
    })
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
        who: words::actor(&event.actor, directory),
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
