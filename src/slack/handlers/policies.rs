//! Policies in Slack: read by everybody of the directory, changed by administrators through the same use case as every other change.

use super::context::{Actor, Context};
use super::reply::{Failure, Handled, Reply};
use crate::app::AppError;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::config_edit::ConfigEdit;
use crate::domain::decision::Via;
use crate::domain::document::{Binding, ConfigDocument, Level, PolicyTemplate};
use crate::domain::id::PolicyId;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::slack::inbound::View;
use crate::slack::ui::policy_form::{self, Carried};
use crate::slack::ui::{policies, replies};
use serde_json::Value;

/// What was typed is not lost: it stays in the form until the form is closed.
const STALE: &str = "Somebody else has changed the configuration since you opened this. Note what you typed, close this, and open it again.";

/// `/approval policies`.
pub(super) async fn list(context: &Context) -> Handled {
    let actor = context.actor().await?;
    let may_change = check_may_change(actor).is_ok();
    let message = policies::list(actor.config.document(), may_change);
    Ok(Reply::Answer(message))
}

/// The page or form behind a button about policies.
pub(super) async fn modal_of(
    context: &Context,
    button: &str,
    value: &str,
) -> Result<Value, Failure> {
    let actor = context.actor().await?;
    let config = &actor.config;
    let may_change = check_may_change(actor);
    let policy = || policy_of(config.document(), value).ok_or_else(replies::no_such_policy);
    if button == "policy_view" {
        return Ok(policies::view(policy()?, config, may_change.is_ok()));
    }
    may_change?;
    match button {
        "policy_new" => policy_form::edit(config, None).ok_or_else(|| replies::too_much().into()),
        "policy_edit" => {
            policy_form::edit(config, Some(policy()?)).ok_or_else(|| replies::too_much().into())
        }
        "policy_bind" => Ok(policy_form::bind(config, policy()?)),
        _ => match policies::read_unbind(value, config.document()) {
            Some(binding) => Ok(policy_form::unbind(config, binding)),
            None => Err(replies::no_such_policy().into()),
        },
    }
}

/// A form about policies was submitted: it is one edit of the configuration.
pub(super) async fn submitted(context: &Context, form: &str, view: &View) -> Handled {
    let actor = context.actor().await?;
    check_may_change(actor)?;
    let carried = Carried::read(view).ok_or_else(replies::foreign_button)?;
    if carried.version != actor.config.version() {
        return Err(about_why(STALE.to_owned()));
    }
    let (edit, policy) = edit_of(&actor.config, &carried, form, view)?;
    let document = edit.applied_to(actor.config.document());
    let changed = context
        .app()
        .change_config(
            &actor.caller(Via::Modal),
            edit,
            Some(carried.version),
            view.field(policy_form::WHY),
        )
        .await;
    match changed {
        Ok(changed) => Ok(Reply::Done(replies::changed(&changed))),
        Err(error) => Err(beside(error, form, &document, &policy)),
    }
}

fn check_may_change(actor: &Actor) -> Result<(), Refusal> {
    let principal = Principal::Person(actor.person.id.clone());
    actor.config.check_may_change(&principal)
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
) -> Result<(ConfigEdit, PolicyId), Failure> {
    let document = config.document();
    let stored = match &carried.policy {
        Some(id) => Some(policy_of(document, id.as_str()).ok_or_else(replies::no_such_policy)?),
        None => None,
    };
    match (form, stored) {
        (policy_form::EDIT, stored) => {
            let policy = policy_form::read(view, stored).map_err(Failure::Fields)?;
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
                return Err(Failure::Fields(vec![(policy_form::RESOURCE, why)]));
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
        (_, None) => Err(replies::no_such_policy().into()),
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

/// The errors of a refused change, beside the fields they are about.
fn beside(error: AppError, form: &str, document: &ConfigDocument, policy: &PolicyId) -> Failure {
    match &error {
        AppError::Refused(Refusal::Invalid(problems)) if form == policy_form::EDIT => {
            Failure::Fields(policy_form::beside(problems, document, policy))
        }
        AppError::Refused(Refusal::Stale(_)) => about_why(STALE.to_owned()),
        AppError::Refused(refusal @ (Refusal::Invalid(_) | Refusal::Violations(_))) => {
            about_why(refusal.detail())
        }
        _ => error.into(),
    }
}

fn about_why(text: String) -> Failure {
    Failure::Fields(vec![(policy_form::WHY, text)])
}
