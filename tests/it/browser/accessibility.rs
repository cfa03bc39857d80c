//! axe-core on every surface of the page, on a desktop and a phone, light and dark. It is embedded in the tests only.

use super::chrome::{Browser, DESKTOP, Screen};
use super::{Kind, PHONE, becomes, clicks, finish, sends, world};
use crate::world::DEPLOY;

async fn is_accessible(browser: &mut Browser, what: &str) {
    for (name, screen) in [
        ("desktop, light", DESKTOP),
        (
            "desktop, dark",
            Screen {
                dark: true,
                ..DESKTOP
            },
        ),
        ("phone, light", PHONE),
        (
            "phone, dark",
            Screen {
                dark: true,
                ..PHONE
            },
        ),
    ] {
        browser.screen(screen).await;
        assert_eq!(browser.axe().await, Vec::<String>::new(), "{what}, {name}");
    }
    browser.screen(DESKTOP).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_nothing_on_any_surface() {
    looking!(world, browser);
    is_accessible(&mut browser, "an empty channel").await;
    sends(&world, &mut browser, &format!("/approval {DEPLOY}")).await;
    sends(&world, &mut browser, "hello").await;
    browser.click("All steps").await;
    is_accessible(&mut browser, "ephemeral messages, a thread and the guide").await;
    browser.click("Hide steps").await;
    browser.click("# prod-approvals").await;
    browser.reads("0 of 2 approvals").await;
    browser.click("Break it").await;
    browser.click("Protocol").await;
    browser
        .until("document.querySelector('#protocol details')")
        .await;
    browser
        .evaluate("document.querySelector('#protocol details').open = true")
        .await;
    browser
        .until("document.querySelector('#protocol pre')")
        .await;
    is_accessible(&mut browser, "a card, the faults and the protocol").await;
    browser.click("Protocol").await;
    becomes(&mut browser, "Bob").await;
    clicks(&world, &mut browser, "Reject").await;
    browser.reads("The requester reads this").await;
    is_accessible(&mut browser, "the form to reject").await;
    browser.press("Escape").await;
    browser
        .until("!document.querySelector('#modal').open")
        .await;
    clicks(&world, &mut browser, "Details").await;
    browser.reads("Production Deploy Gate").await;
    is_accessible(&mut browser, "details").await;
    browser.press("Escape").await;
    browser
        .until("!document.querySelector('#modal').open")
        .await;
    browser.click("Countersign Home").await;
    world.settle().await;
    browser.reads("Waiting for you").await;
    is_accessible(&mut browser, "the Home tab").await;
    super::focuses(&mut browser, "#me").await;
    browser.click("# approvals").await;
    super::focuses(&mut browser, "#line").await;
    browser.types("/approval ").await;
    browser
        .until("!document.querySelector('#hints').hidden")
        .await;
    is_accessible(&mut browser, "the completion").await;
    finish(world, browser).await;
}
