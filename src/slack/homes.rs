//! Who has the Home tab open: published anew when something has changed (design 2.9). Kept in memory alone: after a restart a Home is
//! as old as it was until its owner opens it again.

use super::views::home::Look;
use crate::domain::time::{Span, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long after its opening a Home is kept up to date.
const KEPT: Span = Span::hours(1);
/// How many Homes are kept up to date.
const MOST: usize = 1_000;

/// The Homes that are open.
#[derive(Debug, Default)]
pub struct Homes(Mutex<HashMap<String, Open>>);

#[derive(Debug, Clone)]
struct Open {
    look: Look,
    opened: Timestamp,
    /// Up to which commit it has been looked at; none where it must be.
    seen: Option<u64>,
    /// What tells one state of it from another.
    shown: Option<String>,
}

impl Homes {
    /// Somebody looks at it now, in this way.
    pub fn looked_at(&self, user: &str, look: &Look, now: Timestamp) {
        let mut homes = self.lock();
        homes.retain(|_, home| now < home.opened.plus(KEPT));
        if homes.len() >= MOST && !homes.contains_key(user) {
            let oldest = homes.iter().min_by_key(|(_, home)| home.opened);
            if let Some(oldest) = oldest.map(|(user, _)| user.clone()) {
                homes.remove(&oldest);
            }
        }
        let open = Open {
            look: look.clone(),
            opened: now,
            seen: None,
            shown: None,
        };
        homes.insert(user.to_owned(), open);
    }

    /// Those for whom something may have changed, at most `limit`.
    pub fn behind(&self, commits: u64, now: Timestamp, limit: usize) -> Vec<(String, Look)> {
        let mut homes = self.lock();
        homes.retain(|_, home| now < home.opened.plus(KEPT));
        let behind = homes.iter().filter(|(_, home)| home.seen != Some(commits));
        let behind = behind.map(|(user, home)| (user.clone(), home.look.clone()));
        behind.take(limit).collect()
    }

    /// Whether what a Home shows now differs from what it showed last; from now on it counts as looked at. A look of another kind
    /// that was taken meanwhile is left alone.
    pub fn differs(&self, user: &str, look: &Look, commits: u64, shown: &str) -> bool {
        let mut homes = self.lock();
        let Some(home) = homes.get_mut(user).filter(|home| home.look == *look) else {
            return false;
        };
        home.seen = Some(commits);
        let differs = home.shown.as_deref() != Some(shown);
        home.shown = Some(shown.to_owned());
        differs
    }

    /// It could not be published; what it shows is not known.
    pub fn failed(&self, user: &str) {
        if let Some(home) = self.lock().get_mut(user) {
            home.seen = None;
            home.shown = None;
        }
    }

    /// It can never be published.
    pub fn forget(&self, user: &str) {
        self.lock().remove(user);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn behind(homes: &Homes, commits: u64) -> usize {
        homes.behind(commits, NOW, 10).len()
    }

    #[test]
    fn a_home_is_behind_until_it_has_been_looked_at() {
        let (homes, look) = (Homes::default(), Look::default());
        homes.looked_at("U1", &look, NOW);
        assert_eq!(behind(&homes, 1), 1);
        assert!(homes.differs("U1", &look, 1, "a"));
        assert_eq!(behind(&homes, 1), 0);
        // another commit that changes nothing to be seen
        assert_eq!(behind(&homes, 2), 1);
        assert!(!homes.differs("U1", &look, 2, "a"));
        assert!(homes.differs("U1", &look, 3, "b"));
        homes.failed("U1");
        assert_eq!(behind(&homes, 3), 1);
        homes.forget("U1");
        assert_eq!(behind(&homes, 4), 0);
        assert!(!homes.differs("U1", &look, 4, "c"));
    }

    #[test]
    fn an_hour_after_its_opening_a_home_is_forgotten_and_there_are_never_too_many() {
        let (homes, look) = (Homes::default(), Look::default());
        homes.looked_at("U1", &look, NOW);
        assert_eq!(homes.behind(1, NOW.plus(Span(KEPT.0 - 1)), 10).len(), 1);
        assert_eq!(homes.behind(1, NOW.plus(KEPT), 10).len(), 0);
        for n in 0..MOST + 10 {
            let opened = NOW.plus(Span(i64::try_from(n).unwrap_or(0)));
            homes.looked_at(&format!("U{n}"), &look, opened);
        }
        let all = homes.behind(1, NOW.plus(Span(2_000)), MOST * 2);
        assert_eq!(all.len(), MOST);
        assert!(
            all.iter().all(|(user, _)| user != "U3"),
            "the oldest goes first"
        );
    }
}
