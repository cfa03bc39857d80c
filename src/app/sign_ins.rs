//! Sign-ins to the web pages: begun, recognised at each request, listed and ended (docs/decisions.md D50).

use super::{App, AppError};
use crate::domain::audit::AuditEventKind;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::decision::Via;
use crate::domain::digest::Digest;
use crate::domain::document::ConfigDocument;
use crate::domain::id::{PersonId, SignInId};
use crate::domain::people::Person;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::Request;
use crate::domain::sign_in::{Identity, SignIn};
use crate::domain::time::{Span, Timestamp};
use crate::store::Tx;
use serde_json::json;
use std::fmt;
use std::sync::Arc;

/// Bytes of randomness in a secret.
const RANDOM_BYTES: usize = 32;
/// How exactly it is noted when a browser was last seen.
const SEEN_RESOLUTION: Span = Span::minutes(1);
/// After this time, longer than any sign-in lasts, its row is deleted.
const KEPT_FOR: Span = Span::hours(60 * 24);

/// A sign-in that has begun.
pub struct NewSignIn {
    /// The secret for the browser's cookie; only its hash is stored.
    pub secret: String,
    /// The sign-in.
    pub sign_in: SignIn,
}

impl fmt::Debug for NewSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // the secret is left out
        f.debug_struct("NewSignIn")
            .field("sign_in", &self.sign_in)
            .finish_non_exhaustive()
    }
}

/// Who is behind a browser, as of this moment.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The sign-in.
    pub sign_in: SignIn,
    /// The person, who is active.
    pub person: Person,
    /// The configuration that says so.
    pub config: Arc<CompiledConfig>,
}

impl SignedIn {
    /// The caller of a use case.
    pub fn caller(&self) -> Caller {
        Caller::person(self.person.id.clone(), Via::Web)
    }

    /// Whether the caller may take this request back; `cancel` checks it again.
    pub fn may_cancel(&self, request: &Request) -> bool {
        super::cancel::may(&self.caller(), request, &self.config)
    }
}

impl App {
    /// Begins a sign-in of the active person with this identity, who proved it to the provider at that time; refuses everybody else.
    pub async fn sign_in(
        &self,
        identity: Identity,
        authenticated_at: Option<Timestamp>,
    ) -> Result<NewSignIn, AppError> {
        let secret = secret()?;
        let now = self.now();
        let began = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                let version = tx.config_versions().await?;
                let config = self.compiled_config_at(tx, version).await?;
                let console = config.document().console.as_ref();
                let accepted = console.is_some_and(|console| identity.is_accepted(console));
                let person = identity.person(config.directory()).filter(|_| accepted);
                let person = person.ok_or_else(|| Refusal::Forbidden(NOT_LISTED.to_owned()))?;
                let sign_in = SignIn {
                    id: SignInId::from_uuid(self.0.ids.next(now)),
                    person: person.id.clone(),
                    identity: identity.clone(),
                    started_at: now,
                    seen_at: now,
                    authenticated_at,
                };
                tx.forget_sign_ins(Timestamp(now.0.saturating_sub(KEPT_FOR.0)))
                    .await?;
                tx.insert_sign_in(&sign_in, &hash(&secret)).await?;
                let by = Caller::person(sign_in.person.clone(), Via::Web);
                let detail = json!({"signIn": sign_in.id, "identity": identity, "authenticatedAt": authenticated_at});
                let event = self.own_event(now, AuditEventKind::SignedIn, &by, detail);
                tx.record(&event).await?;
                Ok(sign_in)
            })
            .await;
        if let Err(AppError::Refused(refusal)) = &began {
            self.sign_in_refused(&identity, &refusal.detail()).await?;
        }
        let sign_in = began?;
        Ok(NewSignIn { secret, sign_in })
    }

    /// Who is behind a browser with this secret, which they use now; see [`App::recognise`].
    pub async fn signed_in(&self, secret: &str) -> Result<Option<SignedIn>, AppError> {
        let found = self.recognise(secret).await?;
        if let Some(found) = &found {
            self.note_seen(&found.sign_in, self.now()).await;
        }
        Ok(found)
    }

    /// Who is behind a browser with this secret: nobody if the sign-in has ended, or its person is not active any more, or is
    /// somebody else by now. It does not count as use: a page that only waits for changes does not keep a sign-in alive.
    pub async fn recognise(&self, secret: &str) -> Result<Option<SignedIn>, AppError> {
        let mut tx = self.0.db.read().await?;
        let Some(sign_in) = tx.sign_in_by_hash(&hash(secret)).await? else {
            return Ok(None);
        };
        let version = tx.config_versions().await?;
        let config = self.compiled_config_at(&mut tx, version).await?;
        drop(tx);
        let now = self.now();
        let Some(person) = whose(&sign_in, &config, now) else {
            self.end_found(&sign_in, now).await;
            return Ok(None);
        };
        Ok(Some(SignedIn {
            sign_in,
            person,
            config,
        }))
    }

    /// What was found ended stays so, whatever is configured later.
    async fn end_found(&self, sign_in: &SignIn, now: Timestamp) {
        if !self.0.clock.is_sure() {
            return;
        }
        let end = self.0.db.transaction::<_, AppError>(async |tx| {
            tx.end_sign_in(&sign_in.id, now).await?;
            Ok(())
        });
        if let Err(error) = end.await {
            tracing::warn!(sign_in = %sign_in.id, %error, "end of a sign-in not recorded");
        }
    }

    /// Ends the sign-ins that a change of the configuration ends, so that a later change does not bring them back.
    pub(super) async fn end_sign_ins(
        &self,
        tx: &mut Tx,
        before: &ConfigDocument,
        after: &CompiledConfig,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let Some(old) = &before.console else {
            return Ok(()); // there is nobody to end, or it is done already
        };
        let Some(new) = &after.document().console else {
            tx.end_all_sign_ins(now).await?;
            return Ok(());
        };
        let ago = |length: Span| Timestamp(now.0.saturating_sub(length.0));
        let (absolute, idle) = (old.absolute.min(new.absolute), old.idle.min(new.idle));
        tx.end_sign_ins_until(ago(absolute), ago(idle), now).await?;
        if before.directory == after.document().directory && old == new {
            return Ok(());
        }
        for sign_in in tx.all_sign_ins().await? {
            if whose(&sign_in, after, now).is_none() {
                tx.end_sign_in(&sign_in.id, now).await?;
            }
        }
        Ok(())
    }

    async fn note_seen(&self, sign_in: &SignIn, now: Timestamp) {
        let a_minute_ago = Timestamp(now.0.saturating_sub(SEEN_RESOLUTION.0));
        if sign_in.seen_at > a_minute_ago {
            return;
        }
        let noted: Result<(), AppError> = self
            .0
            .db
            .transaction(async |tx| Ok(tx.sign_in_seen(&sign_in.id, now, a_minute_ago).await?))
            .await;
        // reading goes on where nothing can be written; the sign-in then ends earlier
        if let Err(error) = noted {
            tracing::warn!(sign_in = %sign_in.id, %error, "use of a sign-in not recorded");
        }
    }

    /// Ends the caller's own sign-in.
    pub async fn sign_out(&self, signed_in: &SignedIn) -> Result<(), AppError> {
        let now = self.now();
        let sign_in = &signed_in.sign_in;
        self.0
            .db
            .transaction::<_, AppError>(async |tx| {
                if tx.end_sign_in(&sign_in.id, now).await? {
                    let detail = json!({"signIn": sign_in.id});
                    let by = signed_in.caller();
                    let event = self.own_event(now, AuditEventKind::SignedOut, &by, detail);
                    tx.record(&event).await?;
                }
                Ok(())
            })
            .await?;
        self.notify_changes(&[]); // open pages look whether they may go on
        Ok(())
    }

    /// Ends every sign-in of the caller.
    pub async fn sign_out_everywhere(&self, signed_in: &SignedIn) -> Result<(), AppError> {
        let now = self.now();
        let directory = signed_in.config.directory();
        self.0
            .db
            .transaction::<_, AppError>(async |tx| {
                let mut ended = 0;
                for id in directory.ids_of(&signed_in.person.id) {
                    ended += tx.end_sign_ins_of(id, now).await?;
                }
                let detail = json!({"person": signed_in.person.id, "ended": ended});
                let by = signed_in.caller();
                let event = self.own_event(now, AuditEventKind::SignInRevoked, &by, detail);
                Ok(tx.record(&event).await?)
            })
            .await?;
        self.notify_changes(&[]);
        Ok(())
    }

    /// The sign-ins that are alive: the caller's own, or everybody's for an administrator who asks for them.
    pub async fn sign_ins(
        &self,
        signed_in: &SignedIn,
        of_everybody: bool,
    ) -> Result<Vec<SignIn>, AppError> {
        let caller = signed_in.caller();
        let all = of_everybody && signed_in.config.is_administrator(&caller.principal);
        let of = (!all).then_some(&signed_in.person.id);
        let Some(console) = signed_in.config.document().console.as_ref() else {
            return Ok(Vec::new());
        };
        let now = self.now();
        let ago = |length: Span| Timestamp(now.0.saturating_sub(length.0));
        let (started, seen) = (ago(console.absolute), ago(console.idle));
        let mut live = self.0.db.read().await?;
        let mut live = live.sign_ins(of, started, seen).await?;
        live.retain(|one| !one.is_over(console, now));
        Ok(live)
    }

    /// Ends a sign-in: one of the caller's own, or anybody's for administrators and the operator.
    pub async fn revoke_sign_in(&self, caller: &Caller, id: &SignInId) -> Result<(), AppError> {
        let now = self.now();
        self.0
            .db
            .transaction::<_, AppError>(async |tx| {
                let version = tx.config_versions().await?;
                let config = self.compiled_config_at(tx, version).await?;
                let Some(sign_in) = tx.sign_in(id).await? else {
                    let why = "This sign-in has ended already.".to_owned();
                    return Err(Refusal::Stale(why).into());
                };
                let whose = config.directory().canonical(&sign_in.person);
                if !may_revoke(caller, whose, &config) {
                    return Err(Refusal::Forbidden(NOT_YOURS.to_owned()).into());
                }
                tx.end_sign_in(id, now).await?;
                let detail = json!({"signIn": id, "person": whose});
                let event = self.own_event(now, AuditEventKind::SignInRevoked, caller, detail);
                Ok(tx.record(&event).await?)
            })
            .await?;
        self.notify_changes(&[]);
        Ok(())
    }
}

const NOT_LISTED: &str = "Nobody in the directory who is active has this account. Ask an administrator to add it to you in the configuration, then sign in again.";
const NOT_YOURS: &str = "You may end your own sign-ins. Ask an administrator to end this one.";

/// The person of a sign-in: nobody if its time is over, its provider is not configured, or its identity is not theirs any more.
fn whose(sign_in: &SignIn, config: &CompiledConfig, now: Timestamp) -> Option<Person> {
    let console = config.document().console.as_ref()?;
    if sign_in.is_over(console, now) || !sign_in.identity.is_accepted(console) {
        return None;
    }
    let directory = config.directory();
    let person = sign_in.identity.person(directory)?;
    (person.id == *directory.canonical(&sign_in.person)).then(|| person.clone())
}

fn may_revoke(caller: &Caller, whose: &PersonId, config: &CompiledConfig) -> bool {
    caller.principal == Principal::Operator
        || caller.principal.person() == Some(whose)
        || config.is_administrator(&caller.principal)
}

fn secret() -> Result<String, AppError> {
    let mut random = [0_u8; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| AppError::Internal(error.to_string()))?;
    Ok(hex::encode(random))
}

/// 256 bits of randomness need no slow hash.
fn hash(secret: &str) -> String {
    Digest::of(secret.as_bytes()).to_string()
}
