//! The inbox: requests by status, type, requester, and by who could approve them.

use super::{App, AppError};
use crate::domain::action::RequestType;
use crate::domain::id::{ClusterId, EnvironmentId, PersonId, ProjectId};
use crate::domain::people::{Directory, Person};
use crate::domain::principal::Principal;
use crate::domain::progress;
use crate::domain::request::{Request, Status};
use crate::domain::request_details::RequestDetails;
use crate::domain::time::Timestamp;
use crate::store::{ListQuery, Listed, Loaded, Tx};

/// Most requests that one question may look at while it searches for those that a person could approve.
const SCAN_LIMIT: usize = 1_000;
/// Most of them that are read at once.
const SCAN_BATCH_SIZE: usize = 250;

/// Which requests to list.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Any of these; empty means every status.
    pub statuses: Vec<Status>,
    /// Of this type.
    pub kind: Option<RequestType>,
    /// That this person could approve now.
    pub can_approve: Option<PersonId>,
    /// Asked for by this principal.
    pub requester: Option<Principal>,
    /// On this project.
    pub project: Option<ProjectId>,
    /// On this cluster.
    pub cluster: Option<ClusterId>,
    /// On this environment.
    pub environment: Option<EnvironmentId>,
    /// With these words in what people read of them, whatever their case.
    pub search: Option<String>,
    /// After this one, from a page's `next`.
    pub cursor: Option<String>,
    /// At most this many; 1 to 100.
    pub limit: u32,
    /// Without payloads: a page of them may have 100 MiB.
    pub without_payloads: bool,
}

/// One page of a list, newest first.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The requests.
    pub items: Vec<RequestDetails>,
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
        let version = tx.config_versions().await?;
        let config = self.compiled_config_at(&mut tx, version).await?;
        let person = filter.can_approve.as_ref();
        let person = person.map(|id| config.directory().person(id));
        let wanted = match person {
            // nothing waits for somebody who is nobody
            Some(None) => return Ok(Page::default()),
            other => Wanted {
                filter: &filter,
                person: other.flatten(),
                directory: config.directory(),
                now: self.now(),
            },
        };
        let Some(statuses) = wanted.statuses() else {
            return Ok(Page::default());
        };
        let (mut found, mut looked_at) = (Vec::new(), 0);
        let next = loop {
            let at_once = wanted.at_once(limit, looked_at);
            let page = wanted.rows(&mut tx, &statuses, below, at_once).await?;
            let full = page.looked_at == at_once;
            looked_at += page.looked_at;
            for loaded in page.rows {
                below = loaded.request.number;
                if wanted.has(&loaded) {
                    found.push(loaded);
                }
                if found.len() == limit {
                    break;
                }
            }
            if found.len() == limit {
                break Some(below);
            }
            // the last of the page may be one that cannot be read
            below = page.last.unwrap_or(below);
            if !full || looked_at >= SCAN_LIMIT {
                break full.then_some(below);
            }
        };
        if wanted.searches() && !filter.without_payloads {
            tx.read_payloads(&mut found).await?;
        }
        Ok(Page {
            items: self.show_loaded(&mut tx, found).await?,
            next: next.map(|below| below.to_string()),
        })
    }
}

impl App {
    /// The requests that somebody decided on last, newest decision first.
    pub async fn decided_by(
        &self,
        person: &PersonId,
        limit: u32,
    ) -> Result<Vec<RequestDetails>, AppError> {
        let mut tx = self.0.db.read().await?;
        let ids = tx.decided_by(person, i64::from(limit)).await?;
        self.show_all(&mut tx, &ids.iter().collect::<Vec<_>>())
            .await
    }
}

/// What the store cannot tell: what time has ended meanwhile, and who could approve.
struct Wanted<'a> {
    filter: &'a ListFilter,
    /// Who could approve.
    person: Option<&'a Person>,
    directory: &'a Directory,
    now: Timestamp,
}

impl Wanted<'_> {
    /// The statuses to look for; none where nothing can be found. Only what is pending waits for anybody.
    fn statuses(&self) -> Option<Vec<Status>> {
        let asked = &self.filter.statuses;
        if self.person.is_none() {
            return Some(asked.clone());
        }
        let pending = asked.is_empty() || asked.contains(&Status::Pending);
        pending.then(|| vec![Status::Pending])
    }

    /// Whether more is looked at than is shown.
    fn searches(&self) -> bool {
        let ListFilter {
            project,
            cluster,
            environment,
            search,
            ..
        } = self.filter;
        let on_target = project.is_some() || cluster.is_some() || environment.is_some();
        self.person.is_some() || on_target || search.is_some()
    }

    /// The next rows of the store, newest first. A search leaves their payloads out: those are read for what it found.
    async fn rows(
        &self,
        tx: &mut Tx,
        statuses: &[Status],
        below: i64,
        limit: usize,
    ) -> Result<Listed, AppError> {
        let query = ListQuery {
            statuses,
            kind: self.filter.kind,
            requester: self.filter.requester.as_ref(),
            below,
            limit: i64::try_from(limit).unwrap_or(100),
        };
        let payloads = !self.searches() && !self.filter.without_payloads;
        Ok(tx.list_page(query, payloads).await?)
    }

    /// Whoever searches looks at some more rows than are wanted, and the longer the search, at the more at once.
    fn at_once(&self, limit: usize, looked_at: usize) -> usize {
        if self.searches() {
            looked_at.clamp(2 * limit, SCAN_BATCH_SIZE)
        } else {
            limit
        }
    }

    fn has(&self, loaded: &Loaded) -> bool {
        let Request {
            state,
            gates,
            excluded,
            created_at,
            ..
        } = &loaded.request;
        let status = state.clone().at(self.now).status();
        let waits_for = |person: &Person| {
            // what they have given themselves since it was asked does not count
            let then = self.directory.person_as_of(&person.id, *created_at);
            status == Status::Pending
                && then.is_some_and(|then| {
                    progress::waits_for(gates, excluded, &loaded.decisions, &then)
                })
        };
        (self.filter.statuses.is_empty() || self.filter.statuses.contains(&status))
            && self.is_on_target(&loaded.request)
            && self.has_words(&loaded.request)
            && self.person.is_none_or(waits_for)
    }

    fn is_on_target(&self, request: &Request) -> bool {
        fn same<T: PartialEq>(wanted: Option<&T>, actual: Option<&T>) -> bool {
            wanted.is_none() || wanted == actual
        }
        let (filter, target) = (self.filter, &request.target);
        same(filter.project.as_ref(), target.project.as_ref())
            && same(filter.cluster.as_ref(), target.cluster.as_ref())
            && same(filter.environment.as_ref(), target.environment.as_ref())
    }

    /// Whether every word that is searched for occurs in what the list shows of the request, or in its reason.
    fn has_words(&self, request: &Request) -> bool {
        let Some(search) = &self.filter.search else {
            return true;
        };
        let mut requester = request.requester.clone();
        self.directory.recognise(&mut requester);
        let name = requester.person().map(|id| self.directory.name(id));
        let text = format!(
            "#{} {} {} {requester} {} {}",
            request.number,
            request.action,
            request.target,
            name.unwrap_or_default(),
            request.reason.as_deref().unwrap_or_default(),
        );
        let text = text.to_lowercase();
        let mut words = search.split_whitespace();
        words.all(|word| text.contains(&word.to_lowercase()))
    }
}
