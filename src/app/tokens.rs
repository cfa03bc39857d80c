//! API tokens: made, listed, revoked, recognised.

use super::config_change::Departed;
use super::{App, AppError};
use crate::domain::audit::AuditEventKind;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::digest::Digest;
use crate::domain::id::{PersonId, TokenId};
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::text;
use crate::domain::time::{Span, Timestamp};
use crate::domain::token::{Scope, Token};
use crate::store::Tx;
use futures::FutureExt as _;
use serde_json::json;
use std::sync::Arc;

/// Bytes of randomness in a secret.
const RANDOM_BYTES: usize = 32;
/// How exactly it is noted when a token was last used.
const LAST_USED_RESOLUTION: Span = Span::minutes(1);

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// The person or service it speaks for.
    pub principal: Principal,
    /// People who answer for a service's token.
    pub owners: Vec<PersonId>,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl App {
    /// Makes a token; the second value is its secret, which is shown once and never stored.
    pub async fn create_token(
        &self,
        caller: &Caller,
        token: NewToken,
    ) -> Result<(Token, String), AppError> {
        let now = self.now();
        let secret = secret()?;
        let token = Token {
            id: TokenId::from_uuid(self.0.ids.next(now)),
            name: token.name,
            principal: token.principal,
            owners: token.owners,
            scopes: token.scopes,
            created_at: now,
            last_used_at: None,
            revoked_at: None,
        };
        let detail = json!({"token": token.id, "name": token.name, "for": token.principal, "owners": token.owners, "scopes": token.scopes});
        self.0
            .db
            .transaction::<_, AppError>(async |tx| {
                // held until the commit, so that nobody leaves the directory meanwhile and keeps a token
                tx.lock_config_shared().await?;
                let version = tx.config_versions().await?;
                let config = self.compiled_config_at(tx, version).await?;
                check(&token, |id| {
                    let person = config.directory().person(id);
                    person.is_some_and(|person| person.active)
                })?;
                tx.insert_token(&token, &hash(&secret)).await?;
                Ok(tx
                    .record(&self.own_event(now, AuditEventKind::TokenCreated, caller, detail))
                    .await?)
            })
            .await?;
        Ok((token, secret))
    }

    /// The caller, with everybody who answers for a service by any of its tokens: whoever owns one owns the service (threat R10).
    pub(super) async fn with_owners(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Caller, AppError> {
        let mut caller = caller.clone();
        if matches!(caller.principal, Principal::Service(_)) {
            let others = tx.token_owners(&caller.principal, (now, now)).await?;
            caller.owners.extend(others);
            caller.owners.sort();
            caller.owners.dedup();
        }
        Ok(caller)
    }

    /// All tokens.
    pub async fn tokens(&self) -> Result<Vec<Token>, AppError> {
        Ok(self.0.db.read().await?.tokens().await?)
    }

    /// Revokes a token; from the next call on no replica takes it.
    pub async fn revoke_token(&self, caller: &Caller, token: &TokenId) -> Result<(), AppError> {
        let now = self.now();
        self.0
            .db
            .transaction(async |tx| {
                if !tx.revoke_token(token.as_str(), now).await? {
                    return Err(Refusal::NotFound.into());
                }
                Ok(tx
                    .record(&self.own_event(
                        now,
                        AuditEventKind::TokenRevoked,
                        caller,
                        json!({"token": token}),
                    ))
                    .await?)
            })
            .await
    }

    /// Ends the tokens of people and services that a change has removed; tokens of services lose owners who are gone.
    pub(super) async fn end_tokens(
        &self,
        tx: &mut Tx,
        departed: &Departed<'_>,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let why = "its principal was removed from the configuration";
        for token in tx.live_tokens().await? {
            if departed.principal(&token.principal) {
                self.end_token(tx, &token, caller, why, now).await?;
                continue;
            }
            let mut owners = token.owners.clone();
            owners.retain(|owner| !departed.person(owner));
            if owners != token.owners {
                tx.set_token_owners(token.id.as_str(), &owners).await?;
            }
        }
        // what this release cannot read could be read by another one, and would be a token again
        for principal in tx.live_token_principals().await? {
            if departed.principal(&principal) {
                let ended = tx.revoke_tokens_of(&principal, now).await?;
                let detail = json!({"unreadable": ended, "for": principal, "why": why});
                let event = self.own_event(now, AuditEventKind::TokenRevoked, caller, detail);
                tx.record(&event).await?;
            }
        }
        Ok(())
    }

    /// Ends every token there is, and says which they were, as far as they can be read (threat R36).
    pub(super) async fn end_all_tokens(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        why: &str,
        now: Timestamp,
    ) -> Result<Vec<Token>, AppError> {
        let tokens = tx.live_tokens().await?;
        for token in &tokens {
            self.end_token(tx, token, caller, why, now).await?;
        }
        let unreadable = tx.revoke_all_tokens(now).await?;
        if unreadable > 0 {
            let detail = json!({"unreadable": unreadable, "why": why});
            let event = self.own_event(now, AuditEventKind::TokenRevoked, caller, detail);
            tx.record(&event).await?;
        }
        Ok(tokens)
    }

    async fn end_token(
        &self,
        tx: &mut Tx,
        token: &Token,
        caller: &Caller,
        why: &str,
        now: Timestamp,
    ) -> Result<(), AppError> {
        tx.revoke_token(token.id.as_str(), now).await?;
        let detail =
            json!({"token": token.id, "name": token.name, "for": token.principal, "why": why});
        let event = self.own_event(now, AuditEventKind::TokenRevoked, caller, detail);
        Ok(tx.record(&event).await?)
    }

    /// The token with this secret, unless it is unknown or revoked, and the configuration in force.
    pub async fn authenticate(
        &self,
        secret: &str,
    ) -> Result<Option<(Token, Arc<CompiledConfig>)>, AppError> {
        let hash = hash(secret);
        let found = self.0.db.ask(|tx| tx.token_by_hash(hash.clone()).boxed());
        let Some((token, versions)) = found.await? else {
            return Ok(None);
        };
        let config = self.compiled_config_of(versions).await?;
        self.note_token_use(&token).await;
        Ok(Some((token, config)))
    }

    async fn note_token_use(&self, token: &Token) {
        let now = self.now();
        let a_minute_ago = Timestamp(now.0.saturating_sub(LAST_USED_RESOLUTION.0));
        if token.last_used_at.is_some_and(|at| at >= a_minute_ago) {
            return;
        }
        let noted: Result<(), AppError> = self
            .0
            .db
            .transaction(async |tx| Ok(tx.token_used(token.id.as_str(), now, a_minute_ago).await?))
            .await;
        // a note for the operator; what cannot be noted can still be read
        if let Err(error) = noted {
            tracing::warn!(token = %token.id, %error, "token use not recorded");
        }
    }
}

fn check(token: &Token, is_person: impl Fn(&PersonId) -> bool) -> Result<(), AppError> {
    let refuse = |why: String| Err(AppError::from(Refusal::Forbidden(why)));
    if text::is_blank(&token.name) || token.scopes.is_empty() {
        return refuse("A token needs a name and at least one scope.".to_owned());
    }
    let people = token.owners.iter().chain(token.principal.person());
    if let Some(unknown) = people.into_iter().find(|id| !is_person(id)) {
        return refuse(format!(
            "`{unknown}` is nobody in the directory; add them to the configuration first."
        ));
    }
    match &token.principal {
        Principal::Person(_) if !token.owners.is_empty() => {
            refuse("A person's token has no owners: the person answers for it.".to_owned())
        }
        Principal::Service(_) if token.scopes.contains(&Scope::DecisionsWrite) => {
            refuse("A service never decides: decisions:write is for persons only.".to_owned())
        }
        Principal::Person(_) | Principal::Service(_) => Ok(()),
        Principal::Operator | Principal::Bot => {
            refuse("A token belongs to a person or a service.".to_owned())
        }
    }
}

fn secret() -> Result<String, AppError> {
    let mut random = [0_u8; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| AppError::Internal(error.to_string()))?;
    Ok(format!("cs_{}", hex::encode(random)))
}

/// 256 bits of randomness need no slow hash.
fn hash(secret: &str) -> String {
    Digest::of(secret.as_bytes()).to_string()
}
