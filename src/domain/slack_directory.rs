//! The Slack directory: accounts and user groups of the workspace, and memberships that are too new to count for older requests
//! (docs/decisions.md D18).

use super::document::{DirectoryDocument, OidcIdentity, SlackIdentity};
use super::id::{PersonId, RoleId, TeamId};
use super::people::{Directory, Person};
use super::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A sync of a group that is older than this adds nobody to the team. People whom an earlier sync added stay in it.
pub const GROUP_FRESHNESS: Span = Span::minutes(15);

/// The hold: how long a membership that people may have given themselves through a Slack group gives neither administrator rights
/// nor break-glass.
pub const SELF_GIVEN_HOLD: Span = Span::hours(24);

/// The versions of the configuration and the Slack directory. They are separate, so that a change in Slack does not make a
/// configuration draft stale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConfigVersions {
    /// The version of the configuration.
    pub config: i64,
    /// The version of the Slack directory.
    pub directory: i64,
}

/// An account of the home workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncedAccount {
    /// The account's Slack identity.
    pub identity: SlackIdentity,
    /// The display name.
    pub name: String,
    /// Whether the account is not deactivated.
    pub is_active: bool,
    /// Whether the account belongs to a full member, not to a guest.
    pub is_full: bool,
}

/// A Slack user group that is mapped to a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncedGroup {
    /// The accounts in the group at the last sync.
    pub accounts: Vec<SlackIdentity>,
    /// The people whom the group adds to its team.
    pub people: BTreeSet<PersonId>,
    /// When Slack last answered a sync of this group.
    pub synced_at: Timestamp,
    /// Accounts that joined recently and may have added themselves.
    pub recent: Vec<Joined>,
}

/// An account that joined a Slack group and may have added itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// The account.
    pub account: SlackIdentity,
    /// When the account was first seen in the group.
    pub since: Timestamp,
    /// Whether the membership is on hold for administrator rights and break-glass.
    pub is_held: bool,
}

impl SyncedGroup {
    /// The group after a sync at `asked_at` that returned these accounts. `given` says for which accounts it is known that someone
    /// else added them. Accounts of the first sync can have joined in any way; they are not put on hold if the author of the
    /// configuration chose the group with its current members.
    pub fn synced(
        known: Option<&Self>,
        accounts: Vec<SlackIdentity>,
        given: impl Fn(&SlackIdentity) -> bool,
        is_chosen: bool,
        asked_at: Timestamp,
    ) -> Self {
        let before = known.map_or(&[][..], |group| &group.accounts);
        let before: BTreeSet<&SlackIdentity> = before.iter().collect();
        let listed: BTreeSet<&SlackIdentity> = accounts.iter().collect();
        let still = |joined: &&Joined| {
            listed.contains(&joined.account) && asked_at < joined.since.plus(SELF_GIVEN_HOLD)
        };
        let recent = known.map_or(&[][..], |group| &group.recent);
        let mut recent: Vec<Joined> = recent.iter().filter(still).cloned().collect();
        let new = accounts.iter().filter(|account| !before.contains(account));
        let unknown = new.filter(|account| known.is_none() || !given(account));
        recent.extend(unknown.map(|account| Joined {
            account: account.clone(),
            since: asked_at,
            is_held: known.is_some() || !is_chosen,
        }));
        Self {
            people: known.map(|group| group.people.clone()).unwrap_or_default(),
            accounts,
            synced_at: asked_at,
            recent,
        }
    }

    /// The accounts that joined the group without being known to be added by someone else.
    fn joined(&self) -> BTreeMap<&SlackIdentity, &Joined> {
        let by_account = self.recent.iter().map(|joined| (&joined.account, joined));
        by_account.collect()
    }
}

/// When one of the person's accounts joined; of several, one on hold, or else the latest.
fn joined_by<'a>(
    joined: &BTreeMap<&SlackIdentity, &'a Joined>,
    person: &Person,
) -> Option<&'a Joined> {
    let own = person.slack.iter();
    own.filter_map(|account| joined.get(account).copied())
        .max_by_key(|joined| (joined.is_held, joined.since))
}

/// A membership that a person can gain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Membership {
    /// Membership in a team.
    Team(TeamId),
    /// A role.
    Role(RoleId),
    /// Ownership of a Slack account.
    Slack(SlackIdentity),
    /// Ownership of an identity at an `OpenID` provider.
    Oidc(OidcIdentity),
}

/// A membership that a person may have given themselves, or an account that a configuration change linked to them. It does not
/// count for older requests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecentMembership {
    /// The person.
    pub person: PersonId,
    /// What the person gained.
    pub what: Membership,
    /// When the person gained it.
    pub since: Timestamp,
    /// When the hold ends, if there is one.
    pub held_until: Option<Timestamp>,
}

impl RecentMembership {
    /// What identifies it: nobody has two of the same.
    pub fn key(&self) -> (&PersonId, &Membership) {
        (&self.person, &self.what)
    }

    /// Whether there was a hold and it is over.
    pub fn is_hold_over(&self, now: Timestamp) -> bool {
        self.held_until.is_some_and(|until| until <= now)
    }

    /// Whom this concerns after a change of the directory: the person under their current id, and everyone who took over one of
    /// their Slack accounts and did not have the membership before. Nobody if the membership is lost.
    fn holders_after<'a>(
        &'a self,
        (before, after): (&Directory, &'a Directory),
    ) -> BTreeSet<&'a PersonId> {
        let own = after.canonical(&self.person);
        let old = before.person(before.canonical(&self.person));
        let accounts = old.map_or(&[][..], |person| &person.slack);
        let heirs = accounts
            .iter()
            .filter_map(|identity| after.by_identity(identity))
            .map(|heir| &heir.id)
            .filter(|id| !before.has(id, &self.what));
        std::iter::once(own)
            .chain(heirs)
            .filter(|id| after.has(id, &self.what))
            .collect()
    }
}

/// Recent memberships by person: when the person gained the membership, and when the hold ends, if there is one.
type RecentByPerson = BTreeMap<(PersonId, Membership), (Timestamp, Option<Timestamp>)>;

/// Adds a recent membership. If it is there already, the later times hold, so that nothing shortens a hold.
fn keep_later(
    recent: &mut RecentByPerson,
    key: (PersonId, Membership),
    (since, held_until): (Timestamp, Option<Timestamp>),
) {
    let times = recent.entry(key).or_insert((since, held_until));
    *times = (times.0.max(since), times.1.max(held_until));
}

/// Everything learnt from Slack about people, in addition to the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlackDirectory {
    /// The version of the Slack directory.
    pub version: i64,
    /// The groups that are mapped to teams, by Slack id; groups that were never synced are missing.
    pub groups: BTreeMap<String, SyncedGroup>,
    /// The relevant accounts of the workspace.
    pub accounts: Vec<SyncedAccount>,
    /// Memberships that are too new for older requests.
    pub recent_memberships: Vec<RecentMembership>,
}

impl SlackDirectory {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.accounts.is_empty() && self.recent_memberships.is_empty()
    }

    /// Resolves the groups against this document. A group keeps in its team the people it added before, and adds others only while
    /// the last sync is fresh. A group that is not mapped to a team is removed, so that it starts from nothing if it is mapped
    /// again.
    #[must_use]
    pub fn resolve_groups(mut self, document: &DirectoryDocument, now: Timestamp) -> Self {
        let bare = Self {
            accounts: self.accounts.clone(),
            ..Self::default()
        };
        let directory = Directory::compile_with(document, &bare);
        self.groups
            .retain(|id, _| bound_groups(document).any(|bound| bound == id));
        for group in self.groups.values_mut() {
            let accounts = group.accounts.iter();
            let found = accounts.filter_map(|identity| directory.by_identity(identity));
            let mut people: BTreeSet<PersonId> = found.map(|person| person.id.clone()).collect();
            if now.0.saturating_sub(group.synced_at.0) > GROUP_FRESHNESS.0 {
                let before = group.people.iter().map(|id| directory.canonical(id));
                let before: BTreeSet<&PersonId> = before.collect();
                people.retain(|person| before.contains(person));
            }
            group.people = people;
        }
        self
    }

    /// The recent memberships after a change of the directory: earlier ones that still exist, those that `givers` gave themselves
    /// in the change, and the accounts that the change linked to someone.
    #[must_use]
    pub fn recent_memberships_after(
        &self,
        (before, after): (&Directory, &Directory),
        givers: &BTreeSet<PersonId>,
        moved: Vec<(PersonId, Membership)>,
        now: Timestamp,
    ) -> Vec<RecentMembership> {
        let mut recent = RecentByPerson::new();
        for old in &self.recent_memberships {
            for holder in old.holders_after((before, after)) {
                let key = (holder.clone(), old.what.clone());
                keep_later(&mut recent, key, (old.since, old.held_until));
            }
        }
        let own = givers.iter().map(|giver| after.canonical(giver));
        for person in own.filter_map(|giver| after.person(giver)) {
            let teams = person.teams.iter().cloned().map(Membership::Team);
            let roles = person.roles.iter().cloned().map(Membership::Role);
            for what in teams.chain(roles) {
                if !before.has(&person.id, &what) {
                    keep_later(&mut recent, (person.id.clone(), what), (now, None));
                }
            }
        }
        for key in moved {
            keep_later(&mut recent, key, (now, None));
        }
        let row = |((person, what), (since, held_until))| RecentMembership {
            person,
            what,
            since,
            held_until,
        };
        recent.into_iter().map(row).collect()
    }

    /// Records memberships that a Slack group newly gives and that the person may have given themselves: they joined the group, or
    /// they became a person of the directory after joining it.
    pub fn note_joined(
        &mut self,
        document: &DirectoryDocument,
        (before, after): (&Directory, &Directory),
        now: Timestamp,
    ) {
        let mut noted: Vec<RecentMembership> = Vec::new();
        for team in &document.teams {
            let group = team.slack_user_group.as_ref();
            let Some(group) = group.and_then(|id| self.groups.get(id)) else {
                continue;
            };
            let what = Membership::Team(team.id.clone());
            let joined = group.joined();
            let had = |person: &Person| {
                let accounts = person.slack.iter();
                let mut earlier = accounts.filter_map(|identity| before.by_identity(identity));
                before.has(&person.id, &what) || earlier.any(|one| before.has(&one.id, &what))
            };
            let new = after.members(&team.id).filter(|person| !had(person));
            let new = new.filter(|person| !after.is_listed_in(&person.id, &team.id));
            noted.extend(new.filter_map(|person| {
                let joined = joined_by(&joined, person)?;
                let until = joined.since.plus(SELF_GIVEN_HOLD);
                Some(RecentMembership {
                    person: person.id.clone(),
                    what: what.clone(),
                    since: now,
                    held_until: (joined.is_held && now < until).then_some(until),
                })
            }));
        }
        let again: BTreeSet<_> = noted.iter().map(RecentMembership::key).collect();
        self.recent_memberships
            .retain(|old| !again.contains(&old.key()));
        self.recent_memberships.extend(noted);
        self.recent_memberships.sort();
    }
}

/// The Slack user groups that are mapped to teams.
pub fn bound_groups(document: &DirectoryDocument) -> impl Iterator<Item = &str> {
    let teams = document.teams.iter();
    teams.filter_map(|team| team.slack_user_group.as_deref())
}

/// The accounts and identities that a configuration change links to a person or moves to another person. An identity is linked as long
/// as its issuer is the one that people sign in with: another one vouches for people from the moment it is configured.
/// Each directory comes with that issuer.
pub fn moved_accounts(
    before: (&DirectoryDocument, Option<&str>),
    after: (&DirectoryDocument, Option<&str>),
) -> Vec<(PersonId, Membership)> {
    let owners =
        |(document, issuer): (&DirectoryDocument, Option<&str>)| -> BTreeMap<Membership, PersonId> {
            let users = document.users.iter();
            let owned = users.flat_map(|user| {
                let slack = user.slack.0.iter().cloned().map(Membership::Slack);
                let known = user.oidc.iter().filter(|one| issuer == Some(&one.issuer));
                let oidc = known.cloned().map(Membership::Oidc);
                slack.chain(oidc).map(|own| (own, user.id.clone()))
            });
            owned.collect()
        };
    let old = owners(before);
    let new = owners(after).into_iter();
    new.filter(|(own, person)| old.get(own) != Some(person))
        .map(|(own, person)| (person, own))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::{OidcIdentity, SlackIdentities, TeamDocument, UserDocument};

    const NOW: Timestamp = Timestamp(10_000_000);
    const NAMES: [&str; 4] = ["ann", "ben", "cleo", "dora"];

    fn identity(name: &str) -> SlackIdentity {
        SlackIdentity {
            team_id: Some("T1".to_owned()),
            enterprise_id: None,
            user_id: format!("U{}", name.to_uppercase()),
        }
    }

    fn user(name: &str) -> UserDocument {
        UserDocument {
            id: name.into(),
            name: name.to_owned(),
            email: None,
            oidc: Vec::new(),
            slack: SlackIdentities(vec![identity(name)]),
            org_roles: Vec::new(),
        }
    }

    /// Four people, and a team that takes its members from the group S1.
    fn document() -> DirectoryDocument {
        DirectoryDocument {
            users: NAMES.iter().map(|name| user(name)).collect(),
            teams: vec![TeamDocument {
                id: "team".into(),
                name: "Team".to_owned(),
                members: Vec::new(),
                slack_user_group: Some("S1".to_owned()),
            }],
            ..DirectoryDocument::default()
        }
    }

    /// Those of the four whose bit is set.
    fn some(bits: usize) -> impl Iterator<Item = &'static str> {
        let set = move |at: &usize| bits & (1 << at) != 0;
        (0..NAMES.len()).filter(set).map(|at| NAMES[at])
    }

    fn people(bits: usize) -> BTreeSet<PersonId> {
        some(bits).map(PersonId::from).collect()
    }

    fn slack_directory(accounts: usize, given: usize, age: Span) -> SlackDirectory {
        let group = SyncedGroup {
            accounts: some(accounts).map(identity).collect(),
            people: people(given),
            synced_at: Timestamp(NOW.0 - age.0),
            recent: Vec::new(),
        };
        SlackDirectory {
            groups: BTreeMap::from([("S1".to_owned(), group)]),
            ..SlackDirectory::default()
        }
    }

    #[test]
    fn stale_group_gives_nothing_to_new_members() {
        for accounts in 0..16 {
            for given in 0..16 {
                let fresh = slack_directory(accounts, given, GROUP_FRESHNESS)
                    .resolve_groups(&document(), NOW);
                assert_eq!(fresh.groups["S1"].people, people(accounts));
                let old = Span(GROUP_FRESHNESS.0 + 1);
                let stale = slack_directory(accounts, given, old).resolve_groups(&document(), NOW);
                assert_eq!(stale.groups["S1"].people, people(accounts & given));
            }
        }
    }

    #[test]
    fn unbound_group_is_forgotten_and_synced_from_scratch_when_bound_again() {
        let mut unbound = document();
        unbound.teams[0].slack_user_group = None;
        let forgotten = slack_directory(15, 15, Span(0)).resolve_groups(&unbound, NOW);
        assert_eq!(forgotten.groups.len(), 0);
        let bound = forgotten.resolve_groups(&document(), NOW);
        let directory = Directory::compile_with(&document(), &bound);
        assert_eq!(directory.members(&"team".into()).count(), 0);
    }

    #[test]
    fn self_given_membership_stays_recent_until_it_is_lost_b68() {
        let (none, ann) = (
            slack_directory(0, 0, Span(0)),
            slack_directory(1, 1, Span(0)),
        );
        let before = Directory::compile_with(&document(), &none);
        let after = Directory::compile_with(&document(), &ann);
        let givers = |name: &str| BTreeSet::from([PersonId::from(name)]);
        let by_another =
            none.recent_memberships_after((&before, &after), &givers("ben"), Vec::new(), NOW);
        assert_eq!(by_another, []);
        let own = none.recent_memberships_after((&before, &after), &givers("ann"), Vec::new(), NOW);
        let expected = RecentMembership {
            person: "ann".into(),
            what: Membership::Team("team".into()),
            since: NOW,
            held_until: None,
        };
        assert_eq!(own, [expected]);

        let kept = SlackDirectory {
            recent_memberships: own.clone(),
            ..ann
        };
        let unchanged =
            kept.recent_memberships_after((&after, &after), &givers("ann"), Vec::new(), NOW);
        assert_eq!(unchanged, own);
        let lost =
            kept.recent_memberships_after((&after, &before), &givers("ben"), Vec::new(), NOW);
        assert_eq!(lost, []);

        let directory = Directory::compile_with(&document(), &kept);
        for (asked, is_in) in [(NOW.0 - 1, false), (NOW.0, false), (NOW.0 + 1, true)] {
            let then = directory.as_of(Timestamp(asked));
            assert_eq!(then.members(&"team".into()).count() == 1, is_in, "{asked}");
            let ann = directory.person_as_of(&"ann".into(), Timestamp(asked));
            let ann = ann.expect("she is listed");
            assert_eq!(ann.teams.len() == 1, is_in, "{asked}");
            assert_eq!(then.person(&"ann".into()), Some(&*ann), "{asked}");
        }
    }

    #[test]
    fn another_id_of_the_same_account_keeps_the_hold_r18() {
        let mut open = document();
        open.slack.members = true;
        let listed_as = |id: &str| {
            let mut document = open.clone();
            let mut listed = user("zoe");
            listed.id = id.into();
            document.users.push(listed);
            document
        };
        let (zoe, zora) = (listed_as("zoe"), listed_as("zora"));
        let team = Membership::Team("team".into());
        let until = NOW.plus(SELF_GIVEN_HOLD);
        let later = NOW.plus(Span::minutes(1));
        let cases = [
            ("listed", (&open, "UZOE"), (&zoe, "zoe")),
            ("renamed", (&zoe, "zoe"), (&zora, "zora")),
            ("no longer listed", (&zora, "zora"), (&open, "UZOE")),
        ];
        for (case, (before, old_id), (after, new_id)) in cases {
            for giver in ["ben", old_id] {
                let mut known = slack_directory(0, 0, Span(0));
                known.accounts = vec![SyncedAccount {
                    identity: identity("zoe"),
                    name: "Zoe".to_owned(),
                    is_active: true,
                    is_full: true,
                }];
                for group in known.groups.values_mut() {
                    group.accounts = vec![identity("zoe")];
                    group.people = BTreeSet::from([PersonId::from(old_id)]);
                }
                known.recent_memberships = vec![RecentMembership {
                    person: old_id.into(),
                    what: team.clone(),
                    since: NOW,
                    held_until: Some(until),
                }];
                let old = Directory::compile_with(before, &known);
                let mut next = known.clone().resolve_groups(after, later);
                let new = Directory::compile_with(after, &next);
                let givers = BTreeSet::from([PersonId::from(giver)]);
                let moved = moved_accounts((before, None), (after, None));
                next.recent_memberships =
                    known.recent_memberships_after((&old, &new), &givers, moved, later);
                next.note_joined(after, (&old, &new), later);
                let new = Directory::compile_with(after, &next);
                let held = new.held_until(&new_id.into(), &"team".into());
                assert_eq!(held, Some(until), "{case}, by {giver}");
                let then = new.person_as_of(&new_id.into(), NOW).expect("a person");
                assert!(then.teams.is_empty(), "{case}, by {giver}");
                let teams = next.recent_memberships.iter();
                assert_eq!(teams.filter(|one| one.what == team).count(), 1, "{case}");
            }
        }
    }

    #[test]
    fn moved_and_added_accounts_are_found_b68() {
        let mut after = document();
        after.users[0].slack = SlackIdentities(vec![identity("ann"), identity("ben")]);
        after.users[1].slack = SlackIdentities::default();
        after.users.push(user("eve"));
        after.users[2].oidc = vec![OidcIdentity {
            issuer: "https://id.example.com".to_owned(),
            subject: "c-1".to_owned(),
        }];
        let issuer = Some("https://id.example.com");
        let moved = moved_accounts((&document(), issuer), (&after, issuer));
        let named: Vec<(&str, &str)> = moved
            .iter()
            .filter_map(|(person, what)| match what {
                Membership::Slack(identity) => Some((person.as_str(), identity.user_id.as_str())),
                Membership::Oidc(identity) => Some((person.as_str(), identity.subject.as_str())),
                Membership::Team(_) | Membership::Role(_) => None,
            })
            .collect();
        assert_eq!(named, [("ann", "UBEN"), ("eve", "UEVE"), ("cleo", "c-1")]);
    }

    /// An identity that was linked while its issuer vouched for nobody is linked when that issuer is configured.
    #[test]
    fn identities_of_a_new_provider_are_linked_now_b68() {
        let mut people = document();
        people.users[2].oidc = vec![OidcIdentity {
            issuer: "https://evil.example.com".to_owned(),
            subject: "c-1".to_owned(),
        }];
        let evil = Some("https://evil.example.com");
        let moved = |before, after| moved_accounts((&people, before), (&people, after)).len();
        assert_eq!(moved(Some("https://id.example.com"), evil), 1);
        assert_eq!(moved(None, evil), 1);
        assert_eq!(moved(evil, evil), 0);
    }

    #[test]
    fn a_listed_person_is_inactive_when_every_known_account_is_switched_off() {
        let mut document = document();
        document.users[1].slack = SlackIdentities(vec![identity("ben"), identity("bert")]);
        document.users[3].slack = SlackIdentities(vec![identity("dora"), identity("unknown")]);
        let account = |name: &str, is_active| SyncedAccount {
            identity: identity(name),
            name: name.to_owned(),
            is_active,
            is_full: true,
        };
        let slack_directory = SlackDirectory {
            accounts: vec![
                account("ann", false),
                account("ben", false),
                account("bert", true),
                account("dora", false),
            ],
            ..SlackDirectory::default()
        };
        let directory = Directory::compile_with(&document, &slack_directory);
        let active = |id: &str| directory.person(&id.into()).is_some_and(|one| one.active);
        assert!(!active("ann"));
        assert!(active("ben"), "one of two");
        assert!(active("cleo"), "nothing is known of the account");
        assert!(!active("dora"), "nothing is known of the other account");
    }

    #[test]
    fn members_are_people_only_where_the_configuration_says_so_and_never_guests_b28() {
        let account = |name: &str, is_full| SyncedAccount {
            identity: identity(name),
            name: name.to_owned(),
            is_active: true,
            is_full,
        };
        let slack_directory = SlackDirectory {
            accounts: vec![
                account("ann", true),
                account("guest", false),
                account("zoe", true),
            ],
            ..SlackDirectory::default()
        };
        let closed = Directory::compile_with(&document(), &slack_directory);
        assert_eq!(closed.people().count(), NAMES.len());
        let mut open = document();
        open.slack.members = true;
        let open = Directory::compile_with(&open, &slack_directory);
        assert_eq!(open.people().count(), NAMES.len() + 1);
        assert!(open.person(&"UZOE".into()).is_some());
        assert_eq!(open.canonical(&"UANN".into()).as_str(), "ann");
    }
}
