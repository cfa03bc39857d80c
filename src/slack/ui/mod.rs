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
pub mod notice;
pub mod on_web;
pub mod pages;
pub mod phrases;
pub mod policies;
pub mod policy_form;
pub mod preferences;
pub mod reject;
pub mod replies;
pub mod request_form;
pub mod review;
pub mod shared;
pub mod stale;
pub mod stats;
pub mod text;
pub mod thread;
pub mod waiting;

pub use crate::slack::api::message::Message;
pub use card::{card, card_for, card_value, linked, read_value};

/// Most characters of a message without blocks.
const PLAIN: usize = 12_000;

impl Message {
    /// A message without blocks; `text` is mrkdwn whose foreign parts are escaped, and is cut where Slack would refuse it.
    pub fn plain(text: impl AsRef<str>) -> Self {
        Self {
            text: text::cut_markup(text.as_ref(), PLAIN),
            blocks: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
