//! Taking a request back.

use super::once::{self, Kept, Once};
use super::{App, AppError, RequestRef, news_of, resolve};
use crate::domain::audit::What;
use crate::domain::eligibility;
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::shown::Shown;
use crate::store::Loaded;
use serde_json::json;

impl App {
    /// Takes a request back, until it is executed: requester, submitter, administrators and eligible approvers may (design 2.6).
    pub(super) async fn try_cancel(
        &self,
        caller: &Caller,
        request: &RequestRef,
        once: Option<Once>,
    ) -> Result<Shown, AppError> {
        let (shown, moved) = self
            .0
            .db
            .unit::<_, AppError>(async |tx| {
                let id = resolve(tx, request).await?;
                let (mut loaded, rules) = self.locked(tx, request, false).await?;
                if once::before(tx, once.as_ref()).await?.is_some() {
                    return Ok((self.show_in(tx, &id).await?, false));
                }
                check_right(caller, &loaded, &rules)?;
                let now = self.now();
                let request = &mut loaded.request;
                request.state = request
                    .state
                    .clone()
                    .cancel(now)
                    .map_err(|wrong| Refusal::Closed(wrong.0))?;
                tx.save_request(request).await?;
                let detail = json!({"digest": request.digest});
                tx.record(&self.event(
                    now,
                    What::RequestCancelled,
                    &caller.principal,
                    caller.via,
                    request,
                    detail,
                ))
                .await?;
                tx.touch_cards(&id, now).await?;
                let mut news = news_of(request);
                news.retain(|message| !message.is_to(&caller.principal)); // who did it knows
                self.send(tx, news, now).await?;
                once::keep(tx, once.as_ref(), &Kept::request(&id), now).await?;
                Ok((self.show_in(tx, &id).await?, true))
            })
            .await?;
        if moved {
            self.moved(&[(shown.request.id.clone(), shown.request.version)]);
        }
        Ok(shown)
    }
}

/// Who may take a request back.
pub(super) fn check_right(caller: &Caller, loaded: &Loaded, rules: &Rules) -> Result<(), AppError> {
    let request = &loaded.request;
    let own = caller.principal == request.requester || caller.principal == request.submitted_by;
    let approver = || {
        let person = caller
            .principal
            .person()
            .and_then(|id| rules.directory().person_as_of(id, request.created_at));
        person.is_some_and(|person| {
            eligibility::check(&request.gates, &request.excluded, &person).is_ok()
        })
    };
    if own || rules.is_administrator(&caller.principal) || approver() {
        return Ok(());
    }
    Err(Refusal::NotYours.into())
}
