//! The rules for text that people enter: white space, invisible characters, blank text, line ends, refused characters, and length.
//! The API, Slack forms and commands, the command line and the configuration all use them.
//!
//! A payload is never changed, because its digest covers its exact bytes.

use super::violation::{AskField, Violation, ViolationCode};
use std::borrow::Cow;
use std::fmt;

/// Maximum length of a reason, comment, message or note, in characters.
pub const LONGEST: usize = 4_000;

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFault {
    /// The text contains this control character.
    Control(char),
    /// The text has more characters than this maximum.
    TooLong(usize),
}

impl fmt::Display for TextFault {
    /// The end of a sentence whose subject is the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control(sign) => write!(
                f,
                "contains the control character U+{:04X}; remove it",
                u32::from(*sign)
            ),
            Self::TooLong(most) => {
                let most = grouped(*most);
                write!(f, "is longer than {most} characters; shorten it")
            }
        }
    }
}

/// A number with separators, such as `4,000`.
fn grouped(number: usize) -> String {
    match number / 1_000 {
        0 => number.to_string(),
        thousands => format!("{thousands},{:03}", number % 1_000),
    }
}

/// White space as Unicode defines it, including no-break spaces and line ends.
pub fn is_space(sign: char) -> bool {
    sign.is_whitespace()
}

/// Invisible characters that can change how a text is read: controls, zero-width characters, text direction, fillers, variation
/// selectors, tags.
pub fn is_invisible(sign: char) -> bool {
    sign.is_control()
        || matches!(sign,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether the text displays nothing.
pub fn is_blank(text: &str) -> bool {
    text.chars()
        .all(|sign| is_space(sign) || is_invisible(sign))
}

/// The length of a text in characters, not bytes.
pub fn length(text: &str) -> usize {
    text.chars().count()
}

/// Normalises line ends to `\n`, from `\r\n` (Windows) or `\r` (old Mac).
pub fn with_plain_line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The first control character. If `lines` is set, newline and tab are allowed.
pub fn control_character(text: &str, lines: bool) -> Option<char> {
    text.chars()
        .find(|sign| sign.is_control() && !(lines && matches!(sign, '\n' | '\t')))
}

/// Normalises a text of several lines: normalises line ends and trims white space. A blank text becomes `None`.
pub fn prose(text: &str) -> Result<Option<String>, TextFault> {
    let plain = with_plain_line_ends(text);
    let kept = plain.trim();
    if let Some(sign) = control_character(kept, true) {
        return Err(TextFault::Control(sign));
    }
    if length(kept) > LONGEST {
        return Err(TextFault::TooLong(LONGEST));
    }
    Ok((!is_blank(kept)).then(|| kept.to_owned()))
}

/// Normalises a reason, comment or note; `what` names it in the violation.
pub fn entered(what: &str, text: Option<&str>) -> Result<Option<String>, Violation> {
    let Some(text) = text else { return Ok(None) };
    prose(text).map_err(|fault| {
        let message = format!("the {what} {fault}");
        Violation::new(AskField::Reason, ViolationCode::Payload, message)
    })
}

/// Checks a text of one line, such as a name: at most `most` characters, and no control character.
pub fn check_line(text: &str, most: usize) -> Result<(), TextFault> {
    if let Some(sign) = control_character(text, false) {
        return Err(TextFault::Control(sign));
    }
    if length(text) > most {
        return Err(TextFault::TooLong(most));
    }
    Ok(())
}

/// A name from elsewhere, such as Slack, as one visible line of at most `most` characters; `None` if it is blank.
pub fn shown_name(text: &str, most: usize) -> Option<String> {
    let visible = text.chars().filter(|sign| !is_invisible(*sign)).take(most);
    let name: String = visible.collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_nobody_sees_is_blank_f6() {
        for blank in [
            "",
            " \t\r\n",
            "\u{a0}\u{202f}\u{3000}",
            "\u{200b}\u{feff}\u{2060}",
            "\u{3164}\u{2800}\u{ad}",
            " \u{200d}\u{fe0f} ",
        ] {
            assert!(is_blank(blank), "{blank:?}");
            assert_eq!(prose(blank), Ok(None), "{blank:?}");
            assert_eq!(shown_name(blank, 80), None, "{blank:?}");
        }
        for seen in ["x", "\u{200b}.", "é", "🚀\u{fe0f}"] {
            assert!(!is_blank(seen), "{seen:?}");
        }
    }

    #[test]
    fn line_ends_of_every_system_are_kept_as_newlines_f6() {
        assert_eq!(
            prose("\r\na\r\nb\rc\n\nd\te \r\n"),
            Ok(Some("a\nb\nc\n\nd\te".to_owned()))
        );
        assert!(matches!(
            with_plain_line_ends("a\nb"),
            Cow::Borrowed("a\nb")
        ));
    }

    #[test]
    fn control_characters_and_long_texts_are_refused_with_what_to_do_r31() {
        for (sign, code) in [('\0', "U+0000"), ('\u{1b}', "U+001B"), ('\u{85}', "U+0085")] {
            let fault = prose(&format!("a{sign}b")).expect_err("a control character");
            assert_eq!(
                fault.to_string(),
                format!("contains the control character {code}; remove it")
            );
            assert_eq!(
                check_line(&format!("a{sign}"), 9),
                Err(TextFault::Control(sign))
            );
        }
        assert_eq!(
            prose(&"é".repeat(LONGEST)).map(|text| text.is_some()),
            Ok(true)
        );
        let long = entered("reason", Some(&"é".repeat(LONGEST + 1))).expect_err("too long");
        assert_eq!(
            long.message,
            "the reason is longer than 4,000 characters; shorten it"
        );
        assert_eq!(check_line("a\nb", 9), Err(TextFault::Control('\n')));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_kept_again_f6(text in "(?s)[ab \r\n\t\u{a0}\u{200b}é]{0,8}") {
            let kept = prose(&text).expect("none of these characters is refused");
            let seen = text.contains(['a', 'b', 'é']);
            prop_assert_eq!(kept.is_some(), seen, "{:?}", text);
            if let Some(kept) = kept {
                prop_assert!(!kept.contains('\r') && kept.trim() == kept, "{:?}", kept);
                prop_assert_eq!(prose(&kept), Ok(Some(kept.clone())));
                let visible = |text: &str| text.replace(char::is_whitespace, "");
                prop_assert_eq!(visible(&kept), visible(&text), "only white space is trimmed");
            }
        }
    }
}
