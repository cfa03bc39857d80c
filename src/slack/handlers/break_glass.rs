//! `/breakglass`, its form, and the buttons of its alerts. Who may do what, the use cases decide.

use super::commands::caller;
use super::modals::Opening;
use super::{Dispatcher, Reply, failed, once};
use crate::app::{AppError, IdempotencyKey};
use crate::domain::break_glass::{SessionAsk, SessionStatus};
use crate::domain::decision::Via;
use crate::domain::id::SessionId;
use crate::domain::people::{Person, SlackAccount};
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::slack::inbound::command::break_glass::{self as grammar, BreakGlass};
use crate::slack::inbound::{Delivery, View};
use crate::slack::ui::{Message, break_glass, break_glass_form as form, help, replies};
use serde_json::Value;

impl Dispatcher {
    pub(super) async fn break_glass(
        &self,
        account: SlackAccount,
        opening: Opening,
        text: &str,
        delivery: Delivery,
    ) -> Reply {
        let said = match grammar::parse(text) {
            Ok(said) => said,
            Err(misread) => return Reply::Answer(help::misread_break_glass(&misread, text)),
        };
        let answer = match said {
            BreakGlass::Help => Ok(Reply::Answer(help::break_glass())),
            BreakGlass::Status => self.session_status(&account).await.map(Reply::Answer),
            BreakGlass::Revoke(id) => {
                self.revoke(&account, id, Via::Command, once(delivery))
                    .await
            }
            BreakGlass::Start(ask) if grammar::is_complete(&ask) => {
                self.start_session(&account, ask, Via::Command, once(delivery))
                    .await
            }
            BreakGlass::Start(ask) => Ok(self.open_start(account, &opening, ask).await),
        };
        answer.unwrap_or_else(|reply| reply)
    }

    async fn session_status(&self, account: &SlackAccount) -> Result<Message, Reply> {
        let person = self.person(account).await?;
        let open = self.0.app.open_sessions().await;
        let open = open.map_err(|error| failed(&error))?;
        let config = self
            .0
            .app
            .compiled_config()
            .await
            .map_err(|error| failed(&error))?;
        Ok(break_glass::status(&open, &config, &person.id))
    }

    /// Whoever may not start a session is told before they fill in a form.
    async fn open_start(&self, account: SlackAccount, opening: &Opening, ask: SessionAsk) -> Reply {
        let this = self.clone();
        let content = async move {
            let person = this.person(&account).await?;
            let config = this
                .0
                .app
                .compiled_config()
                .await
                .map_err(|error| failed(&error))?;
            let settings = config
                .may_start(&person.id)
                .map_err(|refusal| super::refused(&refusal))?;
            // what is too long for a form is typed as a whole
            form::form(&config, settings, &ask).ok_or_else(|| Reply::Answer(help::break_glass()))
        };
        self.open(opening, Box::pin(content)).await
    }

    async fn start_session(
        &self,
        account: &SlackAccount,
        ask: SessionAsk,
        via: Via,
        once: IdempotencyKey,
    ) -> Result<Reply, Reply> {
        let caller = at_door(self.person(account).await?, via);
        let started = self.0.app.start_session(&caller, ask, Some(once)).await;
        let started = started.map_err(|error| failed(&error))?;
        let number = started.request.as_ref().map(|shown| shown.request.number);
        Ok(Reply::Answer(break_glass::started(
            &started.session,
            number,
        )))
    }

    async fn revoke(
        &self,
        account: &SlackAccount,
        id: Option<SessionId>,
        via: Via,
        once: IdempotencyKey,
    ) -> Result<Reply, Reply> {
        let person = self.person(account).await?;
        let id = match id {
            Some(id) => id,
            None => self.only_session(&person).await?,
        };
        let caller = at_door(person, via);
        let revoked = self.0.app.revoke_session(&caller, &id, Some(once)).await;
        let revoked = revoked.map_err(|error| failed(&error))?;
        Ok(Reply::Answer(break_glass::done_with(&revoked)))
    }

    /// The one active session in which this person has a part.
    async fn only_session(&self, person: &Person) -> Result<SessionId, Reply> {
        let open = self.0.app.open_sessions().await;
        let open = open.map_err(|error| failed(&error))?;
        let who = Principal::Person(person.id.clone());
        let own: Vec<_> = open
            .iter()
            .map(|shown| &shown.session)
            .filter(|session| session.state.status() == SessionStatus::Active)
            .filter(|session| session.initiator == person.id || session.responders.contains(&who))
            .collect();
        match own.as_slice() {
            [only] => Ok(only.id.clone()),
            [] => Err(Reply::Answer(Message::plain(
                "You have no active session. `/breakglass status` shows those that are open; name one with `/breakglass revoke bg_...`.",
            ))),
            _ => Err(Reply::Answer(Message::plain(
                "You have several active sessions; name one: `/breakglass status` shows their ids.",
            ))),
        }
    }

    pub(super) async fn pressed_revoke(
        &self,
        account: Result<SlackAccount, Reply>,
        value: &str,
        delivery: Delivery,
    ) -> Reply {
        let Ok(id) = value.parse::<SessionId>() else {
            return Reply::Answer(replies::foreign_button());
        };
        let done = async {
            let account = account?;
            self.revoke(&account, Some(id), Via::Button, once(delivery))
                .await
        };
        done.await.unwrap_or_else(|reply: Reply| reply)
    }

    /// Whoever may not review is told before they write a note.
    pub(super) async fn session_review_form(
        &self,
        account: &SlackAccount,
        value: &str,
    ) -> Result<Value, Reply> {
        let foreign = |_| Reply::Answer(replies::foreign_button());
        let id: SessionId = value.parse().map_err(foreign)?;
        let person = self.person(account).await?;
        let shown = self.0.app.session(&id).await;
        let shown = shown.map_err(|error| failed(&error))?;
        let config = self
            .0
            .app
            .compiled_config()
            .await
            .map_err(|error| failed(&error))?;
        config
            .check_review(&shown.session, &shown.involved(), &person.id)
            .map_err(|refusal| super::refused(&refusal))?;
        Ok(break_glass::review_form(&shown))
    }

    pub(super) async fn sent_review(
        &self,
        account: &SlackAccount,
        view: &View,
        delivery: Delivery,
    ) -> Reply {
        let metadata = view.private_metadata.as_deref().unwrap_or_default();
        let Ok(id) = metadata.parse::<SessionId>() else {
            return Reply::Answer(replies::foreign_button());
        };
        let note = view.field(break_glass::NOTE).unwrap_or_default();
        let done = async {
            let caller = at_door(self.person(account).await?, Via::Modal);
            let app = &self.0.app;
            let once = Some(once(delivery));
            match app.review_session(&caller, &id, &note, once).await {
                Ok(reviewed) => Ok(Reply::Done(break_glass::done_with(&reviewed))),
                Err(AppError::Refused(refusal @ Refusal::Violations(_))) => {
                    Err(Reply::Fields(vec![(break_glass::NOTE, refusal.detail())]))
                }
                Err(error) => Err(failed(&error)),
            }
        };
        done.await.unwrap_or_else(|reply: Reply| reply)
    }

    pub(super) async fn sent_start(
        &self,
        account: &SlackAccount,
        view: &View,
        delivery: Delivery,
    ) -> Reply {
        let done = async {
            let caller = at_door(self.person(account).await?, Via::Modal);
            let app = &self.0.app;
            let once = Some(once(delivery));
            match app.start_session(&caller, form::read(view), once).await {
                Ok(started) => {
                    let number = started.request.as_ref().map(|shown| shown.request.number);
                    Ok(Reply::Done(break_glass::started(&started.session, number)))
                }
                Err(AppError::Refused(Refusal::Violations(violations))) => {
                    Err(Reply::Fields(form::beside(&violations)))
                }
                Err(error) => Err(failed(&error)),
            }
        };
        done.await.unwrap_or_else(|reply: Reply| reply)
    }
}

fn at_door(person: Person, via: Via) -> Caller {
    Caller {
        via,
        ..caller(person)
    }
}
