//! Lists of requests, newest first.

use super::dialect::{self, on};
use super::keys::Keys;
use super::{Loaded, StoreError, Tx, on_db, sql};
use crate::domain::action::RequestType;
use crate::domain::principal::Principal;
use crate::domain::request::Status;

/// The keys of one page. On `SQLite` they are row ids, which the indexes contain, so that reading a request needs no lookup in the
/// index of its id.
macro_rules! page {
    ($key:literal, $filter:literal) => {
        concat!(
            "SELECT ",
            $key,
            ", number FROM requests WHERE ",
            $filter,
            "number < $1 ORDER BY number DESC LIMIT $2"
        )
    };
}

sql! {
    // each filter has its own text, because a condition that may be NULL uses no index
    LIST_SQLITE @sqlite = page!("CAST(rowid AS TEXT)", "");
    LIST_BY_KIND_SQLITE @sqlite = page!("CAST(rowid AS TEXT)", "kind = $3 AND ");
    LIST_BY_STATUS_SQLITE @sqlite = page!("CAST(rowid AS TEXT)", "status = $3 AND ");
    LIST_BY_STATUS_AND_KIND_SQLITE @sqlite = page!("CAST(rowid AS TEXT)", "status = $3 AND kind = $4 AND ");
    // one requester has few enough requests to scan
    LIST_BY_REQUESTER_SQLITE @sqlite = page!("CAST(rowid AS TEXT)",
        "requester = $3 AND (CAST($4 AS TEXT) IS NULL OR status = $4) AND (CAST($5 AS TEXT) IS NULL OR kind = $5) AND ");
    LIST_POSTGRES @postgres = page!("id", "");
    LIST_BY_KIND_POSTGRES @postgres = page!("id", "kind = $3 AND ");
    LIST_BY_STATUS_POSTGRES @postgres = page!("id", "status = $3 AND ");
    LIST_BY_STATUS_AND_KIND_POSTGRES @postgres = page!("id", "status = $3 AND kind = $4 AND ");
    LIST_BY_REQUESTER_POSTGRES @postgres = page!("id",
        "requester = $3 AND (CAST($4 AS TEXT) IS NULL OR status = $4) AND (CAST($5 AS TEXT) IS NULL OR kind = $5) AND ");
}

/// Which requests to list.
#[derive(Debug, Clone, Copy)]
pub struct ListQuery<'a> {
    /// Only these statuses; empty means any.
    pub statuses: &'a [Status],
    /// Only this request type.
    pub kind: Option<RequestType>,
    /// Only requests of this requester.
    pub requester: Option<&'a Principal>,
    /// Only numbers below this one.
    pub below: i64,
    /// Maximum number of requests.
    pub limit: i64,
}

/// One page of the list.
#[derive(Debug)]
pub struct Listed {
    /// The readable requests, newest first.
    pub rows: Vec<Loaded>,
    /// The number of rows on the page, including unreadable ones.
    pub looked_at: usize,
    /// The lowest number on the page, including unreadable rows; the next page is below it.
    pub last: Option<i64>,
}

impl Tx {
    /// The readable requests of one page with their decisions, newest first.
    pub async fn list(
        &mut self,
        query: ListQuery<'_>,
        payload: bool,
    ) -> Result<Vec<Loaded>, StoreError> {
        Ok(self.list_page(query, payload).await?.rows)
    }

    /// One page with its decisions, newest first, and where it ends.
    pub async fn list_page(
        &mut self,
        query: ListQuery<'_>,
        payload: bool,
    ) -> Result<Listed, StoreError> {
        let mut keys = Vec::new();
        if query.statuses.is_empty() {
            keys = self.keys(query, None).await?;
        }
        for status in query.statuses {
            keys.extend(self.keys(query, Some(*status)).await?);
        }
        keys.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
        keys.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        let (looked_at, last) = (keys.len(), keys.last().map(|(_, number)| *number));
        let keys: Vec<String> = keys.into_iter().map(|(key, _)| key).collect();
        let text = on!(
            self,
            dialect::READ_ROWS_SQLITE,
            dialect::READ_REQUESTS_POSTGRES
        );
        let mut rows = self.read_requests(text, &Keys::of(&keys), payload).await?;
        rows.sort_by_key(|one| std::cmp::Reverse(one.request.number));
        Ok(Listed {
            rows,
            looked_at,
            last,
        })
    }

    async fn keys(
        &mut self,
        query: ListQuery<'_>,
        status: Option<Status>,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let status = status.map(Status::as_str);
        let kind = query.kind.map(RequestType::as_str);
        let requester = query.requester.map(ToString::to_string);
        let text = match (&requester, status, kind) {
            (Some(_), _, _) => on!(self, LIST_BY_REQUESTER_SQLITE, LIST_BY_REQUESTER_POSTGRES),
            (None, None, None) => on!(self, LIST_SQLITE, LIST_POSTGRES),
            (None, None, Some(_)) => on!(self, LIST_BY_KIND_SQLITE, LIST_BY_KIND_POSTGRES),
            (None, Some(_), None) => on!(self, LIST_BY_STATUS_SQLITE, LIST_BY_STATUS_POSTGRES),
            (None, Some(_), Some(_)) => on!(
                self,
                LIST_BY_STATUS_AND_KIND_SQLITE,
                LIST_BY_STATUS_AND_KIND_POSTGRES
            ),
        };
        on_db!(self, |c| {
            let mut list = sqlx::query_as(text).bind(query.below).bind(query.limit);
            if let Some(requester) = &requester {
                list = list.bind(requester).bind(status).bind(kind);
            } else {
                for word in [status, kind].into_iter().flatten() {
                    list = list.bind(word);
                }
            }
            list.fetch_all(c).await
        })
    }
}
