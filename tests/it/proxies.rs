//! Company networks: all outgoing connections use the proxy that the environment names, and errors on the way say where and why. The tests
//! use a real proxy and real TLS behind it.

use crate::database::{Database, Kind, on_both};
use crate::world::{DEPLOY, SIGNING_SECRET, world};
use base64::Engine as _;
use countersign::domain::token::Scope;
use countersign::sandbox::{Sandbox, Seed, Setup};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

const USER: &str = "me:canary";
const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/authority.pem");
const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/slack.test.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/slack.test.key");

/// A proxy that requires a user and a password and resolves a few names.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(routes: &[(&'static str, SocketAddr)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, routes): (_, BTreeMap<_, _>) =
            (Arc::clone(&asked), routes.iter().copied().collect());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, routes.clone(), Arc::clone(&log)));
            }
        });
        Self { address, asked }
    }

    fn url(&self) -> String {
        format!("http://{USER}@{}", self.address)
    }

    /// The targets that it was asked for, each once.
    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().expect("no panic before").clone();
        asked.sort();
        asked.dedup();
        asked
    }
}

/// `CONNECT HOST:PORT` opens a tunnel; `GET http://HOST/..` is forwarded unchanged.
async fn serve(
    mut client: TcpStream,
    routes: BTreeMap<&'static str, SocketAddr>,
    log: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let place = target.trim_start_matches("http://").split('/').next()?;
    log.lock().ok()?.push(format!("{method} {place}"));
    let wanted = base64::engine::general_purpose::STANDARD.encode(USER);
    let is_known = text.lines().any(|line| {
        line.to_ascii_lowercase()
            .starts_with("proxy-authorization: basic ")
            && line.ends_with(&wanted)
    });
    let refusal = if !is_known {
        "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    } else if !routes.contains_key(place) {
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"
    } else {
        ""
    };
    if !refusal.is_empty() {
        client.write_all(refusal.as_bytes()).await.ok()?;
        return None;
    }
    let mut server = TcpStream::connect(routes[place]).await.ok()?;
    if method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    } else {
        server.write_all(&head).await.ok()?;
    }
    copy_bidirectional(&mut client, &mut server)
        .await
        .ok()
        .map(|_| ())
}

/// A workspace on this machine, with the addresses of its Web API and sockets.
struct Workspace {
    sandbox: Sandbox,
    api: SocketAddr,
    sockets: SocketAddr,
}

impl Workspace {
    /// A proxy that leads to the workspace under the name `slack.test`: Web API at port 443, sockets at port 444.
    async fn proxy(&self) -> Proxy {
        Proxy::start(&[
            ("slack.test:443", slack_test(self.api, self.sockets).await),
            (
                "slack.test:444",
                slack_test(self.sockets, self.sockets).await,
            ),
        ])
        .await
    }
}

/// Accepts TLS as `slack.test` and forwards the decrypted bytes. The workspace names its sockets by their own address; the answer is
/// rewritten to the name `slack.test`.
async fn slack_test(inside: SocketAddr, sockets: SocketAddr) -> SocketAddr {
    let certificate = CertificateDer::from_pem_file(CERTIFICATE).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(KEY).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    // as Slack offers them; the workspace behind it understands only the second
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let tls = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            tokio::spawn(terminate(client, tls, inside, sockets));
        }
    });
    address
}

async fn terminate(
    mut client: TcpStream,
    mut tls: ServerConnection,
    inside: SocketAddr,
    sockets: SocketAddr,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(inside).await?;
    let (own, other) = (format!("ws://{sockets}"), "wss://slack.test:444".to_owned());
    assert_eq!(own.len(), other.len(), "a body keeps its length");
    let (mut sealed, mut plain) = ([0; 16_384], [0; 16_384]);
    loop {
        while tls.wants_write() {
            let mut out = Vec::new();
            tls.write_tls(&mut out)?;
            client.write_all(&out).await?;
        }
        tokio::select! {
            read = client.read(&mut sealed) => {
                let mut sealed = &sealed[..read?];
                if sealed.is_empty() {
                    return Ok(());
                }
                while !sealed.is_empty() {
                    tls.read_tls(&mut sealed)?;
                    let state = tls.process_new_packets().map_err(std::io::Error::other)?;
                    let mut inside = vec![0; state.plaintext_bytes_to_read()];
                    tls.reader().read_exact(&mut inside)?;
                    server.write_all(&inside).await?;
                }
            }
            read = server.read(&mut plain) => {
                let plain = &plain[..read?];
                if plain.is_empty() {
                    return Ok(());
                }
                match std::str::from_utf8(plain) {
                    Ok(text) => tls.writer().write_all(text.replace(&own, &other).as_bytes())?,
                    Err(_) => tls.writer().write_all(plain)?,
                }
            }
        }
    }
}

async fn workspace() -> Workspace {
    let sandbox = Sandbox::start(Setup {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        seed: Seed::example(),
        bot_url: None,
        signing_secret: SIGNING_SECRET.into(),
        bot_token: "xoxb-story".into(),
        app_token: Some("xapp-story".into()),
        clock: Arc::new(|| countersign::app::Clock::System.now().0),
    })
    .await
    .expect("a workspace");
    let opened = reqwest::Client::new()
        .post(format!("{}/apps.connections.open", sandbox.api_url()))
        .bearer_auth("xapp-story")
        .send()
        .await
        .expect("an answer");
    let opened: serde_json::Value = opened.json().await.expect("JSON");
    Workspace {
        api: address_of(&sandbox.api_url()),
        sockets: address_of(opened["url"].as_str().expect("an address")),
        sandbox,
    }
}

fn address_of(url: &str) -> SocketAddr {
    let url: url::Url = url.parse().expect("an address");
    (Ipv4Addr::LOCALHOST, url.port().expect("a port")).into()
}

fn program(args: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .args(args)
        .current_dir(std::env::temp_dir())
        .env_clear()
        .env("SLACK_API_URL", "https://slack.test/api")
        .env("SLACK_BOT_TOKEN", "xoxb-story")
        .env("SLACK_SIGNING_SECRET", SIGNING_SECRET)
        .env("SSL_CERT_FILE", AUTHORITY)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// The output and the exit status of a program.
async fn said(args: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let output = program(args, environment).output().await.expect("it runs");
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let text = [stdout, stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
    (status.code().expect("a status"), text.concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_and_init_use_the_proxy_and_explain_its_errors_f3_f5() {
    let database = Database::fresh(Kind::Sqlite).await.expect("a database");
    let workspace = workspace().await;
    let proxy = workspace.proxy().await;
    let url = proxy.url();
    let doctor = async |environment: &[(&str, &str)]| {
        let mut all = vec![("DATABASE_URL", database.url.as_str())];
        all.extend_from_slice(environment);
        let (_, text) = said(&["doctor"], &all).await;
        assert!(!text.contains("canary"), "{text}");
        text.split("bot token: ")
            .nth(1)
            .unwrap_or_default()
            .to_owned()
    };
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let told = doctor(&[(variable, &url)]).await;
        assert!(told.starts_with("works in "), "{variable}: {told}");
    }
    assert_eq!(proxy.asked(), ["CONNECT slack.test:443"]);
    let args = [
        "init",
        "--channel",
        "approvals",
        "--administrator",
        "erin",
        "--project",
        "api",
        "--out",
        "-",
    ];
    let (code, text) = said(&args, &[("HTTPS_PROXY", &url)]).await;
    assert!(code == 0 && text.contains("directory:"), "{text}");

    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    let wrong = url.replace("canary", "canary2");
    let other = ("SLACK_API_URL", "https://elsewhere.test/api");
    for (environment, what, hint) in [
        (
            vec![("HTTPS_PROXY", nobody.as_str())],
            "(HTTPS_PROXY) refuses connections",
            "check HTTPS_PROXY",
        ),
        (
            vec![("HTTPS_PROXY", wrong.as_str())],
            "requires a user name and password (407)",
            "http://USER:PASSWORD@HOST:PORT",
        ),
        (
            vec![("HTTPS_PROXY", url.as_str()), other],
            "refuses to connect to elsewhere.test:443",
            "NO_PROXY",
        ),
        (
            vec![("HTTPS_PROXY", "socks5://me:canary@127.0.0.1:1")],
            "HTTPS_PROXY does not name a proxy that",
            "http://HOST:PORT",
        ),
        (
            vec![
                ("HTTPS_PROXY", url.as_str()),
                ("SSL_CERT_FILE", CERTIFICATE),
            ],
            "the certificate of slack.test:443 is not trusted: its issuer is unknown",
            "SSL_CERT_FILE",
        ),
        (
            vec![("HTTPS_PROXY", url.as_str()), ("NO_PROXY", "slack.test")],
            "the name of slack.test:443 was not found",
            "name server",
        ),
    ] {
        let told = doctor(&environment).await;
        assert!(
            told.starts_with("no connection to Slack: ")
                && told.contains(what)
                && told.contains(hint),
            "{what}: {told}"
        );
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_reaches_slack_only_through_the_proxy_f3() {
    let database = Database::fresh(Kind::Sqlite).await.expect("a database");
    let workspace = workspace().await;
    let proxy = workspace.proxy().await;
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/demo.yaml");
    let log = std::env::temp_dir().join(format!("countersign-log-{}", uuid::Uuid::now_v7()));
    let mut serve = program(
        &[
            "serve",
            "--config",
            demo,
            "--listen",
            "127.0.0.1:0",
            "--log",
            "trace",
        ],
        &[
            ("DATABASE_URL", &database.url),
            ("SLACK_APP_TOKEN", "xapp-story"),
            ("HTTPS_PROXY", &proxy.url()),
        ],
    );
    let file = std::fs::File::create(&log).expect("a file");
    let mut serve = serve.stderr(file).spawn().expect("it starts");
    let slack = &workspace.sandbox;
    slack
        .wait_for_sockets(|open| open.len() == 2)
        .await
        .expect("both sockets open");
    slack
        .command("alice", "/approval", DEPLOY)
        .await
        .expect("the command arrives");
    slack
        .wait_for_calls("chat.postMessage", 1)
        .await
        .expect("the card comes");
    assert_eq!(
        proxy.asked(),
        ["CONNECT slack.test:443", "CONNECT slack.test:444"]
    );
    serve.kill().await.expect("it ends");
    let lines = std::fs::read_to_string(&log).expect("its log");
    let password = base64::engine::general_purpose::STANDARD.encode(USER);
    assert!(lines.contains("a socket is open"), "{lines}");
    assert!(
        !lines.contains("canary") && !lines.contains(&password),
        "{lines}"
    );
    std::fs::remove_file(log).expect("the log goes");
    database.drop().await;
}

on_both! {
    async fn client_commands_go_through_the_proxy_f3(kind) {
        let world = world!(kind);
        let token = world.token_of("carol", &[Scope::RequestsRead]).await;
        let server: SocketAddr = world.url.trim_start_matches("http://").parse().expect("an address");
        let proxy = Proxy::start(&[("countersign.svc:8080", server)]).await;
        let mut environment = vec![
            ("COUNTERSIGN_URL", "http://countersign.svc:8080"),
            ("COUNTERSIGN_TOKEN", token.as_str()),
        ];
        let url = proxy.url();
        environment.push(("HTTP_PROXY", &url));
        let (code, text) = said(&["inbox"], &environment).await;
        assert_eq!(code, 2, "plain http is an explicit choice");
        assert!(text.contains("--dangerously-allow-plain-http") && text.contains("unencrypted"), "{text}");
        assert_eq!(proxy.asked(), Vec::<String>::new());
        let (code, text) = said(&["inbox", "--dangerously-allow-plain-http"], &environment).await;
        assert_eq!((code, text.as_str()), (0, "Nothing here.\n"));
        environment.push(("COUNTERSIGN_DANGEROUSLY_ALLOW_PLAIN_HTTP", "1"));
        let (code, text) = said(&["inbox"], &environment).await;
        assert_eq!((code, text.as_str()), (0, "Nothing here.\n"));
        // forwarded instead of tunnelled, because many proxies open tunnels to port 443 only
        assert_eq!(proxy.asked(), ["GET countersign.svc:8080"]);
        // connections to this machine are direct, whatever the environment says
        let direct = [("COUNTERSIGN_URL", world.url.as_str()), ("COUNTERSIGN_TOKEN", &token), ("HTTP_PROXY", "http://127.0.0.1:1")];
        assert_eq!(said(&["inbox"], &direct).await.0, 0);
        world.finish().await;
    }
}
