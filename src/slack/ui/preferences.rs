//! What a person wants to be told: as a line, and as a form.

use super::text::{code, date, name};
use super::{Message, blocks, form};
use crate::domain::document::QuietHours;
use crate::domain::people::Directory;
use crate::domain::preferences::{Notify, Preferences, PreferencesChange, Quiet, ZoneChoice};
use crate::domain::time::Timestamp;
use crate::slack::inbound::View;
use crate::slack::inbound::command::quiet_of;
use serde_json::Value;

/// The modal's `callback_id`, and the button that opens it.
pub const CALLBACK: &str = "preferences";
/// Which messages, as block and action.
const NOTIFY: &str = "notify";
/// The quiet hours, as block and action.
pub const QUIET: &str = "quiet";
/// The time zone, as block and action.
pub const TIMEZONE: &str = "timezone";

/// A person's preferences with what applies by default.
#[derive(Debug, Clone)]
pub struct Shown<'a> {
    /// Their own.
    pub preferences: &'a Preferences,
    /// The quiet hours of the configuration.
    pub quiet: Option<QuietHours>,
    /// The time.
    pub now: Timestamp,
    /// Who is who.
    pub directory: &'a Directory,
}

/// The preferences in two lines at most.
pub fn lines(shown: &Shown<'_>) -> Vec<String> {
    let Shown {
        preferences,
        quiet,
        now,
        directory,
    } = shown;
    let messages = match preferences.notify {
        Notify::All => "*all* direct messages",
        Notify::Needed => "direct messages *only when you are needed*",
        Notify::None => "*no* direct messages except break-glass alerts",
    };
    let zone = preferences
        .timezone
        .as_deref()
        .map_or_else(|| "of your Slack profile".to_owned(), code);
    let quiet = match preferences.quiet_hours(*quiet) {
        None => "no quiet hours".to_owned(),
        Some(QuietHours { from, to }) => {
            format!("quiet from {from}:00 to {to}:00, time zone {zone}")
        }
    };
    let mut lines = vec![format!("You receive {messages}; {quiet}.")];
    if let Some(away) = preferences.absence(*now) {
        let delegate = away.delegate.as_ref().map_or_else(String::new, |id| {
            format!("; {} is notified instead of you", name(directory.name(id)))
        });
        lines.push(format!(
            "You are away until {}{delegate}. {} ends it.",
            date(away.until),
            code("/approval back")
        ));
    }
    lines
}

/// The reply to a command.
pub fn summary(shown: &Shown<'_>) -> Message {
    let hint = format!(
        "Change it in the Home tab, or with {}.",
        code("/approval notify needed quiet=22-7 timezone=Europe/Istanbul")
    );
    let mut said = lines(shown);
    said.push(hint);
    Message::plain(said.join("\n"))
}

/// The section of the Home tab.
pub fn section(shown: &Shown<'_>) -> Vec<Value> {
    let label = "Change your notifications";
    let button = blocks::button(CALLBACK, "Change", "change", label);
    let mut section = blocks::section(&lines(shown).join("\n"));
    section["accessory"] = button;
    vec![blocks::divider(), blocks::header("Notifications"), section]
}

/// The form.
pub fn edit(shown: &Shown<'_>) -> Value {
    let choices = [
        (Notify::All, "Everything"),
        (Notify::Needed, "Only when I am needed"),
        (Notify::None, "Nothing except break-glass alerts"),
    ];
    let choices = choices.map(|(notify, words)| form::Choice {
        value: notify.as_str().to_owned(),
        words: words.to_owned(),
    });
    let notify = form::Select {
        name: NOTIFY,
        label: "Direct messages",
        hint: "Cards in channels are not affected.",
        optional: false,
        most: form::OPTIONS,
    };
    let quiet = form::Text {
        name: QUIET,
        label: "Quiet hours",
        hint: "Two hours such as 22-7, or off. Leave it empty for the default of your organization.",
        optional: true,
        most: 20,
    };
    let timezone = form::Text {
        name: TIMEZONE,
        label: "Time zone",
        hint: "Such as Europe/Istanbul. Leave it empty for that of your Slack profile.",
        optional: true,
        most: 60,
    };
    let preferences = shown.preferences;
    let hours = match preferences.quiet {
        Quiet::Default => None,
        Quiet::Off => Some("off".to_owned()),
        Quiet::Hours(QuietHours { from, to }) => Some(format!("{from}-{to}")),
    };
    let mut blocks = Vec::new();
    let now = preferences.notify.as_str();
    blocks.extend(form::one_of(&notify, &choices, Some(now)));
    blocks.push(form::line(&quiet, hours.as_deref()));
    blocks.push(form::line(&timezone, preferences.timezone.as_deref()));
    let mut view = blocks::modal(CALLBACK, "Notifications", "", &blocks);
    view["submit"] = blocks::plain_text("Save");
    view
}

/// Reads the form; an error names the field.
pub fn read(view: &View) -> Result<PreferencesChange, (&'static str, String)> {
    let chosen = view.field(NOTIFY);
    let notify = Notify::ALL
        .into_iter()
        .find(|notify| Some(notify.as_str()) == chosen.as_deref());
    let quiet = match view.field(QUIET) {
        None => Quiet::Default,
        Some(text) => quiet_of(&text).map_err(|why| (QUIET, why.0))?,
    };
    Ok(PreferencesChange {
        notify,
        quiet: Some(quiet),
        timezone: Some(match view.field(TIMEZONE) {
            None => ZoneChoice::Profile,
            Some(zone) => ZoneChoice::Named(zone),
        }),
        presence: None,
    })
}
