//! Renders Slack's `<...>` markup and entities as plain text.

use super::state::State;

/// The text that a person reads: mentions by name, links with their address, dates by their fallback.
pub(super) fn plain(state: &State, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, marked) = rest.split_at(start);
        out.push_str(&unescape(before));
        let Some(end) = marked.find('>') else {
            out.push_str(&unescape(marked));
            return out;
        };
        out.push_str(&mark(state, &marked[1..end]));
        rest = &marked[end + 1..];
    }
    out.push_str(&unescape(rest));
    out
}

fn mark(state: &State, inner: &str) -> String {
    let (target, label) = match inner.split_once('|') {
        Some((target, label)) => (target, Some(unescape(label))),
        None => (inner, None),
    };
    if let Some(id) = target.strip_prefix('@') {
        return format!("@{}", state.users.get(id).map_or(id, |user| &user.name));
    }
    if let Some(id) = target.strip_prefix('#') {
        return format!(
            "#{}",
            state.channels.get(id).map_or(id, |channel| &channel.name)
        );
    }
    if let Some(id) = target.strip_prefix("!subteam^") {
        return format!(
            "@{}",
            state.groups.get(id).map_or(id, |group| &group.handle)
        );
    }
    if target.starts_with("!date^") {
        return label.unwrap_or_else(|| target.to_owned());
    }
    if let Some(special) = target.strip_prefix('!') {
        return format!("@{special}");
    }
    let address = unescape(target);
    match label {
        Some(label) if label != address => format!("{label} ({address})"),
        _ => address,
    }
}

/// Replaces the three entities that Slack uses, the ampersand last.
pub(super) fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}
