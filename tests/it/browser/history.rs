//! The company of `countersign demo`, in the real program: what stands there when somebody opens the page for the first time.

use super::chrome::{Browser, DESKTOP, Screen};
use super::{HOME_TAB, PHONE, becomes};
use crate::demo::{Folder, Running};

/// The card of a request, by a text that only it has.
fn card(text: &str) -> String {
    format!(
        "[...document.querySelectorAll('#messages > article')].findLast((each) => each.innerText.includes('{text}'))"
    )
}

const WIDE: Screen = Screen {
    width: 1440,
    height: 1000,
    dark: false,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn company_with_two_weeks_of_history_in_a_browser() {
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    let folder = Folder::new();
    let demo = Running::start(&folder.0, &[]).await;
    browser.screen(WIDE).await;
    browser.navigate(&demo.page).await;
    browser
        .until("document.querySelector('#me').value === 'U01ALICE'")
        .await;
    becomes(&mut browser, "Carol").await;
    browser.click("# prod-approvals").await;
    browser.reads("v2.31.0").await;
    browser.screenshot("81-company").await;
    browser.picture("workspace", "document.body").await;
    for (name, text) in [
        ("diff", "readinessProbe"),
        ("waiting", "v2.31.0"),
        ("to-execute", "2026.48.1"),
        ("executed", "v1.3.0"),
        ("failed", "v1.2.1"),
        ("rejected", "payment provider has maintenance"),
        ("expired", "v0.9.7"),
        ("cancelled", "v1.2.3"),
        ("bypassed", "pgbouncer"),
    ] {
        let card = card(text);
        browser.until(&card).await;
        browser
            .evaluate(&format!("{card}.scrollIntoView({{block: 'center'}})"))
            .await;
        browser.screenshot(&format!("82-{name}")).await;
        if name == "diff" {
            let close = "document.querySelector('[aria-label=\"Close the guide\"]').click()";
            browser.evaluate(close).await;
            browser.picture("diff", &card).await;
        }
    }
    assert_eq!(browser.axe().await, Vec::<String>::new());
    browser.click("Protocol").await;
    browser
        .until("document.querySelector('#protocol').innerText.includes('bot → webhook')")
        .await;
    browser.screenshot("89-webhooks").await;
    browser.click("Protocol").await;
    browser.click("# security").await;
    browser.reads("INC-2041").await;
    browser.screenshot("83-security").await;
    browser.click("Countersign Home").await;
    browser.reads("Waiting for you").await;
    browser.screenshot("84-home").await;
    browser.picture("home", HOME_TAB).await;
    assert_eq!(browser.axe().await, Vec::<String>::new());
    browser.click("# approvals").await;
    browser.reads("legacy-reports").await;
    super::focuses(&mut browser, "#line").await;
    browser.types("/approval stats 14d").await;
    browser.press("Enter").await;
    browser.reads("Only visible to you").await;
    browser.screenshot("85-stats").await;
    becomes(&mut browser, "Alice").await;
    browser.click("E-mail").await;
    browser.reads("To alice@example.com").await;
    browser.screenshot("88-mail").await;
    assert_eq!(browser.axe().await, Vec::<String>::new());
    browser.screen(PHONE).await;
    browser.screenshot("86-phone").await;
    browser
        .screen(Screen {
            dark: true,
            ..DESKTOP
        })
        .await;
    browser.screenshot("87-dark").await;
    assert_eq!(browser.complaints(&demo.page), Vec::<String>::new());
    let (ended_well, log) = demo.ends().await;
    assert!(ended_well, "{log}");
    browser.close().await;
}
