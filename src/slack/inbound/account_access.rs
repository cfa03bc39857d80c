//! Whether a Slack account is a full, active member of our home (docs/decisions.md D16; threats B46, SL5, SL6).

use crate::domain::people::SlackAccount;
use crate::domain::slack_directory::SyncedAccount;
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::slack::api::client::Slack;
use crate::slack::api::error::SlackError;
use crate::slack::api::reply::SlackUser;
use crate::slack::api::ttl_cache::TtlCache;
use crate::slack::inbound::installation::Installation;

/// How many accounts are remembered.
const CACHE_CAPACITY: usize = 10_000;

/// Why an account may do nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccessDenied {
    /// Switched off in Slack.
    #[error("Your Slack account is deactivated. Ask an administrator of your workspace.")]
    Deactivated,
    /// Not a human being.
    #[error("Bots may not use Countersign; services use its API.")]
    Bot,
    /// A single- or multi-channel guest, or somebody only invited.
    #[error("Guests of this workspace may not use Countersign; ask a full member.")]
    Guest,
    /// Of another workspace, in a shared channel.
    #[error("Countersign serves members of its own workspace only; ask one of them.")]
    Stranger,
}

/// What was found out about an account.
pub type AccountAccess = Result<SlackAccount, AccessDenied>;

/// What was found out about accounts lately.
#[derive(Debug)]
pub struct AccessCache(TtlCache<AccountAccess>);

impl Default for AccessCache {
    fn default() -> Self {
        Self(TtlCache::new(CACHE_CAPACITY))
    }
}

impl AccessCache {
    /// The account's access, looked up unless it is known, with Slack's own answer where it was just looked up: other replicas do not
    /// know it yet. An error means that nothing is known.
    pub async fn look(
        &self,
        slack: &Slack,
        home: &Installation,
        user_id: &str,
        now: Timestamp,
    ) -> Result<(AccountAccess, Option<SlackUser>), SlackError> {
        let asked = match self.0.get(user_id, now) {
            Ok(access) => return Ok((access, None)),
            Err(asked) => asked,
        };
        let user = slack.users_info(user_id).await?;
        let access = access_of(home, user_id, &user);
        self.0.keep(user_id, access.clone(), now, asked);
        Ok((access, Some(user)))
    }

    /// Forgets an account, because Slack says that it has changed.
    pub fn forget(&self, user_id: &str) {
        self.0.forget(user_id);
    }
}

/// What Slack's answer says about an account. What it does not say counts against the account.
fn access_of(home: &Installation, user_id: &str, user: &SlackUser) -> AccountAccess {
    let is = |flag: Option<bool>| flag.unwrap_or(false);
    if user.id != user_id || is(user.is_stranger) {
        return Err(AccessDenied::Stranger);
    }
    if is(user.deleted) {
        return Err(AccessDenied::Deactivated);
    }
    if is(user.is_bot) || is(user.is_workflow_bot) || user_id == "USLACKBOT" {
        return Err(AccessDenied::Bot);
    }
    if !is_home(home, user) {
        return Err(AccessDenied::Stranger);
    }
    if is(user.is_restricted) || is(user.is_ultra_restricted) || is(user.is_invited_user) {
        return Err(AccessDenied::Guest);
    }
    Ok(SlackAccount {
        enterprise_id: home
            .enterprise_id
            .clone()
            .filter(|_| in_organization(home, user)),
        team_id: home.team_id.clone(),
        user_id: user_id.to_owned(),
    })
}

/// An account as the directory keeps it; nothing where it is no person's of our home.
pub(in crate::slack) fn account(home: &Installation, user: &SlackUser) -> Option<SyncedAccount> {
    let (is_active, is_full) = match access_of(home, &user.id, user) {
        Ok(_) => (true, true),
        Err(AccessDenied::Guest) => (true, false),
        // Slack tells little of whom it has switched off, and they may do nothing anyway
        Err(AccessDenied::Deactivated) if is_home(home, user) && user.is_bot != Some(true) => {
            (false, true)
        }
        Err(AccessDenied::Deactivated | AccessDenied::Bot | AccessDenied::Stranger) => return None,
    };
    let is_id = !user.id.is_empty()
        && user
            .id
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    is_id.then(|| SyncedAccount {
        identity: home.identity(&user.id),
        name: shown_name(user),
        is_active,
        is_full,
    })
}

/// The account of somebody who is listed although Slack says that they are no person of our home: it may do nothing.
pub(in crate::slack) fn refused(home: &Installation, user: &SlackUser) -> SyncedAccount {
    SyncedAccount {
        identity: home.identity(&user.id),
        name: shown_name(user),
        is_active: false,
        is_full: false,
    }
}

/// The name a person gave themselves, within bounds; nobody is recognised by it.
fn shown_name(user: &SlackUser) -> String {
    const LONGEST: usize = 80;
    let name = user.real_name.as_deref().or(user.name.as_deref());
    let name = text::shown_name(name.unwrap_or_default(), LONGEST);
    name.unwrap_or_else(|| user.id.clone())
}

fn is_home(home: &Installation, user: &SlackUser) -> bool {
    if user.team_id.as_deref() == Some(&home.team_id) {
        return true;
    }
    let teams = user
        .enterprise_user
        .as_ref()
        .and_then(|e| e.teams.as_deref());
    let in_home_team = teams.is_some_and(|teams| teams.contains(&home.team_id));
    in_organization(home, user) && (home.org_wide || in_home_team)
}

fn in_organization(home: &Installation, user: &SlackUser) -> bool {
    let enterprise = user.enterprise_user.as_ref();
    home.has_enterprise(enterprise.and_then(|e| e.enterprise_id.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slack::api::reply::EnterpriseUser;
    use crate::slack::inbound::installation::example;

    fn member() -> SlackUser {
        SlackUser {
            id: "U1".to_owned(),
            team_id: Some("T1".to_owned()),
            ..SlackUser::default()
        }
    }

    fn account(enterprise: Option<&str>) -> SlackAccount {
        SlackAccount {
            enterprise_id: enterprise.map(str::to_owned),
            team_id: "T1".to_owned(),
            user_id: "U1".to_owned(),
        }
    }

    #[test]
    fn guests_bots_strangers_and_the_deactivated_are_refused_b46() {
        type Change = fn(&mut SlackUser, Option<bool>);
        let cases: [(Change, AccessDenied); 7] = [
            (|u, yes| u.deleted = yes, AccessDenied::Deactivated),
            (|u, yes| u.is_bot = yes, AccessDenied::Bot),
            (|u, yes| u.is_workflow_bot = yes, AccessDenied::Bot),
            (|u, yes| u.is_restricted = yes, AccessDenied::Guest),
            (|u, yes| u.is_ultra_restricted = yes, AccessDenied::Guest),
            (|u, yes| u.is_invited_user = yes, AccessDenied::Guest),
            (|u, yes| u.is_stranger = yes, AccessDenied::Stranger),
        ];
        let yes = Some(true);
        for (change, why) in cases {
            let mut user = member();
            change(&mut user, yes);
            assert_eq!(access_of(&example(), "U1", &user), Err(why));
        }
        assert_eq!(access_of(&example(), "U1", &member()), Ok(account(None)));
    }

    #[test]
    fn another_or_no_workspace_and_another_user_are_strangers_sl5() {
        for team in [Some("T2".to_owned()), None] {
            let user = SlackUser {
                team_id: team,
                ..member()
            };
            assert_eq!(
                access_of(&example(), "U1", &user),
                Err(AccessDenied::Stranger)
            );
        }
        assert_eq!(
            access_of(&example(), "U2", &member()),
            Err(AccessDenied::Stranger)
        );
        let bot = SlackUser {
            id: "USLACKBOT".to_owned(),
            ..member()
        };
        assert_eq!(
            access_of(&example(), "USLACKBOT", &bot),
            Err(AccessDenied::Bot)
        );
    }

    #[test]
    fn a_grid_user_is_one_account_under_every_workspace_sl6() {
        let grid = |org_wide| Installation {
            enterprise_id: Some("E1".to_owned()),
            org_wide,
            ..example()
        };
        let seen_under = |team: &str, enterprise: &str, teams: &[&str]| SlackUser {
            team_id: Some(team.to_owned()),
            enterprise_user: Some(EnterpriseUser {
                enterprise_id: Some(enterprise.to_owned()),
                teams: Some(teams.iter().map(|&t| t.to_owned()).collect()),
            }),
            ..member()
        };
        let ours = Ok(account(Some("E1")));
        for team in ["T1", "T2", "T3"] {
            let user = seen_under(team, "E1", &["T1", "T2", "T3"]);
            assert_eq!(access_of(&grid(true), "U1", &user), ours);
            assert_eq!(access_of(&grid(false), "U1", &user), ours);
        }
        let elsewhere = seen_under("T2", "E1", &["T2"]);
        assert_eq!(access_of(&grid(true), "U1", &elsewhere), ours);
        assert_eq!(
            access_of(&grid(false), "U1", &elsewhere),
            Err(AccessDenied::Stranger)
        );
        let foreign = seen_under("T2", "E2", &["T1"]);
        assert_eq!(
            access_of(&grid(true), "U1", &foreign),
            Err(AccessDenied::Stranger)
        );
    }

    #[test]
    fn accounts_are_kept_only_under_an_id_of_slack() {
        for (id, is_kept) in [("U1", true), ("", false), ("u1", false), ("U-1", false)] {
            let user = SlackUser {
                id: id.to_owned(),
                ..member()
            };
            assert_eq!(super::account(&example(), &user).is_some(), is_kept, "{id}");
        }
    }

    #[test]
    fn only_accounts_of_our_people_are_kept_sl5() {
        let kept = |user: &SlackUser| {
            let account = super::account(&example(), user)?;
            assert_eq!(account.identity, example().identity("U1"));
            Some((account.name, account.is_active, account.is_full))
        };
        let named = |name: &str| SlackUser {
            real_name: Some(name.to_owned()),
            ..member()
        };
        let yes = Some(true);
        assert_eq!(kept(&named("Ann")), Some(("Ann".to_owned(), true, true)));
        assert_eq!(kept(&member()), Some(("U1".to_owned(), true, true)));
        let odd = format!("\u{1b}[2J Ann{}", "n".repeat(200));
        let (name, _, _) = kept(&named(&odd)).expect("a member");
        assert!(name.starts_with("[2J Ann") && name.len() <= 80, "{name}");
        let guest = SlackUser {
            is_restricted: yes,
            ..member()
        };
        assert_eq!(kept(&guest), Some(("U1".to_owned(), true, false)));
        let off = SlackUser {
            deleted: yes,
            ..member()
        };
        assert_eq!(kept(&off), Some(("U1".to_owned(), false, true)));
        for nobody in [
            SlackUser {
                is_bot: yes,
                ..member()
            },
            SlackUser {
                deleted: yes,
                is_bot: yes,
                ..member()
            },
            SlackUser {
                team_id: Some("T2".to_owned()),
                ..member()
            },
            SlackUser {
                team_id: Some("T2".to_owned()),
                deleted: yes,
                ..member()
            },
        ] {
            assert_eq!(kept(&nobody), None, "{nobody:?}");
        }
    }

    #[tokio::test]
    async fn a_failed_look_up_is_no_standing_and_is_not_kept_sl5() {
        let token = secrecy::SecretString::from("xoxb-test");
        // nothing listens there
        let slack = Slack::new(&token, "http://127.0.0.1:9/api").expect("a client");
        let cache = AccessCache::default();
        let access = cache.look(&slack, &example(), "U1", Timestamp(0)).await;
        assert!(matches!(access, Err(SlackError::Transport(_))));
        assert!(cache.0.get("U1", Timestamp(0)).is_err());
    }
}
