//! The channel of a card: the first matching route, or the default; and the policies' own channels.

use super::{Caller, configure, document, release};
use crate::database::on_both;
use crate::world::{World, world};
use serde_json::{Value, json};

/// The channels with a card of this request.
async fn channels(world: &World, body: &Value) -> Vec<&'static str> {
    let (status, asked) = Caller::of(world, "alice").await.asks(body).await;
    assert_eq!(status, 201, "{asked}");
    world.settle().await;
    let number = format!("#{}", asked["number"]);
    let shows = |channel: &str| {
        let cards = world.slack.cards(channel);
        cards.iter().any(|card| card.text.contains(&number))
    };
    ["approvals", "prod-approvals", "security"]
        .into_iter()
        .filter(|channel| shows(channel))
        .collect()
}

on_both! {
    async fn cards_follow_policy_route_then_default_channel(kind) {
        let world = world!(kind);
        let policies = "
  - {id: gate, name: Gate, scope: organization, approvers: anyone, actions: [release.deploy]}
  - {id: own, name: Own Channel, scope: project, approvers: anyone, channel: C01APPROVALS}
  - {id: routed, name: Routed, scope: organization, approvers: anyone, actions: [rollback.execute]}
";
        let bindings = "
  - {policy: gate, level: organization}
  - {policy: own, level: project, resource: billing}
  - {policy: routed, level: organization}
";
        let mut changed = document(policies, bindings, "");
        changed.routes = serde_saphyr::from_str("{default: C01APPROVALS, rules: [{policy: routed, channel: C03SECURITY}, {environment: production, channel: C02PROD}, {risk: Critical, channel: C03SECURITY}]}").expect("routes");
        configure(&world, changed).await;

        assert_eq!(channels(&world, &release()).await, ["prod-approvals"], "by environment");
        let mut staging = release();
        staging["environment"] = json!("staging");
        assert_eq!(channels(&world, &staging).await, ["approvals"], "by default");
        let rollback = json!({"action": "rollback.execute", "project": "api-platform", "environment": "production"});
        assert_eq!(channels(&world, &rollback).await, ["security"], "the first route that matches: by policy");
        let delete = json!({"action": "project.delete", "project": "api-platform"});
        assert_eq!(channels(&world, &delete).await, ["security"], "by risk");
        let mut billing = release();
        billing["project"] = json!("billing");
        assert_eq!(channels(&world, &billing).await, ["approvals", "prod-approvals"], "to the policy's own channel, too");
        world.finish().await;
    }
}
