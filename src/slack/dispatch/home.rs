//! The Home tab: drawn for one person, by their own rights, whenever they look at it or something they see has changed.

use super::{Dispatcher, Told, failed};
use crate::app::{AppError, ListFilter};
use crate::domain::digest::Digest;
use crate::domain::people::Person;
use crate::domain::principal::{Caller, Principal};
use crate::domain::refusal::Refusal;
use crate::domain::request::Status;
use crate::domain::vote::Door;
use crate::slack::inbound::Interaction;
use crate::slack::views::break_glass;
use crate::slack::views::home::{self, Home, Look};
use serde_json::Value;
use tracing::warn;

impl Dispatcher {
    /// Somebody looks at their Home: it is published now, and kept up to date for a while.
    pub(super) async fn look_home(&self, user: &str, look: &Look) {
        let commits = self.commits();
        self.0.homes.looked_at(user, look, self.0.app.now());
        let view = self.home_tab(user, look).await.unwrap_or_else(|view| view);
        self.0.homes.differs(user, look, commits, &hash_of(&view));
        self.publish(user, &view).await;
    }

    /// One of the Home tab's own buttons: the same, with another look.
    pub(super) fn turn_home(&self, seen: &Interaction, action_id: &str, value: &str) -> Told {
        let view = seen.view.as_ref();
        let now = Look::read(view.and_then(|view| view.private_metadata.as_deref()));
        let user = super::clicks::user_id(seen).map(str::to_owned);
        if let (Some(user), Some(look)) = (user, now.turned(action_id, value)) {
            let this = self.clone();
            let publish = async move { this.look_home(&user, &look).await };
            self.0.outlet.spawn(publish);
        }
        Told::Nothing
    }

    /// Publishes Homes anew that show something else by now; says how many were looked at.
    pub async fn refresh_homes(&self, limit: i64) -> i64 {
        let commits = self.commits();
        let limit = usize::try_from(limit).unwrap_or(0);
        let behind = self.0.homes.behind(commits, self.0.app.now(), limit);
        let looked_at = i64::try_from(behind.len()).unwrap_or(i64::MAX);
        for (user, look) in behind {
            let view = self
                .home_tab(&user, &look)
                .await
                .unwrap_or_else(|view| view);
            if self.0.homes.differs(&user, &look, commits, &hash_of(&view)) {
                self.publish(&user, &view).await;
            }
        }
        looked_at
    }

    /// Counts what has been committed: whoever saw this many has seen everything.
    fn commits(&self) -> u64 {
        *self.0.app.work().borrow()
    }

    async fn publish(&self, user: &str, view: &Value) {
        if let Err(error) = self.0.outlet.slack.publish_home(user, view).await {
            warn!(%error, "a Home tab was not published");
            if error.is_final() {
                self.0.homes.forget(user);
            } else {
                self.0.homes.failed(user);
            }
        }
    }

    /// The Home tab of a user, or the one that says why there is none.
    async fn home_tab(&self, user: &str, look: &Look) -> Result<Value, Value> {
        let unavailable = |told: Told| {
            let busy = "Countersign is busy. Open this page again in a moment.".to_owned();
            home::unavailable(&told.message().map_or(busy, |message| message.text))
        };
        let Some(installation) = self.home() else {
            return Err(home::unavailable("Countersign is starting."));
        };
        let account = self.account(installation, Some(user)).await;
        let account = account.map_err(unavailable)?;
        let person = self.person(&account).await.map_err(unavailable)?;
        let drawn = self.draw(&person, look).await;
        drawn.map_err(|error| unavailable(failed(&error)))
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
            limit: home::LATELY,
            ..ListFilter::default()
        };
        let pending = app.list(pending).await?;
        let yours = app.list(yours).await?;
        let decided = app.decided_by(&person.id, home::LATELY).await?;
        let caller = Caller::person(person.id.clone(), Door::Button);
        let events = match app.latest_events(&caller, home::EVENTS).await {
            Ok(events) => Some(events),
            Err(AppError::Refused(Refusal::Forbidden(_))) => None,
            Err(error) => return Err(error),
        };
        let rules = app.rules().await?;
        Ok(home::home(&Home {
            person,
            look,
            pending: &pending.items,
            next: pending.next.as_deref(),
            yours: &yours.items,
            decided: &decided,
            events: events.as_deref(),
            directory: rules.directory(),
            above: &break_glass::above_home(&app.open_sessions().await?, &rules, &person.id),
        }))
    }
}

fn hash_of(view: &Value) -> String {
    Digest::of(view.to_string().as_bytes()).to_string()
}
