//! Break-glass, the audit log and the statistics on the web.

use crate::client::deploy;
use crate::database::on_both;
use crate::world::{DEPLOY, world};
use countersign::domain::time::Span;

on_both! {
    async fn session_goes_from_start_to_review_on_the_web(kind) {
        let world = world!(kind);
        let mut dan = world.browser_of("U05DAN").await;
        let page = dan.open("/break-glass").await;
        let (csrf, once) = (page.field("csrf").expect("a token"), page.field("once").expect("a key"));
        let start = [("csrf", csrf.as_str()), ("once", &once), ("reason", "checkout is <b>down</b>"), ("action", "cluster"), ("action", "project"),
            ("cluster", "prod-eu-1"), ("duration", "30m")];
        assert_eq!(dan.submit("/break-glass/start", &start).await.location(), "/break-glass");
        assert_eq!(dan.submit("/break-glass/start", &start).await.status, 303, "sent twice");
        assert_eq!(world.database.count("SELECT count(*) FROM sessions").await, 1);
        let wrong = dan.submit("/break-glass/start", &[("csrf", &csrf), ("once", &once), ("reason", "another"), ("action", "cluster"), ("duration", "soon")]).await;
        assert_eq!(wrong.status, 422, "{}", wrong.text);
        let mut bob = world.browser_of("U02BOB").await;
        let seen = bob.open("/break-glass").await;
        assert!(seen.text.contains("Dan Davis") && seen.text.contains("Active") && seen.text.contains("data-clock"), "{}", seen.text);
        assert!(!seen.text.contains("<b>down") && !seen.text.contains("End it now") && seen.field("once").is_none());
        let id = world.database.text("SELECT id FROM sessions").await;
        let of_bob = bob.csrf().await;
        assert_eq!(bob.submit(&format!("/break-glass/{id}/revoke"), &[("csrf", &of_bob)]).await.status, 403);
        assert_eq!(dan.submit(&format!("/break-glass/{id}/revoke"), &[("csrf", &csrf)]).await.status, 303);
        // whoever took part does not review
        assert_eq!(dan.submit(&format!("/break-glass/{id}/review"), &[("csrf", &csrf), ("note", "it was needed")]).await.status, 403);
        assert!(bob.open("/break-glass").await.text.contains("What did you find?"));
        assert_eq!(bob.submit(&format!("/break-glass/{id}/review"), &[("csrf", &of_bob), ("note", "it was needed")]).await.status, 303);
        let seen = bob.open("/break-glass").await;
        assert!(seen.text.contains("Reviewed by Bob Brown") && seen.text.contains("it was needed"), "{}", seen.text);
        world.settle().await;
        world.finish().await;
    }

    async fn audit_filters_never_hide_break_glass_and_only_administrators_read_it(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let mut dan = world.browser_of("U05DAN").await;
        let page = dan.open("/break-glass").await;
        let (csrf, once) = (page.field("csrf").expect("a token"), page.field("once").expect("a key"));
        let start = [("csrf", csrf.as_str()), ("once", &once), ("reason", "checkout is down"), ("action", "cluster"), ("cluster", "prod-eu-1"), ("duration", "30m")];
        assert_eq!(dan.submit("/break-glass/start", &start).await.status, 303);
        world.settle().await;
        let mut carol = world.browser_of("U03CAROL").await;
        let all = carol.open("/audit").await;
        assert!(all.text.contains("created #1") && all.text.contains("signed in to the web pages"), "{}", all.text);
        for query in ["?kind=config", "?who=bob", "?request=99", "?kind=token&who=mallory&request=7", "?kind=nonsense"] {
            let seen = carol.open(&format!("/audit{query}")).await;
            assert!(seen.text.contains("class=\"prominent\"") && seen.text.contains("Break-glass or recovery:"), "{query}: {}", seen.text);
            assert!(!seen.text.contains("created #1"), "{query}");
        }
        assert!(carol.open("/audit?request=1").await.text.contains("created #1"));
        while world.app().seal().await.expect("sealed") {}
        let export = carol.open("/audit/export").await;
        assert_eq!(export.headers["content-type"], "application/x-ndjson");
        assert!(export.text.starts_with("{\"seal\":1,") && export.text.contains("break_glass.started"), "{}", export.text);
        assert_eq!(carol.open("/audit/export?after=100000").await.text, "");
        for path in ["/audit", "/audit/export"] {
            assert_eq!(dan.open(path).await.status, 403, "{path}");
        }
        world.finish().await;
    }

    async fn latency_is_a_picture_and_a_table(kind) {
        let world = world!(kind);
        let mut bob = world.browser_of("U02BOB").await;
        assert!(bob.open("/stats").await.text.contains("Nobody was asked"));
        world.person("alice").await.submit(deploy()).await.ok();
        world.clock.advance(Span::minutes(12));
        bob.decides(1, "approve", "").await;
        let seen = bob.open("/stats?since=7d").await;
        assert!(seen.text.contains("<svg") && seen.text.contains("<td>12 min</td>") && seen.text.contains("First decision"), "{}", seen.text);
        assert_eq!(bob.open("/stats?since=ever").await.status, 422);
        world.settle().await;
        world.finish().await;
    }
}
