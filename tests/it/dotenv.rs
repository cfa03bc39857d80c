//! The file `.env` of the working directory: which commands read it, which values they take, and what the command of `run` inherits.

use crate::client::PIPELINE;
use crate::database::on_both;
use crate::world::world;
use countersign::domain::principal::Principal;
use std::path::PathBuf;
use std::process::Command;

struct Folder(PathBuf);

/// The output and exit status of a command.
struct Said {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("countersign-env-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).expect("a folder");
        Self(folder)
    }

    fn with(dotenv: &str) -> Self {
        let folder = Self::new();
        std::fs::write(folder.0.join(".env"), dotenv).expect("a file");
        folder
    }

    fn has(&self, file: &str) -> bool {
        self.0.join(file).exists()
    }

    /// Runs the program in this folder, with only these variables.
    async fn run(&self, args: &[&str], environment: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(args)
            .current_dir(&self.0)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(environment.iter().copied());
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.expect("no panic").expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Said {
            out: text(output.stdout),
            err: text(output.stderr),
            code: output.status.code(),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn dotenv_of_another_program_does_not_break_commands_f4() {
    let foreign = Folder::with("APP_NAME=My Shop\nGREETING='\nno assignment at all\n");
    let directory = Folder::new();
    std::fs::create_dir(directory.0.join(".env")).expect("a folder");
    for folder in [foreign, directory] {
        for args in [
            &["--version"][..],
            &["manifest", "--socket-mode"],
            &["token", "list"],
            &["audit", "verify"],
        ] {
            let said = folder.run(args, &[]).await;
            assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{args:?}");
        }
    }
}

#[tokio::test]
async fn dotenv_values_are_literal_and_the_environment_overrides_them_f4() {
    let folder = Folder::with("DATABASE_URL=\"sqlite://pa$HOME s.db\" # ours\nHOME=/nowhere\n");
    let said = folder.run(&["audit", "verify"], &[("HOME", "/tmp")]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(folder.has("pa$HOME s.db") && !folder.has("countersign.db"));
    let said = folder
        .run(
            &["audit", "verify"],
            &[("DATABASE_URL", "sqlite://other.db")],
        )
        .await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(folder.has("other.db"));
}

#[tokio::test]
async fn dotenv_error_names_file_and_line_f4() {
    let folder = Folder::with("# ours\nDATABASE_URL='sqlite://canary.db\nRUST_LOG=info\n");
    let said = folder.run(&["audit", "verify"], &[]).await;
    assert_eq!(said.code, Some(2));
    assert_eq!(
        said.err,
        "error: .env:2:1: DATABASE_URL: the closing ' is missing; a value ends on its line\n"
    );
    let said = folder.run(&["--help"], &[]).await;
    assert_eq!(said.code, Some(0), "help never depends on a file");
}

#[tokio::test]
async fn client_commands_read_no_dotenv_r08() {
    let folder = Folder::with("COUNTERSIGN_URL=ftp://trap\nCOUNTERSIGN_TOKEN=cs_trap\n");
    for args in [
        &["inbox"][..],
        &["show", "1"],
        &["approve", "1"],
        &["reject", "1"],
        &["cancel", "1"],
        &["execute", "1"],
        &["complete", "1", "succeeded"],
        &["request", "release.deploy"],
        &["run", "release.deploy", "--", "true"],
        &["explain", "release.deploy"],
        &["apply", "-f", "x.yaml"],
        &["break-glass", "status"],
    ] {
        let said = folder.run(args, &[]).await;
        assert_ne!(said.code, Some(0), "{args:?}");
        assert!(
            said.err.starts_with("error: COUNTERSIGN_TOKEN is not set"),
            "{args:?}: {}",
            said.err
        );
    }
}

on_both! {
    async fn command_started_by_run_does_not_inherit_our_secrets_r08(kind) {
        let world = world!(kind);
        let token = world.token(Principal::Service("ci".into()), &[], PIPELINE).await;
        let folder = Folder::with("COUNTERSIGN_LISTEN=canary\nAPP_NAME=canary\n");
        let line = "run release.deploy --project api-platform --environment staging --reason try -- env";
        let said = folder.run(&line.split(' ').collect::<Vec<_>>(), &[
            ("COUNTERSIGN_URL", &world.url),
            ("COUNTERSIGN_TOKEN", &token),
            ("SLACK_BOT_TOKEN", "xoxb-canary"),
            ("SLACK_APP_TOKEN", "xapp-canary"),
            ("SLACK_SIGNING_SECRET", "canary"),
            ("DATABASE_URL", "postgres://theirs"),
            ("THEIRS", "stays"),
        ]).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(said.out.contains("THEIRS=stays\n") && said.out.contains("DATABASE_URL=postgres://theirs\n"), "{}", said.out);
        assert!(!said.out.contains("canary") && !said.out.contains(&token) && !said.out.contains("TOKEN"), "{}", said.out);
        world.finish().await;
    }
}
