//! What the security channel is told of a change of the rules or of the people: messages in the very commit that makes the change.

use crate::domain::diff::{Difference, Line, diff};
use crate::domain::document::{ConfigDocument, People};
use crate::domain::id::ChannelId;
use crate::domain::message::Message;
use crate::domain::people::Directory;
use crate::domain::principal::Principal;

/// The longest message of an announcement, in characters.
const MESSAGE_LENGTH: usize = 2_500;
/// The most messages of one announcement; what does not fit is counted. The names in a line are bounded, so that this takes some
/// thousand weakenings.
const MESSAGES_LIMIT: usize = 20;
/// The longest reason that is repeated; the whole of it is in the audit log.
const REASON_LENGTH: usize = 300;
/// The longest line.
const LINE_LENGTH: usize = 300;

/// Parts of the configuration that give rights, or say where cards go: every line of theirs is told before all others, in this order.
const RIGHTS: [&str; 7] = [
    "administrators",
    "breakGlass",
    "routes",
    "services",
    "webhooks",
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
    let told = told(head, &difference, reason);
    told.into_iter().map(|text| alert(channel, text)).collect()
}

/// What is told of people who can do more than before because something has changed in Slack.
pub(super) fn of_people(
    document: &ConfigDocument,
    (before, after): (&Directory, &Directory),
) -> Vec<Message> {
    let Some(channel) = place(document) else {
        return Vec::new();
    };
    let administrators = &document.administrators;
    let administrators = People {
        users: administrators.users.clone(),
        teams: administrators.teams.clone(),
        org_roles: administrators.org_roles.clone(),
    };
    let mut lines = new_holders(
        &administrators,
        "may change the configuration",
        (before, after),
    );
    if let Some(config) = &document.break_glass {
        let right = "may start break-glass sessions";
        lines.extend(new_holders(&config.allowed, right, (before, after)));
    }
    if lines.is_empty() {
        return Vec::new();
    }
    let head = "After a change in Slack (a user group, or an account) more people have rights:";
    let told = pages(head.to_owned(), &lines);
    told.into_iter().map(|text| alert(channel, text)).collect()
}

fn new_holders(
    named: &People,
    right: &str,
    (before, after): (&Directory, &Directory),
) -> Vec<String> {
    let had = before.among(named);
    let new = after.among(named).into_iter().filter(|person| {
        let mut had = had.iter();
        !had.any(|one| after.canonical(&one.id) == &person.id)
    });
    new.map(|person| {
        let from = after
            .entitled_from(named, person)
            .map_or_else(String::new, |from| {
                format!(
                    " from {} on, since nobody else is known to have given it to them",
                    from.rfc3339()
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

/// A sentence and the difference, as one message or several: first all that weakens something or gives rights, then the reason, cut,
/// then the other lines as far as there is room.
pub(super) fn told(head: String, difference: &Difference, reason: &str) -> Vec<String> {
    let sentence = |line: &Line| format!("{} {}", line.change.sign(), line.text);
    let (mut rights, others): (Vec<&Line>, Vec<&Line>) = difference
        .lines
        .iter()
        .partition(|line| rank(line).is_some());
    rights.sort_by_key(|line| rank(line));
    let weakens = difference.weakens.iter().map(|how| format!("! {how}"));
    let first: Vec<String> = weakens.chain(rights.into_iter().map(sentence)).collect();
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
    let path = line.text.split(':').next().unwrap_or_default();
    let is_role = path.starts_with("directory.users.") && path.contains(".orgRoles");
    let mut parts = RIGHTS.iter();
    let part = parts.position(|part| path.starts_with(part));
    part.or(is_role.then_some(RIGHTS.len()))
}

/// All of these lines below a sentence, in as many messages as they need.
fn pages(head: String, lines: &[String]) -> Vec<String> {
    let (mut pages, mut page) = (Vec::new(), head);
    for (told, line) in lines.iter().enumerate() {
        let line = cut(line, LINE_LENGTH);
        if page.chars().count() + line.chars().count() >= MESSAGE_LENGTH {
            if pages.len() + 1 == MESSAGES_LIMIT {
                page += &rest(lines.len() - told);
                break;
            }
            pages.push(std::mem::replace(&mut page, "Continued:".to_owned()));
        }
        page.push('\n');
        page += &line;
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
            text.push_str(&rest(left));
            return;
        }
        text.push('\n');
        text.push_str(&line);
        left -= 1;
    }
}

fn rest(left: usize) -> String {
    format!("\nand {left} more; `countersign audit export` has all of them")
}

/// A text on one line, cut to so many characters.
fn cut(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let mut short: String = line.chars().take(most - 1).collect();
    short.push('…');
    short
}
