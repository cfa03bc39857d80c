//! The page's tools: faults of Slack, of the bot's process and of the clock, the protocol, the guide, and a second person.

use super::chrome::Browser;
use super::{Kind, World, becomes, clicks, finish, sends, world};
use crate::world::DEPLOY;
use countersign::domain::time::Span;
use countersign::sandbox::Order;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;

const REAL_CARD: &str = "[...document.querySelectorAll('article')].filter((each) => each.querySelector('[data-action=approve]')).length";

/// Presses a button of a tool, and waits until the page has answered it.
async fn breaks(browser: &mut Browser, button: &str, then: &str) {
    browser.click(button).await;
    browser.reads(then).await;
}

/// Does what the page ordered, as `countersign demo` would.
async fn obeys(world: &mut World, orders: &mut UnboundedReceiver<Order>) {
    match orders.recv().await.expect("an order") {
        Order::StopBot => {
            world.slack.set_bot_url("http://127.0.0.1:1");
            world.slack.set_bot_running(false);
        }
        Order::StartBot => {
            world.restart().await;
            world.slack.set_bot_running(true);
        }
        Order::Skip(seconds) => world.passes(Span::seconds(seconds)).await,
    }
}

async fn asked(world: &World, browser: &mut Browser) {
    sends(world, browser, &format!("/approval {DEPLOY}")).await;
    browser.click("# prod-approvals").await;
    browser.reads("0 of 2 approvals").await;
    browser.click("Break it").await;
    browser.reads("Each button breaks something").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_is_rate_limited_taken_down_and_loses_a_card_in_a_browser() {
    looking!(world, browser);
    asked(&world, &mut browser).await;

    breaks(&mut browser, "Rate-limit Slack", "Slack answers 429").await;
    world.types("bob", "approve 1").await;
    browser.reads("0 of 2 approvals").await;
    browser.screenshot("71-rate-limited").await;
    breaks(
        &mut browser,
        "Stop rate limiting",
        "Slack takes calls again",
    )
    .await;
    world.passes(Span::minutes(2)).await;
    browser.reads("1 of 2 approvals").await;

    // while Slack is down, only those whose account was seen lately can decide
    world.types("carol", "show 1").await;
    breaks(&mut browser, "Take Slack down", "API is cut").await;
    world.types("carol", "approve 1").await;
    browser.reads("1 of 2 approvals").await;
    browser.screenshot("72-outage").await;
    breaks(&mut browser, "Bring Slack back", "Slack is back").await;
    for _ in 0..10 {
        world.passes(Span::seconds(45)).await;
    }
    browser.reads("#1 Approved").await;

    world
        .types("alice", &DEPLOY.replace("v1.4.2", "v1.4.3"))
        .await;
    browser.until(&format!("{REAL_CARD} === 1")).await;
    browser.click("Delete the newest card").await;
    browser.until(&format!("{REAL_CARD} === 0")).await;
    world.types("bob", "approve 2").await;
    world.passes(Span::minutes(2)).await;
    browser.until(&format!("{REAL_CARD} === 1")).await;
    browser.reads("Bob Brown approved").await;
    browser.screenshot("73-card-again").await;

    breaks(&mut browser, "Archive the channel", "is_archived").await;
    world.types("carol", "approve 2").await;
    breaks(&mut browser, "Unarchive the channel", "is open again").await;
    for _ in 0..12 {
        world.passes(Span::minutes(10)).await;
    }
    // by now its time to be executed has passed
    browser.reads("#2 Expired").await;
    finish(world, browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bot_is_stopped_and_time_is_skipped_in_a_browser() {
    let mut world = world!(Kind::Sqlite);
    let mut orders = world.slack.orders();
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    browser.navigate(world.slack.url()).await;
    browser
        .until("document.querySelector('#me').value === 'U01ALICE'")
        .await;
    asked(&world, &mut browser).await;

    browser.click("Stop the bot").await;
    obeys(&mut world, &mut orders).await;
    browser.reads("process is stopped").await;
    becomes(&mut browser, "Bob").await;
    browser.click("Approve").await;
    browser.reads("the bot could not be reached").await;
    browser.screenshot("74-bot-stopped").await;
    browser.click("Start the bot").await;
    obeys(&mut world, &mut orders).await;
    browser.reads("carries on").await;
    clicks(&world, &mut browser, "Approve").await;
    browser.reads("1 of 2 approvals").await;

    browser.click("Skip an hour").await;
    obeys(&mut world, &mut orders).await;
    browser.reads("An hour has passed").await;
    browser.click("Skip a day").await;
    obeys(&mut world, &mut orders).await;
    browser.reads("#1 Expired").await;
    browser.screenshot("75-expired").await;
    finish(world, browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn protocol_panel_shows_signature_payload_and_effect() {
    looking!(world, browser);
    sends(&world, &mut browser, &format!("/approval {DEPLOY}")).await;
    becomes(&mut browser, "Bob").await;
    browser.click("# prod-approvals").await;
    browser.click("Protocol").await;
    clicks(&world, &mut browser, "Approve").await;
    browser.reads("1 of 2 approvals").await;
    let panel = "document.querySelector('#protocol').innerText";
    browser
        .until(&format!("{panel}.includes('block_actions approve')"))
        .await;
    browser
        .until(&format!("{panel}.includes('chat.update')"))
        .await;
    let entry = "[...document.querySelectorAll('#protocol details')].find((each) => each.innerText.includes('block_actions approve'))";
    browser.evaluate(&format!("{entry}.open = true")).await;
    for text in [
        "accepted",
        "v0=",
        "HTTP 200",
        "\\\"type\\\": \\\"block_actions\\\"",
    ] {
        browser
            .until(&format!("{entry}.innerText.includes(\"{text}\")"))
            .await;
    }
    browser.screenshot("76-protocol").await;
    browser.picture("protocol", "document.body").await;
    // an exact repeat has no effect, a changed body no valid signature
    browser.click("Send it again").await;
    browser
        .until(&format!(
            "({panel}.match(/block_actions approve/g) ?? []).length >= 2"
        ))
        .await;
    browser.click("Send it with a changed body").await;
    let refused = "[...document.querySelectorAll('#protocol details')].find((each) => each.querySelector('.error'))";
    browser.until(refused).await;
    browser.evaluate(&format!("{refused}.open = true")).await;
    browser
        .until(&format!("{refused}.innerText.includes('refused')"))
        .await;
    world.settle().await;
    browser.reads("1 of 2 approvals").await;
    finish(world, browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guide_ticks_off_steps_and_stays_closed() {
    looking!(world, browser);
    browser.reads("Guide 0 of 7").await;
    browser.click("Be Alice, fill in the command").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('#line').value === ''")
        .await;
    world.settle().await;
    browser.reads("Guide 1 of 7").await;
    for (button, step) in [("Be Bob", 2), ("Be Mallory", 3), ("Be Carol", 4)] {
        browser.click(button).await;
        browser
            .until("document.querySelector('[data-action=approve]')")
            .await;
        clicks(&world, &mut browser, "Approve").await;
        browser.reads(&format!("Guide {step} of 7")).await;
    }
    browser.click("Fill in the question").await;
    browser.press("Enter").await;
    browser.reads("Guide 5 of 7").await;
    browser.click("All steps").await;
    browser.reads("Done").await;
    browser.screenshot("77-guide").await;
    browser
        .evaluate("document.querySelector('[aria-label=\"Close the guide\"]').click()")
        .await;
    browser
        .until("document.querySelector('#guide').hidden")
        .await;
    browser.navigate(world.slack.url()).await;
    browser
        .until("document.querySelector('#messages article')")
        .await;
    browser
        .until("document.querySelector('#guide').hidden")
        .await;
    finish(world, browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_completed_and_ephemeral_messages_dismissed() {
    looking!(world, browser);
    super::focuses(&mut browser, "#line").await;
    browser.types("/approval s").await;
    browser
        .until("document.querySelector('#hints').innerText.includes('how long requests wait')")
        .await;
    browser.screenshot("78-hints").await;
    browser.press("ArrowDown").await;
    browser.press("Tab").await;
    browser
        .until("document.querySelector('#line').value === '/approval show '")
        .await;
    browser.press("Escape").await;
    browser
        .evaluate("document.querySelector('#line').value = ''")
        .await;
    sends(&world, &mut browser, "/approval help").await;
    browser.reads("Only visible to you").await;
    browser.picture("help", super::LAST_MESSAGE).await;
    browser.click("Dismiss").await;
    browser
        .until("!document.querySelector('article.only-you')")
        .await;

    sends(&world, &mut browser, "lunch?").await;
    browser.reads("lunch?").await;
    let thread = "document.querySelector('.thread')";
    browser
        .evaluate(&format!(
            "{thread}.open = true; {thread}.querySelector('input').focus()"
        ))
        .await;
    browser.types("in ten minutes").await;
    browser.press("Enter").await;
    browser.reads("1 reply").await;
    finish(world, browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_act_side_by_side() {
    looking!(world, browser);
    sends(&world, &mut browser, &format!("/approval {DEPLOY}")).await;
    browser.click("# prod-approvals").await;
    browser.click("Two people").await;
    let other = "document.querySelector('#other').contentDocument";
    browser
        .until(&format!("{other}.querySelector('#me').value === 'U02BOB'"))
        .await;
    browser
        .until(&format!("{other}.querySelector('[data-action=approve]')"))
        .await;
    browser
        .evaluate(&format!(
            "{other}.querySelector('[data-action=approve]').click()"
        ))
        .await;
    browser.until(&format!("{other}.body.innerText.includes('1 of 2 approvals') || {other}.querySelector('[aria-busy]') === null")).await;
    world.settle().await;
    browser.reads("1 of 2 approvals").await;
    browser
        .until("document.querySelector('#me').value === 'U01ALICE'")
        .await;
    browser.screenshot("79-two-people").await;
    browser.click("Two people").await;
    browser.until("!document.querySelector('#other')").await;
    finish(world, browser).await;
}

/// The page's own statement of what it is allowed to load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_allows_no_request_to_another_host() {
    let world = world!(Kind::Sqlite);
    let page = reqwest::get(world.slack.url()).await.expect("an answer");
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .expect("text");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!policy.contains("http"), "{policy}");
    let unknown = json!({"what": "everything"});
    let url = format!("{}/page/break", world.slack.url());
    let sent = reqwest::Client::new().post(url).json(&unknown).send().await;
    let answer: serde_json::Value = sent.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["ok"], false);
    world.finish().await;
}
