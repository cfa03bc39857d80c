//! E-mails are sent: one connection to the mail server for each batch, and none while the server fails. Nothing else waits for it.

use super::Workers;
use super::cards::is_due;
use super::pause::{next_probe_of_mail_server, next_try_of_email};
use super::ticked::{Ticked, in_time};
use super::webhooks::Variables;
use crate::app::{AppError, EMAILS, RequestRef};
use crate::domain::document::EmailConfig;
use crate::domain::email::{self, EmailMessage, EmailRecipient, MailServer};
use crate::domain::message::{Lane, Message};
use crate::domain::preferences::Delivery;
use crate::domain::time::{Span, Timestamp};
use crate::email::{Envelope, Letter, MailConnection, MailFailure, Outgoing, alerts, requests};
use crate::store::DueMessage;
use futures::FutureExt as _;
use lettre::message::Mailbox;
use metrics::counter;
use secrecy::SecretString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// E-mails that are sent over one connection.
const BATCH_SIZE: i64 = 8;
/// No further e-mail of a batch is begun so long after it was claimed.
const BEGIN_WITHIN: Span = Span::seconds(20);
/// Longer than opening a connection, the time above, and one e-mail may take together.
const LEASE_DURATION: Span = Span::seconds(60);
/// An e-mail that did not leave for so long is given up.
const GIVE_UP_AFTER: Span = Span::hours(24);
/// How often old e-mails are looked for.
const FORGET_EVERY: Span = Span::minutes(1);

/// What sending e-mails remembers in one replica; cheap to clone.
#[derive(Clone)]
pub(super) struct Emails {
    variables: Variables,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Number of failures of the mail server in a row.
    failures: i64,
    paused_until: Option<Timestamp>,
    forgotten_at: Option<Timestamp>,
}

impl Emails {
    pub(super) fn new(variables: Variables) -> Self {
        Self {
            variables,
            state: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the mail server failed lately. A clock that was set back makes nobody wait for longer than the pause.
    fn is_paused(&self, now: Timestamp) -> bool {
        let state = self.lock();
        let longest = next_probe_of_mail_server(state.failures, now);
        state
            .paused_until
            .is_some_and(|until| now < until && until <= longest)
    }

    /// The mail server failed; says until when nothing is sent.
    fn pause(&self, now: Timestamp) -> Timestamp {
        let mut state = self.lock();
        let until = next_probe_of_mail_server(state.failures, now);
        state.failures = state.failures.saturating_add(1);
        state.paused_until = Some(until);
        until
    }

    fn resume(&self) {
        let mut state = self.lock();
        (state.failures, state.paused_until) = (0, None);
    }

    fn is_time_to_forget(&self, now: Timestamp) -> bool {
        let mut state = self.lock();
        let last = state.forgotten_at;
        let due = last.is_none_or(|at| now.0.abs_diff(at.0) >= FORGET_EVERY.0.unsigned_abs());
        if due {
            state.forgotten_at = Some(now);
        }
        due
    }
}

/// What becomes of a claimed e-mail.
enum Prepared {
    Send(Box<Outgoing>),
    /// It waits for the end of quiet hours.
    At(Timestamp),
    /// Nobody needs it any more.
    Needless,
}

/// The mail server with the sender and the password.
struct Account {
    server: MailServer,
    from: Mailbox,
    password: Option<SecretString>,
}

impl Workers {
    /// Sends e-mails that are due.
    pub(super) async fn tick_emails(&self) -> Ticked {
        let mut ticked = Ticked::default();
        ticked.take_in(&self.app, "e-mails", in_time(self.send_emails()).await);
        if self.emails.is_time_to_forget(self.app.now()) {
            let forgotten = in_time(self.app.forget_emails()).await;
            ticked.take_in(&self.app, "old e-mails", forgotten.map(|()| false));
        }
        ticked
    }

    /// Sends one batch; says whether there may be more.
    async fn send_emails(&self) -> Result<bool, AppError> {
        let now = self.app.now();
        if self.emails.is_paused(now) {
            return Ok(false);
        }
        let next = self
            .app
            .db()
            .ask(|tx| tx.next_message_due(Lane::Email, now).boxed())
            .await?;
        if !is_due(next, now) {
            return Ok(false);
        }
        let lease_end = now.plus(LEASE_DURATION);
        let mut claimed = self
            .app
            .db()
            .transaction::<_, AppError>(async |tx| {
                Ok(tx
                    .claim_messages(Lane::Email, now, lease_end, BATCH_SIZE)
                    .await?)
            })
            .await?;
        // they arrive in the order of what happened
        claimed.due.sort_by(|a, b| a.id.cmp(&b.id));
        let config = self.app.compiled_config().await?;
        let Some(settings) = &config.document().email else {
            for due in &claimed.due {
                tracing::warn!(message = %due.id, "e-mail not sent: the configuration has no `email` any more");
                self.app.email_settled(due).await?;
            }
            return Ok(claimed.count() > 0);
        };
        self.send_batch(settings, &claimed.due, now.plus(BEGIN_WITHIN))
            .await?;
        Ok(claimed.count() > 0)
    }

    async fn send_batch(
        &self,
        settings: &EmailConfig,
        batch: &[DueMessage],
        begin_until: Timestamp,
    ) -> Result<(), AppError> {
        let account = match self.account_of(settings) {
            Ok(account) => account,
            Err(why) => {
                return self
                    .put_off_batch(&batch.iter().collect::<Vec<_>>(), &why)
                    .await;
            }
        };
        let (mut ready, mut emails) = (Vec::new(), Vec::new());
        for due in batch {
            match self.prepare(due, &account.from).await {
                Ok(Prepared::Send(email)) => {
                    ready.push(due);
                    emails.push(email);
                }
                Ok(Prepared::At(quiet_until)) => {
                    self.hold_back(due, quiet_until).await?;
                }
                Ok(Prepared::Needless) => self.app.email_settled(due).await?,
                Err(error) => {
                    self.settle_ours(due, &error).await?;
                }
            }
        }
        if ready.is_empty() {
            return Ok(());
        }
        let name = account.from.email.domain();
        let opened = MailConnection::open(&account.server, account.password.as_ref(), name).await;
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(failure) => {
                return self.put_off_batch(&ready, &failure.to_string()).await;
            }
        };
        for (at, (due, email)) in ready.iter().zip(&emails).enumerate() {
            if self.app.now() >= begin_until {
                break; // the others are due again at the end of their lease
            }
            let sent = connection.send(email).await;
            if let Err(MailFailure::Server(why)) = &sent {
                return self.put_off_batch(&ready[at..], why).await;
            }
            self.emails.resume();
            self.settle_email(due, sent).await?;
        }
        connection.close().await;
        Ok(())
    }

    fn account_of(&self, settings: &EmailConfig) -> Result<Account, String> {
        let EmailConfig {
            smtp,
            password_env,
            from,
            alerts: _,
        } = settings;
        let password = match password_env {
            None => None,
            Some(variable) => {
                let value = (self.emails.variables)(variable).filter(|value| !value.is_empty());
                Some(
                    value
                        .ok_or_else(|| format!("{variable} is not set for `countersign serve`"))?,
                )
            }
        };
        Ok(Account {
            server: MailServer::read(smtp).map_err(|why| format!("email.smtp {why}"))?,
            from: email::sender(from).map_err(|why| format!("email.from {why}"))?,
            password: password.map(SecretString::from),
        })
    }

    /// Checks again whether the e-mail is needed, and writes it.
    async fn prepare(&self, due: &DueMessage, from: &Mailbox) -> Result<Prepared, AppError> {
        let Message::Email { email } = &due.message else {
            return Ok(Prepared::Needless);
        };
        if !self.app.is_email_needed(email).await? {
            return Ok(Prepared::Needless);
        }
        let Some(to) = self.mailbox(&email.to).await? else {
            return Ok(Prepared::Needless);
        };
        match self.delivery_of(&due.message).await? {
            Delivery::Now => {}
            Delivery::At(quiet_until) => return Ok(Prepared::At(quiet_until)),
            Delivery::Never => return Ok(Prepared::Needless),
        }
        let Some(letter) = self.letter(email).await? else {
            return Ok(Prepared::Needless);
        };
        let letter = letter.link(self.app_link());
        let envelope = Envelope {
            from: from.clone(),
            to,
        };
        let email = Outgoing::new(&envelope, &letter, due.id.as_str(), self.app.now());
        let email = email.map_err(|error| AppError::Internal(error.to_string()))?;
        Ok(Prepared::Send(Box::new(email)))
    }

    /// Where an e-mail goes now; `None` if the person has left or has no address any more.
    async fn mailbox(&self, to: &EmailRecipient) -> Result<Option<Mailbox>, AppError> {
        let (name, address) = match to {
            EmailRecipient::Address(address) => (None, Some(address.clone())),
            EmailRecipient::Person(id) => match self.app.email_recipient(id).await? {
                Some(person) => (Some(person.name), person.email),
                None => (None, None),
            },
        };
        let address = address.and_then(|address| email::address(&address).ok());
        Ok(address.map(|address| Mailbox::new(name, address)))
    }

    /// What an e-mail says now; `None` if it is not true any more.
    async fn letter(&self, email: &EmailMessage) -> Result<Option<Letter>, AppError> {
        Ok(match &*email.about {
            Message::Reminder {
                to,
                instead_of,
                request,
                number,
            } => {
                let away = instead_of.as_ref();
                let waiting = self.waits_for(to, away, request, *number).await?;
                waiting.map(|waiting| requests::waits(&waiting, away, *number))
            }
            Message::Escalated {
                request, policy, ..
            } => {
                let waiting = self.app.waiting(request).await?;
                waiting.and_then(|waiting| requests::escalated(&waiting, policy))
            }
            Message::ExpiryWarning { request, .. } => {
                let waiting = self.app.waiting(request).await?;
                waiting.map(|waiting| requests::expires(&waiting.shown))
            }
            Message::News { request, .. } => {
                let shown = self.app.show(&RequestRef::Id(request.clone())).await?;
                requests::outcome(&shown)
            }
            Message::Session { alert, .. } | Message::SessionTold { alert, .. } => {
                Some(alerts::alert(alert))
            }
            Message::Thread { .. }
            | Message::Escalation { .. }
            | Message::Digest { .. }
            | Message::Alert { .. }
            | Message::SessionPosts { .. }
            | Message::Undeliverable { .. }
            | Message::Webhook { .. }
            | Message::Email { .. } => None,
        })
    }

    /// The address that opens the app in Slack.
    fn app_link(&self) -> Option<String> {
        let home = self.dispatcher.home()?;
        let (app, team) = (&home.app_id, &home.team_id);
        Some(format!(
            "https://slack.com/app_redirect?app={app}&team={team}"
        ))
    }

    async fn settle_email(
        &self,
        due: &DueMessage,
        sent: Result<(), MailFailure>,
    ) -> Result<(), AppError> {
        let (now, id) = (self.app.now(), &due.id);
        match sent {
            Ok(()) => {
                counter!(EMAILS, "outcome" => "sent").increment(1);
                self.app.email_settled(due).await
            }
            Err(MailFailure::Refused(why)) => {
                counter!(EMAILS, "outcome" => "refused").increment(1);
                tracing::error!(message = %id, why, "e-mail refused, given up");
                self.app.email_failed(due, None, &why).await
            }
            Err(MailFailure::Later(why) | MailFailure::Server(why)) => {
                counter!(EMAILS, "outcome" => "failed").increment(1);
                let next = (!is_given_up(due, now)).then(|| next_try_of_email(due.failures, now));
                tracing::warn!(message = %id, why, given_up = next.is_none(), "e-mail not accepted");
                self.app.email_failed(due, next, &why).await
            }
        }
    }

    /// The mail server failed, which says nothing about these e-mails: all of them wait, and those that have waited for a day are given
    /// up.
    async fn put_off_batch(&self, batch: &[&DueMessage], why: &str) -> Result<(), AppError> {
        let now = self.app.now();
        let until = self.emails.pause(now);
        counter!(EMAILS, "outcome" => "failed").increment(1);
        tracing::warn!(why, "mail server failed, retrying");
        for due in batch {
            if is_given_up(due, now) {
                tracing::error!(message = %due.id, why, "e-mail did not leave for a day, given up");
                self.app.email_failed(due, None, why).await?;
            } else {
                self.app.email_postponed(due, until, why).await?;
            }
        }
        Ok(())
    }
}

fn is_given_up(due: &DueMessage, now: Timestamp) -> bool {
    due.made_at.plus(GIVE_UP_AFTER) <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_with_the_first_success() {
        let emails = Emails::new(Arc::new(|_| None));
        let at = |seconds: i64| Timestamp(seconds * 1_000);
        assert!(!emails.is_paused(at(0)));
        assert_eq!(emails.pause(at(0)), at(1));
        assert!(emails.is_paused(Timestamp(999)) && !emails.is_paused(at(1)));
        assert_eq!(emails.pause(at(1)), at(3));
        // a clock that was set back by an hour
        assert!(!emails.is_paused(at(-3_600)));
        emails.resume();
        assert!(!emails.is_paused(at(2)));
        assert_eq!(emails.pause(at(2)), at(3));
    }
}
