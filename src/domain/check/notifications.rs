//! Checks reminders and notifications.

use super::{Checks, text};
use crate::domain::document::{Notifications, QuietHours};
use chrono_tz::Tz;

/// More reminders of one request than this are a mistake.
const MOST_REMINDERS: u32 = 50;

/// Quiet hours are two different hours of a day.
pub fn quiet_hours(hours: QuietHours) -> Result<(), String> {
    let QuietHours { from, to } = hours;
    if from > 23 || to > 23 {
        return Err("needs hours from 0 to 23".to_owned());
    }
    if from == to {
        return Err("begins and ends at the same hour; leave it out for no quiet hours".to_owned());
    }
    Ok(())
}

/// A time zone is a name of the IANA database.
pub fn timezone(zone: &str) -> Result<(), String> {
    zone.parse::<Tz>()
        .map(|_| ())
        .map_err(|_| format!("`{zone}` is not an IANA time zone, such as Europe/Istanbul"))
}

impl Checks<'_> {
    pub(super) fn reminders(&mut self) {
        let Some(reminders) = &self.document.reminders else {
            return;
        };
        self.span("reminders.first", reminders.first);
        if reminders.factor == 0 {
            self.problem("reminders.factor", "must be at least 1");
        }
        if reminders.most.is_some_and(|most| most > MOST_REMINDERS) {
            self.problem(
                "reminders.most",
                format!("must be at most {MOST_REMINDERS}"),
            );
        }
    }

    pub(super) fn notifications(&mut self) {
        let Some(Notifications {
            quiet_hours: quiet,
            requester_expiry_warning,
            stale_after,
            digest,
        }) = &self.document.notifications
        else {
            return;
        };
        if let Some(quiet) = quiet {
            self.expect("notifications.quietHours", quiet_hours(*quiet));
        }
        for (key, span) in [
            ("requesterExpiryWarning", requester_expiry_warning),
            ("staleAfter", stale_after),
        ] {
            if let Some(span) = span {
                self.span(format!("notifications.{key}"), *span);
            }
        }
        if let Some(digest) = digest {
            let path = "notifications.digest";
            if digest.hour > 23 {
                self.problem(format!("{path}.hour"), "must be an hour from 0 to 23");
            }
            self.expect(format!("{path}.timezone"), timezone(&digest.timezone));
            let channel = text::channel(digest.channel.as_str());
            self.expect(format!("{path}.channel"), channel);
        }
    }
}
