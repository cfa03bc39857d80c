//! One submission at a time for each principal at this replica. They wait for each other in the database anyway; waiting here first,
//! the calls of one principal take one connection of the pool and leave the others to everybody else.

use crate::domain::principal::Principal;
use std::hash::{DefaultHasher, Hash, Hasher};
use tokio::sync::{Mutex, MutexGuard};

/// Principals that share one by chance only wait a little longer.
const TURNS: u64 = 256;

/// The turns of all principals.
pub(super) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..TURNS).map(|_| Mutex::default()).collect())
    }
}

impl Turns {
    /// Waits for the turn of this principal; it ends when the guard is dropped.
    pub(super) async fn of(&self, principal: &Principal) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        principal.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % TURNS).ok()?;
        Some(self.0.get(place)?.lock().await)
    }
}
