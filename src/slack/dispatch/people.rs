//! Asks Slack who its members are and who is in its user groups: at the start, when it says that something has changed, and from time
//! to time (design 2.5).

use super::Dispatcher;
use crate::app::{AppError, Due, HeardGroup};
use crate::domain::roster::Account;
use crate::domain::time::{Span, Timestamp};
use crate::slack::client::Slack;
use crate::slack::error::SlackError;
use crate::slack::installation::Installation;
use crate::slack::reply::SlackUser;
use crate::slack::standing;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tracing::{info, warn};

/// How long Slack is left alone after it did not answer.
const PAUSE: Span = Span::seconds(30);
/// More pages than any workspace has: who is sent round in circles stops.
const MOST_PAGES: usize = 2_000;

/// What Slack must be asked, and when again.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    kept: Mutex<Kept>,
    raised: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    due: Due,
    not_before: Option<Timestamp>,
}

impl Doubts {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has changed, so what was told before is asked again.
    pub(super) fn raise(&self, due: Due) {
        let mut kept = self.lock();
        kept.due.groups |= due.groups;
        kept.due.members |= due.members;
        drop(kept);
        self.raised.notify_one();
    }

    /// What was raised, unless Slack is to be left alone.
    fn take(&self, now: Timestamp) -> Option<Due> {
        let mut kept = self.lock();
        if kept.not_before.is_some_and(|at| now < at) {
            return None;
        }
        Some(std::mem::take(&mut kept.due))
    }

    /// It could not be told; it is asked again after a pause.
    fn put_off(&self, due: Due, until: Timestamp) {
        let mut kept = self.lock();
        kept.due.groups |= due.groups;
        kept.due.members |= due.members;
        kept.not_before = Some(until);
    }
}

impl Dispatcher {
    /// Asks Slack whatever is due. What it does not tell stays as it is, and adds nobody.
    pub async fn sync_people(&self) -> Result<(), AppError> {
        let app = &self.0.app;
        let Some(home) = self.home() else {
            return Ok(());
        };
        let Some(raised) = self.0.doubts.take(app.now()) else {
            return Ok(());
        };
        let known = app.people_due().await?;
        let mut due = Due {
            groups: raised.groups || known.groups,
            members: raised.members || known.members,
        };
        let asked_at = app.now();
        if due.members {
            match members(&self.0.outlet.slack, home).await {
                Ok(accounts) => app.hear_members(&accounts, asked_at).await?,
                Err(error) => {
                    self.slack_is_silent(due, &error);
                    return Ok(());
                }
            };
            due.members = false;
        }
        if due.groups {
            match groups(&self.0.outlet.slack, home).await {
                Ok(groups) => app.hear_groups(&groups, asked_at).await?,
                Err(error) => {
                    self.slack_is_silent(due, &error);
                    return Ok(());
                }
            };
        }
        Ok(())
    }

    /// Ends when Slack has said that something has changed.
    pub async fn people_doubted(&self) {
        self.0.doubts.raised.notified().await;
    }

    /// Looks at one account that Slack says has changed, if it matters, and if what was `told` of it differs from what is known:
    /// people change their status all day.
    pub(super) async fn look_at(&self, user_id: &str, told: &SlackUser) {
        let Some(home) = self.home() else {
            return;
        };
        let Ok(rules) = self.0.app.rules().await else {
            return self.0.doubts.raise(ALL_MEMBERS);
        };
        let identity = home.identity(user_id);
        let members = rules.document().directory.slack.members;
        if !members && rules.directory().by_identity(&identity).is_none() {
            return;
        }
        let told = standing::account(home, told);
        let mut known = rules.roster().accounts.iter();
        if told.is_some() && known.any(|known| Some(known) == told.as_ref()) {
            return;
        }
        let looked = self.0.outlet.slack.users_info(user_id).await;
        let heard = match looked.as_ref().map(|user| standing::account(home, user)) {
            Ok(Some(account)) if account.identity == identity => {
                self.0.app.hear_member(&account).await
            }
            Ok(Some(_) | None) => return,
            Err(error) => {
                warn!(%error, "an account that has changed could not be looked at; all are listed");
                return self.0.doubts.raise(ALL_MEMBERS);
            }
        };
        if let Err(error) = heard {
            warn!(%error, "what Slack told of an account was not kept; all are listed");
            self.0.doubts.raise(ALL_MEMBERS);
        }
    }

    fn slack_is_silent(&self, due: Due, error: &SlackError) {
        warn!(%error, ?due, "Slack does not tell who is who; nobody new comes in until it does");
        let pause = match error {
            SlackError::RateLimited {
                retry_after: Some(pause),
            } => Span(i64::try_from(pause.as_millis()).unwrap_or(PAUSE.0)),
            _ => PAUSE,
        };
        self.0.doubts.put_off(due, self.0.app.now().plus(pause));
    }
}

const ALL_MEMBERS: Due = Due {
    groups: false,
    members: true,
};

/// All accounts, page by page; half a list is none. A list without the bot itself is not whole.
async fn members(slack: &Slack, home: &Installation) -> Result<Vec<Account>, SlackError> {
    let (mut accounts, mut cursor, mut whole) = (Vec::new(), None::<String>, false);
    for _ in 0..MOST_PAGES {
        let page = slack.users_list(&home.team_id, cursor.as_deref()).await?;
        whole |= page.members.iter().any(|user| user.id == home.bot_user_id);
        let known = page.members.iter();
        accounts.extend(known.filter_map(|user| standing::account(home, user)));
        let next = page.response_metadata.and_then(|page| page.next_cursor);
        cursor = next.filter(|cursor| !cursor.is_empty());
        if cursor.is_none() {
            break;
        }
    }
    if whole && cursor.is_none() {
        return Ok(accounts);
    }
    info!(
        accounts = accounts.len(),
        "a list of members that is not whole"
    );
    Err(SlackError::Lost)
}

/// All groups with their users; one whose users are not told is not believed.
async fn groups(slack: &Slack, home: &Installation) -> Result<Vec<HeardGroup>, SlackError> {
    let mut heard = Vec::new();
    for group in slack.user_groups(&home.team_id).await? {
        let users = group.users.ok_or(SlackError::Lost)?;
        heard.push(HeardGroup {
            accounts: users.iter().map(|user| home.identity(user)).collect(),
            updated_by: group.updated_by.map(|user| home.identity(&user)),
            id: group.id,
        });
    }
    Ok(heard)
}
