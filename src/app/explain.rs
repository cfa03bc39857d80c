//! What would happen to an ask; nothing is stored.

use super::submit::{canonical_payload, check_requester};
use super::{App, AppError};
use crate::domain::ask::Ask;
use crate::domain::explain::Explained;
use crate::domain::principal::Caller;

impl App {
    /// What would happen to an ask; nothing is stored.
    pub async fn explain(&self, caller: &Caller, ask: &Ask) -> Result<Explained, AppError> {
        check_requester(caller, ask)?;
        let config = self.compiled_config().await?;
        let mut explained = config.explain(ask, caller, self.now());
        explained
            .violations
            .extend(canonical_payload(ask.payload.as_ref()).err());
        Ok(explained)
    }
}
