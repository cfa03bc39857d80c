//! `showPayload`: where the payload can be read.

use super::{Caller, configure, document, release};
use crate::database::on_both;
use crate::world::world;
use serde_json::json;

const SECRET: &str = "correct-horse-battery";

fn gated(shown: &str) -> countersign::domain::document::ConfigDocument {
    let lax = "  - {id: lax, name: Lax, scope: organization, approvers: anyone}";
    let strict = format!(
        "  - {{id: strict, name: Strict, scope: project, approvers: anyone, showPayload: {shown}}}"
    );
    document(
        &format!("{lax}\n{strict}"),
        "  - {policy: lax, level: organization}\n  - {policy: strict, level: project, resource: api-platform}",
        "",
    )
}

on_both! {
    async fn strictest_show_payload_setting_applies_b72(kind) {
        let world = world!(kind);
        let (alice, bob) = (Caller::of(&world, "alice").await, Caller::of(&world, "bob").await);
        let mut body = release();
        body["payload"] = json!({"password": SECRET});
        for (shown, on_card, by_others) in [("card", true, true), ("details", false, true), ("never", false, false)] {
            configure(&world, gated(shown)).await;
            body["release"] = json!(shown);
            let (status, asked) = alice.asks(&body).await;
            assert_eq!(status, 201, "{asked}");
            world.settle().await;
            let card = world.card();
            assert_eq!(card.contains(SECRET), on_card, "{shown}: {card}");
            insta::assert_snapshot!(format!("payload_{shown}"), card);
            let path = format!("/v1/requests/{}", asked["number"]);
            let of_others = bob.get(&path).await.1.to_string();
            assert_eq!(of_others.contains(SECRET), by_others, "{shown}: {of_others}");
            assert!(alice.get(&path).await.1.to_string().contains(SECRET), "{shown}: the requester's own");
            // a request whose payload is never shown can still be approved
            let button = if shown == "details" { "review" } else { "details" };
            assert_eq!(world.clicks("bob", button).await, "");
            let modal = world.slack.modal("bob").expect("a modal").text;
            assert!(shown == "card" || modal.contains(SECRET) == by_others, "{shown}: {modal}");
            world.types("bob", &format!("approve {}", asked["number"])).await;
            let (status, executed) = alice.executes(&asked).await;
            assert_eq!(status, 200, "{executed}");
            assert!(executed.to_string().contains(SECRET));
            world.settle().await;
        }
        world.finish().await;
    }
}
