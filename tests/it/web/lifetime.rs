//! How long a sign-in lasts, and how it ends (threat W2).

use crate::database::on_both;
use crate::world::world;
use countersign::domain::time::Span;
use serde_json::json;

on_both! {
    async fn sign_in_ends_unused_or_old_by_the_clock_of_the_database_w2(kind) {
        let world = world!(kind);
        let mut idle = world.browser_of("U02BOB").await;
        let mut used = world.browser_of("U03CAROL").await;
        for _ in 0..2 {
            world.clock.advance(Span::hours(7));
            assert_eq!(used.open("/approvals").await.status, 200);
        }
        assert_eq!(idle.open("/approvals").await.location(), "/sign-in?next=%2Fapprovals", "unused for eight hours");
        for _ in 0..21 {
            world.clock.advance(Span::hours(7));
            assert_eq!(used.open("/approvals").await.status, 200);
        }
        world.clock.advance(Span::hours(7));
        assert_eq!(used.open("/approvals").await.status, 303, "a week old");
        // a shorter time applies at once
        let mut short = world.browser_of("U02BOB").await;
        world.clock.advance(Span::minutes(30));
        world.reconfigure(|document| document["console"]["idle"] = json!("30m")).await;
        assert_eq!(short.open("/approvals").await.status, 303);
        world.finish().await;
    }

    async fn whoever_is_deactivated_or_unlinked_is_out_at_the_next_click_w2(kind) {
        let world = world!(kind);
        let mut erin = world.browser_of("U06ERIN").await;
        let mut dan = world.browser_of("U05DAN").await;
        let mut bob = world.browser_of("U02BOB").await;
        world.syncs().await;
        world.account("U06ERIN", |erin| erin.deleted = true).await;
        world.syncs().await;
        assert_eq!(erin.open("/approvals").await.status, 303);
        world.dan_leaves().await;
        assert_eq!(dan.open("/approvals").await.status, 303);
        // bob's account is mallory's by now: the browser does not become hers
        world.reconfigure(|document| {
            let users = document["directory"]["users"].as_array_mut().expect("a list");
            let bob = users.iter_mut().find(|user| user["id"] == "bob").expect("bob");
            bob["slack"] = json!({"teamId": "T01TEST", "userId": "U98BOB"});
            let mallory = users.iter_mut().find(|user| user["id"] == "mallory").expect("mallory");
            mallory["slack"] = json!([{"teamId": "T01TEST", "userId": "U02BOB"}]);
        }).await;
        assert_eq!(bob.open("/approvals").await.status, 303);
        world.finish().await;
    }

    async fn sign_in_ends_with_its_provider_w2(kind) {
        let world = world!(kind);
        world.adds_provider(&[(1, "U02BOB")]).await;
        let mut bob = world.browser();
        bob.follow("/sign-in/oidc?as=U02BOB").await;
        assert_eq!(bob.open("/approvals").await.status, 200);
        world.reconfigure(|document| document["console"]["oidc"]["issuer"] = json!("https://another.example")).await;
        assert_eq!(bob.open("/approvals").await.status, 303, "its issuer vouches for nobody any more");
        world.finish().await;
    }

    async fn restored_back_up_revives_no_sign_in_w2_r36(kind) {
        let world = world!(kind);
        let mut bob = world.browser_of("U02BOB").await;
        world.app().void_open("the back-up of Sunday was restored").await.expect("it is void");
        assert_eq!(bob.open("/approvals").await.status, 303);
        world.settle().await;
        world.finish().await;
    }

    async fn signing_in_again_leaves_one_sign_in_behind(kind) {
        let world = world!(kind);
        let mut browser = world.browser_of("U02BOB").await;
        browser.follow("/sign-in?as=U03CAROL&next=/approvals").await;
        assert!(browser.open("/approvals").await.text.contains("Carol Clark"));
        assert_eq!(world.database.count("SELECT count(*) FROM sign_ins WHERE ended_at IS NULL").await, 1);
        world.finish().await;
    }

    async fn ended_sign_in_is_out_on_every_replica_w2(kind) {
        let world = world!(kind);
        let (other, url) = world.replica().await;
        other.app.serve_pages_at(&world.url);
        let mut here = world.browser_of("U02BOB").await;
        let mut there = here.clone();
        there.url.clone_from(&url);
        assert_eq!(there.open("/approvals").await.status, 200, "one cookie for all replicas");
        let csrf = here.csrf().await;
        world.clock.advance(Span::seconds(1));
        let mut second = world.browser_of("U02BOB").await;
        // an administrator ends one, the person themselves the others
        let mut carol = world.browser_of("U03CAROL").await;
        let all = carol.open("/sign-ins?all=1").await;
        assert_eq!(all.text.matches("Bob Brown").count(), 4, "two rows, each with a button that names him: {}", all.text);
        let own = second.open("/sign-ins").await;
        let id = own.field("id").expect("a row");
        let mut mallory = world.browser_of("U04MALLORY").await;
        let of_mallory = mallory.csrf().await;
        assert_eq!(mallory.submit("/sign-ins/revoke", &[("csrf", &of_mallory), ("id", &id)]).await.status, 403);
        let of_carol = carol.csrf().await;
        assert_eq!(carol.submit("/sign-ins/revoke", &[("csrf", &of_carol), ("id", &id)]).await.status, 303);
        assert_eq!((second.open("/approvals").await.status, here.open("/approvals").await.status), (303, 200));
        let out = here.submit("/sign-out", &[("csrf", &csrf), ("everywhere", "1")]).await;
        assert_eq!(out.location(), "/signed-out");
        assert_eq!(there.open("/approvals").await.status, 303);
        assert!(!here.is_signed_in());
        // whoever signs out is out, although somebody kept the cookie
        let mut kept = carol.clone();
        carol.submit("/sign-out", &[("csrf", &of_carol)]).await;
        assert_eq!(kept.open("/approvals").await.status, 303);
        let audit = world.audit().await;
        assert_eq!(audit.iter().filter(|line| line.starts_with("session.revoked")).count(), 2, "{audit:?}");
        other.stop().await;
        world.finish().await;
    }

    async fn sign_in_that_ended_does_not_live_again_w2(kind) {
        let world = world!(kind);
        let console = || async {
            let stored = world.app().config().await.expect("a configuration");
            serde_json::to_value(&stored.document.console).expect("JSON")
        };
        let as_it_was = console().await;
        let configure = |to: serde_json::Value| world.reconfigure(move |document| document["console"] = to);
        // the pages are switched off and on again
        let mut off = world.browser_of("U02BOB").await;
        configure(json!(null)).await;
        configure(as_it_was.clone()).await;
        assert_eq!(off.open("/approvals").await.status, 303, "switched off");
        // its time was shorter for a moment
        let mut short = world.browser_of("U02BOB").await;
        world.clock.advance(Span::minutes(30));
        let mut less = as_it_was.clone();
        less["idle"] = json!("20m");
        configure(less).await;
        configure(as_it_was.clone()).await;
        assert_eq!(short.open("/approvals").await.status, 303, "shorter");
        // somebody else had the account for a moment
        let mut unlinked = world.browser_of("U02BOB").await;
        let mut carol = world.browser_of("U03CAROL").await;
        let users = world.app().config().await.expect("a configuration").document.directory;
        super::live::bob_is_unlinked(&world).await;
        world.reconfigure(|document| document["directory"] = serde_json::to_value(&users).expect("JSON")).await;
        assert_eq!(unlinked.open("/approvals").await.status, 303, "unlinked");
        assert_eq!(carol.open("/approvals").await.status, 200, "a change that is not about her");
        // it was seen after its time, and the time became longer
        let mut late = world.browser_of("U02BOB").await;
        world.clock.advance(Span::hours(9));
        assert_eq!(late.open("/approvals").await.status, 303);
        let mut more = as_it_was;
        more["idle"] = json!("48h");
        configure(more).await;
        assert_eq!(late.open("/approvals").await.status, 303, "longer");
        // somebody was deactivated in Slack, came to know it, and is active again
        world.syncs().await;
        let mut erin = world.browser_of("U06ERIN").await;
        for (deleted, what) in [(true, "deactivated"), (false, "active again")] {
            world.account("U06ERIN", |erin| erin.deleted = deleted).await;
            world.syncs().await;
            assert_eq!(erin.open("/approvals").await.status, 303, "{what}");
        }
        world.settle().await;
        world.finish().await;
    }
}
