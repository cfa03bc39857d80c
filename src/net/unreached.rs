//! Why a server was not reached, in words: which address, what happened, what to do. Nothing here repeats a URL, which may hold a secret.

use super::proxies::Proxy;
use rustls::CertificateError;
use std::error::Error;
use std::io::ErrorKind;

const LOOK_OUTSIDE: &str = "check the address, this machine's name server and the firewalls on the way; set HTTPS_PROXY where only a proxy leads out";

/// Why no connection came about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {hint}")]
pub struct Unreached {
    /// Which address, and what happened there.
    pub what: String,
    /// What to do.
    pub hint: String,
}

impl Unreached {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// A variable does not name a proxy that can be used.
    pub(super) fn unusable_proxy(variable: &str) -> Self {
        Self::new(
            format!("{variable} does not name a proxy that Countersign can use"),
            format!(
                "write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT in {variable}, or name the destination in NO_PROXY"
            ),
        )
    }

    /// An address did not answer in time.
    pub(super) fn silent(address: &str, proxy: Option<&Proxy>, seconds: u64) -> Self {
        match proxy {
            Some(proxy) => Self::new(
                format!(
                    "{} opened no connection to {address} within {seconds} seconds",
                    name_of(proxy)
                ),
                format!(
                    "check {}, or name the destination in NO_PROXY",
                    proxy.variable
                ),
            ),
            None => Self::new(
                format!("{address} did not answer within {seconds} seconds"),
                LOOK_OUTSIDE,
            ),
        }
    }

    /// A name leads to addresses that are not public, or to none.
    pub(super) fn private(address: &str) -> Self {
        Self::new(
            format!("{address} is not a public address"),
            "set `allowPrivate: true` for this webhook if it is an endpoint of your own network",
        )
    }

    /// A name could not be resolved.
    pub(super) fn unresolved(error: &std::io::Error, address: &str) -> Self {
        Self::new(
            format!("the name of {address} was not found ({error})"),
            LOOK_OUTSIDE,
        )
    }

    /// A server accepted the connection and did not answer in time.
    pub(super) fn slow(address: &str, seconds: u64) -> Self {
        Self::new(
            format!("{address} did not answer within {seconds} seconds"),
            "let the endpoint answer first and do its work afterwards",
        )
    }

    /// No connection to an address that is reached directly.
    pub(super) fn direct(error: &(dyn Error + 'static), address: &str) -> Self {
        let what = connecting(error, address);
        let hint = match kind(error) {
            Some(ErrorKind::ConnectionRefused) => {
                "check that the server runs and that address and port are right; a firewall may also refuse"
            }
            _ => LOOK_OUTSIDE,
        };
        Self::new(what, hint)
    }

    /// No connection through a proxy.
    pub(super) fn through(error: &(dyn Error + 'static), proxy: &Proxy, address: &str) -> Self {
        let (name, variable) = (name_of(proxy), proxy.variable);
        // the library keeps its kinds of errors to itself; their words are all there is
        let said = error.to_string();
        if said.ends_with("proxy authorization required") {
            return Self::new(
                format!(
                    "{name} requires a user name and password (407), or does not accept those it was given"
                ),
                format!("write http://USER:PASSWORD@HOST:PORT in {variable}"),
            );
        }
        if said.ends_with("unsuccessful") || said.ends_with("unexpected end of file") {
            return Self::new(
                format!("{name} refuses to connect to {address}"),
                "have the destination allowed there, or name it in NO_PROXY where it is reached directly",
            );
        }
        Self::new(
            connecting(error, &name),
            format!("check {variable}, or name the destination in NO_PROXY"),
        )
    }

    /// What went wrong on the way to an address, at any stage: connecting, TLS, or later.
    pub fn of(error: &(dyn Error + 'static), address: &str) -> Self {
        let causes = causes(error);
        if let Some(known) = causes.iter().find_map(|cause| cause.downcast_ref::<Self>()) {
            return known.clone();
        }
        if let Some(tls) = causes
            .iter()
            .find_map(|cause| cause.downcast_ref::<rustls::Error>())
        {
            return Self::tls(tls, address);
        }
        Self::direct(error, address)
    }

    fn tls(error: &rustls::Error, address: &str) -> Self {
        let certificate =
            |why: &str, hint: &str| Self::new(format!("the certificate of {address} {why}"), hint);
        match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => certificate(
                "is not trusted: its issuer is unknown",
                "if a proxy or an authority of your own signs it, add that root certificate to this machine's trusted ones, or name its file in SSL_CERT_FILE",
            ),
            rustls::Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => certificate(
                "has expired",
                "have it renewed, or correct this machine's clock",
            ),
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            ) => certificate("is not valid yet", "correct this machine's clock"),
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => certificate(
                "is for another name",
                "check the address, and what answers there",
            ),
            rustls::Error::InvalidCertificate(other) => certificate(
                &format!("is not accepted ({other})"),
                "have another one issued for that server",
            ),
            rustls::Error::InvalidMessage(_) => Self::new(
                format!("{address} does not speak TLS"),
                "check the port, and whether the address begins with https:// rightly",
            ),
            other => Self::new(
                format!("the TLS handshake with {address} failed ({other})"),
                "check what answers there",
            ),
        }
    }
}

fn name_of(proxy: &Proxy) -> String {
    format!(
        "the proxy {} ({})",
        super::address_of(&proxy.uri),
        proxy.variable
    )
}

/// What happened while connecting to something.
fn connecting(error: &(dyn Error + 'static), to: &str) -> String {
    match kind(error) {
        Some(ErrorKind::ConnectionRefused) => format!("{to} refuses connections"),
        Some(ErrorKind::TimedOut) => format!("{to} did not answer in time"),
        Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => {
            format!("there is no route to {to}")
        }
        Some(
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::UnexpectedEof
            | ErrorKind::BrokenPipe,
        ) => format!("{to} closed the connection"),
        _ => {
            let causes = causes(error);
            let innermost = causes.last().map(ToString::to_string).unwrap_or_default();
            if causes.iter().any(|cause| cause.to_string() == "dns error") {
                format!("the name of {to} was not found ({innermost})")
            } else {
                format!("no connection to {to} ({innermost})")
            }
        }
    }
}

/// The operating system's word for it, from the innermost error that has one.
fn kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    let causes = causes(error);
    let io = causes
        .iter()
        .rev()
        .find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.map(std::io::Error::kind)
}

/// An error and what is behind it, outermost first. An IO error hides what it was made of from `source`.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut causes = vec![error];
    let mut here = error;
    loop {
        let wrapped = here
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .map(|inner| inner as &(dyn Error + 'static));
        let Some(next) = wrapped.or_else(|| here.source()) else {
            return causes;
        };
        causes.push(next);
        here = next;
    }
}
