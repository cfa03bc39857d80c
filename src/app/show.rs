//! What is shown of a request, put together from its row, its votes, its timeline and the directory.

use super::{App, AppError, RequestRef, config, recognised, resolve};
use crate::domain::action::{Action, Kind};
use crate::domain::break_glass::Session;
use crate::domain::document::{ActionGroup, Risk};
use crate::domain::id::{ChannelId, PersonId, RequestId};
use crate::domain::principal::Principal;
use crate::domain::request::{Request, Status};
use crate::domain::rules::Rules;
use crate::domain::shown::{Shown, ShownCover, ShownPerson, TimelineEvent};
use crate::domain::time::Timestamp;
use crate::domain::verdict;
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
    pub async fn show(&self, request: &RequestRef) -> Result<Shown, AppError> {
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
    pub(super) async fn show_in(&self, tx: &mut Tx, id: &RequestId) -> Result<Shown, AppError> {
        let shown = self.show_all(tx, &[id]).await?.pop();
        shown.ok_or_else(|| self.absent(id).into())
    }

    /// Requests in the order of their ids as given; unknown ones are left out.
    pub(super) async fn show_all(
        &self,
        tx: &mut Tx,
        ids: &[&RequestId],
    ) -> Result<Vec<Shown>, AppError> {
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
    ) -> Result<Vec<Shown>, AppError> {
        let Some(version) = loaded.first().map(|one| one.rules) else {
            return Ok(Vec::new());
        };
        let rules = self.rules_at(tx, version).await?;
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
                    .map(|session| cover(session.recognised(rules.directory()), &rules)),
                None => None,
            };
            let difference = config::difference(tx, &one.request, &rules).await?;
            all.push(Shown {
                session,
                timeline_truncated,
                difference,
                ..shown(one, timeline, &rules, now)
            });
        }
        Ok(all)
    }
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
    rules: &Rules,
    now: Timestamp,
) -> Shown {
    let Loaded {
        mut request, votes, ..
    } = recognised(loaded, rules.directory());
    request.state = request.state.at(now);
    let directory = rules.directory();
    let then = directory.as_of(request.created_at);
    let waiting = match request.state.status() {
        Status::Pending => verdict::waiting_for(&request.gates, &request.excluded, &votes, &then),
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
        .chain(votes.iter().map(|vote| &vote.by))
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
                ShownPerson {
                    name: person.name.clone(),
                    slack: person.slack.clone(),
                },
            )
        })
        .collect();
    Shown {
        action: rules
            .action(&request.action)
            .cloned()
            .unwrap_or_else(|| gone_action(&request)),
        policies: verdict::evaluate(&request.gates, &request.excluded, &votes, directory),
        observed: verdict::evaluate_observed(
            &request.gates,
            &request.observed,
            &request.excluded,
            &votes,
            directory,
        ),
        bypassed: verdict::evaluate(&request.bypassed, &request.excluded, &[], directory),
        session: None,
        request,
        votes,
        people,
        waiting_more: waiting.len() - waiting_for.len(),
        waiting_for,
        timeline,
        timeline_truncated: false,
        difference: None,
    }
}

fn cover(session: Session, rules: &Rules) -> ShownCover {
    ShownCover {
        initiator: rules.directory().name(&session.initiator).to_owned(),
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
        kind: Kind::Security,
    }
}
