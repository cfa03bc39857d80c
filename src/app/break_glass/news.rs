//! What is recorded and told of break-glass sessions, in the commit of what happened (docs/decisions.md D28, D29).

use crate::app::emails::StoredAlert;
use crate::app::{App, AppError};
use crate::domain::action::Action;
use crate::domain::audit::{AuditEvent, AuditEventKind};
use crate::domain::break_glass::{
    Bypassed, Session, SessionAlert, SessionEvent, SessionState, SessionUse, UseLine,
};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::id::{AuditId, OutboxId, SessionId};
use crate::domain::message::Message;
use crate::domain::principal::Caller;
use crate::domain::progress::{self, PolicyProgress};
use crate::domain::request::{Request, State};
use crate::domain::time::Timestamp;
use crate::store::{SessionPost, Tx};
use serde_json::{Value, json};

impl App {
    /// An audit row that belongs to a session.
    #[expect(clippy::too_many_arguments, reason = "the columns of an audit row")]
    pub(in crate::app) async fn record_session(
        &self,
        tx: &mut Tx,
        what: AuditEventKind,
        caller: &Caller,
        session: &Session,
        request: Option<&Request>,
        detail: Value,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let event = AuditEvent {
            id: AuditId::from_uuid(self.0.ids.next(now)),
            at: now,
            what,
            actor: caller.principal.clone(),
            via: caller.via,
            request: request
                .map(|request| request.id.clone())
                .or_else(|| session.request.as_ref().map(|asked| asked.id.clone())),
            session: Some(session.id.clone()),
            detail,
        };
        self.record_about_session(tx, &event, session).await
    }

    /// Tells the security channel, and whoever is to be told besides.
    pub(in crate::app) async fn alert_session(
        &self,
        tx: &mut Tx,
        session: &Session,
        event: SessionEvent,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let alert = SessionAlert::new(session, event, config, now);
        let in_channel = Message::Session {
            channel: config.security_channel(session).clone(),
            alert: Box::new(alert.clone()),
        };
        let told = config.told_of_sessions().into_iter();
        let direct = told.map(|person| Message::SessionTold {
            to: person.id.clone(),
            alert: Box::new(alert.clone()),
        });
        let alerts: Vec<StoredAlert> = [in_channel]
            .into_iter()
            .chain(direct)
            .map(|message| StoredAlert {
                id: OutboxId::from_uuid(self.0.ids.next(now)),
                message,
            })
            .collect();
        for alert in &alerts {
            tx.send(&alert.id, &alert.message, now).await?;
        }
        self.store_alert_emails(tx, &alerts, config, now).await
    }

    /// The buttons of earlier alerts are of no use any more.
    pub(in crate::app) async fn refresh_posts(
        &self,
        tx: &mut Tx,
        session: &Session,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let message = Message::SessionPosts {
            session: session.id.clone(),
        };
        let id = OutboxId::from_uuid(self.0.ids.next(now));
        Ok(tx.send(&id, &message, now).await?)
    }

    /// Where a session's alerts stand in Slack.
    pub async fn session_posts(&self, id: &SessionId) -> Result<Vec<SessionPost>, AppError> {
        Ok(self.0.db.read().await?.session_posts(id).await?)
    }

    /// Remembers where an alert stands; whatever has changed while it was under way is brought up to date.
    pub async fn keep_session_post(
        &self,
        tx: &mut Tx,
        post: &SessionPost,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let id = &post.alert.session;
        tx.keep_session_post(id, post).await?;
        let Some(session) = tx.readable_session(id, now).await? else {
            return Ok(());
        };
        // what asks for an end, or for a review, is of no use once that has come
        let useful = match post.alert.event.asks_while() {
            None => true,
            Some(status) => session.state.status() == status,
        };
        if useful {
            return Ok(());
        }
        self.refresh_posts(tx, &session, now).await
    }

    /// Puts messages into the outbox of a worker's unit.
    pub async fn tell(
        &self,
        tx: &mut Tx,
        messages: Vec<Message>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        self.send(tx, messages, now).await
    }

    /// Tells of a request that a session has let past policies; says what the audit row adds about it.
    pub(in crate::app) async fn used(
        &self,
        tx: &mut Tx,
        session: &SessionId,
        action: &Action,
        request: &Request,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<Value, AppError> {
        let Some(session) = self.load_session(tx, session, config, now).await? else {
            return Ok(Value::Null);
        };
        let missing = missing(request, config);
        let event = SessionEvent::Used {
            request: request.id.clone(),
            line: UseLine {
                number: request.number,
                who: config.name_of(&request.submitted_by),
                action: action.name.clone(),
                target: request.target.to_string(),
                status: request.state.status().to_string(),
            },
            bypassed: missing
                .iter()
                .map(|policy| Bypassed {
                    name: policy.name.clone(),
                    missing: policy.missing.clone(),
                })
                .collect(),
            gated: request
                .gates
                .iter()
                .map(|gate| gate.template.name.clone())
                .collect(),
        };
        self.alert_session(tx, &session, event, config, now).await?;
        Ok(detail(&session, &missing))
    }

    /// What an audit row says of the session that a request went past policies under; null where it did not.
    pub(in crate::app) async fn under_session(
        &self,
        tx: &mut Tx,
        request: &Request,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<Value, AppError> {
        let Some(id) = request
            .session
            .as_ref()
            .filter(|_| !request.bypassed.is_empty())
        else {
            return Ok(Value::Null);
        };
        let session = self.load_session(tx, id, config, now).await?;
        Ok(session.map_or(Value::Null, |session| {
            detail(&session, &missing(request, config))
        }))
    }

    /// What was granted under a session and is completed after its end is flagged, and told.
    pub(in crate::app) async fn completed_late(
        &self,
        tx: &mut Tx,
        request: &Request,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<bool, AppError> {
        let Some(id) = request
            .session
            .as_ref()
            .filter(|_| !request.bypassed.is_empty())
        else {
            return Ok(false);
        };
        let Some(session) = self.load_readable_session(tx, id, config, now).await? else {
            return Ok(false);
        };
        let (SessionState::Ended { at, .. } | SessionState::Reviewed { at, .. }) =
            session.state.clone().at(now)
        else {
            return Ok(false);
        };
        let line = UseLine::of(&use_of(request), config);
        let event = SessionEvent::CompletedLate { line, ended_at: at };
        self.alert_session(tx, &session, event, config, now).await?;
        Ok(true)
    }
}

/// The policies that were bypassed, each with what it had needed.
fn missing(request: &Request, config: &CompiledConfig) -> Vec<PolicyProgress> {
    progress::evaluate(
        &request.bypassed,
        &request.excluded,
        &[],
        config.directory(),
    )
}

/// The specification's audit fields: session, justification, bypassed policies.
fn detail(session: &Session, bypassed: &[PolicyProgress]) -> Value {
    let policies: Vec<Value> = bypassed
        .iter()
        .map(|policy| json!({"id": policy.policy, "version": policy.version, "missing": policy.missing}))
        .collect();
    json!({"session": session.id, "justification": session.reason, "bypassedPolicies": policies})
}

fn use_of(request: &Request) -> SessionUse {
    SessionUse {
        request: request.id.clone(),
        number: request.number,
        action: request.action.clone(),
        target: request.target.clone(),
        by: request.submitted_by.clone(),
        requester: request.requester.clone(),
        at: request.created_at,
        status: request.state.status(),
        outcome: match request.state {
            State::Completed { outcome, .. } => Some(outcome),
            State::Pending { .. }
            | State::Granted { .. }
            | State::Rejected
            | State::Cancelled
            | State::Expired
            | State::Executed { .. } => None,
        },
    }
}
