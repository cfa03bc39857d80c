//! What runs, in full: a unified diff in colours with its signs, a text line by line, or JSON. Invisible characters are made visible.

use crate::domain::content::{TextPayload, seen};
use crate::domain::diff::Change;
use crate::domain::request_details::RequestDetails;

/// One line, and which colour it has.
pub struct Line {
    /// `add`, `del`, `hunk`, `file`, or nothing.
    pub tone: &'static str,
    /// The line.
    pub text: String,
}

/// One part of what runs.
pub struct Block {
    /// What it is.
    pub label: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// The parts of what runs; none where nothing is sent along.
pub fn blocks(shown: &RequestDetails) -> Vec<Block> {
    let payload = &shown.request.payload;
    let mut blocks = Vec::new();
    if let Some(difference) = &shown.difference {
        let lines = difference.lines.iter().map(|line| Line {
            tone: match line.change {
                Change::Added => "add",
                Change::Removed => "del",
                Change::Changed => "hunk",
            },
            text: format!("{} {}", line.change.sign(), seen(&line.text)),
        });
        blocks.push(Block {
            label: "What changes in the configuration".to_owned(),
            lines: lines.collect(),
        });
    }
    if payload == "null" {
        return blocks;
    }
    match TextPayload::read(payload) {
        Some(TextPayload { command, text }) => {
            if let Some(words) = command {
                blocks.push(Block {
                    label: "The command".to_owned(),
                    lines: plain(&serde_json::Value::from(words).to_string()),
                });
            }
            let is_diff = is_diff(&text.content_type, &text.text);
            let tone = if is_diff { diff_tone } else { no_tone };
            let lines = seen(&text.text);
            blocks.push(Block {
                label: text.content_type,
                lines: lines.lines().map(|line| toned(line, tone)).collect(),
            });
        }
        None => blocks.push(Block {
            label: "JSON".to_owned(),
            lines: plain(&pretty(payload)),
        }),
    }
    blocks
}

/// The same JSON over several lines; as it is stored, should it not be readable.
fn pretty(payload: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(payload);
    let pretty = value.and_then(|value| serde_json::to_string_pretty(&value));
    pretty.unwrap_or_else(|_| payload.to_owned())
}

fn plain(text: &str) -> Vec<Line> {
    seen(text)
        .lines()
        .map(|line| toned(line, no_tone))
        .collect()
}

fn toned(line: &str, tone: fn(&str) -> &'static str) -> Line {
    Line {
        tone: tone(line),
        text: line.to_owned(),
    }
}

fn no_tone(_: &str) -> &'static str {
    ""
}

fn is_diff(content_type: &str, text: &str) -> bool {
    let named = content_type.contains("diff") || content_type.contains("patch");
    named || text.starts_with("diff --git ") || text.starts_with("--- ")
}

fn diff_tone(line: &str) -> &'static str {
    let file = ["diff ", "index ", "--- ", "+++ "];
    if file.iter().any(|start| line.starts_with(start)) {
        return "file";
    }
    match line.chars().next() {
        Some('+') => "add",
        Some('-') => "del",
        Some('@') => "hunk",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_diff_have_their_colour() {
        for (line, tone) in [
            ("+++ b/a.yaml", "file"),
            ("+replicas: 3", "add"),
            ("-replicas: 2", "del"),
            ("@@ -1 +1 @@", "hunk"),
            (" same", ""),
        ] {
            assert_eq!(diff_tone(line), tone, "{line}");
        }
        assert!(is_diff("text/x-diff", "") && is_diff("text/plain", "diff --git a b"));
        assert!(!is_diff("text/plain", "hello"));
    }
}
