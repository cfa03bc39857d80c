//! What would happen to a submission; nothing is stored.

use super::submit::{ask, canonical_payload};
use super::{App, AppError, Submission};
use crate::domain::explain::Explained;
use crate::domain::principal::Caller;

impl App {
    /// What would happen to a submission; nothing is stored.
    pub async fn explain(
        &self,
        caller: &Caller,
        submission: Submission,
    ) -> Result<Explained, AppError> {
        let config = self.compiled_config().await?;
        let mut explained = config.explain(&ask(caller, &submission)?, self.now());
        explained
            .violations
            .extend(canonical_payload(submission.payload.as_ref()).err());
        Ok(explained)
    }
}
