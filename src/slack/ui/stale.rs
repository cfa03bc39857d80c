//! Stale requests, owed reviews and waiting times, as `/approval stale` and the weekly digest show them.

use super::text::{brief, code, date, name};
use super::{Message, blocks, card_value, phrases};
use crate::app::StaleReport;
use crate::domain::document::Weekday;
use crate::domain::request_details::RequestDetails;
use crate::domain::stale::{Slot, TargetMisses};
use crate::domain::time::Span;
use serde_json::Value;

/// The button's `action_id`.
pub const CANCEL: &str = "cancel_request";
/// Policies and teams that are listed, the slowest first.
const GROUPS: usize = 10;

/// The report; `may_cancel` says where a Cancel button is of use.
pub fn report(report: &StaleReport, may_cancel: impl Fn(&RequestDetails) -> bool) -> Message {
    let (count, after) = (report.stale.len(), report.after.words());
    let more = if report.more { "+" } else { "" };
    let requests = if count == 1 { "request" } else { "requests" };
    let headline = if count == 0 {
        format!("No request has waited longer than {after}.")
    } else {
        format!("{count}{more} {requests} waiting longer than {after}")
    };
    let mut blocks = vec![blocks::section(&format!("*{headline}*"))];
    blocks.extend(
        report
            .stale
            .iter()
            .map(|shown| row(shown, may_cancel(shown))),
    );
    if !report.owed.is_empty() {
        let directory = report.config.directory();
        let mut lines = vec!["*Break-glass sessions that owe a review*".to_owned()];
        lines.extend(report.owed.iter().map(|session| {
            let ended = session
                .state
                .ran()
                .map_or_else(String::new, |(_, end)| date(end));
            let who = name(directory.name(&session.initiator));
            format!("• {who}, ended {ended}: {}", brief(&session.reason, 200))
        }));
        lines.push(format!(
            "{} lists them with their buttons.",
            code("/breakglass status")
        ));
        blocks.extend(blocks::packed(&lines, 3_000));
    }
    blocks.extend(waiting_times(report));
    blocks.extend(misses(&report.misses));
    Message {
        text: headline,
        blocks,
    }
}

fn row(shown: &RequestDetails, may_cancel: bool) -> Value {
    let line = format!(
        "{} · since {}",
        phrases::list_line(shown),
        date(shown.request.created_at)
    );
    let mut row = blocks::section(&super::text::cut_markup(&line, 500));
    let (action_id, words) = if may_cancel {
        (CANCEL, "Cancel")
    } else {
        ("details", "Details")
    };
    let label = format!("{words}: request {}", shown.request.number);
    let mut button = blocks::button(action_id, words, &card_value(shown), &label);
    if may_cancel {
        let title = format!("Cancel #{}?", shown.request.number);
        let why = "The request ends. It can be created again.";
        button["confirm"] = blocks::confirm(&title, why, "Cancel it", true);
    }
    row["accessory"] = button;
    row
}

fn waiting_times(report: &StaleReport) -> Vec<Value> {
    let policies = report
        .latencies
        .by_policy
        .iter()
        .filter_map(|(id, latency)| {
            let median = latency.approval?.median;
            Some((median, code(id.as_str()), report.slots.by_policy.get(id)))
        });
    let mut blocks = group(
        "*The last 7 days by policy*, until approved",
        policies.collect(),
    );
    let directory = report.config.directory();
    let teams = report.latencies.by_team.iter().filter_map(|(id, latency)| {
        let median = latency.first_decision?.median;
        Some((
            median,
            name(directory.team_name(id)),
            report.slots.by_team.get(id),
        ))
    });
    blocks.extend(group(
        "*By team*, until its first decision",
        teams.collect(),
    ));
    if !blocks.is_empty() {
        blocks.push(blocks::context(&[format!(
            "Hours are those of {}.",
            report.zone.name()
        )]));
    }
    blocks
}

fn group(title: &str, mut groups: Vec<(Span, String, Option<&Slot>)>) -> Vec<Value> {
    if groups.is_empty() {
        return Vec::new();
    }
    groups.sort_by_key(|(median, _, _)| std::cmp::Reverse(*median));
    let more = groups.len().saturating_sub(GROUPS);
    let mut lines = vec![title.to_owned()];
    lines.extend(groups.into_iter().take(GROUPS).map(|(median, name, slot)| {
        let slot = slot.map_or_else(String::new, |slot| {
            let (day, from, to) = (day(slot.weekday), slot.from, slot.to);
            format!(
                "; slowest {day} {from}:00 to {to}:00, half within {}",
                slot.median.words()
            )
        });
        format!("• {name}: half within {}{slot}", median.words())
    }));
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    blocks::packed(&lines, 3_000)
}

fn misses(misses: &[TargetMisses]) -> Vec<Value> {
    if misses.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["*Targets*".to_owned()];
    lines.extend(misses.iter().map(|miss| {
        let policy = code(miss.policy.as_str());
        format!(
            "• {policy}: {} of {} waited longer than {}",
            miss.missed,
            miss.of,
            miss.target.words()
        )
    }));
    blocks::packed(&lines, 2_000)
}

fn day(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}
