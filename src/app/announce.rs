//! What the security channel is told of a change of the rules: a message in the very commit that makes the change (design 2.2).

use crate::domain::diff::{Difference, diff};
use crate::domain::document::Document;
use crate::domain::id::ChannelId;
use crate::domain::message::Message;
use crate::domain::principal::Principal;

/// The longest announcement, in characters; the rest is counted.
const ANNOUNCED: usize = 2_500;

/// Where such things are told: in the security channel, without one by the default route.
pub(super) fn place(document: &Document) -> Option<&ChannelId> {
    document
        .break_glass
        .as_ref()
        .map(|rules| &rules.security_channel)
        .or(document.routes.default.as_ref())
}

/// What is told of a change, in the place as it was before it; nothing where it need not be told.
pub(super) fn of_change(
    before: &Document,
    (after, version): (&Document, i64),
    by: &Principal,
    reason: Option<&str>,
) -> Option<Message> {
    let difference = diff(before, after);
    let channel = place(before)?.clone();
    difference.is_announced().then(|| {
        let head = format!(
            "The configuration was changed by {by} (version {}). Reason: {}",
            version,
            reason.unwrap_or("none given")
        );
        Message::Alert {
            channel,
            text: told(head, &difference),
        }
    })
}

/// A sentence, and below it the difference line by line, as far as there is room.
pub(super) fn told(mut text: String, difference: &Difference) -> String {
    let mut left = difference.lines.len();
    for line in &difference.lines {
        let line = format!("\n{} {}", line.change.sign(), line.text);
        if text.chars().count() + line.chars().count() > ANNOUNCED {
            let rest = format!("\nand {left} more; `countersign audit export` has all of them");
            text += &rest;
            break;
        }
        text += &line;
        left -= 1;
    }
    text
}
