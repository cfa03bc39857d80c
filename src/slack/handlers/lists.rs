//! Long lists in forms: what fits the letters typed so far, for people of the directory.

use super::clicks::user_id;
use super::{Dispatcher, Reply, failed};
use crate::slack::inbound::Interaction;
use crate::slack::inbound::installation::Installation;
use crate::slack::ui::{break_glass_form, form, policy_form, request_form};

impl Dispatcher {
    pub(super) async fn listed(&self, home: &Installation, seen: &Interaction) -> Reply {
        let fitting = async {
            let account = self.account(home, user_id(seen)).await?;
            self.person(&account).await?;
            let config = self
                .0
                .app
                .compiled_config()
                .await
                .map_err(|error| failed(&error))?;
            let list = seen.action_id.as_deref().unwrap_or_default();
            let typed = seen.value.as_deref().unwrap_or_default();
            let form = seen
                .view
                .as_ref()
                .and_then(|view| view.callback_id.as_deref());
            let choices = match form {
                Some(request_form::CALLBACK) => request_form::choices(&config, list),
                Some(break_glass_form::START) => break_glass_form::choices(&config, list),
                _ => policy_form::choices(&config, list),
            };
            Ok(form::fitting(&choices, typed))
        };
        match fitting.await {
            Ok(options) => Reply::Choices(options),
            Err(reply) => reply,
        }
    }
}
