//! What time does: break-glass sessions end, requests expire, kept answers are forgotten.

use super::{App, AppError, outcome_messages};
use crate::domain::audit::AuditEventKind;
use crate::domain::decision::Via;
use crate::domain::id::RequestId;
use crate::domain::principal::Principal;
use crate::store::SweepCursor;
use serde_json::json;

/// Most requests that one unit ends; the next unit goes on.
const BATCH_SIZE: i64 = 64;
/// Most kept answers that one unit forgets.
const FORGET_BATCH_SIZE: i64 = 1_000;

impl App {
    /// Expires what is overdue, page by page until something of a page has expired: however many requests cannot be read, they hold
    /// none of the others back. Says whether there may be more.
    pub async fn expire_overdue(&self) -> Result<bool, AppError> {
        let mut after = SweepCursor::default();
        loop {
            let mut tx = self.0.db.read().await?;
            let page = tx.ending(self.now(), &after, BATCH_SIZE).await?;
            drop(tx);
            match self.expire(&page.ids).await {
                Ok(moved) if !moved.is_empty() => {
                    self.notify_changes(&moved);
                    return Ok(page.next.is_some());
                }
                Ok(_) => {}
                Err(AppError::Internal(_)) => return self.expire_one_by_one(&page.ids).await,
                Err(error) => return Err(error),
            }
            let Some(next) = page.next else {
                return Ok(false);
            };
            after = next;
        }
    }

    /// Expires each by itself, so that one that cannot be ended stops none of the others; then the step fails, so that it is reported.
    async fn expire_one_by_one(&self, overdue: &[RequestId]) -> Result<bool, AppError> {
        let mut failed = Ok(());
        for id in overdue {
            match self.expire(std::slice::from_ref(id)).await {
                Ok(moved) => self.notify_changes(&moved),
                Err(AppError::Internal(why)) => {
                    tracing::error!(request = %id, why, "a request could not be ended");
                    failed = Err(AppError::Internal(why));
                }
                Err(error) => return Err(error),
            }
        }
        failed.map(|()| false)
    }

    /// Forgets kept answers whose time is over. Says whether there may be more.
    pub async fn forget(&self) -> Result<bool, AppError> {
        let now = self.now();
        let forgotten = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                Ok(tx.forget_answers(now, FORGET_BATCH_SIZE).await?)
            })
            .await?;
        Ok(i64::try_from(forgotten).unwrap_or(0) == FORGET_BATCH_SIZE)
    }

    async fn expire(&self, overdue: &[RequestId]) -> Result<Vec<(RequestId, i64)>, AppError> {
        if overdue.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<&RequestId> = overdue.iter().collect();
        self.0
            .db
            .transaction(async |tx| {
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
                        AuditEventKind::RequestExpired,
                        &Principal::Bot,
                        Via::Bot,
                        &request,
                        json!({"was": was}),
                    );
                    self.record_about(tx, &event, &request).await?;
                    tx.touch_cards(&request.id, now).await?;
                    self.send(tx, outcome_messages(&request), now).await?;
                    moved.push((request.id, request.version));
                }
                Ok(moved)
            })
            .await
    }
}
