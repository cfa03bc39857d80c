//! The configuration as versioned documents, and every version of every policy.

use super::keys::Keys;
use super::{StoreError, Tx, dialect, json, on_db, read, sql};
use crate::domain::delta::Delta;
use crate::domain::document::{ConfigDocument, PolicyTemplate};
use crate::domain::id::PolicyId;
use crate::domain::principal::Principal;
use crate::domain::slack_directory::ConfigVersions;
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;

sql! {
    LATEST = "SELECT version, document, digest FROM config ORDER BY version DESC LIMIT 1";
    WHOLE_FROM = "SELECT version, document FROM config WHERE version >= $1 ORDER BY version LIMIT 1";
    DELTAS = "SELECT delta FROM config_history WHERE version >= $1 AND version < $2 ORDER BY version DESC";
    SUPERSEDE = "INSERT INTO config_history (version, digest, made_at, actor, reason, delta)
        SELECT version, digest, made_at, actor, reason, $2 FROM config WHERE version = $1";
    REMOVE_SUPERSEDED = "DELETE FROM config WHERE version = $1";
    VERSION = "SELECT coalesce(max(version), CAST(0 AS BIGINT)) FROM config";
    RULES_VERSION = "SELECT (SELECT coalesce(max(version), CAST(0 AS BIGINT)) FROM config),
        (SELECT coalesce(max(version), CAST(0 AS BIGINT)) FROM directory_versions)";
    MADE_AT = "SELECT made_at FROM config ORDER BY version DESC LIMIT 1";
    INSERT = "INSERT INTO config (version, document, digest, made_at, actor, reason) VALUES ($1, $2, $3, $4, $5, $6)";
    KNOW = "INSERT INTO known_documents (digest, at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
    KNOWN = "SELECT count(*) FROM known_documents WHERE digest = $1";
    TEMPLATE_VERSIONS = "SELECT policy, max(version) FROM policy_versions GROUP BY policy";
    LATEST_TEMPLATE = "SELECT version, template FROM policy_versions WHERE policy = $1 ORDER BY version DESC LIMIT 1";
    LATEST_TEMPLATES = "SELECT p.policy, p.version, p.template FROM policy_versions p
        WHERE p.version = (SELECT max(q.version) FROM policy_versions q WHERE q.policy = p.policy)";
    INSERT_TEMPLATE = "INSERT INTO policy_versions (policy, version, template, made_at) VALUES ($1, $2, $3, $4)";
}

/// Every 64th version is stored as a whole document, so that any older version is at most 64 deltas away from one.
const WHOLE_EVERY: i64 = 64;
/// A version whose delta is larger than this, in bytes, is stored as a whole document.
const LARGEST_DELTA: usize = 256 * 1024;

/// The configuration in force.
#[derive(Debug, Clone)]
pub struct ConfigRow {
    /// The version; 0 if none was ever stored.
    pub version: i64,
    /// The document.
    pub document: ConfigDocument,
    /// The SHA-256 of the document's canonical form.
    pub digest: String,
}

impl Tx {
    /// The version of the configuration in force; 0 if none was ever stored.
    pub async fn config_version(&mut self) -> Result<i64, StoreError> {
        let (version,): (i64,) = on_db!(self, |c| sqlx::query_as(VERSION).fetch_one(c).await)?;
        Ok(version)
    }

    /// The versions of the configuration and the Slack directory.
    pub async fn config_versions(&mut self) -> Result<ConfigVersions, StoreError> {
        let (config, directory): (i64, i64) =
            on_db!(self, |c| sqlx::query_as(RULES_VERSION).fetch_one(c).await)?;
        Ok(ConfigVersions { config, directory })
    }

    /// When the configuration in force was stored.
    pub async fn configured_at(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let row: Option<(i64,)> =
            on_db!(self, |c| sqlx::query_as(MADE_AT).fetch_optional(c).await)?;
        Ok(row.map(|(at,)| Timestamp(at)))
    }

    /// The configuration in force.
    pub async fn config(&mut self) -> Result<Option<ConfigRow>, StoreError> {
        let row: Option<(i64, String, String)> =
            on_db!(self, |c| sqlx::query_as(LATEST).fetch_optional(c).await)?;
        row.map(|(version, document, digest)| {
            Ok(ConfigRow {
                version,
                document: read("configuration", serde_json::from_str(&document))?,
                digest,
            })
        })
        .transpose()
    }

    /// The configuration of an older version: the stored document, or one computed from the next whole document.
    pub async fn config_at(&mut self, version: i64) -> Result<Option<ConfigDocument>, StoreError> {
        let row: Option<(i64, String)> = on_db!(self, |c| sqlx::query_as(WHOLE_FROM)
            .bind(version)
            .fetch_optional(c)
            .await)?;
        let Some((whole, document)) = row else {
            return Ok(None);
        };
        let mut document = read("configuration", serde_json::from_str(&document))?;
        if whole == version {
            return Ok(Some(document));
        }
        let deltas: Vec<(String,)> = on_db!(self, |c| sqlx::query_as(DELTAS)
            .bind(version)
            .bind(whole)
            .fetch_all(c)
            .await)?;
        if i64::try_from(deltas.len()).ok() != Some(whole - version) {
            return Ok(None);
        }
        for (delta,) in deltas {
            let delta: Delta = read("configuration", serde_json::from_str(&delta))?;
            let older = delta
                .older(&document)
                .ok_or("a version that the next one does not lead to");
            document = read("configuration", older)?;
        }
        Ok(Some(document))
    }

    /// Replaces a superseded version by its delta to the next version. Some versions stay whole documents, so that none needs many
    /// deltas.
    pub async fn supersede_config(
        &mut self,
        version: i64,
        document: &ConfigDocument,
        next: &ConfigDocument,
    ) -> Result<(), StoreError> {
        let delta = Delta::of(document, next);
        let text = json(&delta)?;
        let is_short = text.len() <= LARGEST_DELTA;
        if version % WHOLE_EVERY == 0 || !is_short || delta.older(next).as_ref() != Some(document) {
            return Ok(());
        }
        on_db!(self, |c| sqlx::query(SUPERSEDE)
            .bind(version)
            .bind(&text)
            .execute(c)
            .await
            .map(|_| ()))?;
        on_db!(self, |c| sqlx::query(REMOVE_SUPERSEDED)
            .bind(version)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// The latest version number of every policy that ever existed.
    pub async fn template_versions(&mut self) -> Result<BTreeMap<PolicyId, i64>, StoreError> {
        let rows: Vec<(String, i64)> = on_db!(self, |c| sqlx::query_as(TEMPLATE_VERSIONS)
            .fetch_all(c)
            .await)?;
        let entry = |(policy, version): (String, i64)| (policy.as_str().into(), version);
        Ok(rows.into_iter().map(entry).collect())
    }

    /// The latest version of one policy, if it ever existed; without the content if that version is unreadable.
    pub async fn template(
        &mut self,
        policy: &PolicyId,
    ) -> Result<Option<(i64, Option<PolicyTemplate>)>, StoreError> {
        let row: Option<(i64, String)> = on_db!(self, |c| sqlx::query_as(LATEST_TEMPLATE)
            .bind(policy.as_str())
            .fetch_optional(c)
            .await)?;
        Ok(row.map(|(version, template)| {
            let row = format!("{policy} {version}");
            let template = read("template", serde_json::from_str(&template));
            (version, self.readable("policy_versions", &row, template))
        }))
    }

    /// The latest version of every policy that ever existed; without the content if that version is unreadable. An unreadable
    /// policy in force is an error of [`Tx::config`] instead.
    pub async fn templates(
        &mut self,
    ) -> Result<BTreeMap<PolicyId, (i64, Option<PolicyTemplate>)>, StoreError> {
        let rows: Vec<(String, i64, String)> = on_db!(self, |c| sqlx::query_as(LATEST_TEMPLATES)
            .fetch_all(c)
            .await)?;
        let templates = rows.into_iter().map(|(policy, version, template)| {
            let row = format!("{policy} {version}");
            let template = read("template", serde_json::from_str(&template));
            let template = self.readable("policy_versions", &row, template);
            (policy.as_str().into(), (version, template))
        });
        Ok(templates.collect())
    }

    /// Stores a document as the next version: its canonical JSON, and the SHA-256 of that.
    pub async fn insert_config(
        &mut self,
        version: i64,
        (document, digest): (&str, &str),
        actor: &Principal,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(INSERT)
            .bind(version)
            .bind(document)
            .bind(digest)
            .bind(now.0)
            .bind(actor.to_string())
            .bind(reason)
            .execute(c)
            .await
            .map(|_| ()))?;
        self.know_document(digest, now).await
    }

    /// Remembers a document, so that loading it again from a file changes nothing.
    pub async fn know_document(&mut self, digest: &str, now: Timestamp) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(KNOW)
            .bind(digest)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Whether this document was ever a version or a draft in this database.
    pub async fn knows_document(&mut self, digest: &str) -> Result<bool, StoreError> {
        let (count,): (i64,) = on_db!(self, |c| sqlx::query_as(KNOWN)
            .bind(digest)
            .fetch_one(c)
            .await)?;
        Ok(count > 0)
    }

    /// Stores a new, immutable version of a policy.
    pub async fn insert_template(
        &mut self,
        version: i64,
        template: &PolicyTemplate,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let text = json(template)?;
        on_db!(self, |c| sqlx::query(INSERT_TEMPLATE)
            .bind(template.id.as_str())
            .bind(version)
            .bind(&text)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Takes the configuration lock exclusively: nobody decides, submits or executes until this transaction ends.
    pub async fn lock_config(&mut self) -> Result<(), StoreError> {
        if self.locks_rows() {
            on_db!(self, |c| sqlx::query(dialect::LOCK_CONFIG)
                .execute(c)
                .await
                .map(|_| ()))?;
        }
        Ok(())
    }

    /// Locks principals: nobody else adds requests of them until this transaction ends. Must be called after the configuration lock
    /// and before request locks.
    pub async fn lock_principals(&mut self, principals: &[Principal]) -> Result<(), StoreError> {
        if !self.locks_rows() {
            return Ok(()); // a writing SQLite transaction runs alone
        }
        let names = Keys::of(principals);
        on_db!(self, |c| sqlx::query(dialect::LOCK_PRINCIPALS)
            .bind(&names)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Takes the configuration lock shared: the configuration does not change until this transaction ends.
    pub async fn lock_config_shared(&mut self) -> Result<(), StoreError> {
        if self.locks_rows() {
            on_db!(self, |c| sqlx::query(dialect::LOCK_CONFIG_SHARED)
                .execute(c)
                .await
                .map(|_| ()))?;
        }
        Ok(())
    }
}
