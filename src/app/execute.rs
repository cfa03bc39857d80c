//! Handing out what was granted, once, after everything has been checked again (docs/decisions.md D24).

use super::idempotency::{self, IdempotencyKey, ResponseSubject};
use super::long_poll::UNKNOWN_VERSION;
use super::text::entered;
use super::{App, AppError, RequestRef, news_to_active};
use crate::domain::audit::AuditEventKind;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::decide::valid_for;
use crate::domain::decision::Decision;
use crate::domain::digest::SeenDigest;
use crate::domain::execute::{self, Recheck};
use crate::domain::id::RequestId;
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use crate::domain::request::{Outcome, Request, Status};
use crate::domain::request_details::RequestDetails;
use crate::domain::time::Timestamp;
use crate::store::{Loaded, Tx};
use serde_json::json;
use std::collections::BTreeSet;

/// What to run.
#[derive(Debug, Clone)]
pub struct Executed {
    /// The request.
    pub shown: RequestDetails,
    /// The payload in canonical form: run this, and nothing else.
    pub payload: String,
}

/// What a request has to wait for again.
pub(super) struct Unmet<'a> {
    /// The policies that gate it now.
    pub(super) gates: Vec<PinnedPolicy>,
    /// Its votes.
    pub(super) decisions: &'a [Decision],
    /// The votes, cut to what their authors still are.
    pub(super) cut: &'a [Decision],
    /// Why it waits.
    pub(super) why: &'a str,
    /// Until when it waits at most; as long as its policies say where nothing is given.
    pub(super) waits_until: Option<Timestamp>,
}

/// Whether the unit changed something that others wait for.
type Moved = bool;

/// Whether a break-glass session covers an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cover {
    /// It is active, the caller a responder, and the scope fits.
    Lasts,
    /// It does not, or there is none.
    Over,
}

impl App {
    /// Hands out what was granted, once. The digest must be the request's.
    pub(super) async fn try_execute(
        &self,
        caller: &Caller,
        request: &RequestRef,
        digest: &SeenDigest,
        once: Option<IdempotencyKey>,
    ) -> Result<Executed, AppError> {
        let (outcome, moved, id) = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                let (loaded, config) = self.locked(tx, request, true).await?;
                let id = loaded.request.id.clone();
                let (outcome, moved) = self
                    .execute_in(tx, caller, loaded, &config, digest, once.as_ref())
                    .await?;
                Ok((outcome, moved, id))
            })
            .await?;
        if moved {
            self.notify_changes(&[(id, UNKNOWN_VERSION)]);
        }
        outcome.map_err(AppError::from)
    }

    async fn execute_in(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        loaded: Loaded,
        config: &CompiledConfig,
        digest: &SeenDigest,
        once: Option<&IdempotencyKey>,
    ) -> Result<(Result<Executed, Refusal>, Moved), AppError> {
        let now = self.now();
        let Loaded {
            mut request,
            decisions,
            ..
        } = loaded;
        check_may_execute(caller, &request)?;
        if idempotency::stored_response(tx, once).await?.is_some() {
            return Ok((self.repeat(tx, &request, now).await?, false));
        }
        self.check_clock()?;
        let covered = match self.cover(tx, &request, caller, config, now).await? {
            Cover::Over if request.state.status() == Status::Bypassed => {
                return Err(Refusal::SessionEnded.into());
            }
            Cover::Over => false,
            Cover::Lasts => true,
        };
        let status = request.state.clone().at(now).status();
        if !matches!(
            status,
            Status::Allowed | Status::Bypassed | Status::Approved
        ) {
            return Err(Refusal::Closed(status).into());
        }
        if !digest.is(&request.digest) {
            return Err(Refusal::DigestMismatch.into());
        }
        match execute::recheck(&request, &decisions, config, covered, now) {
            Recheck::Holds => {
                request.state = request
                    .state
                    .clone()
                    .execute(now)
                    .map_err(|wrong| Refusal::Closed(wrong.0))?;
                let under = self.under_session(tx, &request, config, now).await?;
                let detail = json!({"digest": request.digest, "breakGlass": under});
                let event = AuditEventKind::RequestExecuted;
                self.save(tx, caller, &mut request, event, detail, now)
                    .await?;
                idempotency::store_response(tx, once, &ResponseSubject::request(&request.id), now)
                    .await?;
                Ok((self.executed(tx, &request.id).await.map(Ok)?, true))
            }
            Recheck::SessionEnded => Err(Refusal::SessionEnded.into()),
            Recheck::MoreIsRequired {
                gates,
                decisions: cut,
                why,
            } => {
                let unmet = Unmet {
                    gates,
                    decisions: &decisions,
                    cut: &cut,
                    why: &why,
                    waits_until: None,
                };
                self.wait_on(tx, caller, &mut request, unmet, config, now)
                    .await?;
                self.send(tx, news_to_active(&request, config), now).await?;
                Ok((Err(Refusal::RequirementsChanged(why)), true))
            }
            Recheck::Impossible {
                decisions: cut,
                why,
            } => {
                self.save_reduced(tx, &request.id, (&decisions, &cut), config)
                    .await?;
                request.state = request
                    .state
                    .clone()
                    .cancel(now)
                    .map_err(|wrong| Refusal::Closed(wrong.0))?;
                self.save(
                    tx,
                    caller,
                    &mut request,
                    AuditEventKind::RequestCancelled,
                    json!({"message": why}),
                    now,
                )
                .await?;
                self.send(tx, news_to_active(&request, config), now).await?;
                Ok((Err(Refusal::RequirementsChanged(why)), true))
            }
        }
    }

    /// Whether the break-glass session that let a request past policies covers this caller's execution of it now.
    async fn cover(
        &self,
        tx: &mut Tx,
        request: &Request,
        caller: &Caller,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<Cover, AppError> {
        let Some(id) = request
            .session
            .as_ref()
            .filter(|_| !request.bypassed.is_empty())
        else {
            return Ok(Cover::Over);
        };
        let session = self.load_readable_session(tx, id, config, now).await?;
        let action = config.action(&request.action);
        let lasts = session.zip(action).is_some_and(|(session, action)| {
            config.covers(&session, &caller.principal, action, &request.target, now)
        });
        Ok(if lasts { Cover::Lasts } else { Cover::Over })
    }

    /// The same call again, while its answer could still be used.
    async fn repeat(
        &self,
        tx: &mut Tx,
        request: &Request,
        now: Timestamp,
    ) -> Result<Result<Executed, Refusal>, AppError> {
        let status = request.state.status();
        let mut usable_until = request.decided_at.map(|at| at.plus(valid_for(request)));
        if let Some(id) = request
            .session
            .as_ref()
            .filter(|_| request.gates.is_empty())
        {
            let session = tx.session(id, now).await?;
            let end = session.and_then(|session| session.state.ran());
            usable_until = usable_until
                .zip(end)
                .map(|(until, (_, end))| until.min(end));
        }
        if status == Status::Executed && usable_until.is_some_and(|until| now < until) {
            return self.executed(tx, &request.id).await.map(Ok);
        }
        Ok(Err(Refusal::Closed(status)))
    }

    async fn executed(&self, tx: &mut Tx, id: &RequestId) -> Result<Executed, AppError> {
        let shown = self.show_in(tx, id).await?;
        Ok(Executed {
            payload: shown.request.payload.clone(),
            shown,
        })
    }

    /// Sends a request back to wait for what is required now.
    pub(super) async fn wait_on(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        request: &mut Request,
        unmet: Unmet<'_>,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.save_reduced(tx, &request.id, (unmet.decisions, unmet.cut), config)
            .await?;
        // what gates it now is no longer bypassed
        request
            .bypassed
            .retain(|bypassed| !unmet.gates.contains(bypassed));
        request.gates = unmet.gates;
        let fresh = now.plus(execute::expires_after(request));
        let expires_at = unmet.waits_until.map_or(fresh, |until| until.min(fresh));
        request.state = request
            .state
            .clone()
            .reopen(now, expires_at)
            .map_err(|wrong| Refusal::Closed(wrong.0))?;
        request.decided_at = None;
        // whoever an added policy wants sees it where that policy shows its cards
        if let Some(action) = config.action(&request.action) {
            for channel in config.route(action, &request.target, &request.gates) {
                tx.insert_card(&request.id, &channel, now).await?;
            }
        }
        self.begin_follow_ups(tx, request, config, now).await?;
        let detail = json!({"message": unmet.why});
        self.save(
            tx,
            caller,
            request,
            AuditEventKind::RequestReopened,
            detail,
            now,
        )
        .await
    }

    /// Votes are cut for good to what their authors still are (docs/decisions.md D18).
    pub(super) async fn save_reduced(
        &self,
        tx: &mut Tx,
        id: &RequestId,
        (decisions, cut): (&[Decision], &[Decision]),
        config: &CompiledConfig,
    ) -> Result<(), AppError> {
        for decision in decisions {
            let same = |left: &&Decision| left.by == decision.by && left.at == decision.at;
            let left = cut.iter().find(same);
            if left == Some(decision) {
                continue;
            }
            let bare = Decision {
                teams: BTreeSet::new(),
                roles: BTreeSet::new(),
                ..decision.clone()
            };
            for stored_as in config.directory().ids_of(&decision.by) {
                tx.reduce_decision(id, stored_as, left.unwrap_or(&bare))
                    .await?;
            }
        }
        Ok(())
    }

    pub(super) async fn save(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        request: &mut Request,
        what: AuditEventKind,
        detail: serde_json::Value,
        now: Timestamp,
    ) -> Result<(), AppError> {
        tx.save_request(request).await?;
        let event = self.event(now, what, &caller.principal, caller.via, request, detail);
        self.record_about(tx, &event, request).await?;
        Ok(tx.touch_cards(&request.id, now).await?)
    }

    /// Reports how the execution ended.
    pub(super) async fn try_complete(
        &self,
        caller: &Caller,
        request: &RequestRef,
        outcome: Outcome,
        message: Option<String>,
        once: Option<IdempotencyKey>,
    ) -> Result<RequestDetails, AppError> {
        let message = entered("message", message.as_deref())?;
        let (shown, moved) = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                let (loaded, config) = self.locked(tx, request, false).await?;
                let (mut request, now) = (loaded.request, self.now());
                check_may_execute(caller, &request)?;
                if idempotency::stored_response(tx, once.as_ref())
                    .await?
                    .is_some()
                {
                    return Ok((self.show_in(tx, &request.id).await?, false));
                }
                request.state = request
                    .state
                    .clone()
                    .complete(outcome)
                    .map_err(|wrong| Refusal::Closed(wrong.0))?;
                let late = self.completed_late(tx, &request, &config, now).await?;
                let mut detail = json!({"outcome": outcome, "message": message});
                if late {
                    detail["afterSessionEnd"] = true.into();
                }
                self.save(
                    tx,
                    caller,
                    &mut request,
                    AuditEventKind::RequestCompleted,
                    detail,
                    now,
                )
                .await?;
                idempotency::store_response(
                    tx,
                    once.as_ref(),
                    &ResponseSubject::request(&request.id),
                    now,
                )
                .await?;
                Ok((self.show_in(tx, &request.id).await?, true))
            })
            .await?;
        if moved {
            self.notify_changes(&[(shown.request.id.clone(), shown.request.version)]);
        }
        Ok(shown)
    }
}

/// Only the principal that submitted it, or the requester, may carry it out.
fn check_may_execute(caller: &Caller, request: &Request) -> Result<(), AppError> {
    if caller.principal == request.submitted_by || caller.principal == request.requester {
        return Ok(());
    }
    Err(Refusal::NotYours.into())
}
