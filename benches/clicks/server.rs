//! The real program, and what it costs.

use crate::database::Database;
use crate::slack;
use countersign::sandbox::Sandbox;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// Clock ticks per second in `/proc`, the same on every Linux that people run.
const TICKS: f64 = 100.0;
/// Bytes in a page of memory.
const PAGE: f64 = 4_096.0;

/// `countersign serve` as its own process.
pub struct Server {
    child: Child,
    folder: PathBuf,
    /// Host and port.
    pub address: String,
    /// From the start of the process until it was ready.
    pub started: Duration,
    /// A token that may do everything.
    pub token: String,
    /// Another one, of the pipeline that executes.
    database_url: String,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Seconds of CPU.
    pub cpu: f64,
    /// Resident memory in megabytes.
    pub memory: f64,
    /// Bytes written to disk.
    pub written: f64,
}

impl Server {
    /// Starts the program and waits until it is ready.
    pub async fn start(database: &Database, url: &str, slack: &Sandbox) -> Self {
        let folder = std::env::temp_dir().join(format!("bench-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).expect("a folder");
        let config = folder.join("bench.yaml");
        let demo = include_str!("../../manifests/demo.yaml");
        let limits = "\nlimits: {pendingPerPrincipal: 0, requestsPerSecond: 0}\n";
        std::fs::write(&config, format!("{demo}{limits}")).expect("a file");
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let since = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .current_dir(&folder)
            .env("DATABASE_URL", url)
            .env("SLACK_SIGNING_SECRET", slack::SECRET)
            .env("SLACK_BOT_TOKEN", slack::TOKEN)
            .env("SLACK_API_URL", slack.api_url())
            .env("COUNTERSIGN_LISTEN", &address)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        ready(&address).await;
        let started = since.elapsed();
        slack.set_bot_url(&format!("http://{address}"));
        let mut server = Self {
            child,
            folder,
            address,
            started,
            token: String::new(),
            database_url: database.url.clone(),
        };
        server.token = server.token().await;
        server
    }

    /// A token of alice, who asks and executes.
    async fn token(&self) -> String {
        let scopes = "requests:read,requests:write,requests:execute,config:read";
        let made = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args([
                "token", "create", "--name", "bench", "--user", "alice", "--scopes", scopes,
            ])
            .current_dir(&self.folder)
            .env("DATABASE_URL", &self.database_url)
            .stderr(Stdio::inherit())
            .output()
            .await
            .expect("a token");
        assert!(made.status.success(), "no token was made");
        String::from_utf8_lossy(&made.stdout).trim().to_owned()
    }

    /// What the process has used so far. Zero where there is no `/proc`.
    pub fn usage(&self) -> Usage {
        usage(self.child.id().expect("it runs"))
    }

    /// Ends the program.
    pub async fn stop(mut self) {
        self.child.kill().await.expect("it ends");
        let _ = std::fs::remove_dir_all(&self.folder); // it is below the temporary folder
    }
}

/// What a process has used so far. Zero where there is no `/proc`.
pub fn usage(process: u32) -> Usage {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}"));
    let mut usage = Usage::default();
    if let Ok(stat) = read("stat") {
        // the name of the program is in brackets and can hold spaces
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        let fields: Vec<f64> = after
            .split(' ')
            .map(|field| field.parse().unwrap_or(0.0))
            .collect();
        usage.cpu = (fields[11] + fields[12]) / TICKS;
        usage.memory = fields[21] * PAGE / 1e6;
    }
    if let Ok(io) = read("io") {
        let written = io
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: "));
        usage.written = written.and_then(|text| text.parse().ok()).unwrap_or(0.0);
    }
    usage
}

/// Waits until a server says that it is ready.
pub async fn ready(address: &str) {
    let url = format!("http://{address}/readyz");
    let until = Instant::now() + Duration::from_secs(30);
    while !reqwest::get(&url)
        .await
        .is_ok_and(|answer| answer.status() == 200)
    {
        assert!(Instant::now() < until, "{address} does not become ready");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
