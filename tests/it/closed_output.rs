//! Standard output and standard error that are closed or full: no command panics, and approved commands still run.

use crate::client::{PIPELINE, command, deploy};
use crate::database::{Kind, on_both};
use crate::world::{World, world};
use countersign::domain::principal::Principal;
use countersign::domain::request::Outcome;
use countersign::domain::token::Scope;
use serde_json::Value;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A pipe whose reader has closed it.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// A full disk.
fn full() -> Stdio {
    let full = File::options().write(true).open("/dev/full");
    full.expect("/dev/full").into()
}

struct Shell {
    url: String,
    token: String,
    database: String,
    folder: PathBuf,
}

impl Shell {
    fn with(world: &World, token: String) -> Self {
        let folder = std::env::temp_dir().join(format!("countersign-out-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).expect("a folder");
        Self {
            url: world.url.clone(),
            token,
            database: world.database.url.clone(),
            folder,
        }
    }

    async fn run(&self, args: &[&str], out: Stdio, err: Stdio) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(args)
            .current_dir(&self.folder)
            .env("COUNTERSIGN_URL", &self.url)
            .env("COUNTERSIGN_TOKEN", &self.token)
            .env("DATABASE_URL", &self.database)
            .env_remove("SLACK_BOT_TOKEN")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        output.expect("no panic").expect("it runs")
    }

    /// The exit status and what is printed on standard error.
    async fn prints_to(&self, args: &[&str], out: Stdio) -> (Option<i32>, String) {
        let output = self.run(args, out, Stdio::piped()).await;
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(!told.contains("panicked"), "{args:?}: {told}");
        (output.status.code(), told)
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Commands that print in every state of the world; each can run several times.
const READING: [&[&str]; 19] = [
    &["--help"],
    &["--version"],
    &["run", "--help"],
    &["man"],
    &["completions", "bash"],
    &["manifest", "--socket-mode"],
    &["inbox"],
    &["inbox", "--json"],
    &["show", "1"],
    &["show", "1", "--json"],
    &[
        "explain",
        "command.execute",
        "--cluster",
        "prod-eu-1",
        "--reason",
        "x",
    ],
    &["break-glass", "status", "--json"],
    &["apply", "-f", "new.yaml", "--dry-run"],
    &["audit", "verify"],
    &["audit", "export"],
    &["audit", "show"],
    &["token", "list"],
    &["token", "list", "--json"],
    &["doctor"],
];

on_both! {
    async fn commands_do_not_panic_when_output_is_closed_or_full_f7(kind) {
        let world = world!(kind);
        let shell = Shell::with(&world, world.token_of("carol", Scope::ALL).await);
        let demo = include_str!("../../manifests/demo.yaml");
        let changed = demo.replace("projects: [api-platform, billing]", "projects: [api-platform, billing, website]");
        std::fs::write(shell.folder.join("new.yaml"), changed).expect("a file");
        world.person("alice").await.submit(deploy()).await.ok();
        world.settle().await;
        for args in READING {
            let (code, told) = shell.prints_to(args, closed()).await;
            assert_eq!((code, told.lines().find(|line| line.starts_with("error"))), (Some(141), None), "{args:?}: {told}");
            let (code, told) = shell.prints_to(args, full()).await;
            assert_eq!(code, Some(2), "{args:?}: {told}");
            assert!(told.contains("error: cannot write to standard output: No space left on device"), "{args:?}: {told}");
            for err in [closed(), full()] {
                let output = shell.run(args, Stdio::piped(), err).await;
                let fine = i32::from(args[0] == "doctor");
                assert_eq!(output.status.code(), Some(fine), "{args:?}: what is only told fails nothing");
                assert!(!output.stdout.is_empty(), "{args:?}");
            }
        }
        world.finish().await;
    }

    async fn usage_errors_exit_with_2_even_if_stderr_is_closed_f7(kind) {
        let world = world!(kind);
        let shell = Shell::with(&world, String::new());
        for args in [&["inbox", "--nonsense"][..], &["inbox"], &["apply", "-f", "nowhere.yaml"], &["no-such-command"]] {
            for err in [closed(), full()] {
                let output = shell.run(args, Stdio::piped(), err).await;
                assert_eq!(output.status.code(), Some(2), "{args:?}");
            }
        }
        world.finish().await;
    }

    async fn run_executes_the_approved_command_even_if_stderr_is_closed_f7(kind) {
        let world = world!(kind);
        let token = world.token(Principal::Service("ci".into()), &[], PIPELINE).await;
        let ci = crate::client::Api::new(&world.url, &token);
        let shell = Shell::with(&world, token);
        for (number, err) in [closed(), full()].into_iter().enumerate() {
            let ran = shell.folder.join(format!("ran-{number}"));
            let script = format!("echo ran >> {}", ran.display());
            let args = ["run", "release.deploy", "--project", "api-platform", "--environment", "staging", "--reason", &script, "--", "sh", "-c", &script];
            let output = shell.run(&args, closed(), err).await;
            assert_eq!(output.status.code(), Some(0));
            assert_eq!(std::fs::read_to_string(&ran).expect("it ran"), "ran\n", "once");
            let reported = ci.read(&(number + 1).to_string()).await;
            assert_eq!(reported["status"], "completed");
            assert_eq!(reported["outcome"], Value::from(Outcome::Succeeded.as_str()));
        }
        world.finish().await;
    }

    async fn execute_prints_the_payload_again_after_a_failed_write_f7(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        for _ in 0..2 {
            alice.submit(command()).await.ok();
        }
        let carol = world.person("carol").await;
        let shell = Shell::with(&world, alice.token.clone());
        for (number, out) in [("1", closed()), ("2", full())] {
            carol.decide(number, "approve").await.ok();
            let (code, told) = shell.prints_to(&["execute", number], out).await;
            assert_ne!(code, Some(0));
            let again = told.lines().find_map(|line| line.trim().strip_prefix("countersign ")).expect("what to do").to_owned();
            let output = shell.run(&again.split(' ').collect::<Vec<_>>(), Stdio::piped(), Stdio::piped()).await;
            let content: Value = serde_json::from_slice(&output.stdout).expect("the content");
            assert_eq!(content["payload"]["command"][0], "drain");
        }
        world.finish().await;
    }
}

#[tokio::test]
async fn demo_exits_when_it_cannot_print_its_address_f7() {
    let world = world!(Kind::Sqlite);
    let shell = Shell::with(&world, String::new());
    let args = ["demo", "--port", "0", "--slack-port", "0", "--log", "off"];
    assert_eq!(
        shell.prints_to(&args, closed()).await,
        (Some(141), String::new())
    );
    let (code, told) = shell.prints_to(&args, full()).await;
    assert_eq!(code, Some(2), "{told}");
    world.finish().await;
}
