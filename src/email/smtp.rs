//! The client of the mail server (RFC 5321). It tells apart what concerns the server, one recipient, or one e-mail.

use super::Outgoing;
use crate::domain::email::{Encryption, MailServer};
use crate::domain::text::is_invisible;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use secrecy::{ExposeSecret as _, SecretString};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long opening a connection may take, including TLS and login.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// How long the server may take to accept one e-mail.
const SEND_DEADLINE: Duration = Duration::from_secs(10);
/// How long saying goodbye may take.
const QUIT_DEADLINE: Duration = Duration::from_secs(2);
/// Most characters of what a server says.
const SAID: usize = 300;
/// The reply of a server that closes the connection.
const CLOSING: u16 = 421;

/// Why an e-mail was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailFailure {
    /// The server cannot be reached, refuses the login or the sender, or closes the connection. It concerns all e-mails.
    #[error("{0}")]
    Server(String),
    /// The server refuses this recipient or e-mail for good.
    #[error("{0}")]
    Refused(String),
    /// The server refuses this recipient or e-mail for now.
    #[error("{0}")]
    Later(String),
}

/// An open connection to the mail server, logged in.
pub struct MailConnection {
    smtp: AsyncSmtpConnection,
    address: String,
}

impl MailConnection {
    /// Connects and logs in. `name` is the domain that the client introduces itself with.
    pub async fn open(
        server: &MailServer,
        password: Option<&SecretString>,
        name: &str,
    ) -> Result<Self, MailFailure> {
        Self::open_within(CONNECT_DEADLINE, server, password, name).await
    }

    async fn open_within(
        deadline: Duration,
        server: &MailServer,
        password: Option<&SecretString>,
        name: &str,
    ) -> Result<Self, MailFailure> {
        let address = server.address();
        let opened = timeout(deadline, connect(server, password, name)).await;
        let slow = |_| {
            let seconds = deadline.as_secs();
            MailFailure::Server(format!(
                "the mail server {address} does not answer within {seconds} s"
            ))
        };
        let smtp = opened.map_err(slow)??;
        Ok(Self { smtp, address })
    }

    /// Sends one e-mail. After [`MailFailure::Server`] the connection is of no use any more.
    pub async fn send(&mut self, email: &Outgoing) -> Result<(), MailFailure> {
        let sent = timeout(SEND_DEADLINE, transfer(&mut self.smtp, email)).await;
        let failure = match sent {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => failure,
            Err(_) => MailFailure::Server(format!(
                "does not accept an e-mail within {} s",
                SEND_DEADLINE.as_secs()
            )),
        };
        match failure {
            MailFailure::Server(why) => Err(self.failed(&why)),
            one => {
                // where that fails, the next e-mail finds the connection closed and is tried again
                let _ = timeout(QUIT_DEADLINE, self.smtp.command(Rset)).await;
                Err(one)
            }
        }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        // whatever comes back, everything was accepted or not by now
        let _ = timeout(QUIT_DEADLINE, self.smtp.quit()).await;
    }

    fn failed(&self, why: &str) -> MailFailure {
        MailFailure::Server(format!("the mail server {} {why}", self.address))
    }
}

async fn connect(
    server: &MailServer,
    password: Option<&SecretString>,
    name: &str,
) -> Result<AsyncSmtpConnection, MailFailure> {
    let address = server.address();
    let failed =
        |error: Error| MailFailure::Server(format!("the mail server {address}: {}", cause(&error)));
    let tls = || TlsParameters::new(server.host.clone()).map_err(failed);
    let name = ClientId::Domain(name.to_owned());
    let at = (server.host.as_str(), server.port);
    let mut smtp = match server.encryption {
        Encryption::Tls => {
            AsyncSmtpConnection::connect_tokio1(at, None, &name, Some(tls()?), None).await
        }
        Encryption::StartTls | Encryption::Local => {
            let stream = TcpStream::connect(at).await.map_err(|error| {
                MailFailure::Server(format!("the mail server {address}: {error}"))
            })?;
            // the dot that ends an e-mail must not wait until the server has confirmed the e-mail
            let _ = stream.set_nodelay(true);
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &name).await
        }
    }
    .map_err(failed)?;
    if server.encryption == Encryption::StartTls {
        if !smtp.can_starttls() {
            return Err(MailFailure::Server(format!(
                "the mail server {address} does not offer STARTTLS, so nothing was sent; use smtps:// if it has a port for TLS"
            )));
        }
        smtp.starttls(tls()?, &name).await.map_err(failed)?;
    }
    if let (Some(user), Some(password)) = (&server.user, password) {
        let login = Credentials::new(user.clone(), password.expose_secret().to_owned());
        let logged_in = smtp
            .auth(&[Mechanism::Plain, Mechanism::Login], &login)
            .await;
        logged_in.map_err(|error| login_failed(&address, user, &error))?;
    }
    Ok(smtp)
}

/// What the server says about a login is left out: it could repeat the password.
fn login_failed(address: &str, user: &str, error: &Error) -> MailFailure {
    let why = match error.status() {
        Some(code) => format!("refuses the login of {user} ({code})"),
        None if error.is_client() => {
            format!("offers no login with a password, but `smtp` names the user {user}")
        }
        None => "closed the connection during the login".to_owned(),
    };
    MailFailure::Server(format!("the mail server {address} {why}"))
}

async fn transfer(smtp: &mut AsyncSmtpConnection, email: &Outgoing) -> Result<(), MailFailure> {
    let from: Address = email.from.clone();
    smtp.command(Mail::new(Some(from), Vec::new()))
        .await
        .map_err(|error| {
            let cause = cause(&error);
            MailFailure::Server(format!("refuses the sender {}: {cause}", email.from))
        })?;
    let to = email.to.clone();
    let recipient = |error: Error| concerns_one(&error, &format!("recipient {}", email.to));
    smtp.command(Rcpt::new(to, Vec::new()))
        .await
        .map_err(recipient)?;
    let content = |error: Error| concerns_one(&error, "e-mail");
    smtp.command(Data).await.map_err(content)?;
    smtp.message(&email.content).await.map_err(content)?;
    Ok(())
}

fn concerns_one(error: &Error, what: &str) -> MailFailure {
    let cause = cause(error);
    let is_closing = error
        .status()
        .is_some_and(|code| u16::from(code) == CLOSING);
    if error.is_permanent() {
        MailFailure::Refused(format!("the mail server refuses the {what}: {cause}"))
    } else if error.is_transient() && !is_closing {
        MailFailure::Later(format!(
            "the mail server refuses the {what} for now: {cause}"
        ))
    } else {
        MailFailure::Server(format!("closed the connection: {cause}"))
    }
}

/// An error on one visible line.
fn cause(error: &Error) -> String {
    let visible = error.to_string();
    let visible = visible
        .chars()
        .map(|sign| if is_invisible(sign) { ' ' } else { sign });
    visible.take(SAID).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_server_that_never_greets_is_left_no15() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = MailServer::read(&format!("smtp://127.0.0.1:{port}")).expect("a server");
        let deadline = Duration::from_millis(50);
        let opened = MailConnection::open_within(deadline, &server, None, "example.com").await;
        let Err(MailFailure::Server(why)) = opened else {
            panic!("it was opened");
        };
        assert!(why.contains("does not answer within"), "{why}");
    }
}
