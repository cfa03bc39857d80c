//! The configuration and the audit log in the API.

use crate::client::{Api, deploy};
use crate::database::on_both;
use crate::world::world;
use countersign::domain::token::Scope;
use serde_json::{Value, json};

async fn put(api: &Api, path: &str, etag: Option<&str>, body: &Value) -> crate::client::Reply {
    let headers: Vec<(&str, &str)> = etag.map(|etag| ("if-match", etag)).into_iter().collect();
    api.call("PUT", path, &headers, Some(body.to_string()))
        .await
}

on_both! {
    async fn config_change_requires_the_current_version_in_if_match(kind) {
        let world = world!(kind);
        let (alice, carol) = (world.person("alice").await, world.person("carol").await);
        let stored = carol.get("/v1/config").await;
        let etag = stored.header("etag").to_owned();
        assert_eq!(etag, "\"1\"");
        let mut document = stored.ok();
        document["resources"]["projects"].as_array_mut().expect("a list").push(json!("search"));

        assert_eq!(put(&carol, "/v1/config", None, &document).await.outcome(), "428 if_match_required");
        for stale in ["\"0\"", "\"2\"", "1", "W/\"1\""] {
            assert_eq!(put(&carol, "/v1/config", Some(stale), &document).await.outcome(), "412 stale", "{stale}");
        }
        assert_eq!(put(&alice, "/v1/config", Some(&etag), &document).await.outcome(), "403 forbidden");
        let changed = put(&carol, "/v1/config?reason=a+new+project", Some(&etag), &document).await;
        assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
        let same = put(&carol, "/v1/config", Some("\"2\""), &document).await;
        assert_eq!((same.status, same.header("etag")), (200, "\"2\""));
        assert_eq!(put(&carol, "/v1/config", Some(&etag), &document).await.outcome(), "412 stale");
        assert_eq!(alice.get("/v1/config").await.ok(), document);
        assert_eq!(alice.get("/v1/directory").await.status, 200);
        world.finish().await;
    }

    async fn invalid_configuration_is_refused_with_all_error_locations(kind) {
        let world = world!(kind);
        let carol = world.person("carol").await;
        let mut document = carol.get("/v1/config").await.ok();
        document["policies"][0]["quorum"]["requiredTeamIds"] = json!(["nobody"]);
        document["bindings"][1]["resource"] = json!("prod-us-1");
        let refused = put(&carol, "/v1/config", Some("*"), &document).await;
        assert_eq!(refused.outcome(), "422 invalid_configuration");
        let problems = refused.body["problems"].as_array().expect("problems").iter();
        let lines: Vec<String> = problems.map(|wrong| format!("{}: {}", wrong["path"], wrong["message"])).collect();
        insta::assert_snapshot!("invalid_configuration", lines.join("\n"));
        document["surprise"] = json!(true);
        assert_eq!(put(&carol, "/v1/config", Some("*"), &document).await.outcome(), "422 invalid_body");
        assert_eq!(carol.get("/v1/config").await.header("etag"), "\"1\"");
        world.finish().await;
    }

    async fn unsatisfiable_policy_is_not_saved_b63(kind) {
        let world = world!(kind);
        let carol = world.person("carol").await;
        let path = "/v1/policies/production-deploy-gate";
        let stored = carol.get(path).await.ok();
        for (quorum, approvers) in [
            (json!({"minApprovals": 0}), stored["approvers"].clone()),
            (json!({"minApprovals": 99}), stored["approvers"].clone()),
            (json!({"minApprovals": 1}), json!({"teams": []})),
            (json!({"minApprovals": 1}), json!({"users": []})),
            (json!({"minApprovals": 1}), Value::Null),
            (json!({}), json!({})),
        ] {
            let mut policy = stored.clone();
            policy["quorum"] = quorum;
            policy["approvers"] = approvers;
            let reply = put(&carol, path, None, &policy).await;
            assert_eq!(reply.status, 422, "{}: {}", policy["quorum"], reply.body);
        }
        let mut renamed = stored.clone();
        renamed["id"] = json!("another");
        assert_eq!(put(&carol, path, None, &renamed).await.outcome(), "422 invalid_body");
        let mut described = stored;
        described["description"] = json!("Two people.");
        let changed = put(&carol, path, Some("\"1\""), &described).await;
        assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
        assert_eq!(put(&carol, path, Some("\"1\""), &described).await.outcome(), "412 stale");
        for odd in ["%FF", "%2F", "..%2Fconfig"] {
            assert_eq!(carol.get(&format!("/v1/policies/{odd}")).await.outcome(), "404 policy_not_found", "{odd}");
        }
        world.finish().await;
    }

    async fn audit_log_pages_by_seal_without_gaps(kind) {
        let world = world!(kind);
        let reader = Api::new(&world.url, &world.token_of("erin", &[Scope::AuditRead]).await);
        let alice = world.person("alice").await;
        for _ in 0..5 {
            alice.submit(deploy()).await.ok();
        }
        let all = world.audit().await;
        let (mut after, mut lines) = (0, Vec::new());
        loop {
            let page = reader.get(&format!("/v1/audit?limit=3&after={after}")).await;
            assert_eq!((page.status, page.header("content-type")), (200, "application/x-ndjson"));
            let text = match page.body {
                Value::String(text) => text,
                one => one.to_string(), // a single line is JSON by itself
            };
            if text.trim().is_empty() {
                break;
            }
            for line in text.lines() {
                let row: Value = serde_json::from_str(line).expect("a line is an object");
                after += 1;
                assert_eq!(row["seal"], after);
                lines.push(format!("{} by {}", row["event"].as_str().unwrap_or("-"), row["actor"].as_str().unwrap_or("-")));
            }
        }
        assert_eq!(lines, all);
        assert_eq!(reader.get("/v1/audit?limit=0").await.outcome(), "422 invalid_query");
        assert_eq!(reader.get("/v1/audit?event=vote.approved").await.outcome(), "422 invalid_query");
        assert_eq!(reader.get("/v1/requests").await.outcome(), "403 forbidden");
        world.finish().await;
    }
}
