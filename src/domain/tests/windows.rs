//! Compares time windows with a second implementation of time zones. To check two days around every transition, minute by minute:
//! `COUNTERSIGN_ORACLE_ALL=1 cargo test --release oracle_of_windows`.

use super::fixture::NOON;
use crate::domain::conditions::{applies_at, applies_to, next_edge, week_picture};
use crate::domain::document::Conditions;
use crate::domain::time::{Span, Timestamp};
use chrono::TimeZone as _;

fn conditions(yaml: &str) -> Conditions {
    serde_saphyr::from_str(yaml).expect("conditions")
}

const OFF_HOURS: &str =
    "{startHour: 18, endHour: 9, weekdays: [saturday, sunday], timezone: Europe/Istanbul}";

#[test]
fn the_specifications_off_hours_gate_weekend_nights_b65() {
    insta::assert_snapshot!(week_picture(&conditions(OFF_HOURS)), @r"
        0     6     12    18
    Mon #########...............
    Tue ........................
    Wed ........................
    Thu ........................
    Fri ........................
    Sat ..................######
    Sun #########.........######
    30 of 168 hours, Europe/Istanbul
    ");
    let outside_business_hours = conditions(
        "{timezone: Europe/Istanbul, windows: [{startHour: 18, endHour: 9}, {weekdays: [saturday, sunday]}]}",
    );
    insta::assert_snapshot!(week_picture(&outside_business_hours), @r"
        0     6     12    18
    Mon #########.........######
    Tue #########.........######
    Wed #########.........######
    Thu #########.........######
    Fri #########.........######
    Sat ########################
    Sun ########################
    123 of 168 hours, Europe/Istanbul
    ");
    assert!(week_picture(&Conditions::default()).ends_with("168 of 168 hours"));
}

/// Both the windows and the other time fields must match.
#[test]
fn windows_are_alternatives_and_other_conditions_narrow_b65() {
    let narrowed = conditions(
        "{timezone: UTC, weekdays: [monday], windows: [{startHour: 0, endHour: 2}, {startHour: 22, endHour: 24}]}",
    );
    assert!(week_picture(&narrowed).ends_with("4 of 168 hours, UTC"));
}

#[test]
fn start_is_inclusive_and_end_exclusive() {
    let business = conditions("{timezone: UTC, startHour: 12, endHour: 13}");
    let at = |span: i64| applies_at(&business, Timestamp(NOON.0 + span));
    assert!(!at(-1) && at(0) && at(3_599_999) && !at(3_600_000));
    assert_eq!(next_edge(&business, NOON), Some(NOON.plus(Span::hours(1))));
    assert_eq!(
        next_edge(&business, NOON.plus(Span::hours(1))),
        Some(NOON.plus(Span::hours(24)))
    );
    assert_eq!(next_edge(&business, Timestamp(NOON.0 - 1)), Some(NOON));
    assert_eq!(next_edge(&Conditions::default(), NOON), None);
    assert_eq!(
        next_edge(
            &conditions("{timezone: UTC, startHour: 0, endHour: 24}"),
            NOON
        ),
        None
    );
}

#[test]
fn unreadable_window_counts_as_matching_st7() {
    for broken in [
        "{startHour: 1, endHour: 2}",
        "{startHour: 1, endHour: 2, timezone: Mars/Olympus}",
        "{startHour: 1, endHour: 2, timezone: ''}",
        "{startHour: 1, timezone: UTC}",
        "{startHour: 5, endHour: 5, timezone: UTC}",
        "{startHour: 25, endHour: 2, timezone: UTC}",
        "{startHour: 1, endHour: 25, timezone: UTC}",
        "{weekdays: [], timezone: UTC}",
        "{windows: [], timezone: UTC}",
        "{windows: [{weekdays: []}], timezone: UTC}",
    ] {
        assert!(applies_at(&conditions(broken), NOON), "{broken}");
    }
    let fine = conditions("{startHour: 1, endHour: 2, timezone: UTC}");
    assert!(!applies_at(&fine, NOON));
    for out_of_range in [Timestamp(i64::MAX), Timestamp(i64::MIN)] {
        assert!(applies_at(&fine, out_of_range));
        assert_eq!(
            next_edge(&fine, out_of_range),
            next_edge(&fine, out_of_range)
        );
    }
}

/// B64: names are compared as a whole.
#[test]
fn prod_is_not_nonprod_b64() {
    let prod = conditions("{environments: [prod]}");
    assert!(applies_to(&prod, Some(&"prod".into())));
    for other in ["nonprod", "production", "Prod", "prod ", ""] {
        assert!(!applies_to(&prod, Some(&other.into())), "{other}");
    }
    assert!(
        applies_to(&prod, None),
        "what names no environment may be in any (R03)"
    );
    assert!(applies_to(&Conditions::default(), None));
}

/// In Berlin, the hour from 2 to 3 does not occur on 2026-03-29 and occurs twice on 2026-10-25.
#[test]
fn a_gap_and_an_overlap_st7() {
    let night = conditions("{timezone: Europe/Berlin, startHour: 2, endHour: 3}");
    let minutes = |year, month, day| {
        let start = chrono::Utc
            .with_ymd_and_hms(year, month, day, 0, 0, 0)
            .single()
            .expect("a day")
            .timestamp_millis();
        (0..24 * 60)
            .filter(|minute| applies_at(&night, Timestamp(start + minute * 60_000)))
            .count()
    };
    assert_eq!(
        (
            minutes(2026, 3, 28),
            minutes(2026, 3, 29),
            minutes(2026, 10, 25)
        ),
        (60, 0, 120)
    );
}

/// Windows that begin and end at every hour, pass midnight, and open only on some days.
fn patterns() -> Vec<&'static str> {
    vec![
        "startHour: 2, endHour: 3",
        "startHour: 18, endHour: 9, weekdays: [saturday, sunday]",
        "windows: [{startHour: 23, endHour: 1, weekdays: [sunday]}, {startHour: 3, endHour: 24, weekdays: [monday, thursday]}]",
    ]
}

/// The oracle's own implementation of these patterns, hour by hour.
fn by_hand(pattern: usize, day: i8, hour: i8) -> bool {
    let (sunday, saturday, monday, thursday) = (7, 6, 1, 4);
    match pattern {
        0 => hour == 2,
        1 => match hour {
            18.. => day == saturday || day == sunday,
            ..9 => day == sunday || day == monday,
            _ => false,
        },
        _ => {
            (day == sunday && hour == 23)
                || (day == monday && hour == 0)
                || ((day == monday || day == thursday) && hour >= 3)
        }
    }
}

/// ST7: membership agrees with the oracle in every zone, around every transition from 2020 to 2030.
#[test]
fn oracle_of_windows_st7() {
    let all = std::env::var_os("COUNTERSIGN_ORACLE_ALL").is_some();
    let around = if all { 24 * 60 } else { 75 };
    let step = if all { 1 } else { 5 };
    let from: jiff::Timestamp = "2020-01-01T00:00:00Z".parse().expect("a time");
    let until: jiff::Timestamp = "2031-01-01T00:00:00Z".parse().expect("a time");
    let mut zones = 0;
    let mut checked = 0_u64;
    for zone in chrono_tz::TZ_VARIANTS {
        let Ok(oracle) = jiff::tz::TimeZone::get(zone.name()) else {
            continue;
        };
        zones += 1;
        let parsed: Vec<Conditions> = patterns()
            .iter()
            .map(|pattern| conditions(&format!("{{timezone: {}, {pattern}}}", zone.name())))
            .collect();
        let moments: Vec<jiff::Timestamp> = std::iter::once(from)
            .chain(
                oracle
                    .following(from)
                    .map(|change| change.timestamp())
                    .take_while(|at| *at < until),
            )
            .collect();
        for moment in moments {
            for minute in (-around..around).step_by(step) {
                let at = moment.as_millisecond() + i64::from(minute) * 60_000;
                let local =
                    oracle.to_datetime(jiff::Timestamp::from_millisecond(at).expect("in range"));
                let (day, hour) = (local.weekday().to_monday_one_offset(), local.hour());
                for (pattern, conditions) in parsed.iter().enumerate() {
                    checked += 1;
                    assert_eq!(
                        applies_at(conditions, Timestamp(at)),
                        by_hand(pattern, day, hour),
                        "{} at {at}: {local}, {}",
                        zone.name(),
                        patterns()[pattern]
                    );
                }
            }
        }
    }
    assert!(zones > 500, "the oracle knows only {zones} zones");
    assert!(checked > 100_000, "only {checked} moments checked");
}

/// An edge is where the answer changes, also in zones with half and quarter hours.
#[test]
fn edges_are_where_the_answer_changes() {
    for zone in [
        "UTC",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Pacific/Apia",
        "America/St_Johns",
    ] {
        for pattern in patterns() {
            let conditions = conditions(&format!("{{timezone: {zone}, {pattern}}}"));
            let mut at = NOON;
            for _ in 0..40 {
                let edge = next_edge(&conditions, at).expect("an edge");
                assert!(edge > at);
                let before = applies_at(&conditions, at);
                assert_eq!(
                    applies_at(&conditions, Timestamp(edge.0 - 1)),
                    before,
                    "{zone} {pattern}"
                );
                assert_ne!(applies_at(&conditions, edge), before, "{zone} {pattern}");
                at = edge;
            }
        }
    }
}
