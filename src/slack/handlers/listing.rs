//! Lists that take many calls to Slack: read page by page at Slack's pace, and continued where they stopped.

use crate::domain::time::{Span, Timestamp};
use crate::slack::api::client::Slack;
use crate::slack::api::error::SlackError;
use crate::slack::api::reply::{SlackUser, UserGroup};
use crate::slack::inbound::installation::Installation;
use std::collections::{BTreeSet, VecDeque};

/// Slack's Tier 2, to which `users.list`, `usergroups.list` and `auth.teams.list` belong.
const CALLS_PER_MINUTE: usize = 20;
/// The time over which Slack counts calls.
const BUDGET_WINDOW: Span = Span::minutes(1);
/// After this time a list starts again: its cursor may have expired, and its first pages are old.
const LISTING_LIFETIME: Span = Span::hours(1);
/// More pages than any workspace has, so that a cursor that leads in circles ends.
const PAGE_LIMIT: usize = 10_000;

/// The calls of one method that were made within the last minute.
#[derive(Debug, Default)]
pub(super) struct CallBudget(VecDeque<Timestamp>);

impl CallBudget {
    /// Spends one call, or says when the next one may be made.
    pub(super) fn spend(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        // a clock that went back makes nothing older
        while self
            .0
            .front()
            .is_some_and(|at| at.plus(BUDGET_WINDOW) <= now)
        {
            self.0.pop_front();
        }
        match self.0.front() {
            Some(oldest) if self.0.len() >= CALLS_PER_MINUTE => Err(oldest.plus(BUDGET_WINDOW)),
            _ => {
                self.0.push_back(now);
                Ok(())
            }
        }
    }
}

/// Why a list is not complete yet.
#[derive(Debug, PartialEq)]
pub(super) enum Incomplete {
    /// The calls of this minute are spent; it continues then.
    Paced(Timestamp),
    /// Slack did not answer; what was read so far is kept.
    Failed(SlackError),
    /// What was read so far is worth nothing; it starts again.
    Void(SlackError),
}

/// One page of a list.
pub(super) struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// A list whose pages can be read.
pub(super) trait Paged: Sized {
    /// Reads one page of a workspace's list.
    async fn page(
        slack: &Slack,
        workspace: &str,
        cursor: Option<&str>,
    ) -> Result<Page<Self>, SlackError>;
}

impl Paged for SlackUser {
    async fn page(
        slack: &Slack,
        workspace: &str,
        cursor: Option<&str>,
    ) -> Result<Page<Self>, SlackError> {
        let page = slack.users_list(workspace, cursor).await?;
        Ok(Page {
            items: page.members,
            next: page
                .response_metadata
                .and_then(crate::slack::api::reply::Cursor::next),
        })
    }
}

impl Paged for UserGroup {
    async fn page(
        slack: &Slack,
        workspace: &str,
        _: Option<&str>,
    ) -> Result<Page<Self>, SlackError> {
        Ok(Page {
            items: slack.user_groups(workspace).await?,
            next: None,
        })
    }
}

/// What was read so far of a list, over all workspaces that are home.
#[derive(Debug)]
pub(super) struct Listing<T> {
    /// When it was begun: what is not in it may be newer than that.
    pub(super) began_at: Timestamp,
    /// What was read, with the time at which its page was asked for.
    pub(super) items: Vec<(T, Timestamp)>,
    /// The workspaces that are not read to their end, the current one first; unknown before the first call.
    workspaces: Option<VecDeque<String>>,
    cursor: Option<String>,
    pages: usize,
}

impl<T: Paged> Listing<T> {
    /// A list of which nothing was read yet.
    pub(super) fn begin(now: Timestamp) -> Self {
        Self {
            began_at: now,
            items: Vec::new(),
            workspaces: None,
            cursor: None,
            pages: 0,
        }
    }

    /// Whether it was begun too long ago to be continued.
    pub(super) fn is_stale(&self, now: Timestamp) -> bool {
        self.began_at.plus(LISTING_LIFETIME) <= now || now < self.began_at
    }

    /// Reads on to the end, as far as Slack answers and the budget lasts.
    pub(super) async fn read(
        &mut self,
        slack: &Slack,
        home: &Installation,
        budget: &mut CallBudget,
        now: impl Fn() -> Timestamp,
    ) -> Result<(), Incomplete> {
        if self.workspaces.is_none() {
            let workspaces = workspaces(slack, home).await.map_err(Incomplete::Failed)?;
            self.workspaces = Some(workspaces.into_iter().collect());
        }
        while let Some(workspace) = self.workspaces.iter().flatten().next().cloned() {
            let asked_at = now();
            budget.spend(asked_at).map_err(Incomplete::Paced)?;
            let page = T::page(slack, &workspace, self.cursor.as_deref()).await;
            self.take(page.map_err(fate)?, asked_at)?;
        }
        Ok(())
    }

    fn take(&mut self, page: Page<T>, now: Timestamp) -> Result<(), Incomplete> {
        self.pages += 1;
        if self.pages > PAGE_LIMIT {
            return Err(Incomplete::Void(SlackError::Lost));
        }
        self.items
            .extend(page.items.into_iter().map(|item| (item, now)));
        self.cursor = page.next;
        if self.cursor.is_none()
            && let Some(workspaces) = &mut self.workspaces
        {
            workspaces.pop_front();
        }
        Ok(())
    }
}

/// Whether a failed call costs what was read before it.
fn fate(error: SlackError) -> Incomplete {
    match error {
        SlackError::Other(code) if code == "invalid_cursor" => {
            Incomplete::Void(SlackError::Other(code))
        }
        error => Incomplete::Failed(error),
    }
}

/// The workspaces whose people are ours: of an organization-wide installation all that Slack lists, else the one that is home.
async fn workspaces(slack: &Slack, home: &Installation) -> Result<BTreeSet<String>, SlackError> {
    let mut all = BTreeSet::new();
    if home.org_wide {
        all.extend(slack.workspaces().await?);
    }
    if all.is_empty() {
        all.insert(home.team_id.clone());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_budget_lets_twenty_calls_a_minute_through() {
        let at = |millis: i64| Timestamp(1_800_000_000_000 + millis);
        let mut budget = CallBudget::default();
        for call in 0..20 {
            assert_eq!(budget.spend(at(call * 100)), Ok(()));
        }
        assert_eq!(budget.spend(at(2_000)), Err(at(60_000)));
        assert_eq!(budget.spend(at(59_999)), Err(at(60_000)));
        assert_eq!(budget.spend(at(60_000)), Ok(()));
        assert_eq!(budget.spend(at(60_000)), Err(at(60_100)));
        assert_eq!(budget.spend(at(-1)), Err(at(60_100)));
    }
}
