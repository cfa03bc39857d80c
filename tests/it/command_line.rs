//! `countersign explain` and `countersign apply` as people use them: the real binary against a real server.

use crate::database::on_both;
use crate::world::{World, world};
use countersign::config::file::{Source, to_yaml};
use countersign::domain::token::Scope;
use std::path::PathBuf;
use std::process::{Command, Output};

const DEMO: &str = include_str!("../../manifests/demo.yaml");

struct Shell {
    url: String,
    token: String,
    folder: PathBuf,
}

/// The output and exit status of a command.
struct Said {
    out: String,
    err: String,
    code: Option<i32>,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Shell {
    /// The terminal of carol, an administrator.
    async fn of(world: &World) -> Self {
        let scopes = [Scope::RequestsRead, Scope::ConfigRead, Scope::ConfigWrite];
        let folder = std::env::temp_dir().join(uuid::Uuid::now_v7().to_string());
        std::fs::create_dir(&folder).expect("a folder");
        Self {
            url: world.url.clone(),
            token: world.token_of("carol", &scopes).await,
            folder,
        }
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).expect("a file");
    }

    async fn run(&self, line: &str) -> Said {
        self.run_with(line, &[]).await
    }

    async fn run_with(&self, line: &str, environment: &[(&str, &str)]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(line.split_whitespace())
            .current_dir(&self.folder)
            .env_clear()
            .env("COUNTERSIGN_URL", &self.url)
            .env("COUNTERSIGN_TOKEN", &self.token)
            .envs(environment.iter().copied());
        let output = tokio::task::spawn_blocking(move || command.output());
        output.await.expect("no panic").expect("it runs").into()
    }

    fn leave(self) {
        std::fs::remove_dir_all(self.folder).expect("the folder goes");
    }
}

const EXPLAIN: &str =
    "explain release.deploy --project api-platform --environment staging --reason try";

on_both! {
    async fn explain_draws_the_week_and_prints_plain_text_when_piped(kind) {
        let world = world!(kind);
        let shell = Shell::of(&world).await;
        let day = shell.run(EXPLAIN).await;
        assert_eq!((day.code, day.err.as_str()), (Some(0), ""));
        insta::assert_snapshot!("explain_by_day", day.out);
        world.passes(countersign::domain::time::Span::hours(6)).await;
        let night = shell.run(EXPLAIN).await;
        insta::assert_snapshot!("explain_at_night", night.out);
        assert!(!night.out.contains('\u{1b}'), "colours go to terminals alone");
        let coloured = shell.run_with(EXPLAIN, &[("CLICOLOR_FORCE", "1")]).await;
        assert!(coloured.out.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&coloured.out).to_string(), night.out, "the colours are no text of their own");

        let broken = shell.run("explain release.deploy --project api-platfrom --environment staging").await;
        assert_eq!(broken.code, Some(5));
        insta::assert_snapshot!("explain_broken", broken.out);
        shell.leave();
        world.finish().await;
    }

    async fn apply_dry_run_prints_the_difference_and_changes_nothing(kind) {
        let world = world!(kind);
        let shell = Shell::of(&world).await;
        shell.file("same.yaml", DEMO);
        let same = shell.run("apply -f same.yaml").await;
        assert_eq!((same.code, same.out.as_str(), same.err.as_str()), (Some(0), "", "Nothing differs.\n"));

        let changed = DEMO
            .replace("quorum: {minApprovals: 2, requiredTeamIds: [sre]}", "quorum: {minApprovals: 1, requiredTeamIds: [sre]}")
            .replace("  - {policy: project-deletion-gate, level: organization}\n", "")
            .replace("startHour: 18, endHour: 9", "startHour: 20, endHour: 7")
            .replace("projects: [api-platform, billing]", "projects: [api-platform, billing, website]");
        shell.file("new.yaml", &changed);
        let dry = shell.run("apply -f new.yaml --dry-run").await;
        assert_eq!((dry.code, dry.err.as_str()), (Some(0), ""));
        insta::assert_snapshot!("difference", dry.out);
        assert_eq!(world.app().config().await.expect("stored").version, 1, "a dry run stores nothing");

        let applied = shell.run("apply -f new.yaml --reason tidy").await;
        assert_eq!((applied.code, applied.err.as_str()), (Some(0), "It holds now.\n"));
        assert_eq!(applied.out, dry.out, "a dry run tells what will happen");
        assert_eq!(world.app().config().await.expect("stored").version, 2);
        assert_eq!(shell.run("apply -f new.yaml").await.err, "Nothing differs.\n");
        shell.leave();
        world.settle().await;
        world.finish().await;
    }

    async fn stored_configuration_reads_back_as_the_same_document(kind) {
        let world = world!(kind);
        let shell = Shell::of(&world).await;
        let url = format!("{}/v1/config", world.url);
        let answer = reqwest::Client::new().get(url).bearer_auth(&shell.token).send().await.expect("an answer");
        let json = answer.text().await.expect("a text");
        shell.file("stored.json", &json);
        assert_eq!(shell.run("apply -f stored.json").await.err, "Nothing differs.\n");
        let source = Source::read("stored.json", &json).expect("it reads");
        shell.file("stored.yaml", &to_yaml(source.document()).expect("YAML"));
        assert_eq!(shell.run("apply -f stored.yaml").await.err, "Nothing differs.\n");
        shell.leave();
        world.finish().await;
    }

    async fn apply_reports_config_errors_with_lines_of_the_file(kind) {
        let world = world!(kind);
        let shell = Shell::of(&world).await;
        let wrong = DEMO.replace("approvers: {teams: [sre]}", "approvers: {teams: [sri]}").replace("endHour: 9}", "endHour: 25}");
        shell.file("wrong.yaml", &wrong);
        for line in ["apply -f wrong.yaml --dry-run", "apply -f wrong.yaml"] {
            let refused = shell.run(line).await;
            assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{}", refused.err);
            insta::assert_snapshot!("refused_with_lines", refused.err);
        }
        assert_eq!(shell.run("apply -f nowhere.yaml").await.code, Some(2));
        assert_eq!(world.app().config().await.expect("stored").version, 1);
        shell.leave();
        world.finish().await;
    }

    async fn apply_waits_for_approval_when_a_policy_gates_it(kind) {
        let world = world!(kind);
        let shell = Shell::of(&world).await;
        let gated = DEMO
            .replacen("policies:\n", "policies:\n  - {id: rules, name: Rules Gate, scope: organization, actions: [environment.policy_update], approvers: {teams: [security]}}\n", 1)
            .replacen("bindings:\n", "bindings:\n  - {policy: rules, level: organization}\n", 1);
        shell.file("gated.yaml", &gated);
        assert_eq!(shell.run("apply -f gated.yaml").await.code, Some(0));
        shell.file("back.yaml", DEMO);
        let waits = shell.run("apply -f back.yaml --reason back").await;
        assert_eq!(waits.code, Some(7), "{}", waits.err);
        assert!(waits.out.lines().last().is_some_and(|id| id.starts_with("req_")), "{}", waits.out);
        assert_eq!(world.app().config().await.expect("stored").version, 2);
        world.settle().await;
        world.types("erin", "approve 1").await;
        assert_eq!(world.app().config().await.expect("stored").version, 3);
        assert_eq!(shell.run("apply -f back.yaml").await.err, "Nothing differs.\n");
        shell.leave();
        world.settle().await;
        world.finish().await;
    }

    async fn apply_reports_its_outcome_as_json(kind) {
        let world = world!(kind);
        let shell = Shell::of(&world).await;
        shell.file("same.yaml", DEMO);
        let report = async |line: &str, code: i32| {
            let said = shell.run(line).await;
            assert_eq!(said.code, Some(code), "{}", said.err);
            serde_json::from_str::<serde_json::Value>(&said.out).expect("JSON and nothing else")
        };
        let same = report("apply -f same.yaml --json", 0).await;
        assert_eq!(same, serde_json::json!({"outcome": "unchanged", "changes": [], "weakens": [], "request": null}));
        let gated = DEMO
            .replacen("policies:\n", "policies:\n  - {id: rules, name: Rules Gate, scope: organization, actions: [environment.policy_update], approvers: {teams: [security]}}\n", 1)
            .replacen("bindings:\n", "bindings:\n  - {policy: rules, level: organization}\n", 1)
            .replace("projects: [api-platform, billing]", "projects: [api-platform]");
        shell.file("gated.yaml", &gated);
        let dry = report("apply -f gated.yaml --dry-run --json", 0).await;
        assert_eq!((&dry["outcome"], &dry["request"]), (&"dry-run".into(), &serde_json::Value::Null));
        let told = dry["changes"].as_array().expect("a list");
        assert!(told.iter().any(|line| line["change"] == "removed" && line["text"].as_str().is_some_and(|text| text.contains("billing"))), "{told:?}");
        assert!(told.iter().any(|line| line["change"] == "added"), "{told:?}");
        let applied = report("apply -f gated.yaml --json", 0).await;
        assert_eq!((&applied["outcome"], &applied["changes"]), (&"applied".into(), &dry["changes"]));
        let requested = report("apply -f same.yaml --reason back --json", 7).await;
        assert_eq!((&requested["outcome"], &requested["request"]["status"]), (&"requested".into(), &"pending".into()));
        assert!(!requested["weakens"].as_array().expect("a list").is_empty(), "the gate goes");
        let refused = shell.run("apply -f nowhere.yaml --json").await;
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""));
        shell.leave();
        world.settle().await;
        world.finish().await;
    }
}
