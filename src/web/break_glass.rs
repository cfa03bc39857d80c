//! `/break-glass`: sessions, a start, an early end, and the review. Who may do what, the use cases decide.

use super::access::Visitor;
use super::failure::Failure;
use super::fields::Fields;
use super::page::{Shell, render};
use super::words::Moment;
use super::{Web, once};
use crate::app::Started;
use crate::domain::action::must_be_named;
use crate::domain::break_glass::{SessionAsk, SessionDetails, SessionState, SessionStatus};
use crate::domain::id::SessionId;
use crate::domain::principal::Principal;
use crate::domain::time::Span;
use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

/// Sessions of one page.
const PAGE_SIZE: u32 = 20;
/// The page of the sessions.
const PAGE: &str = "/break-glass";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    after: String,
}

/// A session in the words of its page.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one question that the page asks"
)]
struct SessionView {
    id: String,
    initiator: String,
    reason: String,
    scope: String,
    responders: String,
    status: SessionStatus,
    is_active: bool,
    from: Option<Moment>,
    until: Option<Moment>,
    ended_by: Option<String>,
    request: Option<i64>,
    uses: Vec<UseView>,
    review: Option<(String, String, Moment)>,
    owes_review: bool,
    may_end: bool,
    may_review: bool,
}

struct UseView {
    number: i64,
    action: String,
    target: String,
    by: String,
    at: Moment,
    status: &'static str,
}

/// What the form of a start offers.
struct StartForm {
    once: String,
    actions: Vec<(String, String)>,
    clusters: Vec<String>,
    environments: Vec<String>,
    projects: Vec<String>,
    shortest: String,
    longest: String,
}

#[derive(Template)]
#[template(path = "break-glass.html", config = "src/web/askama.toml")]
struct BreakGlassPage {
    shell: Shell,
    sessions: Vec<SessionView>,
    form: Option<StartForm>,
    why_not: String,
    next: Option<String>,
}

/// `GET /break-glass`
pub(super) async fn list(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Query(wish): Query<Wish>,
) -> Result<Response, Failure> {
    let after = wish.after.parse::<SessionId>().ok();
    let page = web
        .app
        .sessions(after.as_ref().map(SessionId::as_str), PAGE_SIZE);
    let page = page.await?;
    let (form, why_not) = match visitor.signed_in.config.may_start(visitor.person()) {
        Ok(settings) => {
            let bounds = (settings.min_duration, settings.max_duration);
            (Some(start_form(&visitor, bounds)?), String::new())
        }
        Err(refusal) => (None, refusal.detail()),
    };
    Ok(render(&BreakGlassPage {
        shell: Shell::of(&visitor, "break-glass"),
        sessions: page.items.iter().map(|one| view(one, &visitor)).collect(),
        form,
        why_not,
        next: page.next.map(|after| format!("{PAGE}?after={after}")),
    }))
}

fn start_form(visitor: &Visitor, (shortest, longest): (Span, Span)) -> Result<StartForm, Failure> {
    let config = &visitor.signed_in.config;
    let resources = &config.document().resources;
    let groups =
        ["cluster", "project"].map(|group| (group.to_owned(), format!("every {group} action")));
    let covered = config
        .actions()
        .iter()
        .filter(|action| !must_be_named(&action.id));
    let covered = covered.map(|action| (action.id.to_string(), action.name.clone()));
    Ok(StartForm {
        once: once::fresh()?,
        actions: groups.into_iter().chain(covered).collect(),
        clusters: resources
            .clusters
            .iter()
            .map(|one| one.id.to_string())
            .collect(),
        environments: resources
            .environments
            .iter()
            .map(ToString::to_string)
            .collect(),
        projects: resources.projects.iter().map(ToString::to_string).collect(),
        shortest: shortest.to_string(),
        longest: longest.to_string(),
    })
}

fn view(shown: &SessionDetails, visitor: &Visitor) -> SessionView {
    let session = &shown.session;
    let config = &visitor.signed_in.config;
    let ran = session.state.ran();
    let review = match &session.state {
        SessionState::Reviewed { review, .. } => Some((
            shown.name_of(&review.by),
            review.note.clone(),
            Moment::of(review.at),
        )),
        SessionState::Pending
        | SessionState::NotStarted(_)
        | SessionState::Active { .. }
        | SessionState::Ended { .. } => None,
    };
    let status = session.state.status();
    let is_active = status == SessionStatus::Active;
    let responders = session.responders.iter().map(|one| shown.name(one));
    let ended_by = session
        .state
        .ended_by()
        .map(|by| match Principal::try_from(by.clone()) {
            Ok(principal) => shown.name(&principal),
            Err(_) => by,
        });
    SessionView {
        id: session.id.to_string(),
        initiator: shown.name_of(&session.initiator),
        reason: session.reason.clone(),
        scope: session.scope.to_string(),
        responders: responders.collect::<Vec<_>>().join(", "),
        status,
        is_active,
        from: ran.map(|(from, _)| Moment::of(from)),
        until: ran.map(|(_, until)| Moment::of(until)),
        ended_by,
        request: session.request.as_ref().map(|asked| asked.number),
        uses: shown.uses.iter().map(|one| use_view(shown, one)).collect(),
        review,
        owes_review: session.state.owes_review(),
        may_end: is_active
            && config
                .check_revoke(session, &visitor.caller().principal)
                .is_ok(),
        may_review: session.state.owes_review()
            && (config.check_review(session, &shown.involved(), visitor.person())).is_ok(),
    }
}

fn use_view(shown: &SessionDetails, one: &crate::domain::break_glass::SessionUse) -> UseView {
    UseView {
        number: one.number,
        action: one.action.to_string(),
        target: one.target.to_string(),
        by: shown.name(&one.by),
        at: Moment::of(one.at),
        status: one.status.as_str(),
    }
}

/// `POST /break-glass/start`
pub(super) async fn start(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Failure> {
    let duration = fields.get("duration").map(str::parse::<Span>).transpose();
    let duration = duration.map_err(|why| back(unfit(&why)))?;
    let within = |name: &str| Some(fields.all(name)).filter(|names| !names.is_empty());
    let words = |text: &str| {
        text.split([' ', ','])
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let ask = SessionAsk {
        reason: fields.get("reason").unwrap_or_default().to_owned(),
        actions: fields.all("action"),
        projects: within("project"),
        clusters: within("cluster"),
        environments: within("environment"),
        duration,
        responders: fields.get("responders").map(words).unwrap_or_default(),
    };
    let key = once::key(&visitor, &fields).ok_or_else(|| back(unfit("Open the page again.")))?;
    let started = web
        .app
        .start_session(&visitor.caller(), ask, Some(key))
        .await;
    let Started { request, .. } = started.map_err(|error| back(error.into()))?;
    let to = request.map_or(PAGE.to_owned(), |shown| {
        format!("/approvals/{}", shown.request.number)
    });
    Ok(Redirect::to(&to).into_response())
}

/// `POST /break-glass/{id}/revoke`
pub(super) async fn revoke(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id: SessionId = id.parse().map_err(|_| Failure::no_page())?;
    let revoked = web.app.revoke_session(&visitor.caller(), &id, None).await;
    revoked.map_err(|error| back(error.into()))?;
    Ok(Redirect::to(PAGE).into_response())
}

/// `POST /break-glass/{id}/review`
pub(super) async fn review(
    State(web): State<Web>,
    Extension(visitor): Extension<Visitor>,
    Extension(fields): Extension<Fields>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let id: SessionId = id.parse().map_err(|_| Failure::no_page())?;
    let note = fields.get("note").unwrap_or_default();
    let reviewed = web
        .app
        .review_session(&visitor.caller(), &id, note, None)
        .await;
    reviewed.map_err(|error| back(error.into()))?;
    Ok(Redirect::to(PAGE).into_response())
}

fn unfit(why: &str) -> Failure {
    let detail = format!("No session was started. {why}");
    Failure::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "This start is incomplete",
        detail,
    )
}

fn back(failure: Failure) -> Failure {
    failure.leading_to(PAGE, "Back to break-glass")
}
