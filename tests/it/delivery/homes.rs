//! A Home tab that was opened on one replica shows what is committed on another.

use crate::database::on_both;
use crate::world::{DEPLOY, World, world};

fn home(world: &World, who: &str) -> String {
    world.slack.home(who).unwrap_or_default()
}

on_both! {
    async fn home_tab_opened_on_one_replica_shows_commits_of_another(kind) {
        let world = world!(kind);
        let (replica, url) = world.replica().await;
        world.slack.open_home("bob").await.expect("an answer");
        world.settle().await;
        assert!(home(&world, "bob").contains("No request waits for you."), "{}", home(&world, "bob"));
        // the replica on which it was opened stands still
        world.slack.set_bot_url(&url);
        let said = world.slack.command_in("alice", "prod-approvals", "/approval", DEPLOY).await.expect("an answer");
        assert!(said.body.contains("Asked as"), "{}", said.body);
        replica.dispatcher.finish().await;
        replica.workers.settle().await.expect("the workers work");
        assert!(home(&world, "bob").contains("Waiting for you (1)"), "{}", home(&world, "bob"));
        // both replicas check, one publishes
        let calls = world.slack.call_count("views.publish");
        world.settle().await;
        assert_eq!(world.slack.call_count("views.publish"), calls);
        // a filter that was chosen on this replica is kept by the other one
        world.slack.open_home("carol").await.expect("an answer");
        replica.dispatcher.finish().await;
        world.settle().await;
        world.slack.click_home("carol", "home_all", None).await.expect("an answer");
        replica.dispatcher.finish().await;
        assert!(home(&world, "carol").contains("Pending requests (1)"), "{}", home(&world, "carol"));
        world.slack.set_bot_url(&world.url);
        world.types("alice", &DEPLOY.replace("v1.4.2", "v2")).await;
        assert!(home(&world, "carol").contains("Pending requests (2)"), "{}", home(&world, "carol"));
        replica.workers.settle().await.expect("the workers work");
        replica.stop().await;
        world.finish().await;
    }
}
