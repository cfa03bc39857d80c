//! Requests whose approvals count on the web only: no surface offers to approve, each offers the page, and rejecting stays (threat W9).

use super::fixtures::{home_of, pending, with_payload};
use crate::app::WaitingDetails;
use crate::domain::document::{DecideOn, ShowPayload};
use crate::domain::follow_up::FollowUps;
use crate::domain::refusal::Refusal;
use crate::domain::request_details::RequestDetails;
use crate::slack::api::channels::Audience;
use crate::slack::ui::{card_for, details, replies, review, waiting};
use serde_json::{Value, json};

const PAGE: &str = "https://countersign.example.com/approvals/42";

fn web_only(mut shown: RequestDetails, page: Option<&str>) -> RequestDetails {
    for gate in &mut shown.request.gates {
        gate.template.decide_on = Some(DecideOn::Web);
    }
    shown.page = page.map(str::to_owned);
    shown
}

/// Every button and choice of a surface, by its `action_id` or `value`, and every address.
fn offers(surface: &Value, found: &mut Vec<String>) {
    match surface {
        Value::Array(items) => items.iter().for_each(|item| offers(item, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                let named = ["action_id", "value", "url"].contains(&key.as_str());
                match value.as_str().filter(|_| named) {
                    Some(text) => found.push(text.to_owned()),
                    None => offers(value, found),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn no_surface_offers_to_approve_and_each_offers_the_page_w9() {
    let mut hidden = pending();
    hidden.request.gates[0].template.show_payload = ShowPayload::Never;
    let long = with_payload(&json!("x".repeat(9_000)).to_string());
    for shown in [pending(), long, hidden] {
        for page in [Some(PAGE), None] {
            let shown = web_only(shown.clone(), page);
            let waiting = WaitingDetails {
                shown: shown.clone(),
                done: FollowUps::default(),
                asked: Vec::new(),
            };
            let surfaces = [
                Some((true, json!(card_for(&shown, Audience::Own).blocks))),
                Some((true, details::details(&shown, true))),
                review::review(&shown, 1, &[]).map(|view| (true, view)),
                Some((true, home_of(std::slice::from_ref(&shown), &[], None))),
                Some((false, json!(waiting::reminder(&waiting, None).blocks))),
            ];
            for (decides, surface) in surfaces.into_iter().flatten() {
                let mut found = Vec::new();
                offers(&surface, &mut found);
                let has = |text: &str| found.iter().any(|one| one == text);
                assert!(!has("approve"), "{surface}");
                assert_eq!(has(PAGE), page.is_some(), "{surface}");
                assert!(!decides || has("reject"), "{surface}");
            }
            let shared = json!(card_for(&shown, Audience::Shared).blocks);
            let mut found = Vec::new();
            offers(&shared, &mut found);
            assert!(
                !found.iter().any(|one| one == "approve" || one == PAGE),
                "{shared}"
            );
            assert!(
                shared.to_string().contains(if page.is_some() {
                    "Details has the link"
                } else {
                    "have no address yet"
                }),
                "{shared}"
            );
        }
    }
}

#[test]
fn refusal_links_to_the_page_and_to_nothing_else_w9() {
    let refusal = Refusal::OnWebOnly {
        policy: "Gate <https://evil.example|of> https://evil.example".to_owned(),
        page: Some(PAGE.to_owned()),
    };
    let text = replies::refusal(&refusal, None).text;
    assert!(
        text.contains(&format!("Approve it at <{PAGE}|{PAGE}>")),
        "{text}"
    );
    assert_eq!(text.matches("https://").count(), 2, "{text}");
}
