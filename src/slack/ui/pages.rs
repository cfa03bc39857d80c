//! What is approved, cut into pages and code blocks for people to read; nothing is left out and nothing is unseen (threats B13, SL9).

use super::{blocks, text};
use crate::domain::content::{CUT, END};
use serde_json::Value;
use std::ops::Range;

/// Most shown characters of one code block.
pub(super) const BLOCK: usize = 2_900;
/// Most bytes of JSON of one page, so that a view stays far below what Slack echoes back (docs/decisions.md D32).
const PAGE_BYTES: usize = 24_000;

/// Canonical JSON, and behind it perhaps a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    whole: String,
    /// Where the text begins.
    text_from: Option<usize>,
}

impl Reading {
    /// JSON alone.
    pub fn json(json: String) -> Self {
        Self {
            whole: json,
            text_from: None,
        }
    }

    /// JSON, perhaps empty, and a text.
    pub fn with_text(mut json: String, text: &str) -> Self {
        let text_from = Some(json.len());
        json.push_str(text);
        Self {
            whole: json,
            text_from,
        }
    }

    /// How many characters there are to read.
    pub fn characters(&self) -> usize {
        self.whole.chars().count()
    }

    /// How many lines the text has.
    pub fn lines(&self) -> usize {
        let text = self.text_from.map_or("", |from| &self.whole[from..]);
        text.bytes().filter(|b| *b == b'\n').count()
    }

    /// Cut into pages, each within a view's limits; joined they are the whole.
    pub fn pages(&self) -> Vec<Page<'_>> {
        let cost = |shown: &str| Value::from(shown).to_string().len() - 2;
        self.split(0..self.whole.len(), PAGE_BYTES, cost)
            .into_iter()
            .map(|range| Page {
                reading: self,
                range,
            })
            .collect()
    }

    /// All of it as code blocks.
    pub fn blocks(&self) -> Vec<Value> {
        self.blocks_of(0..self.whole.len())
    }

    /// Code blocks within a section's limits; JSON and text never share one.
    fn blocks_of(&self, range: Range<usize>) -> Vec<Value> {
        let (json, text) = match self.text_from {
            Some(from) if from <= range.start => (None, Some(range)),
            Some(from) if from <= range.end => (Some(range.start..from), Some(from..range.end)),
            Some(_) | None => (Some(range), None),
        };
        let is_end = |part: &Range<usize>| part.end == self.whole.len();
        let text = text.filter(|part| !part.is_empty() || is_end(part));
        let json = json.filter(|part| !part.is_empty());
        let parts = json.into_iter().chain(text);
        parts
            .flat_map(|part| self.split(part, BLOCK, |shown| shown.chars().count()))
            .map(|part| blocks::section(&self.block(&part)))
            .collect()
    }

    fn block(&self, part: &Range<usize>) -> String {
        let mut shown = String::new();
        for (at, sign) in self.whole[part.clone()].char_indices() {
            self.push(&mut shown, part.start + at, sign);
        }
        if self.text_from.is_none_or(|from| part.start < from) {
            return format!("```{shown}```");
        }
        // a text's end is marked, and where it goes on below in the middle of a line
        if part.end == self.whole.len() {
            shown.push(END);
        } else if !shown.ends_with('\n') {
            shown.push(CUT);
        }
        // behind the fence a new line begins, or Slack would trim what indents the first one
        format!("```\n{}\n```", shown.strip_suffix('\n').unwrap_or(&shown))
    }

    fn push(&self, shown: &mut String, at: usize, sign: char) {
        match self.text_from {
            Some(from) if at >= from => {
                text::push_line_sign(shown, &self.whole[from..], at - from, sign);
            }
            Some(_) | None => text::push_json(shown, sign),
        }
    }

    /// Cuts where the cost of the shown form would exceed `most`: behind a line of the text where that is near, never within a
    /// character.
    fn split(
        &self,
        range: Range<usize>,
        most: usize,
        cost: impl Fn(&str) -> usize,
    ) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let (mut start, mut spent) = (range.start, 0);
        let mut line = None;
        let mut shown = String::new();
        for (at, sign) in self.whole[range.clone()].char_indices() {
            let at = range.start + at;
            shown.clear();
            self.push(&mut shown, at, sign);
            let price = cost(&shown);
            // the end of a line stays with it; there is room for it
            if spent + price > most && sign != '\n' {
                let (cut, by_then) = line
                    .take()
                    .filter(|(_, by_then)| *by_then > most / 2)
                    .unwrap_or((at, spent));
                parts.push(start..cut);
                (start, spent) = (cut, spent - by_then);
            }
            spent += price;
            if sign == '\n' && self.text_from.is_some_and(|from| at >= from) {
                line = Some((at + 1, spent));
            }
        }
        parts.push(start..range.end);
        parts
    }
}

/// A page of what is approved.
#[derive(Debug)]
pub struct Page<'a> {
    reading: &'a Reading,
    range: Range<usize>,
}

impl Page<'_> {
    /// How many of the characters are on this page.
    pub fn characters(&self) -> usize {
        self.reading.whole[self.range.clone()].chars().count()
    }

    /// The page as code blocks.
    pub fn blocks(&self) -> Vec<Value> {
        self.reading.blocks_of(self.range.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::content::tests::read_back;
    use proptest::prelude::*;

    fn within_limits(page: &Page<'_>) -> Result<(), TestCaseError> {
        let blocks = page.blocks();
        prop_assert!(blocks.len() <= 30, "{}", blocks.len());
        let json = Value::from(blocks.clone()).to_string();
        prop_assert!(json.len() < 40_000, "{}", json.len());
        for block in blocks {
            let text = block["text"]["text"].as_str().unwrap_or_default();
            let length = text.chars().count();
            prop_assert!(length <= blocks::SECTION && length > 6, "{length}");
            // a block with nothing to see in it would hide that it is there
            prop_assert!(text.trim_matches('`').chars().any(|c| !c.is_whitespace()));
        }
        Ok(())
    }

    /// What a person reads in all the blocks of all the pages.
    fn read(reading: &Reading) -> String {
        let mut read = String::new();
        for block in reading.pages().iter().flat_map(Page::blocks) {
            let text = block["text"]["text"].as_str().expect("a text");
            let text = text.replace("&lt;", "<").replace("&gt;", ">");
            let text = text.replace("&amp;", "&");
            match text
                .strip_prefix("```\n")
                .and_then(|rest| rest.strip_suffix("\n```"))
            {
                Some(lines) => match lines.strip_suffix(CUT) {
                    Some(cut) => read.push_str(cut),
                    None if lines.ends_with(END) => read.push_str(lines),
                    None => {
                        read.push_str(lines);
                        read.push('\n');
                    }
                },
                None => read.push_str(text.trim_matches('`')),
            }
        }
        read
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn pages_hide_nothing_sl9(filler in 0_usize..60_000, harm in "[a-z<&`\u{202e}é😀]{1,40}") {
            let content = format!("{}{harm}{}", "<é😀\"".repeat(filler / 4), "x".repeat(filler));
            let reading = Reading::json(content.clone());
            let pages = reading.pages();
            let joined: String = pages.iter().map(|page| &reading.whole[page.range.clone()]).collect();
            prop_assert_eq!(joined, content);
            pages.iter().try_for_each(within_limits)?;
        }

        #[test]
        fn a_text_can_be_read_back_from_its_pages_sl9_b13(
            lines in prop::collection::vec(prop_oneof![
                Just(String::new()),
                "[ \t]{0,4}[a-z<&`\u{202e}é😀\\\\¶⋯∎ \r]{0,90}[ ]{0,2}",
                Just("⋯".to_owned()),
                Just("long ".repeat(900)),
                Just("\t`<&>`\u{200b}".repeat(400)),
            ], 0..40),
            head in prop_oneof![Just(String::new()), Just("{\"command\":[\"sh\"]}".to_owned())],
        ) {
            let text = lines.join("\n");
            let reading = Reading::with_text(head.clone(), &text);
            reading.pages().iter().try_for_each(within_limits)?;
            let read = read(&reading);
            let shown = read.strip_prefix(&head).expect("the head comes first");
            prop_assert_eq!(read_back(shown), text);
        }
    }

    #[test]
    fn lines_stay_whole_where_they_can() {
        let text = "0123456789 abcdefghijklmnop\n".repeat(400);
        let reading = Reading::with_text(String::new(), &text);
        let blocks = reading.blocks();
        assert_eq!(blocks.len(), 4);
        for block in blocks {
            assert!(!block.to_string().contains(CUT), "{block}");
        }
    }
}
