//! What the directory knows of accounts and identities: who is behind them, since when, and whether they may act.

use super::fixture::document;
use crate::domain::document::{DirectoryDocument, OidcIdentity, SlackIdentity};
use crate::domain::people::{Directory, SlackAccount};
use crate::domain::sign_in::Identity;
use crate::domain::slack_directory::{Membership, RecentMembership, SlackDirectory, SyncedAccount};
use crate::domain::time::Timestamp;

const LINKED: Timestamp = Timestamp(1_000_000);

fn identity(user: &str) -> SlackIdentity {
    SlackIdentity {
        team_id: Some("T01TEST".to_owned()),
        enterprise_id: None,
        user_id: user.to_owned(),
    }
}

fn account(user: &str) -> SlackAccount {
    SlackAccount {
        enterprise_id: None,
        team_id: "T01TEST".to_owned(),
        user_id: user.to_owned(),
    }
}

fn login(subject: &str) -> OidcIdentity {
    OidcIdentity {
        issuer: "https://login.example".to_owned(),
        subject: subject.to_owned(),
    }
}

/// Bob also signs in as `bob` at a provider.
fn people() -> DirectoryDocument {
    let mut directory = document("").directory;
    directory.users[1].oidc = vec![login("bob")];
    directory
}

fn recent(what: Membership) -> Directory {
    let known = SlackDirectory {
        recent_memberships: vec![RecentMembership {
            person: "bob".into(),
            what,
            since: LINKED,
            held_until: None,
        }],
        ..SlackDirectory::default()
    };
    Directory::compile_with(&people(), &known)
}

/// Bob has a guest's account besides that of a full member.
fn synced_people() -> Directory {
    let synced = |user: &str, is_active: bool, is_full: bool| SyncedAccount {
        identity: identity(user),
        name: user.to_owned(),
        is_active,
        is_full,
    };
    let known = SlackDirectory {
        accounts: vec![
            synced("U01ALICE", true, true),
            synced("U01BOB", true, false),
            synced("U02BOB", false, true),
            synced("U03BOB", true, true),
        ],
        ..SlackDirectory::default()
    };
    let mut people = people();
    people.users[1].slack.0.push(identity("U03BOB"));
    Directory::compile_with(&people, &known)
}

#[test]
fn accounts_of_guests_and_deactivated_accounts_are_refused_sl5() {
    let directory = synced_people();
    let refused = |user: &str| directory.is_refused(&account(user));
    assert!(!refused("U01ALICE") && !refused("U09NEW"));
    assert!(refused("U01BOB") && refused("U02BOB"));
}

#[test]
fn refused_account_signs_nobody_in_sl5() {
    let directory = synced_people();
    for (user, person) in [
        ("U01ALICE", Some("alice")),
        ("U03BOB", Some("bob")),
        ("U01BOB", None),
        ("U09NEW", None),
    ] {
        let found = Identity::Slack(account(user));
        let found = found.person(&directory).map(|one| one.id.as_str());
        assert_eq!(found, person, "{user}");
    }
}

#[test]
fn identity_is_one_persons_and_new_for_older_requests_b68() {
    let directory = Directory::compile(&people());
    let found = directory.by_oidc(&login("bob"));
    assert_eq!(found.map(|one| one.id.as_str()), Some("bob"));
    assert_eq!(directory.by_oidc(&login("alice")), None);
    let own = Membership::Oidc(login("bob"));
    assert!(directory.has(&"bob".into(), &own) && !directory.has(&"alice".into(), &own));
    assert!(!directory.is_oidc_linked_since(&login("bob"), LINKED));

    let (before, after) = (LINKED, Timestamp(LINKED.0 + 1));
    let directory = recent(own);
    assert!(directory.is_oidc_linked_since(&login("bob"), before));
    assert!(!directory.is_oidc_linked_since(&login("bob"), after));
    assert!(!directory.is_oidc_linked_since(&login("alice"), before));
    assert!(!directory.is_linked_since(&account("U01BOB"), before));
}

#[test]
fn account_is_new_for_older_requests_b68() {
    let (before, after) = (LINKED, Timestamp(LINKED.0 + 1));
    let directory = recent(Membership::Slack(identity("U01BOB")));
    assert!(directory.is_linked_since(&account("U01BOB"), before));
    assert!(!directory.is_linked_since(&account("U01BOB"), after));
    assert!(!directory.is_linked_since(&account("U01ALICE"), before));
    assert!(!directory.is_linked_since(&account(""), before), "nobody");
    assert!(!directory.is_oidc_linked_since(&login("bob"), before));
}

#[test]
fn configured_memberships_and_earlier_ids_are_known() {
    let directory = Directory::compile(&people());
    assert!(directory.is_listed_in(&"alice".into(), &"sre".into()));
    assert!(!directory.is_listed_in(&"carol".into(), &"sre".into()));

    let known = SlackDirectory {
        accounts: vec![SyncedAccount {
            identity: identity("U01BOB"),
            name: "Bob".to_owned(),
            is_active: true,
            is_full: true,
        }],
        ..SlackDirectory::default()
    };
    let directory = Directory::compile_with(&people(), &known);
    let (bob, alice) = ("bob".into(), "alice".into());
    let ids = |id| -> Vec<String> { directory.ids_of(id).map(ToString::to_string).collect() };
    assert_eq!(ids(&bob), ["bob", "U01BOB"]);
    assert_eq!(ids(&alice), ["alice"]);
}
