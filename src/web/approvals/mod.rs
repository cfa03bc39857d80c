//! `/approvals`: the queue, the page of one request, and the decision.

mod content;
pub(super) mod decision;
pub(super) mod list;
pub(super) mod view;

use super::Web;
use super::access::Visitor;
use super::failure::Failure;
use super::page::{Shell, render};
use crate::app::RequestRef;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use std::collections::BTreeSet;
use view::RequestView;

/// Most parts that an address can list as opened.
const MOST_PARTS: usize = 200;

#[derive(Template)]
#[template(path = "request.html", config = "src/web/askama.toml")]
struct RequestPage {
    shell: Shell,
    view: RequestView,
}

/// Which part of what runs is open, and which parts were opened before. It comes from the address, so it is recorded and never believed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    part: String,
    seen: String,
}

impl Place {
    fn part(&self) -> usize {
        self.part.parse().unwrap_or(1)
    }

    /// The same after this part was opened.
    fn with(&self, part: usize) -> Self {
        let mut seen = parts_seen(&self.seen);
        seen.extend(u32::try_from(part));
        let seen: Vec<String> = seen.iter().map(ToString::to_string).collect();
        Self {
            part: part.to_string(),
            seen: seen.join(","),
        }
    }
}

/// The numbers in `1,2,5`.
fn parts_seen(text: &str) -> BTreeSet<u32> {
    let numbers = text.split(',').filter_map(|number| number.parse().ok());
    numbers.take(MOST_PARTS).collect()
}

/// `GET /approvals/{number}`
pub(super) async fn show(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
    Query(place): Query<Place>,
) -> Result<Response, Failure> {
    let number = number_of(&number)?;
    let shown = web.app.show(&RequestRef::Number(number)).await;
    let shown = shown.map_err(|error| back_to_list(error.into()))?;
    Ok(render(&RequestPage {
        shell: Shell::of(&visitor, "approvals"),
        view: RequestView::of(&shown, &visitor, &place, web.app.now()),
    }))
}

fn number_of(text: &str) -> Result<i64, Failure> {
    text.parse().map_err(|_| Failure::no_page())
}

fn back_to_list(failure: Failure) -> Failure {
    failure.leading_to("/approvals", "Open the approvals")
}
