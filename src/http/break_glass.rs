//! Break-glass sessions: start, list, end early, review (docs/decisions.md D27, D38).

use super::Api;
use super::access::{Allowed, EndSession, ReadRequests, ReviewSession, StartSession};
use super::body::{self, Call, Params, sent};
use super::problem::Problem;
use super::view::Who;
use crate::app::Started;
use crate::domain::break_glass::{SessionAsk, SessionDetails, SessionScope, SessionState};
use crate::domain::id::SessionId;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Span, Timestamp};
use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"reason": "checkout is down", "duration": "1h", "responders": ["dan", "service:ci"],
    "scope": {"actions": ["cluster.restart"], "clusters": ["prod-eu-1"]}}))]
pub struct StartBody {
    /// Why, in a few words that everybody will read.
    reason: String,
    /// What it covers.
    scope: ScopeBody,
    /// How long, within the configured bounds; the shortest when left out.
    #[schema(example = "1h")]
    duration: Option<String>,
    /// Who may act under it: people by id, services as `service:ci`; you alone when left out.
    #[serde(default)]
    responders: Vec<String>,
}

/// What a session covers: every field must fit, and one that is left out does not restrict.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScopeBody {
    /// Action ids, and the groups `project` and `cluster`.
    actions: Vec<String>,
    /// Only these projects.
    projects: Option<Vec<String>>,
    /// Only these clusters.
    clusters: Option<Vec<String>>,
    /// Only these environments.
    environments: Option<Vec<String>>,
}

impl StartBody {
    fn ask(self) -> Result<SessionAsk, Problem> {
        body::text("reason", Some(&self.reason))?;
        let duration = self.duration.as_deref().map(str::parse::<Span>);
        Ok(SessionAsk {
            reason: self.reason,
            actions: self.scope.actions,
            projects: self.scope.projects,
            clusters: self.scope.clusters,
            environments: self.scope.environments,
            duration: duration
                .transpose()
                .map_err(|why| Problem::unfit("invalid_body", &format!("`duration`: {why}.")))?,
            responders: self.responders,
        })
    }
}

/// A break-glass session.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Its id.
    #[schema(example = "bg_01k8f3t2v6f8j9m0p1q2r3s4t5")]
    pub id: String,
    /// `pending`, `active`, `ended` or `reviewed`.
    #[schema(example = "active")]
    pub status: String,
    /// Who started it, or asked to.
    pub initiator: Who,
    /// The justification.
    pub reason: String,
    /// What it covers.
    #[schema(value_type = serde_json::Value)]
    pub scope: SessionScope,
    /// Who may act under it.
    pub responders: Vec<Who>,
    /// How long it was to last.
    #[schema(example = "1h")]
    pub duration: String,
    /// When it began; `null` for one that never did.
    pub starts_at: Option<String>,
    /// When it ends or ended.
    pub ends_at: Option<String>,
    /// `time`, who revoked it, or what became of the request for it.
    pub ended_by: Option<String>,
    /// The request that asks for it, where policies gate the start.
    pub request: Option<AskedView>,
    /// What was let past policies under it, oldest first.
    pub uses: Vec<UseView>,
    /// What somebody found who looked into it.
    pub review: Option<ReviewView>,
    /// Whether somebody still has to look into it.
    pub review_owed: bool,
}

/// The request that carries a gated start.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AskedView {
    /// Its id.
    pub id: String,
    /// Its number.
    pub number: i64,
}

/// One request that went past policies.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UseView {
    /// Its id.
    pub request: String,
    /// Its number.
    pub number: i64,
    /// The action's id.
    pub action: String,
    /// On what.
    #[schema(value_type = serde_json::Value)]
    pub target: crate::domain::target::Target,
    /// The responder.
    pub by: Who,
    /// For whom.
    pub requester: Who,
    /// When.
    pub at: String,
    /// Where the request stands.
    pub status: String,
    /// How it ended, once that was reported.
    pub outcome: Option<String>,
}

/// A review.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReviewView {
    /// Whose.
    pub by: Who,
    /// What they found.
    pub note: String,
    /// When.
    pub at: String,
}

impl SessionView {
    /// A session as the API shows it.
    pub fn of(shown: &SessionDetails) -> Self {
        let session = &shown.session;
        let ran = session.state.ran();
        let person = |id| who(shown, &Principal::Person(id));
        let review = match &session.state {
            SessionState::Reviewed { review, .. } => Some(ReviewView {
                by: person(review.by.clone()),
                note: review.note.clone(),
                at: review.at.rfc3339(),
            }),
            SessionState::Pending
            | SessionState::NotStarted(_)
            | SessionState::Active { .. }
            | SessionState::Ended { .. } => None,
        };
        Self {
            id: session.id.to_string(),
            status: session.state.status().to_string(),
            initiator: person(session.initiator.clone()),
            reason: session.reason.clone(),
            scope: session.scope.clone(),
            responders: session
                .responders
                .iter()
                .map(|one| who(shown, one))
                .collect(),
            duration: session.duration.to_string(),
            starts_at: ran.map(|(from, _)| from).map(Timestamp::rfc3339),
            ends_at: ran.map(|(_, end)| end).map(Timestamp::rfc3339),
            ended_by: session.state.ended_by(),
            request: session.request.as_ref().map(|asked| AskedView {
                id: asked.id.to_string(),
                number: asked.number,
            }),
            uses: shown.uses.iter().map(|one| use_view(shown, one)).collect(),
            review,
            review_owed: session.state.owes_review(),
        }
    }
}

fn use_view(shown: &SessionDetails, one: &crate::domain::break_glass::SessionUse) -> UseView {
    UseView {
        request: one.request.to_string(),
        number: one.number,
        action: one.action.to_string(),
        target: one.target.clone(),
        by: who(shown, &one.by),
        requester: who(shown, &one.requester),
        at: one.at.rfc3339(),
        status: one.status.to_string(),
        outcome: one.outcome.map(|outcome| outcome.as_str().to_owned()),
    }
}

fn who(shown: &SessionDetails, principal: &Principal) -> Who {
    Who {
        id: match principal {
            Principal::Person(id) => id.as_str().to_owned(),
            other @ (Principal::Service(_) | Principal::Operator | Principal::Bot) => {
                other.to_string()
            }
        },
        name: shown.name(principal),
    }
}

/// The session that a path names; what is no id is a session that does not exist.
pub(super) struct Named(SessionId);

impl FromRequestParts<Api> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let not_found = || Problem::from(Refusal::NoSession);
        let path = Path::<String>::from_request_parts(parts, api).await;
        let Path(text) = path.map_err(|_| not_found())?;
        text.parse().map(Self).map_err(|_| not_found())
    }
}

/// Start a break-glass session
///
/// For the people whom the configuration allows. Where policies gate the start it is pending (202) until they are satisfied.
#[utoipa::path(post, path = "/v1/break-glass", tag = "break-glass", request_body = StartBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated call have effect once, for 7 days")),
    responses((status = 201, description = "It is active", body = SessionView),
        (status = 202, description = "It waits for the approval of its `request`", body = SessionView)))]
pub(super) async fn start(
    allowed: Allowed<StartSession>,
    State(api): State<Api>,
    call: Call<StartBody>,
) -> Result<Response, Problem> {
    let once = call.once(&allowed.caller);
    let ask = call.body.ask()?;
    let Started { session, request } = api.app.start_session(&allowed.caller, ask, once).await?;
    let view = SessionView::of(&session);
    let (status, location) = match request {
        None => (StatusCode::CREATED, format!("/v1/break-glass/{}", view.id)),
        Some(shown) => (
            StatusCode::ACCEPTED,
            format!("/v1/requests/{}", shown.request.id),
        ),
    };
    Ok((status, [(LOCATION, location)], Json(view)).into_response())
}

/// Which sessions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// One page of sessions, newest first.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionList {
    /// The sessions.
    pub items: Vec<SessionView>,
    /// Where the next page begins; `null` at the end.
    pub next_cursor: Option<String>,
}

/// The break-glass sessions
#[utoipa::path(get, path = "/v1/break-glass", tag = "break-glass", params(ListQuery),
    responses((status = 200, description = "A page, newest first", body = SessionList)))]
pub(super) async fn list(
    _: Allowed<ReadRequests>,
    State(api): State<Api>,
    Params(query): Params<ListQuery>,
) -> Result<Json<SessionList>, Problem> {
    let unfit = |detail: &str| Problem::unfit("invalid_query", detail);
    let limit = query.limit.unwrap_or(20);
    if !(1..=100).contains(&limit) {
        let why = format!("`limit={limit}`: expected a number from 1 to 100.");
        return Err(unfit(&why));
    }
    let cursor: Option<Result<SessionId, _>> = query.cursor.as_deref().map(str::parse);
    let cursor = cursor.transpose().map_err(|_| {
        let cursor = sent(query.cursor.as_deref().unwrap_or_default());
        unfit(&format!(
            "`cursor={cursor}`: expected the `nextCursor` of a page."
        ))
    })?;
    let page = api
        .app
        .sessions(cursor.as_ref().map(SessionId::as_str), limit)
        .await?;
    Ok(Json(SessionList {
        items: page.items.iter().map(SessionView::of).collect(),
        next_cursor: page.next,
    }))
}

/// One break-glass session
#[utoipa::path(get, path = "/v1/break-glass/{id}", tag = "break-glass",
    params(("id" = String, Path, description = "The session's id")),
    responses((status = 200, description = "The session", body = SessionView)))]
pub(super) async fn read(
    _: Allowed<ReadRequests>,
    State(api): State<Api>,
    Named(id): Named,
) -> Result<Json<SessionView>, Problem> {
    Ok(Json(SessionView::of(&api.app.session(&id).await?)))
}

/// Nothing needs to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeBody {}

/// End a session before its time
///
/// For its initiator, its responders and administrators. Nothing is usable from then on.
#[utoipa::path(post, path = "/v1/break-glass/{id}/revoke", tag = "break-glass", request_body = Option<RevokeBody>,
    params(("id" = String, Path, description = "The session's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated call have effect once, for 7 days")),
    responses((status = 200, description = "The session, ended", body = SessionView)))]
pub(super) async fn revoke(
    allowed: Allowed<EndSession>,
    State(api): State<Api>,
    Named(id): Named,
    call: Call<RevokeBody>,
) -> Result<Json<SessionView>, Problem> {
    let once = call.once(&allowed.caller);
    let RevokeBody {} = call.body;
    let shown = api.app.revoke_session(&allowed.caller, &id, once).await?;
    Ok(Json(SessionView::of(&shown)))
}

/// What a reviewer found.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewBody {
    /// What you found, in at most 4,000 characters.
    note: String,
}

/// Mark a session that is over as reviewed
///
/// For people who took no part in it.
#[utoipa::path(post, path = "/v1/break-glass/{id}/review", tag = "break-glass", request_body = ReviewBody,
    params(("id" = String, Path, description = "The session's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated call have effect once, for 7 days")),
    responses((status = 200, description = "The session, reviewed", body = SessionView)))]
pub(super) async fn review(
    allowed: Allowed<ReviewSession>,
    State(api): State<Api>,
    Named(id): Named,
    call: Call<ReviewBody>,
) -> Result<Json<SessionView>, Problem> {
    let once = call.once(&allowed.caller);
    let note = &call.body.note;
    body::text("note", Some(note))?;
    let app = &api.app;
    let shown = app.review_session(&allowed.caller, &id, note, once).await?;
    Ok(Json(SessionView::of(&shown)))
}
