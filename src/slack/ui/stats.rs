//! How long requests wait for people, as `/approval stats` tells it.

use super::text::{brief, code};
use super::{Message, blocks};
use crate::app::LatencyStats;
use crate::domain::latency::{Latency, Spread};
use crate::domain::people::Directory;
use crate::domain::time::Span;

/// Policies and teams that are told, those with the most requests first.
const GROUPS: usize = 10;

/// What became of the requests of a window.
pub fn stats(stats: &LatencyStats, window: Span, directory: &Directory) -> Message {
    let found = &stats.latencies;
    let what = if stats.requests == 1 {
        "1 gated request".to_owned()
    } else {
        format!("{} gated requests", stats.requests)
    };
    let cut_off = if stats.complete { "" } else { ", the latest" };
    let window = window.words();
    let headline = format!("*The last {window}*: {what}{cut_off}");
    let mut blocks = vec![blocks::section(&headline)];
    let mut lines = Vec::new();
    lines.extend(spread_line("First decision", found.overall.first_decision));
    lines.extend(spread_line("Approval", found.overall.approval));
    lines.extend(spread_line("Pending now, waiting for", stats.pending));
    if lines.is_empty() {
        lines.push("Nobody was asked for a decision.".to_owned());
    }
    blocks.extend(blocks::packed(&lines, 3_000));
    let policies = found.by_policy.iter();
    blocks.extend(group(
        "*By policy*, until approved",
        policies.map(|(id, latency)| (code(id.as_str()), latency.approval)),
    ));
    let teams = found.by_team.iter();
    blocks.extend(group(
        "*By team*, until its first decision",
        teams.map(|(id, latency)| (team(directory.team_name(id)), first(latency))),
    ));
    Message {
        text: format!("{what} in the last {window}."),
        blocks,
    }
}

fn team(name: &str) -> String {
    brief(name, 100)
}

fn first(latency: &Latency) -> Option<Spread> {
    latency.first_decision
}

fn spread_line(what: &str, spread: Option<Spread>) -> Option<String> {
    let spread = spread?;
    Some(format!("{what}: {}", words(spread)))
}

fn group(
    title: &str,
    all: impl Iterator<Item = (String, Option<Spread>)>,
) -> Vec<serde_json::Value> {
    let mut counted: Vec<(String, Spread)> = all
        .filter_map(|(name, spread)| Some((name, spread?)))
        .collect();
    if counted.is_empty() {
        return Vec::new();
    }
    counted.sort_by_key(|(_, spread)| std::cmp::Reverse(spread.count));
    let mut lines = vec![title.to_owned()];
    let more = counted.len().saturating_sub(GROUPS);
    let shown = counted.into_iter().take(GROUPS);
    lines.extend(shown.map(|(name, spread)| format!("• {name}: {}", words(spread))));
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    blocks::packed(&lines, 3_000)
}

/// `half within 4m, nine of ten within 1h 10m, at most 3h (12)`.
fn words(spread: Spread) -> String {
    if spread.count == 1 {
        return format!("{} (1)", spread.longest.words());
    }
    format!(
        "half within {}, nine of ten within {}, at most {} ({})",
        spread.median.words(),
        spread.p90.words(),
        spread.longest.words(),
        spread.count
    )
}
