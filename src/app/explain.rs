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
        let rules = self.rules().await?;
        let mut explained = rules.explain(&ask(caller, &submission)?, self.now());
        explained
            .violations
            .extend(canonical_payload(submission.payload.as_ref()).err());
        Ok(explained)
    }
}
