//! The program in scripts: a real process against a bot, judged by its exit codes and output lines.

mod commands;
mod endings;

use crate::client::PIPELINE;
use crate::database::on_both;
use crate::world::{World, world};
use countersign::app::ListFilter;
use countersign::domain::principal::Principal;
use countersign::domain::request::Status;
use countersign::domain::request_details::RequestDetails;
use countersign::domain::token::Scope;
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Longer than any test takes: a test that would hang fails instead.
const TOO_LONG: Duration = Duration::from_mins(1);

/// The output and exit status of a process.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A terminal with its server and token.
pub struct Shell {
    url: String,
    token: String,
    database: String,
}

impl Shell {
    /// The service `ci`, with the scopes of a pipeline.
    async fn pipeline(world: &World) -> Self {
        let token = world
            .token(Principal::Service("ci".into()), &[], PIPELINE)
            .await;
        Self::with(world, token)
    }

    /// The terminal of a person.
    pub async fn person(world: &World, id: &str) -> Self {
        Self::with(world, world.token_of(id, Scope::ALL).await)
    }

    fn with(world: &World, token: String) -> Self {
        Self {
            url: world.url.clone(),
            token,
            database: world.database.url.clone(),
        }
    }

    fn starts(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(args)
            .env("COUNTERSIGN_URL", &self.url)
            .env("COUNTERSIGN_TOKEN", &self.token)
            .env("DATABASE_URL", &self.database)
            .env_remove("CLICOLOR_FORCE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts")
    }

    pub async fn says(&self, args: &[&str]) -> Said {
        ended(self.starts(args)).await
    }
}

async fn ended(child: Child) -> Said {
    let output = tokio::time::timeout(TOO_LONG, child.wait_with_output()).await;
    let output = output.expect("it ends").expect("it was there");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let said = Said {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    assert!(
        !said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'),
        "no colours in a pipe: {said:?}"
    );
    said
}

/// The newest request, once it has this status.
async fn newest(world: &World, status: Status) -> RequestDetails {
    let mut commits = world.app().work();
    let found = async {
        loop {
            commits.mark_unchanged();
            let filter = ListFilter {
                statuses: vec![status],
                limit: 1,
                ..ListFilter::default()
            };
            if let Some(shown) = world
                .app()
                .list(filter)
                .await
                .expect("the inbox")
                .items
                .pop()
            {
                world.settle().await;
                return shown;
            }
            commits.changed().await.expect("the bot is there");
        }
    };
    tokio::time::timeout(TOO_LONG, found)
        .await
        .expect("somebody asks")
}

const RUN: [&str; 7] = [
    "run",
    "command.execute",
    "--cluster",
    "prod-eu-1",
    "--reason",
    "drain a node",
    "--",
];

fn run<'a>(command: &[&'a str]) -> Vec<&'a str> {
    RUN.into_iter().chain(command.iter().copied()).collect()
}

/// Two people of SRE must approve, so that one approval is not enough.
async fn two_of_sre(world: &World) {
    world
        .reconfigure(|document| document["policies"][1]["quorum"]["minApprovals"] = json!(2))
        .await;
}

/// A file to which commands append; its length says how often they ran.
struct Trace(std::path::PathBuf);

impl Trace {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("countersign-ran-{}", uuid::Uuid::now_v7())))
    }

    fn script(&self, then: &str) -> String {
        format!("echo ran >> {}; {then}", self.0.display())
    }

    fn runs(&self) -> usize {
        std::fs::read_to_string(&self.0).map_or(0, |text| text.lines().count())
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

on_both! {
    async fn run_starts_the_command_after_its_quorum_is_met(kind) {
        let world = world!(kind);
        two_of_sre(&world).await;
        let (shell, trace) = (Shell::pipeline(&world).await, Trace::new());
        let script = trace.script("echo done");
        let mut child = shell.starts(&run(&["sh", "-c", &script]));
        let asked = newest(&world, Status::Pending).await;
        assert_eq!(world.clicks("dan", "approve").await, "");
        assert!(child.try_wait().expect("it is there").is_none(), "one of two is no approval");
        assert_eq!(trace.runs(), 0);
        assert_eq!(world.clicks("carol", "approve").await, "");
        let said = ended(child).await;
        assert_eq!((said.code, said.out.as_str(), trace.runs()), (0, "done\n", 1), "{}", said.err);
        // the number of lines between depends on how quickly the approvals follow each other
        let (first, last) = (said.err.lines().next(), said.err.lines().last());
        let first = first.unwrap_or_default();
        assert!(first.starts_with("#1 command.execute prod-eu-1 / production (Critical), for ci: pending; missing: Cluster Command Gate has 0 of 2"), "{first}");
        assert!(last.unwrap_or_default().starts_with("#1 approved; approved by Carol Clark"), "{}", said.err);

        let number = asked.request.number.to_string();
        let done = newest(&world, Status::Completed).await;
        assert_eq!(done.request.id, asked.request.id);
        for command in [vec!["run", "--request", &number], vec!["run", "--request", &number, "--", "sh", "-c", &script]] {
            let again = shell.says(&command).await;
            assert_eq!((again.code, trace.runs()), (125, 1), "{again:?}");
        }
        world.finish().await;
    }

    async fn run_killed_and_retried_never_executes_twice_b10(kind) {
        let world = world!(kind);
        let (shell, trace) = (Shell::pipeline(&world).await, Trace::new());
        let script = trace.script("kill -9 $PPID");
        let mut args = run(&["sh", "-c", &script]);
        args.splice(1..1, ["--idempotency-key", "deploy-7"]);
        let child = shell.starts(&args);
        newest(&world, Status::Pending).await;
        world.clicks("carol", "approve").await;
        assert_eq!(ended(child).await.code, -1, "it was killed");
        for _ in 0..2 {
            let again = shell.says(&args).await;
            assert_eq!((again.code, trace.runs()), (125, 1), "{again:?}");
        }
        // an identical new request needs new approvals
        let second = shell.starts(&run(&["sh", "-c", "echo again"]));
        newest(&world, Status::Pending).await;
        world.clicks("dan", "approve").await;
        assert_eq!(ended(second).await.out, "again\n");
        world.finish().await;
    }

    async fn run_waits_again_when_the_request_is_pending_again(kind) {
        let world = world!(kind);
        let (shell, trace) = (Shell::pipeline(&world).await, Trace::new());
        let dan = world.person("dan").await;
        let script = trace.script("echo done");
        let ci = world.pipeline(PIPELINE).await;
        let asked = ci.submit(json!({"action": "command.execute", "cluster": "prod-eu-1", "reason": "r",
            "payload": {"command": ["sh", "-c", script]}})).await.ok();
        let number = asked["number"].to_string();
        world.person("carol").await.decide(&number, "approve").await.ok();
        two_of_sre(&world).await;
        let child = shell.starts(&["run", "--request", &number]);
        newest(&world, Status::Pending).await;
        assert_eq!(trace.runs(), 0);
        dan.decide(&number, "approve").await.ok();
        let said = ended(child).await;
        assert_eq!((said.code, said.out.as_str(), trace.runs()), (0, "done\n", 1), "{}", said.err);
        assert!(said.err.contains("More is required now"), "{}", said.err);
        world.finish().await;
    }
}
