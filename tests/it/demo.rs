//! `countersign demo` as a newcomer meets it: the real program, its output, its page and its end.

use crate::database::on_both;
use crate::world::{DEPLOY, world};
use countersign::app::RequestRef;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long a test waits before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The test's own folder, which the program uses for temporary files.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = format!("cs_demo_{}", uuid::Uuid::now_v7().simple());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        Self(folder)
    }

    fn holds(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("the folder");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("an entry").file_name().display().to_string()
        };
        entries.map(name).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // it is below the temporary folder
    }
}

fn demo(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .arg("demo")
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("TMPDIR", folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A demo that has printed that it runs.
pub struct Running {
    child: Child,
    said: String,
    pub page: String,
    api: String,
}

impl Running {
    pub async fn start(folder: &Path, args: &[&str]) -> Self {
        let all = [&["--port", "0", "--slack-port", "0"], args].concat();
        let mut child = demo(folder, &all).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        let mut said = String::new();
        while !said.contains("Ctrl-C") {
            let line = lines.next_line().await.expect("it can be read");
            said.push_str(&line.expect("it runs"));
            said.push('\n');
        }
        let address = |before: &str| {
            let (_, rest) = said.split_once(before).expect("an address");
            let end = rest.find(char::is_whitespace);
            rest[..end.expect("more words")]
                .trim_end_matches('.')
                .to_owned()
        };
        let (page, api) = (address("Open "), address("The API listens on "));
        Self {
            child,
            said,
            page,
            api,
        }
    }

    async fn says(&self, user: &str, text: &str) {
        let body = json!({"user": user, "channel": "C01APPROVALS", "text": text});
        let url = format!("{}/page/say", self.page);
        let sent = reqwest::Client::new().post(url).json(&body).send().await;
        let answer: Value = sent.expect("an answer").json().await.expect("JSON");
        assert_eq!(answer, json!({"ok": true}));
    }

    /// The newest message of `#prod-approvals`, once it contains this text.
    async fn card_with(&self, text: &str) -> String {
        let coming = tokio::time::timeout(PATIENCE, self.card_comes(text));
        coming
            .await
            .unwrap_or_else(|_| panic!("no card says: {text}"))
    }

    async fn card_comes(&self, text: &str) -> String {
        let mut version = 0;
        loop {
            let url = format!("{}/page/state?as=U02BOB&version={version}", self.page);
            let answer = reqwest::get(url).await.expect("an answer");
            let state: Value = answer.json().await.expect("JSON");
            version = state["version"].as_u64().expect("a version");
            let channels = state["channels"].as_array().expect("channels");
            let room = channels
                .iter()
                .find(|each| each["name"] == "prod-approvals");
            let messages = room.expect("the room")["messages"].as_array();
            // lines about a card stand in its thread
            let mut cards = messages.into_iter().flatten();
            let newest = cards.rfind(|one| one["thread_ts"].is_null());
            let newest = newest.map(ToString::to_string);
            if let Some(newest) = newest.filter(|newest| newest.contains(text)) {
                return newest;
            }
        }
    }

    /// Sends Ctrl-C; returns whether the demo succeeded, and its errors.
    pub async fn ends(mut self) -> (bool, String) {
        let pid = i32::try_from(self.child.id().expect("it runs")).expect("a pid");
        kill_process(Pid::from_raw(pid).expect("a pid"), Signal::INT).expect("it is ours");
        let status = self.child.wait().await.expect("it ends");
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().expect("it was piped");
        stderr.read_to_string(&mut log).await.expect("text");
        (status.success(), log)
    }
}

#[tokio::test]
async fn demo_prints_what_to_try_and_removes_its_files() {
    let folder = Folder::new();
    let demo = Running::start(&folder.0, &["--empty"]).await;
    let words = demo
        .said
        .replace(&demo.page, "[page]")
        .replace(&demo.api, "[api]")
        .replace(env!("CARGO_BIN_EXE_countersign"), "countersign")
        .replace(&folder.0.display().to_string(), "[tmp]")
        .replace(&folder.holds()[0], "[folder]");
    insta::assert_snapshot!(words);
    demo.says("U01ALICE", &format!("/approval {DEPLOY}")).await;
    demo.card_with("0 of 2 approvals").await;
    let numbers = numbers(&demo.api).await;
    assert!(
        numbers.contains("countersign_requests_pending 1"),
        "{numbers}"
    );
    assert!(
        numbers.contains("# TYPE countersign_audit_unsealed gauge"),
        "{numbers}"
    );
    // an open page does not delay the end
    let open = tokio::spawn(reqwest::get(format!(
        "{}/page/state?as=U02BOB&version=999",
        demo.page
    )));
    let (ended_well, log) = demo.ends().await;
    assert!(ended_well, "{log}");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    assert_eq!(folder.holds(), Vec::<String>::new());
    let _ = open.await.expect("it does not panic"); // the call may fail: the page retries
}

async fn numbers(api: &str) -> String {
    let answer = reqwest::get(format!("{api}/metrics")).await;
    answer
        .expect("an answer")
        .text()
        .await
        .expect("the numbers")
}

/// The metrics, once they contain this text. Events are counted when they are sealed, about a second later.
async fn numbers_with(api: &str, wanted: &str) -> String {
    let coming = async {
        loop {
            let numbers = numbers(api).await;
            if numbers.contains(wanted) {
                return numbers;
            }
        }
    };
    let coming = tokio::time::timeout(PATIENCE, coming).await;
    coming.unwrap_or_else(|_| panic!("never counted: {wanted}"))
}

#[tokio::test]
async fn kept_demo_posts_its_pending_cards_again() {
    let folder = Folder::new();
    let kept = ["--empty", "--database", "sqlite://kept.db"];
    let demo = Running::start(&folder.0, &kept).await;
    assert!(demo.said.contains("the data stays"), "{}", demo.said);
    demo.says("U01ALICE", &format!("/approval {DEPLOY}")).await;
    demo.card_with("0 of 2 approvals").await;
    demo.says("U02BOB", "/approval approve 1 fine").await;
    demo.card_with("1 of 2 approvals").await;
    let counted = numbers_with(
        &demo.api,
        "countersign_events_total{event=\"vote.approved\"} 1",
    )
    .await;
    let quick = "countersign_decide_seconds_bucket{outcome=\"decided\",le=\"+Inf\"} 1";
    assert!(counted.contains(quick), "{counted}");
    assert!(demo.ends().await.0);
    assert_eq!(folder.holds(), ["kept.db"]);

    let again = Running::start(&folder.0, &kept).await;
    again.card_with("1 of 2 approvals").await;
    again.says("U03CAROL", "/approval approve 1").await;
    again.card_with("#1 Approved").await;
    let (ended_well, log) = again.ends().await;
    assert!(ended_well && !log.contains("WARN"), "{log}");
}

/// Everything that a person sees in the workspace's channels, as JSON text.
async fn visible(demo: &Running) -> (Value, String) {
    let url = format!("{}/page/state?as=U01ALICE&version=0", demo.page);
    let answer = reqwest::get(url).await.expect("an answer");
    let state: Value = answer.json().await.expect("JSON");
    let text = state["channels"].to_string();
    (state, text)
}

#[tokio::test]
async fn demo_starts_with_two_weeks_of_history_and_fills_a_database_once() {
    let folder = Folder::new();
    let kept = ["--database", "sqlite://kept.db"];
    let demo = Running::start(&folder.0, &kept).await;
    let (_, cards) = visible(&demo).await;
    for text in [
        "1 of 2 approvals",
        "Approved",
        "Succeeded",
        "Failed",
        "Rejected",
        "Expired",
        "Cancelled",
        "Bypassed",
        "payment provider has maintenance",
        "readinessProbe",
        "Tech Lead Trial",
        "INC-2041",
    ] {
        assert!(cards.contains(text), "no card says: {text}");
    }
    let before = numbers(&demo.api).await;
    let pending = |numbers: &str| {
        let line = numbers
            .lines()
            .find(|line| line.starts_with("countersign_requests_pending "));
        line.expect("the number").to_owned()
    };
    assert_eq!(pending(&before), "countersign_requests_pending 3");
    let (ended_well, log) = demo.ends().await;
    assert!(
        ended_well && !log.contains("WARN") && !log.contains("ERROR"),
        "{log}"
    );

    let again = Running::start(&folder.0, &kept).await;
    assert_eq!(
        pending(&numbers(&again.api).await),
        "countersign_requests_pending 3"
    );
    again.says("U01ALICE", &format!("/approval {DEPLOY}")).await;
    again.card_with("0 of 2 approvals").await;
    assert_eq!(
        pending(&numbers(&again.api).await),
        "countersign_requests_pending 4"
    );
    assert!(again.ends().await.0);
}

#[tokio::test]
async fn demo_bot_is_stopped_started_and_moved_by_a_day() {
    let folder = Folder::new();
    let demo = Running::start(&folder.0, &["--empty"]).await;
    demo.says("U01ALICE", &format!("/approval {DEPLOY}")).await;
    demo.card_with("0 of 2 approvals").await;
    let breaks = async |what: &str| {
        let url = format!("{}/page/break", demo.page);
        let body = json!({"what": what});
        let sent = reqwest::Client::new().post(url).json(&body).send().await;
        let answer: Value = sent.expect("an answer").json().await.expect("JSON");
        assert_eq!(answer, json!({"ok": true}));
    };
    let comes = async |stopped: bool| loop {
        if visible(&demo).await.0["broken"]["bot_stopped"] == stopped {
            return;
        }
    };
    breaks("stop_bot").await;
    comes(true).await;
    let body = json!({"user": "U02BOB", "channel": "C01APPROVALS", "text": "/approval approve 1"});
    let url = format!("{}/page/say", demo.page);
    let sent = reqwest::Client::new().post(url).json(&body).send().await;
    let refused = sent.expect("an answer").text().await.expect("text");
    assert!(
        refused.contains("the bot could not be reached"),
        "{refused}"
    );
    breaks("start_bot").await;
    comes(false).await;
    demo.says("U02BOB", "/approval approve 1").await;
    demo.card_with("1 of 2 approvals").await;
    breaks("skip_day").await;
    demo.card_with("#1 Expired").await;
    assert!(demo.ends().await.0);
}

#[tokio::test]
async fn demo_start_error_says_what_to_do() {
    let folder = Folder::new();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let cases: [(&[&str], &str); 4] = [
        (
            &["--port", "0", "--slack-port", &port],
            "choose another port with --slack-port",
        ),
        (
            &["--slack-port", "0", "--port", &port],
            "choose another port with --port",
        ),
        (
            &[
                "--port",
                "0",
                "--slack-port",
                "0",
                "--database",
                "sqlite://no/such/folder.db",
            ],
            "--database names it",
        ),
        (
            &[
                "--port",
                "0",
                "--slack-port",
                "0",
                "--database",
                "mysql://kept",
            ],
            "sqlite://",
        ),
    ];
    for (args, advice) in cases {
        let output = demo(&folder.0, args).output().await.expect("it ends");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(advice), "{told}");
        assert_eq!(folder.holds(), Vec::<String>::new(), "{told}");
    }
}

on_both! {
    async fn a_long_poll_is_answered_when_the_bot_is_about_to_stop(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let app = world.app().clone();
        let asked = RequestRef::Number(1);
        let waiting = tokio::spawn(async move { app.wait(&asked, None, Duration::from_hours(1)).await });
        world.app().end_waits();
        let answered = tokio::time::timeout(PATIENCE, waiting).await.expect("it does not wait for its hour");
        let shown = answered.expect("it does not panic").expect("an answer");
        assert!(shown.is_pending());
        world.finish().await;
    }

    async fn pending_cards_are_posted_again_after_the_workspace_lost_them(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let card = world.card();
        world.slack.change(|state| {
            for channel in state.channels.values_mut() {
                channel.messages.clear();
            }
        });
        world.settle().await;
        assert!(world.slack.card("prod-approvals").is_none());
        world.bot.workers.post_anew().await.expect("the database works");
        world.settle().await;
        assert_eq!(world.card(), card);
        world.clicks("bob", "approve").await;
        assert!(world.card().contains("1 of 2 approvals"), "{}", world.card());
        world.finish().await;
    }
}
