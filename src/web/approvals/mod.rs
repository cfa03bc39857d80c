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
use axum::extract::{Path, State};
use axum::response::Response;
use view::RequestView;

#[derive(Template)]
#[template(path = "request.html", config = "src/web/askama.toml")]
struct RequestPage {
    shell: Shell,
    view: RequestView,
}

/// `GET /approvals/{number}`
pub(super) async fn show(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
) -> Result<Response, Failure> {
    let number = number_of(&number)?;
    let shown = web.app.show(&RequestRef::Number(number)).await;
    let shown = shown.map_err(|error| back_to_list(error.into()))?;
    Ok(render(&RequestPage {
        shell: Shell::of(&visitor, "approvals"),
        view: RequestView::of(&shown, &visitor, web.app.now()),
    }))
}

fn number_of(text: &str) -> Result<i64, Failure> {
    text.parse().map_err(|_| Failure::no_page())
}

fn back_to_list(failure: Failure) -> Failure {
    failure.leading_to("/approvals", "Open the approvals")
}
