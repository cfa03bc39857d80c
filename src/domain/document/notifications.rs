//! When people are told: reminders, quiet hours, warnings and digests.

use super::Weekday;
use crate::domain::id::ChannelId;
use crate::domain::time::Span;
use serde::{Deserialize, Serialize};

/// When approvers are reminded: the first time after `first`, then at intervals that grow by `factor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reminders {
    /// The time before the first reminder.
    pub first: Span,
    /// The factor by which each interval is longer than the one before.
    pub factor: u32,
    /// The maximum number of reminders; 5 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
}

/// Defaults for what people are told; each person can override their own (docs/notifications.md).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Notifications {
    /// When no direct message is delivered, in each person's own time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    /// How long before its expiry the requester of a pending request is warned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester_expiry_warning: Option<Span>,
    /// After which time a pending request counts as stale; 24 hours if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_after: Option<Span>,
    /// The weekly digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<WeeklyDigest>,
}

/// The mail server, and who receives alerts by e-mail (docs/notifications.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmailConfig {
    /// The mail server: `smtps://user@mail.example.com:465`, or `smtp://..` for STARTTLS.
    pub smtp: String,
    /// The environment variable of `countersign serve` that contains the password of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// The sender: `Countersign <approvals@example.com>`.
    pub from: String,
    /// Addresses that receive each break-glass alert that Slack refuses or has not taken within a minute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<String>,
}

/// Hours of a day; a range past midnight ends on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuietHours {
    /// The hour (0-23) at which they begin, inclusive.
    pub from: u8,
    /// The hour (0-23) at which they end, exclusive.
    pub to: u8,
}

/// When and where the weekly digest is posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WeeklyDigest {
    /// The day.
    pub weekday: Weekday,
    /// The hour (0-23).
    pub hour: u8,
    /// The IANA time zone of the hour.
    pub timezone: String,
    /// The channel.
    pub channel: ChannelId,
}
