//! The sealed audit log, page by page, as JSON Lines.

use super::Api;
use super::access::{Allowed, ReadAudit};
use super::body::Params;
use super::problem::Problem;
use crate::app::{AppError, AuditLine};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

/// The media type of JSON Lines.
const JSON_LINES: &str = "application/x-ndjson";
/// The largest page, and the one that is given when none is asked for.
const LARGEST_PAGE: u32 = 1_000;

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// After this `seal`; left out: from the beginning.
    after: Option<i64>,
    /// How many, 1 to 1,000; 1,000 when left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// The audit log
///
/// One JSON object a line. The `seal` of the last line is the `after` of the next page; an empty answer is the end. A page ends early
/// before it gets larger than 4 MiB, and before a row that was changed after it had been sealed: the next page is then a problem with
/// the code `audit_broken`.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, description = "Rows in the order of the chain", body = String, content_type = JSON_LINES)))]
pub(super) async fn read(
    _: Allowed<ReadAudit>,
    State(api): State<Api>,
    Params(query): Params<AuditQuery>,
) -> Result<Response, Problem> {
    let limit = query.limit.unwrap_or(LARGEST_PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Problem::unfit(
            "invalid_query",
            &format!("`limit={limit}`: expected a number from 1 to 1000."),
        ));
    }
    let (rows, broken_at) = api
        .app
        .intact_audit(query.after.unwrap_or(0), limit)
        .await?;
    if let (Some(place), true) = (broken_at, rows.is_empty()) {
        return Err(broken(place));
    }
    Ok(([(CONTENT_TYPE, JSON_LINES)], lines(&rows)?).into_response())
}

/// Somebody has changed the log behind our back; what follows that row cannot be trusted.
fn broken(place: i64) -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "audit_broken",
        "the audit log was changed after it had been sealed",
        &format!(
            "Row {place} does not fit the rows before it, so this row and everything after it cannot be trusted. \
             `countersign audit verify` checks the log at the database, `countersign audit export` prints all of it; compare it with a back-up."
        ),
    )
}

fn lines(rows: &[AuditLine]) -> Result<String, AppError> {
    let mut text = String::new();
    for row in rows {
        let line = serde_json::to_string(row)
            .map_err(|error| AppError::Internal(format!("audit row {}: {error}", row.seal)))?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audit_row_is_one_line_that_begins_with_its_cursor() {
        let row = |seal| AuditLine {
            seal,
            hash: "ab".to_owned(),
            event: serde_json::json!({"what": "request.created", "note": "two\nlines"}),
        };
        let text = lines(&[row(1), row(2)]).expect("JSON");
        assert_eq!(text.lines().count(), 2);
        assert!(text.starts_with(r#"{"seal":1,"#), "{text}");
        assert!(text.ends_with("}\n"));
        assert_eq!(lines(&[]).expect("JSON"), "");
    }
}
