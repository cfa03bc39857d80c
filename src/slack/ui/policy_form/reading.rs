//! What was filled into the form of a policy.

use super::WHY;
use crate::domain::document::{Approvers, Mode, People, PolicyTemplate, Quorum};
use crate::slack::inbound::View;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

type Wrong = Vec<(&'static str, String)>;

/// The policy as it was filled in: `stored` where it is one that is there, with everything in it that the form does not ask for.
pub fn read(view: &View, stored: Option<&PolicyTemplate>) -> Result<PolicyTemplate, Wrong> {
    let mut wrong = Vec::new();
    let mut text = |name: &'static str| {
        let text = view.field(name);
        if text.is_none() {
            wrong.push((name, "This is needed.".to_owned()));
        }
        text.unwrap_or_default()
    };
    let id = match stored {
        Some(stored) => stored.id.to_string(),
        None => text("id"),
    };
    let (name, scope) = (text("name"), text("scope"));
    let quorum = Quorum {
        min_approvals: number(view, "quorum.minApprovals", &mut wrong),
        min_distinct_teams: number(view, "quorum.minDistinctTeams", &mut wrong),
        required_user_ids: ids(view, "quorum.requiredUserIds"),
        required_team_ids: ids(view, "quorum.requiredTeamIds"),
        required_org_roles: ids(view, "quorum.requiredOrgRoles"),
    };
    let approvers = approvers(view, &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let fresh = || serde_json::from_value(json!({ "id": id, "name": name, "scope": scope }));
    let base: PolicyTemplate = match stored {
        Some(stored) => stored.clone(),
        None => fresh().map_err(|error| vec![(WHY, format!("This makes no policy: {error}."))])?,
    };
    let options = view.chosen("options");
    let ticked = |option: &str| options.iter().any(|each| each == option);
    let mut policy = PolicyTemplate {
        name,
        description: view.field("description").unwrap_or_default(),
        scope: serde_json::from_value(Value::from(scope)).unwrap_or(base.scope),
        actions: some(ids(view, "actions")),
        approvers,
        quorum,
        requester_can_approve: ticked("requesterCanApprove"),
        mode: if ticked("observe") {
            Mode::Observe
        } else {
            Mode::Enforce
        },
        ..base
    };
    let conditions = &mut policy.conditions;
    conditions.environments = some(ids(view, "conditions.environments"));
    conditions.require_reason = ticked("requireReason");
    if conditions.windows.is_none() {
        conditions.weekdays = some(ids(view, "conditions.weekdays"));
        conditions.start_hour = hour(view, "conditions.startHour");
        conditions.end_hour = hour(view, "conditions.endHour");
        conditions.timezone = view.field("conditions.timezone");
    }
    Ok(policy)
}

/// What was chosen in a list, as the configuration names it.
fn ids<T: DeserializeOwned>(view: &View, name: &str) -> Vec<T> {
    let chosen = view.chosen(name).into_iter();
    chosen
        .filter_map(|id| serde_json::from_value(Value::from(id)).ok())
        .collect()
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn hour(view: &View, name: &str) -> Option<u8> {
    view.field(name)?.parse().ok()
}

fn number(view: &View, name: &'static str, wrong: &mut Wrong) -> u32 {
    let typed = view.field(name).unwrap_or_default();
    typed.parse().unwrap_or_else(|_| {
        wrong.push((name, "Write a whole number, such as 2.".to_owned()));
        0
    })
}

fn approvers(view: &View, wrong: &mut Wrong) -> Option<Approvers> {
    let people = People {
        users: ids(view, "approvers.users"),
        teams: ids(view, "approvers.teams"),
        org_roles: ids(view, "approvers.orgRoles"),
    };
    let chosen = view.field("approvers").unwrap_or_default();
    if people.is_empty() == (chosen == "these") {
        let why = if people.is_empty() {
            "Name people, teams or roles below, or choose otherwise."
        } else {
            "People, teams or roles are named below: choose them here, or take them out there."
        };
        wrong.push(("approvers", why.to_owned()));
    }
    match chosen.as_str() {
        "anyone" => Some(Approvers::Anyone),
        "these" => Some(Approvers::Among(people)),
        _ => None,
    }
}
