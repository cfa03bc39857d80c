//! Asks Slack who its members are and who is in its user groups: at the start, when it says that something has changed, and from time
//! to time. Members and groups do not wait for each other.

use super::Dispatcher;
use crate::app::{App, AppError, Due, ListedGroup};
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::document::SlackIdentity;
use crate::domain::slack_directory::SyncedAccount;
use crate::domain::time::{Span, Timestamp};
use crate::slack::api::client::Slack;
use crate::slack::api::error::SlackError;
use crate::slack::api::reply::{SlackUser, UserGroup};
use crate::slack::handlers::listing::{CallBudget, Incomplete, Listing, Paged};
use crate::slack::inbound::account_access::{self, AccountAccess};
use crate::slack::inbound::event::Happening;
use crate::slack::inbound::installation::Installation;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tracing::{info, warn};

/// How long Slack is left alone after it did not answer.
const RETRY_PAUSE: Span = Span::seconds(30);
/// Additions to groups that are remembered until the groups are read; of more than that no author is known.
const ADDITIONS_LIMIT: usize = 1_000;

/// What Slack must be asked, and how far each list is.
#[derive(Debug, Default)]
pub(super) struct DirectoryRefresh {
    raised: Mutex<Raised>,
    wake: Notify,
    sync: tokio::sync::Mutex<DirectorySync>,
}

#[derive(Debug, Default)]
struct Raised {
    due: Due,
    additions: Vec<Addition>,
}

/// Accounts that one edit of a user group has added, as an event tells: whoever updated the group at that time added them.
#[derive(Debug)]
struct Addition {
    group: String,
    edited_at: i64,
    accounts: Vec<String>,
}

impl Addition {
    /// What a `subteam_members_changed` event tells; nothing where it leaves something out.
    fn of(happening: &Happening) -> Option<Self> {
        let accounts = happening.added_users.as_array()?.iter();
        Some(Self {
            group: happening.subteam_id.as_str()?.to_owned(),
            edited_at: happening.date_update.as_i64()?,
            accounts: accounts
                .filter_map(|id| Some(id.as_str()?.to_owned()))
                .collect(),
        })
    }
}

impl DirectoryRefresh {
    fn lock(&self) -> MutexGuard<'_, Raised> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has changed, so Slack is asked again.
    pub(super) fn raise(&self, due: Due) {
        let mut raised = self.lock();
        raised.due.groups |= due.groups;
        raised.due.members |= due.members;
        drop(raised);
        self.wake.notify_one();
    }

    /// A user group has changed.
    pub(super) fn raise_group(&self, happening: &Happening) {
        let mut raised = self.lock();
        if raised.additions.len() < ADDITIONS_LIMIT {
            raised.additions.extend(Addition::of(happening));
        }
        drop(raised);
        self.raise(Due {
            groups: true,
            members: false,
        });
    }
}

/// The two lists that are read of Slack.
#[derive(Debug, Default)]
struct DirectorySync {
    members: ListProgress<SlackUser>,
    groups: ListProgress<UserGroup>,
    additions: Vec<Addition>,
}

/// How far one list is.
#[derive(Debug)]
struct ListProgress<T> {
    /// It must be read from its beginning, whatever else is known.
    is_raised: bool,
    /// What is being read was raised, so it is finished even if another replica finishes before.
    is_forced: bool,
    not_before: Option<Timestamp>,
    budget: CallBudget,
    listing: Option<Listing<T>>,
}

impl<T> Default for ListProgress<T> {
    fn default() -> Self {
        Self {
            is_raised: false,
            is_forced: false,
            not_before: None,
            budget: CallBudget::default(),
            listing: None,
        }
    }
}

impl<T: Paged> ListProgress<T> {
    /// Reads on, if something is due; gives the list once it is complete.
    async fn read(
        &mut self,
        (slack, home): (&Slack, &Installation),
        is_due: bool,
        app: &App,
    ) -> Option<Listing<T>> {
        let now = app.now();
        if self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        if self.listing.as_ref().is_some_and(|one| one.is_stale(now)) {
            self.restart();
        }
        if !(is_due || self.is_forced) {
            self.listing = None; // another replica was faster
        }
        if self.listing.is_none() && (is_due || self.is_raised) {
            self.is_forced = std::mem::take(&mut self.is_raised);
            self.listing = Some(Listing::begin(now));
        }
        let mut listing = self.listing.take()?;
        match listing
            .read(slack, home, &mut self.budget, || app.now())
            .await
        {
            Ok(()) => {
                self.is_forced = false;
                return Some(listing);
            }
            Err(Incomplete::Paced(until)) => {
                self.not_before = Some(until);
                self.listing = Some(listing);
            }
            Err(Incomplete::Failed(error)) => {
                self.pause(&error, app.now());
                self.listing = Some(listing);
            }
            Err(Incomplete::Void(error)) => {
                self.pause(&error, app.now());
                self.restart();
            }
        }
        None
    }

    /// What was read so far is dropped, and read again from the beginning.
    fn restart(&mut self) {
        self.listing = None;
        self.is_forced = false;
        self.is_raised = true;
    }

    /// Slack is left alone for as long as it says, or for a while.
    fn pause(&mut self, error: &SlackError, now: Timestamp) {
        warn!(%error, "member list from Slack failed, no new members until it succeeds");
        let pause = match error {
            SlackError::RateLimited {
                retry_after: Some(pause),
            } => Span(i64::try_from(pause.as_millis()).unwrap_or(RETRY_PAUSE.0)),
            _ => RETRY_PAUSE,
        };
        self.not_before = Some(now.plus(pause));
    }
}

impl Dispatcher {
    /// Asks Slack whatever is due, as far as its pace allows. What it does not tell stays as it is, and adds nobody.
    pub async fn sync_people(&self) -> Result<(), AppError> {
        let app = &self.0.app;
        let held = app.end_holds().await.map(|_| ()); // an error here must not keep people from being removed
        let Some(home) = self.home() else {
            return held;
        };
        let mut sync = self.0.directory_refresh.sync.lock().await;
        let raised = std::mem::take(&mut *self.0.directory_refresh.lock());
        sync.members.is_raised |= raised.due.members;
        sync.groups.is_raised |= raised.due.groups;
        sync.additions.extend(raised.additions);
        let due = app.people_due().await?;
        let groups = self.sync_groups(&mut sync, home, due.groups).await;
        let members = self
            .sync_members(&mut sync.members, home, due.members)
            .await;
        held.and(groups).and(members)
    }

    /// Ends when Slack has said that something has changed.
    pub async fn directory_changed(&self) {
        self.0.directory_refresh.wake.notified().await;
    }

    async fn sync_members(
        &self,
        members: &mut ListProgress<SlackUser>,
        home: &Installation,
        is_due: bool,
    ) -> Result<(), AppError> {
        let app = &self.0.app;
        let slack = &self.0.reply_sender.slack;
        let Some(listing) = members.read((slack, home), is_due, app).await else {
            return Ok(());
        };
        if !is_whole(&listing, home) {
            info!(accounts = listing.items.len(), "incomplete member list");
            members.pause(&SlackError::Lost, app.now());
            members.restart();
            return Ok(());
        }
        let accounts = accounts(&listing, home);
        let heard = app.hear_members(&accounts, listing.began_at).await;
        members.is_raised |= heard.is_err();
        heard.map(|_| ())
    }

    async fn sync_groups(
        &self,
        sync: &mut DirectorySync,
        home: &Installation,
        is_due: bool,
    ) -> Result<(), AppError> {
        let app = &self.0.app;
        let slack = &self.0.reply_sender.slack;
        let Some(listing) = sync.groups.read((slack, home), is_due, app).await else {
            return Ok(());
        };
        let Some(groups) = groups(&listing, home, &sync.additions) else {
            sync.groups.pause(&SlackError::Lost, app.now());
            sync.groups.restart();
            return Ok(());
        };
        let heard = app.hear_groups(&groups, listing.began_at).await;
        match &heard {
            Ok(_) => sync.additions.clear(),
            Err(_) => sync.groups.is_raised = true,
        }
        heard.map(|_| ())
    }

    /// Looks at one account that Slack says has changed, if it matters, and if what was `reply` of it differs from what is known:
    /// people change their status all day.
    pub(super) async fn look_at(&self, user_id: &str, reply: &SlackUser) {
        let Some(home) = self.home() else {
            return;
        };
        let Ok(config) = self.0.app.compiled_config().await else {
            return self.0.directory_refresh.raise(ALL_MEMBERS);
        };
        let identity = home.identity(user_id);
        let reply = account_access::account(home, reply);
        let known = known(&config, &identity);
        let is_news = reply.is_none() || reply.as_ref() != known;
        if !matters(&config, &identity) || !is_news {
            return;
        }
        let asked_at = self.0.app.now();
        match self.0.reply_sender.slack.users_info(user_id).await {
            Ok(user) if user.id == user_id => self.share(home, &user, asked_at).await,
            Ok(_) => {}
            Err(error) => {
                warn!(%error, "lookup of a changed account failed, listing all members");
                self.0.directory_refresh.raise(ALL_MEMBERS);
            }
        }
    }

    /// Shares what was found out about somebody who acts. A full member of whom nothing is known needs no word: the list names them.
    pub(super) async fn share_access(
        &self,
        home: &Installation,
        user: &SlackUser,
        access: &AccountAccess,
        asked_at: Timestamp,
    ) {
        let is_known = match self.0.app.compiled_config().await {
            Ok(config) => known(&config, &home.identity(&user.id)).is_some(),
            Err(_) => true,
        };
        if access.is_err() || is_known {
            self.share(home, user, asked_at).await;
        }
    }

    /// Tells every replica what Slack has said of one account, where that differs from what they know.
    async fn share(&self, home: &Installation, user: &SlackUser, asked_at: Timestamp) {
        let Ok(config) = self.0.app.compiled_config().await else {
            return self.0.directory_refresh.raise(ALL_MEMBERS);
        };
        let identity = home.identity(&user.id);
        let account = account_access::account(home, user).or_else(|| {
            matters_by_name(&config, &identity).then(|| account_access::refused(home, user))
        });
        let Some(account) = account.filter(|one| matters(&config, &one.identity)) else {
            return;
        };
        if known(&config, &identity) == Some(&account) {
            return;
        }
        if let Err(error) = self.0.app.hear_member(&account, asked_at).await {
            warn!(%error, "changed account not stored, listing all members");
            self.0.directory_refresh.raise(ALL_MEMBERS);
        }
    }
}

const ALL_MEMBERS: Due = Due {
    groups: false,
    members: true,
};

fn known<'a>(config: &'a CompiledConfig, identity: &SlackIdentity) -> Option<&'a SyncedAccount> {
    let mut accounts = config.slack_directory().accounts.iter();
    accounts.find(|account| account.identity == *identity)
}

/// Whether this account is listed, or known already.
fn matters_by_name(config: &CompiledConfig, identity: &SlackIdentity) -> bool {
    config.directory().by_identity(identity).is_some() || known(config, identity).is_some()
}

fn matters(config: &CompiledConfig, identity: &SlackIdentity) -> bool {
    config.document().directory.slack.members || matters_by_name(config, identity)
}

/// Whether a list has the bot itself: half a list must switch nobody off.
fn is_whole(listing: &Listing<SlackUser>, home: &Installation) -> bool {
    let mut users = listing.items.iter();
    users.any(|(user, _)| user.id == home.bot_user_id)
}

/// The accounts of a list, each with the time at which Slack was asked. Of somebody who is in several workspaces of an organization the
/// membership that gives most counts, as it does when the account alone is looked up.
fn accounts(listing: &Listing<SlackUser>, home: &Installation) -> Vec<(SyncedAccount, Timestamp)> {
    let mut all: BTreeMap<SlackIdentity, (SyncedAccount, Timestamp)> = BTreeMap::new();
    for (user, asked_at) in &listing.items {
        let account = account_access::account(home, user)
            .unwrap_or_else(|| account_access::refused(home, user));
        let rank = |one: &SyncedAccount| (one.is_active && one.is_full, one.is_active);
        match all.get(&account.identity) {
            Some((known, _)) if rank(known) >= rank(&account) => {}
            _ => {
                all.insert(account.identity.clone(), (account, *asked_at));
            }
        }
    }
    all.into_values().collect()
}

/// All groups with their users; nothing where Slack leaves out the users of one.
fn groups(
    listing: &Listing<UserGroup>,
    home: &Installation,
    additions: &[Addition],
) -> Option<Vec<ListedGroup>> {
    let heard = listing.items.iter().map(|(group, _)| {
        let users = group.users.as_ref()?;
        let added = added_by_last_edit(group, additions);
        Some(ListedGroup {
            id: group.id.clone(),
            accounts: users.iter().map(|user| home.identity(user)).collect(),
            updated_by: group.updated_by.as_ref().map(|user| home.identity(user)),
            added_by_updater: added.iter().map(|user| home.identity(user)).collect(),
        })
    });
    heard.collect()
}

/// Whom the one who updated the group last is known to have added: an event named them at the very time of that update, and no other
/// event of that second could stand for another edit.
fn added_by_last_edit<'a>(group: &UserGroup, additions: &'a [Addition]) -> &'a [String] {
    let mut edits = additions
        .iter()
        .filter(|edit| edit.group == group.id && Some(edit.edited_at) == group.date_update);
    match (edits.next(), edits.next()) {
        (Some(edit), None) => &edit.accounts,
        (_, _) => &[],
    }
}
