//! What runs, in full: a unified diff in colours with its signs, a text line by line, or JSON. Invisible characters are made visible.

use crate::domain::content::{CUT, TextPayload, seen};
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

/// About how many bytes of a page show what runs; more is shown in several parts.
const PART_BYTES: usize = 48 * 1024;
/// What the tags around a line add, in bytes.
const TAG_BYTES: usize = 32;
/// The most characters of a line; a longer one continues on the next.
const LONGEST_LINE: usize = 2_000;

/// One part of what runs. All parts together are all of it.
pub struct Part {
    /// Its place, counted from 1.
    pub number: usize,
    /// How many there are; at least one.
    pub count: usize,
    /// What it shows.
    pub blocks: Vec<Block>,
}

impl Part {
    /// The part with this number, or the nearest one.
    pub fn of(blocks: Vec<Block>, number: usize) -> Self {
        let mut parts: Vec<Vec<Block>> = vec![Vec::new()];
        let mut left = PART_BYTES;
        for Block { label, lines } in blocks {
            let mut begun = false;
            for line in lines.into_iter().flat_map(shortened) {
                let bytes = escaped_bytes(&line.text) + TAG_BYTES;
                if bytes > left {
                    parts.push(Vec::new());
                    (left, begun) = (PART_BYTES, false);
                }
                left = left.saturating_sub(bytes);
                let Some(part) = parts.last_mut() else {
                    continue;
                };
                match part.last_mut().filter(|_| begun) {
                    Some(block) => block.lines.push(line),
                    None => part.push(Block {
                        label: label.clone(),
                        lines: vec![line],
                    }),
                }
                begun = true;
            }
        }
        let count = parts.len();
        let number = number.clamp(1, count);
        Self {
            number,
            count,
            blocks: parts.swap_remove(number - 1),
        }
    }
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

/// A line that is too long goes on after a mark.
fn shortened(line: Line) -> Vec<Line> {
    let signs: Vec<char> = line.text.chars().collect();
    let pieces = signs.chunks(LONGEST_LINE);
    let last = pieces.len().saturating_sub(1);
    if last == 0 {
        return vec![line];
    }
    let pieces = pieces.enumerate().map(|(at, piece)| {
        let mark = (at < last).then_some(CUT);
        Line {
            tone: line.tone,
            text: piece.iter().copied().chain(mark).collect(),
        }
    });
    pieces.collect()
}

/// The bytes of a text in HTML.
fn escaped_bytes(text: &str) -> usize {
    let entity = |b: u8| matches!(b, b'<' | b'>' | b'&' | b'"' | b'\'');
    text.len() + 4 * text.bytes().filter(|b| entity(*b)).count()
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

    fn block(label: &str, lines: &[String]) -> Block {
        let line = |text: &String| toned(text, no_tone);
        Block {
            label: label.to_owned(),
            lines: lines.iter().map(line).collect(),
        }
    }

    #[test]
    fn all_parts_together_are_all_of_it_and_none_is_large_w7() {
        let command = vec!["[\"kubectl\"]".to_owned()];
        let long: String = "0123456789".repeat(30_000);
        let lines: Vec<String> = (0..4_000)
            .map(|n| format!("+ line {n} <&>"))
            .chain([long])
            .collect();
        let whole = [command.as_slice(), &lines].concat().join("\n");
        let all = || vec![block("The command", &command), block("text/x-diff", &lines)];
        let count = Part::of(all(), 1).count;
        assert!(count > 5, "{count}");
        let mut text = String::new();
        for number in 1..=count {
            let part = Part::of(all(), number);
            assert_eq!((part.number, part.count), (number, count));
            let lines = part.blocks.iter().flat_map(|block| &block.lines);
            let bytes: usize = lines
                .clone()
                .map(|line| escaped_bytes(&line.text) + TAG_BYTES)
                .sum();
            assert!(bytes <= PART_BYTES, "{bytes}");
            for line in lines {
                match line.text.strip_suffix(CUT) {
                    Some(piece) => text.push_str(piece),
                    None => text.extend([&line.text, "\n"]),
                }
            }
        }
        assert!(text.trim_end() == whole, "nothing is left out");
        assert_eq!(Part::of(all(), 0).number, 1);
        assert_eq!(Part::of(all(), usize::MAX).number, count);
        assert_eq!(Part::of(Vec::new(), 1).count, 1);
    }

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
