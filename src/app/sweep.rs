//! What time does: break-glass sessions end, requests expire, kept answers are forgotten.

use super::{App, AppError, news_of};
use crate::domain::audit::What;
use crate::domain::id::RequestId;
use crate::domain::principal::Principal;
use crate::domain::vote::Door;
use serde_json::json;

/// Most requests that one unit ends; the next unit goes on.
const AT_ONCE: i64 = 64;
/// Most kept answers that one unit forgets.
const FORGOTTEN_AT_ONCE: i64 = 1_000;

impl App {
    /// Ends what time has ended, sessions before the requests that they allowed. Says whether there may be more. A step that fails stops
    /// none of the others.
    pub async fn sweep(&self) -> Result<bool, AppError> {
        let closed = self.close_sessions().await;
        let asked = self.ask_for_reviews().await;
        let expired = self.expire_overdue().await;
        let inspected = self.inspect_rows().await;
        Ok(closed? | asked? | expired? | inspected?)
    }

    /// Expires what is overdue. Says whether there may be more.
    pub async fn expire_overdue(&self) -> Result<bool, AppError> {
        let overdue = self.0.db.read().await?.ending(self.now(), AT_ONCE).await?;
        if overdue.is_empty() {
            return Ok(false);
        }
        let moved = match self.expire(&overdue).await {
            Ok(moved) => moved,
            // one that cannot be ended stops none of the others
            Err(AppError::Internal(_)) => self.expire_one_by_one(&overdue).await?,
            Err(error) => return Err(error),
        };
        self.moved(&moved);
        Ok(i64::try_from(moved.len()).unwrap_or(AT_ONCE) >= AT_ONCE)
    }

    async fn expire_one_by_one(
        &self,
        overdue: &[RequestId],
    ) -> Result<Vec<(RequestId, i64)>, AppError> {
        let mut moved = Vec::new();
        for id in overdue {
            match self.expire(std::slice::from_ref(id)).await {
                Ok(one) => moved.extend(one),
                Err(AppError::Internal(why)) => {
                    tracing::error!(request = %id, why, "a request could not be ended");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(moved)
    }

    /// Forgets kept answers whose time is over. Says whether there may be more.
    pub async fn forget(&self) -> Result<bool, AppError> {
        let now = self.now();
        let forgotten = self
            .0
            .db
            .unit::<_, AppError>(async |tx| Ok(tx.forget_answers(now, FORGOTTEN_AT_ONCE).await?))
            .await?;
        Ok(i64::try_from(forgotten).unwrap_or(0) == FORGOTTEN_AT_ONCE)
    }

    async fn expire(&self, overdue: &[RequestId]) -> Result<Vec<(RequestId, i64)>, AppError> {
        let ids: Vec<&RequestId> = overdue.iter().collect();
        self.0
            .db
            .unit(async |tx| {
                tx.lock_requests(&ids, true).await?;
                let now = self.now();
                let mut moved = Vec::new();
                for loaded in tx.requests(&ids, false).await? {
                    let mut request = loaded.request;
                    let was = request.state.status();
                    // decided, or swept by another replica, since it was found
                    let Ok(expired) = request.state.clone().expire(now) else {
                        continue;
                    };
                    request.state = expired;
                    tx.save_request(&mut request).await?;
                    let event = self.event(
                        now,
                        What::RequestExpired,
                        &Principal::Bot,
                        Door::Bot,
                        &request,
                        json!({"was": was}),
                    );
                    tx.record(&event).await?;
                    tx.touch_cards(&request.id, now).await?;
                    self.send(tx, news_of(&request), now).await?;
                    moved.push((request.id, request.version));
                }
                Ok(moved)
            })
            .await
    }
}
