//! Taking a request back.

use super::idempotency::{self, IdempotencyKey, ResponseSubject};
use super::{App, AppError, RequestRef, outcome_messages, resolve};
use crate::domain::audit::AuditEventKind;
use crate::domain::compiled_config::CompiledConfig;
use crate::domain::eligibility;
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use crate::domain::request::Request;
use crate::domain::request_details::RequestDetails;
use crate::store::Loaded;
use serde_json::json;

impl App {
    /// Takes a request back, until it is executed: requester, submitter, administrators and eligible approvers may (docs/decisions.md D20).
    pub(super) async fn try_cancel(
        &self,
        caller: &Caller,
        request: &RequestRef,
        once: Option<IdempotencyKey>,
    ) -> Result<RequestDetails, AppError> {
        let (shown, moved) = self
            .0
            .db
            .transaction::<_, AppError>(async |tx| {
                let id = resolve(tx, request).await?;
                let (mut loaded, config) = self.locked(tx, request, false).await?;
                if idempotency::stored_response(tx, once.as_ref())
                    .await?
                    .is_some()
                {
                    return Ok((self.show_in(tx, &id).await?, false));
                }
                check_right(caller, &loaded, &config)?;
                let now = self.now();
                let request = &mut loaded.request;
                request.state = request
                    .state
                    .clone()
                    .cancel(now)
                    .map_err(|wrong| Refusal::Closed(wrong.0))?;
                tx.save_request(request).await?;
                let detail = json!({"digest": request.digest});
                let event = self.event(
                    now,
                    AuditEventKind::RequestCancelled,
                    &caller.principal,
                    caller.via,
                    request,
                    detail,
                );
                self.record_about(tx, &event, request).await?;
                tx.touch_cards(&id, now).await?;
                let mut news = outcome_messages(request);
                news.retain(|message| !message.is_to(&caller.principal)); // who did it knows
                self.send(tx, news, now).await?;
                idempotency::store_response(tx, once.as_ref(), &ResponseSubject::request(&id), now)
                    .await?;
                Ok((self.show_in(tx, &id).await?, true))
            })
            .await?;
        if moved {
            self.notify_changes(&[(shown.request.id.clone(), shown.request.version)]);
        }
        Ok(shown)
    }
}

/// Who may take a request back.
pub(super) fn check_right(
    caller: &Caller,
    loaded: &Loaded,
    config: &CompiledConfig,
) -> Result<(), AppError> {
    if may(caller, &loaded.request, config) {
        return Ok(());
    }
    Err(Refusal::NotYours.into())
}

/// The requester, whoever submitted it, administrators, and eligible approvers.
pub(super) fn may(caller: &Caller, request: &Request, config: &CompiledConfig) -> bool {
    let own = caller.principal == request.requester || caller.principal == request.submitted_by;
    let approver = || {
        let person = caller
            .principal
            .person()
            .and_then(|id| config.directory().person_as_of(id, request.created_at));
        person.is_some_and(|person| {
            eligibility::check(&request.gates, &request.excluded, &person).is_ok()
        })
    };
    own || config.is_administrator(&caller.principal) || approver()
}
