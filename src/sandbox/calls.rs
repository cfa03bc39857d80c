//! The log of the bot's Web API calls.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

/// How many calls are kept in full; the counts include all calls.
const REMEMBERED: usize = 1_000;

/// How many of the bot's mistakes are kept.
const MISTAKES: usize = 100;

/// Errors that a correct bot never causes, whatever people do.
const OWN_FAULT: [&str; 12] = [
    "unknown_method",
    "not_authed",
    "invalid_auth",
    "invalid_arguments",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_metadata_format",
    "metadata_too_large",
    "msg_too_long",
    "msg_blocks_too_long",
    "no_text",
    "view_too_large",
];

/// One call of the Web API.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method: `chat.postMessage`, or `response_url`.
    pub method: String,
    /// The arguments, without the token.
    pub args: Value,
    /// The workspace's time of the call, in milliseconds since 1970.
    pub at_ms: i64,
    /// The error or the fault; `None` if the call succeeded.
    pub error: Option<String>,
}

/// The calls so far.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    counts: BTreeMap<String, u64>,
    recent: VecDeque<Call>,
    mistakes: Vec<String>,
}

impl CallLog {
    pub(super) fn record(&mut self, call: Call) {
        *self.counts.entry(call.method.clone()).or_default() += 1;
        let error = call.error.as_deref().unwrap_or_default();
        let first_word = error.split(':').next().unwrap_or_default();
        if OWN_FAULT.contains(&first_word) && self.mistakes.len() < MISTAKES {
            self.mistakes
                .push(format!("{} was refused: {error}", call.method));
        }
        self.recent.push_back(call);
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
    }

    pub(super) fn count(&self, method: &str) -> u64 {
        self.counts.get(method).copied().unwrap_or_default()
    }

    pub(super) fn recent(&self, method: &str) -> Vec<Call> {
        let wanted = |call: &&Call| call.method == method;
        self.recent.iter().filter(wanted).cloned().collect()
    }

    pub(super) fn mistakes(&self) -> &[String] {
        &self.mistakes
    }

    pub(super) fn forgive(&mut self) {
        self.mistakes.clear();
    }
}
