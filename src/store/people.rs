//! The Slack directory: accounts, groups, and recent memberships.

use super::dialect::{self, on};
use super::{StoreError, Tx, json, on_db, read, sql};
use crate::domain::document::SlackIdentity;
use crate::domain::slack_directory::{
    RecentMembership, SlackDirectory, SyncedAccount, SyncedGroup,
};
use crate::domain::time::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

sql! {
    VERSION = "SELECT coalesce(max(version), CAST(0 AS BIGINT)) FROM directory_versions";
    INSERT_VERSION = "INSERT INTO directory_versions (version, made_at) VALUES ($1, $2)";
    GAINED = "SELECT person, what, since, held_until FROM gained";
    GROUPS = "SELECT id, accounts, people, synced_at, recent FROM slack_groups";
    FORGET_GROUP = "DELETE FROM slack_groups WHERE id = $1";
    SAVE_GROUP = "INSERT INTO slack_groups (id, accounts, people, synced_at, recent) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (id) DO UPDATE SET accounts = excluded.accounts, people = excluded.people, synced_at = excluded.synced_at,
            recent = excluded.recent";
    ACCOUNTS = "SELECT account, name, is_active, is_full FROM slack_accounts";
    HEARD_SINCE = "SELECT account, heard_at FROM slack_accounts WHERE heard_at > $1";
    ACCOUNT_HEARD = "INSERT INTO slack_accounts (account, name, is_active, is_full, heard_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account) DO UPDATE SET heard_at = excluded.heard_at";
    GROUPS_SYNCED = "SELECT id, synced_at FROM slack_groups";
    MEMBERS_SYNCED = "SELECT at FROM slack_members_synced WHERE id = 1";
    SET_MEMBERS_SYNCED = "INSERT INTO slack_members_synced (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at";
}

impl Tx {
    /// The stored Slack directory.
    pub async fn slack_directory(&mut self) -> Result<SlackDirectory, StoreError> {
        let (version,): (i64,) = on_db!(self, |c| sqlx::query_as(VERSION).fetch_one(c).await)?;
        Ok(SlackDirectory {
            version,
            groups: self.groups().await?,
            accounts: self.accounts().await?,
            recent_memberships: self.recent_memberships().await?,
        })
    }

    async fn groups(&mut self) -> Result<BTreeMap<String, SyncedGroup>, StoreError> {
        let rows: Vec<(String, String, String, i64, Option<String>)> =
            on_db!(self, |c| sqlx::query_as(GROUPS).fetch_all(c).await)?;
        rows.into_iter()
            .map(|(id, accounts, people, synced_at, recent)| {
                let recent = recent.map(|text| serde_json::from_str(&text)).transpose();
                let group = SyncedGroup {
                    accounts: read("accounts of a group", serde_json::from_str(&accounts))?,
                    people: read("people of a group", serde_json::from_str(&people))?,
                    synced_at: Timestamp(synced_at),
                    // the previous release does not store recent accounts
                    recent: read("recent accounts of a group", recent)?.unwrap_or_default(),
                };
                Ok((id, group))
            })
            .collect()
    }

    async fn accounts(&mut self) -> Result<Vec<SyncedAccount>, StoreError> {
        let rows: Vec<(String, String, bool, bool)> =
            on_db!(self, |c| sqlx::query_as(ACCOUNTS).fetch_all(c).await)?;
        let mut accounts = rows
            .into_iter()
            .map(|(identity, name, is_active, is_full)| {
                Ok(SyncedAccount {
                    identity: read("account", serde_json::from_str(&identity))?,
                    name,
                    is_active,
                    is_full,
                })
            })
            .collect::<Result<Vec<SyncedAccount>, StoreError>>()?;
        accounts.sort_by(|a, b| a.identity.cmp(&b.identity));
        Ok(accounts)
    }

    async fn recent_memberships(&mut self) -> Result<Vec<RecentMembership>, StoreError> {
        let rows: Vec<(String, String, i64, Option<i64>)> =
            on_db!(self, |c| sqlx::query_as(GAINED).fetch_all(c).await)?;
        let recent_memberships: Result<BTreeSet<RecentMembership>, StoreError> = rows
            .into_iter()
            .map(|(person, what, since, held_until)| {
                Ok(RecentMembership {
                    person: person.as_str().into(),
                    what: read("membership", serde_json::from_str(&what))?,
                    since: Timestamp(since),
                    held_until: held_until.map(Timestamp),
                })
            })
            .collect();
        Ok(recent_memberships?.into_iter().collect())
    }

    /// Saves what differs. The new version makes every replica reload the Slack directory.
    pub async fn save_slack_directory(
        &mut self,
        before: &SlackDirectory,
        after: &SlackDirectory,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if after.version > before.version {
            on_db!(self, |c| sqlx::query(INSERT_VERSION)
                .bind(after.version)
                .bind(now.0)
                .execute(c)
                .await
                .map(|_| ()))?;
        }
        for gone in before.groups.keys() {
            if !after.groups.contains_key(gone) {
                on_db!(self, |c| sqlx::query(FORGET_GROUP)
                    .bind(gone)
                    .execute(c)
                    .await
                    .map(|_| ()))?;
            }
        }
        for (id, group) in &after.groups {
            if before.groups.get(id) != Some(group) {
                self.save_group(id, group).await?;
            }
        }
        self.save_gained(&before.recent_memberships, &after.recent_memberships)
            .await?;
        let known: BTreeMap<&SlackIdentity, &SyncedAccount> = before
            .accounts
            .iter()
            .map(|account| (&account.identity, account))
            .collect();
        let differing = after.accounts.iter();
        let differing = differing.filter(|account| known.get(&account.identity) != Some(account));
        self.save_accounts(&differing.collect::<Vec<_>>()).await
    }

    async fn save_group(&mut self, id: &str, group: &SyncedGroup) -> Result<(), StoreError> {
        let (accounts, people) = (json(&group.accounts)?, json(&group.people)?);
        let recent = json(&group.recent)?;
        on_db!(self, |c| sqlx::query(SAVE_GROUP)
            .bind(id)
            .bind(&accounts)
            .bind(&people)
            .bind(group.synced_at.0)
            .bind(&recent)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Saves all recent memberships in two statements: a group may have thousands of members, and the configuration is locked.
    async fn save_gained(
        &mut self,
        before: &[RecentMembership],
        after: &[RecentMembership],
    ) -> Result<(), StoreError> {
        let kept: BTreeSet<_> = after.iter().map(RecentMembership::key).collect();
        let gone = before.iter().filter(|row| !kept.contains(&row.key()));
        let gone = gained_rows(gone)?;
        let before: BTreeSet<&RecentMembership> = before.iter().collect();
        let new = gained_rows(after.iter().filter(|row| !before.contains(row)))?;
        let forget = on!(
            self,
            dialect::FORGET_GAINED_SQLITE,
            dialect::FORGET_GAINED_POSTGRES
        );
        let gain = on!(self, dialect::GAIN_SQLITE, dialect::GAIN_POSTGRES);
        for (text, rows) in [(forget, gone), (gain, new)] {
            if !rows.is_empty() {
                let rows = json(&rows)?;
                on_db!(self, |c| sqlx::query(text)
                    .bind(&rows)
                    .execute(c)
                    .await
                    .map(|_| ()))?;
            }
        }
        Ok(())
    }

    async fn save_accounts(&mut self, accounts: &[&SyncedAccount]) -> Result<(), StoreError> {
        if accounts.is_empty() {
            return Ok(());
        }
        let text = on!(
            self,
            dialect::SAVE_ACCOUNTS_SQLITE,
            dialect::SAVE_ACCOUNTS_POSTGRES
        );
        let rows = accounts
            .iter()
            .map(|account| {
                Ok(json!({
                    "i": json(&account.identity)?, "n": account.name, "a": account.is_active, "f": account.is_full,
                }))
            })
            .collect::<Result<Vec<Value>, StoreError>>()?;
        let rows = json(&rows)?;
        on_db!(self, |c| sqlx::query(text)
            .bind(&rows)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// The accounts that were synced individually after `since`, each with the time.
    pub async fn accounts_synced_since(
        &mut self,
        since: Timestamp,
    ) -> Result<BTreeMap<SlackIdentity, Timestamp>, StoreError> {
        let rows: Vec<(String, i64)> = on_db!(self, |c| sqlx::query_as(HEARD_SINCE)
            .bind(since.0)
            .fetch_all(c)
            .await)?;
        rows.into_iter()
            .map(|(account, at)| {
                Ok((
                    read("account", serde_json::from_str(&account))?,
                    Timestamp(at),
                ))
            })
            .collect()
    }

    /// Records that this account was synced individually.
    pub async fn record_account_sync(
        &mut self,
        account: &SyncedAccount,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let identity = json(&account.identity)?;
        on_db!(self, |c| sqlx::query(ACCOUNT_HEARD)
            .bind(&identity)
            .bind(&account.name)
            .bind(account.is_active)
            .bind(account.is_full)
            .bind(at.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// When each group was last synced.
    pub async fn groups_synced(&mut self) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        let rows: Vec<(String, i64)> =
            on_db!(self, |c| sqlx::query_as(GROUPS_SYNCED).fetch_all(c).await)?;
        Ok(rows
            .into_iter()
            .map(|(id, at)| (id, Timestamp(at)))
            .collect())
    }

    /// When the members were last synced.
    pub async fn members_synced(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let row: Option<(i64,)> = on_db!(self, |c| sqlx::query_as(MEMBERS_SYNCED)
            .fetch_optional(c)
            .await)?;
        Ok(row.map(|(at,)| Timestamp(at)))
    }

    /// Records when the members were synced.
    pub async fn set_members_synced(&mut self, at: Timestamp) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(SET_MEMBERS_SYNCED)
            .bind(at.0)
            .execute(c)
            .await
            .map(|_| ()))
    }
}

/// Recent memberships as a bulk statement takes them.
fn gained_rows<'a>(
    rows: impl Iterator<Item = &'a RecentMembership>,
) -> Result<Vec<Value>, StoreError> {
    rows.map(|row| {
        let held_until = row.held_until.map(|until| until.0);
        Ok(json!({"p": row.person, "w": json(&row.what)?, "s": row.since.0, "u": held_until}))
    })
    .collect()
}
