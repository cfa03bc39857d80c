//! What is shown of a request, put together from its row, its votes, its timeline and the directory.

use super::{App, AppError, RequestRef, canonicalize_people, config};
use crate::domain::action::{Action, RequestType};
use crate::domain::break_glass::Session;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::{ActionGroup, Risk};
use crate::domain::id::{ChannelId, PersonId, RequestId};
use crate::domain::principal::Principal;
use crate::domain::progress;
use crate::domain::refusal::Refusal;
use crate::domain::request::{Request, Status};
use crate::domain::request_details::{
    PersonSummary, RequestDetails, SessionSummary, TimelineEvent,
};
use crate::domain::time::Timestamp;
use crate::domain::webhook::RequestMoment;
use crate::store::{Loaded, TimelineRow, Tx};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// So many of the people a request waits for are named; in a large company `anyone` may be everybody.
const WAITING_SHOWN: usize = 100;
/// Most events of one request's timeline.
const TIMELINE_EVENTS: usize = 200;
/// Most events of each timeline in a list.
const TIMELINE_EVENTS_IN_LISTS: usize = 50;

impl App {
    /// One request.
    pub async fn show(&self, request: &RequestRef) -> Result<RequestDetails, AppError> {
        let mut tx = self.0.db.read().await?;
        let id = resolve(&mut tx, request).await?;
        self.show_in(&mut tx, &id).await
    }

    /// Slack's id of the message that shows a request in a channel; none while it is not known.
    pub async fn card_ts(
        &self,
        request: &RequestId,
        channel: &ChannelId,
    ) -> Result<Option<String>, AppError> {
        Ok(self.0.db.read().await?.card_ts(request, channel).await?)
    }

    /// One request, as it is in this unit.
    pub(super) async fn show_in(
        &self,
        tx: &mut Tx,
        id: &RequestId,
    ) -> Result<RequestDetails, AppError> {
        let shown = self.show_all(tx, &[id]).await?.pop();
        shown.ok_or_else(|| self.absent(id).into())
    }

    /// Requests in the order of their ids as given; unknown ones are left out.
    pub(super) async fn show_all(
        &self,
        tx: &mut Tx,
        ids: &[&RequestId],
    ) -> Result<Vec<RequestDetails>, AppError> {
        let mut loaded: BTreeMap<RequestId, Loaded> = tx
            .requests(ids, true)
            .await?
            .into_iter()
            .map(|one| (one.request.id.clone(), one))
            .collect();
        let loaded = ids.iter().filter_map(|id| loaded.remove(*id)).collect();
        self.show_loaded(tx, loaded).await
    }

    /// Requests that this unit has read already, with their payloads.
    pub(super) async fn show_loaded(
        &self,
        tx: &mut Tx,
        loaded: Vec<Loaded>,
    ) -> Result<Vec<RequestDetails>, AppError> {
        let Some(version) = loaded.first().map(|one| one.config) else {
            return Ok(Vec::new());
        };
        let config = self.compiled_config_at(tx, version).await?;
        let ids: Vec<&RequestId> = loaded.iter().map(|one| &one.request.id).collect();
        let limit = if ids.len() == 1 {
            TIMELINE_EVENTS
        } else {
            TIMELINE_EVENTS_IN_LISTS
        };
        let mut timelines: BTreeMap<RequestId, Vec<TimelineEvent>> = BTreeMap::new();
        for row in tx.timeline(&ids, limit + 1).await? {
            timelines
                .entry(row.request.clone())
                .or_default()
                .push(timeline_event(row));
        }
        let now = self.now();
        let mut all = Vec::with_capacity(loaded.len());
        for one in loaded {
            let mut timeline = timelines.remove(&one.request.id).unwrap_or_default();
            let timeline_truncated = timeline.len() > limit;
            if timeline_truncated {
                timeline.drain(1..=timeline.len() - limit);
            }
            let session = match &one.request.session {
                Some(id) => tx
                    .readable_session(id, now)
                    .await?
                    .map(|session| cover(session.canonicalize_people(config.directory()), &config)),
                None => None,
            };
            let difference = config::difference(tx, &one.request, &config).await?;
            let page = self.page_of(&one.request, &config);
            all.push(RequestDetails {
                session,
                timeline_truncated,
                page,
                difference,
                ..shown(one, timeline, &config, now)
            });
        }
        Ok(all)
    }
}

/// The request as it was right after an event. Policies and names are those of today.
pub(super) fn as_of(
    mut shown: RequestDetails,
    moment: &RequestMoment,
    at: Timestamp,
) -> RequestDetails {
    let request = &mut shown.request;
    request.version = moment.version;
    request.state = moment.state.clone();
    request.decided_at = moment.decided_at;
    shown.timeline.retain(|event| event.at <= at);
    shown
}

fn timeline_event(row: TimelineRow) -> TimelineEvent {
    TimelineEvent {
        at: row.at,
        what: row.what,
        actor: row.actor,
        via: row.via,
        note: note(&row.detail),
    }
}

/// What somebody said, as an audit row keeps it.
pub(super) fn note(detail: &Value) -> Option<String> {
    let said = ["comment", "message", "reason", "why"];
    let note = said.iter().find_map(|key| detail.get(key)?.as_str());
    note.map(str::to_owned)
}

/// Puts together what is shown; what time has ended reads as expired.
pub(super) fn shown(
    loaded: Loaded,
    timeline: Vec<TimelineEvent>,
    config: &CompiledConfig,
    now: Timestamp,
) -> RequestDetails {
    let Loaded {
        mut request,
        decisions,
        ..
    } = canonicalize_people(loaded, config.directory());
    request.state = request.state.at(now);
    let directory = config.directory();
    let then = directory.as_of(request.created_at);
    let waiting = match request.state.status() {
        Status::Pending => {
            progress::waiting_for(&request.gates, &request.excluded, &decisions, &then)
        }
        _ => Vec::new(),
    };
    let waiting_for: Vec<PersonId> = waiting
        .iter()
        .take(WAITING_SHOWN)
        .map(|person| person.id.clone())
        .collect();
    let everybody: BTreeSet<&PersonId> = [&request.requester, &request.submitted_by]
        .into_iter()
        .chain(timeline.iter().map(|event| &event.actor))
        .filter_map(Principal::person)
        .chain(decisions.iter().map(|decision| &decision.by))
        .chain(&request.authors)
        .chain(request.excluded.0.keys())
        .chain(&waiting_for)
        .collect();
    let people = everybody
        .into_iter()
        .filter_map(|id| directory.person(id))
        .map(|person| {
            (
                person.id.clone(),
                PersonSummary {
                    name: person.name.clone(),
                    slack: person.slack.clone(),
                },
            )
        })
        .collect();
    RequestDetails {
        action: config
            .action(&request.action)
            .cloned()
            .unwrap_or_else(|| gone_action(&request)),
        policies: progress::evaluate(&request.gates, &request.excluded, &decisions, directory),
        observed: progress::evaluate_observed(
            &request.gates,
            &request.observed,
            &request.excluded,
            &decisions,
            directory,
        ),
        bypassed: progress::evaluate(&request.bypassed, &request.excluded, &[], directory),
        session: None,
        request,
        decisions,
        people,
        waiting_more: waiting.len() - waiting_for.len(),
        waiting_for,
        timeline,
        timeline_truncated: false,
        page: None,
        difference: None,
    }
}

fn cover(session: Session, config: &CompiledConfig) -> SessionSummary {
    SessionSummary {
        initiator: config.directory().name(&session.initiator).to_owned(),
        id: session.id,
        reason: session.reason,
    }
}

/// An own action that has left the configuration since; shown as the riskiest, since nobody says otherwise.
fn gone_action(request: &Request) -> Action {
    Action {
        id: request.action.clone(),
        name: request.action.to_string(),
        group: ActionGroup::Security,
        risk: Risk::Critical,
        requires: Vec::new(),
        kind: RequestType::Security,
    }
}

/// The id of a request, by id or number.
pub(super) async fn resolve(tx: &mut Tx, request: &RequestRef) -> Result<RequestId, AppError> {
    match request {
        RequestRef::Id(id) => Ok(id.clone()),
        RequestRef::Number(number) => {
            Ok(tx.id_of_number(*number).await?.ok_or(Refusal::NotFound)?)
        }
    }
}
