//! One rule for entered text, in every interface and on both databases.

use crate::client::{Reply, command, deploy};
use crate::database::on_both;
use crate::world::{DEPLOY, world};
use countersign::sandbox::Values;
use serde_json::{Value, json};

const REFUSED: &str = "contains the control character U+0000; remove it";
const UNSEEN: &str = "\u{200b}\u{2060}\u{a0}\u{3164}";

fn with(mut body: Value, field: &str, text: &str) -> Value {
    body[field] = text.into();
    body
}

fn detail(reply: &Reply) -> &str {
    reply.body["detail"].as_str().unwrap_or_default()
}

on_both! {
    async fn nul_in_a_reject_reason_is_refused_with_what_to_do_r31(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        assert_eq!(world.clicks("bob", "reject").await, "");
        let beside = world.fills("bob", Values::from([("reason", "no\0")])).await;
        assert!(beside.contains(REFUSED), "{beside}");
        let said = world.types("bob", "reject 1 no\0").await;
        assert!(said.contains(REFUSED), "{said}");
        let bob = world.person("bob").await;
        let refused = bob.post("/v1/requests/1/decisions", json!({"verdict": "reject", "comment": "no\0"})).await;
        assert_eq!(refused.outcome(), "422 invalid_body");
        assert!(detail(&refused).contains(REFUSED), "{refused:?}");
        let request = bob.read("1").await;
        assert_eq!((&request["status"], &request["decisions"]), (&"pending".into(), &json!([])));
        world.rejects("bob", "no").await;
        assert_eq!(bob.read("1").await["status"], "rejected");
        world.finish().await;
    }

    async fn control_characters_are_refused_at_every_entry_r31(kind) {
        let world = world!(kind);
        let (alice, carol) = (world.person("alice").await, world.person("carol").await);
        for bad in ["a\0b", "a\u{1b}[2J", "a\u{85}b"] {
            let asked = alice.submit(with(deploy(), "reason", bad)).await;
            assert_eq!(asked.outcome(), "422 invalid_body", "{bad:?}");
            let asked = alice.submit(with(deploy(), "release", bad)).await;
            assert_eq!(asked.outcome(), "422 invalid_body", "{bad:?}");
            let start = json!({"reason": bad, "scope": {"actions": ["cluster"], "clusters": ["prod-eu-1"]}});
            assert_eq!(alice.post("/v1/break-glass", start).await.outcome(), "422 invalid_body", "{bad:?}");
            let line = format!("request release.deploy project=api-platform env=production release=v1 reason=\"{bad}\"");
            let said = world.types("alice", &line).await;
            assert!(said.contains("control character"), "{bad:?}: {said}");
            let by_operator = world.app().void_open(bad).await;
            assert!(by_operator.is_err(), "{bad:?}");
        }
        let asked = alice.submit(command()).await.ok();
        carol.decide("1", "approve").await.ok();
        alice.execute("1", asked["digest"].as_str().expect("a digest")).await.ok();
        let complete = |message: &str| alice.post("/v1/requests/1/complete", json!({"outcome": "failed", "message": message}));
        assert_eq!(complete("a\0b").await.outcome(), "422 invalid_body");
        complete("line one\r\nline two").await.ok();
        assert!(world.audit().await.iter().all(|event| !event.contains("\\r")), "line ends are normalised");
        world.finish().await;
    }

    async fn windows_line_ends_are_accepted_f6(kind) {
        let world = world!(kind);
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let asked = alice.submit(with(deploy(), "reason", "## Why\r\nhotfix\r\n")).await.ok();
        assert_eq!(asked["reason"], "## Why\nhotfix");
        let decided = bob.post("/v1/requests/1/decisions", json!({"verdict": "approve", "comment": "a\r\nb\rc"})).await.ok();
        assert_eq!(decided["decisions"][0]["comment"], "a\nb\nc");
        // approved content is not entered text: it is never changed
        let payload = json!({"text": "a\r\nb\u{a0}c\u{200b}"});
        let asked = alice.submit(json!({"action": "command.execute", "cluster": "prod-eu-1", "reason": "r", "payload": payload})).await.ok();
        assert_eq!(asked["payload"], payload);
        assert_eq!(world.types("alice", "request release.deploy").await, "");
        let form = Values::from([("project", "api-platform"), ("environment", "production"), ("release", "v2"), ("reason", "one\r\ntwo")]);
        world.fills("alice", form).await;
        assert_eq!(alice.read("3").await["reason"], "one\ntwo");
        world.finish().await;
    }

    async fn invisible_text_counts_as_blank_at_every_entry_f6(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        let asked = alice.submit(with(deploy(), "reason", UNSEEN)).await;
        assert_eq!(asked.outcome(), "422 policy_violations", "the policy requires a reason");
        assert_eq!(alice.submit(with(deploy(), "release", UNSEEN)).await.status, 422);
        let start = json!({"reason": UNSEEN, "scope": {"actions": ["cluster"], "clusters": ["prod-eu-1"]}});
        assert_eq!(world.person("dan").await.post("/v1/break-glass", start).await.status, 422);
        assert!(world.app().void_open(UNSEEN).await.is_err());

        world.types("alice", DEPLOY).await;
        assert_eq!(world.clicks("bob", "reject").await, "");
        let beside = world.fills("bob", Values::from([("reason", UNSEEN)])).await;
        assert!(beside.contains("Say why"), "{beside}");
        let bob = world.person("bob").await;
        let decided = bob.post("/v1/requests/1/decisions", json!({"verdict": "approve", "comment": UNSEEN})).await.ok();
        assert_eq!(decided["decisions"][0]["comment"], Value::Null);
        world.finish().await;
    }

    async fn a_no_break_space_separates_the_words_of_a_command_f6(kind) {
        let world = world!(kind);
        let said = world.types("alice", &DEPLOY.replace(' ', "\u{a0}").replace("hotfix\u{a0}for\u{a0}checkout", "hotfix for\u{a0}checkout")).await;
        assert!(world.card().contains("hotfix for\u{a0}checkout"), "{said}");
        world.finish().await;
    }
}
