//! What stands in a channel whose readers belong to another organization as well, in place of reasons, comments and content.

use super::Message;
use super::text::escape;
use crate::slack::api::channels::Audience;

/// Why something is missing, and what to do about it.
pub fn withheld(hint: &str) -> String {
    format!(
        "This channel is (or may be) shared with another organization, so the reason, comments and content are not shown here. {hint}"
    )
}

/// An announcement as these readers may see it: it names policies, people and reasons, so that another organization is told no more
/// than that there is one.
pub fn announcement(text: &str, audience: Audience) -> Message {
    match audience {
        Audience::Own => Message::plain(text.lines().map(escape).collect::<Vec<_>>().join("\n")),
        Audience::Shared => Message::plain(format!(
            "🚨 Countersign has an announcement for this channel. {}",
            withheld(
                "Read it with `countersign audit export`, and set a channel of your own as `breakGlass.securityChannel`."
            )
        )),
    }
}
