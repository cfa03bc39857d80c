//! What was asked in Slack is carried out from Slack, too: Start, then Done or Failed, through the same use cases as everywhere.

use super::{Dispatcher, Reply, failed, once};
use crate::app::RequestRef;
use crate::domain::decision::Via;
use crate::domain::digest::Digest;
use crate::domain::people::SlackAccount;
use crate::domain::principal::Caller;
use crate::domain::request::Outcome;
use crate::slack::inbound::Delivery;
use crate::slack::ui::{read_value, replies};

impl Dispatcher {
    /// Takes up what was granted: it counts once, and everything is checked again.
    pub(super) async fn start(
        &self,
        account: Result<SlackAccount, Reply>,
        value: &str,
        delivery: Delivery,
    ) -> Reply {
        let done = async {
            let (request, digest, caller) = self.pressed(account, value).await?;
            let once = Some(once(delivery));
            let app = &self.0.app;
            let executed = app.execute(&caller, &request, digest.as_str(), once).await;
            let executed = executed.map_err(|error| failed(&error))?;
            Ok(Reply::Done(replies::started(&executed.shown)))
        };
        done.await.unwrap_or_else(|reply: Reply| reply)
    }

    /// Says how it ended.
    pub(super) async fn completed(
        &self,
        account: Result<SlackAccount, Reply>,
        value: &str,
        outcome: Outcome,
        delivery: Delivery,
    ) -> Reply {
        let done = async {
            let (request, _, caller) = self.pressed(account, value).await?;
            let once = Some(once(delivery));
            let app = &self.0.app;
            let shown = app.complete(&caller, &request, outcome, None, once).await;
            let shown = shown.map_err(|error| failed(&error))?;
            Ok(Reply::Done(replies::completed(&shown, outcome)))
        };
        done.await.unwrap_or_else(|reply: Reply| reply)
    }

    /// What a button is about, and who has pressed it.
    async fn pressed(
        &self,
        account: Result<SlackAccount, Reply>,
        value: &str,
    ) -> Result<(RequestRef, Digest, Caller), Reply> {
        let foreign = || Reply::Answer(replies::foreign_button());
        let (request, digest) = read_value(value).ok_or_else(foreign)?;
        let person = self.person(&account?).await?;
        let caller = Caller::person(person.id, Via::Button);
        Ok((RequestRef::Id(request), digest, caller))
    }
}
