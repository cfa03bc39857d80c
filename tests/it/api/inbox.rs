//! The inbox in the API: filters, and cursors that survive new requests.

use crate::client::{Api, command, deploy, text};
use crate::database::on_both;
use crate::world::world;
use countersign::app::ListFilter;
use countersign::domain::time::Span;
use serde_json::{Value, json};

async fn numbers(api: &Api, query: &str) -> Vec<i64> {
    let page = api.get(&format!("/v1/requests?{query}")).await.ok();
    let items = page["items"].as_array().expect("items").iter();
    items
        .map(|item| item["number"].as_i64().expect("a number"))
        .collect()
}

on_both! {
    async fn inbox_filters_by_status_type_and_possible_approver(kind) {
        let world = world!(kind);
        let (alice, bob, dan) = (world.person("alice").await, world.person("bob").await, world.person("dan").await);
        let release = alice.submit(deploy()).await.ok();
        let own = dan.submit(command()).await.ok();
        let mut free = deploy();
        free["environment"] = json!("development");
        alice.submit(free).await.ok();
        assert_eq!((release["number"].as_i64(), own["number"].as_i64()), (Some(1), Some(2)));

        assert_eq!(numbers(&bob, "").await, [3, 2, 1]);
        assert_eq!(numbers(&bob, "status=pending").await, [2, 1]);
        assert_eq!(numbers(&bob, "status=pending,allowed&limit=2").await, [3, 2]);
        assert_eq!(numbers(&bob, "type=release").await, [3, 1]);
        assert_eq!(numbers(&bob, "type=cluster").await, [2]);
        assert_eq!(numbers(&bob, "type=project").await, [0_i64; 0]);
        for (person, expected) in [("alice", vec![]), ("bob", vec![1]), ("carol", vec![2, 1]), ("dan", vec![1]), ("mallory", vec![]), ("zoe", vec![])] {
            assert_eq!(numbers(&bob, &format!("canApprove={person}")).await, expected, "{person}");
        }
        bob.decide(&text(&release, "id"), "approve").await.ok();
        assert_eq!(numbers(&bob, "canApprove=bob").await, [0_i64; 0]);
        world.person("carol").await.decide(&text(&own, "id"), "reject").await.ok();
        assert_eq!(numbers(&bob, "status=rejected").await, [2]);

        for wrong in ["status=open", "type=everything", "limit=0", "limit=101", "limit=x", "requester=bob", "limit=1&limit=2", "status=pending,,nothing"] {
            assert_eq!(bob.get(&format!("/v1/requests?{wrong}")).await.outcome(), "422 invalid_query", "{wrong}");
        }
        world.finish().await;
    }

    async fn lists_show_a_request_as_its_own_page_does_minus_the_payload_r16(kind) {
        let world = world!(kind);
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        let mut ask = deploy();
        ask["payload"] = json!({"image": "api:1.4.2"});
        let id = text(&alice.submit(ask).await.ok(), "id");
        world.person("carol").await.decide(&id, "approve").await.ok();
        let mut alone = bob.get(&format!("/v1/requests/{id}")).await.ok();
        assert_eq!(alone["payload"], json!({"image": "api:1.4.2"}));
        // one page of payloads could have 100 MiB (R16)
        alone.as_object_mut().expect("an object").remove("payload");
        for query in ["", "status=pending", "type=release", "status=pending&type=release", "status=pending,executed", "canApprove=bob"] {
            let page = bob.get(&format!("/v1/requests?{query}")).await.ok();
            assert_eq!(page["items"], json!([alone]), "{query}");
        }
        // a page of payloads is not even read
        let all = ListFilter { limit: 100, without_payloads: true, ..ListFilter::default() };
        let approvable = ListFilter { can_approve: Some("bob".into()), ..all.clone() };
        for filter in [all, approvable] {
            let page = world.app().list(filter.clone()).await.expect("a page");
            assert_eq!(page.items.len(), 1, "{filter:?}");
            assert_eq!(page.items[0].request.payload, "", "{filter:?}");
        }
        world.finish().await;
    }

    async fn can_approve_filter_finds_requests_behind_many_for_other_approvers(kind) {
        let world = world!(kind);
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        for ask in [deploy(), deploy()].into_iter().chain(vec![command(); 9]) {
            world.passes(Span::seconds(1)).await;
            alice.submit(ask).await.ok();
        }
        assert_eq!(numbers(&bob, "canApprove=bob&limit=1").await, [2]);
        assert_eq!(numbers(&bob, "canApprove=bob&limit=1&cursor=2").await, [1]);
        world.finish().await;
    }

    async fn inbox_cursor_survives_inserts_and_decisions(kind) {
        let world = world!(kind);
        let (alice, carol) = (world.person("alice").await, world.person("carol").await);
        let mut ids = Vec::new();
        for _ in 0..7 {
            ids.push(text(&alice.submit(command()).await.ok(), "id"));
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = carol.get(&format!("/v1/requests?status=pending&limit=3{cursor}")).await.ok();
            seen.extend(page["items"].as_array().expect("items").iter().map(|item| text(item, "id")));
            let Value::String(next) = &page["nextCursor"] else { break };
            cursor = format!("&cursor={next}");
            // new requests and decisions neither repeat nor hide another one
            alice.submit(command()).await.ok();
            carol.decide(seen.last().expect("an id"), "approve").await.ok();
        }
        ids.reverse();
        assert_eq!(seen, ids);
        assert_eq!(carol.get("/v1/requests?cursor=of-my-own").await.outcome(), "422 invalid_query");
        world.finish().await;
    }
}
