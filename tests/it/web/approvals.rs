//! The queue, a request's page, and deciding on it.

use crate::client::{command, deploy};
use crate::database::on_both;
use crate::world::{DEPLOY, world};
use countersign::domain::time::Span;
use serde_json::json;

/// What somebody might write who wants to run code in the pages of others.
const EVIL: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><a href=javascript:x>";

on_both! {
    async fn decisions_on_the_web_count_and_update_the_card(kind) {
        let world = world!(kind);
        world.shows_pages();
        world.types("alice", DEPLOY).await;
        assert!(world.card().contains("Open on the web"), "{}", world.card());
        let mut bob = world.browser_of("U02BOB").await;
        let page = bob.open("/approvals/1").await;
        for part in ["Alice Anderson", "Release Deploy", "api-platform", "production", "v1.4.2", "hotfix for checkout",
            "Production Deploy Gate", "0 of 2 approvals", "created the request", "Your decision", "Waits for decisions until"] {
            assert!(page.text.contains(part), "{part}: {}", page.text);
        }
        assert_eq!(bob.decides(1, "approve", "looks fine").await.location(), "/approvals/1");
        world.settle().await;
        assert!(world.card().contains("1 of 2 approvals"), "{}", world.card());
        let page = bob.open("/approvals/1").await;
        assert!(page.text.contains("You approved this request.") && page.text.contains("looks fine") && page.text.contains("on the web"), "{}", page.text);
        assert!(!page.text.contains("Your decision"));
        // the refusals that everybody reads
        let again = bob.submit("/approvals/1/decision", &[("csrf", &page.field("csrf").expect("a token")), ("decision", "approve"),
            ("digest", world.person("bob").await.read("1").await["digest"].as_str().expect("a digest"))]).await;
        assert!(again.status == 409 && again.text.contains("Already reviewed"), "{}", again.text);
        for (who, name) in [("U04MALLORY", "mallory"), ("U01ALICE", "alice")] {
            let mut browser = world.browser_of(who).await;
            let page = browser.open("/approvals/1").await;
            assert!(!page.text.contains("Your decision"), "{name}");
            let digest = page.text.split("class=\"digest\">").nth(1).and_then(|rest| rest.split('<').next()).expect("a digest").to_owned();
            let csrf = page.field("csrf").expect("a token");
            let seen = browser.submit("/approvals/1/decision", &[("csrf", &csrf), ("digest", &digest), ("decision", "approve")]).await;
            assert!(seen.status == 403 && seen.text.contains("You are not an eligible approver for this request"), "{name}: {}", seen.text);
        }
        let mut carol = world.browser_of("U03CAROL").await;
        assert_eq!(carol.decides(1, "approve", "").await.status, 303);
        world.settle().await;
        assert!(world.card().contains("#1 Approved"), "{}", world.card());
        let done = carol.open("/approvals/1").await;
        assert!(done.text.contains("May be executed until"), "{}", done.text);
        assert_eq!(world.database.count("SELECT count(*) FROM decisions WHERE via = 'web'").await, 2);
        let missing = carol.open("/approvals/99").await;
        assert!(missing.status == 404 && missing.text.contains("Request not found"), "{}", missing.text);
        world.finish().await;
    }

    async fn rejection_has_its_comment_and_a_requester_cancels(kind) {
        let world = world!(kind);
        world.types("alice", DEPLOY).await;
        let mut bob = world.browser_of("U02BOB").await;
        assert_eq!(bob.decides(1, "reject", "not on a Friday").await.status, 303);
        world.settle().await;
        assert!(world.card().contains("#1 Rejected") && world.card().contains("not on a Friday"), "{}", world.card());
        world.types("alice", &DEPLOY.replace("v1.4.2", "v1.4.3")).await;
        let mut alice = world.browser_of("U01ALICE").await;
        let csrf = alice.csrf().await;
        let mut mallory = world.browser_of("U04MALLORY").await;
        let of_mallory = mallory.csrf().await;
        assert!(!mallory.open("/approvals/2").await.text.contains("Cancel this request"));
        assert_eq!(mallory.submit("/approvals/2/cancel", &[("csrf", &of_mallory)]).await.status, 403);
        assert!(alice.open("/approvals/2").await.text.contains("Cancel this request"));
        assert_eq!(alice.submit("/approvals/2/cancel", &[("csrf", &csrf)]).await.status, 303);
        world.settle().await;
        assert!(world.card().contains("#2 Cancelled"), "{}", world.card());
        world.finish().await;
    }

    async fn only_the_content_that_was_on_the_page_can_be_approved_w7(kind) {
        let world = world!(kind);
        let alice = world.person("alice").await;
        alice.submit(deploy()).await.ok();
        let mut other = deploy();
        other["payload"] = json!({"image": "api@sha256:evil"});
        other["release"] = json!("v1.4.3");
        alice.submit(other).await.ok();
        let mut bob = world.browser_of("U02BOB").await;
        let shown = bob.open("/approvals/1").await;
        assert!(shown.text.contains("api@sha256:1f0c"), "{}", shown.text);
        let (csrf, digest) = (shown.field("csrf").expect("a token"), shown.field("digest").expect("a digest"));
        let seen = bob.submit("/approvals/2/decision", &[("csrf", &csrf), ("digest", &digest), ("decision", "approve")]).await;
        assert!(seen.status == 409 && seen.text.contains("Open the request again"), "{}", seen.text);
        let blind = bob.submit("/approvals/2/decision", &[("csrf", &csrf), ("decision", "approve")]).await;
        assert_eq!(blind.status, 422, "nothing is approved unseen");
        assert_eq!(world.database.count("SELECT count(*) FROM decisions").await, 0);
        world.finish().await;
    }

    /// Everything can be read before it is approved, however long it is, and no page is large.
    async fn long_content_is_read_in_parts_w7(kind) {
        let world = world!(kind);
        let lines: Vec<String> = (0..9_000).map(|n| format!("+ line {n} of the change")).collect();
        let mut asked = deploy();
        asked["payload"] = json!({"contentType": "text/x-diff", "text": lines.join("\n")});
        world.person("alice").await.submit(asked).await.ok();
        let mut bob = world.browser_of("U02BOB").await;
        let mut page = bob.open("/approvals/1").await;
        let mut parts = 0;
        let mut read = String::new();
        loop {
            parts += 1;
            assert!(page.text.len() < 100_000, "{}", page.text.len());
            assert!(page.text.contains(&format!("Part {parts} of ")), "{}", page.text);
            read.push_str(&page.text);
            let next = page.text.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
            let Some(next) = next.map(|next| next.replace("&#38;", "&").replace("&amp;", "&")) else { break };
            page = bob.open(&format!("/approvals/1{next}")).await;
        }
        assert!(parts > 5, "{parts}");
        assert!(lines.iter().all(|line| read.contains(line.as_str())), "nothing is left out");
        let [csrf, digest, seen] = ["csrf", "digest", "seen"].map(|name| page.field(name).expect("a field"));
        let form = [("csrf", csrf.as_str()), ("digest", &digest), ("seen", &seen), ("decision", "approve")];
        assert_eq!(bob.submit("/approvals/1/decision", &form).await.location(), "/approvals/1");
        let all: Vec<u32> = (1..=parts).collect();
        let recorded = world.database.text("SELECT pages FROM decisions").await;
        assert_eq!(recorded, json!(all).to_string());
        // another number is the nearest part, and nonsense is the first
        for (place, part) in [("?part=999", parts), ("?part=0", 1), ("?part=x&seen=y", 1)] {
            let page = bob.open(&format!("/approvals/1{place}")).await;
            assert!(page.text.contains(&format!("Part {part} of {parts}")), "{place}");
        }
        world.finish().await;
    }

    async fn hidden_payload_is_shown_to_whoever_asked_alone_w7(kind) {
        let world = world!(kind);
        world.reconfigure(|document| document["policies"][0]["showPayload"] = json!("never")).await;
        world.person("alice").await.submit(deploy()).await.ok();
        for (who, sees) in [("U01ALICE", true), ("U02BOB", false), ("U03CAROL", false)] {
            let mut browser = world.browser_of(who).await;
            let page = browser.open("/approvals/1").await;
            assert_eq!(page.text.contains("api@sha256:1f0c"), sees, "{who}");
            assert_eq!(page.text.contains("A policy shows what runs"), !sees, "{who}");
            assert!(!browser.open("/approvals").await.text.contains("1f0c"));
        }
        world.finish().await;
    }

    /// Whatever people write stays text.
    async fn hostile_texts_stay_text_w6(kind) {
        let world = world!(kind);
        world.reconfigure(|document| document["directory"]["users"][0]["name"] = json!("Al<b>ice")).await;
        let alice = world.person("alice").await;
        let mut asked = deploy();
        asked["reason"] = json!(EVIL);
        asked["release"] = json!("<svg/onload=alert(3)>");
        asked["payload"] = json!({"contentType": "text/x-diff", "text": format!("--- a\n+++ b\n@@ -1 +1 @@\n-{EVIL}\n+</pre>{EVIL}\u{202e}\n")});
        alice.submit(asked).await.ok();
        let mut bob = world.browser_of("U02BOB").await;
        bob.decides(1, "approve", EVIL).await;
        world.settle().await;
        let searched = serde_urlencoded::to_string([("q", EVIL), ("project", EVIL), ("state", EVIL)]).expect("a query");
        for path in ["/approvals/1".to_owned(), "/approvals".to_owned(), format!("/approvals?{searched}")] {
            let page = bob.open(&path).await;
            assert_eq!(page.status, 200, "{path}");
            for raw in ["<script>alert", "<img src", "<svg", "<b>ice", "<a href=javascript", "\u{202e}", "\"'>"] {
                assert!(!page.text.contains(raw), "{path}: {raw} in {}", page.text);
            }
        }
        let page = bob.open("/approvals/1").await;
        assert!(page.text.contains("line del") && page.text.contains("line add") && page.text.contains("\\u{202e}"), "{}", page.text);
        world.finish().await;
    }

    async fn queue_is_filtered_searched_and_paged(kind) {
        let world = world!(kind);
        world.reconfigure(|document| document["limits"] = json!({"pendingPerPrincipal": 0, "requestsPerSecond": 0})).await;
        let alice = world.person("alice").await;
        for number in 0..30 {
            let mut asked = deploy();
            asked["release"] = json!(format!("v2.{number}"));
            alice.submit(asked).await.ok();
        }
        alice.submit(command()).await.ok();
        world.settle().await;
        let mut bob = world.browser_of("U02BOB").await;
        let listed = async |browser: &mut super::Visitor, query: &str| {
            let seen = browser.open(&format!("/approvals{query}")).await;
            assert_eq!(seen.status, 200, "{query}");
            seen
        };
        let first = listed(&mut bob, "").await;
        assert_eq!(first.text.matches("class=\"number\"").count(), 25);
        let next = first.text.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("another page");
        let second = listed(&mut bob, next.trim_start_matches("/approvals").replace("&#38;", "&").replace("&amp;", "&").as_str()).await;
        assert_eq!(second.text.matches("class=\"number\"").count(), 6);
        for (query, count) in [
            ("?q=drain", 1), ("?cluster=prod-eu-1", 1), ("?type=cluster", 1), ("?project=api-platform&q=v2.29", 1), ("?q=alice+V2.2", 11),
            ("?environment=staging", 0), ("?state=approved", 0), ("?state=all&q=checkout+v2.7", 1), ("?mine=1&q=drain", 0), ("?q=nothing-like-it", 0),
        ] {
            assert_eq!(listed(&mut bob, query).await.text.matches("class=\"number\"").count(), count, "{query}");
        }
        let mut mallory = world.browser_of("U04MALLORY").await;
        assert_eq!(listed(&mut mallory, "?mine=1").await.text.matches("class=\"number\"").count(), 0);
        assert!(listed(&mut bob, "?mine=1").await.text.contains("You can approve"));
        assert_eq!(bob.open("/approvals?q=%237").await.location(), "/approvals/7");
        world.clock.advance(Span::hours(48));
        world.settle().await;
        let mut bob = world.browser_of("U02BOB").await;
        assert!(listed(&mut bob, "").await.text.contains("No request matches"));
        world.finish().await;
    }
}
