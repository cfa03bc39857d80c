//! Who may come in: a handler names the right it needs by the type of its first argument, and only this file can build that argument
//! (threats B35, B42). Identity comes from the bearer token alone; headers that claim one are never read (threat B30).

use super::Api;
use super::problem::Problem;
use crate::domain::decision::Via;
use crate::domain::id::PersonId;
use crate::domain::people::Person;
use crate::domain::principal::{Caller, Principal};
use crate::domain::token::{Scope, Token};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use std::convert::Infallible;
use std::marker::PhantomData;

/// What a route asks of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing; it tells nothing either.
    Open,
    /// A token with this scope.
    Token {
        /// The scope.
        scope: Scope,
        /// Whose token.
        who: Who,
    },
}

/// Whose token opens a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A person's or a service's.
    Anybody,
    /// A person's: no program decides.
    Person,
}

/// A right as a type, so that it stands in a handler's signature.
pub trait Right: Send + Sync + 'static {
    /// The scope a token must have.
    const SCOPE: Scope;
    /// Whose token it must be.
    const WHO: Who;
}

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident = $scope:ident, $who:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}
        impl Right for $name {
            const SCOPE: Scope = Scope::$scope;
            const WHO: Who = Who::$who;
        }
    )*};
}

rights! {
    /// Read requests.
    ReadRequests = RequestsRead, Anybody;
    /// Ask and cancel.
    WriteRequests = RequestsWrite, Anybody;
    /// Execute and complete.
    Execute = RequestsExecute, Anybody;
    /// Approve and reject.
    Decide = DecisionsWrite, Person;
    /// Start a break-glass session.
    StartSession = BreakGlassWrite, Person;
    /// End a break-glass session early.
    EndSession = BreakGlassWrite, Anybody;
    /// Review a break-glass session.
    ReviewSession = BreakGlassWrite, Person;
    /// Read the configuration.
    ReadConfig = ConfigRead, Anybody;
    /// Change the configuration.
    WriteConfig = ConfigWrite, Anybody;
    /// Read the audit log.
    ReadAudit = AuditRead, Anybody;
}

/// Proof that the caller was authenticated and has the right `R`.
#[derive(Debug)]
pub struct Allowed<R> {
    /// Who calls.
    pub caller: Caller,
    secret: SecretString,
    proof: PhantomData<R>,
}

impl<R: Right> Allowed<R> {
    /// The person, where the token is a person's.
    pub fn person(&self) -> Option<&PersonId> {
        self.caller.principal.person()
    }

    /// The same caller as of now. Whoever has waited is asked again: a right that ended meanwhile sees nothing (threat B59).
    pub async fn still(&self, api: &Api) -> Result<Self, Problem> {
        Self::with(self.secret.expose_secret(), api).await
    }

    async fn with(secret: &str, api: &Api) -> Result<Self, Problem> {
        let Some((token, config)) = api.app.authenticate(secret).await? else {
            api.app.unknown_token_came().await?;
            return Err(unknown_token());
        };
        let person = token
            .principal
            .person()
            .and_then(|id| config.directory().person(id));
        if let Err(refused) = admit(&token, person, Self::ACCESS) {
            let why = format!("{}: {}", refused.title, refused.detail);
            api.app.token_refused(&token, R::SCOPE, &why).await?;
            return Err(refused);
        }
        let mut owners = token.owners.clone();
        if let Principal::Service(id) = &token.principal
            && let Some(service) = config.service(id)
        {
            owners.extend(service.owners.iter().cloned());
            owners.sort();
            owners.dedup();
        }
        Ok(Self {
            caller: Caller {
                acts_for_others: token.scopes.contains(&Scope::RequestsActFor),
                principal: token.principal,
                owners,
                via: Via::Api,
            },
            secret: secret.into(),
            proof: PhantomData,
        })
    }
}

/// Says that a route is open to everybody.
#[derive(Debug)]
pub struct Open(());

/// The first argument of every handler.
pub trait Gate {
    /// What it asks of a caller.
    const ACCESS: Access;
}

impl<R: Right> Gate for Allowed<R> {
    const ACCESS: Access = Access::Token {
        scope: R::SCOPE,
        who: R::WHO,
    };
}

impl Gate for Open {
    const ACCESS: Access = Access::Open;
}

/// The arguments of a handler that begins with a [`Gate`]; no other handler can become a route.
pub trait Guarded {
    /// What the handler asks of a caller.
    const ACCESS: Access;
}

macro_rules! guarded {
    ($($rest:ident),*) => {
        impl<M, G: Gate, $($rest),*> Guarded for (M, G, $($rest,)*) {
            const ACCESS: Access = G::ACCESS;
        }
    };
}
guarded!();
guarded!(A);
guarded!(A, B);
guarded!(A, B, C);
guarded!(A, B, C, D);

impl FromRequestParts<Api> for Open {
    type Rejection = Infallible;
    async fn from_request_parts(_: &mut Parts, _: &Api) -> Result<Self, Infallible> {
        Ok(Self(()))
    }
}

impl<R: Right> FromRequestParts<Api> for Allowed<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        match bearer(&parts.headers) {
            Ok(secret) => Self::with(secret, api).await,
            Err(NoSecret::None) => Err(no_token()),
            Err(NoSecret::Implausible) => {
                api.app.unknown_token_came().await?;
                Err(unknown_token())
            }
        }
    }
}

/// Longer texts are not looked up.
const LONGEST_SECRET: usize = 256;

/// Why a call has no secret that is worth looking up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoSecret {
    /// It has no token, or several.
    None,
    /// It has one that cannot be any token's.
    Implausible,
}

fn bearer(headers: &HeaderMap) -> Result<&str, NoSecret> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(NoSecret::None);
    };
    let text = value.to_str().map_err(|_| NoSecret::None)?;
    match text.split_once(' ') {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => {
            let secret = secret.trim();
            let plausible = (1..=LONGEST_SECRET).contains(&secret.len())
                && secret.bytes().all(|b| b.is_ascii_graphic());
            if plausible {
                Ok(secret)
            } else {
                Err(NoSecret::Implausible)
            }
        }
        _ => Err(NoSecret::None),
    }
}

/// The one check: is the token alive, is it somebody's who may act at all, and does it have the scope? Everything else is refused.
fn admit(token: &Token, person: Option<&Person>, access: Access) -> Result<(), Problem> {
    let Access::Token { scope, who } = access else {
        return Ok(());
    };
    if token.revoked_at.is_some() {
        return Err(unknown_token());
    }
    match (&token.principal, who) {
        (Principal::Person(id), _) => {
            if !person.is_some_and(|person| person.active && person.id == *id) {
                return Err(forbidden(
                    "The person of this token is not an active member of the directory. Ask an administrator to add them.",
                ));
            }
        }
        (Principal::Service(_), Who::Anybody) => {}
        (Principal::Service(_), Who::Person) => {
            return Err(forbidden(
                "Only people may do this. Use a token created with `countersign token create --user`.",
            ));
        }
        (Principal::Operator | Principal::Bot, _) => {
            return Err(forbidden(
                "The principal of this token may not call the API.",
            ));
        }
    }
    if token.scopes.contains(&scope) {
        Ok(())
    } else {
        let scope = scope.as_str();
        Err(forbidden(&format!(
            "This token lacks the scope `{scope}`. Use one created with `countersign token create --scopes {scope}`."
        ))
        .with_challenge("Bearer error=\"insufficient_scope\""))
    }
}

fn no_token() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "a token is needed",
        "Send `Authorization: Bearer TOKEN`, once. `countersign token create` creates a token.",
    )
    .with_challenge("Bearer")
}

fn unknown_token() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "this token is not valid",
        "The token is unknown or revoked. `countersign token create` creates a new one.",
    )
    .with_challenge("Bearer error=\"invalid_token\"")
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "forbidden",
        "you may not do this",
        detail,
    )
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
