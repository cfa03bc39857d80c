//! What is sent to Slack as a message. The texts are made in `slack/ui`.

use serde_json::{Value, json};

/// A message: a full sentence for notifications and screen readers, and the blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The sentence, escaped.
    pub text: String,
    /// The blocks; none for a plain answer.
    pub blocks: Vec<Value>,
}

impl Message {
    /// The members of a Web API call's body, or of an answer to a command.
    pub fn body(&self) -> Value {
        if self.blocks.is_empty() {
            json!({ "text": self.text })
        } else {
            json!({ "text": self.text, "blocks": self.blocks })
        }
    }
}
