//! Which notifications people want: their own preferences, by command and in the Home tab.

use super::context::{Actor, Context};
use super::reply::{Failure, Handled, Reply};
use crate::domain::decision::Via;
use crate::domain::id::PersonId;
use crate::domain::people::{Directory, Person};
use crate::domain::preferences::{Absence, Preferences, PreferencesChange, Presence, start_of_day};
use crate::slack::inbound::View;
use crate::slack::ui::Message;
use crate::slack::ui::preferences::{self, Shown};
use crate::slack::ui::text::escape;
use chrono::NaiveDate;
use serde_json::Value;

/// Changes the preferences; an empty change shows them.
pub(super) async fn notify(context: &Context, change: &PreferencesChange) -> Handled {
    let actor = context.actor().await?;
    if *change == PreferencesChange::default() {
        let (own, _) = context.app().preferences(&actor.person.id).await?;
        return Ok(Reply::Answer(summary(context, actor, &own).await?));
    }
    changed(context, change).await
}

/// Is away until the beginning of a day in their own time zone.
pub(super) async fn away(context: &Context, until: NaiveDate, delegate: Option<String>) -> Handled {
    let actor = context.actor().await?;
    let (own, _) = context.app().preferences(&actor.person.id).await?;
    let profile = match own.timezone {
        Some(_) => None,
        None => profile_zone(context).await,
    };
    let zone = own.zone(profile.as_deref());
    let delegate = match delegate {
        None => None,
        Some(named) => Some(find(actor.config.directory(), &named).ok_or_else(|| {
            let named = escape(&named);
            Message::plain(format!(
                "Nothing was done. There is no one person called {named}. Write the id of a person, such as delegate=bob."
            ))
        })?),
    };
    let until = start_of_day(until, zone)
        .ok_or_else(|| Message::plain("Nothing was done. This day does not exist."))?;
    let change = PreferencesChange {
        presence: Some(Presence::Away(Absence { until, delegate })),
        ..PreferencesChange::default()
    };
    changed(context, &change).await
}

/// Is back.
pub(super) async fn back(context: &Context) -> Handled {
    let change = PreferencesChange {
        presence: Some(Presence::Back),
        ..PreferencesChange::default()
    };
    changed(context, &change).await
}

/// The form of the Home tab.
pub(super) async fn form(context: &Context) -> Result<Value, Failure> {
    let actor = context.actor().await?;
    let (own, quiet) = context.app().preferences(&actor.person.id).await?;
    Ok(preferences::edit(&Shown {
        preferences: &own,
        quiet,
        now: context.app().now(),
        directory: actor.config.directory(),
    }))
}

/// The form was submitted.
pub(super) async fn submitted(context: &Context, view: &View) -> Handled {
    let change = preferences::read(view).map_err(|error| Failure::Fields(vec![error]))?;
    let actor = context.actor().await?;
    let caller = actor.caller(Via::Modal);
    match context.app().change_preferences(&caller, &change).await? {
        Ok(own) => Ok(Reply::Done(summary(context, actor, &own).await?)),
        Err(why) => Err(Failure::Fields(vec![(preferences::TIMEZONE, why)])),
    }
}

async fn changed(context: &Context, change: &PreferencesChange) -> Handled {
    let actor = context.actor().await?;
    let caller = actor.caller(Via::Command);
    match context.app().change_preferences(&caller, change).await? {
        Ok(own) => Ok(Reply::Answer(summary(context, actor, &own).await?)),
        Err(why) => {
            let why = escape(&why);
            Err(Message::plain(format!("Nothing was done. {why}")).into())
        }
    }
}

async fn summary(context: &Context, actor: &Actor, own: &Preferences) -> Result<Message, Failure> {
    let (_, quiet) = context.app().preferences(&actor.person.id).await?;
    Ok(preferences::summary(&Shown {
        preferences: own,
        quiet,
        now: context.app().now(),
        directory: actor.config.directory(),
    }))
}

async fn profile_zone(context: &Context) -> Option<String> {
    let now = context.app().now();
    let zone = context.slack().time_zone(context.user_id()?, now).await;
    zone.ok().flatten()
}

/// A person by id, by Slack user, or by name.
fn find(directory: &Directory, named: &str) -> Option<PersonId> {
    let by = |is: &dyn Fn(&Person) -> bool| {
        let mut people = directory.people().filter(|person| is(person));
        let found = people.next()?;
        // a name that fits two people means neither
        people.next().is_none().then(|| found.id.clone())
    };
    by(&|person| person.id.as_str() == named)
        .or_else(|| by(&|person| person.slack.iter().any(|slack| slack.user_id == named)))
        .or_else(|| by(&|person| person.name.eq_ignore_ascii_case(named)))
}
