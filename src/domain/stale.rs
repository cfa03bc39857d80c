//! What a digest reports: when it is due, which hours are the slowest, and which targets were missed.

use super::document::{PolicyTemplate, Weekday, WeeklyDigest};
use super::id::{PolicyId, TeamId};
use super::latency::Asked;
use super::preferences::start_of;
use super::time::{Span, Timestamp};
use chrono::{DateTime, Datelike as _, Days, Timelike as _};
use chrono_tz::Tz;
use std::collections::BTreeMap;

/// Hours of a slot.
const SLOT_HOURS: u32 = 4;
/// So many requests make a slot; one alone says nothing about its hour.
const LEAST: usize = 2;
const DAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// Whether the digest is due: its hour has come since the last one. However long nothing was running, one digest is due.
pub fn is_digest_due(digest: &WeeklyDigest, last: Timestamp, now: Timestamp) -> bool {
    let zone: Tz = digest.timezone.parse().unwrap_or(Tz::UTC);
    let Some(from) = DateTime::from_timestamp_millis(last.0) else {
        return false;
    };
    let first = from.with_timezone(&zone).date_naive();
    (0..8).any(|later| {
        let Some(day) = first.checked_add_days(Days::new(later)) else {
            return false;
        };
        let weekday = usize::try_from(day.weekday().num_days_from_monday()).unwrap_or(0);
        DAYS[weekday] == digest.weekday
            && start_of(day, digest.hour, zone).is_some_and(|at| last < at && at <= now)
    })
}

/// A part of the week, by when requests were created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The day.
    pub weekday: Weekday,
    /// The first hour.
    pub from: u32,
    /// The hour after the last one.
    pub to: u32,
    /// How many requests were created in it.
    pub count: usize,
    /// Half of them were approved within this time.
    pub median: Span,
}

/// The slowest slot of each policy and team.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlowestSlots {
    /// By policy, until the approval.
    pub by_policy: BTreeMap<PolicyId, Slot>,
    /// By team, until its first decision.
    pub by_team: BTreeMap<TeamId, Slot>,
}

impl SlowestSlots {
    /// The slowest slots of these requests, in the hours of a time zone.
    pub fn of(all: &[Asked], zone: Tz) -> Self {
        let mut policies: BTreeMap<PolicyId, Waits> = BTreeMap::new();
        let mut teams: BTreeMap<TeamId, Waits> = BTreeMap::new();
        for asked in all {
            let Some(slot) = slot_of(asked.created_at, zone) else {
                continue;
            };
            let since = |at: Timestamp| Span(at.0.saturating_sub(asked.created_at.0).max(0));
            if let Some(at) = asked.approved_at() {
                for policy in &asked.policies {
                    let waits = policies.entry(policy.clone()).or_default();
                    waits.entry(slot).or_default().push(since(at));
                }
            }
            for (team, at) in asked.first_of_teams() {
                let waits = teams.entry(team.clone()).or_default();
                waits.entry(slot).or_default().push(since(at));
            }
        }
        Self {
            by_policy: slowest(policies),
            by_team: slowest(teams),
        }
    }
}

type Waits = BTreeMap<(usize, u32), Vec<Span>>;

fn slot_of(at: Timestamp, zone: Tz) -> Option<(usize, u32)> {
    let local = DateTime::from_timestamp_millis(at.0)?.with_timezone(&zone);
    let day = usize::try_from(local.weekday().num_days_from_monday()).ok()?;
    Some((day, local.hour() / SLOT_HOURS * SLOT_HOURS))
}

fn slowest<K: Ord>(groups: BTreeMap<K, Waits>) -> BTreeMap<K, Slot> {
    let slot = |waits: Waits| {
        let slots = waits.into_iter().filter(|(_, waits)| waits.len() >= LEAST);
        let slots = slots.map(|((day, from), mut waits)| {
            waits.sort_unstable();
            Slot {
                weekday: DAYS[day % 7],
                from,
                to: from + SLOT_HOURS,
                count: waits.len(),
                median: waits[(waits.len() - 1) / 2],
            }
        });
        slots.max_by_key(|slot| slot.median)
    };
    groups
        .into_iter()
        .filter_map(|(key, waits)| Some((key, slot(waits)?)))
        .collect()
}

/// How often requests of a policy missed its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetMisses {
    /// The policy.
    pub policy: PolicyId,
    /// Its target.
    pub target: Span,
    /// Requests that were approved later, or wait longer already.
    pub missed: usize,
    /// All requests that were approved, or missed it.
    pub of: usize,
}

/// The targets of these policies, as these requests met them.
pub fn target_misses(
    all: &[Asked],
    policies: &[PolicyTemplate],
    now: Timestamp,
) -> Vec<TargetMisses> {
    let with_target = policies
        .iter()
        .filter_map(|policy| Some((&policy.id, policy.latency_target?)));
    let misses = with_target.map(|(policy, target)| {
        let (mut missed, mut of) = (0, 0);
        for asked in all.iter().filter(|asked| asked.policies.contains(policy)) {
            let pending = asked.status == super::request::Status::Pending;
            let end = asked.approved_at().or_else(|| pending.then_some(now));
            let late = end.is_some_and(|end| asked.created_at.plus(target) < end);
            missed += usize::from(late);
            of += usize::from(late || (end.is_some() && !pending));
        }
        TargetMisses {
            policy: policy.clone(),
            target,
            missed,
            of,
        }
    });
    misses.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::RequestType;
    use crate::domain::request::Status;
    use proptest::prelude::*;

    fn digest() -> WeeklyDigest {
        WeeklyDigest {
            weekday: Weekday::Monday,
            hour: 9,
            timezone: "Europe/Istanbul".to_owned(),
            channel: "C1".into(),
        }
    }

    /// Monday, 2026-11-23, 06:00 UTC, which is 09:00 in Istanbul.
    const NINE: i64 = 1_795_413_600_000;
    const HOUR: i64 = 3_600_000;
    const WEEK: i64 = 7 * 24 * HOUR;

    proptest! {
        /// One digest a week, at its hour, however often somebody looks and however long nothing ran.
        #[test]
        fn a_digest_is_due_once_for_each_week_that_has_begun(last in -3 * WEEK..3 * WEEK, later in 0..4 * WEEK) {
            let (last, now) = (Timestamp(NINE + last), Timestamp(NINE + last + later));
            let week = |at: Timestamp| (at.0 - NINE).div_euclid(WEEK);
            prop_assert_eq!(is_digest_due(&digest(), last, now), week(now) > week(last));
        }
    }

    #[test]
    fn digest_is_due_at_its_hour() {
        let is_due = |last, now| is_digest_due(&digest(), Timestamp(last), Timestamp(now));
        assert!(!is_due(NINE - HOUR, NINE - 1));
        assert!(is_due(NINE - HOUR, NINE));
        assert!(is_due(NINE - 1, NINE) && !is_due(NINE, NINE));
        assert!(!is_due(NINE, NINE + WEEK - 1) && is_due(NINE, NINE + WEEK));
    }

    fn asked(created: i64, waited: Option<i64>) -> Asked {
        Asked {
            kind: RequestType::Release,
            status: if waited.is_some() {
                Status::Approved
            } else {
                Status::Pending
            },
            policies: vec!["p".into()],
            created_at: Timestamp(created),
            decided_at: waited.map(|waited| Timestamp(created + waited)),
            decisions: waited
                .map(|waited| (Timestamp(created + waited), vec!["sre".into()]))
                .into_iter()
                .collect(),
        }
    }

    #[test]
    fn the_slowest_slot_is_named_in_local_hours() {
        let all = [
            asked(NINE, Some(HOUR)),
            asked(NINE, Some(2 * HOUR)),
            asked(NINE + 8 * HOUR, Some(5 * HOUR)),
            asked(NINE + 8 * HOUR, Some(6 * HOUR)),
            asked(NINE + 30 * HOUR, Some(100 * HOUR)),
        ];
        let slots = SlowestSlots::of(&all, Tz::Europe__Istanbul);
        let slot = slots.by_policy["p"];
        assert_eq!(
            (slot.weekday, slot.from, slot.to, slot.count),
            (Weekday::Monday, 16, 20, 2)
        );
        assert_eq!(slot.median, Span::hours(5));
        assert_eq!(slots.by_team["sre"], slot);
    }

    #[test]
    fn one_request_makes_no_slot_and_the_lower_half_is_the_median() {
        let hours = |waits: &[i64]| -> Vec<Asked> {
            let waits = waits.iter();
            waits.map(|hours| asked(NINE, Some(hours * HOUR))).collect()
        };
        let slots = |waits: &[i64]| SlowestSlots::of(&hours(waits), Tz::UTC);
        assert_eq!(slots(&[7]), SlowestSlots::default());
        for (waits, median) in [
            (&[7, 5][..], 5),
            (&[9, 5, 7], 7),
            (&[9, 5, 7, 8], 7),
            (&[1, 2, 3, 4, 5], 3),
        ] {
            let slot = slots(waits).by_policy["p"];
            assert_eq!(slot.count, waits.len());
            assert_eq!(slot.median, Span::hours(median), "{waits:?}");
            // 06:00 UTC
            assert_eq!((slot.weekday, slot.from, slot.to), (Weekday::Monday, 4, 8));
        }
    }

    #[test]
    fn target_is_missed_one_millisecond_later() {
        let mut policy = crate::domain::tests::fixture::template(
            "p",
            crate::domain::document::Quorum::default(),
        );
        policy.latency_target = Some(Span::hours(2));
        let mut other = policy.clone();
        other.id = "q".into();
        let end = NINE + 2 * HOUR;
        for (request, now, missed, of) in [
            (asked(NINE, Some(2 * HOUR)), end + 9, 0, 1),
            (asked(NINE, Some(2 * HOUR + 1)), end + 9, 1, 1),
            (asked(NINE, None), end, 0, 0),
            (asked(NINE, None), end + 1, 1, 1),
        ] {
            let misses =
                target_misses(&[request], &[policy.clone(), other.clone()], Timestamp(now));
            assert_eq!((misses[0].missed, misses[0].of), (missed, of), "{now}");
            assert_eq!((misses[1].missed, misses[1].of), (0, 0), "another policy");
        }
    }

    #[test]
    fn misses_count_late_approvals_and_those_that_still_wait() {
        let mut policy = crate::domain::tests::fixture::template(
            "p",
            crate::domain::document::Quorum::default(),
        );
        policy.latency_target = Some(Span::hours(2));
        let all = [
            asked(NINE, Some(HOUR)),
            asked(NINE, Some(3 * HOUR)),
            asked(NINE, None),
            asked(NINE + 9 * HOUR, None),
        ];
        let misses = target_misses(&all, &[policy], Timestamp(NINE + 10 * HOUR));
        assert_eq!((misses[0].missed, misses[0].of), (2, 3));
    }
}
