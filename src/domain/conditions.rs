//! When a policy applies (docs/policies.md; docs/decisions.md D15). A policy with an unreadable condition always applies.

use super::document::Conditions;
use super::id::EnvironmentId;
use super::time::{Span, Timestamp};
use super::window::Week;
use chrono::{DateTime, Datelike, Timelike};
use chrono_tz::Tz;

/// Whether a policy applies to a target in this environment. A target without an environment may be in any of them, so the policy
/// applies.
pub fn applies_to(conditions: &Conditions, environment: Option<&EnvironmentId>) -> bool {
    conditions.environments.as_ref().is_none_or(|named| {
        named.is_empty() || environment.is_none_or(|environment| named.contains(environment))
    })
}

/// Whether these conditions depend on the time.
pub fn is_timed(conditions: &Conditions) -> bool {
    conditions.weekdays.is_some()
        || conditions.start_hour.is_some()
        || conditions.end_hour.is_some()
        || conditions.windows.is_some()
}

/// Whether a policy applies at this time, by local time in its zone: an hour that the zone skips never occurs, and an hour that it
/// repeats counts twice.
pub fn applies_at(conditions: &Conditions, at: Timestamp) -> bool {
    if !is_timed(conditions) {
        return true;
    }
    let Some(zone) = zone(conditions) else {
        return true;
    };
    in_week(&Week::of(conditions), zone, at)
}

fn zone(conditions: &Conditions) -> Option<Tz> {
    conditions.timezone.as_deref()?.parse().ok()
}

fn in_week(week: &Week, zone: Tz, at: Timestamp) -> bool {
    let Some(utc) = DateTime::from_timestamp_millis(at.0) else {
        return true;
    };
    let local = utc.with_timezone(&zone);
    let day = local.weekday().num_days_from_monday();
    let (Ok(day), Ok(hour)) = (usize::try_from(day), usize::try_from(local.hour())) else {
        return true;
    };
    week.contains(day, hour)
}

/// In this century, every change of the local hour in any time zone falls on a quarter of an hour of UTC.
const STEP: Span = Span::minutes(15);
/// Two weeks, in steps: a weekly pattern changes within a week, and a second week covers a zone that skips the only hour of the
/// window.
const HORIZON: i64 = 15 * 24 * 4;

/// When the policy next starts or stops applying after `after`; `None` if it never changes.
pub fn next_edge(conditions: &Conditions, after: Timestamp) -> Option<Timestamp> {
    if !is_timed(conditions) {
        return None;
    }
    let zone = zone(conditions)?;
    let week = Week::of(conditions);
    let now = in_week(&week, zone, after);
    let first = after.0.div_euclid(STEP.0).checked_add(1)?;
    (first..first.saturating_add(HORIZON))
        .filter_map(|step| step.checked_mul(STEP.0))
        .map(Timestamp)
        .find(|at| in_week(&week, zone, *at) != now)
}

/// A time in the zone of the conditions: `Tuesday 2026-01-06 00:00 (Europe/Istanbul)`.
pub fn on_the_wall(conditions: &Conditions, at: Timestamp) -> String {
    let zone = zone(conditions).unwrap_or(Tz::UTC);
    DateTime::from_timestamp_millis(at.0).map_or_else(
        || at.rfc3339(),
        |utc| {
            let local = utc.with_timezone(&zone).format("%A %Y-%m-%d %H:%M");
            format!("{local} ({})", zone.name())
        },
    )
}

/// The week in which a policy applies, as text for a terminal, with the number of hours.
pub fn week_picture(conditions: &Conditions) -> String {
    Week::of(conditions).picture(conditions.timezone.as_deref())
}
