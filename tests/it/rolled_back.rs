//! This release runs on rows of the next one (threats R04, ST12): after a roll-back it finds an unknown kind of message, an unknown field
//! in a policy and one in a session, and nothing stops.

use crate::client::{Api, command, deploy, text};
use crate::database::on_both;
use crate::unreadable_rows::{LATER_POLICY, degraded, later_session};
use crate::world::{DEPLOY, world};
use countersign::domain::time::Span;

on_both! {
    async fn release_runs_on_rows_written_by_the_next_release_r04_st12(kind) {
        let mut world = world!(kind);
        let [alice, dan] = [world.person("alice").await, world.person("dan").await];
        let asked = alice.submit(deploy()).await.ok();
        world.settle().await;
        // the next release has migrated the schema and written rows
        world.database.execute("ALTER TABLE requests ADD COLUMN later TEXT").await.expect("a column");
        world.database.execute("ALTER TABLE sessions ADD COLUMN later TEXT").await.expect("a column");
        world.database.execute(LATER_POLICY).await.expect("a request");
        later_session(&world.database, "dan", world.clock.now().0).await;
        // then it is rolled back
        world.restart().await;
        let [alice, dan] = [alice.at(&world.url), dan.at(&world.url)];
        let said = degraded(&world).await;
        for what in ["1 request cannot be read", "1 break-glass session cannot be read"] {
            assert!(said.iter().any(|why| why.starts_with(what)), "{what}: {said:?}");
        }
        assert_eq!(alice.execute(&text(&asked, "id"), &text(&asked, "digest")).await.outcome(), "409 unreadable");
        assert_eq!(dan.submit(command()).await.ok()["status"], "pending", "nothing is bypassed");
        // the newest card is the last one
        world.passes(Span::seconds(2)).await;
        assert!(world.types("alice", &DEPLOY.replace("v1.4.2", "v2")).await.contains("Asked as"));
        assert_eq!(world.clicks("bob", "approve").await, "");
        assert_eq!(world.clicks("carol", "approve").await, "");
        assert!(world.card().contains("Approved"), "{}", world.card());
        assert!(world.direct("alice").contains("approved"), "{}", world.direct("alice"));
        world.passes(Span::hours(25)).await;
        assert_eq!(world.database.count("SELECT count(*) FROM requests WHERE status = 'expired'").await, 2);
        assert_eq!(world.database.count("SELECT count(*) FROM audit WHERE seal IS NULL").await, 0);
        assert_eq!(Api::new(&world.url, "").get("/readyz").await.status, 200);
        world.finish().await;
    }
}
