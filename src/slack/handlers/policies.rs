//! Policies in Slack: read by everybody of the directory, changed by administrators through the same use case as every other change.

use super::{Dispatcher, Reply, failed};
use crate::app::AppError;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::config_edit::ConfigEdit;
use crate::domain::decision::Via;
use crate::domain::document::{Binding, ConfigDocument, Level, PolicyTemplate};
use crate::domain::id::PolicyId;
use crate::domain::people::{Person, SlackAccount};
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::slack::inbound::View;
use crate::slack::ui::policy_form::{self, Carried};
use crate::slack::ui::{Message, policies, replies};
use serde_json::Value;
use std::sync::Arc;

/// What was typed is not lost: it stands in the form until it is closed.
const STALE: &str = "Somebody else has changed the configuration since you opened this. Note what you typed, close this, and open it again.";

impl Dispatcher {
    /// `/approval policies`.
    pub(super) async fn policies(&self, account: &SlackAccount) -> Result<Message, Reply> {
        let (person, config) = self.reader(account).await?;
        Ok(policies::list(
            config.document(),
            may_change(&config, &person).is_ok(),
        ))
    }

    /// The page or form behind a button about policies.
    pub(super) async fn policy_page(
        &self,
        account: &SlackAccount,
        pressed: &str,
        value: &str,
    ) -> Result<Value, Reply> {
        let (person, config) = self.reader(account).await?;
        let may_change = may_change(&config, &person);
        let policy = || {
            policy_of(config.document(), value)
                .ok_or_else(|| Reply::Answer(replies::no_such_policy()))
        };
        if pressed == "policy_view" {
            return Ok(policies::view(policy()?, &config, may_change.is_ok()));
        }
        may_change?;
        let too_much = || Reply::Answer(replies::too_much());
        match pressed {
            "policy_new" => policy_form::edit(&config, None).ok_or_else(too_much),
            "policy_edit" => policy_form::edit(&config, Some(policy()?)).ok_or_else(too_much),
            "policy_bind" => Ok(policy_form::bind(&config, policy()?)),
            _ => match policies::read_unbind(value, config.document()) {
                Some(binding) => Ok(policy_form::unbind(&config, binding)),
                None => Err(Reply::Answer(replies::no_such_policy())),
            },
        }
    }

    /// A form about policies was sent: it is one edit of the configuration.
    pub(super) async fn policy_changed(
        &self,
        account: &SlackAccount,
        form: &str,
        view: &View,
    ) -> Reply {
        match self.change(account, form, view).await {
            Ok(message) => Reply::Done(message),
            Err(reply) => reply,
        }
    }

    async fn change(
        &self,
        account: &SlackAccount,
        form: &str,
        view: &View,
    ) -> Result<Message, Reply> {
        let (person, config) = self.reader(account).await?;
        may_change(&config, &person)?;
        let foreign = || Reply::Answer(replies::foreign_button());
        let carried = Carried::read(view).ok_or_else(foreign)?;
        if carried.version != config.version() {
            return Err(Reply::Fields(vec![(policy_form::WHY, STALE.to_owned())]));
        }
        let (edit, policy) = edit_of(&config, &carried, form, view)?;
        let document = edit.applied_to(config.document());
        let caller = Caller::person(person.id, Via::Modal);
        let reason = view.field(policy_form::WHY);
        let app = &self.0.app;
        let changed = app
            .change_config(&caller, edit, Some(carried.version), reason)
            .await;
        changed
            .map(|changed| replies::changed(&changed))
            .map_err(|error| beside(&error, form, &document, &policy))
    }

    async fn reader(&self, account: &SlackAccount) -> Result<(Person, Arc<CompiledConfig>), Reply> {
        let person = self.person(account).await?;
        let config = self
            .0
            .app
            .compiled_config()
            .await
            .map_err(|error| failed(&error))?;
        Ok((person, config))
    }
}

fn may_change(config: &CompiledConfig, person: &Person) -> Result<(), Reply> {
    let principal = Principal::Person(person.id.clone());
    let checked = config.check_may_change(&principal);
    checked.map_err(|refusal| super::refused(&refusal))
}

fn policy_of<'a>(document: &'a ConfigDocument, id: &str) -> Option<&'a PolicyTemplate> {
    document
        .policies
        .iter()
        .find(|policy| policy.id.as_str() == id)
}

/// What the form changes, and the policy that is about.
fn edit_of(
    config: &CompiledConfig,
    carried: &Carried,
    form: &str,
    view: &View,
) -> Result<(ConfigEdit, PolicyId), Reply> {
    let document = config.document();
    let missing = || Reply::Answer(replies::no_such_policy());
    let stored = match &carried.policy {
        Some(id) => Some(policy_of(document, id.as_str()).ok_or_else(missing)?),
        None => None,
    };
    match (form, stored) {
        (policy_form::EDIT, stored) => {
            let policy = policy_form::read(view, stored).map_err(Reply::Fields)?;
            let id = policy.id.clone();
            let edit = match stored {
                Some(_) => ConfigEdit::PutPolicy(Box::new(policy)),
                // a new policy never replaces one
                None => ConfigEdit::AddPolicy(Box::new(policy)),
            };
            Ok((edit, id))
        }
        (policy_form::BIND, Some(policy)) => {
            let binding = bound_as(policy, view);
            if document.bindings.contains(&binding) {
                let why = "It is bound there already.".to_owned();
                return Err(Reply::Fields(vec![(policy_form::RESOURCE, why)]));
            }
            Ok((ConfigEdit::Bind(binding), policy.id.clone()))
        }
        (_, Some(policy)) => {
            let binding = Binding {
                policy: policy.id.clone(),
                level: policy.scope,
                resource: carried.resource.clone(),
            };
            Ok((ConfigEdit::Unbind(binding), policy.id.clone()))
        }
        (_, None) => Err(missing()),
    }
}

fn bound_as(policy: &PolicyTemplate, view: &View) -> Binding {
    let resource = match policy.scope {
        Level::Organization => None,
        Level::Project | Level::Cluster | Level::Environment => view.field(policy_form::RESOURCE),
    };
    Binding {
        policy: policy.id.clone(),
        level: policy.scope,
        resource,
    }
}

/// What was wrong with a change, beside the field it is about.
fn beside(error: &AppError, form: &str, document: &ConfigDocument, policy: &PolicyId) -> Reply {
    let AppError::Refused(refusal) = error else {
        return failed(error);
    };
    let why = |text: String| Reply::Fields(vec![(policy_form::WHY, text)]);
    match refusal {
        Refusal::Invalid(problems) if form == policy_form::EDIT => {
            Reply::Fields(policy_form::beside(problems, document, policy))
        }
        Refusal::Stale(_) => why(STALE.to_owned()),
        Refusal::Invalid(_) | Refusal::Violations(_) => why(refusal.detail()),
        _ => super::refused(refusal),
    }
}
