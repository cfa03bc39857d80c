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
    /// Expires requests whose time is over. Says whether there may be more.
    pub async fn expire_overdue(&self) -> Result<bool, AppError> {
        let now = self.now();
        let overdue = self.0.db.read().await?.ending(now, AT_ONCE).await?;
        let more = i64::try_from(overdue.len()).unwrap_or(AT_ONCE) == AT_ONCE;
        if !overdue.is_empty() {
            let moved = self.expire(&overdue).await?;
            self.moved(&moved);
        }
        Ok(more)
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
