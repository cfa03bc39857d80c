//! What a person wants to be told, and when: they choose how much, their quiet hours, and who stands in for them while they are away.
//! Nothing here changes what they may approve.

use super::check::notifications as check;
use super::document::QuietHours;
use super::id::PersonId;
use super::people::Directory;
use super::time::Timestamp;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeZone as _, Timelike as _};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// Which direct messages a person receives. Break-glass alerts are always delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Notify {
    /// Everything.
    #[default]
    All,
    /// Only what asks the person to do something.
    Needed,
    /// Nothing but alerts.
    None,
}

impl Notify {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::All, Self::Needed, Self::None];

    /// The word in commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Needed => "needed",
            Self::None => "none",
        }
    }
}

/// A person's quiet hours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Quiet {
    /// Those of the configuration.
    #[default]
    Default,
    /// None.
    Off,
    /// The person's own.
    Hours(QuietHours),
}

/// A time in which a person is away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Absence {
    /// When the person is back.
    pub until: Timestamp,
    /// Who is told instead of them. The delegate's own rights decide what they may approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegate: Option<PersonId>,
}

/// A person's preferences.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Preferences {
    /// Which messages the person receives.
    pub notify: Notify,
    /// When no message is delivered.
    pub quiet: Quiet,
    /// The IANA time zone of the quiet hours; otherwise that of the Slack profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// When the person is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub away: Option<Absence>,
}

/// A change of one's own preferences; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreferencesChange {
    /// Which messages the person receives.
    pub notify: Option<Notify>,
    /// The quiet hours.
    pub quiet: Option<Quiet>,
    /// The time zone.
    pub timezone: Option<ZoneChoice>,
    /// Whether the person is away.
    pub presence: Option<Presence>,
}

/// The time zone of a person's quiet hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneChoice {
    /// That of the Slack profile.
    Profile,
    /// A zone by its IANA name.
    Named(String),
}

/// Whether a person is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// The person is back.
    Back,
    /// The person is away.
    Away(Absence),
}

impl PreferencesChange {
    /// Whether the change makes sense for this person. The error is for the person.
    pub fn check(
        &self,
        person: &PersonId,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<(), String> {
        if let Some(Quiet::Hours(hours)) = self.quiet {
            check::quiet_hours(hours).map_err(|why| format!("The time without messages {why}."))?;
        }
        if let Some(ZoneChoice::Named(zone)) = &self.timezone {
            check::timezone(zone)?;
        }
        let Some(Presence::Away(away)) = &self.presence else {
            return Ok(());
        };
        if away.until <= now {
            return Err("This date is in the past. Give a later one.".to_owned());
        }
        let Some(delegate) = &away.delegate else {
            return Ok(());
        };
        let teams = |id| directory.person(id).map(|person| &person.teams);
        let shares = match (teams(person), teams(delegate)) {
            (Some(own), Some(theirs)) => !own.is_disjoint(theirs),
            _ => false,
        };
        if delegate == person || !directory.is_active(delegate) || !shares {
            let name = directory.name(delegate);
            return Err(format!(
                "{name} cannot stand in for you: a delegate is another active person of one of your teams."
            ));
        }
        Ok(())
    }

    /// The preferences after the change.
    pub fn applied_to(&self, before: &Preferences) -> Preferences {
        let mut after = before.clone();
        after.notify = self.notify.unwrap_or(after.notify);
        after.quiet = self.quiet.unwrap_or(after.quiet);
        match &self.timezone {
            None => {}
            Some(ZoneChoice::Profile) => after.timezone = None,
            Some(ZoneChoice::Named(zone)) => after.timezone = Some(zone.clone()),
        }
        match &self.presence {
            None => {}
            Some(Presence::Back) => after.away = None,
            Some(Presence::Away(away)) => after.away = Some(away.clone()),
        }
        after
    }
}

/// Why a person is told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    /// For information.
    Informed,
    /// The person can do something about it.
    Needed,
    /// A break-glass alert, or an alert that cannot be delivered.
    Alert,
}

/// When a message is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Now.
    Now,
    /// When the quiet hours are over.
    At(Timestamp),
    /// Not at all.
    Never,
}

impl Preferences {
    /// When a message reaches the person. `zone` is the time zone of their Slack profile.
    pub fn delivery(
        &self,
        importance: Importance,
        default: Option<QuietHours>,
        zone: Option<&str>,
        now: Timestamp,
    ) -> Delivery {
        let wanted = match self.notify {
            Notify::All => Importance::Informed,
            Notify::Needed => Importance::Needed,
            Notify::None => Importance::Alert,
        };
        if importance == Importance::Alert {
            return Delivery::Now;
        }
        if importance < wanted {
            return Delivery::Never;
        }
        let ends = self
            .quiet_hours(default)
            .and_then(|hours| quiet_until(hours, self.zone(zone), now));
        ends.map_or(Delivery::Now, Delivery::At)
    }

    /// The quiet hours in force.
    pub fn quiet_hours(&self, default: Option<QuietHours>) -> Option<QuietHours> {
        match self.quiet {
            Quiet::Default => default,
            Quiet::Off => None,
            Quiet::Hours(hours) => Some(hours),
        }
    }

    /// The time zone: the person's choice, or that of their Slack profile, or UTC.
    pub fn zone(&self, profile: Option<&str>) -> Tz {
        let chosen = self.timezone.as_deref().or(profile);
        chosen.and_then(|zone| zone.parse().ok()).unwrap_or(Tz::UTC)
    }

    /// The absence in force.
    pub fn absence(&self, now: Timestamp) -> Option<&Absence> {
        self.away.as_ref().filter(|away| now < away.until)
    }
}

/// When the quiet hours that contain `now` end; `None` outside of them. Hours that a clock change skips end at its next hour.
fn quiet_until(hours: QuietHours, zone: Tz, now: Timestamp) -> Option<Timestamp> {
    let local = DateTime::from_timestamp_millis(now.0)?.with_timezone(&zone);
    let hour = u8::try_from(local.hour()).ok()?;
    let QuietHours { from, to } = hours;
    let (quiet, tomorrow) = if from < to {
        ((from..to).contains(&hour), false)
    } else {
        (hour >= from || hour < to, hour >= from)
    };
    if !quiet {
        return None;
    }
    let day = local.date_naive();
    let day = if tomorrow {
        day.checked_add_days(Days::new(1))?
    } else {
        day
    };
    start_of(day, to, zone).filter(|end| *end > now)
}

/// The first moment of an hour of a day, or of the next hour that exists.
pub(super) fn start_of(day: NaiveDate, hour: u8, zone: Tz) -> Option<Timestamp> {
    (0..4).find_map(|later| {
        let hour = u32::from(hour) + later;
        let day = day.checked_add_days(Days::new(u64::from(hour / 24)))?;
        let time: NaiveDateTime = day.and_hms_opt(hour % 24, 0, 0)?;
        let at = zone.from_local_datetime(&time).latest()?;
        Some(Timestamp(at.timestamp_millis()))
    })
}

/// The first moment of a day in a time zone.
pub fn start_of_day(day: NaiveDate, zone: Tz) -> Option<Timestamp> {
    start_of(day, 0, zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;
    use proptest::prelude::*;

    const ZONES: [&str; 5] = [
        "UTC",
        "Europe/Istanbul",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
    ];

    fn at(text: &str) -> Timestamp {
        let time = DateTime::parse_from_rfc3339(text).expect("a time");
        Timestamp(time.timestamp_millis())
    }

    #[test]
    fn quiet_hours_end_in_the_persons_own_time_zone() {
        let hours = QuietHours { from: 22, to: 7 };
        let night = Preferences {
            quiet: Quiet::Hours(hours),
            ..Preferences::default()
        };
        let of = |zone, now| night.delivery(Importance::Needed, None, Some(zone), at(now));
        assert_eq!(
            of("Europe/Istanbul", "2026-11-23T19:30:00Z"),
            Delivery::At(at("2026-11-24T04:00:00Z"))
        );
        assert_eq!(of("UTC", "2026-11-23T19:30:00Z"), Delivery::Now);
        assert_eq!(
            of("UTC", "2026-11-23T06:59:59Z"),
            Delivery::At(at("2026-11-23T07:00:00Z"))
        );
        assert_eq!(of("UTC", "2026-11-23T07:00:00Z"), Delivery::Now);
        // 02:00 to 03:00 does not exist on this day
        let early = Preferences {
            quiet: Quiet::Hours(QuietHours { from: 0, to: 2 }),
            ..Preferences::default()
        };
        let moved = early.delivery(
            Importance::Needed,
            None,
            Some("America/New_York"),
            at("2026-03-08T06:00:00Z"),
        );
        assert_eq!(moved, Delivery::At(at("2026-03-08T07:00:00Z")));
    }

    #[test]
    fn preferences_select_messages_but_never_alerts() {
        let night = Some(QuietHours { from: 0, to: 23 });
        for notify in Notify::ALL {
            let person = Preferences {
                notify,
                ..Preferences::default()
            };
            let of = |importance| person.delivery(importance, None, None, Timestamp(0));
            let delivered = |importance| of(importance) == Delivery::Now;
            assert!(delivered(Importance::Alert));
            assert_eq!(
                person.delivery(Importance::Alert, night, None, Timestamp(0)),
                Delivery::Now
            );
            assert_eq!(delivered(Importance::Needed), notify != Notify::None);
            assert_eq!(delivered(Importance::Informed), notify == Notify::All);
        }
    }

    #[test]
    fn delegate_is_another_active_person_of_a_common_team() {
        let directory = crate::domain::tests::fixture::directory();
        let now = Timestamp(1_000);
        let check = |until, delegate: Option<&str>| {
            let delegate = delegate.map(Into::into);
            let away = Absence {
                until: Timestamp(until),
                delegate,
            };
            let change = PreferencesChange {
                presence: Some(Presence::Away(away)),
                ..PreferencesChange::default()
            };
            change.check(&"alice".into(), &directory, now).is_ok()
        };
        assert!(check(1_001, None));
        assert!(!check(1_000, None) && !check(999, None), "in the past");
        assert!(check(1_001, Some("bob")), "both are in sre");
        for delegate in ["alice", "carol", "erin", "nobody"] {
            assert!(!check(1_001, Some(delegate)), "{delegate}");
        }
        let away = Preferences {
            away: Some(Absence {
                until: Timestamp(2_000),
                delegate: None,
            }),
            ..Preferences::default()
        };
        let is_away = |at| away.absence(Timestamp(at)).is_some();
        assert!(is_away(1_999) && !is_away(2_000) && !is_away(2_001));
    }

    #[test]
    fn quiet_hours_begin_and_end_on_the_hour() {
        for (from, to, quiet) in [
            (9, 17, vec![9, 10, 11, 12, 13, 14, 15, 16]),
            (22, 7, vec![0, 1, 2, 3, 4, 5, 6, 22, 23]),
            (23, 0, vec![23]),
            (0, 1, vec![0]),
        ] {
            let person = Preferences {
                quiet: Quiet::Hours(QuietHours { from, to }),
                ..Preferences::default()
            };
            let is_held = |hour: &u8| {
                let now = at(&format!("2026-11-23T{hour:02}:00:00Z"));
                person.delivery(Importance::Needed, None, None, now) != Delivery::Now
            };
            let held: Vec<u8> = (0..24).filter(is_held).collect();
            assert_eq!(held, quiet, "{from} to {to}");
        }
    }

    proptest! {
        /// A held message is due later, within a day and an hour, and at a time that is not quiet.
        #[test]
        fn a_held_message_is_due_when_it_is_quiet_no_longer(
            now in 1_700_000_000_000_i64..1_900_000_000_000, from in 0_u8..24, to in 0_u8..24, zone in 0_usize..5,
        ) {
            prop_assume!(from != to);
            let person = Preferences { quiet: Quiet::Hours(QuietHours { from, to }), ..Preferences::default() };
            let of = |now| person.delivery(Importance::Informed, None, Some(ZONES[zone]), now);
            let now = Timestamp(now);
            if let Delivery::At(end) = of(now) {
                prop_assert!(end > now && end <= now.plus(Span::hours(25)), "{end:?}");
                prop_assert_eq!(of(end), Delivery::Now);
            }
        }
    }
}
