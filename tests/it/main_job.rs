//! The main job from end to end: a slash command becomes a card, clicks become decisions, and the approved action runs once.

use crate::database::on_both_doors;
use crate::world::{DEPLOY, world};

on_both_doors! {
    async fn a_slash_command_becomes_a_card_and_clicks_become_decisions(kind) {
        let world = world!(kind);

        let said = world.types("alice", DEPLOY).await;
        insta::assert_snapshot!("said", said);
        insta::assert_snapshot!("card_0_of_2", world.card());
        assert_eq!(world.buttons(), ["approve", "reject", "details"]);

        assert_eq!(world.clicks("bob", "approve").await, "");
        insta::assert_snapshot!("card_1_of_2", world.card());

        insta::assert_snapshot!("bob_again", world.clicks("bob", "approve").await);
        insta::assert_snapshot!("mallory", world.clicks("mallory", "approve").await);
        insta::assert_snapshot!("alice_herself", world.clicks("alice", "approve").await);

        assert_eq!(world.direct("alice"), "");
        assert_eq!(world.clicks("carol", "approve").await, "");
        insta::assert_snapshot!("card_approved", world.card());
        assert!(!world.buttons().iter().any(|button| button == "approve" || button == "reject"), "{:?}", world.buttons());
        insta::assert_snapshot!("alice_is_told", world.direct("alice"));

        insta::assert_snapshot!("audit", world.audit().await.join("\n"));
        world.finish().await;
    }
}
