//! What happened in the workspace. Nothing here decides anything.

use super::Dispatcher;
use crate::slack::inbound::event::Happening;
use crate::slack::ui::home::Look;
use tracing::{debug, error, info, warn};

impl Dispatcher {
    /// Acknowledged at once; the work is done afterwards.
    pub(super) fn happened(&self, happening: &Happening) {
        let kind = happening.kind.as_deref().unwrap_or_default();
        match (kind, happening.user_id()) {
            ("user_change" | "team_join", Some(user)) => {
                self.0.access.forget(user);
                let (this, user) = (self.clone(), user.to_owned());
                // an id alone tells nothing of the account
                let reply = serde_json::from_value(happening.user.clone()).unwrap_or_default();
                let look = async move { this.look_at(&user, &reply).await };
                self.0.reply_sender.spawn(look);
            }
            ("app_home_opened", Some(user)) if happening.tab.as_deref() != Some("messages") => {
                let (this, user) = (self.clone(), user.to_owned());
                let publish = async move { this.look_home(&user, &Look::default()).await };
                self.0.reply_sender.spawn(publish);
            }
            ("app_uninstalled" | "tokens_revoked", _) => {
                error!(kind, "app access revoked in Slack, install the app again");
            }
            (kind, _) if kind.starts_with("channel_") || kind.starts_with("group_") => {
                self.0.reply_sender.slack.forget_channels();
                if kind == "channel_shared" {
                    self.redraw_open_cards();
                }
            }
            (kind, _) if kind.starts_with("subteam_") => {
                info!(kind, "a user group has changed");
                self.0.directory_refresh.raise_group(happening);
            }
            (kind, _) => debug!(kind, "event ignored"),
        }
    }

    /// The cards in a channel that is shared from now on must not show everything any more.
    fn redraw_open_cards(&self) {
        let this = self.clone();
        self.0.reply_sender.spawn(async move {
            match this.0.app.redraw_open_cards().await {
                Ok(()) => info!("channel became shared, updating the cards of open requests"),
                Err(error) => warn!(%error, "channel became shared, its cards keep their text until their next change"),
            }
        });
    }
}
