//! Break-glass sessions: started, revoked, reviewed, closed by time (design 2.7). Each event, its audit row and its alerts commit
//! together; whatever changes a session holds the rules exclusively, so that nothing is used after a revocation's commit.

use super::once::{self, Kept, Once};
use super::sessions::{A_WEEK, ALL_USES, AT_ONCE};
use super::submit::Draft;
use super::{App, AppError};
use crate::domain::action;
use crate::domain::audit::What;
use crate::domain::break_glass::{
    AskedBy, Session, SessionEvent, SessionState, ShownSession, Start, StartAsk, UseLine,
};
use crate::domain::digest::{canonical, content_digest};
use crate::domain::document::BreakGlassRules;
use crate::domain::id::{PersonId, RequestId, SessionId};
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::{Outcome, Request};
use crate::domain::rules::{Admitted, Ask, Rules};
use crate::domain::shown::Shown;
use crate::domain::time::{Span, Timestamp};
use crate::store::{StoreError, Tx};
use serde_json::{Value, json};

/// What became of a start.
#[derive(Debug, Clone)]
pub struct Started {
    /// The session: active, or pending while policies gate its start.
    pub session: ShownSession,
    /// The request that waits for approvers, where policies gate it.
    pub request: Option<Shown>,
}

impl App {
    /// Starts a session, or asks for it where policies gate that. Only people may.
    pub async fn start_session(
        &self,
        caller: &Caller,
        ask: StartAsk,
        once: Option<Once>,
    ) -> Result<Started, AppError> {
        let started = self
            .0
            .db
            .unit::<_, AppError>(async |tx| self.start_in(tx, caller, &ask, once.as_ref()).await)
            .await?;
        self.moved(&[]);
        Ok(started)
    }

    async fn start_in(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        ask: &StartAsk,
        once: Option<&Once>,
    ) -> Result<Started, AppError> {
        tx.lock_rules().await?;
        let now = self.now();
        let version = tx.rules_version().await?;
        let rules = self.rules_at(tx, version).await?;
        if let Some(kept) = once::before(tx, once).await? {
            return self.started_before(tx, &kept, &rules, now).await;
        }
        let Some(initiator) = caller.principal.person() else {
            let why =
                "Only people start break-glass sessions; name a service as a responder instead.";
            return Err(Refusal::Forbidden(why.to_owned()).into());
        };
        let door = rules.may_start(initiator)?;
        self.check_owed(tx, door, initiator, &rules, now).await?;
        let id = SessionId::from_uuid(self.0.ids.next(now));
        let start = rules
            .read_start(ask, initiator, door, id)
            .map_err(Refusal::Violations)?;
        let admitted = admit(&rules, caller, &start, now)?;
        let mut session = session_of(&start, initiator, door, now);
        let request = if admitted.gates.is_empty() {
            self.begin(tx, caller, &mut session, &rules, now).await?;
            tx.insert_session(&session).await?;
            None
        } else {
            let asked = self
                .request_start(tx, caller, &rules, &admitted, &start, now)
                .await?;
            session.request = Some(AskedBy {
                id: asked.id.clone(),
                number: asked.number,
            });
            tx.insert_session(&session).await?;
            Some(self.show_in(tx, &asked.id).await?)
        };
        once::keep(tx, once, &Kept::session(&session.id), now).await?;
        Ok(Started {
            session: self.shown_session(tx, session, &rules, now).await?,
            request,
        })
    }

    async fn started_before(
        &self,
        tx: &mut Tx,
        kept: &Kept,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Started, AppError> {
        let session = self.kept_session(tx, kept, rules, now).await?;
        let request = match &session.session.request {
            Some(asked) => Some(self.show_in(tx, &asked.id).await?),
            None => None,
        };
        Ok(Started { session, request })
    }

    /// The session that this very call was about before.
    pub(super) async fn kept_session(
        &self,
        tx: &mut Tx,
        kept: &Kept,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<ShownSession, AppError> {
        let id = kept.session.as_ref().ok_or(Refusal::KeyReused)?;
        let session = self.load_session(tx, id, rules, now).await?;
        let session = session.ok_or(Refusal::NoSession)?;
        self.shown_session(tx, session, rules, now).await
    }

    /// Its time begins now: audit row and alerts.
    async fn begin(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        session: &mut Session,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<(), AppError> {
        session.state = session
            .state
            .clone()
            .start(now, session.duration)
            .map_err(|wrong| {
                Refusal::SessionClosed(wrong.0, "It has been started before.".to_owned())
            })?;
        let detail = json!({
            "justification": session.reason, "scope": session.scope, "responders": session.responders,
            "initiator": session.initiator, "duration": session.duration, "until": until(session).rfc3339(),
        });
        self.record_session(tx, What::SessionStarted, caller, session, None, detail, now)
            .await?;
        let event = SessionEvent::Started {
            until: until(session),
        };
        self.alert_session(tx, session, event, rules, now).await
    }

    /// The start becomes a request whose payload is the start.
    async fn request_start(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        rules: &Rules,
        admitted: &Admitted,
        start: &Start,
        now: Timestamp,
    ) -> Result<Request, AppError> {
        let payload = canonical(start).map_err(|error| AppError::Internal(error.to_string()))?;
        let draft = Draft {
            id: RequestId::from_uuid(self.0.ids.next(now)),
            requester: caller.principal.clone(),
            digest: content_digest(&admitted.action.id, &admitted.target, &payload),
            payload,
            session: Some(start.session.clone()),
            replaces: None,
        };
        self.file_request(tx, caller, rules, admitted, draft, now)
            .await
    }

    /// Starts what was approved, in the approving commit, with starter and bounds checked again; says why not where it cannot.
    pub(super) async fn start_approved(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        request: &Request,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Result<Value, String>, AppError> {
        let start: Start = serde_json::from_str(&request.payload)
            .map_err(|error| StoreError::Unreadable(format!("a session's start: {error}")))?;
        let Some(mut session) = self.load_session(tx, &start.session, rules, now).await? else {
            return Err(StoreError::Unreadable(format!("{} is gone", start.session)).into());
        };
        let refused = |why: String| Ok(Err(start_refused(&why)));
        let door = match rules.may_start(&session.initiator) {
            Ok(door) => door,
            Err(refusal) => return refused(refusal.detail()),
        };
        let owed = self.check_owed(tx, door, &session.initiator, rules, now);
        match owed.await {
            Ok(()) => {}
            Err(AppError::Refused(refusal)) => return refused(refusal.detail()),
            Err(error) => return Err(error),
        }
        let troubles = rules.start_troubles(&start, door);
        if !troubles.is_empty() {
            return refused(Refusal::Violations(troubles).detail());
        }
        self.begin(tx, caller, &mut session, rules, now).await?;
        tx.save_session(&session, None).await?;
        Ok(Ok(
            json!({"breakGlassSession": session.id, "outcome": Outcome::Succeeded}),
        ))
    }

    /// Ends a session before its time: nothing is usable from this commit on, on any replica.
    pub async fn revoke_session(
        &self,
        caller: &Caller,
        id: &SessionId,
        once: Option<Once>,
    ) -> Result<ShownSession, AppError> {
        let revoked = self
            .0
            .db
            .unit::<_, AppError>(async |tx| {
                let (rules, now) = self.hold_rules(tx).await?;
                if let Some(kept) = once::before(tx, once.as_ref()).await? {
                    return self.kept_session(tx, &kept, &rules, now).await;
                }
                let session = self.load_session(tx, id, &rules, now).await?;
                let mut session = session.ok_or(Refusal::NoSession)?;
                rules.check_revoke(&session, &caller.principal)?;
                session.state = session
                    .state
                    .clone()
                    .revoke(now, caller.principal.clone())
                    .map_err(|wrong| {
                        Refusal::SessionClosed(wrong.0, "There is nothing left to end.".to_owned())
                    })?;
                self.close_session(tx, caller, &session, &rules, now)
                    .await?;
                once::keep(tx, once.as_ref(), &Kept::session(id), now).await?;
                self.shown_session(tx, session, &rules, now).await
            })
            .await?;
        self.moved(&[]);
        Ok(revoked)
    }

    /// Records the end of a session and tells of it, with what was done under it.
    pub(super) async fn close_session(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        session: &Session,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let Some((from, at)) = session.state.ran() else {
            return Ok(());
        };
        tx.save_session(session, Some(at.plus(A_WEEK))).await?;
        tx.cut_grants_of(&session.id, at).await?;
        let uses = self.load_uses(tx, session, ALL_USES, rules).await?;
        let detail = json!({
            "justification": session.reason, "endedBy": session.state.ended_by(), "endedAt": at.rfc3339(),
            "duration": Span(at.0 - from.0), "uses": uses.iter().map(|one| &one.request).collect::<Vec<_>>(),
        });
        self.record_session(tx, What::SessionEnded, caller, session, None, detail, now)
            .await?;
        let (lines, more) = UseLine::some_of(&uses, rules);
        let revoked = caller.principal != Principal::Bot;
        let event = SessionEvent::Ended {
            revoked_by: revoked.then(|| rules.name_of(&caller.principal)),
            by_initiator: revoked && caller.principal.person() == Some(&session.initiator),
            from,
            at,
            uses: lines,
            more,
        };
        self.alert_session(tx, session, event, rules, now).await?;
        self.refresh_posts(tx, session, now).await
    }

    /// Closes sessions that time has ended, however late it is noticed. Says whether there may be more.
    pub async fn close_sessions(&self) -> Result<bool, AppError> {
        let now = self.now();
        let lapsed = self
            .0
            .db
            .read()
            .await?
            .lapsed_sessions(now, AT_ONCE)
            .await?;
        if lapsed.is_empty() {
            return Ok(false);
        }
        self.0
            .db
            .unit::<_, AppError>(async |tx| {
                let (rules, now) = self.hold_rules(tx).await?;
                for session in tx.lapsed_sessions(now, AT_ONCE).await? {
                    let mut session = session.recognised(rules.directory());
                    self.close_if_over(tx, &mut session, &rules, now).await?;
                }
                Ok(())
            })
            .await?;
        self.moved(&[]);
        Ok(true)
    }

    pub(super) async fn close_if_over(
        &self,
        tx: &mut Tx,
        session: &mut Session,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<(), AppError> {
        if let Ok(over) = session.state.clone().lapse(now) {
            session.state = over;
            self.close_session(tx, &Caller::bot(), session, rules, now)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn hold_rules(
        &self,
        tx: &mut Tx,
    ) -> Result<(std::sync::Arc<Rules>, Timestamp), AppError> {
        tx.lock_rules().await?;
        let version = tx.rules_version().await?;
        let rules = self.rules_at(tx, version).await?;
        Ok((rules, self.now()))
    }
}

/// Why an approved start was cancelled, as the timeline says it.
pub(super) fn start_refused(why: &str) -> String {
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
    rules: &Rules,
    caller: &Caller,
    start: &Start,
    now: Timestamp,
) -> Result<Admitted, AppError> {
    let ask = Ask {
        action: action::BREAK_GLASS.to_owned(),
        project: None,
        cluster: None,
        environment: None,
        release: None,
        reason: Some(start.reason.clone()),
        requester: caller.principal.clone(),
        submitted_by: caller.principal.clone(),
        owners: Vec::new(),
        authors: Vec::new(),
    };
    rules
        .admit_break_glass_start(&ask, &start.scope.reach(), now)
        .map_err(|broken| Refusal::Violations(broken).into())
}

fn session_of(
    start: &Start,
    initiator: &PersonId,
    door: &BreakGlassRules,
    now: Timestamp,
) -> Session {
    Session {
        id: start.session.clone(),
        initiator: initiator.clone(),
        reason: start.reason.clone(),
        scope: start.scope.clone(),
        responders: start.responders.clone(),
        duration: start.duration,
        channel: door.security_channel.clone(),
        request: None,
        asked_at: now,
        state: SessionState::Pending,
    }
}
