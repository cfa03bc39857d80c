//! What was asked in Slack is carried out from Slack, too: Start, then Done or Failed, through the same doors as everywhere.

use super::{Dispatcher, Told, failed, once};
use crate::app::RequestRef;
use crate::domain::people::SlackAccount;
use crate::domain::principal::Caller;
use crate::domain::request::Outcome;
use crate::domain::vote::Door;
use crate::slack::inbound::Delivery;
use crate::slack::views::{answer, read_value};

impl Dispatcher {
    /// Takes up what was granted: it counts once, and everything is checked again.
    pub(super) async fn start(
        &self,
        account: Result<SlackAccount, Told>,
        value: &str,
        delivery: Delivery,
    ) -> Told {
        let Some((request, digest)) = read_value(value) else {
            return Told::Answer(answer::foreign_button());
        };
        let caller = match self.doer(account).await {
            Ok(caller) => caller,
            Err(told) => return told,
        };
        let request = RequestRef::Id(request);
        let once = Some(once(delivery));
        match self
            .0
            .app
            .execute(&caller, &request, digest.as_str(), once)
            .await
        {
            Ok(executed) => Told::Done(answer::started(&executed.shown)),
            Err(error) => failed(&error),
        }
    }

    /// Says how it ended.
    pub(super) async fn completed(
        &self,
        account: Result<SlackAccount, Told>,
        value: &str,
        outcome: Outcome,
        delivery: Delivery,
    ) -> Told {
        let Some((request, _)) = read_value(value) else {
            return Told::Answer(answer::foreign_button());
        };
        let caller = match self.doer(account).await {
            Ok(caller) => caller,
            Err(told) => return told,
        };
        let request = RequestRef::Id(request);
        let once = Some(once(delivery));
        match self
            .0
            .app
            .complete(&caller, &request, outcome, None, once)
            .await
        {
            Ok(shown) => Told::Done(answer::completed(&shown, outcome)),
            Err(error) => failed(&error),
        }
    }

    async fn doer(&self, account: Result<SlackAccount, Told>) -> Result<Caller, Told> {
        let person = self.person(&account?).await?;
        Ok(Caller::person(person.id, Door::Button))
    }
}
