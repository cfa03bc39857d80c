//! The parts of an e-mail, as plain text and as HTML. Every part is one line: nobody's text can look like another part.

use crate::domain::text::{is_invisible, is_space};

/// Most characters of a name in a sentence.
const NAME: usize = 100;
/// Most characters of a fact.
const FACT: usize = 1_000;
/// Most characters of a subject.
const SUBJECT: usize = 180;

/// What every e-mail ends with.
const FOOTER: &str = "You cannot approve or reject by answering this e-mail. It does not show the content of the request.";

/// What an e-mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The subject, on one line.
    pub subject: String,
    sentence: String,
    facts: Vec<(&'static str, String)>,
    next: Option<String>,
    link: Option<String>,
    why: &'static str,
}

impl Letter {
    /// A letter with a subject and its first sentence. `why` says why the recipient receives it and what they can do about it.
    pub fn new(subject: &str, sentence: &str, why: &'static str) -> Self {
        Self {
            subject: line(subject, SUBJECT),
            sentence: line(sentence, FACT),
            facts: Vec::new(),
            next: None,
            link: None,
            why,
        }
    }

    /// Adds a fact; a blank one is left out.
    #[must_use]
    pub fn fact(mut self, label: &'static str, value: &str) -> Self {
        let value = line(value, FACT);
        if !value.is_empty() {
            self.facts.push((label, value));
        }
        self
    }

    /// Says what the recipient can do.
    #[must_use]
    pub fn next(mut self, next: &str) -> Self {
        self.next = Some(line(next, FACT));
        self
    }

    /// Adds the address of the app in Slack.
    #[must_use]
    pub fn link(mut self, link: Option<String>) -> Self {
        self.link = link;
        self
    }

    /// The letter as plain text.
    pub fn text(&self) -> String {
        let facts = self.facts.iter();
        let facts: Vec<String> = facts
            .map(|(label, value)| format!("{label}: {value}"))
            .collect();
        let link = self.link.as_ref();
        let link = link.map(|link| format!("Open Countersign in Slack: {link}"));
        // readers recognise `-- ` as the beginning of a footer
        let footer = format!("-- \n{FOOTER}\n{}", self.why);
        let parts = [
            Some(self.sentence.clone()),
            Some(facts.join("\n")).filter(|facts| !facts.is_empty()),
            self.next.clone(),
            link,
            Some(footer),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        parts.join("\n\n") + "\n"
    }

    /// The letter as HTML: no images, no scripts, no styles from elsewhere.
    pub fn html(&self) -> String {
        let (title, why) = (escape(&self.subject), escape(self.why));
        let row = |(label, value): &(&str, String)| {
            let (label, value) = (escape(label), escape(value));
            format!("<tr><td valign=\"top\"><strong>{label}</strong></td><td>{value}</td></tr>\n")
        };
        let rows: Vec<String> = self.facts.iter().map(row).collect();
        let rows = rows.concat();
        let table = format!("<table role=\"presentation\" cellpadding=\"4\">\n{rows}</table>\n");
        let paragraph = |text: &String| format!("<p>{}</p>\n", escape(text));
        let link = self.link.as_ref().map(|link| {
            let link = escape(link);
            format!("<p><a href=\"{link}\">Open Countersign in Slack</a></p>\n")
        });
        let parts = [
            Some(format!(
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
                 <body style=\"font-family: sans-serif; line-height: 1.4\">\n"
            )),
            Some(paragraph(&self.sentence)),
            Some(table).filter(|_| !rows.is_empty()),
            self.next.as_ref().map(paragraph),
            link,
            Some(format!(
                "<hr>\n<p><small>{FOOTER} {why}</small></p>\n</body>\n</html>\n"
            )),
        ];
        parts.into_iter().flatten().collect()
    }
}

/// A text on one visible line of at most `most` characters.
fn line(text: &str, most: usize) -> String {
    let spaced = text
        .chars()
        .map(|sign| if is_space(sign) { ' ' } else { sign });
    let visible: String = spaced.filter(|sign| !is_invisible(*sign)).collect();
    let line = visible.split(' ').filter(|word| !word.is_empty());
    let line = line.collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let kept: String = line.chars().take(most - 1).collect();
    format!("{}…", kept.trim_end())
}

/// A name within a sentence.
pub(super) fn name(text: &str) -> String {
    line(text, NAME)
}

/// Somebody's text within HTML, in an element or a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_within_its_line_and_element_no13() {
        let hostile =
            "x\r\nBcc: eve@example.com\n\nApproved: <a href='https://evil'>yes</a>\u{202e}\u{200b}";
        let letter = Letter::new(hostile, hostile, "Why.").fact("Reason", hostile);
        assert!(
            !letter.subject.contains(['\r', '\n', '\u{202e}']),
            "{}",
            letter.subject
        );
        let reason = "Reason: x Bcc: eve@example.com Approved: <a href='https://evil'>yes</a>";
        assert!(
            letter.text().lines().any(|line| line == reason),
            "{}",
            letter.text()
        );
        let html = letter.html();
        assert!(
            html.contains("&lt;a href=&#39;https://evil&#39;&gt;yes"),
            "{html}"
        );
        for wrong in ["<a", "<img", "<script", "\u{202e}"] {
            assert!(!html.contains(wrong), "{wrong}: {html}");
        }
    }

    #[test]
    fn long_text_is_cut_and_blank_facts_are_left_out() {
        let letter =
            Letter::new(&"s".repeat(999), "A sentence.", "Why.").fact("Reason", " \u{200b} ");
        assert_eq!(letter.subject.chars().count(), SUBJECT);
        assert!(!letter.text().contains("Reason"));
    }
}
