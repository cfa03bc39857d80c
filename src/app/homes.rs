//! Which Home tabs are open, for all replicas: one that was opened here is refreshed by whichever replica notices a change first, and a
//! look that was chosen elsewhere is never overwritten.

use super::{App, AppError};
use crate::domain::time::{Span, Timestamp};

/// How long after its opening a Home is kept up to date.
const OPEN_FOR: Span = Span::hours(1);
/// How many Homes are kept up to date: those opened last.
const OPEN_HOMES_LIMIT: i64 = 1_000;

impl App {
    /// Somebody looks at their Home in this way.
    pub async fn open_home(&self, account: &str, look: &str) -> Result<(), AppError> {
        let now = self.now();
        self.0
            .db
            .transaction(async |tx| Ok(tx.open_home(account, look, now, opened_after(now)).await?))
            .await
    }

    /// Accounts that look at their Home, and how.
    pub async fn open_homes(&self) -> Result<Vec<(String, String)>, AppError> {
        let after = opened_after(self.now());
        let mut tx = self.0.db.read().await?;
        Ok(tx.open_homes(after, OPEN_HOMES_LIMIT).await?)
    }

    /// Whether a Home must be published, because this is not what it showed last. Whoever is told so publishes it.
    pub async fn show_home(
        &self,
        account: &str,
        look: &str,
        shown: &str,
    ) -> Result<bool, AppError> {
        self.0
            .db
            .transaction(async |tx| Ok(tx.show_home(account, look, shown).await?))
            .await
    }

    /// A Home was not published: what it shows is not known.
    pub async fn lose_home(&self, account: &str) -> Result<(), AppError> {
        self.0
            .db
            .transaction(async |tx| Ok(tx.lose_home(account).await?))
            .await
    }

    /// A Home can never be published.
    pub async fn forget_home(&self, account: &str) -> Result<(), AppError> {
        self.0
            .db
            .transaction(async |tx| Ok(tx.forget_home(account).await?))
            .await
    }
}

fn opened_after(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub(OPEN_FOR.0))
}
