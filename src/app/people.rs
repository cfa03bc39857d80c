//! People from Slack: what it tells of its user groups and members becomes part of the directory (docs/decisions.md D19). An answer that is late,
//! or does not come, never adds anybody.

use super::announce;
use super::{App, AppError};
use crate::domain::audit::AuditEventKind;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::{ConfigDocument, DirectoryDocument, SlackIdentity};
use crate::domain::id::{PersonId, PolicyId, TeamId};
use crate::domain::message::Message;
use crate::domain::people::Directory;
use crate::domain::principal::Caller;
use crate::domain::slack_directory::{
    GROUP_FRESHNESS, SlackDirectory, SyncedAccount, SyncedGroup, bound_groups,
};
use crate::domain::time::{Span, Timestamp};
use crate::store::Tx;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long what Slack told does before it is asked again.
const RETRY_INTERVAL: Span = Span::minutes(5);
/// So many people are named in an audit row; the rest is counted.
const NAMES_SHOWN: usize = 500;

/// A user group as Slack tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its id (`S..`).
    pub id: String,
    /// Who is in it.
    pub accounts: Vec<SlackIdentity>,
    /// Who changed it last.
    pub updated_by: Option<SlackIdentity>,
    /// Whom that change is known to have added. Slack names one author alone, however many changes there were, so of everybody else
    /// nobody knows who added them.
    pub added_by_updater: Vec<SlackIdentity>,
}

impl ListedGroup {
    /// The accounts that somebody else is known to have added: an active person of the directory who is not behind them.
    fn added_by_another(&self, directory: &Directory) -> BTreeSet<&SlackIdentity> {
        let updater = self.updated_by.as_ref();
        let updater = updater.and_then(|identity| directory.by_identity(identity));
        let Some(updater) = updater.filter(|person| person.active) else {
            return BTreeSet::new();
        };
        let is_other = |account: &&SlackIdentity| {
            let added = directory.by_identity(account);
            added.is_none_or(|added| added.id != updater.id)
        };
        self.added_by_updater.iter().filter(is_other).collect()
    }
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
        let (config, times) = self.sync_times().await?;
        let document = &config.document().directory;
        let now = self.now();
        let old = |at: Option<&Timestamp>| at.is_none_or(|at| at.plus(RETRY_INTERVAL) <= now);
        Ok(Due {
            groups: bound_groups(document).any(|id| old(times.groups.get(id))),
            // an edit may have listed accounts of which nothing is known yet
            members: wants_members(document)
                && (old(times.members.as_ref()) || times.members < times.configured),
        })
    }

    /// Draws the cards of all open requests again, because the readers of a channel have changed.
    pub async fn redraw_open_cards(&self) -> Result<(), AppError> {
        let now = self.now();
        self.0
            .db
            .transaction::<_, AppError>(async |tx| Ok(tx.touch_open_cards(now).await?))
            .await?;
        self.notify_changes(&[]);
        Ok(())
    }

    /// What is not known of people, a sentence each: nobody new comes in by it until Slack answers.
    pub async fn people_trouble(&self) -> Result<Vec<String>, AppError> {
        let (config, times) = self.sync_times().await?;
        let document = &config.document().directory;
        let now = self.now();
        let mut told = Vec::new();
        let stale = |at: &Timestamp| now.0.saturating_sub(at.0) > GROUP_FRESHNESS.0;
        for id in bound_groups(document) {
            match times.groups.get(id) {
                None => told.push(format!("Slack has not told yet who is in the user group {id}")),
                Some(at) if stale(at) => told.push(format!(
                    "Slack has not told since {} who is in the user group {id}; nobody new comes in by it",
                    at.rfc3339()
                )),
                Some(_) => {}
            }
        }
        match &times.members {
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

    async fn sync_times(&self) -> Result<(Arc<CompiledConfig>, SyncTimes), AppError> {
        let mut tx = self.0.db.read().await?;
        let versions = tx.config_versions().await?;
        let config = self.compiled_config_at(&mut tx, versions).await?;
        let times = SyncTimes {
            groups: tx.groups_synced().await?,
            members: tx.members_synced().await?,
            configured: tx.configured_at().await?,
        };
        Ok((config, times))
    }

    /// Takes in all user groups as Slack told of them when it was asked at `asked_at`; a bound group that is not among them is empty.
    /// Says whether the directory has changed.
    pub async fn hear_groups(
        &self,
        times: &[ListedGroup],
        asked_at: Timestamp,
    ) -> Result<bool, AppError> {
        self.hear(async |_, config, mut slack_directory| {
            let document = &config.document().directory;
            // whoever wrote the first configuration has chosen the groups as they are
            let is_chosen = config.version() <= 1;
            for id in bound_groups(document) {
                let known = slack_directory.groups.get(id);
                if known.is_some_and(|known| known.synced_at > asked_at) {
                    continue; // a later answer is here already
                }
                let now = times.iter().find(|group| group.id == id);
                let given = now.map(|group| group.added_by_another(config.directory()));
                let given = given.unwrap_or_default();
                let accounts = now.map(|group| group.accounts.clone()).unwrap_or_default();
                let group = SyncedGroup::synced(
                    known,
                    accounts,
                    |one| given.contains(one),
                    is_chosen,
                    asked_at,
                );
                slack_directory.groups.insert(id.to_owned(), group);
            }
            Ok(slack_directory)
        })
        .await
    }

    /// Takes in all accounts of the workspace as Slack listed them, each with the time at which its page was asked for; the list was
    /// begun at `began_at`. One that was known and is not listed any more counts as switched off.
    pub async fn hear_members(
        &self,
        listed: &[(SyncedAccount, Timestamp)],
        began_at: Timestamp,
    ) -> Result<bool, AppError> {
        self.hear(async |tx, config, mut slack_directory| {
            if tx.members_synced().await?.is_some_and(|at| at > began_at) {
                return Ok(slack_directory);
            }
            tx.set_members_synced(began_at).await?;
            let synced_alone = tx.accounts_synced_since(began_at).await?;
            let is_newer = |account: &SlackIdentity, at: Timestamp| {
                synced_alone.get(account).is_some_and(|times| *times > at)
            };
            let mut told: BTreeMap<&SlackIdentity, (&SyncedAccount, Timestamp)> = listed
                .iter()
                .map(|(account, at)| (&account.identity, (account, *at)))
                .collect();
            let mut all: BTreeMap<SlackIdentity, SyncedAccount> = BTreeMap::new();
            for known in std::mem::take(&mut slack_directory.accounts) {
                let now = match told.remove(&known.identity) {
                    Some((_, at)) if is_newer(&known.identity, at) => known,
                    Some((now, _)) => now.clone(),
                    None if is_newer(&known.identity, began_at) => known,
                    None => SyncedAccount {
                        is_active: false,
                        ..known
                    },
                };
                all.insert(now.identity.clone(), now);
            }
            let matters = whose(config);
            let new = told.into_values().map(|(account, _)| account);
            let new = new.filter(|account| matters(account));
            all.extend(new.map(|account| (account.identity.clone(), account.clone())));
            slack_directory.accounts = all.into_values().collect();
            Ok(slack_directory)
        })
        .await
    }

    /// Takes in one account of which Slack was asked alone, at `asked_at`.
    pub async fn hear_member(
        &self,
        account: &SyncedAccount,
        asked_at: Timestamp,
    ) -> Result<bool, AppError> {
        self.hear(async |tx, config, mut slack_directory| {
            let listed_later = tx.members_synced().await?.is_some_and(|at| at > asked_at);
            let synced_alone = tx.accounts_synced_since(asked_at).await?;
            let synced_at = synced_alone.get(&account.identity);
            if listed_later || synced_at.is_some_and(|at| *at > asked_at) {
                return Ok(slack_directory);
            }
            let mut accounts = slack_directory.accounts.iter_mut();
            let known = accounts.find(|known| known.identity == account.identity);
            if let Some(known) = known {
                *known = account.clone();
            } else if whose(config)(account) {
                slack_directory.accounts.push(account.clone());
                slack_directory
                    .accounts
                    .sort_by(|a, b| a.identity.cmp(&b.identity));
            } else {
                return Ok(slack_directory);
            }
            tx.record_account_sync(account, asked_at).await?;
            Ok(slack_directory)
        })
        .await
    }

    /// Ends the holds whose time is over: what came through a Slack group counts in full from then on.
    pub async fn end_holds(&self) -> Result<bool, AppError> {
        let now = self.now();
        let config = self.compiled_config().await?;
        let mut recent_memberships = config.slack_directory().recent_memberships.iter();
        if self.check_clock().is_err() || !recent_memberships.any(|one| one.is_hold_over(now)) {
            return Ok(false);
        }
        self.hear(async |_, _, mut slack_directory| {
            for recent in &mut slack_directory.recent_memberships {
                if recent.is_hold_over(now) {
                    recent.held_until = None;
                }
            }
            Ok(slack_directory)
        })
        .await
    }

    /// Changes what is known of people, with its audit row, with an announcement of the rights that it gives, and with an alarm where
    /// it leaves a policy that nobody can complete.
    async fn hear(
        &self,
        times: impl AsyncFnOnce(
            &mut Tx,
            &CompiledConfig,
            SlackDirectory,
        ) -> Result<SlackDirectory, AppError>,
    ) -> Result<bool, AppError> {
        let changed = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                tx.lock_config().await?;
                let versions = tx.config_versions().await?;
                let config = self.compiled_config_at(tx, versions).await?;
                let before = tx.slack_directory().await?;
                let after = times(tx, &config, before.clone()).await?;
                self.follow(tx, &config, &before, after).await
            })
            .await?;
        if changed {
            self.notify_changes(&[]);
        }
        Ok(changed)
    }

    async fn follow(
        &self,
        tx: &mut Tx,
        config: &CompiledConfig,
        before: &SlackDirectory,
        after: SlackDirectory,
    ) -> Result<bool, AppError> {
        let now = self.now();
        let document = config.document();
        let mut after = after.resolve_groups(&document.directory, now);
        let old = Directory::compile_with(&document.directory, before);
        let new = Directory::compile_with(&document.directory, &after);
        after.recent_memberships =
            after.recent_memberships_after((&old, &new), &BTreeSet::new(), Vec::new(), now);
        after.note_joined(&document.directory, (&old, &new), now);
        let difference = difference(&old, &new);
        let changed = difference.is_some() || after.recent_memberships != before.recent_memberships;
        after.version += i64::from(changed || after.accounts != before.accounts);
        tx.save_slack_directory(before, &after, now).await?;
        let Some(difference) = difference else {
            return Ok(changed);
        };
        let bot = Caller::bot();
        tx.record(&self.own_event(now, AuditEventKind::DirectoryChanged, &bot, difference))
            .await?;
        tx.touch_open_cards(now).await?;
        let new = Directory::compile_with(&document.directory, &after);
        let mut messages = announce::of_people(document, (&old, &new));
        messages.extend(alarm(config, document, after));
        self.send(tx, messages, now).await?;
        Ok(true)
    }
}

/// When Slack last told of what.
struct SyncTimes {
    groups: BTreeMap<String, Timestamp>,
    members: Option<Timestamp>,
    /// When the configuration was changed last.
    configured: Option<Timestamp>,
}

/// Whether it matters who is a member: everybody is a person then, or somebody listed may have been switched off.
fn wants_members(document: &DirectoryDocument) -> bool {
    document.slack.members || document.users.iter().any(|user| !user.slack.is_empty())
}

/// Which accounts matter: those of listed people; where members are people, also every other one that is or was a person's.
fn whose(config: &CompiledConfig) -> impl Fn(&SyncedAccount) -> bool {
    let document = &config.document().directory;
    let (members, listed) = (document.slack.members, Directory::compile(document));
    move |account| {
        (members && (account.is_active || account.is_full))
            || listed.by_identity(&account.identity).is_some()
    }
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
    let mut named: Vec<String> = all
        .iter()
        .take(NAMES_SHOWN)
        .map(ToString::to_string)
        .collect();
    if all.len() > NAMES_SHOWN {
        named.push(format!("and {} more", all.len() - NAMES_SHOWN));
    }
    named
}

/// What the channel is told where a bound policy has become one that nobody can complete.
fn alarm(
    before: &CompiledConfig,
    document: &ConfigDocument,
    slack_directory: SlackDirectory,
) -> Option<Message> {
    let channel = announce::place(document)?.clone();
    let after = CompiledConfig::compile_with(
        before.version(),
        document.clone(),
        &BTreeMap::new(),
        slack_directory,
    )
    .ok()?;
    let old: BTreeSet<PolicyId> = before
        .unsatisfiable_policies()
        .into_iter()
        .map(|short| short.policy)
        .collect();
    let lost: Vec<String> = after
        .unsatisfiable_policies()
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
