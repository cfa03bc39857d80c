//! The queue: filters, search and paging. Everything is in the address, so that a page can be bookmarked and works without JavaScript.

use crate::app::{ListFilter, Page};
use crate::domain::action::RequestType;
use crate::domain::id::{ClusterId, EnvironmentId, ProjectId};
use crate::domain::request::Status;
use crate::domain::request_details::RequestDetails;
use crate::web::Web;
use crate::web::access::Visitor;
use crate::web::failure::Failure;
use crate::web::page::{Shell, render};
use crate::web::words::{self, Moment};
use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::{Deserialize, Serialize};

/// Requests of one page.
const PAGE_SIZE: u32 = 25;
/// The longest search, in characters.
const LONGEST_SEARCH: usize = 200;

/// The filters, as they stand in the address. Blank means any.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(in crate::web) struct Filters {
    state: String,
    #[serde(rename = "type")]
    kind: String,
    project: String,
    cluster: String,
    environment: String,
    q: String,
    mine: String,
    #[serde(skip_serializing)]
    after: String,
}

/// One filter with its options.
struct Choice {
    name: &'static str,
    label: &'static str,
    any: &'static str,
    options: Vec<Opt>,
}

struct Opt {
    value: String,
    text: String,
    is_chosen: bool,
}

struct Row {
    number: i64,
    action: String,
    risk: &'static str,
    requester: String,
    target: String,
    asked: Moment,
    status: &'static str,
    sign: &'static str,
    tone: &'static str,
    progress: String,
    waits_for_you: bool,
}

#[derive(Template)]
#[template(path = "approvals.html", config = "src/web/askama.toml")]
struct ListPage {
    shell: Shell,
    filters: Filters,
    choices: Vec<Choice>,
    rows: Vec<Row>,
    next: Option<String>,
    is_first: bool,
}

/// `GET /approvals`
pub(in crate::web) async fn show(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Query(filters): Query<Filters>,
) -> Result<Response, Failure> {
    if let Some(number) = number_in(&filters.q) {
        return Ok(Redirect::to(&format!("/approvals/{number}")).into_response());
    }
    let page = web.app.list(filters.to_filter(&visitor)).await?;
    let next = page.next.clone().map(|after| filters.address_after(&after));
    Ok(render(&ListPage {
        shell: Shell::of(&visitor, "approvals"),
        choices: choices(&filters, &visitor),
        rows: rows(&page, &visitor),
        is_first: filters.after.is_empty(),
        next,
        filters,
    }))
}

/// `#42` or `42` is a request's number.
fn number_in(search: &str) -> Option<i64> {
    let digits = search.trim().trim_start_matches('#');
    digits.parse().ok().filter(|number| *number > 0)
}

impl Filters {
    /// Without a state, the queue shows what is pending; an unknown word shows nothing else.
    fn statuses(&self) -> Vec<Status> {
        match self.state.as_str() {
            "all" => Vec::new(),
            word => vec![word.parse().unwrap_or(Status::Pending)],
        }
    }

    fn to_filter(&self, visitor: &Visitor) -> ListFilter {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let search: String = self.q.trim().chars().take(LONGEST_SEARCH).collect();
        let kind = RequestType::ALL
            .into_iter()
            .find(|kind| kind.as_str() == self.kind);
        ListFilter {
            statuses: self.statuses(),
            kind,
            can_approve: (!self.mine.is_empty()).then(|| visitor.person().clone()),
            requester: None,
            project: given(&self.project).map(ProjectId::new),
            cluster: given(&self.cluster).map(ClusterId::new),
            environment: given(&self.environment).map(EnvironmentId::new),
            search: given(&search),
            cursor: given(&self.after),
            limit: PAGE_SIZE,
            without_payloads: true,
        }
    }

    fn address_after(&self, after: &str) -> String {
        let own = serde_urlencoded::to_string(self).unwrap_or_default();
        format!("/approvals?{own}&after={after}")
    }
}

fn choices(filters: &Filters, visitor: &Visitor) -> Vec<Choice> {
    let resources = &visitor.signed_in.config.document().resources;
    let options = |words: Vec<String>, chosen: &str| -> Vec<Opt> {
        let option = |value: String| Opt {
            text: value.clone(),
            is_chosen: value == chosen,
            value,
        };
        words.into_iter().map(option).collect()
    };
    let names = |all: &mut dyn Iterator<Item = &str>| all.map(str::to_owned).collect::<Vec<_>>();
    let mut states = names(&mut Status::ALL.iter().skip(1).map(|status| status.as_str()));
    states.push("all".to_owned());
    vec![
        Choice {
            name: "state",
            label: "State",
            any: "pending",
            options: options(states, &filters.state),
        },
        Choice {
            name: "type",
            label: "Type",
            any: "any",
            options: options(
                names(&mut RequestType::ALL.iter().map(|kind| kind.as_str())),
                &filters.kind,
            ),
        },
        Choice {
            name: "project",
            label: "Project",
            any: "any",
            options: options(
                names(&mut resources.projects.iter().map(AsRef::as_ref)),
                &filters.project,
            ),
        },
        Choice {
            name: "cluster",
            label: "Cluster",
            any: "any",
            options: options(
                names(&mut resources.clusters.iter().map(|cluster| cluster.id.as_str())),
                &filters.cluster,
            ),
        },
        Choice {
            name: "environment",
            label: "Environment",
            any: "any",
            options: options(
                names(&mut resources.environments.iter().map(AsRef::as_ref)),
                &filters.environment,
            ),
        },
    ]
}

fn rows(page: &Page, visitor: &Visitor) -> Vec<Row> {
    let directory = visitor.signed_in.config.directory();
    let row = |shown: &RequestDetails| {
        let request = &shown.request;
        Row {
            number: request.number,
            action: shown.action.name.clone(),
            risk: words::risk(shown.action.risk),
            requester: shown.who(&request.requester).into_owned(),
            target: request.target.to_string(),
            asked: Moment::of(request.created_at),
            status: words::status(&request.state),
            sign: words::sign(&request.state),
            tone: words::tone(&request.state),
            progress: words::progress(shown),
            waits_for_you: shown.waits_for(visitor.person(), directory),
        }
    };
    page.items.iter().map(row).collect()
}
