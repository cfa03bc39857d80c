//! The Home tab: one person's inbox, with decisions in place, updated while it is open.

use crate::database::on_both;
use crate::world::{DEPLOY, World, world};
use countersign::domain::time::Span;
use countersign::sandbox::{Element, Forge, Place, Values};

async fn opens(world: &World, who: &str) -> String {
    world.slack.open_home(who).await.expect("an answer");
    world.settle().await;
    home(world, who)
}

fn home(world: &World, who: &str) -> String {
    world.slack.home(who).unwrap_or_default()
}

async fn clicks(world: &World, who: &str, button: &str) -> String {
    let answer = world.slack.click_home(who, button, None).await;
    assert_eq!(answer.expect("the bot answers").status, 200);
    world.settle().await;
    home(world, who)
}

/// A release without a payload, so that its line shows everything.
fn release(number: usize) -> String {
    DEPLOY.replace("v1.4.2", &format!("v{number}"))
}

on_both! {
    async fn home_tab_lists_the_inbox_and_takes_decisions(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let seen = opens(&world, "bob").await;
        insta::assert_snapshot!("home_bob", seen);
        let after = clicks(&world, "bob", "approve").await;
        assert!(world.card().contains("1 of 2"), "{}", world.card());
        assert!(after.contains("# Waiting for you\n") && after.contains("Decided by you"), "{after}");
        // the request disappears from carol's open Home tab
        opens(&world, "carol").await;
        world.types("dan", "approve 1").await;
        assert!(home(&world, "carol").contains("# Waiting for you\n"), "{}", home(&world, "carol"));
        insta::assert_snapshot!("home_carol_administers", home(&world, "carol"));
        world.finish().await;
    }

    async fn a_refusal_on_home_opens_as_a_small_modal(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        opens(&world, "bob").await;
        let late = world.slack.press_delivery("bob", Place::Home, "approve".into(), Forge::default()).expect("a button");
        world.types("bob", "approve 1").await;
        world.delivers(&late).await;
        assert!(world.modal("bob").contains("Already reviewed"), "{}", world.modal("bob"));
        assert_eq!(world.direct("bob"), "");
        world.finish().await;
    }

    async fn reject_and_new_request_open_forms_on_home(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        opens(&world, "bob").await;
        clicks(&world, "bob", "reject").await;
        world.fills("bob", Values::from([("reason", "not today")])).await;
        assert!(world.card().contains("not today"), "{}", world.card());
        world.slack.close_view("bob").await.expect("closed");
        clicks(&world, "bob", "new_request").await;
        assert!(world.modal("bob").contains("New request"), "{}", world.modal("bob"));
        world.finish().await;
    }

    async fn home_is_filtered_and_paged(kind) {
        let world = world!(kind);
        for number in 0..13 {
            world.types("alice", &release(number)).await;
        }
        world.types("alice", "request command.execute cluster=prod-eu-1 reason=why payload='{\"command\":[\"ls\"]}'").await;
        let all = opens(&world, "carol").await;
        assert!(all.contains("Waiting for you (10+)") && all.contains("[Review]"), "{all}");
        let older = clicks(&world, "carol", "home_older").await;
        assert!(older.contains("Waiting for you (4, a later page)") && older.contains("*#1* Alice"), "{older}");
        assert!(!older.contains("*#14* Alice"), "{older}");
        let newest = clicks(&world, "carol", "home_first").await;
        assert!(newest.contains("*#14* Alice"), "{newest}");
        let cluster = Element { option: Some("cluster"), ..Element::from("home_kind") };
        world.slack.press("carol", Place::Home, cluster, Forge::default()).await.expect("a choice");
        world.settle().await;
        assert!(home(&world, "carol").contains("Waiting for you (1)"), "{}", home(&world, "carol"));
        // what alice asked for: five, and more on request
        let few = opens(&world, "alice").await;
        assert!(few.contains("*#10* Alice") && !few.contains("*#9* Alice") && few.contains("[Show more]"), "{few}");
        let more = clicks(&world, "alice", "home_more").await;
        assert!(more.contains("*#5* Alice") && more.contains("The newest 10;") && !more.contains("[Show more]"), "{more}");
        // bob approves nothing on clusters, but can see the requests for other approvers
        opens(&world, "bob").await;
        let others = clicks(&world, "bob", "home_all").await;
        assert!(others.contains("Pending requests (10+)") && others.contains("*#14* Alice"), "{others}");
        world.finish().await;
    }

    async fn recently_opened_home_tab_is_republished(kind) {
        let world = world!(kind);
        opens(&world, "bob").await;
        assert!(home(&world, "bob").contains("No request waits for you."), "{}", home(&world, "bob"));
        world.types("alice", DEPLOY).await;
        assert!(home(&world, "bob").contains("Waiting for you (1)"), "{}", home(&world, "bob"));
        let calls = world.slack.call_count("views.publish");
        // what changes nothing on the tab costs no call
        world.types("mallory", "show 1").await;
        world.clicks("mallory", "approve").await;
        assert_eq!(world.slack.call_count("views.publish"), calls);
        // an hour after it was opened, it is no longer updated
        world.passes(Span::hours(1)).await;
        let calls = world.slack.call_count("views.publish");
        world.types("alice", &release(2)).await;
        assert_eq!(world.slack.call_count("views.publish"), calls);
        world.finish().await;
    }

    async fn only_administrators_see_the_audit_log_on_home_b33(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        world.clicks("bob", "approve").await;
        for who in ["alice", "bob", "mallory"] {
            let said = world.types(who, "audit").await;
            assert!(said.starts_with("You may not do this"), "{said}");
            assert!(!opens(&world, who).await.contains("Audit log"));
        }
        let said = world.types("carol", "audit 3").await;
        insta::assert_snapshot!("audit_of_carol", said);
        assert!(opens(&world, "carol").await.contains("*Bob Brown* approved #1"), "{}", home(&world, "carol"));
        world.finish().await;
    }

    async fn forged_home_tab_metadata_gives_no_right_sl4(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        for metadata in ["", "x", "{\"below\":\"-1\"}", "{\"kind\":\"cluster\",\"all\":true,\"below\":\"99999999999999999999\"}"] {
            opens(&world, "mallory").await;
            let forge = Forge {
                edit: Some(Box::new(move |payload| payload["view"]["private_metadata"] = metadata.into())),
                ..Forge::default()
            };
            world.slack.press("mallory", Place::Home, "home_all".into(), forge).await.expect("an answer");
            world.settle().await;
            assert!(!home(&world, "mallory").contains("[Approve]"), "{}", home(&world, "mallory"));
        }
        world.finish().await;
    }
}
