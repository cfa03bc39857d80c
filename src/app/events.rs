//! The audit log page by page, newest first, as administrators read it.

use super::audit::{LoggedEvent, logged};
use super::{App, AppError};
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;

/// Rows that are read at once.
const BATCH_SIZE: i64 = 100;
/// Most rows that one question may look at.
const SCAN_LIMIT: usize = 2_000;
/// After every id there is.
const FIRST: &str = "aud_7zzzzzzzzzzzzzzzzzzzzzzzzz";

/// Which events to list. Whatever is asked for, events about break-glass and recovery are among them.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this kind: the word before the dot, such as `config`.
    pub kind: Option<String>,
    /// By this principal.
    pub actor: Option<Principal>,
    /// About the request with this number.
    pub request: Option<i64>,
    /// Below this one, from a page's `next`.
    pub below: Option<String>,
}

/// One page of events, newest first.
#[derive(Debug, Clone)]
pub struct EventPage {
    /// The events.
    pub items: Vec<LoggedEvent>,
    /// Where the next page begins.
    pub next: Option<String>,
}

impl EventFilter {
    /// Break-glass cannot be filtered away.
    fn has(&self, event: &LoggedEvent) -> bool {
        let kind = event.what.as_str().split('.').next();
        let matches = self
            .kind
            .as_deref()
            .is_none_or(|wanted| kind == Some(wanted))
            && self
                .actor
                .as_ref()
                .is_none_or(|wanted| event.actor == *wanted)
            && self
                .request
                .is_none_or(|wanted| event.number == Some(wanted));
        event.prominent || matches
    }
}

impl App {
    /// Events that match, for administrators. A page ends early after many events that do not match.
    pub async fn events(
        &self,
        caller: &Caller,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<EventPage, AppError> {
        let config = self.compiled_config().await?;
        if !config.is_administrator(&caller.principal) {
            let why = "Only administrators may read the audit log.";
            return Err(Refusal::Forbidden(why.to_owned()).into());
        }
        let mut tx = self.0.db.read().await?;
        let mut below = filter.below.clone().unwrap_or_else(|| FIRST.to_owned());
        let (mut items, mut looked_at) = (Vec::new(), 0);
        loop {
            let rows = tx.events_below(&below, BATCH_SIZE).await?;
            let is_last = i64::try_from(rows.len()).unwrap_or(0) < BATCH_SIZE;
            looked_at += rows.len();
            for row in rows {
                below.clone_from(&row.row.id);
                // a row that this release does not know is in the export, as it is stored
                items.extend(logged(row).filter(|event| filter.has(event)));
                if items.len() == limit {
                    return Ok(EventPage {
                        items,
                        next: Some(below),
                    });
                }
            }
            if is_last || looked_at >= SCAN_LIMIT {
                let next = (!is_last).then_some(below);
                return Ok(EventPage { items, next });
            }
        }
    }
}
