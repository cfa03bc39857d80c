//! All other commands, as a person uses them in a terminal.

use super::{Shell, newest};
use crate::client::{Api, command, deploy};
use crate::database::{Kind, on_both};
use crate::world::world;
use countersign::domain::request::Status;
use serde_json::Value;

on_both! {
    async fn requests_are_shown_and_decided_from_a_terminal(kind) {
        let world = world!(kind);
        let (alice, carol, mallory) = (Shell::person(&world, "alice").await, Shell::person(&world, "carol").await, Shell::person(&world, "mallory").await);
        let mut bare = deploy();
        bare.as_object_mut().expect("an object").remove("payload");
        world.person("alice").await.submit(bare).await.ok();
        world.person("alice").await.submit(command()).await.ok();

        let inbox = carol.says(&["inbox", "--can-approve", "carol"]).await;
        insta::assert_snapshot!("inbox", inbox.out);
        let shown = carol.says(&["show", "1"]).await;
        assert!(shown.out.contains("payload  none"), "{}", shown.out);
        assert!(carol.says(&["show", "#2"]).await.out.contains(r#"payload  {"command":["drain","node-7"]}"#));
        let json: Value = serde_json::from_str(&carol.says(&["show", "1", "--json"]).await.out).expect("JSON");
        assert_eq!(json.get("payload"), Some(&Value::Null));
        assert_eq!(carol.says(&["show", "9"]).await.code, 1);

        let refused = mallory.says(&["approve", "2", "--yes"]).await;
        assert_eq!(refused.code, 1);
        assert!(refused.err.contains("you are not an eligible approver for this request"), "{}", refused.err);
        let wrong = format!("sha256:{}", "0".repeat(64));
        assert_eq!(carol.says(&["approve", "2", "--digest", &wrong]).await.code, 1);
        let approved = carol.says(&["approve", "2", "--comment", "looks right"]).await;
        assert_eq!(approved.code, 0, "{approved:?}");
        assert_eq!(carol.says(&["approve", "2"]).await.code, 1, "already reviewed");
        let executed = alice.says(&["execute", "2"]).await;
        assert_eq!(executed.out, "{\"action\":\"command.execute\",\"payload\":{\"command\":[\"drain\",\"node-7\"]},\"target\":{\"cluster\":\"prod-eu-1\",\"environment\":\"production\"}}\n");
        assert_eq!(alice.says(&["execute", "2"]).await.code, 1);
        assert_eq!(alice.says(&["complete", "2", "succeeded"]).await.code, 0);

        assert_eq!(carol.says(&["reject", "1", "--comment", "not today"]).await.code, 0);
        assert!(alice.says(&["show", "1"]).await.out.contains("rejected by Carol Clark: not today"));
        world.person("alice").await.submit(command()).await.ok();
        assert_eq!(mallory.says(&["cancel", "3"]).await.code, 1);
        assert_eq!(alice.says(&["cancel", "3"]).await.code, 0);
        newest(&world, Status::Cancelled).await;

        let explained = alice.says(&["explain", "release.deploy", "--project", "api-platform", "--environment", "production", "--release", "v1"]).await;
        insta::assert_snapshot!("explained", explained.out);
        world.finish().await;
    }

    async fn diff_payload_is_submitted_shown_and_executed_unchanged_b13(kind) {
        let world = world!(kind);
        let (alice, carol) = (Shell::person(&world, "alice").await, Shell::person(&world, "carol").await);
        let folder = std::env::temp_dir().join(format!("cs_diff_{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).expect("a folder");
        let file = folder.join("app.diff");
        let diff = "-  replicas: 2 \n+\treplicas: 3\r\n";
        std::fs::write(&file, diff).expect("a file");
        let path = file.to_str().expect("a path");
        let ask = ["request", "manifest.apply", "--cluster", "prod-eu-1", "--reason", "more", "--payload", path];
        let asked = alice.says(&ask).await;
        assert_eq!(asked.code, 7, "a policy gates it, so it waits: {asked:?}");
        let shown = carol.says(&["show", "1"]).await;
        assert!(shown.out.contains("  payload  text/x-diff:\n    -  replicas: 2 ¶\n    +→\treplicas: 3\\u{d}\n    ∎\n"), "{}", shown.out);
        let stored = world.database.text("SELECT content FROM payloads").await;
        assert_eq!(serde_json::from_str::<Value>(&stored).expect("JSON"), serde_json::json!({"contentType": "text/x-diff", "text": diff}));
        let other = alice.says(&[&ask[..], &["--content-type", "nonsense"]].concat()).await;
        assert!(other.code == 2 && other.err.contains("text/x-diff"), "{other:?}");
        std::fs::remove_dir_all(&folder).expect("the folder goes");
        world.settle().await;
        world.finish().await;
    }

    async fn token_create_prints_only_the_token_which_works_until_revoked(kind) {
        let world = world!(kind);
        let shell = Shell::with(&world, String::new());
        let made = shell.says(&["token", "create", "--name", "laptop", "--user", "alice", "--scopes", "requests:read,requests:write"]).await;
        assert_eq!(made.code, 0, "{made:?}");
        let token = made.out.strip_suffix('\n').expect("a line");
        assert!(token.starts_with("cs_") && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{}", made.out);
        assert!(!made.err.contains(token));
        let alice = Api::new(&world.url, token);
        alice.submit(command()).await.ok();

        let list = shell.says(&["token", "list"]).await;
        assert!(list.out.contains("laptop") && list.out.contains("last used") && !list.out.contains(token), "{}", list.out);
        let id = list.out.split_whitespace().find(|word| word.starts_with("tok_")).expect("an id");
        let json: Value = serde_json::from_str(&shell.says(&["token", "list", "--json"]).await.out).expect("JSON");
        assert_eq!((&json[0]["id"], &json[0]["for"], &json[0]["revokedAt"]), (&id.into(), &"person:alice".into(), &Value::Null));
        assert!(json[0]["lastUsedAt"].is_string() && !json.to_string().contains(token), "{json}");
        assert_eq!(shell.says(&["token", "revoke", id]).await.code, 0);
        assert_eq!(alice.get("/v1/requests").await.status, 401);
        for wrong in [
            vec!["--user", "zoe", "--scopes", "requests:read"],
            vec!["--service", "ci", "--scopes", "decisions:write"],
            vec!["--user", "alice", "--scopes", "everything"],
            vec!["--scopes", "requests:read"],
            vec!["--user", "alice", "--service", "ci", "--scopes", "requests:read"],
        ] {
            let args: Vec<&str> = ["token", "create", "--name", "t"].into_iter().chain(wrong).collect();
            let said = shell.says(&args).await;
            assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}: {}", said.err);
        }
        world.finish().await;
    }

    async fn audit_commands_detect_an_edit_that_bypassed_the_triggers_r22_op1(kind) {
        let world = world!(kind);
        let shell = Shell::with(&world, String::new());
        world.person("alice").await.submit(command()).await.ok();
        world.audit().await;
        let good = shell.says(&["audit", "verify"]).await;
        assert_eq!(good.code, 0, "{good:?}");
        assert!(good.out.starts_with("unbroken: 3 rows"), "{}", good.out);
        let exported = shell.says(&["audit", "export"]).await.out;
        assert_eq!(exported.lines().count(), 3);
        assert!(shell.says(&["audit", "show", "-n", "1"]).await.out.contains("request.created"));

        let on = if kind == Kind::Postgres { " ON audit" } else { "" };
        let edit = async |from: &str, to: &str| {
            let sql = format!("UPDATE audit SET actor = 'person:{to}' WHERE actor = 'person:{from}'");
            world.database.execute(&sql).await
        };
        assert!(edit("alice", "mallory").await.is_err(), "the trigger holds");
        world.database.execute(&format!("DROP TRIGGER audit_is_written_once{on}")).await.expect("a trigger");
        assert_eq!(edit("alice", "mallory").await.expect("nothing holds it back"), 1);
        let bad = shell.says(&["audit", "verify"]).await;
        assert_eq!((bad.code, bad.out.as_str()), (1, ""), "{bad:?}");
        assert!(bad.err.starts_with("broken: row 3"), "{}", bad.err);
        // showing the latest rows and exporting all rows report it, too (R22)
        let shown = shell.says(&["audit", "show", "-n", "2"]).await;
        assert_eq!(shown.code, 1, "{shown:?}");
        assert!(shown.err.starts_with("broken: row 3"), "{}", shown.err);
        let lines: Vec<&str> = shown.out.lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(!lines[0].contains("UNVERIFIED") && lines[1].starts_with("UNVERIFIED ") && lines[1].contains("mallory"), "{lines:?}");
        let exported = shell.says(&["audit", "export"]).await;
        assert_eq!((exported.code, exported.out.lines().count()), (1, 3), "{exported:?}");
        assert!(exported.err.starts_with("broken: row 3"), "{}", exported.err);
        edit("mallory", "alice").await.expect("an update");
        assert_eq!(shell.says(&["audit", "verify"]).await.code, 0);
        world.finish().await;
    }

    async fn only_administrators_can_apply_a_file(kind) {
        let world = world!(kind);
        let (carol, alice) = (Shell::person(&world, "carol").await, Shell::person(&world, "alice").await);
        let path = std::env::temp_dir().join(format!("countersign-apply-{}.yaml", uuid::Uuid::now_v7()));
        let file = path.to_str().expect("UTF-8");
        let changed = include_str!("../../../manifests/demo.yaml").replace("projects: [api-platform, billing]", "projects: [api-platform, billing, search]");
        std::fs::write(&path, &changed).expect("a file");
        let dry = carol.says(&["apply", "-f", file, "--dry-run"]).await;
        assert_eq!(dry.code, 0, "{dry:?}");
        assert!(dry.out.contains("search"), "{dry:?}");
        assert_eq!(carol.says(&["apply", "-f", file, "--reason", "search is here"]).await.code, 0);
        std::fs::write(&path, changed.replace("search]", "search, find]")).expect("a file");
        assert_eq!(alice.says(&["apply", "-f", file]).await.code, 1);
        std::fs::write(&path, changed.replace("organization: acme", "organisation: acme")).expect("a file");
        assert_eq!(carol.says(&["apply", "-f", file]).await.code, 2);
        std::fs::remove_file(&path).expect("it is there");
        world.finish().await;
    }
}

#[tokio::test]
async fn completions_and_manual_need_no_server_or_token() {
    let shell = Shell {
        url: "http://127.0.0.1:1".into(),
        token: String::new(),
        database: String::new(),
    };
    for name in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = shell.says(&["completions", name]).await;
        assert!(
            said.code == 0 && said.out.contains("countersign"),
            "{name}: {said:?}"
        );
    }
    let man = shell.says(&["man"]).await;
    assert!(man.code == 0 && man.out.contains(".TH"), "{}", man.err);
    assert_eq!(
        shell.says(&["--version"]).await.out,
        format!("countersign {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(shell.says(&["no-such-command"]).await.code, 2);
}
