//! Asking, by command and by form: what is missing is asked for, and what is there is not asked again.

use super::modals::Opening;
use super::{Dispatcher, Reply, failed, once};
use crate::app::{AppError, Submission, Submitted};
use crate::domain::decision::Via;
use crate::domain::people::SlackAccount;
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use crate::slack::inbound::command::Form;
use crate::slack::inbound::{Delivery, View};
use crate::slack::ui::{replies, request_form};
use serde_json::Value;

impl Dispatcher {
    /// `/approval request`: what is complete is asked at once, else a form opens with what was said.
    pub(super) async fn requested(
        &self,
        account: SlackAccount,
        form: Form,
        opening: Opening,
        delivery: Delivery,
    ) -> Reply {
        if !form.action.is_empty() {
            let reply = match self.submit(&account, &form, Via::Command, delivery).await {
                Ok(submitted) => return reply(&submitted),
                Err(Refused::Refusal(refusal)) => refusal,
                Err(Refused::Otherwise(reply)) => return reply,
            };
            let missing =
                matches!(&reply, Refusal::Violations(broken) if request_form::only_missing(broken));
            if !missing || !request_form::takes(&form) {
                return super::refused(&reply);
            }
        }
        let this = self.clone();
        let content = async move { this.form(&account, &form).await };
        self.open(&opening, Box::pin(content)).await
    }

    /// The form with nothing in it.
    pub(super) async fn empty_form(&self, account: &SlackAccount) -> Result<Value, Reply> {
        self.form(account, &Form::default()).await
    }

    async fn form(&self, account: &SlackAccount, known: &Form) -> Result<Value, Reply> {
        self.person(account).await?;
        let config = self
            .0
            .app
            .compiled_config()
            .await
            .map_err(|error| failed(&error))?;
        let form = request_form::request_form(&config, known);
        form.ok_or_else(|| Reply::Answer(replies::too_much()))
    }

    /// The form was sent.
    pub(super) async fn asked(
        &self,
        account: &SlackAccount,
        view: &View,
        delivery: Delivery,
    ) -> Reply {
        let form = match request_form::read(view) {
            Ok(form) => form,
            Err(wrong) => return Reply::Fields(wrong),
        };
        match self.submit(account, &form, Via::Modal, delivery).await {
            Ok(submitted) => reply(&submitted),
            Err(Refused::Otherwise(reply)) => reply,
            Err(Refused::Refusal(Refusal::Violations(broken))) => {
                match self.0.app.compiled_config().await {
                    Ok(config) => Reply::Fields(request_form::beside(&broken, &form, &config)),
                    Err(error) => failed(&error),
                }
            }
            Err(Refused::Refusal(refusal)) => super::refused(&refusal),
        }
    }

    async fn submit(
        &self,
        account: &SlackAccount,
        form: &Form,
        via: Via,
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
            AppError::Refused(refusal) => Refused::Refusal(refusal),
            error => Refused::Otherwise(failed(&error)),
        })
    }
}

/// Why nothing was asked.
enum Refused {
    /// It breaks rules.
    Refusal(Refusal),
    /// Anything else, ready to be told.
    Otherwise(Reply),
}

fn reply(submitted: &Submitted) -> Reply {
    // a repeated delivery is answered as the first was
    let new = submitted.new || submitted.repeated;
    Reply::Answer(replies::submitted(&submitted.shown, new))
}
