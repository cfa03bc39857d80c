//! Text from people is shown, never obeyed: no mention, link, format or direction of theirs is live (threat SL8).

use crate::domain::content::{push_code, push_seen};
use crate::domain::request_details::PersonSummary;
use crate::domain::text::is_invisible;
use crate::domain::time::Timestamp;
use std::fmt::Write as _;

/// Most characters of a name.
const NAME: usize = 120;

/// Text for mrkdwn: Slack's three signs as entities, marks of formatting and unseen signs in a visible form.
pub fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            // a mark without a partner formats nothing, but it takes two to know that; a twin of it never formats
            '*' => shown.push('∗'),
            '_' => shown.push('ˍ'),
            '~' => shown.push('∼'),
            '`' => shown.push('\''),
            '\n' | '\r' | '\t' => shown.push(' '),
            _ => push_entity(&mut shown, sign),
        }
    }
    unlink(&shown)
}

/// Text for a code span within mrkdwn, where only the three signs and the closing mark mean anything.
pub fn code(text: &str) -> String {
    let mut shown = String::from("`");
    for sign in text.chars() {
        match sign {
            '`' => shown.push('ˋ'),
            '\n' | '\r' | '\t' => shown.push(' '),
            _ => push_entity(&mut shown, sign),
        }
    }
    shown.push('`');
    shown
}

/// Text for plain-text objects, which Slack does not parse: only unseen signs are made visible.
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for sign in text.chars() {
        if is_invisible(sign) && sign != '\n' && sign != '\t' {
            push_code(&mut shown, sign);
        } else {
            shown.push(sign);
        }
    }
    shown
}

/// A sign of canonical JSON for a code block. What would be obeyed becomes the escape that JSON itself has for it, so that the
/// document shown is still the same document.
pub fn push_json(shown: &mut String, sign: char) {
    if sign == '`' {
        shown.push_str("\\u0060");
    } else if is_invisible(sign) {
        let mut units = [0; 2];
        for unit in sign.encode_utf16(&mut units) {
            write_text(shown, format_args!("\\u{unit:04x}"));
        }
    } else {
        push_entity(shown, sign);
    }
}

/// A sign of a text for a code block; marks show what else would not be seen of it.
pub fn push_line_sign(shown: &mut String, text: &str, at: usize, sign: char) {
    match sign {
        // three of them would end the block
        '`' => push_code(shown, sign),
        '&' | '<' | '>' => push_entity(shown, sign),
        _ => push_seen(shown, text, at, sign),
    }
}

fn push_entity(shown: &mut String, sign: char) {
    match sign {
        '&' => shown.push_str("&amp;"),
        '<' => shown.push_str("&lt;"),
        '>' => shown.push_str("&gt;"),
        _ if is_invisible(sign) => push_code(shown, sign),
        _ => shown.push(sign),
    }
}

fn write_text(to: &mut String, text: std::fmt::Arguments<'_>) {
    to.write_fmt(text).expect("writing to a string cannot fail");
}

/// Bare addresses, `@here` and `:codes:` come alive without any markup; a sign that joins nothing keeps them dead.
fn unlink(text: &str) -> String {
    let mut shown = text.replace("://", ":\u{2060}//");
    for alive in ["@here", "@channel", "@everyone", "mailto:", "www."] {
        if shown.to_ascii_lowercase().contains(alive) {
            shown = split_all(&shown, alive);
        }
    }
    without_codes(&shown)
}

/// Puts a word joiner behind the first colon of `:white_check_mark:`, which would be a picture.
fn without_codes(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        let (before, after) = rest.split_at(at + 1);
        shown.push_str(before);
        if after.split_once(':').is_some_and(|(word, _)| is_code(word)) {
            shown.push('\u{2060}');
        }
        rest = after;
    }
    shown + rest
}

/// Puts a word joiner behind the first sign of each `alive`, whatever its case.
fn split_all(text: &str, alive: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut shown = String::with_capacity(text.len() + 8);
    let mut from = 0;
    while let Some(found) = lower[from..].find(alive) {
        let at = from + found + 1;
        shown.push_str(&text[from..at]);
        shown.push('\u{2060}');
        from = at;
    }
    shown + &text[from..]
}

/// Whether this is the name of a picture: `tada`, `+1`, `100`; the minutes of a time are none.
fn is_code(word: &str) -> bool {
    let is_part = |sign: char| sign.is_alphanumeric() || "ˍ_+-'".contains(sign);
    let is_name = |sign: char| !sign.is_ascii_digit();
    word.chars().all(is_part) && (word.chars().any(is_name) || matches!(word, "100" | "1234"))
}

/// At most `most` characters; what is cut says so.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Cuts mrkdwn that is made already, never within an entity or a `<..>` node.
pub fn cut_markup(mrkdwn: &str, most: usize) -> String {
    if mrkdwn.chars().count() <= most {
        return mrkdwn.to_owned();
    }
    let mut kept: String = mrkdwn.chars().take(most - 1).collect();
    let open_node = kept.rfind('<').filter(|at| !kept[*at..].contains('>'));
    let open_entity = kept.rfind('&').filter(|at| !kept[*at..].contains(';'));
    if let Some(at) = [open_node, open_entity].into_iter().flatten().min() {
        kept.truncate(at);
    }
    kept + "…"
}

/// Somebody's text for mrkdwn, at most `most` characters of it in the form that is sent: escaping makes up to nine of one.
pub fn brief(text: &str, most: usize) -> String {
    cut_markup(&escape(&cut(text, most)), most)
}

/// A name for mrkdwn; one that is too long to be read is cut.
pub fn name(name: &str) -> String {
    brief(name, NAME)
}

/// A moment in the reader's own zone, with UTC for where that cannot be shown.
pub fn date(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(1_000);
    format!(
        "<!date^{seconds}^{{date_short_pretty}} {{time}}|{}>",
        at.utc_minute()
    )
}

/// A person who can act, so that Slack tells them; by name where no Slack account is known.
pub fn mention(person: Option<&PersonSummary>, name: &str) -> String {
    let account = person
        .and_then(|person| person.slack.first())
        .map(|identity| identity.user_id.as_str())
        .filter(|id| id.starts_with(['U', 'W']) && id.bytes().all(|b| b.is_ascii_alphanumeric()));
    account.map_or_else(|| self::name(name), |id| format!("<@{id}>"))
}

/// `Bob`, `Bob or Carol`, `Bob, Carol or Dan`, `Bob, Carol and 7 more`.
pub fn any_of(names: &[String], most: usize) -> String {
    any_of_many(names, 0, most)
}

/// The same, where so many besides are not even named.
pub fn any_of_many(names: &[String], besides: usize, most: usize) -> String {
    match names {
        [] => "nobody".to_owned(),
        _ if names.len() + besides > most => {
            let first = &names[..most.min(names.len())];
            let more = names.len() + besides - first.len();
            format!("{} or {more} more", first.join(", "))
        }
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn user_text_is_never_markup_sl8() {
        assert_eq!(
            escape("<!channel> & <@U1|bob>"),
            "&lt;!channel&gt; &amp; &lt;@U1|bob&gt;"
        );
        assert_eq!(escape("&lt;!here&gt;"), "&amp;lt;!here&amp;gt;");
        assert_eq!(escape("a\u{202e}b\u{200b}"), "a\\u{202e}b\\u{200b}");
        assert_eq!(code("x` <@U1> `y"), "`xˋ &lt;@U1&gt; ˋy`");
        assert_eq!(plain("<b>\u{2066}"), "<b>\\u{2066}");
        assert!(!escape("see https://evil.example and @HERE").contains("https://"));
        assert!(!escape("see @HERE").contains("@HERE"));
    }

    #[test]
    fn no_code_of_a_picture_comes_alive() {
        assert_eq!(
            escape(":white_check_mark: approved :+1: at 10:30:15"),
            ":\u{2060}whiteˍcheckˍmark: approved :\u{2060}+1: at 10:30:15"
        );
        assert_eq!(escape("a:100:b: c"), "a:\u{2060}100:\u{2060}b: c");
    }

    #[test]
    fn markup_is_never_cut_in_the_middle() {
        assert_eq!(cut_markup("ab &amp; cd", 6), "ab …");
        assert_eq!(cut_markup("ab <@U123> cd", 8), "ab …");
        assert_eq!(cut_markup("ab <@U1> cd", 10), "ab <@U1> …");
        assert_eq!(cut_markup("abc", 3), "abc");
    }

    #[test]
    fn lists_of_names_read_well() {
        let names: Vec<String> = ["Ann", "Bob", "Cleo"].map(str::to_owned).to_vec();
        assert_eq!(any_of(&names, 5), "Ann, Bob or Cleo");
        assert_eq!(any_of(&names, 2), "Ann, Bob or 1 more");
        assert_eq!(any_of(&names[..1], 5), "Ann");
        assert_eq!(any_of(&[], 5), "nobody");
    }

    #[test]
    fn times_are_the_readers_with_utc_behind() {
        assert_eq!(
            date(Timestamp(1_763_800_000_123)),
            "<!date^1763800000^{date_short_pretty} {time}|2025-11-22 08:26 UTC>"
        );
    }

    proptest! {
        #[test]
        fn no_text_becomes_a_node_sl8(text in "(?s).{0,80}") {
            let shown = escape(&text);
            prop_assert!(!shown.contains(['<', '>', '*', '_', '`', '~', '\n']));
            for part in shown.split('&').skip(1) {
                prop_assert!(["amp;", "lt;", "gt;"].iter().any(|e| part.starts_with(e)));
            }
        }

        #[test]
        fn shown_json_is_the_same_json_sl8(text in "(?s).{0,80}") {
            let json = serde_json::to_string(&text).expect("text is JSON");
            let mut shown = String::new();
            json.chars().for_each(|sign| push_json(&mut shown, sign));
            prop_assert!(!shown.contains('`'));
            let seen = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            prop_assert_eq!(serde_json::from_str::<String>(&seen).expect("still JSON"), text);
        }

        #[test]
        fn cutting_never_breaks(text in "(?s).{0,40}", most in 1_usize..50) {
            prop_assert!(cut(&text, most).chars().count() <= most.max(1));
        }
    }
}
