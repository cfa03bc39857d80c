//! The threads of cards: what is still to be posted in them.

use super::{App, AppError};
use crate::domain::id::{ChannelId, RequestId};
use crate::domain::thread::PostedLines;
use crate::domain::time::Timestamp;
use crate::store::{HeldThread, Thread};

impl App {
    /// The threads of a request, one for each channel that shows its card or a notice of it.
    pub async fn threads(&self, request: &RequestId) -> Result<Vec<Thread>, AppError> {
        Ok(self.0.db.read().await?.threads(request).await?)
    }

    /// Holds a thread until `until`; `None` if another worker posts in it.
    pub async fn hold_thread(
        &self,
        request: &RequestId,
        channel: &ChannelId,
        until: Timestamp,
    ) -> Result<Option<HeldThread>, AppError> {
        let now = self.now();
        self.0
            .db
            .transaction(async |tx| Ok(tx.hold_thread(request, channel, now, until).await?))
            .await
    }

    /// Lets go of a thread, and stores what was posted.
    pub async fn release_thread(
        &self,
        request: &RequestId,
        channel: &ChannelId,
        held: &HeldThread,
        posted: Option<&PostedLines>,
    ) -> Result<(), AppError> {
        self.0
            .db
            .transaction(async |tx| Ok(tx.release_thread(request, channel, held, posted).await?))
            .await
    }
}
