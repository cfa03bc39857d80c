//! Review: a modal that pages through everything that is approved and says on every page how much of it is not shown there
//! (docs/decisions.md D32, threat SL9).

use super::card::{approve_button, card_value, reject_button};
use super::pages::{Page, Reading};
use super::text::code;
use super::{blocks, content, on_web, phrases};
use crate::domain::request_details::RequestDetails;
use crate::slack::inbound::View;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the modal carries along. It comes back from outside, so it is recorded and never believed.
#[derive(Default, Serialize, Deserialize)]
struct Carried {
    seen: Vec<u32>,
}

/// Slack's limit of `private_metadata`, with room to spare.
const CARRIED: usize = 2_900;

/// The pages that have been opened, as the modal says.
pub fn pages_seen(view: &View) -> Vec<u32> {
    let carried = view.private_metadata.as_deref().unwrap_or_default();
    let Carried { seen } = serde_json::from_str(carried).unwrap_or_default();
    seen
}

/// One page, counted from 1; none where there is no such page, or a policy keeps the content from Slack.
pub fn review(shown: &RequestDetails, page: u32, seen: &[u32]) -> Option<Value> {
    let reading = content::reading(shown)?;
    let pages = reading.pages();
    let index = usize::try_from(page.checked_sub(1)?).ok()?;
    let part = pages.get(index)?;
    let seen = with_page(seen, page, pages.len());

    let mut blocks = vec![blocks::section(&phrases::sentence(shown))];
    blocks.push(blocks::context(&[place(&reading, part, page, pages.len())]));
    blocks.extend(part.blocks());
    blocks.push(blocks::context(&[format!(
        "Digest of all of it: {}",
        code(shown.request.digest.as_str())
    )]));
    let turns = turns(shown, page, pages.len());
    if !turns.is_empty() {
        blocks.push(blocks::actions(&turns));
    }
    if shown.is_pending() {
        let left = pages.len() - seen.len();
        if left > 0 {
            let plural = if left == 1 { "page has" } else { "pages have" };
            let words = format!("{left} {plural} not been opened yet; your decision records that.");
            blocks.push(blocks::context(&[words]));
        }
        let first = if on_web::applies(shown) {
            on_web::button(shown)
        } else {
            Some(approve_button(shown))
        };
        let buttons: Vec<Value> = first.into_iter().chain([reject_button(shown)]).collect();
        blocks.push(blocks::actions(&buttons));
    }
    let title = format!("Review #{}", shown.request.number);
    Some(blocks::modal("review", &title, &carried(seen), &blocks))
}

/// Where this page stands, and how much is elsewhere.
fn place(reading: &Reading, part: &Page<'_>, page: u32, pages: usize) -> String {
    let all = reading.characters();
    let here = part.characters();
    if pages == 1 {
        return format!("All of it: {all} characters.");
    }
    format!(
        "Page {page} of {pages}. It shows {here} of {all} characters; {} are *not shown on this page*.",
        all - here
    )
}

fn turns(shown: &RequestDetails, page: u32, pages: usize) -> Vec<Value> {
    let turn = |action_id: &str, words: &str, to: u32| {
        let value = format!("{} {to}", card_value(shown));
        blocks::button(action_id, words, &value, &format!("{words}, page {to}"))
    };
    let mut turns = Vec::new();
    if page > 1 {
        turns.push(turn("page_previous", "Previous page", page - 1));
    }
    if usize::try_from(page).is_ok_and(|page| page < pages) {
        turns.push(turn("page_next", "Next page", page + 1));
    }
    turns
}

/// The pages opened, this one included; numbers that name no page are dropped.
fn with_page(seen: &[u32], page: u32, pages: usize) -> Vec<u32> {
    let exists = |page: &u32| *page >= 1 && usize::try_from(*page).is_ok_and(|page| page <= pages);
    let mut seen: Vec<u32> = seen.iter().copied().filter(exists).collect();
    seen.push(page);
    seen.sort_unstable();
    seen.dedup();
    seen
}

/// Too many to carry are cut: a page that is not recorded counts as not opened.
fn carried(mut seen: Vec<u32>) -> String {
    loop {
        let text = serde_json::to_string(&Carried { seen: seen.clone() }).unwrap_or_default();
        if text.len() <= CARRIED {
            return text;
        }
        seen.pop();
    }
}
