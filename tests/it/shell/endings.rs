//! How `run` and `request` end if something fails: each case has its own exit code and message.

use super::{RUN, Said, Shell, Trace, ended, newest, run};
use crate::database::on_both;
use crate::world::{World, world};
use countersign::app::RequestRef;
use countersign::domain::request::Status;
use countersign::domain::time::Span;
use countersign::domain::token::Scope;
use serde_json::json;
use tokio::process::Command;

/// A request that no policy gates.
const FREE: [&str; 6] = [
    "release.deploy",
    "--project",
    "api-platform",
    "--environment",
    "development",
    "--release=v1",
];
const GATED: [&str; 7] = [
    "release.deploy",
    "--project",
    "api-platform",
    "--environment",
    "production",
    "--release",
    "v1",
];

fn free<'a>(command: &[&'a str]) -> Vec<&'a str> {
    ["run"]
        .into_iter()
        .chain(FREE)
        .chain(["--"])
        .chain(command.iter().copied())
        .collect()
}

/// Ends the newest request in this way.
async fn end(world: &World, how: &str) {
    let asked = newest(world, Status::Pending).await;
    let id = asked.request.id.to_string();
    match how {
        "rejected" => {
            let path = format!("/v1/requests/{id}/decisions");
            let body = json!({"verdict": "reject", "comment": "not on a Friday"});
            world.person("carol").await.post(&path, body).await.ok();
        }
        "expired" => world.passes(Span::hours(24)).await,
        "cancelled" => {
            world.person("carol").await.cancel(&id).await.ok();
        }
        _ => {
            world
                .person("carol")
                .await
                .decide(&id, "approve")
                .await
                .ok();
        }
    }
}

fn check(said: &Said, code: i32, words: &str) {
    assert!(
        said.code == code && said.err.contains(words),
        "{code}, {words}: {said:?}"
    );
}

on_both! {
    async fn run_executes_nothing_without_a_grant(kind) {
        let world = world!(kind);
        let (shell, trace) = (Shell::pipeline(&world).await, Trace::new());
        let script = trace.script("true");
        for (how, code, words) in [
            ("rejected", 120, "was rejected by Carol Clark: not on a Friday"),
            ("expired", 121, "is expired"),
            ("cancelled", 122, "is cancelled"),
        ] {
            let child = shell.starts(&run(&["sh", "-c", &script]));
            end(&world, how).await;
            check(&ended(child).await, code, words);
        }
        let silent = shell.says(&["run", "command.execute", "--cluster", "prod-eu-1", "--", "sh", "-c", &script]).await;
        check(&silent, 123, "cluster-command-gate");
        assert_eq!(trace.runs(), 0);
        world.finish().await;
    }

    async fn run_executes_nothing_when_the_claim_is_refused(kind) {
        let world = world!(kind);
        let (shell, trace) = (Shell::pipeline(&world).await, Trace::new());
        let script = trace.script("true");
        let ci = world.pipeline(crate::client::PIPELINE).await;
        let body = |command: serde_json::Value| json!({"action": "command.execute", "cluster": "prod-eu-1", "reason": "r", "payload": command});
        // the approved command differs from the one that would run
        let other = ci.submit(body(json!({"command": ["sh", "-c", "true"]}))).await.ok()["number"].to_string();
        end(&world, "approved").await;
        check(&shell.says(&["run", "--request", &other, "--", "sh", "-c", &script]).await, 125, "another command was approved");
        let nothing = ci.submit(body(json!({"image": "x"}))).await.ok()["number"].to_string();
        end(&world, "approved").await;
        check(&shell.says(&["run", "--request", &nothing]).await, 125, "names no command");
        check(&shell.says(&["run", "--request", "99"]).await, 125, "request not found");
        // another person's request, and a token that may not execute
        let alices = world.person("alice").await.submit(body(json!({"command": ["true"]}))).await.ok()["number"].to_string();
        end(&world, "approved").await;
        check(&shell.says(&["run", "--request", &alices]).await, 125, "this request is not yours");
        let reader = Shell::with(&world, world.token_of("alice", &[Scope::RequestsRead]).await);
        check(&reader.says(&["run", "--request", &alices]).await, 125, "lacks the scope");
        check(&Shell { token: "cs_wrong".into(), ..Shell::with(&world, String::new()) }.says(&run(&["true"])).await, 125, "this token is not valid");
        assert_eq!(trace.runs(), 0);
        world.finish().await;
    }

    async fn unreachable_server_exits_run_with_124_and_request_with_6(kind) {
        let world = world!(kind);
        let shell = Shell { url: "http://127.0.0.1:1".into(), ..Shell::pipeline(&world).await };
        let asks = ["request"].into_iter().chain(FREE).collect::<Vec<_>>();
        let ran = run(&["echo", "ran"]);
        let (run, request) = tokio::join!(shell.says(&ran), shell.says(&asks));
        check(&run, 124, "no answer from the server");
        assert_eq!(run.out, "");
        check(&request, 6, "no answer from the server");
        world.finish().await;
    }

    async fn run_exits_and_reports_as_the_command_ended(kind) {
        let world = world!(kind);
        let shell = Shell::pipeline(&world).await;
        let folder = std::env::temp_dir();
        for (command, code, outcome) in [
            (vec!["sh", "-c", "exit 7"], 7, "failed"),
            (vec!["sh", "-c", "kill -9 $$"], 137, "failed"),
            (vec!["sh", "-c", "cat"], 0, "succeeded"),
            (vec!["countersign-no-such-command"], 127, "failed"),
            (vec![folder.to_str().expect("UTF-8")], 126, "failed"),
        ] {
            let said = shell.says(&free(&command)).await;
            assert_eq!(said.code, code, "{command:?}: {said:?}");
            let done = newest(&world, Status::Completed).await.request;
            let number = done.number.to_string();
            let seen = world.person("alice").await.read(&number).await;
            assert_eq!(seen["outcome"], outcome, "{command:?}");
        }
        world.finish().await;
    }

    async fn interrupting_the_wait_cancels_the_request(kind) {
        let world = world!(kind);
        let shell = Shell::pipeline(&world).await;
        for signal in ["-TERM", "-INT", "-HUP"] {
            let child = shell.starts(&run(&["echo", "ran"]));
            let asked = newest(&world, Status::Pending).await.request;
            let id = child.id().expect("it runs").to_string();
            assert!(Command::new("kill").args([signal, &id]).status().await.expect("kill").success());
            let said = ended(child).await;
            assert_eq!((said.code, said.out.as_str()), (122, ""), "{signal}: {said:?}");
            let shown = world.app().show(&RequestRef::Id(asked.id)).await.expect("it is there");
            assert_eq!(shown.request.state.status(), Status::Cancelled, "{signal}");
        }
        let mut args = RUN.to_vec();
        args.splice(1..1, ["--timeout", "1s"]);
        args.extend(["echo", "ran"]);
        check(&shell.says(&args).await, 121, "in time");
        newest(&world, Status::Cancelled).await;
        assert!(world.app().list(countersign::app::ListFilter { statuses: vec![Status::Pending], limit: 9, ..Default::default() })
            .await.expect("the inbox").items.is_empty());
        world.finish().await;
    }

    async fn request_exit_code_tells_the_status(kind) {
        let world = world!(kind);
        let shell = Shell::pipeline(&world).await;
        let asks = |more: &[&'static str]| -> Vec<&'static str> { ["request"].into_iter().chain(GATED).chain(more.iter().copied()).collect() };
        let asked = shell.says(&asks(&["--reason", "r"])).await;
        check(&asked, 7, "pending");
        let shown = newest(&world, Status::Pending).await;
        assert_eq!(asked.out, format!("{}\n", shown.request.id), "the id alone");
        check(&shell.says(&["request"].into_iter().chain(FREE).collect::<Vec<_>>()).await, 0, "allowed");
        check(&shell.says(&asks(&[])).await, 5, "production-deploy-gate");
        check(&shell.says(&["request"]).await, 2, "Usage");
        let nobody = Shell { token: String::new(), ..Shell::pipeline(&world).await };
        check(&nobody.says(&asks(&[])).await, 2, "COUNTERSIGN_TOKEN");
        world.person("carol").await.cancel(&shown.request.id.to_string()).await.ok();
        for (how, code) in [("rejected", 1), ("expired", 3), ("cancelled", 4), ("approved", 0)] {
            let args = ["request", "command.execute", "--cluster", "prod-eu-1", "--reason", "r", "--wait", "--json"];
            let child = shell.starts(&args);
            end(&world, how).await;
            let said = ended(child).await;
            assert_eq!(said.code, code, "{how}: {said:?}");
            let json: serde_json::Value = serde_json::from_str(&said.out).expect("JSON alone");
            assert_eq!(json["status"], how);
        }
        check(&shell.says(&asks(&["--reason", "r", "--wait", "--timeout", "1ms"])).await, 3, "still waits");
        world.finish().await;
    }
}
