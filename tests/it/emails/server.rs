//! A mail server that speaks SMTP over real sockets (RFC 5321, with AUTH PLAIN and STARTTLS), keeps what it accepts, enforces the
//! protocol, and fails as it is told.

use super::content::Received;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/mail.test.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/mail.test.key");
/// The longest line of a message, without its end (RFC 5321, 4.5.3.1.6).
const LONGEST_LINE: usize = 998;

/// How clients reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Without TLS.
    Plain,
    /// With STARTTLS, which is required before a login.
    StartTls,
    /// With TLS from the first byte.
    Tls,
}

/// How the server fails for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// It closes connections instead of greeting.
    Drops,
    /// It greets with 421.
    IsClosing,
    /// It refuses every login, and repeats in its reply what was sent.
    RefusesLogins,
    /// It refuses every sender.
    RefusesSenders,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    /// Replies to the next `RCPT` of an address; the last one stays if it is for good.
    refused: BTreeMap<String, VecDeque<u16>>,
    failing: Option<Failing>,
    violations: Vec<String>,
    connections: usize,
    lines: Vec<String>,
}

/// A running mail server.
pub struct MailServer {
    address: SocketAddr,
    security: Security,
    /// User and password; without them nobody needs to log in.
    login: Option<(&'static str, &'static str)>,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl MailServer {
    pub async fn start(security: Security, login: Option<(&'static str, &'static str)>) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(accept(listener, security, login, Arc::clone(&state)));
        Self {
            address,
            security,
            login,
            state,
            task,
        }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Stops listening: connections are refused.
    pub async fn stop(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Listens again at the same port.
    pub async fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("its port");
        let state = Arc::clone(&self.state);
        self.task = tokio::spawn(accept(listener, self.security, self.login, state));
    }

    /// What it has accepted, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.locked(|state| state.received.clone())
    }

    /// What it has accepted for an address.
    pub fn for_address(&self, address: &str) -> Vec<Received> {
        let mut received = self.received();
        received.retain(|one| one.to == address);
        received
    }

    /// How it replies to the next recipients with this address.
    pub fn refuses(&self, address: &str, codes: &[u16]) {
        self.locked(|state| {
            state
                .refused
                .insert(address.to_owned(), codes.to_vec().into())
        });
    }

    pub fn fails(&self, how: Option<Failing>) {
        self.locked(|state| state.failing = how);
    }

    pub fn connections(&self) -> usize {
        self.locked(|state| state.connections)
    }

    /// Every line that a client sent as a command, decrypted.
    pub fn lines(&self) -> Vec<String> {
        self.locked(|state| state.lines.clone())
    }

    /// What clients did against the protocol.
    pub fn violations(&self) -> Vec<String> {
        self.locked(|state| state.violations.clone())
    }

    fn locked<T>(&self, then: impl FnOnce(&mut State) -> T) -> T {
        then(&mut self.state.lock().expect("a lock"))
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
        if !std::thread::panicking() {
            assert_eq!(self.violations(), Vec::<String>::new());
        }
    }
}

type Login = Option<(&'static str, &'static str)>;

async fn accept(listener: TcpListener, security: Security, login: Login, state: Arc<Mutex<State>>) {
    let tls = TlsAcceptor::from(tls());
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let mut talk = Talk {
                state,
                login,
                user: None,
            };
            match security {
                Security::Plain => talk
                    .run(BufReader::new(stream), true, false)
                    .await
                    .map(drop),
                Security::Tls => {
                    let stream = tls.accept(stream).await?;
                    talk.run(BufReader::new(stream), true, false)
                        .await
                        .map(drop)
                }
                Security::StartTls => {
                    let Some(stream) = talk.run(BufReader::new(stream), true, true).await? else {
                        return Ok(());
                    };
                    let stream = tls.accept(stream.into_inner()).await?;
                    talk.run(BufReader::new(stream), false, false)
                        .await
                        .map(drop)
                }
            }
        });
    }
}

fn tls() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(CERTIFICATE).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(KEY).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    Arc::new(config)
}

/// One connection.
struct Talk {
    state: Arc<Mutex<State>>,
    login: Login,
    user: Option<String>,
}

/// What was said of the next message.
#[derive(Default)]
struct Draft {
    from: Option<String>,
    to: Option<String>,
}

impl Talk {
    fn locked<T>(&self, then: impl FnOnce(&mut State) -> T) -> T {
        then(&mut self.state.lock().expect("a lock"))
    }

    fn violation(&self, what: impl Into<String>) {
        self.locked(|state| state.violations.push(what.into()));
    }

    /// Talks until the client leaves; returns the connection if the client wants TLS.
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        mut stream: BufReader<S>,
        greets: bool,
        offers_tls: bool,
    ) -> std::io::Result<Option<BufReader<S>>> {
        let failing = self.locked(|state| {
            state.connections += usize::from(greets);
            state.failing
        });
        match failing {
            Some(Failing::Drops) => return Ok(None),
            Some(Failing::IsClosing) => {
                stream.write_all(b"421 closing\r\n").await?;
                return Ok(None);
            }
            _ => {}
        }
        if greets {
            stream.write_all(b"220 mail.test ESMTP\r\n").await?;
        }
        let (mut draft, mut introduced) = (Draft::default(), false);
        while let Some(line) = self.line(&mut stream).await? {
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let verb = verb.to_ascii_uppercase();
            if !introduced && !matches!(verb.as_str(), "EHLO" | "QUIT") {
                self.violation(format!("{verb} before EHLO"));
            }
            let reply = match verb.as_str() {
                "EHLO" => {
                    introduced = true;
                    self.features(offers_tls)
                }
                "STARTTLS" if offers_tls => {
                    stream.write_all(b"220 go ahead\r\n").await?;
                    return Ok(Some(stream));
                }
                "AUTH" => self.auth(rest, failing, offers_tls),
                "MAIL" => self.mail(rest, failing, &mut draft),
                "RCPT" => self.recipient(rest, &mut draft),
                "DATA" if draft.to.is_some() => {
                    stream.write_all(b"354 go ahead\r\n").await?;
                    let Some(content) = self.content(&mut stream).await? else {
                        return Ok(None);
                    };
                    self.keep(std::mem::take(&mut draft), content);
                    "250 accepted".to_owned()
                }
                "RSET" => {
                    draft = Draft::default();
                    "250 forgotten".to_owned()
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").await?;
                    return Ok(None);
                }
                _ => {
                    self.violation(format!("{verb} out of order"));
                    "503 out of order".to_owned()
                }
            };
            stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        }
        Ok(None)
    }

    /// One command.
    async fn line<S: AsyncRead + Unpin>(
        &self,
        stream: &mut BufReader<S>,
    ) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8(line).map_err(std::io::Error::other)?;
        let Some(line) = line.strip_suffix("\r\n") else {
            self.violation(format!("a line that does not end with CRLF: {line:?}"));
            return Ok(None);
        };
        self.locked(|state| state.lines.push(line.to_owned()));
        Ok(Some(line.to_owned()))
    }

    fn features(&self, offers_tls: bool) -> String {
        let mut features = vec!["mail.test"];
        if offers_tls {
            features.push("STARTTLS");
        } else if self.login.is_some() {
            features.push("AUTH PLAIN LOGIN");
        }
        let (last, first) = features.split_last().expect("a name");
        let first: Vec<String> = first.iter().map(|one| format!("250-{one}\r\n")).collect();
        format!("{}250 {last}", first.concat())
    }

    fn auth(&mut self, rest: &str, failing: Option<Failing>, offers_tls: bool) -> String {
        if offers_tls {
            self.violation("a login before STARTTLS");
            return "530 STARTTLS first".to_owned();
        }
        let proof = rest.strip_prefix("PLAIN ").unwrap_or_default();
        let proof = STANDARD.decode(proof).unwrap_or_default();
        let proof = String::from_utf8_lossy(&proof).into_owned();
        if failing == Some(Failing::RefusesLogins) {
            let said = proof.replace('\0', " ");
            return format!("535 5.7.8 wrong:{said}, {rest}");
        }
        let expected = self
            .login
            .map(|(user, password)| format!("\0{user}\0{password}"));
        if Some(&proof) != expected.as_ref() {
            return "535 5.7.8 wrong".to_owned();
        }
        self.user = self.login.map(|(user, _)| user.to_owned());
        "235 welcome".to_owned()
    }

    fn mail(&self, rest: &str, failing: Option<Failing>, draft: &mut Draft) -> String {
        if self.login.is_some() && self.user.is_none() {
            return "530 log in first".to_owned();
        }
        if failing == Some(Failing::RefusesSenders) {
            return "553 5.7.1 not your address".to_owned();
        }
        if draft.from.is_some() {
            self.violation("MAIL within a message");
        }
        draft.from = address(rest, "FROM:<");
        match &draft.from {
            Some(_) => "250 go on".to_owned(),
            None => "501 no address".to_owned(),
        }
    }

    fn recipient(&self, rest: &str, draft: &mut Draft) -> String {
        let Some(to) = address(rest, "TO:<").filter(|_| draft.from.is_some()) else {
            self.violation(format!("RCPT {rest}"));
            return "503 out of order".to_owned();
        };
        let refused = self.locked(|state| {
            let codes = state.refused.get_mut(&to)?;
            let is_last = codes.len() == 1;
            match codes.front() {
                Some(code) if is_last && *code >= 500 => Some(*code),
                _ => codes.pop_front(),
            }
        });
        if let Some(code) = refused {
            return format!("{code} not here");
        }
        draft.to = Some(to);
        "250 go on".to_owned()
    }

    /// The message, without the dots that were added for its way (RFC 5321, 4.5.2).
    async fn content<S: AsyncRead + Unpin>(
        &self,
        stream: &mut BufReader<S>,
    ) -> std::io::Result<Option<String>> {
        let mut content = String::new();
        loop {
            let mut line = Vec::new();
            if (&mut *stream)
                .take(1 << 20)
                .read_until(b'\n', &mut line)
                .await?
                == 0
            {
                return Ok(None);
            }
            let line = String::from_utf8(line).map_err(std::io::Error::other)?;
            if !line.ends_with("\r\n") || line.trim_end_matches("\r\n").contains('\r') {
                self.violation(format!("a bare line end: {line:?}"));
            }
            if line.len() > LONGEST_LINE + 2 || !line.is_ascii() {
                self.violation(format!("a line that 7-bit mail servers refuse: {line:?}"));
            }
            if line == ".\r\n" {
                return Ok(Some(content));
            }
            content += line.strip_prefix('.').unwrap_or(&line);
        }
    }

    fn keep(&self, draft: Draft, content: String) {
        let (from, to) = (
            draft.from.expect("a sender"),
            draft.to.expect("a recipient"),
        );
        let user = self.user.clone();
        self.locked(|state| {
            state.received.push(Received {
                from,
                to,
                user,
                content,
            });
        });
    }
}

fn address(rest: &str, before: &str) -> Option<String> {
    let rest = rest.strip_prefix(before)?;
    let (address, parameters) = rest.split_once('>')?;
    (!address.is_empty() && !parameters.contains('>')).then(|| address.to_owned())
}
