//! What another configuration would have done with past requests. Nothing is stored.

use super::{App, AppError, canonicalize_people};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::ConfigDocument;
use crate::domain::refusal::Refusal;
use crate::domain::replay::{Replayed, replay};
use crate::domain::request::Request;
use crate::domain::time::{Span, Timestamp};
use crate::store::{ListQuery, Loaded, Tx};
use std::collections::BTreeMap;

/// How many requests one call evaluates.
const PAGE_SIZE: i64 = 200;

/// Some requests of the window, newest first, under a draft.
#[derive(Debug)]
pub struct ReplayPage {
    /// Where the window begins.
    pub since: Timestamp,
    /// Each request that was evaluated.
    pub items: Vec<(Request, Replayed)>,
    /// The number below which the next page begins; `None` at the end of the window.
    pub next: Option<i64>,
}

impl App {
    /// Evaluates past requests under a draft: those created within the last `window` with a number below `below`.
    pub async fn replay(
        &self,
        document: ConfigDocument,
        window: Span,
        below: Option<i64>,
    ) -> Result<ReplayPage, AppError> {
        let since = Timestamp(self.now().0.saturating_sub(window.0));
        let mut tx = self.0.db.read().await?;
        let versions = tx.config_versions().await?;
        let in_force = self.compiled_config_at(&mut tx, versions).await?;
        let slack_directory = in_force.slack_directory().clone();
        let draft = CompiledConfig::compile_with(0, document, &BTreeMap::new(), slack_directory)
            .map_err(Refusal::Invalid)?;
        let query = ListQuery {
            statuses: &[],
            kind: None,
            requester: None,
            below: below.unwrap_or(i64::MAX),
            limit: PAGE_SIZE,
        };
        let page = tx.list_page(query, false).await?;
        let is_full = i64::try_from(page.looked_at).unwrap_or(i64::MAX) == PAGE_SIZE;
        let oldest = page.rows.last().map(|loaded| loaded.request.created_at);
        let next = page
            .last
            .filter(|_| is_full && oldest.is_none_or(|oldest| oldest >= since));
        let rows = with_session_starts(&mut tx, page.rows, since).await?;
        let evaluate = |loaded: Loaded| {
            let request = canonicalize_people(loaded, draft.directory()).request;
            let replayed = replay(&in_force, &draft, &request);
            (request, replayed)
        };
        Ok(ReplayPage {
            since,
            items: rows.into_iter().map(evaluate).collect(),
            next,
        })
    }
}

/// The requests of the window. Which policies gate the start of a break-glass session depends on its payload; no other payload is read.
async fn with_session_starts(
    tx: &mut Tx,
    mut rows: Vec<Loaded>,
    since: Timestamp,
) -> Result<Vec<Loaded>, AppError> {
    rows.retain(|loaded| loaded.request.created_at >= since);
    let (mut starts, mut others): (Vec<Loaded>, Vec<Loaded>) = rows
        .into_iter()
        .partition(|loaded| loaded.request.effect().is_some());
    tx.read_payloads(&mut starts).await?;
    others.append(&mut starts);
    others.sort_by_key(|loaded| std::cmp::Reverse(loaded.request.number));
    Ok(others)
}
