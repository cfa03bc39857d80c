//! What time makes due while requests wait: reminders, escalations, the warning before expiry. Each is decided by the domain, and its
//! messages are stored in the transaction that records it (docs/decisions.md D48).

use super::emails::{email_of, is_without_slack};
use super::{App, AppError, measure};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::PolicyTemplate;
use crate::domain::follow_up::{Due, FollowUps, OpenPolicy, Waiting};
use crate::domain::id::{OutboxId, PersonId, RequestId};
use crate::domain::message::Message;
use crate::domain::people::Person;
use crate::domain::principal::Principal;
use crate::domain::progress::{self, PolicyProgress};
use crate::domain::request::{Request, State};
use crate::domain::request_details::{PersonSummary, RequestDetails};
use crate::domain::time::{Span, Timestamp};
use crate::domain::whom::{Asked, whom_to_remind};
use crate::store::{FollowUpRow, Loaded, Tx};
use std::collections::BTreeSet;

/// Most requests that one tick follows up.
const BATCH_SIZE: i64 = 64;
/// When a request is looked at again that cannot be read now.
const UNREADABLE_PAUSE: Span = Span::hours(1);
/// When an expired request is looked at again whose expiry is not stored yet.
const EXPIRY_PAUSE: Span = Span::minutes(1);

/// A waiting request, as reminders show it.
#[derive(Debug, Clone)]
pub struct WaitingDetails {
    /// The request.
    pub shown: RequestDetails,
    /// What was done while it waits.
    pub done: FollowUps,
    /// Whom a reminder is for.
    pub asked: Vec<Asked>,
}

impl App {
    /// Begins to follow up a request that waits from now on.
    pub(super) async fn begin_follow_ups(
        &self,
        tx: &mut Tx,
        request: &Request,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let State::Pending { expires_at } = request.state else {
            return Ok(());
        };
        let open = request.gates.iter().map(|gate| open_policy(&gate.template));
        let waiting = waiting(config, now, expires_at, open.collect());
        let next = waiting.due(&FollowUps::default(), now).next;
        let due = next.unwrap_or(expires_at);
        tx.begin_follow_ups(&request.id, now, due).await?;
        self.tell_those_without_slack(tx, request, config, now)
            .await
    }

    /// People who cannot see the request in Slack get their first e-mail at once: a reminder with the number 0.
    async fn tell_those_without_slack(
        &self,
        tx: &mut Tx,
        request: &Request,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let is_outside = |person: &Person| person.email.is_some() && person.slack.is_empty();
        if config.document().email.is_none() || !config.directory().people().any(is_outside) {
            return Ok(());
        }
        let loaded = Loaded {
            request: request.clone(),
            decisions: Vec::new(),
            config: config.versions(),
        };
        let mut asked = self.whom(tx, &loaded, config, now).await?;
        asked.retain(|asked| is_without_slack(&asked.to, config));
        let id = &request.id;
        for reminder in asked.into_iter().map(|asked| reminder(asked, id, 0)) {
            if let Some(email) = email_of(&reminder, config) {
                let id = OutboxId::from_uuid(self.0.ids.next(now));
                tx.send(&id, &email, now).await?;
            }
        }
        Ok(())
    }

    /// Begins to follow up the requests that another replica stored with a release that has no reminders.
    pub(super) async fn adopt_follow_ups(&self) -> Result<(), AppError> {
        let mut tx = self.0.db.read().await?;
        let found = tx.has_unfollowed().await?;
        drop(tx);
        if !found {
            return Ok(());
        }
        let now = self.now();
        self.0
            .db
            .transaction(async |tx| Ok(tx.adopt_follow_ups(now).await?))
            .await
    }

    /// Follows up the requests that are due. Says whether there may be more.
    pub async fn follow_up(&self) -> Result<bool, AppError> {
        let mut tx = self.0.db.read().await?;
        let due = tx.due_follow_ups(self.now(), BATCH_SIZE).await?;
        drop(tx);
        for id in &due {
            match self.follow_up_one(id).await {
                Ok(()) => {}
                // one row that cannot be read or followed up must not stop the others
                Err(error @ (AppError::Internal(_) | AppError::Refused(_))) => {
                    tracing::error!(request = %id, %error, "a waiting request could not be followed up");
                    self.put_off_follow_ups(id).await?;
                }
                Err(error) => return Err(error),
            }
        }
        if !due.is_empty() {
            self.notify_changes(&[]);
        }
        Ok(i64::try_from(due.len()).unwrap_or(0) == BATCH_SIZE)
    }

    async fn follow_up_one(&self, id: &RequestId) -> Result<(), AppError> {
        let missed = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                tx.lock_requests(&[id], true).await?;
                let now = self.now();
                let Some(row) = tx.follow_ups(id).await?.filter(|row| row.due_at <= now) else {
                    return Ok(BTreeSet::new()); // another replica was first
                };
                let Some(loaded) = tx.requests(&[id], false).await?.pop() else {
                    tx.put_off_follow_ups(id, now.plus(UNREADABLE_PAUSE))
                        .await?;
                    return Ok(BTreeSet::new());
                };
                self.follow_up_in(tx, loaded, &row, now).await
            })
            .await?;
        measure::missed_targets(missed.iter().map(AsRef::as_ref));
        Ok(())
    }

    async fn follow_up_in(
        &self,
        tx: &mut Tx,
        loaded: Loaded,
        row: &FollowUpRow,
        now: Timestamp,
    ) -> Result<BTreeSet<crate::domain::id::PolicyId>, AppError> {
        let config = self.compiled_config_at(tx, loaded.config).await?;
        let loaded = super::canonicalize_people(loaded, config.directory());
        let request = &loaded.request;
        let State::Pending { expires_at } = request.state else {
            tx.end_follow_ups(&request.id).await?;
            return Ok(BTreeSet::new());
        };
        let open = open_policies(&loaded, &config);
        let due = waiting(&config, row.since, expires_at, open).due(&row.done, now);
        let mut messages = self.reminders(tx, &loaded, &config, &due, now).await?;
        messages.extend(escalations(request, &config, &due));
        if due.warn {
            messages.extend(warnings(request, &config));
        }
        self.send(tx, messages, now).await?;
        let next = due.next.unwrap_or(expires_at).max(now.plus(Span(1)));
        let next = if now < expires_at {
            next
        } else {
            now.plus(EXPIRY_PAUSE)
        };
        tx.save_follow_ups(&request.id, next, &due.after).await?;
        Ok(due.missed)
    }

    async fn reminders(
        &self,
        tx: &mut Tx,
        loaded: &Loaded,
        config: &CompiledConfig,
        due: &Due,
        now: Timestamp,
    ) -> Result<Vec<Message>, AppError> {
        if !due.remind {
            return Ok(Vec::new());
        }
        let id = &loaded.request.id;
        let asked = self.whom(tx, loaded, config, now).await?;
        let number = due.after.reminders;
        let reminders = asked.into_iter().map(|asked| reminder(asked, id, number));
        let thread = Message::Thread {
            request: id.clone(),
        };
        Ok(reminders.chain([thread]).collect())
    }

    async fn whom(
        &self,
        tx: &mut Tx,
        loaded: &Loaded,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<Vec<Asked>, AppError> {
        let preferences = tx.all_preferences().await?;
        let Request {
            gates,
            excluded,
            created_at,
            ..
        } = &loaded.request;
        // what people have given themselves since it was created does not count
        let then = config.directory().as_of(*created_at);
        let decisions = &loaded.decisions;
        Ok(whom_to_remind(
            gates,
            excluded,
            decisions,
            &then,
            &preferences,
            now,
        ))
    }

    async fn put_off_follow_ups(&self, id: &RequestId) -> Result<(), AppError> {
        let later = self.now().plus(UNREADABLE_PAUSE);
        self.0
            .db
            .transaction(async |tx| Ok(tx.put_off_follow_ups(id, later).await?))
            .await
    }

    /// A request with whom a reminder of it is for; `None` if it waits no longer.
    pub async fn waiting(&self, id: &RequestId) -> Result<Option<WaitingDetails>, AppError> {
        let mut tx = self.0.db.read().await?;
        let Some(row) = tx.follow_ups(id).await? else {
            return Ok(None);
        };
        let mut shown = self.show_in(&mut tx, id).await?;
        if !shown.is_pending() {
            return Ok(None);
        }
        let version = tx.config_versions().await?;
        let config = self.compiled_config_at(&mut tx, version).await?;
        let loaded = Loaded {
            request: shown.request.clone(),
            decisions: shown.decisions.clone(),
            config: version,
        };
        let asked = self.whom(&mut tx, &loaded, &config, self.now()).await?;
        let told = asked
            .iter()
            .flat_map(|one| [Some(&one.to), one.instead_of.as_ref()]);
        for person in told
            .flatten()
            .filter_map(|id| config.directory().person(id))
        {
            let summary = PersonSummary {
                name: person.name.clone(),
                slack: person.slack.clone(),
            };
            shown.people.insert(person.id.clone(), summary);
        }
        Ok(Some(WaitingDetails {
            shown,
            done: row.done,
            asked,
        }))
    }
}

fn reminder(asked: Asked, request: &RequestId, number: u32) -> Message {
    Message::Reminder {
        to: asked.to,
        instead_of: asked.instead_of,
        request: request.clone(),
        number,
    }
}

fn waiting(
    config: &CompiledConfig,
    since: Timestamp,
    expires_at: Timestamp,
    open: Vec<OpenPolicy>,
) -> Waiting<'_> {
    let document = config.document();
    let notifications = document.notifications.as_ref();
    Waiting {
        since,
        expires_at,
        reminders: document.reminders.as_ref(),
        warning: notifications.and_then(|notifications| notifications.requester_expiry_warning),
        open,
    }
}

fn open_policy(template: &PolicyTemplate) -> OpenPolicy {
    OpenPolicy {
        id: template.id.clone(),
        escalate_after: template
            .escalation
            .as_ref()
            .map(|escalation| escalation.after),
        target: template.latency_target,
    }
}

fn open_policies(loaded: &Loaded, config: &CompiledConfig) -> Vec<OpenPolicy> {
    let request = &loaded.request;
    let progress: Vec<PolicyProgress> = progress::evaluate(
        &request.gates,
        &request.excluded,
        &loaded.decisions,
        config.directory(),
    );
    let gates = request.gates.iter().zip(progress);
    gates
        .filter(|(_, progress)| !progress.satisfied)
        .map(|(gate, _)| open_policy(&gate.template))
        .collect()
}

/// The people and channels of the escalations that are due. They are told, and get no right by it.
fn escalations(request: &Request, config: &CompiledConfig, due: &Due) -> Vec<Message> {
    let mut messages = Vec::new();
    let templates = request.gates.iter().map(|gate| &gate.template);
    for template in templates.filter(|template| due.escalate.contains(&template.id)) {
        let Some(escalation) = &template.escalation else {
            continue;
        };
        let (request, policy) = (&request.id, &template.id);
        messages.extend(
            escalation
                .channel
                .iter()
                .map(|channel| Message::Escalation {
                    channel: channel.clone(),
                    request: request.clone(),
                    policy: policy.clone(),
                }),
        );
        let people = config.directory().among(&escalation.notify).into_iter();
        messages.extend(people.map(|person| Message::Escalated {
            to: person.id.clone(),
            request: request.clone(),
            policy: policy.clone(),
        }));
    }
    messages
}

fn warnings(request: &Request, config: &CompiledConfig) -> Vec<Message> {
    let asked: BTreeSet<&PersonId> = [&request.requester, &request.submitted_by]
        .into_iter()
        .filter_map(Principal::person)
        .filter(|person| config.directory().is_active(person))
        .collect();
    let warning = |to: &PersonId| Message::ExpiryWarning {
        to: to.clone(),
        request: request.id.clone(),
    };
    asked.into_iter().map(warning).collect()
}
