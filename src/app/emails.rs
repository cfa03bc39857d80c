//! E-mails: rows in the commit of what they tell (docs/decisions.md D49).

use super::{App, AppError};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::email::{EmailMessage, EmailRecipient};
use crate::domain::id::{OutboxId, PersonId};
use crate::domain::message::Message;
use crate::domain::people::Person;
use crate::domain::time::{Span, Timestamp};
use crate::store::{DueMessage, Tx};

/// How long Slack may take to accept a break-glass alert before it is also sent by e-mail.
const ALERT_WAITS: Span = Span::minutes(1);
/// How long an e-mail that was given up is kept, for `countersign doctor`.
const KEPT_FOR: Span = Span::hours(7 * 24);

/// The e-mail that says the same as a direct message about a request, if its recipient has an address and there is a mail server.
pub(super) fn email_of(message: &Message, config: &CompiledConfig) -> Option<Message> {
    config.document().email.as_ref()?;
    let to = message.to().filter(|_| is_about_request(message))?;
    has_address(to, config).then(|| email_to(to, message.clone()))
}

fn is_about_request(message: &Message) -> bool {
    matches!(
        message,
        Message::News { .. }
            | Message::Reminder { .. }
            | Message::Escalated { .. }
            | Message::ExpiryWarning { .. }
    )
}

fn has_address(person: &PersonId, config: &CompiledConfig) -> bool {
    let person = config.directory().person(person);
    person.is_some_and(|person| person.active && person.email.is_some())
}

fn email_to(to: &PersonId, about: Message) -> Message {
    email(EmailRecipient::Person(to.clone()), about, Vec::new())
}

fn email(to: EmailRecipient, about: Message, stands_in_for: Vec<OutboxId>) -> Message {
    Message::Email {
        email: Box::new(EmailMessage {
            to,
            about: Box::new(about),
            stands_in_for,
        }),
    }
}

/// Whoever cannot be reached in Slack learns of a waiting request by e-mail at once.
pub(super) fn is_without_slack(person: &PersonId, config: &CompiledConfig) -> bool {
    let person = config.directory().person(person);
    person.is_some_and(|person| person.slack.is_empty())
}

/// A break-glass alert as it is stored: for the security channel, or for a person.
pub(super) struct StoredAlert {
    /// Its id in the outbox.
    pub(super) id: OutboxId,
    /// The message.
    pub(super) message: Message,
}

impl App {
    /// Adds the e-mails that say the same as these messages.
    pub(super) async fn with_emails(
        &self,
        tx: &mut Tx,
        messages: Vec<Message>,
    ) -> Result<Vec<Message>, AppError> {
        if !messages.iter().any(is_about_request) {
            return Ok(messages);
        }
        let Some(config) = self.readable_config(tx).await? else {
            return Ok(messages);
        };
        let emails: Vec<Message> = messages
            .iter()
            .filter_map(|message| email_of(message, &config))
            .collect();
        Ok(messages.into_iter().chain(emails).collect())
    }

    /// Stores the e-mails of a break-glass alert. They are due after a minute, or as soon as Slack refuses the alert, and are not sent
    /// if Slack has taken it by then. The first of `alerts` is that of the security channel.
    pub(super) async fn store_alert_emails(
        &self,
        tx: &mut Tx,
        alerts: &[StoredAlert],
        config: &CompiledConfig,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let (Some(settings), Some((in_channel, direct))) =
            (&config.document().email, alerts.split_first())
        else {
            return Ok(());
        };
        let mut told: Vec<String> = Vec::new();
        let person = |to: &PersonId| config.directory().person(to).filter(|one| one.active);
        for one in direct {
            let Some(to) = one.message.to().and_then(person) else {
                continue;
            };
            let Some(address) = &to.email else {
                continue;
            };
            told.push(address.to_lowercase());
            let stands_in_for = if to.slack.is_empty() {
                Vec::new()
            } else {
                vec![in_channel.id.clone(), one.id.clone()]
            };
            let recipient = EmailRecipient::Person(to.id.clone());
            let email = email(recipient, one.message.clone(), stands_in_for);
            self.send_alert_email(tx, &email, now).await?;
        }
        let others = settings.alerts.iter();
        for address in others.filter(|address| !told.contains(&address.to_lowercase())) {
            let recipient = EmailRecipient::Address(address.clone());
            let about = in_channel.message.clone();
            let email = email(recipient, about, vec![in_channel.id.clone()]);
            self.send_alert_email(tx, &email, now).await?;
        }
        Ok(())
    }

    async fn send_alert_email(
        &self,
        tx: &mut Tx,
        email: &Message,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let due = if email.queue().is_some() {
            now.plus(ALERT_WAITS)
        } else {
            now
        };
        let id = OutboxId::from_uuid(self.0.ids.next(now));
        Ok(tx.send_later(&id, email, now, due).await?)
    }

    /// Whether an e-mail is still to be sent: Slack has not taken all the messages that it stands in for, if there are any.
    pub async fn is_email_needed(&self, email: &EmailMessage) -> Result<bool, AppError> {
        if email.stands_in_for.is_empty() {
            return Ok(true);
        }
        let mut tx = self.0.db.read().await?;
        for id in &email.stands_in_for {
            if tx.is_in_outbox(id).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The active person that an e-mail goes to.
    pub async fn email_recipient(&self, id: &PersonId) -> Result<Option<Person>, AppError> {
        let config = self.compiled_config().await?;
        let person = config.directory().person(id);
        Ok(person.filter(|person| person.active).cloned())
    }

    /// Stores that an e-mail left, or that nobody needs it any more.
    pub async fn email_settled(&self, due: &DueMessage) -> Result<(), AppError> {
        self.0
            .db
            .transaction(async |tx| Ok(tx.delivered(due).await?))
            .await
    }

    /// Stores that an e-mail did not leave: it is due again at `next`, or given up.
    pub async fn email_failed(
        &self,
        due: &DueMessage,
        next: Option<Timestamp>,
        why: &str,
    ) -> Result<(), AppError> {
        self.0
            .db
            .transaction(async |tx| Ok(tx.put_off_message(due, next, why).await.map(drop)?))
            .await
    }

    /// Stores that an e-mail waits for the mail server until `next`.
    pub async fn email_postponed(
        &self,
        due: &DueMessage,
        next: Timestamp,
        why: &str,
    ) -> Result<(), AppError> {
        self.0
            .db
            .transaction(async |tx| Ok(tx.release_message(due, next, Some(why)).await?))
            .await
    }

    /// Deletes e-mails that were stored a week ago: nobody wants to read them any more.
    pub async fn forget_emails(&self) -> Result<(), AppError> {
        let until = Timestamp(self.now().0.saturating_sub(KEPT_FOR.0));
        let forgotten = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| Ok(tx.forget_emails(until).await?))
            .await?;
        if forgotten > 0 {
            tracing::warn!(
                forgotten,
                "e-mails that did not leave within a week were deleted"
            );
        }
        Ok(())
    }
}
