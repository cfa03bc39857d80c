//! The configuration as versioned documents, and every version of every policy template.

use super::{StoreError, Tx, dialect, json, on_db, read, sql};
use crate::domain::document::{Document, Template};
use crate::domain::id::PolicyId;
use crate::domain::principal::Principal;
use crate::domain::roster::Stamp;
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;

sql! {
    LATEST = "SELECT version, document, digest FROM config ORDER BY version DESC LIMIT 1";
    AT = "SELECT document FROM config WHERE version = $1";
    VERSION = "SELECT coalesce(max(version), CAST(0 AS BIGINT)) FROM config";
    RULES_VERSION = "SELECT (SELECT coalesce(max(version), CAST(0 AS BIGINT)) FROM config),
        (SELECT coalesce(max(version), CAST(0 AS BIGINT)) FROM directory_versions)";
    MADE_AT = "SELECT made_at FROM config ORDER BY version DESC LIMIT 1";
    INSERT = "INSERT INTO config (version, document, digest, made_at, actor, reason) VALUES ($1, $2, $3, $4, $5, $6)";
    KNOW = "INSERT INTO known_documents (digest, at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
    KNOWN = "SELECT count(*) FROM known_documents WHERE digest = $1";
    LATEST_TEMPLATES = "SELECT p.policy, p.version, p.template FROM policy_versions p
        WHERE p.version = (SELECT max(q.version) FROM policy_versions q WHERE q.policy = p.policy)";
    INSERT_TEMPLATE = "INSERT INTO policy_versions (policy, version, template, made_at) VALUES ($1, $2, $3, $4)";
}

/// The configuration in force.
#[derive(Debug, Clone)]
pub struct ConfigRow {
    /// Its version; 0 where none was ever stored.
    pub version: i64,
    /// The document.
    pub document: Document,
    /// The SHA-256 of its canonical form.
    pub digest: String,
}

impl Tx {
    /// The version of the configuration in force; 0 where none was ever stored.
    pub async fn config_version(&mut self) -> Result<i64, StoreError> {
        let (version,): (i64,) = on_db!(self, |c| sqlx::query_as(VERSION).fetch_one(c).await)?;
        Ok(version)
    }

    /// The versions of everything that decides.
    pub async fn rules_version(&mut self) -> Result<Stamp, StoreError> {
        let (config, directory): (i64, i64) =
            on_db!(self, |c| sqlx::query_as(RULES_VERSION).fetch_one(c).await)?;
        Ok(Stamp { config, directory })
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

    /// The configuration as it was in a version.
    pub async fn config_at(&mut self, version: i64) -> Result<Option<Document>, StoreError> {
        let row: Option<(String,)> = on_db!(self, |c| sqlx::query_as(AT)
            .bind(version)
            .fetch_optional(c)
            .await)?;
        row.map(|(document,)| read("configuration", serde_json::from_str(&document)))
            .transpose()
    }

    /// The latest version of every template that ever was; none where that version cannot be read. A policy in force that cannot be read
    /// is an error of [`Tx::config`].
    pub async fn templates(
        &mut self,
    ) -> Result<BTreeMap<PolicyId, (i64, Option<Template>)>, StoreError> {
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

    /// Stores a document as the next version.
    pub async fn insert_config(
        &mut self,
        config: &ConfigRow,
        actor: &Principal,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let document = json(&config.document)?;
        on_db!(self, |c| sqlx::query(INSERT)
            .bind(config.version)
            .bind(&document)
            .bind(&config.digest)
            .bind(now.0)
            .bind(actor.to_string())
            .bind(reason)
            .execute(c)
            .await
            .map(|_| ()))?;
        self.know_document(&config.digest, now).await
    }

    /// Remembers a document, so that loading it from a file again changes nothing.
    pub async fn know_document(&mut self, digest: &str, now: Timestamp) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(KNOW)
            .bind(digest)
            .bind(now.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// Whether this document ever became a version or a draft here.
    pub async fn knows_document(&mut self, digest: &str) -> Result<bool, StoreError> {
        let (count,): (i64,) = on_db!(self, |c| sqlx::query_as(KNOWN)
            .bind(digest)
            .fetch_one(c)
            .await)?;
        Ok(count > 0)
    }

    /// Stores a new, immutable version of a template.
    pub async fn insert_template(
        &mut self,
        version: i64,
        template: &Template,
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

    /// Nobody decides, submits or executes until this unit ends.
    pub async fn lock_rules(&mut self) -> Result<(), StoreError> {
        if self.locks_rows() {
            on_db!(self, |c| sqlx::query(dialect::LOCK_RULES)
                .execute(c)
                .await
                .map(|_| ()))?;
        }
        Ok(())
    }

    /// The rules stay as they are until this unit ends.
    pub async fn lock_rules_shared(&mut self) -> Result<(), StoreError> {
        if self.locks_rows() {
            on_db!(self, |c| sqlx::query(dialect::LOCK_RULES_SHARED)
                .execute(c)
                .await
                .map(|_| ()))?;
        }
        Ok(())
    }
}
