//! Policies in Slack: read by everybody of the directory, changed by administrators through the same door as every other change.

use super::{Dispatcher, Told, failed};
use crate::app::AppError;
use crate::domain::document::{Binding, Document, Level, Template};
use crate::domain::id::PolicyId;
use crate::domain::people::{Person, SlackAccount};
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::vote::Door;
use crate::slack::inbound::View;
use crate::slack::views::policy_form::{self, Carried};
use crate::slack::views::{Message, answer, policies};
use serde_json::Value;
use std::sync::Arc;

/// What was typed is not lost: it stands in the form until it is closed.
const STALE: &str = "Somebody else has changed the configuration since you opened this. Note what you typed, close this, and open it again.";

impl Dispatcher {
    /// `/approval policies`.
    pub(super) async fn policies(&self, account: &SlackAccount) -> Result<Message, Told> {
        let (person, rules) = self.reader(account).await?;
        Ok(policies::list(
            rules.document(),
            administers(&rules, &person),
        ))
    }

    /// The page or form behind a button about policies.
    pub(super) async fn policy_page(
        &self,
        account: &SlackAccount,
        pressed: &str,
        value: &str,
    ) -> Result<Value, Told> {
        let (person, rules) = self.reader(account).await?;
        let administers = administers(&rules, &person);
        let policy = || {
            policy_of(rules.document(), value).ok_or_else(|| Told::Answer(answer::no_such_policy()))
        };
        if pressed == "policy_view" {
            return Ok(policies::view(policy()?, &rules, administers));
        }
        if !administers {
            return Err(super::refused(&no_right()));
        }
        let too_much = || Told::Answer(answer::too_much());
        match pressed {
            "policy_new" => policy_form::edit(&rules, None).ok_or_else(too_much),
            "policy_edit" => policy_form::edit(&rules, Some(policy()?)).ok_or_else(too_much),
            "policy_bind" => Ok(policy_form::bind(&rules, policy()?)),
            _ => match policies::read_unbind(value, rules.document()) {
                Some(binding) => Ok(policy_form::unbind(&rules, binding)),
                None => Err(Told::Answer(answer::no_such_policy())),
            },
        }
    }

    /// A form about policies was sent: a new document is made of the stored one, and goes the way of every change.
    pub(super) async fn policy_changed(
        &self,
        account: &SlackAccount,
        form: &str,
        view: &View,
    ) -> Told {
        match self.change(account, form, view).await {
            Ok(message) => Told::Done(message),
            Err(told) => told,
        }
    }

    async fn change(
        &self,
        account: &SlackAccount,
        form: &str,
        view: &View,
    ) -> Result<Message, Told> {
        let (person, rules) = self.reader(account).await?;
        if !administers(&rules, &person) {
            return Err(super::refused(&no_right()));
        }
        let foreign = || Told::Answer(answer::foreign_button());
        let carried = Carried::read(view).ok_or_else(foreign)?;
        if carried.version != rules.version() {
            return Err(Told::Fields(vec![(policy_form::WHY, STALE.to_owned())]));
        }
        let (document, policy) = changed_document(&rules, &carried, form, view)?;
        let caller = Caller::person(person.id, Door::Modal);
        let reason = view.field(policy_form::WHY);
        let app = &self.0.app;
        let changed = app
            .change_config(&caller, document.clone(), Some(carried.version), reason)
            .await;
        changed
            .map(|changed| answer::changed(&changed))
            .map_err(|error| beside(&error, form, &document, &policy))
    }

    async fn reader(&self, account: &SlackAccount) -> Result<(Person, Arc<Rules>), Told> {
        let person = self.person(account).await?;
        let rules = self.0.app.rules().await.map_err(|error| failed(&error))?;
        Ok((person, rules))
    }
}

fn administers(rules: &Rules, person: &Person) -> bool {
    rules.is_administrator(&Principal::Person(person.id.clone()))
}

fn no_right() -> Refusal {
    Refusal::Forbidden("Only administrators may change the configuration.".to_owned())
}

fn policy_of<'a>(document: &'a Document, id: &str) -> Option<&'a Template> {
    document
        .policies
        .iter()
        .find(|policy| policy.id.as_str() == id)
}

/// The stored document with what the form changes, and the policy that is about.
fn changed_document(
    rules: &Rules,
    carried: &Carried,
    form: &str,
    view: &View,
) -> Result<(Document, PolicyId), Told> {
    let mut document = rules.document().clone();
    let id = carried.policy.as_ref();
    let place = id.and_then(|id| document.policies.iter().position(|policy| policy.id == *id));
    if id.is_some() != place.is_some() {
        return Err(Told::Answer(answer::no_such_policy()));
    }
    let stored = place
        .and_then(|place| document.policies.get(place))
        .cloned();
    match (form, stored) {
        (policy_form::EDIT, stored) => {
            let policy = policy_form::read(view, stored.as_ref()).map_err(Told::Fields)?;
            let id = policy.id.clone();
            match place.and_then(|place| document.policies.get_mut(place)) {
                Some(place) => *place = policy,
                None => document.policies.push(policy),
            }
            Ok((document, id))
        }
        (policy_form::BIND, Some(policy)) => {
            let binding = bound_as(&policy, view);
            if document.bindings.contains(&binding) {
                let why = "It is bound there already.".to_owned();
                return Err(Told::Fields(vec![(policy_form::RESOURCE, why)]));
            }
            document.bindings.push(binding);
            Ok((document, policy.id))
        }
        (_, Some(policy)) => {
            let unbound = |binding: &Binding| {
                binding.policy == policy.id && binding.resource == carried.resource
            };
            document.bindings.retain(|binding| !unbound(binding));
            Ok((document, policy.id))
        }
        (_, None) => Err(Told::Answer(answer::no_such_policy())),
    }
}

fn bound_as(policy: &Template, view: &View) -> Binding {
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
fn beside(error: &AppError, form: &str, document: &Document, policy: &PolicyId) -> Told {
    let AppError::Refused(refusal) = error else {
        return failed(error);
    };
    let why = |text: String| Told::Fields(vec![(policy_form::WHY, text)]);
    match refusal {
        Refusal::Invalid(problems) if form == policy_form::EDIT => {
            Told::Fields(policy_form::beside(problems, document, policy))
        }
        Refusal::Stale(_) => why(STALE.to_owned()),
        Refusal::Invalid(_) | Refusal::Violations(_) => why(refusal.detail()),
        _ => super::refused(refusal),
    }
}
