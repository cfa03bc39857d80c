//! How text is written into a page: the signs of HTML as entities, and unseen signs in a visible form, whoever wrote the text.

use crate::domain::text::is_invisible;
use askama::filters::{Escaper, Html};
use std::fmt::{Result, Write};

/// The escaper of all pages (`askama.toml`).
#[derive(Debug, Clone, Copy)]
pub struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut page: W, text: &str) -> Result {
        let mut from = 0;
        for (at, sign) in text.char_indices() {
            if is_invisible(sign) && !matches!(sign, '\n' | '\t') {
                Html.write_escaped_str(&mut page, &text[from..at])?;
                write!(page, "\\u{{{:x}}}", u32::from(sign))?;
                from = at + sign.len_utf8();
            }
        }
        Html.write_escaped_str(page, &text[from..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use askama::Template;

    /// A template as all pages have it.
    #[derive(Template)]
    #[template(
        source = "<p>{{ text }}</p>",
        ext = "html",
        config = "src/web/askama.toml"
    )]
    struct Line<'a> {
        text: &'a str,
    }

    #[test]
    fn every_template_writes_texts_this_way_w6() {
        let text = "v2.0\u{202e}<b>";
        let page = Line { text }.render().expect("a page");
        assert_eq!(page, "<p>v2.0\\u{202e}&#60;b&#62;</p>");
    }

    #[test]
    fn unseen_signs_are_visible_and_html_is_text_w6() {
        let mut page = String::new();
        Visible
            .write_escaped_str(&mut page, "v2.0\u{202e}1.0-\n<b>\u{200b}&")
            .expect("a string");
        assert_eq!(page, "v2.0\\u{202e}1.0-\n&#60;b&#62;\\u{200b}&#38;");
    }
}
