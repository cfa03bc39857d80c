//! The sandbox's page in a real browser, as people see it who try Countersign for the first time.

mod chrome;

use crate::database::Kind;
use crate::world::{DEPLOY, World, world};
use chrome::{Browser, DESKTOP, Screen};
use serde_json::json;

const PHONE: Screen = Screen {
    width: 390,
    height: 844,
    dark: false,
};

/// A world with a browser that shows it, or the end of the test if there is no browser.
macro_rules! looking {
    ($world:ident, $browser:ident) => {
        let $world = world!(Kind::Sqlite);
        let Some(mut $browser) = Browser::start().await else {
            return;
        };
        $browser.navigate($world.slack.url()).await;
        $browser
            .until("document.querySelector('#me').value === 'U01ALICE'")
            .await;
    };
}

mod accessibility;
mod history;
mod journeys;
mod pages;
mod tools;

/// Waits until the element accepts input: a closing form or the Home tab may still cover it.
async fn focuses(browser: &mut Browser, what: &str) {
    let element = format!("document.querySelector('{what}')");
    browser
        .until(&format!(
            "({element}.focus(), document.activeElement === {element})"
        ))
        .await;
}

/// Selects the person with the keyboard.
async fn becomes(browser: &mut Browser, name: &str) {
    focuses(browser, "#me").await;
    browser.press(&name[..1]).await;
    browser
        .until(&format!(
            "document.querySelector('#subtitle').textContent.includes('{name}')"
        ))
        .await;
}

async fn sends(world: &World, browser: &mut Browser, line: &str) {
    focuses(browser, "#line").await;
    browser.types(line).await;
    browser.press("Enter").await;
    browser
        .until(
            "document.querySelector('#line').value === '' && !document.querySelector('[aria-busy]')",
        )
        .await;
    world.settle().await;
}

/// Clicks, and waits until the bot has answered.
async fn clicks(world: &World, browser: &mut Browser, button: &str) {
    browser.click(button).await;
    browser
        .until("!document.querySelector('[aria-busy]')")
        .await;
    world.settle().await;
}

/// Boxed, because a world is too large for the stack of every story that ends with it.
fn finish(world: World, browser: Browser) -> futures::future::BoxFuture<'static, ()> {
    Box::pin(async move {
        assert_eq!(
            browser.complaints(world.slack.url()),
            Vec::<String>::new(),
            "the console, or requests that leave the sandbox"
        );
        browser.close().await;
        world.finish().await;
    })
}

const LAST_MESSAGE: &str = "[...document.querySelectorAll('#messages > article')].at(-1)";
const LAST_CARD: &str =
    "[...document.querySelectorAll('#messages > article:not(.only-you)')].at(-1)";
const MODAL: &str = "document.querySelector('#modal')";
const CONFIRM: &str = "document.querySelector('#confirm')";
const HOME_TAB: &str = "document.querySelector('article.home')";
const MESSAGES: &str = "document.querySelector('#messages')";
const BUTTONS: &str = "[...document.querySelectorAll('#messages .actions button')].map((button) => button.innerText).join()";
const ONLY_ME: &str = "[...document.querySelectorAll('article.only-you')].at(-1)?.innerText ?? ''";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn demo_request_is_approved_in_a_browser() {
    looking!(world, browser);
    browser.reads("Guide 0 of 7").await;
    browser.screenshot("01-empty").await;

    sends(&world, &mut browser, &format!("/approval {DEPLOY}")).await;
    browser.reads("Only visible to you").await;
    browser.reads("0 of 2 approvals").await;
    browser.screenshot("02-asked").await;

    becomes(&mut browser, "Bob").await;
    browser
        .until("!document.querySelector('main').innerText.includes('Only visible to you')")
        .await;
    browser
        .until("document.querySelector('#channels .unread .badge')")
        .await;
    browser.click("# prod-approvals").await;
    browser
        .reads("Alice Anderson asks for Release Deploy")
        .await;
    browser
        .until("!document.querySelector('#channels .unread')")
        .await;
    browser.screenshot("03-card").await;
    browser.picture("card", LAST_MESSAGE).await;
    browser.picture("readme-card", LAST_MESSAGE).await;
    clicks(&world, &mut browser, "Approve").await;
    browser.reads("1 of 2 approvals").await;
    browser.reads("Bob Brown approved").await;

    clicks(&world, &mut browser, "Approve").await;
    browser
        .until(&format!("({ONLY_ME}).includes('Already reviewed')"))
        .await;
    browser.screenshot("04-already-reviewed").await;

    becomes(&mut browser, "Mallory").await;
    browser
        .until("!document.querySelector('article.only-you')")
        .await;
    clicks(&world, &mut browser, "Approve").await;
    browser
        .until(&format!("({ONLY_ME}).includes('not an eligible approver')"))
        .await;
    browser.reads("1 of 2 approvals").await;
    browser.screenshot("05-refused").await;
    browser.picture("refused", LAST_MESSAGE).await;

    becomes(&mut browser, "Carol").await;
    clicks(&world, &mut browser, "Approve").await;
    browser.reads("#1 Approved").await;
    let buttons = browser.evaluate(BUTTONS).await.to_string();
    assert!(
        !buttons.contains("Approve") && !buttons.contains("Reject"),
        "{buttons}"
    );
    browser.screenshot("06-approved").await;
    browser.picture("approved", LAST_CARD).await;

    becomes(&mut browser, "Alice").await;
    browser
        .until("document.querySelector('#dms .unread .badge')")
        .await;
    browser.click("Countersign 1").await;
    browser.reads("is approved. Press Start").await;
    browser.screenshot("07-direct-message").await;
    clicks(&world, &mut browser, "Start").await;
    browser.reads("Failed").await;
    clicks(&world, &mut browser, "Done").await;
    browser.reads("was executed and succeeded").await;
    browser.screenshot("08-carried-out").await;
    finish(world, browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_can_be_done_with_the_keyboard() {
    looking!(world, browser);
    browser.tab_to("#me").await;
    browser.tab_to("#channels a[href='#C02PROD']").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('#title').textContent === '# prod-approvals'")
        .await;
    browser.tab_to("#line").await;
    browser.types(&format!("/approval {DEPLOY}")).await;
    browser.press("Enter").await;
    world.settle().await;
    browser
        .reads("Alice Anderson asks for Release Deploy")
        .await;

    becomes(&mut browser, "Bob").await;
    browser.tab_to("[data-action=reject]").await;
    browser.press("Enter").await;
    browser.until("document.querySelector('#modal').open").await;
    browser.reads("One rejection ends the request").await;
    browser.press("Escape").await;
    browser
        .until("!document.querySelector('#modal').open")
        .await;
    browser
        .until("document.activeElement.dataset.action === 'reject'")
        .await;

    browser.press("Shift+Tab").await;
    browser.press("Enter").await;
    browser
        .until("!document.querySelector('[aria-busy]')")
        .await;
    world.settle().await;
    browser.reads("1 of 2 approvals").await;
    // the update replaced the card while one of its buttons had the focus
    browser
        .until("document.activeElement.dataset.action === 'approve'")
        .await;

    browser.tab_to("[data-action=details]").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('#modal').open && document.activeElement.matches('.scroll')")
        .await;
    browser.reads("Production Deploy Gate").await;
    browser.screenshot("12-details").await;
    browser.picture("details", MODAL).await;
    browser.press("Escape").await;
    browser
        .until("!document.querySelector('#modal').open")
        .await;
    finish(world, browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_command_is_fully_readable_before_it_is_approved_sl9() {
    looking!(world, browser);
    let pods: Vec<String> = (1..=160).map(|pod| format!("worker-{pod}")).collect();
    let command = format!("kubectl delete pod {}", pods.join("; kubectl delete pod "));
    let line = format!(
        "/approval request command.execute cluster=prod-eu-1 reason=cleanup payload='{{\"command\":\"{command}\"}}'"
    );
    sends(&world, &mut browser, &line).await;
    becomes(&mut browser, "Carol").await;
    browser.click("# prod-approvals").await;
    browser.reads("press Review to read all of it").await;
    assert_eq!(browser.evaluate(BUTTONS).await, "Review,Reject,Details");
    clicks(&world, &mut browser, "Review").await;
    browser.reads("worker-160").await;
    browser.screenshot("21-review").await;
    browser.click("Approve").await;
    browser
        .reads("Your approval counts towards a Critical action")
        .await;
    browser.screenshot("22-critical").await;
    browser.picture("critical", CONFIRM).await;
    browser.click("Back").await;
    browser
        .until("!document.querySelector('#confirm').open")
        .await;
    browser.click("Close").await;
    browser
        .until("!document.querySelector('#modal').open")
        .await;
    assert!(
        !world
            .slack
            .look(|state| format!("{:?}", state.channels))
            .contains("Carol Clark approved")
    );
    finish(world, browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_page_fits_a_phone_screen() {
    looking!(world, browser);
    for (name, screen) in [
        ("light", PHONE),
        (
            "dark",
            Screen {
                dark: true,
                ..PHONE
            },
        ),
    ] {
        browser.screen(screen).await;
        browser.screenshot(&format!("31-phone-{name}")).await;
        let overflow =
            "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(
            browser.evaluate(overflow).await,
            0,
            "{name}: nothing sticks out"
        );
    }
    browser.click("Be Alice, fill in the command").await;
    browser.until("document.activeElement.id === 'line' && document.activeElement.value.startsWith('/approval request')").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('#line').value === ''")
        .await;
    world.settle().await;
    browser.reads("Asked as #1").await;
    browser.click("Be Bob").await;
    browser
        .reads("Alice Anderson asks for Release Deploy")
        .await;
    browser.screenshot("32-phone-card").await;
    clicks(&world, &mut browser, "Approve").await;
    browser.reads("1 of 2 approvals").await;
    browser.click("Countersign Home").await;
    world.settle().await;
    browser.reads("Waiting for you").await;
    browser.screenshot("33-phone-home").await;
    browser.screen(DESKTOP).await;
    browser.screenshot("34-home").await;
    finish(world, browser).await;
}

/// Shows every page once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_home_and_policies_in_a_browser() {
    looking!(world, browser);
    sends(
        &world,
        &mut browser,
        "/approval request release.deploy env=production release=v1.4.2",
    )
    .await;
    browser.reads("What do you want to do?").await;
    browser.screenshot("41-request-form").await;
    browser.picture("request-form", MODAL).await;
    browser.click("Ask for approval").await;
    browser.reads("This action needs it.").await;
    browser.screenshot("42-request-form-missing").await;
    browser.click("Close").await;
    world.settle().await;

    sends(&world, &mut browser, &format!("/approval {DEPLOY}")).await;
    becomes(&mut browser, "Bob").await;
    browser.click("# prod-approvals").await;
    browser.reads("0 of 2 approvals").await;
    clicks(&world, &mut browser, "Reject").await;
    browser.reads("The requester reads this").await;
    browser.screenshot("43-reject-form").await;
    browser.picture("reject-form", MODAL).await;
    browser.tab_to("textarea").await;
    browser.types("frozen until Monday").await;
    browser.click("Reject request").await;
    browser.reads("You rejected #1").await;
    world.settle().await;
    browser.click("Close").await;
    browser.reads("#1 Rejected").await;
    browser.screenshot("44-rejected").await;
    browser.picture("rejected", LAST_CARD).await;

    let second = DEPLOY.replace("v1.4.2", "v1.4.3");
    for (who, line) in [
        ("alice", second.as_str()),
        ("bob", "approve 2"),
        ("carol", "approve 2"),
    ] {
        world.types(who, line).await;
    }
    for release in ["v1.5.0", "v1.5.1"] {
        world
            .types("alice", &DEPLOY.replace("v1.4.2", release))
            .await;
    }
    becomes(&mut browser, "Alice").await;
    browser.click("Countersign 2").await;
    browser.reads("Press Start").await;
    browser.screenshot("45-start").await;
    browser.picture("start", LAST_MESSAGE).await;
    clicks(&world, &mut browser, "Start").await;
    browser.reads("press Done or Failed").await;
    browser.screenshot("46-started").await;

    becomes(&mut browser, "Carol").await;
    browser.click("Countersign Home").await;
    world.settle().await;
    browser.reads("Audit log").await;
    browser.screenshot("47-home").await;
    browser.click("# approvals").await;
    sends(&world, &mut browser, "/approval policies").await;
    browser.reads("Off-Hours Change Gate").await;
    browser.screenshot("48-policies").await;
    let view =
        "document.querySelector('[aria-label=\"View policy Off-Hours Change Gate\"]').click()";
    browser.evaluate(view).await;
    browser.reads("The hours in which it applies").await;
    browser.screenshot("49-policy").await;
    browser.picture("policy", MODAL).await;
    clicks(&world, &mut browser, "Edit").await;
    browser.reads("Why this change?").await;
    browser.screenshot("50-policy-form").await;
    browser.click("Close").await;
    world.settle().await;
    finish(world, browser).await;
}

/// A gated configuration change as its approver sees it, and an observed policy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn config_change_is_approved_in_a_browser() {
    looking!(world, browser);
    let policy = |id: &str, name: &str, action: &str, mode: &str| json!({"id": id, "name": name, "scope": "organization", "actions": [action], "mode": mode, "approvers": {"teams": ["security"]}});
    world
        .reconfigure(|document| {
            for (id, name, action, mode) in [
                ("rules", "Rules", "environment.policy_update", "enforce"),
                ("trial", "Security Trial", "release.deploy", "observe"),
            ] {
                let policies = document["policies"].as_array_mut().expect("a list");
                policies.push(policy(id, name, action, mode));
                let bindings = document["bindings"].as_array_mut().expect("a list");
                bindings.push(json!({"policy": id, "level": "organization"}));
            }
        })
        .await;
    let asked = world.edits("carol", |document| {
        document["policies"][0]["quorum"]["minApprovals"] = json!(1);
        document["policies"][0]["breakGlassBypass"] = json!(true);
        document["directory"]["teams"][1]["members"] = json!(["carol"]);
    });
    asked.await.expect("it is asked for");
    world.settle().await;
    becomes(&mut browser, "Erin").await;
    browser.reads("press Review to read it and decide").await;
    browser.screenshot("61-rules-change").await;
    clicks(&world, &mut browser, "Review").await;
    browser.reads("production-deploy-gate").await;
    browser.screenshot("62-rules-review").await;
    browser.click("Close").await;
    browser
        .until("!document.querySelector('#modal').open")
        .await;

    sends(&world, &mut browser, &format!("/approval {DEPLOY}")).await;
    browser.click("# prod-approvals").await;
    browser
        .reads("Security Trial is in observe mode and gates nothing")
        .await;
    browser.screenshot("63-observed").await;
    clicks(&world, &mut browser, "Details").await;
    browser.reads("Security Trial").await;
    browser.screenshot("64-observed-details").await;
    finish(world, browser).await;
}

/// A break-glass session: its form, the alerts, the Home tab, the end and the review.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn break_glass_session_in_a_browser() {
    looking!(world, browser);
    becomes(&mut browser, "Dan").await;
    sends(&world, &mut browser, "/breakglass start for=1h").await;
    browser.reads("What is the emergency?").await;
    browser.screenshot("51-break-glass-form").await;
    browser.reads("Who acts?").await;
    browser.reads("Erin Evans").await;
    browser.click("Start session").await;
    browser.reads("Please complete this required field.").await;
    browser.screenshot("52-break-glass-form-missing").await;
    browser.click("Cancel").await;
    browser
        .until("!document.querySelector('#modal').open")
        .await;
    sends(
        &world,
        &mut browser,
        "/breakglass start actions=cluster cluster=prod-eu-1 for=1h reason=\"checkout is down\"",
    )
    .await;
    browser.reads("The session is active").await;
    sends(
        &world,
        &mut browser,
        "/approval request command.execute cluster=prod-eu-1 payload='{\"command\":\"kubectl rollout restart deploy/checkout\"}'",
    )
    .await;
    browser.reads("policies were bypassed").await;

    becomes(&mut browser, "Erin").await;
    browser.click("# security").await;
    browser.reads("bypassed one policy").await;
    browser.screenshot("53-break-glass-alerts").await;
    browser.picture("break-glass-alerts", MESSAGES).await;
    becomes(&mut browser, "Dan").await;
    browser.click("Countersign Home").await;
    world.settle().await;
    browser.reads("End session").await;
    browser.screenshot("54-break-glass-home").await;
    browser.picture("break-glass-home", HOME_TAB).await;
    browser.click("End session").await;
    browser
        .reads("From then on policies gate everything again")
        .await;
    clicks(&world, &mut browser, "End it").await;
    browser.reads("a review is owed").await;
    browser.click("Close").await;
    browser
        .until("!document.querySelector('#modal').open")
        .await;
    becomes(&mut browser, "Erin").await;
    world.settle().await;
    browser.reads("a review is owed").await;
    clicks(&world, &mut browser, "Mark reviewed").await;
    browser.reads("What did you find?").await;
    browser.screenshot("55-break-glass-review").await;
    browser.tab_to("textarea").await;
    browser.types("One restart, and it was needed.").await;
    clicks(&world, &mut browser, "Mark reviewed").await;
    browser.reads("reviewed by Erin Evans").await;
    browser.click("Close").await;
    browser
        .until("!document.querySelector('#modal').open")
        .await;
    world.settle().await;
    browser.click("# security").await;
    browser.reads("has reviewed the session of Dan Davis").await;
    browser.screenshot("56-break-glass-over").await;
    finish(world, browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_messages_do_not_move_scroll_position_or_focus() {
    looking!(world, browser);
    let say = |text: &str| {
        world
            .slack
            .say("dan", "prod-approvals", text)
            .expect("said")
    };
    (1..=40).for_each(|number| drop(say(&format!("line {number}"))));
    world.types("alice", DEPLOY).await;
    becomes(&mut browser, "Bob").await;
    browser.click("# prod-approvals").await;
    browser
        .reads("Alice Anderson asks for Release Deploy")
        .await;
    let left = "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight < 2)(document.querySelector('#messages'))";
    browser.until(left).await; // the newest message is visible

    browser.click("Details").await;
    browser.until("document.querySelector('#modal').open").await;
    browser.click("Close").await;
    browser
        .until("!document.querySelector('#modal').open")
        .await;

    // a message arrives between pressing and releasing the mouse button
    let at = browser.middle_of("Reject").await;
    browser.mouse("mousePressed", &at).await;
    say("in the middle of a click");
    browser
        .until(
            "document.querySelector('#messages').textContent.includes('in the middle of a click')",
        )
        .await;
    browser.evaluate("document.querySelector('[data-action=reject]').scrollIntoView({ block: 'center', behavior: 'instant' })").await;
    let at = browser.middle_of("Reject").await;
    browser.mouse("mouseReleased", &at).await;
    browser.reads("One rejection ends the request").await;
    browser.click("Close").await;
    browser
        .until("!document.querySelector('#modal').open")
        .await;

    // scroll position and half-typed text survive new messages
    browser
        .evaluate("document.querySelector('#messages').scrollTop = 0")
        .await;
    browser
        .evaluate("document.querySelector('#line').focus()")
        .await;
    browser.types("half a th").await;
    say("while somebody writes");
    browser
        .until("document.querySelector('#messages').textContent.includes('while somebody writes')")
        .await;
    assert_eq!(
        browser
            .evaluate("document.querySelector('#messages').scrollTop")
            .await,
        0
    );
    browser.types("ought").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('#messages').textContent.includes('half a thought')")
        .await;
    browser.until(left).await; // the page scrolls to the person's own message
    finish(world, browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_page_cannot_reach_other_hosts() {
    looking!(world, browser);
    let reached = browser
        .evaluate("fetch('http://127.0.0.1:9/').then(() => 'reached', () => 'refused')")
        .await;
    assert_eq!(reached, "refused");
    browser.evaluate("console.error('a complaint')").await;
    let noticed = browser.complaints(world.slack.url()).join("\n");
    assert!(noticed.contains("Content Security Policy"), "{noticed}");
    assert!(noticed.contains("a complaint"), "{noticed}");
    browser.close().await;
    world.finish().await;
}
