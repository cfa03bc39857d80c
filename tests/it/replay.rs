//! `POST /v1/replay` and `countersign replay`: what a draft would have done with past requests.

use crate::client::{Api, command};
use crate::database::on_both;
use crate::world::{World, world};
use countersign::domain::time::Span;
use serde_json::{Value, json};

/// The stored configuration.
async fn stored(api: &Api) -> Value {
    api.get("/v1/config").await.ok()
}

/// A token that may read requests and the configuration.
async fn reader(world: &World) -> Api {
    use countersign::domain::token::Scope;
    let token = world
        .token_of(
            "carol",
            &[Scope::RequestsRead, Scope::RequestsWrite, Scope::ConfigRead],
        )
        .await;
    Api::new(&world.url, &token)
}

fn deploy(environment: &str, release: &str) -> Value {
    json!({"action": "release.deploy", "project": "api-platform", "environment": environment, "release": release, "reason": "weekly"})
}

async fn replayed(api: &Api, draft: &Value) -> Value {
    api.post("/v1/replay", json!({"config": draft})).await.ok()
}

fn changes(result: &Value) -> Vec<String> {
    let changes = result["changes"].as_array().expect("a list").iter();
    changes
        .map(|one| {
            format!(
                "#{} {} {}->{}",
                one["number"],
                one["change"].as_str().unwrap_or_default(),
                one["before"]["approvals"],
                one["after"]["approvals"]
            )
        })
        .collect()
}

on_both! {
    async fn replay_finds_every_kind_of_difference_and_changes_nothing(kind) {
        let world = world!(kind);
        let carol = reader(&world).await;
        carol.submit(deploy("production", "v1")).await.ok();
        carol.submit(deploy("development", "v1")).await.ok();
        carol.submit(command()).await.ok();
        let before = world.rows().await;
        let config = stored(&carol).await;
        assert_eq!(changes(&replayed(&carol, &config).await), Vec::<String>::new());

        let mut more = config.clone();
        more["policies"][0]["quorum"]["minApprovals"] = json!(3);
        assert_eq!(changes(&replayed(&carol, &more).await), ["#1 moreApprovals 2->3"]);

        let mut fewer = config.clone();
        fewer["policies"][0]["quorum"]["minApprovals"] = json!(1);
        let result = replayed(&carol, &fewer).await;
        assert_eq!(changes(&result), ["#1 fewerApprovals 2->1"]);
        assert_eq!((result["evaluated"].clone(), result["approvalsBefore"].clone(), result["approvalsAfter"].clone()),
            (json!(3), json!(3), json!(2)));
        assert_eq!(result.get("next"), None);

        let mut other = config.clone();
        other["bindings"] = json!([{"policy": "production-deploy-gate", "level": "environment", "resource": "development"}]);
        let moved = changes(&replayed(&carol, &other).await);
        assert_eq!(moved, ["#3 noLongerGated 1->0", "#2 newlyGated 0->2", "#1 noLongerGated 2->0"]);

        let mut lonely = config.clone();
        lonely["policies"][1]["approvers"] = json!({"users": ["carol"]});
        lonely["policies"][1]["quorum"] = json!({"minApprovals": 1});
        assert_eq!(changes(&replayed(&carol, &lonely).await), ["#3 unsatisfiable 1->0"]);
        assert_eq!(world.rows().await, before, "a replay stores nothing");
        world.finish().await;
    }

    async fn replay_looks_back_as_far_as_it_is_told_and_page_by_page(kind) {
        let world = world!(kind);
        let carol = reader(&world).await;
        carol.submit(deploy("development", "v0")).await.ok();
        world.passes(Span::hours(24 * 8)).await;
        for number in 1..=205 {
            world.clock.advance(Span::seconds(1));
            carol.submit(deploy("development", &format!("v{number}"))).await.ok();
        }
        let config = stored(&carol).await;
        let first = carol.post("/v1/replay", json!({"config": config, "since": "7d"})).await.ok();
        assert_eq!((first["evaluated"].clone(), first["next"].clone()), (json!(200), json!(7)));
        let body = json!({"config": config, "since": "7d", "below": first["next"]});
        let second = carol.post("/v1/replay", body).await.ok();
        assert_eq!((second["evaluated"].clone(), second.get("next")), (json!(5), None), "#1 is too old");
        world.finish().await;
    }

    async fn replay_reports_mistakes_of_the_draft_and_of_the_call(kind) {
        let world = world!(kind);
        let carol = reader(&world).await;
        let mut wrong = stored(&carol).await;
        wrong["bindings"][0]["resource"] = json!("nowhere");
        let refused = carol.post("/v1/replay", json!({"config": wrong})).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        let config = stored(&carol).await;
        let refused = carol.post("/v1/replay", json!({"config": config, "since": "soon"})).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        world.finish().await;
    }
}
