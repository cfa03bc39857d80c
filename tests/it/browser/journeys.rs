//! What people do on the web pages, from start to end, in a real browser.

use super::chrome::Browser;
use super::pages::{goes_to, looks_good, shows};
use super::{Kind, world};
use crate::client::deploy;
use crate::world::{DEPLOY, World};
use countersign::domain::time::Span;
use serde_json::json;

/// The whole page, for pictures of the documentation.
const PAGE: &str = "document.body";

/// Signs somebody in and opens a page.
async fn opens(world: &World, browser: &mut Browser, who: &str, path: &str, text: &str) {
    let address = format!("{}/sign-in?as={who}&next={path}", world.url);
    goes_to(browser, &address, text).await;
}

/// Fills in fields as somebody does: each selector with its value.
async fn fills(browser: &mut Browser, fields: &[(&str, &str)]) {
    for (field, value) in fields {
        let (field, value) = (json!(field), json!(value));
        let fill = format!(
            "(() => {{ const field = document.querySelector({field}); field.value = {value}; field.dispatchEvent(new Event('input')); }})()"
        );
        browser.evaluate(&fill).await;
    }
}

/// Nothing was asked of another server, and the console has only the errors that belong to the story.
async fn ends(world: World, browser: Browser, expected: &str) {
    let complaints = browser.complaints(world.slack.url());
    let complaints: Vec<_> = complaints
        .iter()
        .filter(|one| !one.starts_with(&world.url))
        .filter(|one| expected.is_empty() || !one.contains(expected))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    browser.close().await;
    world.settle().await;
    Box::pin(world.finish()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_pages_update_by_themselves_and_keep_what_is_typed() {
    let world = world!(Kind::Sqlite);
    world.shows_pages();
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    world.types("alice", DEPLOY).await;
    opens(&world, &mut browser, "U02BOB", "/approvals", "#1").await;
    browser.evaluate("window.sameDocument = true").await;
    let alice = world.person("alice").await;
    let mut other = deploy();
    other["release"] = json!("v1.4.3");
    alice.submit(other).await.ok();
    shows(&mut browser, "v1.4.3").await;
    assert_eq!(
        browser.evaluate("window.sameDocument").await,
        true,
        "without a reload"
    );
    looks_good(&mut browser, "queue-updated").await;

    let page = format!("{}/approvals/1", world.url);
    goes_to(&mut browser, &page, "0 of 2 approvals").await;
    world
        .person("carol")
        .await
        .decide("1", "approve")
        .await
        .ok();
    shows(&mut browser, "1 of 2 approvals").await;
    // moments are still shown in the reader's own time zone
    let local =
        "[...document.querySelectorAll('time')].every((time) => time.title.endsWith('UTC'))";
    browser.until(local).await;
    browser
        .evaluate("document.querySelector('[name=comment]').focus()")
        .await;
    browser.types("I have begun to").await;
    browser.evaluate("document.activeElement.blur()").await;
    alice.cancel("1").await.ok();
    shows(&mut browser, "This page has changed.").await;
    assert_eq!(
        browser
            .evaluate("document.querySelector('[name=comment]').value")
            .await,
        "I have begun to"
    );
    looks_good(&mut browser, "changed-while-typing").await;
    browser.click("Reload").await;
    shows(&mut browser, "Cancelled").await;

    // the sign-in ends while the page is open
    let page = format!("{}/approvals", world.url);
    goes_to(&mut browser, &page, "#2").await;
    let mut elsewhere = world.browser_of("U02BOB").await;
    let csrf = elsewhere.csrf().await;
    let everywhere = [("csrf", csrf.as_str()), ("everywhere", "1")];
    elsewhere.submit("/sign-out", &everywhere).await;
    shows(&mut browser, "Your sign-in has ended.").await;
    Box::pin(ends(world, browser, "")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policy_is_evaluated_edited_and_becomes_a_request() {
    let world = world!(Kind::Sqlite);
    world.shows_pages();
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    world.types("alice", DEPLOY).await;
    world
        .reconfigure(|document| {
            let gate = json!({"id": "rules", "name": "Rules", "scope": "organization", "actions": ["environment.policy_update"],
                "approvers": {"teams": ["security"]}, "quorum": {"minApprovals": 1}});
            document["policies"].as_array_mut().expect("a list").push(gate);
            let binding = json!({"policy": "rules", "level": "organization"});
            document["bindings"].as_array_mut().expect("a list").push(binding);
        })
        .await;
    let policy = "/approval-policies/production-deploy-gate";
    opens(&world, &mut browser, "U03CAROL", policy, "When it applies").await;
    browser.picture("web-policy", PAGE).await;
    let three = "(() => { const yaml = document.querySelector('[name=policy]'); yaml.value = yaml.value.replace('minApprovals: 2', 'minApprovals: 3'); })()";
    browser.evaluate(three).await;
    browser.tab_to("[formaction]").await;
    browser.press("Enter").await;
    shows(&mut browser, "more approvals").await;
    shows(&mut browser, "Nothing was changed.").await;
    looks_good(&mut browser, "replay").await;
    browser.picture("web-replay", PAGE).await;
    browser.click("Try out a request with it").await;
    shows(&mut browser, "takes the place of the policy in force").await;
    looks_good(&mut browser, "explain-draft").await;

    goes_to(&mut browser, &format!("{}{policy}", world.url), "Edit").await;
    browser.evaluate(three).await;
    fills(&mut browser, &[("[name=why]", "three people from now on")]).await;
    browser.click("Save").await;
    shows(&mut browser, "What changes in the configuration").await;
    shows(&mut browser, "three people from now on").await;
    looks_good(&mut browser, "policy-change").await;
    opens(
        &world,
        &mut browser,
        "U06ERIN",
        "/approvals/2",
        "Your decision",
    )
    .await;
    browser.click("Approve").await;
    shows(&mut browser, "You approved this request.").await;
    let versions = format!("{}{policy}/versions", world.url);
    goes_to(&mut browser, &versions, "quorum.minApprovals: 2 -> 3").await;
    looks_good(&mut browser, "versions").await;
    browser.picture("web-versions", PAGE).await;

    let explain = format!("{}/explain", world.url);
    goes_to(&mut browser, &explain, "Try out a request").await;
    let request = [
        ("[name=action]", "release.deploy"),
        ("[name=requester]", "alice"),
        ("[name=project]", "api-platform"),
        ("[name=environment]", "production"),
        ("[name=reason]", "a hotfix"),
    ];
    fills(&mut browser, &request).await;
    browser.click("Explain").await;
    shows(&mut browser, "The fewest people who suffice").await;
    looks_good(&mut browser, "explain").await;
    Box::pin(ends(world, browser, "")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_is_started_ended_and_reviewed_and_a_request_rejected() {
    let world = world!(Kind::Sqlite);
    world.shows_pages();
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    let mut asked = deploy();
    let diff = "--- a/values.yaml\n+++ b/values.yaml\n@@ -1,3 +1,3 @@\n image: api\n-tag: v1.4.1\n-replicas: 2\n+tag: v1.4.2\n+replicas: 3\n";
    asked["payload"] = json!({"contentType": "text/x-diff", "text": diff});
    world.person("alice").await.submit(asked).await.ok();
    world.settle().await;
    opens(
        &world,
        &mut browser,
        "U02BOB",
        "/approvals/1",
        "Your decision",
    )
    .await;
    browser.picture("web-request", PAGE).await;
    fills(&mut browser, &[("[name=comment]", "not on a Friday")]).await;
    browser.click("Reject").await;
    shows(&mut browser, "You rejected this request.").await;
    world.settle().await;
    assert!(world.card().contains("#1 Rejected") && world.card().contains("not on a Friday"));

    opens(
        &world,
        &mut browser,
        "U05DAN",
        "/break-glass",
        "Start a session",
    )
    .await;
    browser.click("Start a session").await;
    fills(
        &mut browser,
        &[
            ("[name=reason]", "checkout is down"),
            ("[name=duration]", "30m"),
        ],
    )
    .await;
    let choose = "for (const option of document.querySelectorAll('[name=action] option, [name=cluster] option')) option.selected = true";
    browser.evaluate(choose).await;
    looks_good(&mut browser, "break-glass-start").await;
    browser.click("Start the session").await;
    shows(&mut browser, "Active").await;
    shows(&mut browser, "left)").await;
    looks_good(&mut browser, "break-glass-active").await;
    browser.picture("web-break-glass", PAGE).await;
    browser.click("End it now").await;
    shows(&mut browser, "Ended, review owed").await;
    opens(
        &world,
        &mut browser,
        "U02BOB",
        "/break-glass",
        "What did you find?",
    )
    .await;
    fills(&mut browser, &[("[name=note]", "it was needed")]).await;
    browser.click("Review").await;
    shows(&mut browser, "Reviewed by Bob Brown").await;

    world.settle().await;
    while world.app().seal().await.expect("sealed") {}
    opens(
        &world,
        &mut browser,
        "U03CAROL",
        "/audit",
        "were checked just now and are unchanged",
    )
    .await;
    looks_good(&mut browser, "audit-chain").await;
    browser.picture("web-audit", PAGE).await;
    let printed = json!({"media": "print"});
    browser.call("Emulation.setEmulatedMedia", printed).await;
    browser
        .until("!document.querySelector('.bar').checkVisibility() && document.querySelector('table').checkVisibility()")
        .await;
    browser.screenshot("pages-audit-print").await;
    Box::pin(ends(world, browser, "")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_sign_in_and_forged_form_decide_nothing() {
    let world = world!(Kind::Sqlite);
    world.shows_pages();
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    world.types("alice", DEPLOY).await;
    opens(
        &world,
        &mut browser,
        "U02BOB",
        "/approvals/1",
        "Your decision",
    )
    .await;
    let csrf = browser
        .evaluate("document.querySelector('[name=csrf]').value")
        .await;
    let digest = browser
        .evaluate("document.querySelector('[name=digest]').value")
        .await;
    // a page of somebody else sends the form, even with the right token
    let (csrf, digest) = (
        csrf.as_str().expect("a token"),
        digest.as_str().expect("a digest"),
    );
    let forged = format!(
        "data:text/html,<form method=post action='{}/approvals/1/decision'><input name=csrf value={csrf}><input name=digest value={digest}><button name=decision value=approve>Win a prize</button></form>",
        world.url
    );
    goes_to(&mut browser, &forged, "Win a prize").await;
    browser.click("Win a prize").await;
    shows(&mut browser, "This form was not accepted").await;
    looks_good(&mut browser, "forged").await;

    let page = format!("{}/approvals/1", world.url);
    goes_to(&mut browser, &page, "Your decision").await;
    world.clock.advance(Span::hours(9));
    browser.click("Approve").await;
    shows(&mut browser, "Your sign-in has ended").await;
    looks_good(&mut browser, "expired").await;
    browser.click("Sign in again").await;
    shows(&mut browser, "Who are you?").await;
    let decided = "SELECT count(*) FROM decisions";
    assert_eq!(world.database.count(decided).await, 0);
    // the page may still have been about to listen
    Box::pin(ends(world, browser, "/approvals/1/")).await;
}
