//! API tokens; of a secret only its hash is stored.

use super::{StoreError, Tx, json, on_db, read, sql};
use crate::domain::principal::Principal;
use crate::domain::time::Timestamp;
use crate::domain::token::Token;

sql! {
    INSERT = "INSERT INTO tokens (id, name, secret_hash, principal, owners, scopes, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    ALL = "SELECT id, name, principal, owners, scopes, created_at, last_used_at, revoked_at FROM tokens ORDER BY created_at, id";
    BY_HASH = "SELECT id, name, principal, owners, scopes, created_at, last_used_at, revoked_at FROM tokens
        WHERE secret_hash = $1 AND revoked_at IS NULL";
    REVOKE = "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
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

    /// Every token that reads, revoked ones too, oldest first.
    pub async fn tokens(&mut self) -> Result<Vec<Token>, StoreError> {
        let rows: Vec<TokenRow> = on_db!(self, |c| sqlx::query_as(ALL).fetch_all(c).await)?;
        let tokens = rows.into_iter().filter_map(|row| self.readable_token(row));
        Ok(tokens.collect())
    }

    /// The token with this hash, unless it is revoked.
    pub async fn token_by_hash(&mut self, secret_hash: &str) -> Result<Option<Token>, StoreError> {
        let row: Option<TokenRow> = on_db!(self, |c| sqlx::query_as(BY_HASH)
            .bind(secret_hash)
            .fetch_optional(c)
            .await)?;
        Ok(row.and_then(|row| self.readable_token(row)))
    }

    /// A token that cannot be read is no token: a scope that this release does not know could be narrower than it looks.
    fn readable_token(&self, row: TokenRow) -> Option<Token> {
        let id = row.id.clone();
        self.readable("tokens", &id, row.token())
    }

    /// Revokes a token; false when there is none, or it was revoked before.
    pub async fn revoke_token(&mut self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let revoked = on_db!(self, |c| sqlx::query(REVOKE)
            .bind(id)
            .bind(now.0)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(revoked == 1)
    }

    /// Notes that a token was used, unless that was noted after `unless_since`.
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
