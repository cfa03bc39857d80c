//! Colours, which are never the only mark, and text from other people made safe for a terminal.

use crate::domain::text::is_invisible;
use anstyle::{AnsiColor, Style};

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Styles a success.
pub fn good(text: &str) -> String {
    paint(AnsiColor::Green.on_default(), text)
}

/// Styles a failure.
pub fn bad(text: &str) -> String {
    paint(AnsiColor::Red.on_default().bold(), text)
}

/// Styles something pending.
pub fn waiting(text: &str) -> String {
    paint(AnsiColor::Yellow.on_default(), text)
}

/// Styles a heading.
pub fn strong(text: &str) -> String {
    paint(Style::new().bold(), text)
}

/// Styles a side note.
pub fn dim(text: &str) -> String {
    paint(Style::new().dimmed(), text)
}

/// Styles a status in its colour.
pub fn status(text: &str) -> String {
    match text {
        "allowed" | "bypassed" | "approved" | "executed" | "completed" => good(text),
        "rejected" | "cancelled" | "expired" => bad(text),
        "pending" => waiting(text),
        other => plain(other),
    }
}

/// Makes text from other people safe: control characters and characters that reorder or hide text become visible escapes.
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => safe.push(' '),
            c if is_invisible(c) => {
                safe += &escaped(c);
            }
            c => safe.push(c),
        }
    }
    safe
}

fn escaped(c: char) -> String {
    format!("<U+{:04X}>", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidi_characters_are_escaped_on_the_terminal_b13() {
        assert_eq!(plain("deploy\u{1b}[2Kgone"), "deploy<U+001B>[2Kgone");
        assert_eq!(
            plain("a\u{202e}b\u{200b}c\rd\ne"),
            "a<U+202E>b<U+200B>c<U+000D>d e"
        );
        assert_eq!(plain("Zoë’s café 🚀"), "Zoë’s café 🚀");
    }
}
