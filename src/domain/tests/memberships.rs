//! How long a membership that people may have given themselves is on hold.

use super::fixture::NOON;
use crate::domain::document::SlackIdentity;
use crate::domain::slack_directory::{Membership, RecentMembership, SELF_GIVEN_HOLD, SyncedGroup};
use crate::domain::time::Timestamp;

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
