//! Weekly windows: the days and hours in which a policy applies (docs/policies.md; docs/decisions.md D15).

use super::document::{Conditions, Weekday};

/// Hours of a day.
pub(super) const HOURS: u8 = 24;
const DAYS: usize = 7;

/// A valid window: the days on which it opens, and its hours. A window that passes midnight belongs to the day on which it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opening {
    opens_on: [bool; DAYS],
    start: u8,
    end: u8,
}

impl Opening {
    /// Reads a window. An error contains the name of the invalid field and the message.
    pub(super) fn read(
        weekdays: Option<&[Weekday]>,
        start: Option<u8>,
        end: Option<u8>,
    ) -> Result<Self, (&'static str, String)> {
        let mut opens_on = [weekdays.is_none(); DAYS];
        for day in weekdays.unwrap_or_default() {
            opens_on[number(*day)] = true;
        }
        if !opens_on.contains(&true) {
            let message =
                "names no day, so the policy would never apply; leave it out for every day";
            return Err(("weekdays", message.to_owned()));
        }
        let (start, end) = match (start, end) {
            (None, None) => (0, HOURS),
            (Some(start), Some(end)) => (start, end),
            (Some(_), None) => return Err(("startHour", "needs an `endHour`".to_owned())),
            (None, Some(_)) => return Err(("endHour", "needs a `startHour`".to_owned())),
        };
        if start >= HOURS {
            return Err(("startHour", format!("{start} is no hour; write 0 to 23")));
        }
        if end > HOURS {
            return Err(("endHour", format!("{end} is no hour; write 0 to 24")));
        }
        if start == end {
            let message = format!(
                "is {end} like the start, which could mean never or always; write 0 to 24 for the whole day"
            );
            return Err(("endHour", message));
        }
        Ok(Self {
            opens_on,
            start,
            end,
        })
    }

    /// Whether this hour of this day (0 is Monday) is in the window. The start is inclusive, the end exclusive.
    pub(super) fn contains(self, day: usize, hour: u8) -> bool {
        let today = self.opens_on[day % DAYS];
        if self.start < self.end {
            return today && (self.start..self.end).contains(&hour);
        }
        let yesterday = self.opens_on[(day + DAYS - 1) % DAYS];
        (today && hour >= self.start) || (yesterday && hour < self.end)
    }
}

fn number(day: Weekday) -> usize {
    match day {
        Weekday::Monday => 0,
        Weekday::Tuesday => 1,
        Weekday::Wednesday => 2,
        Weekday::Thursday => 3,
        Weekday::Friday => 4,
        Weekday::Saturday => 5,
        Weekday::Sunday => 6,
    }
}

/// The hours of a week in which a policy applies, in the policy's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Week([[bool; HOURS as usize]; DAYS]);

impl Week {
    /// The week of these conditions. If they do not depend on the time or are unreadable, the policy applies in every hour.
    pub fn of(conditions: &Conditions) -> Self {
        Self::read(conditions).unwrap_or_else(Self::always)
    }

    /// Every hour of the week.
    pub fn always() -> Self {
        Self([[true; HOURS as usize]; DAYS])
    }

    /// Whether this week contains every hour of the other one.
    pub fn covers(&self, other: &Self) -> bool {
        let hours = self.0.iter().flatten().zip(other.0.iter().flatten());
        hours.into_iter().all(|(mine, theirs)| *mine || !theirs)
    }

    fn read(conditions: &Conditions) -> Option<Self> {
        let base = Opening::read(
            conditions.weekdays.as_deref(),
            conditions.start_hour,
            conditions.end_hour,
        )
        .ok()?;
        let windows = match &conditions.windows {
            None => None,
            Some(windows) if windows.is_empty() => return None,
            Some(windows) => Some(
                windows
                    .iter()
                    .map(|w| Opening::read(w.weekdays.as_deref(), w.start_hour, w.end_hour))
                    .collect::<Result<Vec<_>, _>>()
                    .ok()?,
            ),
        };
        let mut week = [[false; HOURS as usize]; DAYS];
        for (day, hours) in week.iter_mut().enumerate() {
            for (hour, applies) in (0..HOURS).zip(hours) {
                let any = windows
                    .as_ref()
                    .is_none_or(|windows| windows.iter().any(|window| window.contains(day, hour)));
                *applies = any && base.contains(day, hour);
            }
        }
        Some(Self(week))
    }

    /// Whether the policy applies in this hour of this day (0 is Monday); `true` if out of range.
    pub fn contains(&self, day: usize, hour: usize) -> bool {
        self.0
            .get(day)
            .and_then(|hours| hours.get(hour))
            .is_none_or(|applies| *applies)
    }

    /// How many of the week's 168 hours it contains.
    pub fn hours(&self) -> usize {
        self.0.iter().flatten().filter(|applies| **applies).count()
    }

    /// The week as text for a terminal: 7 lines of 24 columns, with the number of hours and the time zone.
    pub fn picture(&self, zone: Option<&str>) -> String {
        const NAMES: [&str; DAYS] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let mut text = String::from("    0     6     12    18\n");
        for (name, hours) in NAMES.iter().zip(&self.0) {
            let signs: String = hours
                .iter()
                .map(|applies| if *applies { '#' } else { '.' })
                .collect();
            text.push_str(name);
            text.push(' ');
            text.push_str(&signs);
            text.push('\n');
        }
        let zone = zone.map(|zone| format!(", {zone}")).unwrap_or_default();
        text + &format!("{} of 168 hours{zone}", self.hours())
    }
}
