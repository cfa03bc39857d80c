//! Whose app we are and which workspace is home: what is checked of a delivery before anything is touched (threats B45, SL4).

use crate::domain::document::SlackIdentity;
use crate::slack::api::client::Slack;
use crate::slack::api::error::SlackError;
use crate::slack::inbound::Origin;

/// The app and its home, as `auth.test` and `bots.info` tell.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Installation {
    /// Our app's id.
    pub app_id: String,
    /// The home workspace.
    pub team_id: String,
    /// Its Enterprise Grid organization, where there is one.
    pub enterprise_id: Option<String>,
    /// Whether every workspace of the organization is home.
    pub org_wide: bool,
    /// The bot's own user.
    pub bot_user_id: String,
}

/// Why a delivery is not for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotForUs {
    /// It names another app, or none.
    #[error("another app's id")]
    App,
    /// Who acts belongs to another workspace, or names none.
    #[error("another workspace")]
    Workspace,
}

impl Installation {
    /// Asks Slack. A configured `app_id` is taken as it is, else the bot's is looked up.
    pub async fn learn(slack: &Slack, app_id: Option<String>) -> Result<Self, SlackError> {
        let auth = slack.auth_test().await?;
        let app_id = match (app_id, auth.bot_id) {
            (Some(app_id), _) => app_id,
            (None, Some(bot_id)) => slack.bots_info(&bot_id).await?,
            (None, None) => return Err(SlackError::Other("auth.test names no bot".to_owned())),
        };
        let org_wide = auth.is_enterprise_install.unwrap_or(false) && auth.enterprise_id.is_some();
        Ok(Self {
            app_id,
            team_id: auth.team_id,
            enterprise_id: auth.enterprise_id,
            org_wide,
            bot_user_id: auth.user_id,
        })
    }

    /// Whether a delivery is for us, by what it says of itself. Standing is checked after this, not instead of it.
    pub fn admits(&self, origin: &Origin) -> Result<(), NotForUs> {
        if origin.app_id.as_deref() != Some(&self.app_id) {
            return Err(NotForUs::App);
        }
        let home = origin.team_id.as_deref() == Some(&self.team_id);
        // within an organization people show up under any of its workspaces
        let same_organization = self.has_enterprise(origin.enterprise_id.as_deref());
        if home || same_organization {
            Ok(())
        } else {
            Err(NotForUs::Workspace)
        }
    }

    /// How a user of our home is listed: by the organization where there is one, else by the workspace.
    pub(in crate::slack) fn identity(&self, user_id: &str) -> SlackIdentity {
        SlackIdentity {
            team_id: match self.enterprise_id {
                Some(_) => None,
                None => Some(self.team_id.clone()),
            },
            enterprise_id: self.enterprise_id.clone(),
            user_id: user_id.to_owned(),
        }
    }

    /// Whether this is our organization; without one, nothing is.
    pub(in crate::slack) fn has_enterprise(&self, enterprise_id: Option<&str>) -> bool {
        enterprise_id.is_some() && enterprise_id == self.enterprise_id.as_deref()
    }
}

#[cfg(test)]
pub(in crate::slack) fn example() -> Installation {
    Installation {
        app_id: "A1".to_owned(),
        team_id: "T1".to_owned(),
        enterprise_id: None,
        org_wide: false,
        bot_user_id: "UBOT".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(app: Option<&str>, team: Option<&str>, enterprise: Option<&str>) -> Origin {
        Origin {
            app_id: app.map(str::to_owned),
            team_id: team.map(str::to_owned),
            enterprise_id: enterprise.map(str::to_owned),
            user_id: Some("U1".to_owned()),
        }
    }

    #[test]
    fn only_our_app_and_our_workspace_b45() {
        let ours = example();
        assert_eq!(ours.admits(&origin(Some("A1"), Some("T1"), None)), Ok(()));
        for (app, team, enterprise, why) in [
            (Some("A2"), Some("T1"), None, NotForUs::App),
            (None, Some("T1"), None, NotForUs::App),
            (Some(""), Some("T1"), None, NotForUs::App),
            (Some("A1"), Some("T2"), None, NotForUs::Workspace),
            (Some("A1"), None, None, NotForUs::Workspace),
            (Some("A1"), Some("T2"), Some("E1"), NotForUs::Workspace),
            (Some("A1"), Some(""), Some(""), NotForUs::Workspace),
        ] {
            let verdict = ours.admits(&origin(app, team, enterprise));
            assert_eq!(verdict, Err(why), "{app:?} {team:?} {enterprise:?}");
        }
    }

    #[test]
    fn org_wide_installation_admits_every_workspace_of_the_enterprise_sl6() {
        let grid = Installation {
            enterprise_id: Some("E1".to_owned()),
            ..example()
        };
        assert_eq!(
            grid.admits(&origin(Some("A1"), Some("T9"), Some("E1"))),
            Ok(())
        );
        assert!(
            grid.admits(&origin(Some("A1"), Some("T9"), Some("E2")))
                .is_err()
        );
        assert!(grid.admits(&origin(Some("A1"), Some("T9"), None)).is_err());
    }
}
