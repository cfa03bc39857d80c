//! What time makes due: expiry, kept answers to forget, audit rows to seal.

use super::Workers;
use crate::app::AppError;

impl Workers {
    pub(super) async fn tick_sweeps(&self) -> Result<bool, AppError> {
        // each step runs, whatever becomes of the others: above all, the audit log is sealed
        let expired = self.app.sweep().await;
        let forgotten = self.app.forget().await;
        let sealed = self.app.seal().await;
        Ok(expired? | forgotten? | sealed?)
    }
}
