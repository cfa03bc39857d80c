//! Times and durations in whole milliseconds. This module never reads a clock.

use serde::de::Visitor;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A time: milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This time moved by `span`; saturates at the limits of the range.
    #[must_use]
    pub fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// RFC 3339 in UTC with milliseconds, as in the API.
    pub fn rfc3339(self) -> String {
        chrono::DateTime::from_timestamp_millis(self.0).map_or_else(
            || self.0.to_string(),
            |time| time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        )
    }

    /// In UTC to the minute, for people: `2026-11-29 14:00 UTC`.
    pub fn utc_minute(self) -> String {
        let rfc3339 = self.rfc3339();
        match rfc3339.get(..16) {
            Some(minute) => format!("{} UTC", minute.replace('T', " ")),
            None => rfc3339,
        }
    }
}

/// A duration in milliseconds; people write it as `24h`, `30m` or `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub i64);

impl Span {
    /// A duration of `n` seconds.
    pub const fn seconds(n: i64) -> Self {
        Self(n * 1_000)
    }
    /// A duration of `n` minutes.
    pub const fn minutes(n: i64) -> Self {
        Self(n * 60_000)
    }
    /// A duration of `n` hours.
    pub const fn hours(n: i64) -> Self {
        Self(n * 3_600_000)
    }

    /// `50 s`, `45 min`, `1 h 30 min`, `14 days`: at most two units, and seconds only below two minutes.
    pub fn words(self) -> String {
        let (seconds, minutes) = (self.0 / 1_000, self.0 / 60_000);
        let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
        let many_days = if days == 1 {
            "1 day".to_owned()
        } else {
            format!("{days} days")
        };
        match (days, hours, minutes) {
            _ if seconds < 120 && (seconds == 0 || seconds % 60 != 0) => format!("{seconds} s"),
            (0, 0, minutes) => format!("{minutes} min"),
            (0, hours, 0) => format!("{hours} h"),
            (0, hours, minutes) => format!("{hours} h {minutes} min"),
            (_, 0, _) => many_days,
            (_, hours, _) => format!("{many_days} {hours} h"),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0));
        write!(f, "{}", humantime::format_duration(length))
    }
}

impl std::str::FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let length = humantime::parse_duration(text).map_err(|error| {
            format!("`{text}` is no length of time ({error}); write for example 30m, 4h or 1d")
        })?;
        i64::try_from(length.as_millis())
            .map(Self)
            .map_err(|_| format!("`{text}` is too long"))
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Written)
    }
}

/// Reads a duration. The error for a number without a unit says that the unit is missing.
struct Written;

impl Visitor<'_> for Written {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as 30m, 4h or 1d")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_at_most_two_units() {
        let words = [0, 50, 60, 90, 120, 5_400, 7_200, 86_400, 93_600, 1_209_600];
        assert_eq!(
            words.map(|seconds| Span::seconds(seconds).words()),
            [
                "0 s",
                "50 s",
                "1 min",
                "90 s",
                "2 min",
                "1 h 30 min",
                "2 h",
                "1 day",
                "1 day 2 h",
                "14 days"
            ]
        );
    }

    #[test]
    fn spans_read_and_print_as_people_write_them() {
        assert_eq!("1h 30m".parse(), Ok(Span::minutes(90)));
        assert_eq!(Span::minutes(90).to_string(), "1h 30m");
        for bad in ["90", "-5m", "", "soon"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn times_print_in_utc_and_never_wrap() {
        assert_eq!(
            Timestamp(1_763_800_000_123).rfc3339(),
            "2025-11-22T08:26:40.123Z"
        );
        assert_eq!(
            Timestamp(i64::MAX).plus(Span::hours(1)),
            Timestamp(i64::MAX)
        );
    }
}
