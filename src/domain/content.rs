//! Texts that people approve, such as a diff or a manifest. This module recognises them in a payload and displays them line by
//! line, with invisible characters made visible.

use super::digest::canonical;
use super::text::{is_invisible, is_space};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// A payload that is a text: exactly `{"contentType": .., "text": ..}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Text {
    /// The content type, such as `text/x-diff`.
    pub content_type: String,
    /// The text, byte for byte.
    pub text: String,
}

/// A command with a text as input, as `run` requests it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fed {
    command: Vec<String>,
    input: Text,
}

/// A text in a payload, with the command that receives it as input, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPayload {
    /// The command's arguments.
    pub command: Option<Vec<String>>,
    /// The text.
    pub text: Text,
}

/// Maximum length of a content type, in bytes.
const LONGEST_TYPE: usize = 100;

impl TextPayload {
    /// Reads a canonical payload. Returns `None` unless it is exactly such a text; other payloads are displayed as JSON.
    pub fn read(payload: &str) -> Option<Self> {
        let (found, same) = if payload.starts_with(r#"{"contentType":"#) {
            let text: Text = serde_json::from_str(payload).ok()?;
            let same = canonical(&text).ok()?;
            (
                Self {
                    command: None,
                    text,
                },
                same,
            )
        } else if payload.starts_with(r#"{"command":["#) {
            let fed: Fed = serde_json::from_str(payload).ok()?;
            let same = canonical(&fed).ok()?;
            let (command, text) = (Some(fed.command), fed.input);
            (Self { command, text }, same)
        } else {
            return None;
        };
        // the displayed text must be exactly the bytes that have the digest
        (same == payload && is_content_type(&found.text.content_type)).then_some(found)
    }
}

/// `type/subtype` in ASCII with optional parameters, and no characters that could be misread as something else.
pub fn is_content_type(text: &str) -> bool {
    let name = |part: &str| {
        let sign = |b: u8| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b);
        !part.is_empty() && part.bytes().all(sign)
    };
    let (media, parameters) = text.split_once(';').unwrap_or((text, ""));
    let parameter = |b: u8| b.is_ascii_alphanumeric() || b" =;_.+-".contains(&b);
    text.len() <= LONGEST_TYPE
        && media
            .split_once('/')
            .is_some_and(|(kind, subtype)| name(kind) && name(subtype))
        && parameters.bytes().all(parameter)
}

/// Marks the end of a line where it would be invisible: after an empty line, or after white space or a mark.
const LINE_END: char = '¶';
/// Precedes each tab.
const TAB: char = '→';
/// Follows the last character of a text.
pub const END: char = '∎';
/// Marks where a line is cut and continued on the next one.
pub const CUT: char = '⋯';

/// Appends one character of a text in visible form. The original text can be reconstructed from the result, so a mark never hides
/// what is there.
pub fn push_seen(seen: &mut String, text: &str, at: usize, sign: char) {
    match sign {
        '\n' => {
            if !ends_visibly(&text[..at]) {
                seen.push(LINE_END);
            }
            seen.push('\n');
        }
        '\t' => seen.extend([TAB, '\t']),
        // otherwise a text could pretend to contain an invisible character
        '\\' if text[at + 1..].starts_with("u{") => push_code(seen, sign),
        _ if is_invisible(sign) || (is_space(sign) && sign != ' ') => push_code(seen, sign),
        _ => seen.push(sign),
    }
}

fn ends_visibly(before: &str) -> bool {
    let unlike_a_mark = |last| ![' ', '\t', '\n', LINE_END, CUT, END].contains(&last);
    before.chars().next_back().is_some_and(unlike_a_mark)
}

/// Appends a character as its code point, `\u{202e}`.
pub fn push_code(seen: &mut String, sign: char) {
    write!(seen, "\\u{{{:x}}}", u32::from(sign)).expect("writing to a string cannot fail");
}

/// A whole text in visible form.
pub fn seen(text: &str) -> String {
    let mut seen = String::with_capacity(text.len() + 8);
    for (at, sign) in text.char_indices() {
        push_seen(&mut seen, text, at, sign);
    }
    seen.push(END);
    seen
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reconstructs the text from its visible form.
    pub(crate) fn read_back(seen: &str) -> String {
        let whole = seen.strip_suffix(END).expect("the end is shown");
        let lines: Vec<&str> = whole.split('\n').collect();
        let (last, ended) = lines.split_last().expect("one line at least");
        let ended = ended
            .iter()
            .map(|line| line.strip_suffix(LINE_END).unwrap_or(line));
        let lines: Vec<&str> = ended.chain([*last]).collect();
        let text = lines.join("\n").replace("→\t", "\t");
        let mut parts = text.split("\\u{");
        let mut read = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (code, rest) = part.split_once('}').expect("a code ends");
            let code = u32::from_str_radix(code, 16).expect("a code is hexadecimal");
            read.push(char::from_u32(code).expect("a code is a sign"));
            read.push_str(rest);
        }
        read
    }

    #[test]
    fn line_end_characters_are_made_visible_b13() {
        for (text, shown) in [
            ("tr", "tr∎"),
            ("tr ", "tr ∎"),
            ("tr\n", "tr\n∎"),
            ("tr \n", "tr ¶\n∎"),
            ("tr\r\n", "tr\\u{d}\n∎"),
            ("\n\n", "¶\n¶\n∎"),
            ("\ta\u{a0}b", "→\ta\\u{a0}b∎"),
            ("a\u{202e}b\u{200b}", "a\\u{202e}b\\u{200b}∎"),
            ("\\u{202e} \\d", "\\u{5c}u{202e} \\d∎"),
            ("", "∎"),
        ] {
            assert_eq!(seen(text), shown, "{text:?}");
        }
    }

    #[test]
    fn only_content_type_and_text_make_a_text_payload() {
        let read = |payload: &str| TextPayload::read(payload).map(|found| found.text.text);
        let diff = r#"{"contentType":"text/x-diff","text":"-a\n+b\n"}"#;
        assert_eq!(read(diff).as_deref(), Some("-a\n+b\n"));
        let fed = format!(r#"{{"command":["kubectl","apply"],"input":{diff}}}"#);
        let found = TextPayload::read(&fed).expect("a command with its input");
        assert_eq!(found.command.map_or(0, |words| words.len()), 2);
        for other in [
            "null",
            r#"["text/x-diff","a"]"#,
            r#"{"command":["a"],"input":["text/x-diff","a"]}"#,
            r#"{"command":["a"],"extra":1,"input":{"contentType":"a/b","text":""}}"#,
            r#"{"contentType":"text/x-diff"}"#,
            r#"{"contentType":"text/x-diff","text":1}"#,
            r#"{"contentType":"text/x-diff","text":"a","then":"b"}"#,
            r#"{"contentType":"text/x-diff`*","text":"a"}"#,
            r#"{"contentType":"diff","text":"a"}"#,
            r#"{"contentType":"","text":"a"}"#,
            // the same value in another form has another digest
            r#"{"contentType":"text/x-diff", "text":"a"}"#,
            r#"{"contentType":"text/x-diff","text":"\u0061"}"#,
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn content_types_are_plain() {
        for good in [
            "text/plain",
            "application/yaml",
            "text/x-diff; charset=utf-8",
        ] {
            assert!(is_content_type(good), "{good}");
        }
        let long = format!("text/{}", "x".repeat(200));
        for bad in [
            "",
            "/",
            "text/",
            "/plain",
            "a/b/c",
            "text /x",
            "a/b;<!here>",
            "é/b",
            &long,
        ] {
            assert!(!is_content_type(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_text_can_be_read_back_from_what_is_shown_b12_b13(
            text in prop_oneof!["(?s).{0,60}", "[a\\\\u{}d\n\t\r ¶∎⋯→\u{202e}]{0,60}"]
        ) {
            let shown = seen(&text);
            prop_assert!(!shown.chars().any(|c| is_invisible(c) && c != '\n' && c != '\t'));
            prop_assert_eq!(read_back(&shown), text);
        }
    }
}
