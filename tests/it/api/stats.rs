//! How long requests wait, by policy, team and type.

use crate::client::{command, deploy, text};
use crate::database::on_both;
use crate::world::world;
use countersign::domain::time::Span;
use serde_json::{Value, json};

fn group<'a>(stats: &'a Value, by: &str, id: &str) -> &'a Value {
    let groups = stats[by].as_array().expect("groups");
    let found = groups.iter().find(|group| group["id"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {stats}"))
}

on_both! {
    async fn stats_report_latency_by_policy_team_and_type_within_a_window(kind) {
        let world = world!(kind);
        let (alice, bob, carol) = (world.person("alice").await, world.person("bob").await, world.person("carol").await);
        let nothing = alice.get("/v1/stats/latency").await.ok();
        assert_eq!((&nothing["requests"], &nothing["complete"], &nothing["pending"]), (&json!(0), &json!(true), &Value::Null));
        assert_eq!(nothing["overall"], json!({"firstDecision": null, "approval": null}));

        // a request that no policy gates does not wait
        let mut free = deploy();
        free["environment"] = json!("development");
        alice.submit(free).await.ok();
        let release = text(&alice.submit(deploy()).await.ok(), "id");
        world.clock.advance(Span::minutes(2));
        bob.decide(&release, "approve").await.ok();
        let drain = text(&alice.submit(command()).await.ok(), "id");
        world.clock.advance(Span::minutes(3));
        carol.decide(&release, "approve").await.ok();
        carol.decide(&drain, "reject").await.ok();
        alice.submit(command()).await.ok();
        world.clock.advance(Span::seconds(90));

        let spread = |count, median, p90| json!({"count": count, "medianSeconds": median, "p90Seconds": p90, "longestSeconds": p90});
        let stats = alice.get("/v1/stats/latency?since=1h").await.ok();
        assert_eq!((&stats["requests"], &stats["complete"]), (&json!(3), &json!(true)), "{stats}");
        assert_eq!(stats["overall"], json!({"firstDecision": spread(2, 120, 180), "approval": spread(1, 300, 300)}));
        assert_eq!(*group(&stats, "byType", "release"), json!({"id": "release", "firstDecision": spread(1, 120, 120), "approval": spread(1, 300, 300)}));
        assert_eq!(*group(&stats, "byType", "cluster"), json!({"id": "cluster", "firstDecision": spread(1, 180, 180), "approval": null}));
        assert_eq!(group(&stats, "byTeam", "sre")["firstDecision"], spread(2, 180, 300));
        assert_eq!(stats["pending"], spread(1, 90, 90));
        let policies = stats["byPolicy"].as_array().expect("policies");
        assert!(policies.iter().any(|policy| policy["approval"] == spread(1, 300, 300)), "{stats}");

        // Slack shows the same numbers
        if kind == crate::database::Kind::Sqlite {
            insta::assert_snapshot!("stats_in_slack", world.types("mallory", "stats 1h").await);
        }

        // older requests are outside a shorter window, but pending requests are counted in it
        let late = alice.get("/v1/stats/latency?since=2m").await.ok();
        assert_eq!((&late["requests"], &late["overall"]["firstDecision"], &late["pending"]["count"]), (&json!(1), &Value::Null, &json!(1)));
        for wrong in ["since=0s", "since=x", "since=20years", "since=-1d", "until=1d", "since=1d&since=2d"] {
            assert_eq!(alice.get(&format!("/v1/stats/latency?{wrong}")).await.outcome(), "422 invalid_query", "{wrong}");
        }
        world.finish().await;
    }
}
