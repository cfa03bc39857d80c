//! The inbox: requests by status, type, requester, and by who could approve them.

use super::{App, AppError};
use crate::domain::action::Kind;
use crate::domain::id::PersonId;
use crate::domain::people::Directory;
use crate::domain::principal::Principal;
use crate::domain::request::Status;
use crate::domain::shown::Shown;
use crate::store::{ListQuery, Tx};

/// Most requests that one question may look at while it searches for those that a person could approve.
const MOST_LOOKED_AT: usize = 1_000;

/// Which requests to list.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Any of these; empty means every status.
    pub statuses: Vec<Status>,
    /// Of this type.
    pub kind: Option<Kind>,
    /// That this person could approve now.
    pub can_approve: Option<PersonId>,
    /// Asked for by this principal.
    pub requester: Option<Principal>,
    /// After this one, from a page's `next`.
    pub cursor: Option<String>,
    /// At most this many; 1 to 100.
    pub limit: u32,
}

/// One page of a list, newest first.
#[derive(Debug, Clone)]
pub struct Page {
    /// The requests.
    pub items: Vec<Shown>,
    /// Where the next page begins.
    pub next: Option<String>,
}

impl App {
    /// The inbox. A cursor is the last number seen, so that new requests neither repeat nor hide others.
    pub async fn list(&self, filter: ListFilter) -> Result<Page, AppError> {
        let mut tx = self.0.db.read().await?;
        let limit = usize::try_from(filter.limit.clamp(1, 100)).unwrap_or(100);
        let mut below = match &filter.cursor {
            None => i64::MAX,
            Some(cursor) => cursor.parse().unwrap_or(0), // a cursor of somebody's own making ends the list
        };
        let version = tx.config_version().await?;
        let rules = self.rules_at(&mut tx, version).await?;
        let (mut items, mut looked_at) = (Vec::new(), 0);
        loop {
            let page = self.page(&mut tx, &filter, below, limit).await?;
            let (found, full) = (page.len(), page.len() == limit);
            looked_at += found;
            for shown in page {
                below = shown.request.number;
                if fits(&filter, &shown, rules.directory()) {
                    items.push(shown);
                }
                if items.len() == limit {
                    return Ok(Page {
                        items,
                        next: Some(below.to_string()),
                    });
                }
            }
            if !full || looked_at >= MOST_LOOKED_AT {
                return Ok(Page {
                    items,
                    next: full.then(|| below.to_string()),
                });
            }
        }
    }

    /// The requests that somebody decided on last, newest decision first.
    pub async fn decided_by(&self, person: &PersonId, limit: u32) -> Result<Vec<Shown>, AppError> {
        let mut tx = self.0.db.read().await?;
        let ids = tx.decided_by(person, i64::from(limit)).await?;
        self.show_all(&mut tx, &ids.iter().collect::<Vec<_>>())
            .await
    }

    async fn page(
        &self,
        tx: &mut Tx,
        filter: &ListFilter,
        below: i64,
        limit: usize,
    ) -> Result<Vec<Shown>, AppError> {
        let query = ListQuery {
            statuses: &filter.statuses,
            kind: filter.kind,
            requester: filter.requester.as_ref(),
            below,
            limit: i64::try_from(limit).unwrap_or(100),
        };
        let ids = tx.list(query).await?;
        self.show_all(tx, &ids.iter().collect::<Vec<_>>()).await
    }
}

/// What the store cannot tell: what time has ended meanwhile, and who could approve.
fn fits(filter: &ListFilter, shown: &Shown, directory: &Directory) -> bool {
    let status: Status = shown.request.state.status();
    let waits_for = |id| {
        let person = directory.person(id);
        person.is_some_and(|person| shown.waits_for(person))
    };
    (filter.statuses.is_empty() || filter.statuses.contains(&status))
        && filter.can_approve.as_ref().is_none_or(waits_for)
}
