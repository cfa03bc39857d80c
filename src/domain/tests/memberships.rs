//! How long a membership that people may have given themselves is on hold.

use super::fixture::{NOON, document};
use crate::domain::document::{DirectoryDocument, SlackIdentity};
use crate::domain::people::Directory;
use crate::domain::slack_directory::{
    Membership, RecentMembership, SELF_GIVEN_HOLD, SlackDirectory, SyncedGroup,
};
use crate::domain::time::{Span, Timestamp};

fn account(user_id: &str) -> SlackIdentity {
    SlackIdentity {
        team_id: Some("T01TEST".to_owned()),
        enterprise_id: None,
        user_id: user_id.to_owned(),
    }
}

fn synced(
    known: Option<&SyncedGroup>,
    accounts: &[&str],
    given: &str,
    is_chosen: bool,
    at: Timestamp,
) -> SyncedGroup {
    let accounts = accounts.iter().map(|id| account(id)).collect();
    SyncedGroup::synced(known, accounts, |one| *one == account(given), is_chosen, at)
}

fn recent(group: &SyncedGroup) -> Vec<(&str, bool)> {
    let recent = group.recent.iter();
    recent
        .map(|joined| (joined.account.user_id.as_str(), joined.is_held))
        .collect()
}

#[test]
fn accounts_of_the_first_sync_are_held_unless_the_group_was_chosen() {
    for (is_chosen, is_held) in [(true, false), (false, true)] {
        let first = synced(None, &["U1", "U2"], "U2", is_chosen, NOON);
        assert_eq!(recent(&first), [("U1", is_held), ("U2", is_held)]);
    }
}

#[test]
fn accounts_that_join_later_are_held_unless_someone_else_added_them() {
    let first = synced(None, &["U1"], "", true, NOON);
    let at = NOON.plus(SELF_GIVEN_HOLD);
    for is_chosen in [true, false] {
        let second = synced(Some(&first), &["U1", "U2", "U3"], "U3", is_chosen, at);
        assert_eq!(recent(&second), [("U2", true)]);
    }
}

#[test]
fn hold_ends_after_its_time_or_when_the_account_leaves() {
    let first = synced(None, &["U1"], "", false, NOON);
    let end = NOON.plus(SELF_GIVEN_HOLD);
    for (accounts, at, is_held) in [
        (&["U1"][..], Timestamp(end.0 - 1), true),
        (&["U1"], end, false),
        (&["U1"], Timestamp(end.0 + 1), false),
        (&[], NOON, false),
    ] {
        let next = synced(Some(&first), accounts, "", false, at);
        assert_eq!(!next.recent.is_empty(), is_held, "{}", at.rfc3339());
    }
    let membership = |held_until| RecentMembership {
        person: "alice".into(),
        what: Membership::Team("sre".into()),
        since: NOON,
        held_until,
    };
    for (held_until, now, is_over) in [
        (Some(end), Timestamp(end.0 - 1), false),
        (Some(end), end, true),
        (Some(end), Timestamp(end.0 + 1), true),
        (None, end, false),
    ] {
        assert_eq!(membership(held_until).is_hold_over(now), is_over);
    }
}

/// Alice and Bob are in the group of `security`, and Carol is listed in it.
fn security_of_a_group() -> DirectoryDocument {
    let mut directory = document("").directory;
    let security = &mut directory.teams[1];
    security.slack_user_group = Some("S01SECURITY".to_owned());
    security.members = vec!["carol".into()];
    directory
}

/// What is noted at `now` of a group that was synced for the first time at noon.
fn noted(directory: &DirectoryDocument, known: &SlackDirectory, now: Timestamp) -> SlackDirectory {
    let before = Directory::compile_with(directory, known);
    let accounts = &["U01ALICE", "U01BOB", "U01CAROL"];
    let mut next = known.clone();
    let mut group = synced(None, accounts, "", false, NOON);
    group.people = ["alice", "bob", "carol"].map(Into::into).into();
    next.groups.insert("S01SECURITY".to_owned(), group);
    let after = Directory::compile_with(directory, &next);
    next.note_joined(directory, (&before, &after), now);
    next
}

#[test]
fn who_joined_a_group_is_noted_and_on_hold_for_a_while() {
    let mut directory = security_of_a_group();
    directory.users[2].slack.0.push(account("U01CAROL"));
    let end = NOON.plus(SELF_GIVEN_HOLD);
    for (now, held_until) in [
        (NOON, Some(end)),
        (Timestamp(end.0 - 1), Some(end)),
        (end, None),
        (end.plus(Span(1)), None),
    ] {
        let next = noted(&directory, &SlackDirectory::default(), now);
        let of = |person: &str| RecentMembership {
            person: person.into(),
            what: Membership::Team("security".into()),
            since: now,
            held_until,
        };
        // Carol is a member by the configuration
        assert_eq!(next.recent_memberships, [of("alice"), of("bob")]);
        assert!(!next.is_empty());
    }
    assert!(SlackDirectory::default().is_empty());
}

#[test]
fn who_was_a_member_before_has_joined_nothing() {
    let directory = security_of_a_group();
    let mut earlier = synced(None, &["U01BOB"], "", false, NOON);
    earlier.people = ["bob".into()].into();
    let known = SlackDirectory {
        groups: [("S01SECURITY".to_owned(), earlier)].into(),
        ..SlackDirectory::default()
    };
    let next = noted(&directory, &known, NOON);
    let people = next.recent_memberships.iter();
    let people: Vec<&str> = people.map(|one| one.person.as_str()).collect();
    assert_eq!(people, ["alice"]);
}

#[test]
fn account_that_someone_else_added_is_not_on_hold() {
    let directory = security_of_a_group();
    let mut next = SlackDirectory::default();
    let before = Directory::compile_with(&directory, &next);
    let mut group = synced(None, &["U01ALICE", "U01BOB"], "", true, NOON);
    group.people = ["alice", "bob"].map(Into::into).into();
    next.groups.insert("S01SECURITY".to_owned(), group);
    let after = Directory::compile_with(&directory, &next);
    next.note_joined(&directory, (&before, &after), NOON);
    let held = next.recent_memberships.iter().map(|one| one.held_until);
    assert_eq!(held.collect::<Vec<_>>(), [None, None]);
}
