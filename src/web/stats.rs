//! `/stats`: how long requests wait for people, as numbers in a table and as bars.

use super::Web;
use super::access::Visitor;
use super::failure::Failure;
use super::page::{Shell, render};
use crate::app::{LatencyStats, stats_window};
use crate::domain::latency::{Latency, Spread};
use crate::domain::time::Span;
use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

/// Rows of each group, those with the most requests first.
const ROWS: usize = 20;
/// The width of the longest bar, and the height of one row of the picture.
const WIDTH: i64 = 400;
const HEIGHT: usize = 28;
/// Where the bars begin.
const LEFT: i64 = 190;
/// The most characters of a label in the picture; the table has all of it.
const LABEL: usize = 24;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    since: String,
}

/// One line of a table.
struct Row {
    name: String,
    count: usize,
    median: String,
    p90: String,
    longest: String,
}

/// One bar of the picture.
struct Bar {
    label: String,
    y: usize,
    text_y: usize,
    median_width: i64,
    p90_width: i64,
    p90: String,
    p90_x: i64,
}

struct Group {
    id: &'static str,
    title: &'static str,
    rows: Vec<Row>,
    bars: Vec<Bar>,
    height: usize,
}

#[derive(Template)]
#[template(path = "stats.html", config = "src/web/askama.toml")]
struct StatsPage {
    shell: Shell,
    since: String,
    requests: usize,
    complete: bool,
    groups: Vec<Group>,
}

/// `GET /stats`
pub(super) async fn show(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Query(wish): Query<Wish>,
) -> Result<Response, Failure> {
    let asked = Some(wish.since.as_str()).filter(|since| !since.is_empty());
    let window = stats_window(asked).map_err(|why| {
        let failure = Failure::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "This window is not understood",
            why,
        );
        failure.leading_to("/stats", "Show the last 30 days")
    })?;
    let stats = web.app.latency(window).await?;
    Ok(render(&StatsPage {
        shell: Shell::of(&visitor, "stats"),
        since: window.words(),
        requests: stats.requests,
        complete: stats.complete,
        groups: groups(&stats, &visitor),
    }))
}

type Named = (String, Option<Spread>);

fn groups(stats: &LatencyStats, visitor: &Visitor) -> Vec<Group> {
    let directory = visitor.signed_in.config.directory();
    let found = &stats.latencies;
    let approval = |latency: &Latency| latency.approval;
    let overall = vec![
        ("First decision".to_owned(), found.overall.first_decision),
        ("Approval".to_owned(), found.overall.approval),
        ("Pending now, waiting for".to_owned(), stats.pending),
    ];
    let policies = found.by_policy.iter();
    let policies = policies.map(|(id, latency)| (id.to_string(), approval(latency)));
    let teams = found.by_team.iter();
    let teams =
        teams.map(|(id, latency)| (directory.team_name(id).to_owned(), latency.first_decision));
    let types = found.by_kind.iter();
    let types = types.map(|(kind, latency)| ((*kind).to_owned(), approval(latency)));
    [
        ("overall", "All requests", overall),
        ("policies", "By policy, until approved", policies.collect()),
        (
            "teams",
            "By team, until its first decision",
            teams.collect(),
        ),
        (
            "types",
            "By type, until approved",
            types.collect::<Vec<Named>>(),
        ),
    ]
    .into_iter()
    .filter_map(|(id, title, all)| group(id, title, all))
    .collect()
}

fn group(id: &'static str, title: &'static str, all: Vec<Named>) -> Option<Group> {
    let known = all
        .into_iter()
        .filter_map(|(name, spread)| Some((name, spread?)));
    let mut known: Vec<(String, Spread)> = known.collect();
    if id != "overall" {
        known.sort_by_key(|(_, spread)| std::cmp::Reverse(spread.count));
    }
    known.truncate(ROWS);
    let longest = known.iter().map(|(_, spread)| spread.p90.0).max()?.max(1);
    let width = |span: Span| (span.0.saturating_mul(WIDTH) / longest).clamp(1, WIDTH);
    let bar = |(place, (name, spread)): (usize, &(String, Spread))| Bar {
        label: short_label(name),
        y: place * HEIGHT + 6,
        text_y: place * HEIGHT + 19,
        median_width: width(spread.median),
        p90_width: width(spread.p90),
        p90: spread.p90.words(),
        p90_x: LEFT + width(spread.p90) + 6,
    };
    let row = |(name, spread): &(String, Spread)| Row {
        name: name.clone(),
        count: spread.count,
        median: spread.median.words(),
        p90: spread.p90.words(),
        longest: spread.longest.words(),
    };
    Some(Group {
        id,
        title,
        bars: known.iter().enumerate().map(bar).collect(),
        rows: known.iter().map(row).collect(),
        height: known.len() * HEIGHT + 8,
    })
}

fn short_label(name: &str) -> String {
    if name.chars().count() <= LABEL {
        return name.to_owned();
    }
    name.chars().take(LABEL - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion_and_never_wider_than_the_picture() {
        let spread = |minutes| Spread::of(vec![Span::minutes(minutes)]);
        let all = vec![
            ("a".to_owned(), spread(10)),
            ("b".to_owned(), spread(40)),
            ("c".to_owned(), None),
        ];
        let group = group("policies", "By policy", all).expect("two rows");
        let widths: Vec<i64> = group.bars.iter().map(|bar| bar.p90_width).collect();
        assert_eq!(widths, [WIDTH / 4, WIDTH]);
        assert_eq!(group.rows[1].median, "40 min");
        assert!(super::group("types", "By type", Vec::new()).is_none());
    }
}
