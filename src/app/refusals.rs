//! Refusals that matter for security leave an audit row, bounded: whoever is refused a thousand times a second must not fill the log.
//!
//! The use cases wrapped here change nothing when they refuse, and their unit of work is undone. The audit row is written by a unit of
//! its own before the refusal is answered: no caller reads a refusal that the log does not have.

use super::break_glass::Started;
use super::{
    App, AppError, ApproverIdentity, Changed, Executed, IdempotencyKey, RequestRef, Submitted,
    resolve,
};
use crate::domain::ask::Ask;
use crate::domain::audit::{AuditEvent, AuditEventKind};
use crate::domain::break_glass::{SessionAsk, SessionDetails};
use crate::domain::config_edit::ConfigEdit;
use crate::domain::decision::Via;
use crate::domain::digest::SeenDigest;
use crate::domain::id::{AuditId, RequestId, SessionId};
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::Outcome;
use crate::domain::request_details::RequestDetails;
use crate::domain::sign_in::Identity;
use crate::domain::time::{Span, Timestamp};
use crate::domain::token::{Scope, Token};
use metrics::counter;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Refusals that were not recorded, since the same one had been recorded recently.
pub(super) const UNRECORDED: &str = "countersign_refusals_unrecorded_total";
/// The same refusal of the same caller about the same thing is recorded once in this time.
const RECORDED_ONCE_IN: Span = Span::hours(24);
/// Calls with unknown tokens are recorded once in this time, all callers together.
const UNKNOWN_TOKENS_ONCE_IN: Span = Span::hours(1);
/// How many recorded refusals are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 20_000;
/// Refused decisions of one person in [`PACE_WINDOW`]; then they have to wait.
const REFUSED_DECISIONS: u32 = 100;
/// The window of [`REFUSED_DECISIONS`].
const PACE_WINDOW: Span = Span::minutes(1);
/// The longest explanation that a row keeps, in characters.
const LONGEST_WHY: usize = 1_000;

/// What makes two refusals the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RefusalKey {
    /// The principal, or the Slack account that belongs to nobody.
    pub(super) caller: String,
    /// What was refused.
    pub(super) what: AuditEventKind,
    /// The request or the session; empty where it is about none.
    pub(super) about: String,
    /// The refusal's code.
    pub(super) code: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct Recorded {
    at: Timestamp,
    repeated: u64,
}

#[derive(Debug, Clone, Copy)]
struct Pace {
    since: Timestamp,
    refused: u32,
}

/// What this replica has recorded recently. A restart forgets it, which costs a row for each caller and thing at most.
#[derive(Debug, Default)]
pub(super) struct RecentRefusals {
    recorded: Mutex<HashMap<RefusalKey, Recorded>>,
    paces: Mutex<HashMap<String, Pace>>,
}

impl RecentRefusals {
    /// Whether this refusal is to be recorded: then with how many it stands for. Otherwise it is counted.
    pub(super) fn admit(&self, key: &RefusalKey, now: Timestamp) -> Option<u64> {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let once_in = if key.caller.is_empty() {
            UNKNOWN_TOKENS_ONCE_IN
        } else {
            RECORDED_ONCE_IN
        };
        match recorded.get_mut(key) {
            Some(before) if now < before.at.plus(once_in) => {
                before.repeated += 1;
                counter!(UNRECORDED, "event" => key.what.as_str()).increment(1);
                None
            }
            Some(before) => Some(before.repeated),
            None => Some(0),
        }
    }

    /// The row of this refusal is committed.
    pub(super) fn committed(&self, key: RefusalKey, now: Timestamp) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        if recorded.len() >= REMEMBERED {
            forget_older_half(&mut recorded, |one| one.at);
        }
        let row = Recorded {
            at: now,
            repeated: 0,
        };
        recorded.insert(key, row);
    }

    /// Refuses whoever has been refused too often.
    pub(super) fn check_pace(&self, who: &str, now: Timestamp) -> Result<(), Refusal> {
        let paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pace) = paces.get(who) else {
            return Ok(());
        };
        let until = pace.since.plus(PACE_WINDOW);
        if pace.refused < REFUSED_DECISIONS || now >= until {
            return Ok(());
        }
        let seconds = u32::try_from((until.0 - now.0).max(0) / 1_000 + 1).unwrap_or(60);
        let why = format!(
            "{REFUSED_DECISIONS} of your decisions were refused within a minute. Wait {seconds} seconds, then try again."
        );
        Err(Refusal::TooMany(why, seconds))
    }

    /// A decision was refused.
    pub(super) fn count(&self, who: &str, now: Timestamp) {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        if paces.len() >= REMEMBERED {
            forget_older_half(&mut paces, |pace| pace.since);
        }
        let new = Pace {
            since: now,
            refused: 0,
        };
        let pace = paces.entry(who.to_owned()).or_insert(new);
        if now >= pace.since.plus(PACE_WINDOW) {
            *pace = new;
        }
        pace.refused += 1;
    }
}

fn forget_older_half<K: std::hash::Hash + Eq, V>(
    map: &mut HashMap<K, V>,
    at: impl Fn(&V) -> Timestamp,
) {
    let mut times: Vec<Timestamp> = map.values().map(&at).collect();
    times.sort_unstable();
    if let Some(middle) = times.get(times.len() / 2).copied() {
        map.retain(|_, value| at(value) > middle);
    }
}

/// Who decides, as a refusal's key names them.
pub(super) fn name_of(identity: &ApproverIdentity) -> String {
    match identity {
        ApproverIdentity::Person(id) => Principal::Person(id.clone()).to_string(),
        ApproverIdentity::Slack(account) => {
            format!("slack:{}/{}", account.team_id, account.user_id)
        }
        ApproverIdentity::Oidc(identity) => Identity::Oidc(identity.clone()).to_string(),
    }
}

/// What a refused call was about.
enum About<'a> {
    Nothing,
    Request(&'a RequestRef),
    Session(&'a SessionId),
}

impl App {
    /// Hands out what was granted, once. The digest must be the request's.
    pub async fn execute(
        &self,
        caller: &Caller,
        request: &RequestRef,
        digest: SeenDigest,
        once: Option<IdempotencyKey>,
    ) -> Result<Executed, AppError> {
        let done = self.try_execute(caller, request, &digest, once).await;
        let about = About::Request(request);
        self.audited(caller, AuditEventKind::ExecutionRefused, about, done)
            .await
    }

    /// Reports how the execution ended.
    pub async fn complete(
        &self,
        caller: &Caller,
        request: &RequestRef,
        outcome: Outcome,
        message: Option<String>,
        once: Option<IdempotencyKey>,
    ) -> Result<RequestDetails, AppError> {
        let done = self
            .try_complete(caller, request, outcome, message, once)
            .await;
        let about = About::Request(request);
        self.audited(caller, AuditEventKind::RequestRefused, about, done)
            .await
    }

    /// Takes a request back, until it is executed: requester, submitter, administrators and eligible approvers may (docs/decisions.md D20).
    pub async fn cancel(
        &self,
        caller: &Caller,
        request: &RequestRef,
        once: Option<IdempotencyKey>,
    ) -> Result<RequestDetails, AppError> {
        let done = self.try_cancel(caller, request, once).await;
        let about = About::Request(request);
        self.audited(caller, AuditEventKind::RequestRefused, about, done)
            .await
    }

    /// Asks. Nothing is stored when rules are broken.
    pub async fn submit(
        &self,
        caller: &Caller,
        ask: Ask,
        once: Option<IdempotencyKey>,
    ) -> Result<Submitted, AppError> {
        let done = self.try_submit(caller, ask, once).await;
        self.audited(caller, AuditEventKind::RequestRefused, About::Nothing, done)
            .await
    }

    /// Changes the configuration; `made_from` is the version the document was made from (`None`: whatever is stored). Where a policy
    /// gates it, it becomes a request, and the bot applies exactly this document when that is approved (docs/decisions.md D10).
    pub async fn change_config(
        &self,
        caller: &Caller,
        edit: impl Into<ConfigEdit>,
        made_from: Option<i64>,
        reason: Option<String>,
    ) -> Result<Changed, AppError> {
        let done = self
            .try_change_config(caller, edit.into(), made_from, reason)
            .await;
        self.audited(caller, AuditEventKind::ConfigRefused, About::Nothing, done)
            .await
    }

    /// Starts a session, or asks for it where policies gate that. Only people may.
    pub async fn start_session(
        &self,
        caller: &Caller,
        ask: SessionAsk,
        once: Option<IdempotencyKey>,
    ) -> Result<Started, AppError> {
        let done = self.try_start_session(caller, ask, once).await;
        self.audited(caller, AuditEventKind::SessionRefused, About::Nothing, done)
            .await
    }

    /// Ends a session before its time: nothing is usable from this commit on, on any replica.
    pub async fn revoke_session(
        &self,
        caller: &Caller,
        id: &SessionId,
        once: Option<IdempotencyKey>,
    ) -> Result<SessionDetails, AppError> {
        let done = self.try_revoke_session(caller, id, once).await;
        self.audited(
            caller,
            AuditEventKind::SessionRefused,
            About::Session(id),
            done,
        )
        .await
    }

    /// Marks a session that is over as reviewed, with what the reviewer found. Nobody who took part in it may.
    pub async fn review_session(
        &self,
        caller: &Caller,
        id: &SessionId,
        note: &str,
        once: Option<IdempotencyKey>,
    ) -> Result<SessionDetails, AppError> {
        let done = self.try_review_session(caller, id, note, once).await;
        self.audited(
            caller,
            AuditEventKind::SessionRefused,
            About::Session(id),
            done,
        )
        .await
    }

    /// A call came with a token that nobody has. The token itself is never recorded.
    pub async fn unknown_token_came(&self) -> Result<(), AppError> {
        let key = RefusalKey {
            caller: String::new(),
            what: AuditEventKind::TokenRefused,
            about: String::new(),
            code: "unauthenticated",
        };
        let why = "The token is not known.";
        self.record_refusal(key, (Principal::Bot, Via::Api), (None, None), why)
            .await
    }

    /// A call came with a token that is revoked, whose person may not act, or which lacks the scope.
    pub async fn token_refused(
        &self,
        token: &Token,
        scope: Scope,
        why: &str,
    ) -> Result<(), AppError> {
        let key = RefusalKey {
            caller: token.principal.to_string(),
            what: AuditEventKind::TokenRefused,
            about: token.id.to_string(),
            code: scope.as_str(),
        };
        let actor = (token.principal.clone(), Via::Api);
        self.record_refusal(key, actor, (None, None), why).await
    }

    /// Somebody could not sign in to the web pages; `who` is what their provider said of them.
    pub(super) async fn sign_in_refused(&self, who: &Identity, why: &str) -> Result<(), AppError> {
        let key = RefusalKey {
            caller: who.to_string(),
            what: AuditEventKind::SignInRefused,
            about: who.to_string(),
            code: "forbidden",
        };
        self.record_refusal(key, (Principal::Bot, Via::Web), (None, None), why)
            .await
    }

    /// The person behind a click as far as this replica knows, so that all ways in share one pace.
    pub(super) fn pace_of(&self, identity: &ApproverIdentity) -> String {
        let config = self.0.config.read().unwrap_or_else(PoisonError::into_inner);
        let person = match identity {
            ApproverIdentity::Slack(account) => config.directory().by_slack(account),
            ApproverIdentity::Oidc(identity) => config.directory().by_oidc(identity),
            ApproverIdentity::Person(_) => None,
        };
        person.map_or_else(
            || name_of(identity),
            |person| Principal::Person(person.id.clone()).to_string(),
        )
    }

    /// Passes on what became of a call, once its refusal is recorded where it matters.
    async fn audited<T>(
        &self,
        caller: &Caller,
        what: AuditEventKind,
        about: About<'_>,
        done: Result<T, AppError>,
    ) -> Result<T, AppError> {
        let Err(AppError::Refused(refusal)) = &done else {
            return done;
        };
        if !matters(what, refusal) {
            return done;
        }
        let (request, session) = match about {
            About::Nothing => (None, None),
            About::Session(id) => (None, Some(id.clone())),
            About::Request(request) => {
                let id = resolve(&mut self.0.db.read().await?, request).await;
                (id.ok(), None)
            }
        };
        let about = match (&request, &session) {
            (Some(id), _) => id.to_string(),
            (None, Some(id)) => id.to_string(),
            (None, None) => String::new(),
        };
        let key = RefusalKey {
            caller: caller.principal.to_string(),
            what,
            about,
            code: refusal.code(),
        };
        let actor = (caller.principal.clone(), caller.via);
        self.record_refusal(key, actor, (request, session), &refusal.detail())
            .await?;
        done
    }

    async fn record_refusal(
        &self,
        key: RefusalKey,
        (actor, via): (Principal, Via),
        (request, session): (Option<RequestId>, Option<SessionId>),
        why: &str,
    ) -> Result<(), AppError> {
        let now = self.now();
        let Some(repeated) = self.0.refusals.admit(&key, now) else {
            return Ok(());
        };
        let why: String = why.chars().take(LONGEST_WHY).collect();
        let event = AuditEvent {
            id: AuditId::from_uuid(self.0.ids.next(now)),
            at: now,
            what: key.what,
            actor,
            via,
            request,
            session,
            detail: json!({"why": why, "code": key.code, "about": key.about, "repeated": repeated}),
        };
        self.0
            .db
            .transaction::<_, AppError>(async |tx| Ok(tx.record(&event).await?))
            .await?;
        self.0.refusals.committed(key, now);
        Ok(())
    }
}

/// Whether a refusal says that somebody tried what they may not do. Mistakes and races are not recorded.
fn matters(what: AuditEventKind, refusal: &Refusal) -> bool {
    match refusal {
        Refusal::NotYours
        | Refusal::Forbidden(_)
        | Refusal::NotEligible(_)
        | Refusal::OnWebOnly { .. }
        | Refusal::SignInTooOld { .. }
        | Refusal::SessionEnded
        | Refusal::DigestMismatch => true,
        // somebody tried to run what nobody has approved
        Refusal::Closed(_) => what == AuditEventKind::ExecutionRefused,
        // somebody asked for more than their rights
        Refusal::Violations(_) => what == AuditEventKind::SessionRefused,
        // of changed requirements, a row of its own tells
        Refusal::RequirementsChanged(_)
        | Refusal::NotFound
        | Refusal::NoSession
        | Refusal::AlreadyReviewed
        | Refusal::SessionClosed(..)
        | Refusal::KeyReused
        | Refusal::InFlight
        | Refusal::TooMany(..)
        | Refusal::Stale(_)
        | Refusal::Unreadable
        | Refusal::Invalid(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_763_800_000_000);

    fn key(caller: &str, about: &str) -> RefusalKey {
        RefusalKey {
            caller: caller.to_owned(),
            what: AuditEventKind::VoteRefused,
            about: about.to_owned(),
            code: "not_eligible",
        }
    }

    #[test]
    fn the_same_refusal_is_recorded_once_a_day_with_the_count_of_the_others_r15() {
        let recent = RecentRefusals::default();
        let mallory = key("person:mallory", "req_1");
        // not remembered before its row is committed
        assert_eq!(recent.admit(&mallory, NOW), Some(0));
        assert_eq!(recent.admit(&mallory, NOW), Some(0));
        recent.committed(mallory.clone(), NOW);
        for minute in 0..100 {
            let at = NOW.plus(Span::minutes(minute));
            assert_eq!(recent.admit(&mallory, at), None);
        }
        assert_eq!(recent.admit(&key("person:mallory", "req_2"), NOW), Some(0));
        assert_eq!(recent.admit(&key("person:alice", "req_1"), NOW), Some(0));
        let tomorrow = NOW.plus(Span::hours(24));
        assert_eq!(recent.admit(&mallory, tomorrow), Some(100));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_is_forgotten_first_r15() {
        let recent = RecentRefusals::default();
        for number in 0..=REMEMBERED {
            let at = NOW.plus(Span(i64::try_from(number).expect("small")));
            recent.committed(key("person:mallory", &number.to_string()), at);
        }
        let count = recent.recorded.lock().expect("not poisoned").len();
        assert!(count <= REMEMBERED / 2 + 1, "{count}");
        let last = key("person:mallory", &REMEMBERED.to_string());
        assert_eq!(recent.admit(&last, NOW), None);
    }

    #[test]
    fn whoever_is_refused_too_often_has_to_wait_r15() {
        let recent = RecentRefusals::default();
        let mallory = "person:mallory";
        for _ in 0..REFUSED_DECISIONS {
            assert_eq!(recent.check_pace(mallory, NOW), Ok(()));
            recent.count(mallory, NOW);
        }
        let later = NOW.plus(Span::seconds(20));
        let Err(Refusal::TooMany(why, seconds)) = recent.check_pace(mallory, later) else {
            panic!("they may go on");
        };
        assert_eq!(seconds, 41);
        assert!(why.contains("Wait 41 seconds"), "{why}");
        assert_eq!(recent.check_pace("person:bob", later), Ok(()));
        let next = NOW.plus(Span::minutes(1));
        assert_eq!(recent.check_pace(mallory, next), Ok(()));
    }
}
