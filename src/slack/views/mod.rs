//! What people see in Slack: pure functions from values to Block Kit. No text depends on the moment of rendering.

pub mod audit;
pub mod blocks;
pub mod break_glass;
pub mod break_glass_form;
pub mod card;
pub mod config_diff;
pub mod content;
pub mod details;
pub mod direct;
pub mod form;
pub mod help;
pub mod home;
pub mod pages;
pub mod phrases;
pub mod policies;
pub mod policy_form;
pub mod reject;
pub mod replies;
pub mod request_form;
pub mod review;
pub mod shared;
pub mod stats;
pub mod text;

pub use card::{card, card_for, card_value, read_value};

use serde_json::{Value, json};

/// Most characters of a message without blocks.
const PLAIN: usize = 12_000;

/// A message: a full sentence for notifications and screen readers, and the blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The sentence, escaped.
    pub text: String,
    /// The blocks; none for a plain answer.
    pub blocks: Vec<Value>,
}

impl Message {
    /// A message without blocks; `text` is mrkdwn whose foreign parts are escaped, and is cut where Slack would refuse it.
    pub fn plain(text: impl AsRef<str>) -> Self {
        Self {
            text: text::cut_markup(text.as_ref(), PLAIN),
            blocks: Vec::new(),
        }
    }

    /// The members of a Web API call's body, or of an answer to a command.
    pub fn body(&self) -> Value {
        if self.blocks.is_empty() {
            json!({ "text": self.text })
        } else {
            json!({ "text": self.text, "blocks": self.blocks })
        }
    }
}

#[cfg(test)]
mod tests;
