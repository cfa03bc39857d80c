//! What the bot itself does in the commit that approves it: changes of the configuration, gated starts of sessions (design 2.6).

use super::{App, AppError};
use crate::domain::audit::What;
use crate::domain::principal::Caller;
use crate::domain::refusal::Refusal;
use crate::domain::request::{Carried, Outcome, Request, Status};
use crate::domain::rules::Rules;
use crate::store::Tx;
use serde_json::json;

impl App {
    /// Does what was approved, in the commit that completed its quorum. Where it can no longer be done, nothing of it is, and that
    /// commit ends the request as cancelled with the reason; the vote counts all the same.
    pub(super) async fn carry_out(
        &self,
        tx: &mut Tx,
        mut request: Request,
        carried: Carried,
        rules: &Rules,
    ) -> Result<Status, AppError> {
        let (now, bot) = (self.now(), Caller::bot());
        let done = match carried {
            Carried::ConfigChange => self.apply_approved(tx, &bot, &request, rules).await?,
            Carried::SessionStart => self.start_approved(tx, &bot, &request, rules, now).await?,
        };
        let state = request.state.clone();
        let (state, what, detail) = match done {
            Ok(detail) => {
                let state = state.execute(now);
                let state = state.and_then(|state| state.complete(Outcome::Succeeded));
                (state, What::RequestCompleted, detail)
            }
            Err(why) => (
                state.cancel(now),
                What::RequestCancelled,
                json!({"message": why}),
            ),
        };
        request.state = state.map_err(|wrong| Refusal::Closed(wrong.0))?;
        tx.save_request(&mut request).await?;
        tx.record(&self.event(now, what, &bot.principal, bot.via, &request, detail))
            .await?;
        tx.touch_cards(&request.id, now).await?;
        Ok(request.state.status())
    }
}
