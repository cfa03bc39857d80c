//! What the security channel is told of a change of the rules or of the people: messages in the very commit that makes the change.

use crate::domain::diff::{Difference, Line, diff};
use crate::domain::document::{ConfigDocument, People};
use crate::domain::id::ChannelId;
use crate::domain::message::Message;
use crate::domain::people::{Directory, Person};
use crate::domain::principal::Principal;

/// The longest message of an announcement, in characters.
const MESSAGE_LENGTH: usize = 2_500;
/// The most messages of one announcement; what does not fit is counted. Two shares of lines fit.
const MESSAGES_LIMIT: usize = 40;
/// What a line starts with that continues the one before it.
const CONTINUED: &str = "… ";
/// The longest reason that is repeated; the whole of it is in the audit log.
const REASON_LENGTH: usize = 300;
/// The longest line. Longer ones that give rights or weaken something continue on the next line; others are cut.
const LINE_LENGTH: usize = 300;
/// The most characters of the lines that give rights, and of those that weaken something: neither leaves the other without room.
const SHARE_LENGTH: usize = 40_000;

/// Parts of the configuration that give rights, or say where cards go: every line of theirs is told before all others, in this order.
const RIGHTS: [&str; 8] = [
    "administrators",
    "breakGlass",
    "routes",
    "services",
    "webhooks",
    "email",
    "directory.slack",
    "directory.teams",
];

/// Where such things are told: in the security channel, without one by the default route.
pub(super) fn place(document: &ConfigDocument) -> Option<&ChannelId> {
    document
        .break_glass
        .as_ref()
        .map(|config| &config.security_channel)
        .or(document.routes.default.as_ref())
}

/// What is told of a change, in the place as it was before it; nothing where it need not be told.
pub(super) fn of_change(
    before: &ConfigDocument,
    (after, version): (&ConfigDocument, i64),
    by: &Principal,
    reason: Option<&str>,
) -> Vec<Message> {
    let difference = diff(before, after);
    let Some(channel) = place(before).filter(|_| difference.is_announced()) else {
        return Vec::new();
    };
    let head = format!("The configuration was changed by {by} (version {version}).");
    let reason = reason.unwrap_or("none given");
    let texts = texts(head, &difference, reason);
    texts.into_iter().map(|text| alert(channel, text)).collect()
}

/// What is told of people who can do more than before because something has changed in Slack.
pub(super) fn of_people(
    document: &ConfigDocument,
    directories: (&Directory, &Directory),
) -> Vec<Message> {
    let head = "After a change in Slack (a user group, or an account) more people have rights:";
    let lines = gained(document, directories, |_, _| true);
    rights(place(document), head, &lines)
}

/// What is told of people to whom a change of the configuration gives rights through a Slack user group, in this place. The lines of
/// the change name all others.
pub(super) fn of_groups(
    channel: Option<&ChannelId>,
    document: &ConfigDocument,
    (before, after): (&Directory, &Directory),
) -> Vec<Message> {
    let head =
        "After a change of the configuration more people have rights through a Slack user group:";
    let by_group = |named: &People, person: &Person| {
        let mut teams = named.teams.iter();
        teams.any(|team| person.teams.contains(team) && !after.is_listed_in(&person.id, team))
    };
    rights(channel, head, &gained(document, (before, after), by_group))
}

fn rights(channel: Option<&ChannelId>, head: &str, lines: &[String]) -> Vec<Message> {
    let Some(channel) = channel.filter(|_| !lines.is_empty()) else {
        return Vec::new();
    };
    let lines: Vec<String> = lines.iter().flat_map(|line| broken(line)).collect();
    let told = pages(head.to_owned(), &lines);
    told.into_iter().map(|text| alert(channel, text)).collect()
}

/// A line for each right that somebody has after a change and had not before, as far as it matters.
fn gained(
    document: &ConfigDocument,
    directories: (&Directory, &Directory),
    matters: impl Fn(&People, &Person) -> bool,
) -> Vec<String> {
    let administrators = &document.administrators;
    let administrators = People {
        users: administrators.users.clone(),
        teams: administrators.teams.clone(),
        org_roles: administrators.org_roles.clone(),
    };
    let mut lines = new_holders(
        &administrators,
        "may change the configuration",
        directories,
        &matters,
    );
    if let Some(config) = &document.break_glass {
        let right = "may start break-glass sessions";
        lines.extend(new_holders(&config.allowed, right, directories, &matters));
    }
    lines
}

fn new_holders(
    named: &People,
    right: &str,
    (before, after): (&Directory, &Directory),
    matters: &impl Fn(&People, &Person) -> bool,
) -> Vec<String> {
    let had = before.among(named);
    let new = after.among(named).into_iter().filter(|person| {
        let mut had = had.iter();
        matters(named, person) && !had.any(|one| after.canonical(&one.id) == &person.id)
    });
    new.map(|person| {
        let from = after
            .entitled_from(named, person)
            .map_or_else(String::new, |from| {
                format!(
                    " from {} on, since nobody else is known to have given it to them",
                    from.utc_minute()
                )
            });
        format!("+ {} ({}) {right}{from}", person.name, person.id)
    })
    .collect()
}

fn alert(channel: &ChannelId, text: String) -> Message {
    Message::Alert {
        channel: channel.clone(),
        text,
    }
}

/// A sentence and the difference, as one message or several: first what gives rights, then what weakens something, then the reason,
/// cut, then the other lines as far as there is room.
pub(super) fn texts(head: String, difference: &Difference, reason: &str) -> Vec<String> {
    let sentence = |line: &Line| format!("{} {}", line.change.sign(), line.text);
    let (mut rights, others): (Vec<&Line>, Vec<&Line>) = difference
        .lines
        .iter()
        .partition(|line| rank(line).is_some());
    rights.sort_by_key(|line| rank(line));
    let weakens = difference.weakens.iter().map(|how| format!("! {how}"));
    let mut first = share(rights.into_iter().map(sentence));
    first.extend(share(weakens));
    let mut messages = pages(head, &first);
    if let Some(last) = messages.last_mut() {
        last.push_str("\nReason: ");
        last.push_str(&cut(reason, REASON_LENGTH));
        append(last, others.into_iter().map(sentence));
    }
    messages
}

/// The place of a line among those that give rights; of people it is their roles that do. Accounts that change hands are told in
/// words of their own.
fn rank(line: &Line) -> Option<usize> {
    let path = &line.path;
    let is_role = path.starts_with("directory.users.") && path.contains(".orgRoles");
    let mut parts = RIGHTS.iter();
    let part = parts.position(|part| path.starts_with(part));
    part.or(is_role.then_some(RIGHTS.len()))
}

/// These texts in full, broken where they are too long, as far as they fit in a share; the rest is counted.
fn share(lines: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    let (mut shown, mut length, mut left) = (Vec::new(), 0, lines.len());
    for line in lines {
        let line = broken(&line);
        length += line
            .iter()
            .map(|part| part.chars().count() + 1)
            .sum::<usize>();
        if length > SHARE_LENGTH {
            shown.push(rest(left));
            break;
        }
        shown.extend(line);
        left -= 1;
    }
    shown
}

/// A text as lines that are not too long, broken after commas where there are some.
fn broken(text: &str) -> Vec<String> {
    let (mut lines, mut line, mut length) = (Vec::new(), String::new(), 0);
    for piece in on_one_line(text).split_inclusive(',') {
        let mut is_too_long = length > 0 && length + piece.chars().count() > LINE_LENGTH;
        for sign in piece.chars() {
            if is_too_long || length == LINE_LENGTH {
                lines.push(std::mem::replace(&mut line, CONTINUED.to_owned()));
                (length, is_too_long) = (CONTINUED.chars().count(), false);
            }
            line.push(sign);
            length += 1;
        }
    }
    lines.push(line);
    lines
}

/// All of these lines, none of them too long, below a sentence, in as many messages as they need.
fn pages(head: String, lines: &[String]) -> Vec<String> {
    let (mut pages, mut page) = (Vec::new(), head);
    for (told, line) in lines.iter().enumerate() {
        if page.chars().count() + line.chars().count() >= MESSAGE_LENGTH {
            if pages.len() + 1 == MESSAGES_LIMIT {
                page.push('\n');
                page += &rest(lines.len() - told);
                break;
            }
            pages.push(std::mem::replace(&mut page, "Continued:".to_owned()));
        }
        page.push('\n');
        page += line;
    }
    pages.push(page);
    pages
}

/// Adds lines as far as there is room, and counts the rest.
fn append(text: &mut String, lines: impl ExactSizeIterator<Item = String>) {
    let mut left = lines.len();
    for line in lines {
        let line = cut(&line, LINE_LENGTH);
        if text.chars().count() + line.chars().count() >= MESSAGE_LENGTH {
            text.push('\n');
            text.push_str(&rest(left));
            return;
        }
        text.push('\n');
        text.push_str(&line);
        left -= 1;
    }
}

fn rest(left: usize) -> String {
    format!("and {left} more; `countersign audit export` has all of them")
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text on one line, cut to so many characters.
fn cut(text: &str, most: usize) -> String {
    let line = on_one_line(text);
    if line.chars().count() <= most {
        return line;
    }
    let mut short: String = line.chars().take(most - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diff::Change;

    fn line(path: &str, value: &str) -> Line {
        Line {
            change: Change::Added,
            text: format!("{path}: {value}"),
            path: path.to_owned(),
        }
    }

    #[test]
    fn rights_are_told_first_and_in_full_and_then_what_weakens_r11() {
        let names: Vec<String> = (0..200).map(|n| format!("\"person-{n}\"")).collect();
        let difference = Difference {
            lines: vec![
                line("directory.users.a:b.orgRoles", "[\"platform-admin\"]"),
                line("administrators.users", &format!("[{}]", names.join(","))),
            ],
            touches: vec!["administrators", "directory"],
            weakens: (0..3_000)
                .map(|n| format!("policy {n} is removed"))
                .collect(),
        };
        let messages = texts("Changed.".to_owned(), &difference, "why");
        for message in &messages {
            assert!(message.chars().count() < 2_900, "{message}");
        }
        let text = messages.concat();
        let place = |what: &str| {
            text.find(what)
                .unwrap_or_else(|| panic!("no {what} in {text}"))
        };
        for name in &names {
            assert!(place("+ administrators.users") < place(name));
            assert!(place(name) < place("+ directory.users.a:b.orgRoles"));
        }
        assert!(place("+ directory.users.a:b.orgRoles") < place("! policy 0 is removed"));
        assert!(place("! policy 999 is removed") < place("more; `countersign audit export`"));
        assert!(place("more; `countersign audit export`") < place("Reason: why"));
    }
}
