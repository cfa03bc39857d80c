//! What an audit row says in addition to its event: who was refused, what was approved by which policies, and pages of sessions.

use crate::break_glass::rows;
use crate::client::{command, deploy, text};
use crate::database::on_both;
use crate::policies::configure;
use crate::world::{World, world};
use serde_json::{Value, json};

const DEMO: &str = include_str!("../../manifests/demo.yaml");

on_both! {
    async fn a_refused_account_that_belongs_to_nobody_is_named_in_the_audit_log(kind) {
        let line = DEMO.lines().find(|line| line.contains("U04MALLORY")).expect("mallory's line");
        let Some(world) = World::start_with(kind, &DEMO.replace(line, "")).await else { return };
        world.types("alice", crate::world::DEPLOY).await;
        world.clicks("mallory", "approve").await;
        world.clicks("alice", "approve").await;
        let refused = rows(&world, "vote.refused").await;
        let by = |actor: &str| refused.iter().find(|row| row["actor"] == actor).unwrap_or_else(|| panic!("{refused:?}"));
        assert_eq!(by("bot")["detail"]["account"], json!({"team": "T01TEST", "user": "U04MALLORY"}));
        assert_eq!(by("person:alice")["detail"]["account"], json!({"team": "T01TEST", "user": "U01ALICE"}));
        for row in &refused {
            assert_eq!(row["detail"]["verdict"], "approve", "{row}");
            assert!(row["detail"]["why"].as_str().is_some_and(|why| !why.is_empty()), "{row}");
        }
        // by API there is no account, and the person is named
        let alice = world.person("alice").await;
        let asked = alice.submit(command()).await.ok();
        alice.decide(&text(&asked, "id"), "approve").await;
        let refused = rows(&world, "vote.refused").await;
        assert!(refused.iter().any(|row| row["actor"] == "person:alice" && row["detail"]["account"] == Value::Null), "{refused:?}");
        world.finish().await;
    }

    async fn an_approval_is_recorded_with_its_digest_and_its_policies(kind) {
        let world = world!(kind);
        let (alice, carol, dan) = (world.person("alice").await, world.person("carol").await, world.person("dan").await);
        let asked = alice.submit(deploy()).await.ok();
        for approver in [&carol, &dan] {
            approver.decide(&text(&asked, "id"), "approve").await.ok();
        }
        let approved = rows(&world, "request.approved").await;
        assert_eq!(approved.len(), 1, "{approved:?}");
        assert_eq!(approved[0]["detail"], json!({
            "digest": asked["digest"], "policies": [{"id": "production-deploy-gate", "version": 1}],
        }));
        // the same of what Countersign runs itself
        let policies = "  - {id: two, name: Two, scope: organization, actions: [environment.policy_update], approvers: {users: [dan]}}";
        let bound = "  - {policy: two, level: organization}";
        configure(&world, crate::policies::document(policies, bound, "")).await;
        world.syncs().await;
        world.edits("carol", |document| document["organization"] = json!("renamed")).await.expect("it is gated");
        let page = carol.get("/v1/requests?status=pending").await.ok();
        let change = &page["items"][0];
        dan.decide(&text(change, "id"), "approve").await.ok();
        let approved = rows(&world, "request.approved").await;
        let of_change: Vec<&Value> = approved.iter().filter(|row| row["detail"]["digest"] == change["digest"]).collect();
        assert_eq!(of_change.len(), 1, "{approved:?}");
        assert_eq!(of_change[0]["detail"]["policies"], json!([{"id": "two", "version": 1}]));
        let detail = of_change[0]["detail"].as_object().expect("an object");
        assert_eq!(detail.len(), 2, "{detail:?}");
        world.finish().await;
    }

    async fn sessions_are_paged_newest_first(kind) {
        let world = world!(kind);
        let now = world.clock.now().0;
        for n in 1..=5 {
            let sql = format!(
                "INSERT INTO sessions (id, status, initiator, reason, scope, responders, duration, channel, asked_at, starts_at, ends_at)
                 VALUES ('bg_01k8z0v3c5d7e9f1g2h3j4k5m{n}', 'active', 'dan', 'number {n}', '{{\"actions\":[\"cluster\"],\"clusters\":[\"prod-eu-1\"]}}',
                    '[\"person:dan\"]', 3600000, 'C03SECURITY', {now}, {now}, {})",
                now + 3_600_000
            );
            world.database.execute(&sql).await.expect("a session");
        }
        let erin = world.person("erin").await;
        for (limit, pages) in [(1, vec![1, 1, 1, 1, 1, 0]), (2, vec![2, 2, 1]), (4, vec![4, 1]), (5, vec![5, 0]), (6, vec![5])] {
            let (mut seen, mut sizes, mut cursor) = (Vec::new(), Vec::new(), String::new());
            loop {
                let page = erin.get(&format!("/v1/break-glass?limit={limit}{cursor}")).await.ok();
                let items = page["items"].as_array().expect("items");
                sizes.push(items.len());
                seen.extend(items.iter().map(|item| text(item, "reason")));
                let Value::String(next) = &page["nextCursor"] else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(sizes, pages, "limit {limit}");
            assert_eq!(seen, ["number 5", "number 4", "number 3", "number 2", "number 1"], "limit {limit}");
        }
        world.finish().await;
    }
}
