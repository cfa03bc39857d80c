//! The review that a break-glass session owes once it is over: given by somebody who took no part, and asked for until it is there.

use super::sessions::{ALL_USES, BATCH_SIZE, REVIEW_REMINDER_INTERVAL};
use crate::app::idempotency::{self, IdempotencyKey, ResponseSubject};
use crate::app::{App, AppError};
use crate::domain::audit::AuditEventKind;
use crate::domain::break_glass::{
    Session, SessionDetails, SessionEvent, SessionReview, SessionState, involved,
};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::BreakGlassConfig;
use crate::domain::id::{PersonId, SessionId};
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::store::Tx;
use serde_json::json;

impl App {
    /// Marks a session that is over as reviewed, with what the reviewer found. Nobody who took part in it may.
    pub(in crate::app) async fn try_review_session(
        &self,
        caller: &Caller,
        id: &SessionId,
        note: &str,
        once: Option<IdempotencyKey>,
    ) -> Result<SessionDetails, AppError> {
        let reviewed = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                let (config, now) = self.lock_config_for_session(tx).await?;
                if let Some(kept) = idempotency::stored_response(tx, once.as_ref()).await? {
                    return self.kept_session(tx, &kept, &config, now).await;
                }
                let Some(person) = caller.principal.person() else {
                    let why = "Only people review break-glass sessions.";
                    return Err(Refusal::Forbidden(why.to_owned()).into());
                };
                let session = self.load_session(tx, id, &config, now).await?;
                let mut session = session.ok_or(Refusal::NoSession)?;
                self.close_if_over(tx, &mut session, &config, now).await?;
                let uses = self.load_uses(tx, &session, ALL_USES, &config).await?;
                let owners = self.token_owners_of(tx, &session, &config, now).await?;
                config.check_review(&session, &involved(&uses, &owners), person)?;
                let review = SessionReview::new(person, note, now).map_err(Refusal::Violations)?;
                self.save_review(tx, caller, &mut session, review, &config, now)
                    .await?;
                idempotency::store_response(tx, once.as_ref(), &ResponseSubject::session(id), now)
                    .await?;
                self.shown_session(tx, session, &config, now).await
            })
            .await?;
        self.notify_changes(&[]);
        Ok(reviewed)
    }

    async fn save_review(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        session: &mut Session,
        review: SessionReview,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let event = SessionEvent::Reviewed {
            by: config.directory().name(&review.by).to_owned(),
            note: review.note.clone(),
        };
        let detail = json!({"justification": session.reason, "note": review.note});
        session.state = session.state.clone().review(review).map_err(|wrong| {
            Refusal::SessionClosed(wrong.0, "It can be reviewed once it is over.".to_owned())
        })?;
        tx.save_session(session, None).await?;
        self.record_session(
            tx,
            AuditEventKind::SessionReviewed,
            caller,
            session,
            None,
            detail,
            now,
        )
        .await?;
        self.alert_session(tx, session, event, config, now).await?;
        self.refresh_posts(tx, session, now).await
    }

    /// Asks again, once a week, for reviews that are owed. Says whether there may be more.
    pub async fn ask_for_reviews(&self) -> Result<bool, AppError> {
        let now = self.now();
        let owed = self
            .0
            .db
            .read()
            .await?
            .nagging_sessions(now, BATCH_SIZE)
            .await?;
        if owed.is_empty() {
            return Ok(false);
        }
        self.0
            .db
            .transaction::<_, AppError>(async |tx| {
                let (config, now) = self.lock_config_for_session(tx).await?;
                for session in tx.nagging_sessions(now, BATCH_SIZE).await? {
                    let session = session.canonicalize_people(config.directory());
                    if let SessionState::Ended { at, .. } = session.state {
                        let event = SessionEvent::ReviewOwed { ended_at: at };
                        self.alert_session(tx, &session, event, &config, now)
                            .await?;
                    }
                    tx.remind_of_session(&session.id, now.plus(REVIEW_REMINDER_INTERVAL))
                        .await?;
                }
                Ok(())
            })
            .await?;
        self.notify_changes(&[]);
        Ok(true)
    }

    /// Where the configuration says so, somebody whose last session nobody has reviewed may not start another one.
    pub(in crate::app) async fn check_owed(
        &self,
        tx: &mut Tx,
        settings: &BreakGlassConfig,
        initiator: &PersonId,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<(), AppError> {
        if !settings.review_before_next {
            return Ok(());
        }
        let owed = tx.unreviewed_sessions(now, ALL_USES).await?;
        let own =
            |session: &&Session| config.directory().canonical(&session.initiator) == initiator;
        match owed.iter().find(own) {
            None => Ok(()),
            Some(session) => Err(Refusal::Forbidden(format!(
                "Your session {} has not been reviewed yet. Somebody who took no part in it can do so; then you may start another one.",
                session.id
            ))
            .into()),
        }
    }
}
