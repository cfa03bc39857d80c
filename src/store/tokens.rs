//! API tokens. Only the hash of a secret is stored.

use super::{StoreError, Tx, json, on_db, read, sql};
use crate::domain::id::PersonId;
use crate::domain::principal::Principal;
use crate::domain::slack_directory::ConfigVersions;
use crate::domain::time::Timestamp;
use crate::domain::token::Token;
use std::collections::BTreeSet;

sql! {
    INSERT = "INSERT INTO tokens (id, name, secret_hash, principal, owners, scopes, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    ALL = "SELECT id, name, principal, owners, scopes, created_at, last_used_at, revoked_at FROM tokens ORDER BY created_at, id";
    BY_HASH = "SELECT id, name, principal, owners, scopes, created_at, last_used_at, revoked_at,
        (SELECT coalesce(max(version), CAST(0 AS BIGINT)) FROM config) AS config_version,
        (SELECT coalesce(max(version), CAST(0 AS BIGINT)) FROM directory_versions) AS directory_version
        FROM tokens WHERE secret_hash = $1 AND revoked_at IS NULL";
    OWNERS = "SELECT owners FROM tokens
        WHERE principal = $1 AND owners <> '[]' AND (revoked_at IS NULL OR revoked_at > $2) AND created_at <= $3";
    SET_OWNERS = "UPDATE tokens SET owners = $2 WHERE id = $1";
    REVOKE = "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    LIVE_PRINCIPALS = "SELECT DISTINCT principal FROM tokens WHERE revoked_at IS NULL ORDER BY principal";
    REVOKE_OF = "UPDATE tokens SET revoked_at = $1 WHERE principal = $2 AND revoked_at IS NULL";
    REVOKE_ALL = "UPDATE tokens SET revoked_at = $1 WHERE revoked_at IS NULL";
    USED = "UPDATE tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)";
}

/// A token's row.
#[derive(Debug, sqlx::FromRow)]
struct TokenRow {
    id: String,
    name: String,
    principal: String,
    owners: String,
    scopes: String,
    created_at: i64,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
}

/// A token's row, and the versions in force when it was read.
#[derive(Debug, sqlx::FromRow)]
struct KnownTokenRow {
    #[sqlx(flatten)]
    token: TokenRow,
    config_version: i64,
    directory_version: i64,
}

impl TokenRow {
    fn token(self) -> Result<Token, StoreError> {
        Ok(Token {
            id: read("id", self.id.parse())?,
            name: self.name,
            principal: read("principal", Principal::try_from(self.principal))?,
            owners: read("owners", serde_json::from_str(&self.owners))?,
            scopes: read("scopes", serde_json::from_str(&self.scopes))?,
            created_at: Timestamp(self.created_at),
            last_used_at: self.last_used_at.map(Timestamp),
            revoked_at: self.revoked_at.map(Timestamp),
        })
    }
}

impl Tx {
    /// Stores a token under the hash of its secret.
    pub async fn insert_token(
        &mut self,
        token: &Token,
        secret_hash: &str,
    ) -> Result<(), StoreError> {
        let (owners, scopes) = (json(&token.owners)?, json(&token.scopes)?);
        on_db!(self, |c| sqlx::query(INSERT)
            .bind(token.id.as_str())
            .bind(&token.name)
            .bind(secret_hash)
            .bind(token.principal.to_string())
            .bind(&owners)
            .bind(&scopes)
            .bind(token.created_at.0)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// All readable tokens, including revoked ones, oldest first.
    pub async fn tokens(&mut self) -> Result<Vec<Token>, StoreError> {
        let rows: Vec<TokenRow> = on_db!(self, |c| sqlx::query_as(ALL).fetch_all(c).await)?;
        let tokens = rows.into_iter().filter_map(|row| self.readable_token(row));
        Ok(tokens.collect())
    }

    /// All readable tokens that are not revoked, oldest first.
    pub async fn live_tokens(&mut self) -> Result<Vec<Token>, StoreError> {
        let mut tokens = self.tokens().await?;
        tokens.retain(|token| token.revoked_at.is_none());
        Ok(tokens)
    }

    /// The people who own a principal through a token that was usable at some time from `from` to `to`; unique and sorted by id.
    pub async fn token_owners(
        &mut self,
        principal: &Principal,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<PersonId>, StoreError> {
        let rows: Vec<(String,)> = on_db!(self, |c| sqlx::query_as(OWNERS)
            .bind(principal.to_string())
            .bind(from.0)
            .bind(to.0)
            .fetch_all(c)
            .await)?;
        let mut owners: BTreeSet<PersonId> = BTreeSet::new();
        for (of_one,) in rows {
            let of_one: Vec<PersonId> = read("owners", serde_json::from_str(&of_one))?;
            owners.extend(of_one);
        }
        Ok(owners.into_iter().collect())
    }

    /// Replaces the owners of a token.
    pub async fn set_token_owners(
        &mut self,
        id: &str,
        owners: &[PersonId],
    ) -> Result<(), StoreError> {
        let owners = json(&owners)?;
        on_db!(self, |c| sqlx::query(SET_OWNERS)
            .bind(id)
            .bind(&owners)
            .execute(c)
            .await
            .map(|_| ()))
    }

    /// The token with this hash, unless it is revoked, and the versions in force at the same moment.
    pub async fn token_by_hash(
        &mut self,
        secret_hash: String,
    ) -> Result<Option<(Token, ConfigVersions)>, StoreError> {
        let row: Option<KnownTokenRow> = on_db!(self, |c| sqlx::query_as(BY_HASH)
            .bind(secret_hash)
            .fetch_optional(c)
            .await)?;
        let Some(row) = row else {
            return Ok(None);
        };
        let versions = ConfigVersions {
            config: row.config_version,
            directory: row.directory_version,
        };
        Ok(self
            .readable_token(row.token)
            .map(|token| (token, versions)))
    }

    /// An unreadable token is ignored: an unknown scope could be narrower than it looks.
    fn readable_token(&self, row: TokenRow) -> Option<Token> {
        let id = row.id.clone();
        self.readable("tokens", &id, row.token())
    }

    /// Revokes a token. Returns `false` if it does not exist or was already revoked.
    pub async fn revoke_token(&mut self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let revoked = on_db!(self, |c| sqlx::query(REVOKE)
            .bind(id)
            .bind(now.0)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(revoked == 1)
    }

    /// The principals of all tokens that are not revoked, including unreadable tokens; a principal that is itself unreadable is left
    /// out.
    pub async fn live_token_principals(&mut self) -> Result<Vec<Principal>, StoreError> {
        let rows: Vec<(String,)> =
            on_db!(self, |c| sqlx::query_as(LIVE_PRINCIPALS).fetch_all(c).await)?;
        let principals = rows.into_iter().map(|(name,)| Principal::try_from(name));
        Ok(principals.filter_map(Result::ok).collect())
    }

    /// Revokes every token of a principal, including unreadable ones. Returns how many.
    pub async fn revoke_tokens_of(
        &mut self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        on_db!(self, |c| sqlx::query(REVOKE_OF)
            .bind(now.0)
            .bind(principal.to_string())
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
    }

    /// Revokes every token, including unreadable ones. Returns how many.
    pub async fn revoke_all_tokens(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        on_db!(self, |c| sqlx::query(REVOKE_ALL)
            .bind(now.0)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
    }

    /// Records that a token was used, unless a use was recorded after `unless_since`.
    pub async fn token_used(
        &mut self,
        id: &str,
        now: Timestamp,
        unless_since: Timestamp,
    ) -> Result<(), StoreError> {
        on_db!(self, |c| sqlx::query(USED)
            .bind(id)
            .bind(now.0)
            .bind(unless_since.0)
            .execute(c)
            .await
            .map(|_| ()))
    }
}
