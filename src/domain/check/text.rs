//! Checks the form of ids, names and other texts of a document.

use crate::domain::text::{self, TextFault};

const ID_LIMIT: usize = 100;
const NAME_LIMIT: usize = 200;
const DESCRIPTION_LIMIT: usize = 4_000;

/// An id: ASCII without spaces, so that no two ids look alike and all can be typed in a command.
pub(super) fn id(id: &str) -> Result<(), String> {
    if id.is_empty() {
        return Err("an id may not be empty".to_owned());
    }
    if id.len() > ID_LIMIT {
        return Err(format!("an id has at most {ID_LIMIT} characters"));
    }
    match id.chars().find(|c| !c.is_ascii_graphic()) {
        None => Ok(()),
        Some(sign) => Err(format!(
            "the id `{}` holds `{}`; an id is letters, digits and signs of ASCII, without spaces",
            id.escape_debug(),
            sign.escape_debug()
        )),
    }
}

/// A display name: 1 to 200 printable characters.
pub(super) fn name(name: &str) -> Result<(), String> {
    if text::is_blank(name) || text::length(name) > NAME_LIMIT {
        return Err(format!("a name has 1 to {NAME_LIMIT} characters"));
    }
    text::check_line(name, NAME_LIMIT).map_err(|fault| fault.to_string())
}

/// A description: up to 4,000 characters, on several lines.
pub(super) fn description(text: &str) -> Result<(), String> {
    if text::length(text) > DESCRIPTION_LIMIT {
        return Err("a description has at most 4,000 characters".to_owned());
    }
    // Windows line ends are allowed
    let plain = text::with_plain_line_ends(text);
    text::control_character(&plain, true)
        .map_or(Ok(()), |sign| Err(TextFault::Control(sign).to_string()))
}

/// A Slack id: one of these first letters, then capital letters and digits.
pub(super) fn slack_id(id: &str, first: &str) -> bool {
    let mut signs = id.chars();
    let starts = signs.next().is_some_and(|sign| first.contains(sign));
    let rest = signs.as_str();
    starts
        && !rest.is_empty()
        && rest
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// A channel id; names are refused, because a channel can be renamed.
pub(super) fn channel(id: &str) -> Result<(), String> {
    if slack_id(id, "CG") {
        Ok(())
    } else {
        Err(format!(
            "`{}` is no channel id; it begins with C and stands at the end of the channel's details in Slack",
            id.escape_debug()
        ))
    }
}
