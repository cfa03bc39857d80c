//! E-mail: the mail server and the addresses of the configuration, and the e-mails that wait in the outbox.

use super::id::{OutboxId, PersonId};
use super::message::Message;
use core::net::IpAddr;
use lettre::Address;
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// The port of mail submission over TLS.
const TLS_PORT: u16 = 465;
/// The port of mail submission.
const SUBMISSION_PORT: u16 = 587;
/// The longest address, in bytes (RFC 5321).
const LONGEST_ADDRESS: usize = 254;

/// How a connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS from the first byte.
    Tls,
    /// TLS after STARTTLS; without it, nothing is sent.
    StartTls,
    /// None: the server runs on this machine.
    Local,
}

/// The mail server that e-mails are handed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// The user to log in as; none for a server that needs no login.
    pub user: Option<String>,
}

impl MailServer {
    /// Reads `smtps://user@host:465` or `smtp://user@host:587`. The error continues a sentence about the text.
    pub fn read(text: &str) -> Result<Self, String> {
        let example = "write it like smtps://user@mail.example.com:465";
        let url = Url::parse(text).map_err(|error| format!("is not a URL ({error}); {example}"))?;
        if url.password().is_some() {
            let message = "contains a password; set `passwordEnv` to the environment variable that contains it";
            return Err(message.to_owned());
        }
        let is_tls = match url.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(format!("must begin with smtps:// or smtp://; {example}")),
        };
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        };
        if host.is_empty() {
            return Err(format!("names no host; {example}"));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("contains more than user, host and port; {example}"));
        }
        let encryption = if is_tls {
            Encryption::Tls
        } else if is_loopback(&host) {
            Encryption::Local
        } else {
            Encryption::StartTls
        };
        let usual = if is_tls { TLS_PORT } else { SUBMISSION_PORT };
        Ok(Self {
            port: url.port().unwrap_or(usual),
            user: user(&url)?,
            host,
            encryption,
        })
    }

    /// `mail.example.com:465`.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// The user of a URL, where `%40` stands for the `@` of an address.
fn user(url: &Url) -> Result<Option<String>, String> {
    let written = url.username();
    if written.is_empty() {
        return Ok(None);
    }
    let form = format!("user={}", written.replace('+', "%2B").replace('&', "%26"));
    let mut decoded = url::form_urlencoded::parse(form.as_bytes());
    let user = decoded.next().map(|(_, user)| user.into_owned());
    match user {
        Some(user) if !user.chars().any(char::is_control) => Ok(Some(user)),
        _ => Err("names a user with control characters".to_owned()),
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Reads a sender: `Countersign <approvals@example.com>`, or the address alone.
pub fn sender(text: &str) -> Result<Mailbox, String> {
    let wrong = || "is not a sender; write it like Countersign <approvals@example.com>".to_owned();
    if text.chars().any(char::is_control) {
        return Err(wrong());
    }
    let mailbox: Mailbox = text.parse().map_err(|_| wrong())?;
    address(mailbox.email.as_ref())?;
    Ok(mailbox)
}

/// Reads an address: `bob@example.com`, in ASCII, as not every mail server delivers to others.
pub fn address(text: &str) -> Result<Address, String> {
    let wrong = || {
        format!(
            "`{}` is not an e-mail address; write it like bob@example.com",
            text.escape_debug()
        )
    };
    if !text.is_ascii() || text.len() > LONGEST_ADDRESS {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

/// Who receives an e-mail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EmailRecipient {
    /// A person, at the address that the configuration has for them when the e-mail is sent.
    Person(PersonId),
    /// An address of `email.alerts`.
    Address(String),
}

/// An e-mail that says what a message in Slack says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmailMessage {
    /// The recipient.
    pub to: EmailRecipient,
    /// What the e-mail says.
    pub about: Box<Message>,
    /// If there are any: the messages in Slack that the e-mail stands in for. It is not sent once Slack has taken all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stands_in_for: Vec<OutboxId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> (String, Encryption, Option<String>) {
        let server = MailServer::read(text).expect(text);
        (server.address(), server.encryption, server.user)
    }

    #[test]
    fn mail_servers_are_encrypted_except_on_this_machine_no14() {
        let user = |name: &str| Some(name.to_owned());
        for (text, address, encryption, user) in [
            (
                "smtps://user@mail.example.com:465",
                "mail.example.com:465",
                Encryption::Tls,
                user("user"),
            ),
            (
                "smtps://mail.example.com",
                "mail.example.com:465",
                Encryption::Tls,
                None,
            ),
            (
                "smtp://a%40b.c@mail.example.com",
                "mail.example.com:587",
                Encryption::StartTls,
                user("a@b.c"),
            ),
            (
                "smtp://a+b@10.0.0.1:25/",
                "10.0.0.1:25",
                Encryption::StartTls,
                user("a+b"),
            ),
            (
                "smtp://localhost:25",
                "localhost:25",
                Encryption::Local,
                None,
            ),
            (
                "smtp://127.0.0.1:25",
                "127.0.0.1:25",
                Encryption::Local,
                None,
            ),
            ("smtp://[::1]:25", "[::1]:25", Encryption::Local, None),
            (
                "smtp://localhost.example.com",
                "localhost.example.com:587",
                Encryption::StartTls,
                None,
            ),
            ("smtps://localhost", "localhost:465", Encryption::Tls, None),
        ] {
            assert_eq!(
                server(text),
                (address.to_owned(), encryption, user),
                "{text}"
            );
        }
    }

    #[test]
    fn wrong_mail_servers_are_refused_with_the_way_to_write_them() {
        for (text, why) in [
            ("mail.example.com", "is not a URL"),
            ("https://mail.example.com", "must begin with smtps://"),
            ("smtps://user:secret@mail.example.com", "`passwordEnv`"),
            ("smtps://", "names no host"),
            (
                "smtps://mail.example.com/x",
                "more than user, host and port",
            ),
            (
                "smtps://mail.example.com?a=b",
                "more than user, host and port",
            ),
            ("smtps://a%0D%0Ab@mail.example.com", "control characters"),
        ] {
            let said = MailServer::read(text).expect_err(text);
            assert!(
                said.contains(why) && !said.contains("secret"),
                "{text}: {said}"
            );
        }
    }

    #[test]
    fn addresses_cannot_contain_a_second_line_or_recipient_no13() {
        for text in [
            "bob@example.com\r\nBcc: eve@example.com",
            "bob@example.com, eve@example.com",
            "bob@example.com>\r\nRCPT TO:<eve@example.com",
            "bob",
            "bob@",
            "böb@example.com",
            "",
        ] {
            assert!(address(text).is_err(), "{text}");
            assert!(sender(text).is_err(), "{text}");
        }
        assert!(address("bob+approvals@mail.example.com").is_ok());
        let from = sender("Countersign <approvals@example.com>").expect("a sender");
        assert_eq!(from.name.as_deref(), Some("Countersign"));
        assert!(sender("approvals@example.com").is_ok());
    }
}
