//! Who may open a page and send a form: every page, every kind of caller, and every way to forge a form (threats W3, W8).

use super::Visitor;
use crate::client::deploy;
use crate::database::on_both;
use crate::world::world;
use countersign::web::route::{Access, pages};

/// Method, path and what it asks of a caller. A page without a row fails, and so does a row without a page.
const ROWS: &[(&str, &str, Access)] = &[
    ("GET", "/assets/{file}", Access::Asset),
    ("GET", "/sign-in", Access::Open),
    ("GET", "/sign-in/{provider}", Access::Open),
    ("GET", "/sign-in/{provider}/callback", Access::Open),
    ("GET", "/signed-out", Access::Open),
    ("POST", "/sign-out", Access::Form),
    ("GET", "/sign-ins", Access::SignedIn),
    ("POST", "/sign-ins/revoke", Access::Form),
    ("GET", "/approvals", Access::SignedIn),
    ("GET", "/approvals/updates", Access::Stream),
    ("GET", "/approvals/{number}", Access::SignedIn),
    ("GET", "/approvals/{number}/updates", Access::Stream),
    ("POST", "/approvals/{number}/decision", Access::Form),
    ("POST", "/approvals/{number}/cancel", Access::Form),
    ("GET", "/break-glass", Access::SignedIn),
    ("POST", "/break-glass/start", Access::Form),
    ("POST", "/break-glass/{id}/revoke", Access::Form),
    ("POST", "/break-glass/{id}/review", Access::Form),
    ("GET", "/audit", Access::SignedIn),
    ("GET", "/audit/export", Access::SignedIn),
    ("GET", "/approval-policies", Access::SignedIn),
    ("GET", "/approval-policies/{id}", Access::SignedIn),
    ("POST", "/approval-policies/{id}", Access::Form),
    ("POST", "/approval-policies/{id}/bindings", Access::Form),
    ("POST", "/approval-policies/{id}/replay", Access::Form),
    ("POST", "/approval-policies/{id}/explain", Access::Form),
    ("GET", "/approval-policies/{id}/versions", Access::SignedIn),
    ("GET", "/explain", Access::SignedIn),
    ("GET", "/stats", Access::SignedIn),
];

#[test]
fn matrix_covers_every_page_and_form_w3() {
    let mut known: Vec<_> = ROWS
        .iter()
        .map(|(method, path, _)| (*method, *path))
        .collect();
    let pages = pages();
    let mut served: Vec<_> = pages.iter().map(|page| (page.method, page.path)).collect();
    known.sort_unstable();
    served.sort_unstable();
    assert_eq!(
        served, known,
        "a new page needs a row that says who may come in"
    );
    for page in pages {
        let row = ROWS
            .iter()
            .find(|(method, path, _)| (*method, *path) == (page.method, page.path));
        assert_eq!(
            row.map(|(_, _, access)| *access),
            Some(page.access),
            "{}",
            page.path
        );
    }
}

/// What is forged: its name, the headers, and the body.
type Forged<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a str);

fn filled(path: &str) -> String {
    path.replace("{number}", "1")
        .replace("{provider}", "slack")
        .replace("{file}", "none")
        .replace("{id}", "production-deploy-gate")
}

on_both! {
    async fn every_page_and_form_times_every_kind_of_caller_w2_w3(kind) {
        let world = world!(kind);
        let id = world.person("alice").await.submit(deploy()).await.ok()["id"].as_str().expect("an id").to_owned();
        let mut erin = world.browser_of("U06ERIN").await;
        let nobody = world.browser();
        let mut own_making = nobody.clone();
        own_making.cookies.insert("countersign-local".to_owned(), "a".repeat(64));
        let mut token = nobody.clone();
        token.cookies.insert("countersign-local".to_owned(), world.token_of("bob", countersign::domain::token::Scope::ALL).await);
        let mallory = world.browser_of("U04MALLORY").await;
        world.syncs().await;
        world.account("U06ERIN", |erin| erin.deleted = true).await;
        world.syncs().await;
        let callers: [(&str, &mut Visitor, bool); 5] = [
            ("nobody", &mut nobody.clone(), false),
            ("a cookie of somebody's own making", &mut own_making, false),
            ("an API token as a cookie", &mut token, false),
            ("a person who is inactive", &mut erin, false),
            ("a person without rights", &mut mallory.clone(), true),
        ];
        for (who, browser, known) in callers {
            for (method, path, access) in ROWS {
                if known && *access == Access::Stream {
                    continue; // an endless answer, which `live` reads
                }
                let path = filled(path);
                let seen = if *method == "GET" {
                    browser.clone().open(&path).await
                } else {
                    browser.clone().submit(&path, &[("csrf", "00"), ("decision", "approve"), ("digest", "sha256:00")]).await
                };
                let cell = format!("{method} {path} by {who}: {} {}", seen.status, seen.location());
                match access {
                    Access::Asset => assert_eq!(seen.status, 404, "{cell}"),
                    Access::Open => assert!(seen.status < 404 && !seen.text.contains("hotfix"), "{cell}"),
                    // mallory is not an administrator
                    Access::SignedIn if known && path.starts_with("/audit") => assert_eq!(seen.status, 403, "{cell}"),
                    Access::SignedIn if known => assert_eq!(seen.status, 200, "{cell}"),
                    Access::SignedIn => assert!(seen.status == 303 && seen.location().starts_with("/sign-in?next="), "{cell}"),
                    Access::Form if known => assert_eq!(seen.status, 403, "{cell}"),
                    Access::Form | Access::Stream => assert_eq!(seen.status, 401, "{cell}"),
                }
                let header = |name: &str| seen.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
                assert!(header("content-security-policy").contains("default-src 'none'"), "{cell}");
                assert_eq!(header("x-frame-options"), "DENY", "{cell}");
                assert_eq!(header("cache-control"), "no-store", "{cell}");
            }
        }
        let seen = world.person("alice").await.read(&id).await;
        assert_eq!((&seen["status"], &seen["version"]), (&"pending".into(), &1.into()));
        world.finish().await;
    }

    async fn forged_form_changes_nothing_w3(kind) {
        let world = world!(kind);
        let id = world.person("alice").await.submit(deploy()).await.ok()["id"].as_str().expect("an id").to_owned();
        let mut bob = world.browser_of("U02BOB").await;
        let mut carol = world.browser_of("U03CAROL").await;
        let page = bob.open("/approvals/1").await;
        let (csrf, digest) = (page.field("csrf").expect("a token"), page.field("digest").expect("a digest"));
        let of_carol = carol.csrf().await;
        let form = |csrf: &str| format!("csrf={csrf}&digest={digest}&decision=approve");
        let own = world.url.clone();
        let good = form(&csrf);
        let twice = format!("{good}&csrf={csrf}");
        let elsewhere = own.replace("127.0.0.1", "localhost");
        let forged: [Forged<'_>; 8] = [
            ("no token", vec![("origin", &own)], "decision=approve"),
            ("two tokens", vec![("origin", &own)], &twice),
            ("no origin", vec![], &good),
            ("another origin", vec![("origin", "https://evil.example")], &good),
            ("another name of this host", vec![("origin", &elsewhere)], &good),
            ("an opaque origin", vec![("origin", "null")], &good),
            ("another site by its own word", vec![("origin", &own), ("sec-fetch-site", "cross-site")], &good),
            ("a sibling site", vec![("origin", &own), ("sec-fetch-site", "same-site")], &good),
        ];
        for (what, headers, body) in forged {
            let seen = bob.send("POST", "/approvals/1/decision", &headers, Some(body.to_owned())).await;
            assert_eq!(seen.status, 403, "{what}");
        }
        for token in [of_carol.as_str(), "", "zz", &csrf[2..]] {
            let seen = bob.submit("/approvals/1/decision", &[("csrf", token), ("digest", &digest), ("decision", "approve")]).await;
            assert_eq!(seen.status, 403, "{token}");
        }
        // what a page of another site can send without asking this one first, and JSON
        let cookie = format!("countersign-local={}", bob.cookies["countersign-local"]);
        for kind in ["text/plain", "multipart/form-data; boundary=x", "application/json"] {
            let call = bob.http.post(format!("{own}/approvals/1/decision")).header("origin", &own).header("cookie", &cookie);
            let answer = call.header("content-type", kind).body(good.clone()).send().await.expect("an answer");
            assert_eq!(answer.status(), 403, "{kind}");
        }
        let read = bob.open(&format!("/approvals/1/decision?{good}")).await;
        assert_eq!(read.status, 404, "a link");
        let seen = world.person("alice").await.read(&id).await;
        assert_eq!((&seen["status"], &seen["version"]), (&"pending".into(), &1.into()));
        // and the same form, as the page sends it, counts
        assert_eq!(bob.send("POST", "/approvals/1/decision", &[("origin", &own)], Some(good)).await.status, 303);
        world.settle().await;
        world.finish().await;
    }
}

/// A page is nobody's frame, and what it loads is kept by its hash.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_have_strict_headers_and_assets_are_kept_w8() {
    let world = world!(crate::database::Kind::Sqlite);
    let mut browser = world.browser_of("U02BOB").await;
    let page = browser.open("/approvals").await;
    let policy = page.headers["content-security-policy"]
        .to_str()
        .expect("a text");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"));
    assert!(
        !page.headers.contains_key("strict-transport-security"),
        "plain http, which is allowed on this machine only"
    );
    world
        .app()
        .serve_pages_at("https://countersign.example.com");
    let secure = browser.open("/sign-in").await;
    assert_eq!(
        secure.headers["strict-transport-security"],
        "max-age=31536000"
    );
    world.shows_pages();
    assert_eq!(page.headers["referrer-policy"], "same-origin");
    assert_eq!(page.headers["x-frame-options"], "DENY");
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    assert_eq!(page.headers["cross-origin-opener-policy"], "same-origin");
    for inline in ["<style", "style=\"", "onclick", "javascript:", "<script>"] {
        assert!(!page.text.contains(inline), "{inline}");
    }
    let style = page
        .text
        .split("href=\"/assets/")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a style sheet");
    let style = browser.open(&format!("/assets/{style}")).await;
    assert_eq!(
        (
            style.status,
            style.headers["cache-control"].to_str().expect("a text")
        ),
        (200, "public, max-age=31536000, immutable")
    );
    world.finish().await;
}
