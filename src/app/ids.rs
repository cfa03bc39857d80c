//! New ids: UUIDs of version 7 by our own clock, in order even within a millisecond.

use crate::domain::time::Timestamp;
use std::sync::Mutex;
use uuid::{ContextV7, Uuid};

/// Makes ids.
#[derive(Debug)]
pub(super) struct Ids(Mutex<ContextV7>);

impl Default for Ids {
    fn default() -> Self {
        Self(Mutex::new(ContextV7::new()))
    }
}

impl Ids {
    /// The next one.
    pub(super) fn next(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.0).unwrap_or(0);
        let nanos = u32::try_from(millis % 1_000).unwrap_or(0) * 1_000_000;
        let context = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, millis / 1_000, nanos))
    }
}
