//! The format of an e-mail: its headers, and the letter as text and HTML.

use super::Letter;
use crate::domain::time::Timestamp;
use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use std::time::{Duration, UNIX_EPOCH};

/// Who an e-mail comes from and who it goes to.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The sender of the configuration.
    pub from: Mailbox,
    /// The recipient.
    pub to: Mailbox,
}

/// An e-mail that is ready to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) content: Vec<u8>,
}

impl Outgoing {
    /// An e-mail whose `Message-ID` is made of the id of its outbox message, so that a repetition can be recognised.
    pub fn new(
        envelope: &Envelope,
        letter: &Letter,
        id: &str,
        now: Timestamp,
    ) -> Result<Self, lettre::error::Error> {
        let Envelope { from, to } = envelope;
        let domain = from.email.domain();
        let since = Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
        let message = Message::builder()
            .from(from.clone())
            .to(to.clone())
            .subject(letter.subject.clone())
            .date(UNIX_EPOCH + since)
            .message_id(Some(format!("<{id}@{domain}>")))
            // no out-of-office reply (RFC 3834)
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .multipart(MultiPart::alternative_plain_html(
                letter.text(),
                letter.html(),
            ))?;
        Ok(Self {
            from: from.email.clone(),
            to: to.email.clone(),
            content: message.formatted(),
        })
    }
}
