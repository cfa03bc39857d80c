//! The notice of a request in the channel in which it was asked: that it exists, how it stands, and where its card is. It shows no
//! content and has no buttons; its thread has the same lines as the card's.

use super::text::cut_markup;
use super::{Message, blocks, phrases};
use crate::domain::id::ChannelId;
use crate::domain::request_details::RequestDetails;
use crate::slack::api::channels::Audience;

/// Channels that are named before the rest is left out.
const CHANNELS_SHOWN: usize = 3;

/// The notice as it stands now; `cards` are the channels that show the card.
pub fn notice(shown: &RequestDetails, cards: &[&ChannelId], audience: Audience) -> Message {
    let line = phrases::list_line(shown);
    let more = if shown.is_pending() {
        pending(shown, cards)
    } else {
        match audience {
            Audience::Own => phrases::outcome_line(shown),
            Audience::Shared => phrases::outcome_line_without_reason(shown),
        }
    };
    Message {
        text: cut_markup(&line.replace('*', ""), 1_500),
        blocks: vec![
            blocks::section_brief(&line, 1_500),
            blocks::context(&[cut_markup(&more, 1_500)]),
        ],
    }
}

/// Names without mentions: whoever is asked is told elsewhere.
fn pending(shown: &RequestDetails, cards: &[&ChannelId]) -> String {
    let who = phrases::who_can(shown);
    let channels: Vec<String> = cards
        .iter()
        .take(CHANNELS_SHOWN)
        .map(|channel| format!("<#{channel}>"))
        .collect();
    match channels.as_slice() {
        [] => format!("Waits for {who}."),
        [one] => format!("Waits for {who}. The card is in {one}."),
        several => format!("Waits for {who}. The cards are in {}.", several.join(", ")),
    }
}
