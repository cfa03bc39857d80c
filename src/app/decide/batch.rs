//! The decisions of one batch, in order: what each changes, what is recorded, who is told.

use super::{ApproverIdentity, DecisionInput, DecisionOutcome};
use crate::app::effect::approval_detail;
use crate::app::emails::email_of;
use crate::app::idempotency::ResponseSubject;
use crate::app::refusals::{self, RefusalKey};
use crate::app::webhooks::webhook_messages;
use crate::app::{App, AppError, canonicalize_people, outcome_messages};
use crate::domain::audit::AuditEventKind;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::decide::{self, NewDecision};
use crate::domain::decision::{Decision, DecisionKind, Via};
use crate::domain::id::{OutboxId, RequestId};
use crate::domain::message::Message;
use crate::domain::people::Person;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::request::{Request, Status};
use crate::domain::time::Timestamp;
use crate::domain::webhook::RequestMoment;
use crate::store::{BatchChanges, DecisionRow, Loaded, StoredResponse};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The decisions of one batch: the requests as they move from decision to decision, and what is to be written in the end.
pub(in crate::app) struct DecisionBatch<'a> {
    app: &'a App,
    now: Timestamp,
    config: &'a CompiledConfig,
    requests: BTreeMap<RequestId, Loaded>,
    /// Until when each pending request was to wait, as it was loaded.
    waits_until: BTreeMap<RequestId, Timestamp>,
    changed: BTreeSet<RequestId>,
    kept: Vec<StoredResponse>,
    /// Refusals that this batch records.
    pub(in crate::app) refusals: Vec<RefusalKey>,
    pub(in crate::app) changes: BatchChanges,
}

/// A request on which an approval was taken in this batch.
pub(in crate::app) struct Approval {
    pub(in crate::app) request: Request,
    /// All of its votes.
    pub(in crate::app) decisions: Vec<Decision>,
    /// Until when it was to wait for them.
    pub(in crate::app) waits_until: Timestamp,
}

impl<'a> DecisionBatch<'a> {
    pub(in crate::app) fn new(
        app: &'a App,
        now: Timestamp,
        config: &'a CompiledConfig,
        loaded: Vec<Loaded>,
        kept: Vec<StoredResponse>,
    ) -> Self {
        let waits_until = loaded
            .iter()
            .filter_map(|one| Some((one.request.id.clone(), one.request.state.ends_at()?)))
            .collect();
        let requests = loaded
            .into_iter()
            .map(|one| canonicalize_people(one, config.directory()))
            .map(|one| (one.request.id.clone(), one))
            .collect();
        Self {
            app,
            now,
            config,
            requests,
            waits_until,
            changed: BTreeSet::new(),
            kept,
            refusals: Vec::new(),
            changes: BatchChanges::default(),
        }
    }

    pub(in crate::app) fn has_effect(&self) -> bool {
        !self.changed.is_empty()
            || !self.changes.events.is_empty()
            || !self.changes.answers.is_empty()
    }

    pub(in crate::app) fn changed(&self) -> Vec<&Request> {
        self.changed
            .iter()
            .filter_map(|id| self.requests.get(id))
            .map(|loaded| &loaded.request)
            .collect()
    }

    /// The requests on which this batch took an approval, and which are not rejected.
    pub(in crate::app) fn approvals(&self) -> Vec<Approval> {
        let requests = self.changed.iter().filter_map(|id| self.requests.get(id));
        requests
            .filter(|loaded| loaded.request.state.status() != Status::Rejected)
            .map(|loaded| Approval {
                // as it was written
                request: Request {
                    version: loaded.request.version + 1,
                    ..loaded.request.clone()
                },
                decisions: loaded.decisions.clone(),
                waits_until: self
                    .waits_until
                    .get(&loaded.request.id)
                    .copied()
                    .unwrap_or(self.now),
            })
            .collect()
    }

    pub(in crate::app) fn moved(&self) -> Vec<(RequestId, i64)> {
        self.changed()
            .iter()
            .map(|request| (request.id.clone(), request.version + 1))
            .collect()
    }

    /// Each changed request has news for the threads of its cards, once for the whole batch.
    pub(in crate::app) fn queue_thread_lines(&mut self) {
        for request in &self.changed {
            let id = OutboxId::from_uuid(self.app.0.ids.next(self.now));
            let request = request.clone();
            self.changes
                .messages
                .push((id, Message::Thread { request }));
        }
    }

    /// Applies one decision. An error undoes the whole batch; a refusal is an answer.
    pub(in crate::app) fn apply(
        &mut self,
        input: &DecisionInput,
        id: &RequestId,
    ) -> Result<Result<DecisionOutcome, Refusal>, AppError> {
        if let Some(before) = self.before(input)? {
            return Ok(before);
        }
        let Some(mut loaded) = self.requests.remove(id) else {
            return Ok(Err(Refusal::NotFound));
        };
        let asked = loaded.request.created_at;
        let approver = self.approver(&input.identity, asked);
        let approver = approver.as_deref();
        let console = self.config.document().console.as_ref();
        let fresh = (input.authentication.zip(console))
            .and_then(|(authentication, console)| authentication.fresh(console, self.now));
        let web_only = self.config.web_only_in_force(&loaded.request, self.now);
        let cast = NewDecision {
            approver,
            linked_since: self.is_linked_since(&input.identity, asked),
            digest: input.digest.as_ref(),
            verdict: input.verdict,
            comment: input.comment.as_deref(),
            at: self.now,
            via: input.via,
            fresh,
            web_only: &web_only,
        };
        let outcome = decide::add_decision(&mut loaded.request, &mut loaded.decisions, cast);
        let outcome = outcome.map_err(|refusal| self.with_page(refusal, &loaded.request));
        let actor = actor(&input.identity, approver);
        let heard = match &outcome {
            Ok(()) => {
                self.record_decision(input, &actor, &loaded);
                Ok(self.decided(&loaded.request, false))
            }
            Err(refusal) => {
                self.record_refusal(input, &actor, &loaded.request, refusal);
                Err(refusal.clone())
            }
        };
        self.keep_answer(input, id, &outcome)?;
        self.requests.insert(id.clone(), loaded);
        Ok(heard)
    }

    /// A refusal that sends people to the web says where that is.
    fn with_page(&self, refusal: Refusal, request: &Request) -> Refusal {
        match refusal {
            Refusal::OnWebOnly { policy, .. } => Refusal::OnWebOnly {
                policy,
                page: self.app.page_of(request, self.config),
            },
            other => other,
        }
    }

    /// The clicker as they count for what was asked at that time (threat B68).
    fn approver(&self, identity: &ApproverIdentity, asked: Timestamp) -> Option<Cow<'a, Person>> {
        let directory = self.config.directory();
        let id = match identity {
            ApproverIdentity::Slack(account) => &directory.by_slack(account)?.id,
            ApproverIdentity::Oidc(identity) => &directory.by_oidc(identity)?.id,
            ApproverIdentity::Person(id) => id,
        };
        let mut approver = directory.person_as_of(id, asked)?;
        if let ApproverIdentity::Slack(account) = identity
            && directory.is_refused(account)
        {
            approver.to_mut().active = false;
        }
        Some(approver)
    }

    fn is_linked_since(&self, identity: &ApproverIdentity, asked: Timestamp) -> bool {
        match identity {
            ApproverIdentity::Slack(account) => {
                self.config.directory().is_linked_since(account, asked)
            }
            ApproverIdentity::Oidc(identity) => {
                (self.config.directory()).is_oidc_linked_since(identity, asked)
            }
            ApproverIdentity::Person(_) => false,
        }
    }

    fn before(
        &self,
        input: &DecisionInput,
    ) -> Result<Option<Result<DecisionOutcome, Refusal>>, AppError> {
        let Some(once) = &input.once else {
            return Ok(None);
        };
        let rows = self.kept.iter().chain(&self.changes.answers);
        let Some(row) = rows.into_iter().find(|row| row.key == once.key) else {
            return Ok(None);
        };
        let kept = match once.subject_of(row) {
            Ok(kept) => kept,
            Err(AppError::Refused(refusal)) => return Ok(Some(Err(refusal))),
            Err(error) => return Err(error),
        };
        let loaded = kept.request.and_then(|id| self.requests.get(&id));
        Ok(Some(loaded.map_or(Err(Refusal::NotFound), |loaded| {
            Ok(self.decided(&loaded.request, true))
        })))
    }

    fn decided(&self, request: &Request, repeated: bool) -> DecisionOutcome {
        DecisionOutcome {
            request: request.id.clone(),
            number: request.number,
            status: request.state.clone().at(self.now).status(),
            repeated,
            note: None,
        }
    }

    fn record_decision(&mut self, input: &DecisionInput, actor: &Principal, loaded: &Loaded) {
        let (request, Some(decision)) = (&loaded.request, loaded.decisions.last()) else {
            return;
        };
        let what = match decision.verdict {
            DecisionKind::Approve => AuditEventKind::VoteApproved,
            DecisionKind::Reject => AuditEventKind::VoteRejected,
        };
        let detail = json!({
            "digest": request.digest, "comment": decision.comment, "teams": decision.teams, "roles": decision.roles,
            "pagesSeen": input.pages_seen, "freshSignIn": decision.fresh_sign_in,
        });
        self.record(what, actor, input.via, request, detail);
        let ended = match request.state.status() {
            // what Countersign itself does then is checked again first
            Status::Approved if request.effect().is_some() => None,
            Status::Approved => Some(AuditEventKind::RequestApproved),
            Status::Rejected => Some(AuditEventKind::RequestRejected),
            _ => None,
        };
        if let Some(what) = ended {
            let detail = approval_detail(request);
            self.record(what, &Principal::Bot, input.via, request, detail);
            let webhooks = self.webhooks(what, request);
            let news = outcome_messages(request);
            let emails: Vec<Message> = news
                .iter()
                .filter_map(|message| email_of(message, self.config))
                .collect();
            for message in news.into_iter().chain(emails).chain(webhooks) {
                let id = OutboxId::from_uuid(self.app.0.ids.next(self.now));
                self.changes.messages.push((id, message));
            }
        }
        self.changes.decisions.push(DecisionRow {
            request: request.id.clone(),
            decision: decision.clone(),
            digest: request.digest.clone(),
            pages_seen: input.pages_seen.clone(),
        });
        self.changed.insert(request.id.clone());
    }

    fn webhooks(&self, what: AuditEventKind, request: &Request) -> Vec<Message> {
        let moment = RequestMoment {
            version: request.version + 1, // as it will be written
            ..RequestMoment::of(request)
        };
        let webhooks = &self.config.document().webhooks;
        webhook_messages(webhooks, what, self.now, request, &moment)
    }

    /// Somebody who may not decide, or not in this way, tried to: that is worth a row, once a day. A second click of the same approver
    /// is not.
    fn record_refusal(
        &mut self,
        input: &DecisionInput,
        actor: &Principal,
        request: &Request,
        refusal: &Refusal,
    ) {
        let why = match refusal {
            Refusal::NotEligible(why) => why.to_string(),
            Refusal::OnWebOnly { .. } | Refusal::SignInTooOld { .. } => refusal.detail(),
            _ => return,
        };
        let key = RefusalKey {
            caller: refusals::name_of(&input.identity),
            what: AuditEventKind::VoteRefused,
            about: request.id.to_string(),
            code: refusal.code(),
        };
        if self.refusals.contains(&key) {
            return;
        }
        let Some(repeated) = self.app.0.refusals.admit(&key, self.now) else {
            return;
        };
        self.refusals.push(key);
        let detail = json!({
            "why": why, "verdict": input.verdict, "account": account(&input.identity), "repeated": repeated,
        });
        self.record(
            AuditEventKind::VoteRefused,
            actor,
            input.via,
            request,
            detail,
        );
    }

    fn record(
        &mut self,
        what: AuditEventKind,
        actor: &Principal,
        via: Via,
        request: &Request,
        detail: Value,
    ) {
        let event = self.app.event(self.now, what, actor, via, request, detail);
        self.changes.events.push(event);
    }

    /// A delivery's answer is kept where it had an effect, and where the clicker was not eligible or should have used the web pages,
    /// whether or not that was recorded: the same delivery never counts later, when it could. Of an API key only a yes is kept.
    fn keep_answer(
        &mut self,
        input: &DecisionInput,
        id: &RequestId,
        outcome: &Result<(), Refusal>,
    ) -> Result<(), AppError> {
        let Some(once) = &input.once else {
            return Ok(());
        };
        let kept = match outcome {
            Ok(()) => true,
            Err(Refusal::NotEligible(_) | Refusal::OnWebOnly { .. }) => input.via != Via::Api,
            Err(_) => false,
        };
        if kept {
            let answer = once.answer(&ResponseSubject::request(id), self.now)?;
            self.changes.answers.push(answer);
        }
        Ok(())
    }
}

/// Whom an audit row names: the person, or the bot for an account that belongs to nobody (which the row describes).
fn actor(identity: &ApproverIdentity, approver: Option<&Person>) -> Principal {
    match (identity, approver) {
        (_, Some(person)) => Principal::Person(person.id.clone()),
        (ApproverIdentity::Person(id), None) => Principal::Person(id.clone()),
        (ApproverIdentity::Slack(_) | ApproverIdentity::Oidc(_), None) => Principal::Bot,
    }
}

fn account(identity: &ApproverIdentity) -> Value {
    match identity {
        ApproverIdentity::Slack(account) => {
            json!({"team": account.team_id, "user": account.user_id})
        }
        ApproverIdentity::Oidc(identity) => json!(identity),
        ApproverIdentity::Person(_) => Value::Null,
    }
}
