//! Asking, by command and by form: what is missing is asked for, and what is there is not asked again.

use super::modals::Opening;
use super::{Dispatcher, Told, failed, once};
use crate::app::{AppError, Submission, Submitted};
use crate::domain::people::SlackAccount;
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use crate::domain::vote::Door;
use crate::slack::command::Form;
use crate::slack::inbound::{Delivery, View};
use crate::slack::views::{answer, request_form};
use serde_json::Value;

impl Dispatcher {
    /// `/approval request`: what is complete is asked at once, else a form opens with what was said.
    pub(super) async fn requested(
        &self,
        account: SlackAccount,
        form: Form,
        opening: Opening,
        delivery: Delivery,
    ) -> Told {
        if !form.action.is_empty() {
            let told = match self.submit(&account, &form, Door::Command, delivery).await {
                Ok(submitted) => return told(&submitted),
                Err(Refused::Rules(refusal)) => refusal,
                Err(Refused::Otherwise(told)) => return told,
            };
            let missing =
                matches!(&told, Refusal::Violations(broken) if request_form::only_missing(broken));
            if !missing || !request_form::takes(&form) {
                return super::refused(&told);
            }
        }
        let this = self.clone();
        let content = async move { this.form(&account, &form).await };
        self.open(&opening, Box::pin(content)).await
    }

    /// The form with nothing in it.
    pub(super) async fn empty_form(&self, account: &SlackAccount) -> Result<Value, Told> {
        self.form(account, &Form::default()).await
    }

    async fn form(&self, account: &SlackAccount, known: &Form) -> Result<Value, Told> {
        self.person(account).await?;
        let rules = self.0.app.rules().await.map_err(|error| failed(&error))?;
        let form = request_form::request_form(&rules, known);
        form.ok_or_else(|| Told::Answer(answer::too_much()))
    }

    /// The form was sent.
    pub(super) async fn asked(
        &self,
        account: &SlackAccount,
        view: &View,
        delivery: Delivery,
    ) -> Told {
        let form = match request_form::read(view) {
            Ok(form) => form,
            Err(wrong) => return Told::Fields(wrong),
        };
        match self.submit(account, &form, Door::Modal, delivery).await {
            Ok(submitted) => told(&submitted),
            Err(Refused::Otherwise(told)) => told,
            Err(Refused::Rules(Refusal::Violations(broken))) => match self.0.app.rules().await {
                Ok(rules) => Told::Fields(request_form::beside(&broken, &form, &rules)),
                Err(error) => failed(&error),
            },
            Err(Refused::Rules(refusal)) => super::refused(&refusal),
        }
    }

    async fn submit(
        &self,
        account: &SlackAccount,
        form: &Form,
        via: Door,
        delivery: Delivery,
    ) -> Result<Submitted, Refused> {
        let person = self.person(account).await.map_err(Refused::Otherwise)?;
        let submission = Submission {
            join_identical: true,
            ..form.clone().into()
        };
        let caller = Caller::person(person.id, via);
        let submitted = self
            .0
            .app
            .submit(&caller, submission, Some(once(delivery)))
            .await;
        submitted.map_err(|error| match error {
            AppError::Refused(refusal) => Refused::Rules(refusal),
            error => Refused::Otherwise(failed(&error)),
        })
    }
}

/// Why nothing was asked.
enum Refused {
    /// It breaks rules.
    Rules(Refusal),
    /// Anything else, ready to be told.
    Otherwise(Told),
}

fn told(submitted: &Submitted) -> Told {
    // a repeated delivery is answered as the first was
    let new = submitted.new || submitted.repeated;
    Told::Answer(answer::submitted(&submitted.shown, new))
}
