//! The real program is killed at the worst moment; everything that it acknowledged is still true afterwards.

use crate::database::{Database, Kind, fresh, on_both};
use countersign::sandbox::{Fault, Sandbox, Seed, Setup};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::{Connection, Executor};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub const SECRET: &str = "the-secret-of-the-crashes";
pub const TOKEN: &str = "xoxb-crash";
const ASK: &str =
    "request release.deploy project=api-platform env=production release=v1 reason=hotfix";

/// A workspace, and a database that outlives every process.
pub struct Ground {
    pub slack: Sandbox,
    pub database: Database,
    pub folder: PathBuf,
}

/// `countersign serve` as its own process.
pub struct Serving {
    child: Child,
    log: UnboundedReceiver<Value>,
    pub url: String,
}

impl Ground {
    pub async fn new(database: Database) -> Self {
        let now = || {
            let since = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("after 1970");
            i64::try_from(since.as_millis()).expect("before the year 292 million")
        };
        let slack = Sandbox::start(Setup {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            seed: Seed::example(),
            bot_url: None,
            signing_secret: SECRET.into(),
            bot_token: TOKEN.into(),
            app_token: None,
            clock: Arc::new(now),
        })
        .await
        .expect("a free port");
        // a folder without the developer's `.env`
        let folder =
            std::env::temp_dir().join(format!("countersign-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).expect("a folder");
        database.db.close().await;
        Self {
            slack,
            database,
            folder,
        }
    }

    /// Starts the bot and tells the workspace its address.
    pub async fn serve(&self) -> Serving {
        self.serve_telling("info").await
    }

    /// The same with this log level.
    pub async fn serve_telling(&self, log: &str) -> Serving {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/demo.yaml");
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["serve", "--config", manifest])
            .current_dir(&self.folder)
            .env("DATABASE_URL", &self.database.url)
            .env("SLACK_SIGNING_SECRET", SECRET)
            .env("SLACK_BOT_TOKEN", TOKEN)
            .env("SLACK_API_URL", self.slack.api_url())
            .env("COUNTERSIGN_LISTEN", "127.0.0.1:0")
            .env("COUNTERSIGN_LOG_FORMAT", "json")
            .env("RUST_LOG", log)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (tell, log) = unbounded_channel::<Value>();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let read = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let _ = tell.send(read); // at the end there is no receiver
            }
        });
        let mut serving = Serving {
            child,
            log,
            url: String::new(),
        };
        let said = serving.says("serving").await;
        let address = said.to_string();
        let address = address.split("127.0.0.1:").nth(1).expect("an address");
        let port: String = address.chars().take_while(char::is_ascii_digit).collect();
        let url = format!("http://127.0.0.1:{port}");
        serving.url.clone_from(&url);
        self.slack.set_bot_url(&url);
        let ready = async {
            while !reqwest::get(format!("{url}/readyz"))
                .await
                .is_ok_and(|answer| answer.status() == 200)
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ready)
            .await
            .expect("it becomes ready");
        serving
    }

    /// Waits longer than a lease: the killed process may have been sending the message, and nobody else takes it before.
    async fn direct_message_says(&self, channel: &str, wanted: &str) {
        for _ in 0..8 {
            let found = self.slack.wait_for(|state| {
                let messages = &state.channels.get(channel)?.messages;
                let says = messages
                    .values()
                    .any(|message| message.text.contains(wanted));
                says.then_some(())
            });
            if found.await.is_some() {
                return;
            }
        }
        panic!("no message in {channel} says {wanted:?}");
    }

    /// Waits until the card contains a text; a lease of the killed process may have to expire first.
    pub async fn card_shows(&self, wanted: &str) -> String {
        for _ in 0..8 {
            let found = self.slack.wait_for(|state| {
                let messages = state.channels["C02PROD"].messages.values();
                // a card stands in the channel, lines about it in its thread
                let card = messages.rev().find(|one| one.thread_ts.is_none())?;
                serde_json::to_string(&card.blocks)
                    .ok()?
                    .contains(wanted)
                    .then_some(())
            });
            if found.await.is_some() {
                return self.slack.card("prod-approvals").expect("a card").text;
            }
        }
        panic!(
            "no card shows {wanted}: {:#?}",
            self.slack.cards("prod-approvals")
        );
    }

    /// Locks what a decision needs, as another slow client would, until the connection is dropped.
    async fn stall(&self, kind: Kind) -> Box<dyn std::any::Any + Send> {
        match kind {
            Kind::Sqlite => {
                let mut conn = sqlx::SqliteConnection::connect(&self.database.url)
                    .await
                    .expect("the file");
                conn.execute("BEGIN IMMEDIATE").await.expect("the lock");
                Box::new(conn)
            }
            Kind::Postgres => {
                let mut conn = sqlx::PgConnection::connect(&self.database.url)
                    .await
                    .expect("the server");
                conn.execute("BEGIN").await.expect("a transaction");
                conn.execute("SELECT id FROM requests FOR UPDATE")
                    .await
                    .expect("the lock");
                Box::new(conn)
            }
        }
    }

    pub async fn clicks(&self, who: &str) {
        let card = self.slack.card("prod-approvals").expect("a card");
        let answer = self
            .slack
            .click(who, &card.channel, &card.ts, "approve")
            .await
            .expect("an answer");
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, ""),
            "acknowledged"
        );
    }

    pub async fn asks(&self) {
        let said = self
            .slack
            .command("alice", "/approval", ASK)
            .await
            .expect("an answer");
        assert!(said.body.contains("Asked as *#1*"), "{}", said.body);
    }

    pub async fn end(self) {
        assert_eq!(self.slack.leftovers(), Vec::<String>::new());
        self.slack.stop().await;
        self.database.drop().await;
        std::fs::remove_dir_all(self.folder).expect("the folder goes");
    }
}

impl Serving {
    /// The next log line that contains these words.
    async fn says(&mut self, words: &str) -> Value {
        let mut before = Vec::new();
        let found = async {
            while let Some(line) = self.log.recv().await {
                if line["message"]
                    .as_str()
                    .or(line["fields"]["message"].as_str())
                    .is_some_and(|said| said.starts_with(words))
                {
                    return Some(line);
                }
                before.push(line);
            }
            None
        };
        let found = tokio::time::timeout(Duration::from_mins(1), found)
            .await
            .ok()
            .flatten();
        found.unwrap_or_else(|| panic!("it never said {words:?} but {before:#?}"))
    }

    /// Kills the process (kill -9).
    pub async fn dies(mut self) {
        self.child.kill().await.expect("it was alive");
    }

    /// Stops the process gracefully and returns everything it has logged since it began to serve.
    pub async fn ends_with_its_log(mut self) -> Vec<String> {
        self.terminate();
        self.ends().await;
        let mut lines = Vec::new();
        while let Some(line) = self.log.recv().await {
            lines.push(line.to_string());
        }
        lines
    }

    fn terminate(&self) {
        let id = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        kill_process(id.expect("it lives"), Signal::TERM).expect("it is ours");
    }

    async fn ends(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(Duration::from_mins(1), self.child.wait()).await;
        ended.expect("it ends").expect("a status")
    }
}

on_both! {
    async fn card_is_posted_after_a_kill_between_request_and_card_st8(kind) {
        let ground = Ground::new(fresh!(kind)).await;
        let serving = ground.serve().await;
        ground.slack.fail_always("chat.postMessage", Fault::Disconnect);
        ground.asks().await;
        serving.dies().await;
        assert!(ground.slack.cards("prod-approvals").is_empty());
        ground.slack.clear_faults();
        let serving = ground.serve().await;
        let card = ground.card_shows("0 of 2").await;
        assert!(card.contains("*#1* *Alice Anderson* asks"), "{card}");
        serving.dies().await;
        ground.end().await;
    }

    async fn card_is_updated_after_a_kill_between_decision_and_card_st8(kind) {
        let ground = Ground::new(fresh!(kind)).await;
        let serving = ground.serve().await;
        ground.asks().await;
        ground.card_shows("0 of 2").await;
        ground.slack.fail_always("chat.update", Fault::Disconnect);
        ground.clicks("bob").await;
        serving.dies().await;
        let serving = ground.serve().await;
        // killed again, in another state, before Slack works again
        ground.clicks("carol").await;
        serving.dies().await;
        ground.slack.clear_faults();
        let serving = ground.serve().await;
        let card = ground.card_shows("#1 Approved").await;
        assert!(card.contains("*Bob Brown* approved") && card.contains("*Carol Clark* approved"), "{card}");
        assert_eq!(ground.slack.cards("prod-approvals").len(), 1);
        ground.direct_message_says("D01ALICE", "approved").await;
        serving.dies().await;
        ground.end().await;
    }

    async fn shutdown_finishes_the_click_in_flight(kind) {
        let ground = Ground::new(fresh!(kind)).await;
        let mut serving = ground.serve().await;
        ground.asks().await;
        ground.card_shows("0 of 2").await;
        let looked_up = ground.slack.call_count("users.info");
        let stalled = ground.stall(kind).await;
        let stopping = async {
            // the click has been received and is waiting for the lock
            ground.slack.wait_for_calls("users.info", looked_up + 1).await.expect("bob is looked up");
            serving.terminate();
            serving.says("stopping").await;
            drop(stalled);
            serving.ends().await
        };
        let card = ground.slack.card("prod-approvals").expect("a card");
        let (answer, status) = tokio::join!(ground.slack.click("bob", &card.channel, &card.ts, "approve"), stopping);
        assert_eq!(answer.map(|answer| answer.status), Ok(200));
        assert_eq!(status.code(), Some(0));
        assert_eq!(ground.database.count("SELECT count(*) FROM decisions").await, 1);
        let serving = ground.serve().await;
        ground.card_shows("1 of 2").await;
        serving.dies().await;
        ground.end().await;
    }
}
