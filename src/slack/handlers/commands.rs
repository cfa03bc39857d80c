//! Slash commands: each word leads to one use case, and the answer is for the one who typed it.

use super::modals::{self, Opening};
use super::{Dispatcher, Reply, failed, once};
use crate::app::{AppError, ApproverIdentity, DecisionInput, ListFilter, RequestRef};
use crate::domain::action::RequestType;
use crate::domain::decision::{DecisionKind, Via};
use crate::domain::people::{Person, SlackAccount};
use crate::domain::principal::Caller;
use crate::domain::request::Status;
use crate::domain::time::Span;
use crate::slack::inbound::command::{self, Approval, Form};
use crate::slack::inbound::installation::Installation;
use crate::slack::inbound::{Command, Delivery};
use crate::slack::ui::{self, help, replies};

impl Dispatcher {
    pub(super) async fn command(
        &self,
        home: &Installation,
        typed: Command,
        delivery: Delivery,
    ) -> Reply {
        let account = match self.account(home, typed.user_id.as_deref()).await {
            Ok(account) => account,
            Err(reply) => return reply,
        };
        let text = typed.text.as_deref().unwrap_or_default();
        match typed.command.as_deref() {
            Some("/breakglass") => {
                let opening = Opening::of_command(&typed);
                self.break_glass(account, opening, text, delivery).await
            }
            _ => match command::parse(text) {
                Ok(approval) => {
                    let opening = Opening::of_command(&typed);
                    self.approval(account, approval, opening, delivery).await
                }
                Err(misread) => Reply::Answer(help::misread(&misread, text)),
            },
        }
    }

    async fn approval(
        &self,
        account: SlackAccount,
        said: Approval,
        opening: Opening,
        delivery: Delivery,
    ) -> Reply {
        let answer = match said {
            Approval::Help => Ok(help::help()),
            Approval::Approve(request, comment) => {
                let click = click(account, request, DecisionKind::Approve, comment, delivery);
                return self.decide(click).await;
            }
            Approval::Reject(request, comment) => {
                return self
                    .reject(account, request, comment, &opening, delivery)
                    .await;
            }
            Approval::Request(form) => {
                return self.requested(account, form, opening, delivery).await;
            }
            Approval::Explain(form) => self.explain(&account, form).await,
            Approval::Inbox(kind) => self.inbox(&account, kind).await,
            Approval::Show(request) => self.show(&account, request).await,
            Approval::Cancel(request) => self.cancel(&account, request, delivery).await,
            Approval::Policies => self.policies(&account).await,
            Approval::Audit(events) => self.audit(&account, events).await,
            Approval::Stats(window) => self.stats(&account, window).await,
        };
        answer.map_or_else(|reply| reply, Reply::Answer)
    }

    /// Rejects. Where no reason was typed, a form asks for it; what would be refused goes to the use case at once.
    async fn reject(
        &self,
        account: SlackAccount,
        request: RequestRef,
        comment: Option<String>,
        opening: &Opening,
        delivery: Delivery,
    ) -> Reply {
        if comment.is_none()
            && let Some(form) = self.reject_form_of(&account, &request).await
        {
            return match self.open_now(opening, &form).await {
                Ok(_) => Reply::Nothing,
                Err(error) => modals::lost_view(&error),
            };
        }
        let click = click(account, request, DecisionKind::Reject, comment, delivery);
        self.decide(click).await
    }

    async fn explain(&self, account: &SlackAccount, form: Form) -> Result<ui::Message, Reply> {
        let caller = caller(self.person(account).await?);
        let config = self
            .0
            .app
            .compiled_config()
            .await
            .map_err(|error| failed(&error))?;
        let explained = self.0.app.explain(&caller, form.into()).await;
        let explained = explained.map_err(|error| failed(&error))?;
        Ok(help::explained(&explained, config.directory()))
    }

    async fn inbox(
        &self,
        account: &SlackAccount,
        kind: Option<RequestType>,
    ) -> Result<ui::Message, Reply> {
        let person = self.person(account).await?;
        let filter = ListFilter {
            statuses: vec![Status::Pending],
            kind,
            limit: 20,
            ..ListFilter::default()
        };
        let page = self.0.app.list(filter).await;
        let page = page.map_err(|error| failed(&error))?;
        let config = self
            .0
            .app
            .compiled_config()
            .await
            .map_err(|error| failed(&error))?;
        Ok(help::inbox(&page, &person.id, config.directory()))
    }

    async fn show(
        &self,
        account: &SlackAccount,
        request: RequestRef,
    ) -> Result<ui::Message, Reply> {
        self.person(account).await?;
        let shown = self.0.app.show(&request).await;
        Ok(ui::card(&shown.map_err(|error| failed(&error))?))
    }

    async fn cancel(
        &self,
        account: &SlackAccount,
        request: RequestRef,
        delivery: Delivery,
    ) -> Result<ui::Message, Reply> {
        let caller = caller(self.person(account).await?);
        let cancelled = self
            .0
            .app
            .cancel(&caller, &request, Some(once(delivery)))
            .await;
        let shown = cancelled.map_err(|error: AppError| failed(&error))?;
        Ok(replies::cancelled(&shown))
    }

    async fn audit(&self, account: &SlackAccount, events: u32) -> Result<ui::Message, Reply> {
        let caller = caller(self.person(account).await?);
        let config = self
            .0
            .app
            .compiled_config()
            .await
            .map_err(|error| failed(&error))?;
        let events = self.0.app.latest_events(&caller, events).await;
        let events = events.map_err(|error| failed(&error))?;
        Ok(ui::audit::audit(&events, config.directory()))
    }

    async fn stats(&self, account: &SlackAccount, window: Span) -> Result<ui::Message, Reply> {
        self.person(account).await?;
        let config = self
            .0
            .app
            .compiled_config()
            .await
            .map_err(|error| failed(&error))?;
        let stats = self.0.app.latency(window).await;
        let stats = stats.map_err(|error| failed(&error))?;
        Ok(ui::stats::stats(&stats, window, config.directory()))
    }
}

pub(super) fn caller(person: Person) -> Caller {
    Caller::person(person.id, Via::Command)
}

fn click(
    account: SlackAccount,
    request: RequestRef,
    verdict: DecisionKind,
    comment: Option<String>,
    delivery: Delivery,
) -> DecisionInput {
    DecisionInput {
        identity: ApproverIdentity::Slack(account),
        request,
        digest: None,
        verdict,
        comment,
        pages_seen: Vec::new(),
        via: Via::Command,
        once: Some(once(delivery)),
    }
}
