//! What Slack has not taken, and another try for all of it, once somebody has fixed the cause.

use super::{App, AppError};
use crate::domain::time::{Span, Timestamp};
use crate::store::{DeadMessage, StuckCard};

/// How many are listed of each.
const LIST_LIMIT: i64 = 20;

/// How often rows that were set aside are tried again: while replicas are rolled, another release may be able to read them.
const RETRY_SET_ASIDE_AFTER: Span = Span::minutes(5);

/// What Slack has not taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undelivered {
    /// Messages that were given up: the oldest.
    pub messages: Vec<DeadMessage>,
    /// Cards that are behind, by request.
    pub cards: Vec<StuckCard>,
}

impl App {
    /// What Slack has not taken.
    pub async fn undelivered(&self) -> Result<Undelivered, AppError> {
        let mut tx = self.0.db.read().await?;
        Ok(Undelivered {
            messages: tx.dead_letters(LIST_LIMIT).await?,
            cards: tx.stuck_cards(LIST_LIMIT).await?,
        })
    }

    /// Makes all of it due now, for whichever replica serves; says how many.
    pub async fn retry_undelivered(&self) -> Result<u64, AppError> {
        let now = self.now();
        self.0
            .db
            .transaction(async |tx| Ok(tx.retry_undelivered(now).await?))
            .await
    }

    /// Messages and cards that were set aside are due again after a while. Never says that there is more to do.
    pub async fn retry_set_aside(&self) -> Result<bool, AppError> {
        let now = self.now();
        if self.set_aside().await? == 0 {
            return Ok(false);
        }
        let until = Timestamp(now.0.saturating_sub(RETRY_SET_ASIDE_AFTER.0));
        self.0
            .db
            .transaction(async |tx| {
                tx.retry_set_aside_messages(now, until).await?;
                tx.retry_set_aside_cards(now, until).await?;
                Ok(false)
            })
            .await
    }

    /// How many messages and cards this release cannot read.
    pub(super) async fn set_aside(&self) -> Result<i64, AppError> {
        let mut tx = self.0.db.read().await?;
        Ok(tx.set_aside_messages().await? + tx.set_aside_cards().await?)
    }

    /// How far this machine's clock is ahead of the database server's; none where there is no server.
    pub async fn ahead_of_database(&self) -> Result<Option<Span>, AppError> {
        let before = self.now();
        let server = self.0.db.time().await?;
        let middle = before.0.midpoint(self.now().0);
        Ok(server.map(|server| Span(middle.saturating_sub(server.0))))
    }
}
