//! The workspace's mail server, so that the demo shows e-mails too: the part of SMTP (RFC 5321) that Countersign speaks. It listens on
//! this machine, keeps what it receives, and passes nothing on.

use super::Sandbox;
use super::state::{Mail, State};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The longest line that is read, in bytes.
const LONGEST_LINE: u64 = 64 * 1024;
/// The largest e-mail that is read, in bytes.
const LARGEST: usize = 1024 * 1024;
/// How many e-mails are kept; the oldest go first.
const KEPT: usize = 500;
/// How many are shown to a person.
const SHOWN: usize = 50;

impl Sandbox {
    /// Serves SMTP on this machine until [`Sandbox::stop`]; a port that is taken is replaced by a free one. Returns the address.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn serve_mail(&self, port: u16) -> io::Result<SocketAddr> {
        let listener = bind(port).await?;
        let address = listener.local_addr()?;
        self.change(|state| state.has_mail = true);
        let (sandbox, stop) = (self.clone(), self.0.stop.clone());
        self.0.server.spawn(async move {
            let serving = async {
                while let Ok((stream, _)) = listener.accept().await {
                    let (sandbox, stop) = (sandbox.clone(), sandbox.0.stop.clone());
                    sandbox.0.server.clone().spawn(async move {
                        let talk = stop.run_until_cancelled(sandbox.talk(stream)).await;
                        if let Some(Err(error)) = talk {
                            tracing::debug!(%error, "a connection to the workspace's mail server ended");
                        }
                    });
                }
            };
            stop.run_until_cancelled(serving).await;
        });
        Ok(address)
    }

    async fn talk(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 sandbox ESMTP\r\n").await?;
        let mut recipients = Vec::new();
        while let Some(line) = line(&mut stream).await? {
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let reply = match verb.to_ascii_uppercase().as_str() {
                "EHLO" | "HELO" | "NOOP" => "250 sandbox",
                "MAIL" | "RSET" => {
                    recipients.clear();
                    "250 OK"
                }
                "RCPT" => {
                    recipients.push(address_in(rest));
                    "250 OK"
                }
                "DATA" if !recipients.is_empty() => {
                    stream.write_all(b"354 Go ahead\r\n").await?;
                    let content = content(&mut stream).await?;
                    self.keep_mail(&recipients, &content);
                    "250 Kept"
                }
                "QUIT" => return stream.write_all(b"221 Bye\r\n").await,
                _ => "503 Not now",
            };
            stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        }
        Ok(())
    }

    fn keep_mail(&self, recipients: &[String], content: &[u8]) {
        let message = MessageParser::default().parse(content);
        let subject = message.as_ref().and_then(|message| message.subject());
        let text = message.as_ref().and_then(|message| message.body_text(0));
        let at_ms = self.now_ms();
        self.change(|state| {
            for to in recipients {
                let serial = state.next_serial();
                state.mails.push(Mail {
                    serial,
                    to: to.clone(),
                    subject: subject.unwrap_or_default().to_owned(),
                    text: text.as_deref().unwrap_or_default().trim().to_owned(),
                    at_ms,
                });
            }
            let too_many = state.mails.len().saturating_sub(KEPT);
            state.mails.drain(..too_many);
        });
    }
}

/// Listens on this machine, at this port or a free one.
pub(super) async fn bind(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await,
        bound => bound,
    }
}

/// The e-mails of a person, newest first, whose address is their handle at any domain; `null` without a mail server.
pub(super) fn mails_of(state: &State, handle: &str) -> Value {
    if !state.has_mail {
        return Value::Null;
    }
    let is_theirs = |mail: &&Mail| mail.to.split('@').next() == Some(handle);
    let theirs = state.mails.iter().rev().filter(is_theirs).take(SHOWN);
    let shown = theirs.map(|mail| {
        json!({"serial": mail.serial, "to": mail.to, "subject": mail.subject, "text": mail.text, "at_ms": mail.at_ms})
    });
    shown.collect()
}

/// The address in `TO:<bob@example.com> …`.
fn address_in(argument: &str) -> String {
    let path = argument.split_once('<').map_or(argument, |(_, path)| path);
    path.split('>').next().unwrap_or_default().to_owned()
}

/// One line without its end; `None` once the client has left.
async fn line(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let read = raw_line(stream).await?;
    Ok((!read.is_empty()).then(|| String::from_utf8_lossy(&read).trim_end().to_owned()))
}

async fn raw_line(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    stream
        .take(LONGEST_LINE)
        .read_until(b'\n', &mut read)
        .await?;
    Ok(read)
}

/// The content up to the line with a single dot; a dot that was doubled is one again.
async fn content(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let read = raw_line(stream).await?;
        match read.as_slice() {
            [] => return Err(io::ErrorKind::UnexpectedEof.into()),
            b".\r\n" => return Ok(content),
            [b'.', rest @ ..] => content.extend_from_slice(rest),
            whole => content.extend_from_slice(whole),
        }
        if content.len() > LARGEST {
            return Err(io::Error::other("the e-mail is too large"));
        }
    }
}
