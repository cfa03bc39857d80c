//! Asking, the inbox, and one request with its long poll.

use super::Api;
use super::access::{Allowed, ReadRequests, WriteRequests};
use super::body::{self, Call, Named, Params};
use super::http_limits::LONGEST_WAIT;
use super::problem::Problem;
use super::view::{RequestView, Viewer};
use crate::app::ListFilter;
use crate::domain::action::RequestType;
use crate::domain::ask::Ask;
use crate::domain::digest::{Payload, canonical};
use crate::domain::id::PersonId;
use crate::domain::principal::Caller;
use crate::domain::request::Status;
use crate::domain::request_details::RequestDetails;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// The largest payload in canonical form, in bytes.
const LARGEST_PAYLOAD: usize = 1024 * 1024;
/// How many authors may be named.
const MOST_AUTHORS: usize = 100;

/// What to ask.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"action": "release.deploy", "project": "api-platform", "environment": "production",
    "release": "v1.4.2", "reason": "hotfix for checkout", "payload": {"image": "api@sha256:1f0c"}}))]
pub struct SubmitBody {
    /// The action's id.
    #[schema(example = "release.deploy")]
    pub action: String,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Why, in at most 4,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What would run or change: any JSON up to 1 MiB, without duplicate keys.
    #[schema(value_type = Option<serde_json::Value>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// For whom, by a token with `requests:act-for`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
    /// Who wrote what would run; they may not approve it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
    /// The id or number of a request that this one replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Where to send what happens to the request, as a webhook; it must lie under the URL of a configured webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
}

/// The longest `callbackUrl`; databases index it.
const LONGEST_URL: usize = 1_000;

impl SubmitBody {
    /// The ask in this body.
    pub(super) fn ask(self) -> Result<Ask, Problem> {
        self.check()?;
        let replaces = match self.replaces.as_deref().map(str::parse) {
            None => None,
            Some(Ok(request)) => Some(request),
            Some(Err(_)) => return Err(crate::domain::refusal::Refusal::NotFound.into()),
        };
        Ok(Ask {
            action: self.action,
            project: self.project,
            cluster: self.cluster,
            environment: self.environment,
            release: self.release,
            reason: self.reason,
            payload: self.payload,
            requester: self.requester.as_deref().map(PersonId::from),
            authors: self.authors,
            replaces,
            callback_url: self.callback_url,
            asked_in: None,
        })
    }

    fn check(&self) -> Result<(), Problem> {
        body::text("reason", self.reason.as_deref())?;
        let names = [
            ("action", Some(&self.action)),
            ("project", self.project.as_ref()),
            ("cluster", self.cluster.as_ref()),
            ("environment", self.environment.as_ref()),
            ("release", self.release.as_ref()),
            ("requester", self.requester.as_ref()),
        ];
        for (field, text) in names {
            body::check_name(field, text.map(String::as_str))?;
        }
        body::check_line("callbackUrl", self.callback_url.as_deref(), LONGEST_URL)?;
        for author in &self.authors {
            body::check_name("authors", Some(author))?;
        }
        if self.authors.len() > MOST_AUTHORS {
            return Err(Problem::unfit(
                "invalid_body",
                &format!(
                    "`authors` names {} people; at most {MOST_AUTHORS} are accepted.",
                    self.authors.len()
                ),
            ));
        }
        let Some(payload) = &self.payload else {
            return Ok(());
        };
        let size = canonical(&payload.0).map_or(usize::MAX, |text| text.len());
        if size > LARGEST_PAYLOAD {
            return Err(body::payload_refused(
                "The payload is larger than 1 MiB; send its digest and its location instead.",
            ));
        }
        Ok(())
    }
}

/// The request, which was just read, as this caller sees it.
pub(super) fn seen(
    api: &Api,
    caller: &Caller,
    shown: &RequestDetails,
) -> Result<RequestView, Problem> {
    let config = api.app.last_read_config();
    let directory = config.directory();
    Ok(RequestView::of(shown, Viewer { caller, directory })?)
}

/// Ask for something to be allowed
///
/// It is stored and waits for its approvers, or is allowed at once where no policy gates it. A request that breaks rules is not stored.
#[utoipa::path(post, path = "/v1/requests", tag = "requests", request_body = SubmitBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated call have effect once, for 7 days")),
    responses((status = 201, description = "The request", body = RequestView)))]
pub(super) async fn submit(
    allowed: Allowed<WriteRequests>,
    State(api): State<Api>,
    call: Call<SubmitBody>,
) -> Result<Response, Problem> {
    let once = call.once(&allowed.caller);
    let ask = call.body.ask()?;
    let submitted = api.app.submit(&allowed.caller, ask, once).await?;
    let view = seen(&api, &allowed.caller, &submitted.shown)?;
    let location = format!("/v1/requests/{}", view.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(view)).into_response())
}

/// Which requests to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// One or several, with commas between them; left out: every status.
    #[param(example = "pending")]
    status: Option<String>,
    /// The inbox's type.
    #[serde(rename = "type")]
    #[param(rename = "type", value_type = Option<String>, example = "release")]
    kind: Option<RequestType>,
    /// Only what this person could approve now.
    can_approve: Option<String>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

impl ListQuery {
    fn filter(self) -> Result<ListFilter, Problem> {
        let unfit = |detail: &str| Problem::unfit("invalid_query", detail);
        let statuses = self.status.as_deref().unwrap_or("");
        let statuses = statuses.split(',').filter(|word| !word.is_empty());
        let statuses: Result<Vec<Status>, Problem> = statuses.map(status).collect();
        let limit = self.limit.unwrap_or(20);
        if !(1..=100).contains(&limit) {
            let why = format!("`limit={limit}`: expected a number from 1 to 100.");
            return Err(unfit(&why));
        }
        // a mistyped cursor must not read as an empty inbox
        if let Some(cursor) = &self.cursor
            && cursor.parse::<i64>().is_err()
        {
            let cursor = body::sent(cursor);
            let why = format!("`cursor={cursor}`: expected the `nextCursor` of a page.");
            return Err(unfit(&why));
        }
        Ok(ListFilter {
            statuses: statuses?,
            kind: self.kind,
            can_approve: self.can_approve.map(PersonId::new),
            cursor: self.cursor,
            limit,
            without_payloads: true,
            ..ListFilter::default()
        })
    }
}

fn status(word: &str) -> Result<Status, Problem> {
    word.parse().map_err(|_: String| {
        let known = Status::ALL.map(Status::as_str).join(", ");
        let why = format!(
            "`status={}`: expected one or several of {known}, with commas between them.",
            body::sent(word)
        );
        Problem::unfit("invalid_query", &why)
    })
}

/// One page of requests, newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestPage {
    /// The requests, without their payloads; `GET /v1/requests/{id}` has the payload.
    pub items: Vec<RequestView>,
    /// Where the next page begins; `null` at the end.
    pub next_cursor: Option<String>,
}

/// The inbox
#[utoipa::path(get, path = "/v1/requests", tag = "requests", params(ListQuery),
    responses((status = 200, description = "A page, newest first", body = RequestPage)))]
pub(super) async fn list(
    allowed: Allowed<ReadRequests>,
    State(api): State<Api>,
    Params(query): Params<ListQuery>,
) -> Result<Json<RequestPage>, Problem> {
    let page = api.app.list(query.filter()?).await?;
    let config = api.app.compiled_config().await?;
    let viewer = Viewer {
        caller: &allowed.caller,
        directory: config.directory(),
    };
    let items = page.items.iter();
    Ok(Json(RequestPage {
        items: items
            .map(|shown| RequestView::in_list(shown, viewer))
            .collect(),
        next_cursor: page.next,
    }))
}

/// How long to wait for what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// Answer only when the request leaves `pending`, or after this long; at most 60s.
    #[param(example = "30s")]
    wait: Option<String>,
    /// With `wait`: answer also as soon as the request has a newer version than this.
    version: Option<i64>,
}

impl WaitQuery {
    fn patience(&self) -> Result<Option<Duration>, Problem> {
        let Some(text) = &self.wait else {
            return Ok(None);
        };
        let wait = humantime::parse_duration(text).map_err(|_| {
            Problem::unfit(
                "invalid_query",
                &format!(
                    "`wait={}`: expected a duration such as 30s, at most 60s.",
                    body::sent(text)
                ),
            )
        })?;
        Ok(Some(wait.min(LONGEST_WAIT)))
    }
}

/// One request
///
/// With `wait` it is a long poll.
#[utoipa::path(get, path = "/v1/requests/{id}", tag = "requests",
    params(("id" = String, Path, description = "The id or the number"), WaitQuery),
    responses((status = 200, description = "The request", body = RequestView)))]
pub(super) async fn read(
    allowed: Allowed<ReadRequests>,
    State(api): State<Api>,
    Named(request): Named,
    Params(query): Params<WaitQuery>,
) -> Result<Json<RequestView>, Problem> {
    let Some(patience) = query.patience()? else {
        let shown = api.app.show(&request).await?;
        return Ok(Json(seen(&api, &allowed.caller, &shown)?));
    };
    let shown = api.app.wait(&request, query.version, patience).await?;
    let allowed = api.app.in_turn(|| allowed.still(&api)).await?;
    Ok(Json(seen(&api, &allowed.caller, &shown)?))
}
