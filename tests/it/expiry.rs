//! A request without a decision expires: its card closes, and a late click has no effect.

use crate::database::on_both;
use crate::world::{DEPLOY, world};
use countersign::domain::time::Span;

on_both! {
    async fn a_day_later_an_undecided_request_has_expired(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        assert_eq!(world.clicks("bob", "approve").await, "");
        world.passes(Span::hours(23)).await;
        assert_eq!(world.buttons(), ["approve", "reject", "details"]);

        world.passes(Span::hours(1)).await;
        assert!(!world.buttons().iter().any(|button| button == "approve" || button == "reject"), "{:?}", world.buttons());
        insta::assert_snapshot!("card_expired", world.card());
        insta::assert_snapshot!("alice_is_told_of_the_end", world.direct("alice"));
        world.finish().await;
    }
}
