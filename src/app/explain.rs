//! What would happen to an ask; nothing is stored.

use super::submit::{canonical_payload, check_requester};
use super::{App, AppError};
use crate::domain::ask::Ask;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::ConfigDocument;
use crate::domain::explain::Explained;
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use std::collections::BTreeMap;

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

    /// The same under a draft of the configuration, with the people of today.
    pub async fn explain_under(
        &self,
        caller: &Caller,
        ask: &Ask,
        draft: ConfigDocument,
    ) -> Result<Explained, AppError> {
        check_requester(caller, ask)?;
        let slack_directory = self.compiled_config().await?.slack_directory().clone();
        let draft = CompiledConfig::compile_with(0, draft, &BTreeMap::new(), slack_directory)
            .map_err(Refusal::Invalid)?;
        Ok(draft.explain(ask, caller, self.now()))
    }
}
