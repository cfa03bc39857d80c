//! The lines under a card: one for each decision and each reminder.

use super::text::{date, name};
use super::{Message, phrases};
use crate::app::WaitingDetails;
use crate::domain::decision::Decision;
use crate::domain::request::State;
use crate::domain::request_details::RequestDetails;
use crate::slack::api::channels::Audience;

/// One short line for each decision, and the reminder; another organization is not shown the comments.
pub fn lines(
    shown: &RequestDetails,
    decisions: &[&Decision],
    waiting: Option<&WaitingDetails>,
    audience: Audience,
) -> Message {
    let decisions = decisions
        .iter()
        .map(|decision| phrases::decision_line_for(shown, decision, audience));
    let lines: Vec<String> = decisions.chain(waiting.map(reminder)).collect();
    Message::plain(lines.join("\n"))
}

/// Names without mentions: who wants to be told is told by direct message.
fn reminder(waiting: &WaitingDetails) -> String {
    let shown = &waiting.shown;
    let who = super::waiting::names(shown, &waiting.asked);
    let expiry = match &shown.request.state {
        State::Pending { expires_at } => format!("; it expires {}", date(*expires_at)),
        _ => String::new(),
    };
    if who.is_empty() {
        let requester = name(&shown.who(&shown.request.requester));
        return format!("Reminder: this request of {requester} still waits{expiry}.");
    }
    format!("Reminder: still waits for {who}{expiry}.")
}
