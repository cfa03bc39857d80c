//! What happened in the workspace. Nothing here decides anything.

use super::Dispatcher;
use crate::app::ListFilter;
use crate::domain::principal::Principal;
use crate::domain::request::Status;
use crate::slack::inbound::event::Happening;
use crate::slack::views::home;
use serde_json::Value;
use tracing::{debug, error, info, warn};

impl Dispatcher {
    /// Acknowledged at once; the work is done afterwards.
    pub(super) fn happened(&self, happening: &Happening) {
        let kind = happening.kind.as_deref().unwrap_or_default();
        match (kind, happening.user_id()) {
            ("user_change", Some(user)) => self.0.standing.forget(user),
            ("app_home_opened", Some(user)) if happening.tab.as_deref() != Some("messages") => {
                let (this, user) = (self.clone(), user.to_owned());
                let publish = async move { this.publish_home(&user).await };
                self.0.outlet.spawn(publish);
            }
            ("app_uninstalled" | "tokens_revoked", _) => {
                error!(kind, "Slack has taken the app's access; install it again");
            }
            (kind, _) if kind.starts_with("channel_") || kind.starts_with("group_") => {
                self.0.outlet.slack.forget_channels();
            }
            (kind, _) if kind.starts_with("subteam_") => info!(kind, "a user group has changed"),
            (kind, _) => debug!(kind, "an event that has no use here"),
        }
    }

    async fn publish_home(&self, user: &str) {
        let view = self.home_tab(user).await.unwrap_or_else(|view| view);
        if let Err(error) = self.0.outlet.slack.publish_home(user, &view).await {
            warn!(%error, "a Home tab was not published");
        }
    }

    /// The Home tab of a user, or the one that says why there is none.
    async fn home_tab(&self, user: &str) -> Result<Value, Value> {
        let unavailable = |told| home::unavailable(&told_text(told));
        let Some(installation) = self.home() else {
            return Err(home::unavailable("Countersign is starting."));
        };
        let account = self.account(installation, Some(user)).await;
        let account = account.map_err(unavailable)?;
        let person = self.person(&account).await.map_err(unavailable)?;
        let waiting = ListFilter {
            statuses: vec![Status::Pending],
            can_approve: Some(person.id.clone()),
            limit: 20,
            ..ListFilter::default()
        };
        let yours = ListFilter {
            requester: Some(Principal::Person(person.id)),
            limit: 10,
            ..ListFilter::default()
        };
        let listed = |filter| async {
            let page = self.0.app.list(filter).await;
            page.map_err(|error| unavailable(super::failed(&error)))
        };
        let (waiting, yours) = (listed(waiting).await?, listed(yours).await?);
        Ok(home::home(&waiting.items, &yours.items))
    }
}

fn told_text(told: super::Told) -> String {
    match told {
        super::Told::Answer(message) | super::Told::Done(message) => message.text,
        _ => "Countersign is busy. Open this page again in a moment.".to_owned(),
    }
}
