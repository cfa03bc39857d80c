//! Numbers for the operator: few, each with a question that it answers.

use super::{App, AppError};
use crate::store::{Backlog, UNREADABLE_ROWS};
use crate::supervisor::TASK_PANICS;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use std::time::Duration;

/// How long decisions took, from arrival to reply.
pub const DECIDE_SECONDS: &str = "countersign_decide_seconds";
/// Posts to `/slack/events` that were refused, by reason.
pub const DELIVERIES_REFUSED: &str = "countersign_deliveries_refused_total";
/// Connections that the server closed by itself, by reason.
pub const CONNECTIONS_CLOSED: &str = "countersign_http_connections_closed_total";
/// Connections that are open.
pub const CONNECTIONS: &str = "countersign_http_connections";
const EVENTS: &str = "countersign_events_total";
const PENDING: &str = "countersign_requests_pending";
const MESSAGES: &str = "countersign_messages_due";
const UNDELIVERED: &str = "countersign_messages_undelivered";
const CARDS: &str = "countersign_cards_due";
/// Attempts to deliver webhooks, by outcome.
pub const WEBHOOK_DELIVERIES: &str = "countersign_webhook_deliveries_total";
/// Attempts to send e-mails, by outcome.
pub const EMAILS: &str = "countersign_emails_total";
const WEBHOOKS_DISABLED: &str = "countersign_webhooks_disabled";
const UNSEALED: &str = "countersign_audit_unsealed";
const READY: &str = "countersign_ready";
const DEGRADED: &str = "countersign_degraded";
const MISSED_TARGETS: &str = "countersign_latency_targets_missed_total";
const UNREADABLE_NOW: &str = "countersign_unreadable_rows";

/// Says what the numbers mean, to whoever reads them.
pub fn describe_metrics() {
    describe_counter!(
        EVENTS,
        "Audit events, counted when they are sealed: each once, by one replica"
    );
    describe_histogram!(
        DECIDE_SECONDS,
        "Seconds from a decision's arrival to its commit, or its refusal"
    );
    describe_counter!(
        TASK_PANICS,
        "Panics of long-lived tasks, each of which was started again"
    );
    describe_counter!(
        UNREADABLE_ROWS,
        "Stored rows that this release cannot read, each time one is met"
    );
    describe_counter!(
        super::refusals::UNRECORDED,
        "Refusals that left no audit row, since the same one had left one recently"
    );
    describe_counter!(
        DELIVERIES_REFUSED,
        "Posts to /slack/events that were refused, by reason"
    );
    describe_counter!(
        CONNECTIONS_CLOSED,
        "Connections that the server closed by itself, by reason"
    );
    describe_counter!(
        WEBHOOK_DELIVERIES,
        "Attempts to deliver webhooks, by outcome"
    );
    describe_counter!(EMAILS, "Attempts to send e-mails, by outcome");
    describe_gauge!(
        WEBHOOKS_DISABLED,
        "Webhook endpoints that are switched off because they failed for a day"
    );
    describe_counter!(
        MISSED_TARGETS,
        "Requests that waited longer than `latencyTarget`, by policy: each once, by one replica"
    );
    describe_gauge!(CONNECTIONS, "Connections that are open");
    describe_gauge!(PENDING, "Requests that wait for people");
    describe_gauge!(MESSAGES, "Messages that are to be delivered");
    describe_gauge!(UNDELIVERED, "Messages that were given up");
    describe_gauge!(CARDS, "Cards that are to be posted or updated");
    describe_gauge!(
        READY,
        "1 where `/readyz` says that this replica serves, else 0"
    );
    describe_gauge!(DEGRADED, "How many things `/readyz` lists under `degraded`");
    describe_gauge!(
        UNREADABLE_NOW,
        "Rows that this release cannot read and has set aside, by table"
    );
    describe_gauge!(
        UNSEALED,
        "Audit rows that wait for their place in the chain"
    );
}

/// These events are in the log for good. What was rolled back is never counted, and what two replicas see only once.
pub(super) fn sealed<'a>(events: impl Iterator<Item = &'a str>) {
    for event in events {
        counter!(EVENTS, "event" => event.to_owned()).increment(1);
    }
}

/// Requests have waited longer than these policies' targets.
pub(super) fn missed_targets<'a>(policies: impl Iterator<Item = &'a str>) {
    for policy in policies {
        counter!(MISSED_TARGETS, "policy" => policy.to_owned()).increment(1);
    }
}

/// A click was answered.
pub(super) fn decided(outcome: &'static str, took: Duration) {
    histogram!(DECIDE_SECONDS, "outcome" => outcome).record(took);
}

impl App {
    /// Puts what `/readyz` says into numbers.
    pub fn measure_health(&self, ready: bool, degraded: usize) {
        gauge!(READY).set(f64::from(u8::from(ready)));
        gauge!(DEGRADED).set(u32::try_from(degraded).unwrap_or(u32::MAX));
        for table in [
            "audit",
            "policy_versions",
            "requests",
            "session_posts",
            "sessions",
            "tokens",
        ] {
            let rows = self.0.db.aside().count(table);
            gauge!(UNREADABLE_NOW, "table" => table).set(u32::try_from(rows).unwrap_or(u32::MAX));
        }
    }

    /// Reads what is still to be done, for whoever asks for the numbers next.
    pub async fn measure_backlog(&self) -> Result<(), AppError> {
        let mut tx = self.0.db.read().await?;
        let disabled = tx.disabled_endpoints().await?;
        let Backlog {
            pending,
            messages,
            undelivered,
            cards,
            unsealed,
        } = tx.backlog().await?;
        for (name, value) in [
            (PENDING, pending),
            (MESSAGES, messages),
            (UNDELIVERED, undelivered),
            (CARDS, cards),
            (UNSEALED, unsealed),
            (WEBHOOKS_DISABLED, disabled),
        ] {
            gauge!(name).set(u32::try_from(value).unwrap_or(u32::MAX));
        }
        Ok(())
    }
}
