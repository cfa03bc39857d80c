//! Changes of people: a membership that people gave themselves does not count for older requests (threat B68), and what Slack reports about
//! people enters the directory or is kept out of it (docs/decisions.md D19).

mod memberships;
mod slack;

use crate::world::World;
use countersign::app::{AppError, Changed};
use countersign::domain::decision::Via;
use countersign::domain::document::ConfigDocument;
use countersign::domain::principal::Caller;
use serde_json::{Value, json};

impl World {
    /// Runs the Slack syncs that are due, and waits until everything is settled.
    pub async fn syncs(&self) {
        let asked = self.bot.dispatcher.sync_people().await;
        asked.expect("what Slack tells is taken in");
        self.settle().await;
    }

    /// An administrator changes the configuration.
    pub async fn edits(
        &self,
        who: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Changed, AppError> {
        let stored = self.app().config().await.expect("a configuration");
        let mut document = serde_json::to_value(&stored.document).expect("JSON");
        change(&mut document);
        let document: ConfigDocument = serde_json::from_value(document).expect("a document");
        let caller = Caller::person(who.into(), Via::Api);
        self.app()
            .change_config(&caller, document, None, None)
            .await
    }

    /// A user (by id) changes a user group, and Slack sends the event.
    pub async fn regroups(&self, group: &str, by: &str, users: &[&str]) {
        let event = self.regroups_unheard(group, by, users);
        self.slack.event(&event).await.expect("the bot hears it");
        self.syncs().await;
    }

    /// A user (by id) changes a user group; returns the event without sending it.
    pub fn regroups_unheard(&self, group: &str, by: &str, users: &[&str]) -> Value {
        self.slack.change(|state| {
            let id = group;
            let group = state.groups.get_mut(group).expect("a group");
            let before = std::mem::take(&mut group.users);
            let previous = group.updated_at;
            group.users = users.iter().map(|&user| user.to_owned()).collect();
            by.clone_into(&mut group.updated_by);
            group.updated_at += 1;
            let only_in = |some: &[String], others: &[String]| -> Vec<String> {
                let gone = some.iter().filter(|user| !others.contains(user));
                gone.cloned().collect()
            };
            json!({
                "type": "subteam_members_changed", "subteam_id": id, "team_id": group.team_id,
                "date_previous_update": previous, "date_update": group.updated_at,
                "added_users": only_in(&group.users, &before), "removed_users": only_in(&before, &group.users),
            })
        })
    }

    /// Changes an account (by id) in Slack, and sends the event.
    pub async fn account(&self, id: &str, change: impl FnOnce(&mut countersign::sandbox::User)) {
        self.slack
            .change(|state| change(state.users.get_mut(id).expect("a user")));
        let event = json!({"type": "user_change", "user": {"id": id}});
        self.slack.event(&event).await.expect("the bot hears it");
        self.settle().await;
    }

    /// The members of a team, by id.
    pub async fn team(&self, team: &str) -> Vec<String> {
        let config = self.app().compiled_config().await.expect("the rules");
        let team = team.into();
        let members = config.directory().members(&team);
        members.map(|person| person.id.to_string()).collect()
    }
}

/// Adds a person to a listed team.
fn join(document: &mut Value, team: usize, person: &str) {
    let members = &mut document["directory"]["teams"][team]["members"];
    members.as_array_mut().expect("a list").push(json!(person));
}

/// Removes a person from a listed team.
fn leave(document: &mut Value, team: usize, person: &str) {
    let members = &mut document["directory"]["teams"][team]["members"];
    members
        .as_array_mut()
        .expect("a list")
        .retain(|member| member != person);
}

/// Index of SRE among the demo's teams.
const SRE: usize = 1;
/// Index of Security among the demo's teams.
const SECURITY: usize = 2;
