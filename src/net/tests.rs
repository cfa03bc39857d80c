//! Which proxy leads where, and how each way of failing reads.

use super::proxies::ProxySettings;
use super::*;
use std::io::ErrorKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const PASSWORD: &str = "canary";

fn proxies(https: &str, http: &str, all: &str, no: &str) -> Proxies {
    Proxies::new(&ProxySettings {
        https: https.to_owned(),
        http: http.to_owned(),
        all: all.to_owned(),
        no: no.to_owned(),
    })
}

fn toward(proxies: &Proxies, uri: &'static str) -> String {
    match proxies.toward(&Uri::from_static(uri)) {
        Ok(None) => "direct".to_owned(),
        Ok(Some(proxy)) => format!("{} by {}", address_of(&proxy.uri), proxy.variable),
        Err(unreached) => unreached.to_string(),
    }
}

#[test]
fn each_variable_decides_for_its_scheme_and_no_proxy_for_all_f3() {
    let every = proxies(
        "http://secure:1",
        "plain:2",
        "http://all:3",
        "corp.example, .inner.example,10.0.0.0/8, 192.0.2.7",
    );
    for (uri, way) in [
        ("https://slack.com/api", "secure:1 by HTTPS_PROXY"),
        (
            "wss://wss-primary.slack.com/link",
            "secure:1 by HTTPS_PROXY",
        ),
        ("http://example.com", "plain:2 by HTTP_PROXY"),
        ("ws://example.com", "plain:2 by HTTP_PROXY"),
        ("https://corp.example", "direct"),
        ("https://git.corp.example:8443", "direct"),
        ("https://notcorp.example", "secure:1 by HTTPS_PROXY"),
        ("https://a.inner.example", "direct"),
        ("https://10.1.2.3", "direct"),
        ("https://192.0.2.7", "direct"),
        ("https://192.0.2.8", "secure:1 by HTTPS_PROXY"),
        // this machine itself is never behind a proxy
        ("http://localhost:8080", "direct"),
        ("http://demo.localhost", "direct"),
        ("http://127.0.0.1:8080", "direct"),
        ("https://[::1]:8080", "direct"),
    ] {
        assert_eq!(toward(&every, uri), way, "{uri}");
    }
    let all = proxies("", "", "http://all:3", "");
    assert_eq!(toward(&all, "https://slack.com"), "all:3 by ALL_PROXY");
    assert_eq!(toward(&all, "http://a.example"), "all:3 by ALL_PROXY");
    let none = proxies("http://secure:1", "", "", "*");
    assert_eq!(toward(&none, "https://slack.com"), "direct");
    assert_eq!(
        toward(&proxies("", "", "", ""), "https://slack.com"),
        "direct"
    );
    let only = proxies("http://secure", "", "", "");
    assert_eq!(
        toward(&only, "https://slack.com"),
        "secure:80 by HTTPS_PROXY"
    );
    assert_eq!(toward(&only, "http://a.example"), "direct");
}

#[test]
fn a_proxy_that_cannot_be_used_is_named_and_never_gone_past_f3() {
    for value in [
        "socks5://p:1",
        "https://p:1",
        "http://",
        "not a proxy",
        "ftp://p:1",
    ] {
        let value = value.replace("//", &format!("//me:{PASSWORD}@"));
        let wrong = proxies(&value, "", "", "corp.example");
        let said = toward(&wrong, "https://slack.com");
        assert!(
            said.starts_with("HTTPS_PROXY does not name a proxy"),
            "{value}: {said}"
        );
        assert!(!said.contains(PASSWORD), "{said}");
        assert_eq!(toward(&wrong, "https://corp.example"), "direct", "{value}");
        assert_eq!(toward(&wrong, "http://a.example"), "direct", "{value}");
    }
}

/// A server that reads something and then says these words.
async fn says(words: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = [0; 1_024];
            let _ = stream.read(&mut read).await;
            let _ = stream.write_all(words.as_bytes()).await;
        }
    });
    address.to_string()
}

async fn opens(proxies: Proxies, uri: &str) -> String {
    let uri = uri.parse().expect("an address");
    match Connector::new(proxies).open(uri).await {
        Ok(_) => "open".to_owned(),
        Err(unreached) => unreached.to_string(),
    }
}

async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").to_string()
}

#[tokio::test]
async fn each_way_of_failing_says_where_why_and_what_to_do_f5() {
    let (direct, closed) = (proxies("", "", "", ""), nobody().await);
    let refused = opens(
        direct.clone(),
        &format!("https://{closed}/api?ticket=canary"),
    )
    .await;
    assert_eq!(
        refused,
        format!(
            "{closed} refuses connections; check that the server runs and that address and port are right; a firewall may also refuse"
        )
    );
    let unknown = opens(direct, "https://no-such-host.invalid").await;
    assert!(
        unknown.starts_with("the name of no-such-host.invalid:443 was not found (")
            && unknown.contains("name server"),
        "{unknown}"
    );

    let through = |proxy: &str| proxies(&format!("http://me:{PASSWORD}@{proxy}"), "", "", "");
    for (answer, what) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "requires a user name and password (407)",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            "refuses to connect to slack.test:443",
        ),
        ("", "refuses to connect to slack.test:443"),
        ("HTTP/1.1 200 OK\r\n\r\n", "open"),
    ] {
        let proxy = says(answer).await;
        let said = opens(through(&proxy), "https://slack.test/api").await;
        assert!(said.contains(what) && !said.contains(PASSWORD), "{said}");
        let named = said.starts_with(&format!("the proxy {proxy} (HTTPS_PROXY) "));
        assert!(named || said == "open", "{said}");
    }
    let said = opens(through(&closed), "wss://slack.test/link").await;
    assert!(
        said.starts_with(&format!(
            "the proxy {closed} (HTTPS_PROXY) refuses connections; check HTTPS_PROXY"
        )),
        "{said}"
    );
}

#[test]
fn a_certificate_that_is_not_trusted_says_so_f5() {
    use rustls::{CertificateError, Error};
    let told = |error: Error| {
        // as it comes out of the connector: twice wrapped
        let inner = std::io::Error::new(ErrorKind::InvalidData, error);
        let outer = std::io::Error::other(inner);
        Unreached::of(&outer, "slack.com:443").to_string()
    };
    for (error, what, hint) in [
        (
            CertificateError::UnknownIssuer,
            "its issuer is unknown",
            "SSL_CERT_FILE",
        ),
        (CertificateError::Expired, "has expired", "clock"),
        (CertificateError::NotValidYet, "is not valid yet", "clock"),
        (
            CertificateError::NotValidForName,
            "is for another name",
            "check the address",
        ),
        (
            CertificateError::BadSignature,
            "is not accepted",
            "another one",
        ),
    ] {
        let said = told(Error::InvalidCertificate(error));
        assert!(
            said.starts_with("the certificate of slack.com:443 ")
                && said.contains(what)
                && said.contains(hint),
            "{said}"
        );
    }
    let plain = told(Error::InvalidMessage(
        rustls::InvalidMessage::InvalidContentType,
    ));
    assert!(
        plain.starts_with("slack.com:443 does not speak TLS"),
        "{plain}"
    );
}
