//! The Home tab: drawn for one person, by their own rights, whenever they look at it or something they see has changed.

use super::Dispatcher;
use super::context::Context;
use super::reply::{Failure, Reply};
use crate::app::{AppError, ListFilter};
use crate::domain::decision::Via;
use crate::domain::digest::Digest;
use crate::domain::people::Person;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::Status;
use crate::slack::inbound::Interaction;
use crate::slack::ui::home::{self, Home, Look};
use crate::slack::ui::{break_glass, preferences};
use serde_json::Value;
use tracing::warn;

/// One of the Home tab's own buttons: the same page with another filter or page.
pub(super) fn turn(context: &Context, seen: &Interaction, action_id: &str, value: &str) -> Reply {
    let view = seen.view.as_ref();
    let now = Look::read(view.and_then(|view| view.private_metadata.as_deref()));
    let user = context.user_id().map(str::to_owned);
    if let (Some(user), Some(look)) = (user, now.turned(action_id, value)) {
        let dispatcher = context.dispatcher.clone();
        context.spawn(async move { dispatcher.look_home(&user, &look).await });
    }
    Reply::Nothing
}

impl Dispatcher {
    /// Somebody looks at their Home: it is published now, and kept up to date for a while.
    pub(super) async fn look_home(&self, user: &str, look: &Look) {
        let kept = written(look);
        // whoever looks sees it, although it may not be kept up to date
        if let Err(error) = self.0.app.open_home(user, &kept).await {
            warn!(%error, "open Home tab not stored, it is not kept up to date");
        }
        let view = self.home_tab(user, look).await.unwrap_or_else(|view| view);
        if let Err(error) = self.0.app.show_home(user, &kept, &hash_of(&view)).await {
            warn!(%error, "published Home tab not stored, it is published again");
        }
        self.publish(user, &view).await;
        // what was committed meanwhile may have been counted before it was open
        self.0.homes.look_again(user);
    }

    /// Publishes Homes anew that show something else by now; says how many were looked at.
    pub async fn refresh_homes(&self, limit: i64) -> Result<i64, AppError> {
        let commits = self.commits();
        if !self.0.homes.any_behind(commits) {
            return Ok(0);
        }
        let open = self.0.app.open_homes().await?;
        let limit = usize::try_from(limit).unwrap_or(0);
        let behind = self.0.homes.behind(open, commits, limit);
        let looked_at = i64::try_from(behind.len()).unwrap_or(i64::MAX);
        for (user, kept) in behind {
            let look = Look::read(Some(&kept));
            let view = self
                .home_tab(&user, &look)
                .await
                .unwrap_or_else(|view| view);
            match self.0.app.show_home(&user, &kept, &hash_of(&view)).await {
                Ok(true) => self.publish(&user, &view).await,
                Ok(false) => {}
                Err(error) => {
                    self.0.homes.look_again(&user);
                    return Err(error);
                }
            }
        }
        Ok(looked_at)
    }

    /// Counts what has been committed: whoever saw this many has seen everything.
    fn commits(&self) -> u64 {
        *self.0.app.work().borrow()
    }

    async fn publish(&self, user: &str, view: &Value) {
        if let Err(error) = self.0.reply_sender.slack.publish_home(user, view).await {
            warn!(%error, "Home tab not published");
            let lost = if error.is_final() {
                self.0.app.forget_home(user).await
            } else {
                self.0.homes.look_again(user);
                self.0.app.lose_home(user).await
            };
            if let Err(error) = lost {
                warn!(%error, "unpublished Home tab not stored, it stays as it is until the next change");
            }
        }
    }

    /// The Home tab of a user, or the one that says why there is none.
    async fn home_tab(&self, user: &str, look: &Look) -> Result<Value, Value> {
        let Some(installation) = self.home() else {
            return Err(home::unavailable("Countersign is starting."));
        };
        let drawn = async {
            let account = self.account(installation, Some(user)).await?;
            let actor = self.actor(&account).await?;
            Ok::<Value, Failure>(self.draw(&actor.person, look).await?)
        };
        drawn.await.map_err(|failure| {
            let busy = "Countersign is busy. Open this page again in a moment.".to_owned();
            let message = Reply::from(failure).message();
            home::unavailable(&message.map_or(busy, |message| message.text))
        })
    }

    async fn draw(&self, person: &Person, look: &Look) -> Result<Value, AppError> {
        let app = &self.0.app;
        let pending = ListFilter {
            statuses: vec![Status::Pending],
            kind: look.kind,
            can_approve: (!look.all).then(|| person.id.clone()),
            cursor: look.below.clone(),
            limit: home::PAGE,
            ..ListFilter::default()
        };
        let yours = ListFilter {
            requester: Some(Principal::Person(person.id.clone())),
            limit: look.lately() + 1,
            ..ListFilter::default()
        };
        let pending = app.list(pending).await?;
        let yours = app.list(yours).await?;
        let decided = app.decided_by(&person.id, look.lately() + 1).await?;
        let caller = Caller::person(person.id.clone(), Via::Button);
        let events = match app.latest_events(&caller, home::EVENTS).await {
            Ok(events) => Some(events),
            Err(AppError::Refused(Refusal::Forbidden(_))) => None,
            Err(error) => return Err(error),
        };
        let (own, quiet) = app.preferences(&person.id).await?;
        let config = app.compiled_config().await?;
        Ok(home::home(&Home {
            person,
            look,
            pending: &pending.items,
            next: pending.next.as_deref(),
            yours: &yours.items,
            decided: &decided,
            events: events.as_deref(),
            directory: config.directory(),
            notifications: &preferences::section(&preferences::Shown {
                preferences: &own,
                quiet,
                now: app.now(),
                directory: config.directory(),
            }),
            above: &break_glass::above_home(&app.open_sessions().await?, &config, &person.id),
        }))
    }
}

/// A look as it is stored, which tells it from every other look.
fn written(look: &Look) -> String {
    serde_json::to_string(look).unwrap_or_default()
}

fn hash_of(view: &Value) -> String {
    Digest::of(view.to_string().as_bytes()).to_string()
}
