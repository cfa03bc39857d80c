//! The review that a break-glass session owes once it is over: given by somebody who took no part, and asked for until it is there.

use super::once::{self, Kept, Once};
use super::sessions::{A_WEEK, ALL_USES, AT_ONCE};
use super::{App, AppError};
use crate::domain::audit::What;
use crate::domain::break_glass::{
    Review, Session, SessionEvent, SessionState, ShownSession, involved,
};
use crate::domain::document::BreakGlassRules;
use crate::domain::id::{PersonId, SessionId};
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::time::Timestamp;
use crate::store::Tx;
use serde_json::json;

impl App {
    /// Marks a session that is over as reviewed, with what the reviewer found. Nobody who took part in it may.
    pub async fn review_session(
        &self,
        caller: &Caller,
        id: &SessionId,
        note: &str,
        once: Option<Once>,
    ) -> Result<ShownSession, AppError> {
        let reviewed = self
            .0
            .db
            .unit::<_, AppError>(async |tx| {
                let (rules, now) = self.hold_rules(tx).await?;
                if let Some(kept) = once::before(tx, once.as_ref()).await? {
                    return self.kept_session(tx, &kept, &rules, now).await;
                }
                let Some(person) = caller.principal.person() else {
                    let why = "Only people review break-glass sessions.";
                    return Err(Refusal::Forbidden(why.to_owned()).into());
                };
                let session = self.load_session(tx, id, &rules, now).await?;
                let mut session = session.ok_or(Refusal::NoSession)?;
                self.close_if_over(tx, &mut session, &rules, now).await?;
                let uses = self.load_uses(tx, &session, ALL_USES, &rules).await?;
                let owners = self.token_owners_of(tx, &session, &rules, now).await?;
                rules.check_review(&session, &involved(&uses, &owners), person)?;
                let review = Review::new(person, note, now).map_err(Refusal::Violations)?;
                self.save_review(tx, caller, &mut session, review, &rules, now)
                    .await?;
                once::keep(tx, once.as_ref(), &Kept::session(id), now).await?;
                self.shown_session(tx, session, &rules, now).await
            })
            .await?;
        self.moved(&[]);
        Ok(reviewed)
    }

    async fn save_review(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        session: &mut Session,
        review: Review,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let event = SessionEvent::Reviewed {
            by: rules.directory().name(&review.by).to_owned(),
            note: review.note.clone(),
        };
        let detail = json!({"justification": session.reason, "note": review.note});
        session.state = session.state.clone().review(review).map_err(|wrong| {
            Refusal::SessionClosed(wrong.0, "It can be reviewed once it is over.".to_owned())
        })?;
        tx.save_session(session, None).await?;
        self.record_session(
            tx,
            What::SessionReviewed,
            caller,
            session,
            None,
            detail,
            now,
        )
        .await?;
        self.alert_session(tx, session, event, rules, now).await?;
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
            .nagging_sessions(now, AT_ONCE)
            .await?;
        if owed.is_empty() {
            return Ok(false);
        }
        self.0
            .db
            .unit::<_, AppError>(async |tx| {
                let (rules, now) = self.hold_rules(tx).await?;
                for session in tx.nagging_sessions(now, AT_ONCE).await? {
                    let session = session.recognised(rules.directory());
                    if let SessionState::Ended { at, .. } = session.state {
                        let event = SessionEvent::ReviewOwed { ended_at: at };
                        self.alert_session(tx, &session, event, &rules, now).await?;
                    }
                    tx.remind_of_session(&session.id, now.plus(A_WEEK)).await?;
                }
                Ok(())
            })
            .await?;
        self.moved(&[]);
        Ok(true)
    }

    /// Where the configuration says so, somebody whose last session nobody has reviewed may not start another one.
    pub(super) async fn check_owed(
        &self,
        tx: &mut Tx,
        door: &BreakGlassRules,
        initiator: &PersonId,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<(), AppError> {
        if !door.review_before_next {
            return Ok(());
        }
        let owed = tx.owed_sessions(now, ALL_USES).await?;
        let lapsed = tx.lapsed_sessions(now, ALL_USES).await?;
        let mut over = owed.iter().chain(&lapsed);
        let own = |session: &&Session| rules.directory().canonical(&session.initiator) == initiator;
        match over.find(own) {
            None => Ok(()),
            Some(session) => Err(Refusal::Forbidden(format!(
                "Your session {} has not been reviewed yet. Somebody who took no part in it can do so; then you may start another one.",
                session.id
            ))
            .into()),
        }
    }
}
