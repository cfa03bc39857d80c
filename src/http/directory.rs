//! Who is who, as the directory is now.

use super::Api;
use super::access::{Allowed, ReadConfig};
use super::problem::Problem;
use crate::domain::people::Person;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// The directory.
#[derive(Debug, Serialize, ToSchema)]
pub struct DirectoryView {
    /// Everybody, active or not.
    users: Vec<PersonView>,
    /// The teams and their members, by list and by Slack user group.
    teams: Vec<TeamView>,
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonView {
    id: String,
    name: String,
    /// Whether the person may do anything at all.
    active: bool,
    teams: Vec<String>,
    org_roles: Vec<String>,
}

/// A team.
#[derive(Debug, Serialize, ToSchema)]
pub struct TeamView {
    id: String,
    name: String,
    members: Vec<String>,
}

impl PersonView {
    fn of(person: &Person) -> Self {
        Self {
            id: person.id.to_string(),
            name: person.name.clone(),
            active: person.active,
            teams: person.teams.iter().map(ToString::to_string).collect(),
            org_roles: person.roles.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The directory
#[utoipa::path(get, path = "/v1/directory", tag = "configuration",
    responses((status = 200, description = "People and teams", body = DirectoryView)))]
pub(super) async fn read(
    _: Allowed<ReadConfig>,
    State(api): State<Api>,
) -> Result<Json<DirectoryView>, Problem> {
    let config = api.app.compiled_config().await?;
    let directory = config.directory();
    let teams = config.document().directory.teams.iter();
    let members = |team| {
        let of_team = directory
            .people()
            .filter(|person| person.teams.contains(team));
        of_team.map(|person| person.id.to_string()).collect()
    };
    Ok(Json(DirectoryView {
        users: directory.people().map(PersonView::of).collect(),
        teams: teams
            .map(|team| TeamView {
                id: team.id.to_string(),
                name: team.name.clone(),
                members: members(&team.id),
            })
            .collect(),
    }))
}
