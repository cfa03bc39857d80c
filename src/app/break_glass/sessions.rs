//! Break-glass sessions as they are shown: one, a page of them, those that people have to know of.

use crate::app::{App, AppError};
use crate::domain::break_glass::{Session, SessionDetails, SessionState, SessionUse};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::id::{PersonId, SessionId};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::time::{Span, Timestamp};
use crate::store::Tx;

/// Uses that are summed up at the end; more than there will ever be.
pub(in crate::app) const ALL_USES: i64 = 100_000;
/// Most sessions that one unit closes or asks about.
pub(in crate::app) const BATCH_SIZE: i64 = 16;
/// How long after its end, and how often from then on, an owed review is asked for.
pub(in crate::app) const REVIEW_REMINDER_INTERVAL: Span = Span::hours(7 * 24);
/// Uses that are shown of one session.
const SHOWN_USES: i64 = 500;

/// One page of sessions, newest first.
#[derive(Debug, Clone)]
pub struct SessionPage {
    /// The sessions.
    pub items: Vec<SessionDetails>,
    /// Where the next page begins.
    pub next: Option<String>,
}

impl App {
    /// One session.
    pub async fn session(&self, id: &SessionId) -> Result<SessionDetails, AppError> {
        let mut tx = self.0.db.read().await?;
        let now = self.now();
        let version = tx.config_versions().await?;
        let config = self.compiled_config_at(&mut tx, version).await?;
        let session = tx.session(id, now).await?.ok_or(Refusal::NoSession)?;
        self.shown_session(&mut tx, session, &config, now).await
    }

    /// A session with everybody in it under the id they go by now (threat R09).
    pub(in crate::app) async fn load_session(
        &self,
        tx: &mut Tx,
        id: &SessionId,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<Option<Session>, AppError> {
        let session = tx.session(id, now).await?;
        Ok(session.map(|session| session.canonicalize_people(config.directory())))
    }

    /// What was let past policies under a session, with everybody under the id they go by now.
    pub(in crate::app) async fn load_uses(
        &self,
        tx: &mut Tx,
        session: &Session,
        most: i64,
        config: &CompiledConfig,
    ) -> Result<Vec<SessionUse>, AppError> {
        let uses = tx.uses_of(session, most).await?.into_iter();
        Ok(uses
            .map(|one| one.canonicalize_people(config.directory()))
            .collect())
    }

    /// As [`Self::load_session`]; one that this release cannot read is set aside, and bypasses nothing.
    pub(in crate::app) async fn load_readable_session(
        &self,
        tx: &mut Tx,
        id: &SessionId,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<Option<Session>, AppError> {
        let session = tx.readable_session(id, now).await?;
        Ok(session.map(|session| session.canonicalize_people(config.directory())))
    }

    /// As [`Self::load_uses`], without those that this release cannot read.
    pub(in crate::app) async fn load_readable_uses(
        &self,
        tx: &mut Tx,
        session: &Session,
        most: i64,
        config: &CompiledConfig,
    ) -> Result<Vec<SessionUse>, AppError> {
        let uses = tx.readable_uses_of(session, most).await?.into_iter();
        Ok(uses
            .map(|one| one.canonicalize_people(config.directory()))
            .collect())
    }

    /// The people who answer by a token for a service that could act under a session, by any token that could be used then.
    pub(in crate::app) async fn token_owners_of(
        &self,
        tx: &mut Tx,
        session: &Session,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<Vec<PersonId>, AppError> {
        let (from, to) = session.state.ran().unwrap_or((session.asked_at, now));
        let mut owners = Vec::new();
        for responder in &session.responders {
            if matches!(responder, Principal::Service(_)) {
                owners.extend(tx.token_owners(responder, (from, to)).await?);
            }
        }
        for owner in &mut owners {
            *owner = config.directory().canonical(owner).clone();
        }
        Ok(owners)
    }

    /// Sessions, newest first; the cursor is the last id seen.
    pub async fn sessions(&self, below: Option<&str>, limit: u32) -> Result<SessionPage, AppError> {
        // after every id there is
        const FIRST: &str = "bg_~";
        let limit = i64::from(limit.clamp(1, 100));
        let mut tx = self.0.db.read().await?;
        let now = self.now();
        let listed = tx.list_sessions(below.unwrap_or(FIRST), limit, now).await?;
        let full = i64::try_from(listed.len()).unwrap_or(0) == limit;
        let last = listed.last().map(|session| session.id.to_string());
        Ok(SessionPage {
            items: self.shown_sessions(&mut tx, listed, now).await?,
            next: last.filter(|_| full),
        })
    }

    /// The sessions that people have to know of: those that are active, and those that owe a review.
    pub async fn open_sessions(&self) -> Result<Vec<SessionDetails>, AppError> {
        let mut tx = self.0.db.read().await?;
        let now = self.now();
        let mut open = tx.active_sessions(now).await?;
        open.extend(tx.lapsed_sessions(now, SHOWN_USES).await?);
        open.extend(tx.owed_sessions(now, SHOWN_USES).await?);
        self.shown_sessions(&mut tx, open, now).await
    }

    async fn shown_sessions(
        &self,
        tx: &mut Tx,
        sessions: Vec<Session>,
        now: Timestamp,
    ) -> Result<Vec<SessionDetails>, AppError> {
        let version = tx.config_versions().await?;
        let config = self.compiled_config_at(tx, version).await?;
        let mut shown = Vec::with_capacity(sessions.len());
        for session in sessions {
            shown.push(self.shown_session(tx, session, &config, now).await?);
        }
        Ok(shown)
    }

    pub(in crate::app) async fn shown_session(
        &self,
        tx: &mut Tx,
        session: Session,
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<SessionDetails, AppError> {
        let mut session = session.canonicalize_people(config.directory());
        session.state = session.state.at(now);
        let uses = self
            .load_readable_uses(tx, &session, SHOWN_USES, config)
            .await?;
        let token_owners = self.token_owners_of(tx, &session, config, now).await?;
        let names = participants(&session, &uses)
            .into_iter()
            .map(|who| {
                let name = config.name_of(&who);
                (who, name)
            })
            .collect();
        Ok(SessionDetails {
            session,
            uses,
            token_owners,
            names,
        })
    }
}

/// Everybody who occurs in a session.
fn participants(session: &Session, uses: &[SessionUse]) -> Vec<Principal> {
    let mut who = vec![Principal::Person(session.initiator.clone())];
    who.extend(session.responders.iter().cloned());
    for one in uses {
        who.extend([one.by.clone(), one.requester.clone()]);
    }
    if let SessionState::Reviewed { review, .. } = &session.state {
        who.push(Principal::Person(review.by.clone()));
    }
    let revoker = session.state.ended_by().map(Principal::try_from);
    who.extend(revoker.and_then(Result::ok));
    who
}
