//! The web pages in a real browser: from the card in the sandbox to the page, and back to the card.

use super::chrome::{Browser, DESKTOP, Screen};
use super::{Kind, PHONE, becomes, world};
use crate::client::deploy;
use crate::world::World;
use serde_json::json;
use std::fmt::Write as _;

const WIDE: Screen = Screen {
    width: 1440,
    height: 900,
    dark: false,
};

/// A diff of 400 lines.
fn large_diff() -> String {
    let mut diff = "diff --git a/values.yaml b/values.yaml\n--- a/values.yaml\n+++ b/values.yaml\n@@ -1,200 +1,200 @@\n".to_owned();
    for line in 0..200 {
        write!(diff, "-replicas{line}: 2\n+replicas{line}: 3\n").expect("a text");
    }
    diff
}

pub async fn shows(browser: &mut Browser, text: &str) {
    let text = json!(text);
    browser
        .lands(&format!(
            "document.readyState === 'complete' && document.body.innerText.includes({text})"
        ))
        .await;
}

pub async fn goes_to(browser: &mut Browser, address: &str, text: &str) {
    browser.navigate(address).await;
    shows(browser, text).await;
}

/// Looks at a page on each screen: nothing is wider than the screen, axe finds nothing, and a picture is taken.
pub async fn looks_good(browser: &mut Browser, name: &str) {
    for (on, screen) in [
        ("wide", WIDE),
        ("wide-dark", Screen { dark: true, ..WIDE }),
        ("phone", PHONE),
        (
            "phone-dark",
            Screen {
                dark: true,
                ..PHONE
            },
        ),
    ] {
        browser.screen(screen).await;
        assert_eq!(browser.axe().await, Vec::<String>::new(), "{name}, {on}");
        let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        assert_eq!(
            browser.evaluate(fits).await,
            json!(true),
            "{name} is wider than the screen, {on}"
        );
        browser.screenshot(&format!("pages-{name}-{on}")).await;
    }
    browser.screen(DESKTOP).await;
}

async fn looks_at_the_pages_of_an_administrator(world: &World, browser: &mut Browser) {
    let carol = format!("{}/sign-in?as=U03CAROL&next=/audit", world.url);
    goes_to(browser, &carol, "Audit log").await;
    looks_good(browser, "audit").await;
    for (path, text, name) in [
        ("/approval-policies", "Create policy", "policies"),
        (
            "/approval-policies/production-deploy-gate",
            "When it applies",
            "policy",
        ),
        ("/break-glass", "Sessions", "break-glass"),
        ("/stats", "How long requests wait", "stats"),
        ("/approvals/99", "Request not found", "refused"),
    ] {
        goes_to(browser, &format!("{}{path}", world.url), text).await;
        looks_good(browser, name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_is_opened_from_its_card_and_decided_with_the_keyboard() {
    let world = world!(Kind::Sqlite);
    world.shows_pages();
    let alice = world.person("alice").await;
    let mut asked = deploy();
    asked["payload"] = json!({"contentType": "text/x-diff", "text": large_diff()});
    alice.submit(asked).await.ok();
    // its card is the first one in the channel
    world.settle().await;
    alice.submit(deploy()).await.ok();
    world.settle().await;
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    browser.navigate(world.slack.url()).await;
    browser
        .until("document.querySelector('#me').value === 'U01ALICE'")
        .await;
    becomes(&mut browser, "Bob").await;
    browser.click("# prod-approvals").await;
    browser.reads("Open on the web").await;
    let link = "[...document.querySelectorAll('#messages a')].find((a) => a.textContent === 'Open on the web').href";
    browser
        .until(&format!("{link}.includes('as=U02BOB')"))
        .await;
    let link = browser.evaluate(link).await;
    goes_to(
        &mut browser,
        link.as_str().expect("an address"),
        "Production Deploy Gate",
    )
    .await;
    assert_eq!(
        browser.evaluate("location.pathname").await,
        json!("/approvals/1")
    );
    shows(&mut browser, "+replicas199: 3").await;
    looks_good(&mut browser, "request").await;

    // the queue, with a filter
    goes_to(
        &mut browser,
        &format!("{}/approvals", world.url),
        "You can approve",
    )
    .await;
    browser
        .evaluate("document.querySelector('[name=q]').focus()")
        .await;
    browser.types("v1.4.2").await;
    browser.press("Enter").await;
    browser
        .lands("location.search.includes('q=v1.4.2') && document.readyState === 'complete'")
        .await;
    shows(&mut browser, "#1").await;
    looks_good(&mut browser, "queue").await;

    // the decision, by keyboard alone
    goes_to(
        &mut browser,
        &format!("{}/approvals/1", world.url),
        "Your decision",
    )
    .await;
    browser
        .evaluate("document.querySelector('[name=comment]').focus()")
        .await;
    browser.types("read all of it").await;
    browser.press("Tab").await;
    browser
        .until("document.activeElement.value === 'approve'")
        .await;
    browser.press("Enter").await;
    shows(&mut browser, "You approved this request.").await;
    shows(&mut browser, "read all of it").await;
    looks_good(&mut browser, "decided").await;
    goes_to(
        &mut browser,
        &format!("{}/sign-ins", world.url),
        "Your sign-ins",
    )
    .await;
    looks_good(&mut browser, "sign-ins").await;
    world.settle().await;
    looks_at_the_pages_of_an_administrator(&world, &mut browser).await;
    goes_to(&mut browser, world.slack.url(), "Slack").await;
    browser.click("# prod-approvals").await;
    browser.reads("1 of 2 approvals").await;

    let complaints = browser.complaints(world.slack.url());
    // the page of a request that does not exist is an error on purpose
    let complaints: Vec<_> = complaints
        .iter()
        .filter(|one| !one.starts_with(&world.url) && !one.contains("/approvals/99"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    browser.close().await;
    Box::pin(world.finish()).await;
}
