//! Break-glass sessions: started, revoked, reviewed, closed by time (docs/decisions.md D27). Each event, its audit row and its alerts commit
//! together; whatever changes a session holds the rules exclusively, so that nothing is used after a revocation's commit.

mod news;
mod review;
mod sessions;

pub use sessions::SessionPage;

use crate::app::idempotency::{self, IdempotencyKey, ResponseSubject};
use crate::app::submit::Draft;
use crate::app::{App, AppError};
use crate::domain::ask::AdmittedRequest;
use crate::domain::audit::AuditEventKind;
use crate::domain::break_glass::{
    AskedBy, Session, SessionAsk, SessionDetails, SessionEvent, SessionStart, SessionState, UseLine,
};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::digest::{canonical, content_digest};
use crate::domain::document::BreakGlassConfig;
use crate::domain::id::{PersonId, RequestId, SessionId};
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::{Outcome, Request};
use crate::domain::request_details::RequestDetails;
use crate::domain::time::{Span, Timestamp};
use crate::store::{StoreError, Tx};
use serde_json::{Value, json};
use sessions::{ALL_USES, BATCH_SIZE, REVIEW_REMINDER_INTERVAL};

/// What became of a start.
#[derive(Debug, Clone)]
pub struct Started {
    /// The session: active, or pending while policies gate its start.
    pub session: SessionDetails,
    /// The request that waits for approvers, where policies gate it.
    pub request: Option<RequestDetails>,
}

impl App {
    /// Starts a session, or asks for it where policies gate that. Only people may.
    pub(in crate::app) async fn try_start_session(
        &self,
        caller: &Caller,
        ask: SessionAsk,
        once: Option<IdempotencyKey>,
    ) -> Result<Started, AppError> {
        let started = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                self.start_in(tx, caller, &ask, once.as_ref()).await
            })
            .await
            .map_err(|error| self.with_suggestions(error))?;
        self.notify_changes(&[]);
        Ok(started)
    }

    async fn start_in(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        ask: &SessionAsk,
        once: Option<&IdempotencyKey>,
    ) -> Result<Started, AppError> {
        tx.lock_config().await?;
        let now = self.now();
        let version = tx.config_versions().await?;
        let config = self.compiled_config_at(tx, version).await?;
        if let Some(kept) = idempotency::stored_response(tx, once).await? {
            return self.started_before(tx, &kept, &config, now).await;
        }
        let Some(initiator) = caller.principal.person() else {
            let why =
                "Only people start break-glass sessions; name a service as a responder instead.";
            return Err(Refusal::Forbidden(why.to_owned()).into());
        };
        let settings = config.may_start(initiator)?;
        self.check_owed(tx, settings, initiator, &config, now)
            .await?;
        let id = SessionId::from_uuid(self.0.ids.next(now));
        let start = config
            .read_start(ask, initiator, settings, id)
            .map_err(Refusal::Violations)?;
        let admitted = admit(&config, caller, &start, now)?;
        let mut session = session_of(&start, initiator, settings, now);
        let request = if admitted.gates.is_empty() {
            self.check_clock()?; // a gated start is checked when it is approved
            self.begin(tx, caller, &mut session, &config, now).await?;
            tx.insert_session(&session).await?;
            None
        } else {
            let asked = self
                .request_start(tx, caller, &config, &admitted, &start, now)
                .await?;
            session.request = Some(AskedBy {
                id: asked.id.clone(),
                number: asked.number,
            });
            tx.insert_session(&session).await?;
            Some(self.show_in(tx, &asked.id).await?)
        };
        idempotency::store_response(tx, once, &ResponseSubject::session(&session.id), now).await?;
        Ok(Started {
            session: self.shown_session(tx, session, &config, now).await?,
            request,
        })
    }

    async fn started_before(
        &self,
        tx: &mut Tx,
        kept: &ResponseSubject,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<Started, AppError> {
        let session = self.kept_session(tx, kept, config, now).await?;
        let request = match &session.session.request {
            Some(asked) => Some(self.show_in(tx, &asked.id).await?),
            None => None,
        };
        Ok(Started { session, request })
    }

    /// The session that this very call was about before.
    pub(in crate::app) async fn kept_session(
        &self,
        tx: &mut Tx,
        kept: &ResponseSubject,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<SessionDetails, AppError> {
        let id = kept.session.as_ref().ok_or(Refusal::KeyReused)?;
        let session = self.load_session(tx, id, config, now).await?;
        let session = session.ok_or(Refusal::NoSession)?;
        self.shown_session(tx, session, config, now).await
    }

    /// Its time begins now: audit row and alerts.
    async fn begin(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        session: &mut Session,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<(), AppError> {
        session.state = session
            .state
            .clone()
            .start(now, session.duration)
            .map_err(|wrong| {
                Refusal::SessionClosed(wrong.0, "It was already started.".to_owned())
            })?;
        let detail = json!({
            "justification": session.reason, "scope": session.scope, "responders": session.responders,
            "initiator": session.initiator, "duration": session.duration, "until": until(session).rfc3339(),
        });
        self.record_session(
            tx,
            AuditEventKind::SessionStarted,
            caller,
            session,
            None,
            detail,
            now,
        )
        .await?;
        let event = SessionEvent::Started {
            until: until(session),
        };
        self.alert_session(tx, session, event, config, now).await
    }

    /// The start becomes a request whose payload is the start.
    async fn request_start(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        config: &CompiledConfig,
        admitted: &AdmittedRequest,
        start: &SessionStart,
        now: Timestamp,
    ) -> Result<Request, AppError> {
        self.check_limits(tx, config, &caller.principal, now)
            .await?;
        let payload = canonical(start).map_err(|error| AppError::Internal(error.to_string()))?;
        let draft = Draft {
            id: RequestId::from_uuid(self.0.ids.next(now)),
            requester: caller.principal.clone(),
            digest: content_digest(&admitted.action.id, &admitted.target, &payload),
            payload,
            session: Some(start.session.clone()),
            replaces: None,
            callback_url: None,
            asked_in: None,
        };
        self.file_request(tx, caller, config, admitted, draft, now)
            .await
    }

    /// Starts what was approved, in the approving commit, with starter and bounds checked again; says why not where it cannot.
    pub(in crate::app) async fn start_approved(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        request: &Request,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<Result<Value, String>, AppError> {
        let start: SessionStart = serde_json::from_str(&request.payload)
            .map_err(|error| StoreError::Unreadable(format!("a session's start: {error}")))?;
        let Some(mut session) = self.load_session(tx, &start.session, config, now).await? else {
            return Err(StoreError::Unreadable(format!("{} is gone", start.session)).into());
        };
        let refused = |why: String| Ok(Err(start_refused(&why)));
        let settings = match config.may_start(&session.initiator) {
            Ok(settings) => settings,
            Err(refusal) => return refused(refusal.detail()),
        };
        let owed = self.check_owed(tx, settings, &session.initiator, config, now);
        match owed.await {
            Ok(()) => {}
            Err(AppError::Refused(refusal)) => return refused(refusal.detail()),
            Err(error) => return Err(error),
        }
        let troubles = config.start_troubles(&start, settings);
        if !troubles.is_empty() {
            return refused(Refusal::Violations(troubles).detail());
        }
        self.begin(tx, caller, &mut session, config, now).await?;
        tx.save_session(&session, None).await?;
        Ok(Ok(
            json!({"breakGlassSession": session.id, "outcome": Outcome::Succeeded}),
        ))
    }

    /// Ends a session before its time: nothing is usable from this commit on, on any replica.
    pub(in crate::app) async fn try_revoke_session(
        &self,
        caller: &Caller,
        id: &SessionId,
        once: Option<IdempotencyKey>,
    ) -> Result<SessionDetails, AppError> {
        let revoked = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                let (config, now) = self.lock_config_for_session(tx).await?;
                if let Some(kept) = idempotency::stored_response(tx, once.as_ref()).await? {
                    return self.kept_session(tx, &kept, &config, now).await;
                }
                let session = self.load_session(tx, id, &config, now).await?;
                let mut session = session.ok_or(Refusal::NoSession)?;
                config.check_revoke(&session, &caller.principal)?;
                session.state = session
                    .state
                    .clone()
                    .revoke(now, caller.principal.clone())
                    .map_err(|wrong| {
                        Refusal::SessionClosed(wrong.0, "It has already ended.".to_owned())
                    })?;
                self.close_session(tx, caller, &session, &config, now)
                    .await?;
                idempotency::store_response(tx, once.as_ref(), &ResponseSubject::session(id), now)
                    .await?;
                self.shown_session(tx, session, &config, now).await
            })
            .await?;
        self.notify_changes(&[]);
        Ok(revoked)
    }

    /// Records the end of a session and tells of it, with what was done under it.
    pub(in crate::app) async fn close_session(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        session: &Session,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let Some((from, at)) = session.state.ran() else {
            return Ok(());
        };
        tx.save_session(session, Some(at.plus(REVIEW_REMINDER_INTERVAL)))
            .await?;
        tx.cut_grants_of(&session.id, at).await?;
        let uses = self
            .load_readable_uses(tx, session, ALL_USES, config)
            .await?;
        let detail = json!({
            "justification": session.reason, "endedBy": session.state.ended_by(), "endedAt": at.rfc3339(),
            "duration": Span(at.0 - from.0), "uses": uses.iter().map(|one| &one.request).collect::<Vec<_>>(),
        });
        self.record_session(
            tx,
            AuditEventKind::SessionEnded,
            caller,
            session,
            None,
            detail,
            now,
        )
        .await?;
        let (lines, more) = UseLine::some_of(&uses, config);
        let revoked = caller.principal != Principal::Bot;
        let event = SessionEvent::Ended {
            revoked_by: revoked.then(|| config.name_of(&caller.principal)),
            by_initiator: revoked && caller.principal.person() == Some(&session.initiator),
            from,
            at,
            uses: lines,
            more,
        };
        self.alert_session(tx, session, event, config, now).await?;
        self.refresh_posts(tx, session, now).await
    }

    /// Closes sessions that time has ended, however late it is noticed, each in its own unit: one that cannot be closed stops none of
    /// the others. Says whether there may be more.
    pub async fn close_sessions(&self) -> Result<bool, AppError> {
        let lapsed = self
            .0
            .db
            .read()
            .await?
            .lapsed_sessions(self.now(), BATCH_SIZE)
            .await?;
        let (mut closed, mut failed) = (false, Ok(()));
        for session in lapsed {
            match self.close_one(&session.id).await {
                Ok(()) => closed = true,
                Err(AppError::Internal(why)) => {
                    tracing::error!(session = %session.id, why, "a session could not be closed");
                    failed = Err(AppError::Internal(why));
                }
                Err(error) => return Err(error),
            }
        }
        if closed {
            self.notify_changes(&[]);
        }
        failed.map(|()| closed)
    }

    async fn close_one(&self, id: &SessionId) -> Result<(), AppError> {
        self.0
            .db
            .transaction(async |tx| {
                let (config, now) = self.lock_config_for_session(tx).await?;
                match self.load_readable_session(tx, id, &config, now).await? {
                    Some(mut session) => self.close_if_over(tx, &mut session, &config, now).await,
                    None => Ok(()),
                }
            })
            .await
    }

    pub(in crate::app) async fn close_if_over(
        &self,
        tx: &mut Tx,
        session: &mut Session,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<(), AppError> {
        if let Ok(over) = session.state.clone().lapse(now) {
            session.state = over;
            self.close_session(tx, &Caller::bot(), session, config, now)
                .await?;
        }
        Ok(())
    }

    pub(in crate::app) async fn lock_config_for_session(
        &self,
        tx: &mut Tx,
    ) -> Result<(std::sync::Arc<CompiledConfig>, Timestamp), AppError> {
        tx.lock_config().await?;
        let version = tx.config_versions().await?;
        let config = self.compiled_config_at(tx, version).await?;
        Ok((config, self.now()))
    }
}

/// Why an approved start was cancelled, as the timeline says it.
pub(in crate::app) fn start_refused(why: &str) -> String {
    format!("start_refused: {why}")
}

fn until(session: &Session) -> Timestamp {
    session
        .state
        .ran()
        .map_or(session.asked_at, |(_, until)| until)
}

/// What gates the start, and whether people can approve it.
fn admit(
    config: &CompiledConfig,
    caller: &Caller,
    start: &SessionStart,
    now: Timestamp,
) -> Result<AdmittedRequest, AppError> {
    config
        .admit_break_glass_start(&start.reason, caller, &start.scope.reach(), now)
        .map_err(|broken| Refusal::Violations(broken).into())
}

fn session_of(
    start: &SessionStart,
    initiator: &PersonId,
    settings: &BreakGlassConfig,
    now: Timestamp,
) -> Session {
    Session {
        id: start.session.clone(),
        initiator: initiator.clone(),
        reason: start.reason.clone(),
        scope: start.scope.clone(),
        responders: start.responders.clone(),
        duration: start.duration,
        channel: settings.security_channel.clone(),
        request: None,
        asked_at: now,
        state: SessionState::Pending,
    }
}
