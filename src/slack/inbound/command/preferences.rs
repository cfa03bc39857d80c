//! The words that change one's own preferences: `notify`, `away` and `back`.

use super::{Approval, ParseError, twice, unknown_word, words};
use crate::domain::document::QuietHours;
use crate::domain::preferences::{Notify, PreferencesChange, Quiet, ZoneChoice};
use chrono::NaiveDate;

/// `notify`, `notify needed`, `notify quiet=22-7 timezone=Europe/Istanbul`.
pub(super) fn notify(rest: &str) -> Result<Approval, ParseError> {
    let mut change = PreferencesChange::default();
    for word in words(rest)? {
        match word.split_once('=') {
            Some(("quiet", value)) if change.quiet.is_none() => {
                change.quiet = Some(quiet_of(value)?);
            }
            Some(("timezone", value)) if change.timezone.is_none() => {
                change.timezone = Some(match value {
                    "default" => ZoneChoice::Profile,
                    zone => ZoneChoice::Named(zone.to_owned()),
                });
            }
            Some((key @ ("quiet" | "timezone"), _)) => return Err(twice(key)),
            Some((key, _)) => return Err(unknown_word(key, &["quiet", "timezone"])),
            None if change.notify.is_none() => change.notify = Some(notify_of(&word)?),
            None => return Err(ParseError(format!("Unexpected word `{word}`."))),
        }
    }
    Ok(Approval::Notify(change))
}

fn notify_of(word: &str) -> Result<Notify, ParseError> {
    let found = Notify::ALL.into_iter().find(|one| one.as_str() == word);
    found.ok_or_else(|| unknown_word(word, &Notify::ALL.map(Notify::as_str)))
}

/// `22-7`, `off`, or `default`.
pub fn quiet_of(text: &str) -> Result<Quiet, ParseError> {
    match text {
        "off" => return Ok(Quiet::Off),
        "default" => return Ok(Quiet::Default),
        _ => {}
    }
    let hour = |text: &str| text.trim().parse::<u8>().ok().filter(|hour| *hour < 24);
    let hours = text.split_once('-').and_then(|(from, to)| {
        Some(QuietHours {
            from: hour(from)?,
            to: hour(to)?,
        })
    });
    let hours = hours.filter(|hours| hours.from != hours.to);
    hours.map(Quiet::Hours).ok_or_else(|| {
        ParseError(format!(
            "`{text}` are no quiet hours; write two hours such as 22-7, or off."
        ))
    })
}

/// `away until=2026-12-24 delegate=bob`.
pub(super) fn away(rest: &str) -> Result<Approval, ParseError> {
    let (mut until, mut delegate) = (None, None);
    for word in words(rest)? {
        match word.split_once('=') {
            Some(("until", value)) if until.is_none() => {
                let day = value.parse::<NaiveDate>().map_err(|_| {
                    ParseError(format!("`{value}` is no date; write it as 2026-12-24."))
                })?;
                until = Some(day);
            }
            Some(("delegate", value)) if delegate.is_none() => {
                delegate = Some(value.trim_start_matches('@').to_owned());
            }
            Some((key @ ("until" | "delegate"), _)) => return Err(twice(key)),
            Some((key, _)) => return Err(unknown_word(key, &["until", "delegate"])),
            None => {
                return Err(ParseError(format!(
                    "Unexpected word `{word}`; write for example away until=2026-12-24 delegate=bob."
                )));
            }
        }
    }
    let until = until
        .ok_or_else(|| ParseError("Say until when, such as away until=2026-12-24.".to_owned()))?;
    Ok(Approval::Away { until, delegate })
}
