//! People from Slack: what it tells of its user groups and members becomes part of the directory (design 2.5). An answer that is late,
//! or does not come, never adds anybody.

use super::announce;
use super::{App, AppError};
use crate::domain::audit::What;
use crate::domain::document::{DirectoryDocument, Document, SlackIdentity};
use crate::domain::id::{PersonId, PolicyId, TeamId};
use crate::domain::message::Message;
use crate::domain::people::Directory;
use crate::domain::principal::Caller;
use crate::domain::roster::{Account, FRESH, Gained, Group, Membership, Roster, bound_groups};
use crate::domain::rules::Rules;
use crate::domain::time::{Span, Timestamp};
use crate::store::Tx;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long what Slack told does before it is asked again.
const ASK_AGAIN: Span = Span::minutes(5);
/// So many people are named in an audit row; the rest is counted.
const NAMED: usize = 500;

/// A user group as Slack tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardGroup {
    /// Its id (`S..`).
    pub id: String,
    /// Who is in it.
    pub accounts: Vec<SlackIdentity>,
    /// Who changed it last.
    pub updated_by: Option<SlackIdentity>,
}

/// What Slack must be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// Who is in its groups.
    pub groups: bool,
    /// Who its members are.
    pub members: bool,
}

impl App {
    /// What Slack has not told yet, or too long ago.
    pub async fn people_due(&self) -> Result<Due, AppError> {
        let (rules, heard) = self.heard().await?;
        let document = &rules.document().directory;
        let now = self.now();
        let old = |at: Option<&Timestamp>| at.is_none_or(|at| at.plus(ASK_AGAIN) <= now);
        Ok(Due {
            groups: bound_groups(document).any(|id| old(heard.groups.get(id))),
            // an edit may have listed accounts of which nothing is known yet
            members: wants_members(document)
                && (old(heard.members.as_ref()) || heard.members < heard.configured),
        })
    }

    /// What is not known of people, a sentence each: nobody new comes in by it until Slack answers.
    pub async fn people_trouble(&self) -> Result<Vec<String>, AppError> {
        let (rules, heard) = self.heard().await?;
        let document = &rules.document().directory;
        let now = self.now();
        let mut told = Vec::new();
        let stale = |at: &Timestamp| now.0.saturating_sub(at.0) > FRESH.0;
        for id in bound_groups(document) {
            match heard.groups.get(id) {
                None => told.push(format!("Slack has not told yet who is in the user group {id}")),
                Some(at) if stale(at) => told.push(format!(
                    "Slack has not told since {} who is in the user group {id}; nobody new comes in by it",
                    at.rfc3339()
                )),
                Some(_) => {}
            }
        }
        match &heard.members {
            None if document.slack.members => {
                told.push("Slack has not told yet who its members are".to_owned());
            }
            Some(at) if wants_members(document) && stale(at) => told.push(format!(
                "Slack has not told since {} who its members are",
                at.rfc3339()
            )),
            None | Some(_) => {}
        }
        Ok(told)
    }

    async fn heard(&self) -> Result<(Arc<Rules>, Heard), AppError> {
        let mut tx = self.0.db.read().await?;
        let stamp = tx.rules_version().await?;
        let rules = self.rules_at(&mut tx, stamp).await?;
        let heard = Heard {
            groups: tx.groups_synced().await?,
            members: tx.members_synced().await?,
            configured: tx.configured_at().await?,
        };
        Ok((rules, heard))
    }

    /// Takes in all user groups as Slack told of them when it was asked at `asked_at`; a bound group that is not among them is empty.
    /// Says whether the directory has changed.
    pub async fn hear_groups(
        &self,
        heard: &[HeardGroup],
        asked_at: Timestamp,
    ) -> Result<bool, AppError> {
        self.hear(async |_, rules, mut roster| {
            let document = &rules.document().directory;
            for id in bound_groups(document) {
                let known = roster.groups.get(id);
                if known.is_some_and(|known| known.synced_at > asked_at) {
                    continue; // a later answer is here already
                }
                let now = heard.iter().find(|group| group.id == id);
                let group = Group {
                    accounts: now.map(|group| group.accounts.clone()).unwrap_or_default(),
                    people: known.map(|group| group.people.clone()).unwrap_or_default(),
                    synced_at: asked_at,
                };
                roster.groups.insert(id.to_owned(), group);
            }
            Ok((roster, heard.to_vec()))
        })
        .await
    }

    /// Takes in all accounts of the workspace as Slack listed them when it was asked at `asked_at`. One that was known and is not
    /// listed any more counts as switched off.
    pub async fn hear_members(
        &self,
        accounts: &[Account],
        asked_at: Timestamp,
    ) -> Result<bool, AppError> {
        self.hear(async |tx, rules, mut roster| {
            if tx.members_synced().await?.is_some_and(|at| at > asked_at) {
                return Ok((roster, Vec::new()));
            }
            tx.set_members_synced(asked_at).await?;
            let by_identity = |account: &Account| (account.identity.clone(), account.clone());
            let mut told: BTreeMap<SlackIdentity, Account> =
                accounts.iter().map(by_identity).collect();
            let mut all: BTreeMap<SlackIdentity, Account> = BTreeMap::new();
            for known in std::mem::take(&mut roster.accounts) {
                let now = told.remove(&known.identity).unwrap_or(Account {
                    is_active: false,
                    ..known
                });
                all.insert(now.identity.clone(), now);
            }
            let matters = whose(rules);
            all.extend(told.into_iter().filter(|(_, account)| matters(account)));
            roster.accounts = all.into_values().collect();
            Ok((roster, Vec::new()))
        })
        .await
    }

    /// Takes in one account that has changed.
    pub async fn hear_member(&self, account: &Account) -> Result<bool, AppError> {
        self.hear(async |_, rules, mut roster| {
            let known = roster
                .accounts
                .iter()
                .position(|known| known.identity == account.identity);
            if let Some(known) = known {
                roster.accounts[known] = account.clone();
            } else if whose(rules)(account) {
                roster.accounts.push(account.clone());
                roster.accounts.sort_by(|a, b| a.identity.cmp(&b.identity));
            }
            Ok((roster, Vec::new()))
        })
        .await
    }

    /// Changes what is known of people, with its audit row, and with an alarm where it leaves a policy that nobody can complete.
    async fn hear(
        &self,
        heard: impl AsyncFnOnce(&mut Tx, &Rules, Roster) -> Result<(Roster, Vec<HeardGroup>), AppError>,
    ) -> Result<bool, AppError> {
        let changed = self
            .0
            .db
            .unit::<_, AppError>(async |tx| {
                tx.lock_rules().await?;
                let stamp = tx.rules_version().await?;
                let rules = self.rules_at(tx, stamp).await?;
                let before = tx.roster().await?;
                let (after, groups) = heard(tx, &rules, before.clone()).await?;
                self.follow(tx, &rules, (&before, after), &groups).await
            })
            .await?;
        if changed {
            self.moved(&[]);
        }
        Ok(changed)
    }

    async fn follow(
        &self,
        tx: &mut Tx,
        rules: &Rules,
        (before, after): (&Roster, Roster),
        heard: &[HeardGroup],
    ) -> Result<bool, AppError> {
        let now = self.now();
        let document = rules.document();
        let mut after = after.settled(&document.directory, now);
        let old = Directory::compile_with(&document.directory, before);
        let new = Directory::compile_with(&document.directory, &after);
        after.gained = before.gained_after((&old, &new), &BTreeSet::new(), Vec::new(), now);
        after.gained.extend(too_new(
            &document.directory,
            before,
            (&old, &new),
            heard,
            now,
        ));
        after.gained.sort();
        let difference = difference(&old, &new);
        let changed = difference.is_some() || after.gained != before.gained;
        after.version += i64::from(changed || after.accounts != before.accounts);
        tx.save_roster(before, &after, now).await?;
        let Some(difference) = difference else {
            return Ok(changed);
        };
        let bot = Caller::bot();
        tx.record(&self.own_event(now, What::DirectoryChanged, &bot, difference))
            .await?;
        tx.touch_open_cards(now).await?;
        let alarm = alarm(rules, document, after);
        self.send(tx, alarm.into_iter().collect(), now).await?;
        Ok(true)
    }
}

/// When Slack last told of what.
struct Heard {
    groups: BTreeMap<String, Timestamp>,
    members: Option<Timestamp>,
    /// When the configuration was changed last.
    configured: Option<Timestamp>,
}

/// Whether it matters who is a member: everybody is a person then, or somebody listed may have been switched off.
fn wants_members(document: &DirectoryDocument) -> bool {
    document.slack.members || document.users.iter().any(|user| !user.slack.is_empty())
}

/// Which accounts matter: all, where members are people; else those of listed people.
fn whose(rules: &Rules) -> impl Fn(&Account) -> bool {
    let document = &rules.document().directory;
    let (members, listed) = (document.slack.members, Directory::compile(document));
    move |account| members || listed.by_identity(&account.identity).is_some()
}

/// What is too new for older requests: what the one who changed a group last gave himself by it, and what a group gives that was never
/// heard of before, since an edit has bound it, and whoever made that edit may be in it.
fn too_new(
    document: &DirectoryDocument,
    known: &Roster,
    (before, after): (&Directory, &Directory),
    heard: &[HeardGroup],
    now: Timestamp,
) -> Vec<Gained> {
    let mut gained = Vec::new();
    for group in heard {
        let mut teams = document.teams.iter();
        let Some(team) = teams.find(|team| team.slack_user_group.as_deref() == Some(&group.id))
        else {
            continue;
        };
        let is_first = !known.groups.contains_key(&group.id);
        let by = group.updated_by.as_ref();
        let by = by.and_then(|identity| after.by_identity(identity));
        let what = Membership::Team(team.id.clone());
        let new = after
            .members(&team.id)
            .filter(|person| !before.has(&person.id, &what))
            .filter(|person| is_first || by.is_some_and(|by| by.id == person.id));
        gained.extend(new.map(|person| Gained {
            person: person.id.clone(),
            what: what.clone(),
            since: now,
        }));
    }
    gained
}

/// What an audit row tells of a change; nothing where none can be seen.
fn difference(before: &Directory, after: &Directory) -> Option<Value> {
    let mut teams: BTreeMap<&TeamId, Value> = BTreeMap::new();
    for team in after.teams() {
        let of = |directory: &Directory| -> BTreeSet<PersonId> {
            let members = directory.members(team);
            members.map(|person| person.id.clone()).collect()
        };
        let (old, new) = (of(before), of(after));
        if old != new {
            teams.insert(
                team,
                json!({"added": names(new.difference(&old)), "removed": names(old.difference(&new))}),
            );
        }
    }
    let active = |directory: &Directory| -> BTreeSet<PersonId> {
        let people = directory.people().filter(|person| person.active);
        people.map(|person| person.id.clone()).collect()
    };
    let (old, new) = (active(before), active(after));
    if teams.is_empty() && old == new {
        return None;
    }
    Some(json!({
        "source": "slack", "teams": teams,
        "people": {"added": names(new.difference(&old)), "removed": names(old.difference(&new))},
    }))
}

fn names<'a>(people: impl Iterator<Item = &'a PersonId>) -> Vec<String> {
    let all: Vec<&PersonId> = people.collect();
    let mut named: Vec<String> = all.iter().take(NAMED).map(ToString::to_string).collect();
    if all.len() > NAMED {
        named.push(format!("and {} more", all.len() - NAMED));
    }
    named
}

/// What the channel is told where a bound policy has become one that nobody can complete.
fn alarm(before: &Rules, document: &Document, roster: Roster) -> Option<Message> {
    let channel = announce::place(document)?.clone();
    let after =
        Rules::compile_with(before.version(), document.clone(), &BTreeMap::new(), roster).ok()?;
    let old: BTreeSet<PolicyId> = before
        .out_of_reach()
        .into_iter()
        .map(|short| short.policy)
        .collect();
    let lost: Vec<String> = after
        .out_of_reach()
        .into_iter()
        .filter(|short| !old.contains(&short.policy))
        .map(|short| format!("\n- {}: {}", short.policy, short.message))
        .collect();
    (!lost.is_empty()).then(|| Message::Alert {
        channel,
        text: format!(
            "After a change of people in Slack nobody can complete these policies, so what they gate is refused:{}",
            lost.concat()
        ),
    })
}
