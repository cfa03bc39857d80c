//! Up to which commit this replica has looked at each open Home tab. Which are open is known to all replicas (`app/homes.rs`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How far this replica has looked.
#[derive(Debug, Default)]
pub struct Homes(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// Up to which commit all open Homes have been looked at; none where some must be.
    all: Option<u64>,
    /// Up to which commit, by account.
    accounts: HashMap<String, u64>,
}

impl Homes {
    /// Whether some may be behind.
    pub fn any_behind(&self, commits: u64) -> bool {
        self.lock().all != Some(commits)
    }

    /// Of the open Homes those for which something may have changed, at most `limit`. What is not open any more is forgotten.
    pub fn behind<T>(
        &self,
        open: Vec<(String, T)>,
        commits: u64,
        limit: usize,
    ) -> Vec<(String, T)> {
        let mut seen = self.lock();
        let Seen { all, accounts } = &mut *seen;
        let is_open = |account: &String| open.iter().any(|(open, _)| open == account);
        if accounts.len() > open.len() {
            accounts.retain(|account, _| is_open(account));
        }
        let mut behind = open;
        behind.retain(|(account, _)| accounts.get(account) != Some(&commits));
        if behind.len() <= limit {
            *all = Some(commits);
        }
        behind.truncate(limit);
        for (account, _) in &behind {
            accounts.insert(account.clone(), commits);
        }
        behind
    }

    /// It must be looked at again, although nothing has changed.
    pub fn look_again(&self, account: &str) {
        let mut seen = self.lock();
        seen.accounts.remove(account);
        seen.all = None;
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(accounts: &[&str]) -> Vec<(String, ())> {
        accounts.iter().map(|one| ((*one).to_owned(), ())).collect()
    }

    fn names(behind: Vec<(String, ())>) -> Vec<String> {
        behind.into_iter().map(|(account, ())| account).collect()
    }

    #[test]
    fn home_tab_is_stale_until_published() {
        let homes = Homes::default();
        let all = ["U1", "U2", "U3"];
        assert!(homes.any_behind(1));
        assert_eq!(names(homes.behind(open(&all), 1, 2)), ["U1", "U2"]);
        assert!(homes.any_behind(1), "one is left");
        assert_eq!(names(homes.behind(open(&all), 1, 2)), ["U3"]);
        assert!(!homes.any_behind(1) && homes.any_behind(2));
        homes.look_again("U2");
        assert!(homes.any_behind(1));
        assert_eq!(names(homes.behind(open(&all), 1, 2)), ["U2"]);
        // closed meanwhile, and opened again
        assert_eq!(
            names(homes.behind(open(&["U1"]), 1, 2)),
            Vec::<String>::new()
        );
        assert_eq!(names(homes.behind(open(&["U1", "U3"]), 1, 2)), ["U3"]);
    }
}
