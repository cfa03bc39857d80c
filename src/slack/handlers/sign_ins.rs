//! Sign in with Slack: the account behind a token's ids, checked like the account behind a click.

use super::Dispatcher;
use super::reply::Failure;
use crate::domain::people::SlackAccount;
use crate::slack::inbound::account_access::AccessDenied;
use crate::slack::inbound::installation::Installation;

const NOT_READY: &str =
    "Countersign does not know its workspace yet. Nobody was signed in. Try again in a minute.";

impl Dispatcher {
    /// The account, if it is a full, active member of a workspace that this installation serves; otherwise why not.
    pub async fn account_signing_in(
        &self,
        user_id: &str,
        (team_id, enterprise_id): (&str, Option<&str>),
    ) -> Result<SlackAccount, String> {
        let home = self.home().ok_or_else(|| NOT_READY.to_owned())?;
        if !serves(home, team_id, enterprise_id) {
            return Err(AccessDenied::Stranger.to_string());
        }
        let account = self.account(home, Some(user_id)).await;
        account.map_err(|failure| match failure {
            Failure::Message(message) => message.text,
            Failure::App(_) | Failure::Fields(_) => NOT_READY.to_owned(),
        })
    }
}

/// Whether a token's workspace is home. Another workspace of the organization counts only if the token names the organization, because
/// user ids are unique within a workspace or an organization only.
fn serves(home: &Installation, team_id: &str, enterprise_id: Option<&str>) -> bool {
    !team_id.is_empty() && (home.team_id == team_id || home.has_enterprise(enterprise_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slack::inbound::installation::example;

    #[test]
    fn only_tokens_of_our_workspace_or_organization_sign_in_w1() {
        let home = example();
        assert!(serves(&home, "T1", None));
        for (team, enterprise) in [
            ("T2", None),
            ("", None),
            ("T2", Some("E1")),
            ("T2", Some("")),
        ] {
            assert!(!serves(&home, team, enterprise), "{team} {enterprise:?}");
        }
        let grid = Installation {
            enterprise_id: Some("E1".to_owned()),
            ..example()
        };
        assert!(serves(&grid, "T2", Some("E1")) && !serves(&grid, "T2", Some("E2")));
    }
}
