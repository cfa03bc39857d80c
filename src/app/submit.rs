//! Submitting a request: the policies that gate it are found and pinned, and it is stored with its card and its audit row.

use super::idempotency::{self, IdempotencyKey, ResponseSubject};
use super::{App, AppError, RequestRef, cancel, outcome_messages};
use crate::domain::ask::{AdmittedRequest, Ask};
use crate::domain::audit::AuditEventKind;
use crate::domain::break_glass::Session;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::digest::{Digest, Payload, canonical, content_digest};
use crate::domain::id::{ChannelId, RequestId, SessionId};
use crate::domain::pinned_policy::PinnedPolicy;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::{Grant, Request, State, Status};
use crate::domain::request_details::RequestDetails;
use crate::domain::time::{Span, Timestamp};
use crate::domain::violation::{AskField, Violation, ViolationCode};
use crate::domain::webhook;
use crate::store::{Loaded, Tx};
use serde_json::{Value, json};

/// The largest payload in canonical form, in bytes (docs/decisions.md D38).
const LARGEST_PAYLOAD: usize = 1 << 20;

/// What became of an ask.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The request.
    pub shown: RequestDetails,
    /// Whether it is new; otherwise it is the answer to a repeated call, or an identical pending request.
    pub new: bool,
    /// Whether this very call came before, so that its answer is the first one's.
    pub repeated: bool,
}

impl App {
    /// Submits a request. Nothing is stored when rules are broken.
    pub(super) async fn try_submit(
        &self,
        caller: &Caller,
        ask: Ask,
        once: Option<IdempotencyKey>,
    ) -> Result<Submitted, AppError> {
        // on SQLite the one writer takes them in turn
        let _turn = if self.0.db.has_replicas() {
            self.0.turns.of(&caller.principal).await
        } else {
            None
        };
        let submitted: Submitted = self
            .0
            .db
            .transaction(async |tx| self.submit_in(tx, caller, &ask, once.as_ref()).await)
            .await
            .map_err(|error| self.with_suggestions(error))?;
        if submitted.new {
            let request = &submitted.shown.request;
            let mut moved = vec![(request.id.clone(), request.version)];
            moved.extend(request.replaces.clone().map(|old| (old, i64::MAX)));
            self.notify_changes(&moved);
        }
        Ok(submitted)
    }

    async fn submit_in(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        ask: &Ask,
        once: Option<&IdempotencyKey>,
    ) -> Result<Submitted, AppError> {
        tx.lock_config_shared().await?;
        tx.lock_principals(&counted_principals(caller, ask)).await?;
        let now = self.now();
        if let Some(kept) = idempotency::stored_response(tx, once).await? {
            return Ok(Submitted {
                shown: self.show_in(tx, kept.of_request()?).await?,
                new: false,
                repeated: true,
            });
        }
        let version = tx.config_versions().await?;
        let config = self.compiled_config_at(tx, version).await?;
        let sessions = tx.active_sessions(now).await?.into_iter();
        let sessions: Vec<Session> = sessions
            .map(|session| session.canonicalize_people(config.directory()))
            .collect();
        let caller = &self.with_owners(tx, caller, now).await?;
        let (admitted, payload) = admit(&config, caller, ask, &sessions, now)?;
        if admitted.session.is_some() {
            self.check_clock()?; // nobody goes past a policy at an hour that is in doubt
        }
        let digest = content_digest(&admitted.action.id, &admitted.target, &payload);
        // in Slack, an identical pending request is shown instead; what a session lets through at once does not join it
        if caller.via.is_slack()
            && admitted.session.is_none()
            && let Some(same) = tx.identical(digest.as_str(), &admitted.requester).await?
        {
            let shown = self.show_in(tx, &same).await;
            // one that cannot be read is not joined
            if !matches!(shown, Err(AppError::Refused(Refusal::Unreadable))) {
                idempotency::store_response(tx, once, &ResponseSubject::request(&same), now)
                    .await?;
                return Ok(Submitted {
                    shown: shown?,
                    new: false,
                    repeated: false,
                });
            }
        }
        self.check_limits(tx, &config, &caller.principal, now)
            .await?;
        let id = RequestId::from_uuid(self.0.ids.next(now));
        let replaces = match &ask.replaces {
            Some(old) => Some(self.replace(tx, caller, old, &id, now).await?),
            None => None,
        };
        let draft = Draft {
            id,
            requester: admitted.requester.clone(),
            payload,
            digest,
            session: admitted.session.as_ref().map(|(id, _)| id.clone()),
            replaces,
            callback_url: ask.callback_url.clone(),
            asked_in: ask.asked_in.clone(),
        };
        let request = self
            .file_request(tx, caller, &config, &admitted, draft, now)
            .await?;
        if matches!(request.state, State::Granted { .. }) && caller.via.is_slack() {
            // what is granted at once is carried out from there
            self.send(tx, outcome_messages(&request), now).await?;
        }
        idempotency::store_response(tx, once, &ResponseSubject::request(&request.id), now).await?;
        let stored = Loaded {
            request,
            decisions: Vec::new(),
            config: version,
        };
        let shown = self.show_loaded(tx, vec![stored]).await?.pop();
        Ok(Submitted {
            shown: shown
                .ok_or_else(|| AppError::Internal("a new request is missing".to_owned()))?,
            new: true,
            repeated: false,
        })
    }

    /// Stores a request with its audit row and its cards.
    pub(super) async fn file_request(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        config: &CompiledConfig,
        admitted: &AdmittedRequest,
        draft: Draft,
        now: Timestamp,
    ) -> Result<Request, AppError> {
        let number = tx.next_number().await?;
        let asked_in = draft.asked_in.clone();
        let request = draft.request(number, caller, admitted, now);
        tx.insert_request(&request, admitted.action.kind).await?;
        let under = match &admitted.session {
            Some((session, _)) => {
                self.used(tx, session, &admitted.action, &request, config, now)
                    .await?
            }
            None => Value::Null,
        };
        self.record_submission(tx, caller, (&request, config), under, now)
            .await?;
        for channel in config.route(&admitted.action, &request.target, &request.gates) {
            tx.insert_card(&request.id, &channel, now).await?;
        }
        if request.state.status() == Status::Pending
            && let (Some(channel), Some(person)) = (asked_in, caller.principal.person())
        {
            tx.insert_notice(&request.id, &channel, person, now).await?;
        }
        self.begin_follow_ups(tx, &request, config, now).await?;
        Ok(request)
    }

    /// Refuses a request of whoever has too many that wait, or asks too fast. Holds where nobody else adds requests of this principal
    /// in the meantime: with the principal locked, or the configuration locked exclusively.
    pub(super) async fn check_limits(
        &self,
        tx: &mut Tx,
        config: &CompiledConfig,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let limits = &config.document().limits;
        let (most, rate) = (
            i64::from(limits.pending_per_principal),
            i64::from(limits.requests_per_second),
        );
        if most <= 0 && rate <= 0 {
            return Ok(());
        }
        let a_second_ago = Timestamp(now.0.saturating_sub(Span::seconds(1).0));
        let (pending, lately) = tx.load_of(principal, a_second_ago).await?;
        if most > 0 && pending >= most {
            let why = format!(
                "You have {most} pending requests, which is the limit; cancel some, or wait for their decisions."
            );
            return Err(Refusal::TooMany(why, 60).into());
        }
        if rate > 0 && lately >= rate {
            let why = format!(
                "At most {rate} requests a second are taken from one principal; slow down."
            );
            return Err(Refusal::TooMany(why, 1).into());
        }
        Ok(())
    }

    /// Cancels the request that this one replaces; that takes the same right as cancelling it.
    async fn replace(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        old: &RequestRef,
        new: &RequestId,
        now: Timestamp,
    ) -> Result<RequestId, AppError> {
        let (mut loaded, config) = self.locked(tx, old, false).await?;
        cancel::check_right(caller, &loaded, &config)?;
        let request = &mut loaded.request;
        request.state = request
            .state
            .clone()
            .cancel(now)
            .map_err(|wrong| Refusal::Closed(wrong.0))?;
        tx.save_request(request).await?;
        let detail = json!({"replacedBy": new, "message": "replaced by a new request"});
        let event = self.event(
            now,
            AuditEventKind::RequestCancelled,
            &caller.principal,
            caller.via,
            request,
            detail,
        );
        self.record_about(tx, &event, request).await?;
        tx.touch_cards(&request.id, now).await?;
        Ok(request.id.clone())
    }

    async fn record_submission(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        (request, config): (&Request, &CompiledConfig),
        under: Value,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let what = match request.state.status() {
            Status::Allowed => AuditEventKind::RequestAllowed,
            Status::Bypassed => AuditEventKind::RequestBypassed,
            _ => AuditEventKind::RequestCreated,
        };
        let detail = json!({
            "number": request.number, "action": request.action, "target": request.target, "requester": request.requester,
            "reason": request.reason, "digest": request.digest, "replaces": request.replaces,
            "policies": named(&request.gates), "observed": named(&request.observed), "breakGlass": under,
        });
        let event = self.event(now, what, &caller.principal, caller.via, request, detail);
        let webhooks = &config.document().webhooks;
        self.record_with_webhooks(tx, &event, request, webhooks)
            .await
    }
}

/// Policies as an audit row names them.
fn named(gates: &[PinnedPolicy]) -> Vec<Value> {
    let name = |gate: &PinnedPolicy| json!({"id": gate.template.id, "version": gate.version});
    gates.iter().map(name).collect()
}

/// Finds what gates the ask, and its payload in canonical form.
fn admit(
    config: &CompiledConfig,
    caller: &Caller,
    ask: &Ask,
    sessions: &[Session],
    now: Timestamp,
) -> Result<(AdmittedRequest, String), AppError> {
    check_requester(caller, ask)?;
    let mut broken = Vec::new();
    let payload = canonical_payload(ask.payload.as_ref()).unwrap_or_else(|violation| {
        broken.push(violation);
        String::new()
    });
    if let Some(url) = &ask.callback_url
        && webhook::covering(&config.document().webhooks, url).is_none()
    {
        broken.push(Violation::new(
            AskField::CallbackUrl,
            ViolationCode::Callback,
            "callbackUrl must lie under the url of a configured webhook, whose secret signs what is sent there",
        ));
    }
    match config.admit_under(ask, caller, sessions, now) {
        Ok(admitted) if broken.is_empty() => Ok((admitted, payload)),
        Ok(_) => Err(Refusal::Violations(broken).into()),
        Err(mut violations) => {
            violations.append(&mut broken);
            Err(Refusal::Violations(violations).into())
        }
    }
}

/// The principals whose requests are counted: the caller's against the limits, the requester's to find an identical one.
fn counted_principals(caller: &Caller, ask: &Ask) -> Vec<Principal> {
    let mut principals = vec![caller.principal.clone()];
    let requester = ask.requester(caller);
    if requester != caller.principal && check_requester(caller, ask).is_ok() {
        principals.push(requester);
    }
    principals
}

/// Only a token with the scope for it may ask on behalf of somebody else.
pub(super) fn check_requester(caller: &Caller, ask: &Ask) -> Result<(), Refusal> {
    if ask.requester(caller) == caller.principal || caller.acts_for_others {
        return Ok(());
    }
    let why = "Naming another requester needs a token with the scope requests:act-for.";
    Err(Refusal::Forbidden(why.to_owned()))
}

pub(super) fn canonical_payload(payload: Option<&Payload>) -> Result<String, Violation> {
    let Some(payload) = payload else {
        return Ok("null".to_owned());
    };
    let text = canonical(&payload.0).map_err(|error| {
        payload_violation(format!("the payload has no canonical form: {error}"))
    })?;
    if text.len() > LARGEST_PAYLOAD {
        let message = format!(
            "the payload is {} bytes long; the limit is {LARGEST_PAYLOAD}. Ask for its digest instead",
            text.len()
        );
        return Err(payload_violation(message));
    }
    Ok(text)
}

fn payload_violation(message: String) -> Violation {
    Violation::new(AskField::Payload, ViolationCode::Payload, message)
}

/// What a new request is made of besides what admits it.
pub(super) struct Draft {
    pub(super) id: RequestId,
    pub(super) requester: Principal,
    pub(super) payload: String,
    pub(super) digest: Digest,
    /// The session that lets it past policies, or that it starts.
    pub(super) session: Option<SessionId>,
    pub(super) replaces: Option<RequestId>,
    pub(super) callback_url: Option<String>,
    /// The channel in which it was asked.
    pub(super) asked_in: Option<ChannelId>,
}

impl Draft {
    fn request(
        self,
        number: i64,
        caller: &Caller,
        admitted: &AdmittedRequest,
        now: Timestamp,
    ) -> Request {
        let state = state(admitted, now);
        Request {
            id: self.id,
            number,
            version: 1,
            action: admitted.action.id.clone(),
            target: admitted.target.clone(),
            requester: self.requester,
            submitted_by: caller.principal.clone(),
            authors: admitted.authors.clone(),
            reason: admitted.reason.clone(),
            payload: self.payload,
            digest: self.digest,
            gates: admitted.gates.clone(),
            observed: admitted.observed.clone(),
            bypassed: admitted.bypassed.clone(),
            session: self.session,
            excluded: admitted.excluded.clone(),
            decided_at: (state.status() != Status::Pending).then_some(now),
            state,
            created_at: now,
            replaces: self.replaces,
            callback_url: self.callback_url,
        }
    }
}

/// What is not gated is granted at once; under a session never past its end.
fn state(admitted: &AdmittedRequest, now: Timestamp) -> State {
    if !admitted.gates.is_empty() {
        return State::Pending {
            expires_at: now.plus(admitted.expires_after),
        };
    }
    let until = now.plus(admitted.valid_for);
    match &admitted.session {
        Some((_, end)) => State::Granted {
            grant: Grant::Bypassed,
            until: until.min(*end),
        },
        None => State::Granted {
            grant: Grant::Allowed,
            until,
        },
    }
}
