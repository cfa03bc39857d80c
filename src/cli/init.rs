//! `countersign init`: writes a first configuration from what the Slack workspace contains.

use super::error::CliError;
use super::exit_status::ExitStatus;
use super::{output, style};
use crate::config::draft::{Draft, Person, Team, id_of, ids, name_of};
use crate::config::file::Source;
use crate::config::settings::{BaseUrl, bot_token, environment};
use crate::slack::api::client::{Slack, patiently};
use crate::slack::api::error::SlackError;
use crate::slack::api::reply::{Channel, SlackUser, UserGroup};
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// In a larger workspace only administrators and members of user groups are listed, so that people can still read the file.
const MANY: usize = 500;

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign init\n  countersign init --channel approvals --administrator alice --project api-platform --out countersign.yaml\n\nIt reads members, user groups and channels with SLACK_BOT_TOKEN of the environment (.env is not read), and changes nothing in Slack. On a terminal it asks for what is left out."
)]
pub struct Args {
    /// Output file; - prints to standard output
    #[arg(long, value_name = "FILE", default_value = "countersign.yaml")]
    out: PathBuf,
    /// Name of the organization (default: that of the workspace)
    #[arg(long)]
    organization: Option<String>,
    /// Channel for the cards, by name or id
    #[arg(long)]
    channel: Option<String>,
    /// Person who may change the configuration, by handle or id (repeatable)
    #[arg(long = "administrator", value_name = "PERSON")]
    administrators: Vec<String>,
    /// Environment (repeatable; the last one is gated)
    #[arg(long = "environment", value_name = "NAME", default_values = ["development", "staging", "production"])]
    environments: Vec<String>,
    /// Project (repeatable)
    #[arg(long = "project", value_name = "NAME")]
    projects: Vec<String>,
    /// Base URL of Slack's Web API
    #[arg(long, value_name = "URL", env = "SLACK_API_URL", default_value = "https://slack.com/api", hide_env_values = true, value_parser = BaseUrl::parse)]
    slack_api_url: BaseUrl,
}

/// What the Slack workspace contains.
struct Workspace {
    name: String,
    team_id: String,
    members: Vec<SlackUser>,
    groups: Vec<UserGroup>,
    channels: Vec<Channel>,
}

/// Runs `countersign init`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    if args.out.exists() {
        let file = args.out.display();
        return Err(CliError::Usage(format!(
            "{file} is there already; name another file with --out"
        )));
    }
    let token = bot_token(environment).map_err(|complaints| {
        CliError::Usage(format!(
            "{complaints}\nThis command does not read .env; set the variable in its environment."
        ))
    })?;
    let slack = Slack::new(&token, &args.slack_api_url.to_string())
        .map_err(|error| CliError::Usage(error.to_string()))?;
    let workspace = read(&slack).await.map_err(|error| {
        CliError::Usage(format!(
            "Slack was not read: {error}\ncountersign doctor says how to fix it"
        ))
    })?;
    let answers = Answers::of(&args, &workspace).await?;
    let draft = draft(&args, &workspace, &answers);
    let yaml = draft.yaml();
    let file = args.out.display().to_string();
    // the generated file must load; an error in it is a bug, better reported now than at the start of `serve`
    Source::read(file.clone(), &yaml)
        .and_then(|source| source.compile(0, &BTreeMap::new()))
        .map_err(|faults| CliError::Usage(faults.to_string()))?;
    if args.out.as_path() == Path::new("-") {
        output::exact(yaml)?;
        return Ok(ExitStatus::Done);
    }
    write_private(&args.out, &yaml)
        .map_err(|error| CliError::Usage(format!("{file} cannot be written: {error}")))?;
    tell(&file, &draft, &answers.channel);
    Ok(ExitStatus::Done)
}

/// Writes a file that only its owner can read from the first byte on, because it lists people and their accounts.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

async fn read(slack: &Slack) -> Result<Workspace, SlackError> {
    let auth = slack.auth_test().await?;
    let groups = match patiently(|| slack.all_user_groups(&auth.team_id)).await {
        Ok(groups) => groups,
        // workspaces without a paid plan have no user groups
        Err(SlackError::Other(code)) if code == "plan_upgrade_required" => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(Workspace {
        name: auth.team.clone().unwrap_or_else(|| auth.team_id.clone()),
        members: full_members(slack.members(&auth.team_id).await?, &auth.team_id),
        groups: groups
            .into_iter()
            .filter(|group| group.date_delete.unwrap_or(0) == 0)
            .collect(),
        channels: slack.channels(&auth.team_id).await?,
        team_id: auth.team_id,
    })
}

/// The people who can approve: full, active members of this workspace.
fn full_members(all: Vec<SlackUser>, team_id: &str) -> Vec<SlackUser> {
    let is = |flag: Option<bool>| flag.unwrap_or(false);
    let full = |user: &SlackUser| {
        let odd = [
            user.deleted,
            user.is_bot,
            user.is_workflow_bot,
            user.is_restricted,
            user.is_ultra_restricted,
            user.is_stranger,
            user.is_invited_user,
        ];
        !odd.into_iter().any(is)
            && user.id != "USLACKBOT"
            && user.team_id.as_deref() == Some(team_id)
    };
    all.into_iter().filter(full).collect()
}

/// The answers, from prompts or flags.
struct Answers {
    organization: String,
    channel: Channel,
    administrators: Vec<String>,
    projects: Vec<String>,
}

impl Answers {
    async fn of(args: &Args, workspace: &Workspace) -> Result<Self, CliError> {
        let terminal = std::io::stdin().is_terminal();
        let missing: Vec<&str> = [
            ("--channel", args.channel.is_none()),
            ("--administrator", args.administrators.is_empty()),
            ("--project", args.projects.is_empty()),
        ]
        .into_iter()
        .filter_map(|(flag, missing)| missing.then_some(flag))
        .collect();
        if !terminal && !missing.is_empty() {
            return Err(CliError::Usage(format!(
                "nobody can be asked, since standard input is no terminal; say {}\nchannels: {}\npeople: {}",
                missing.join(", "),
                named(
                    workspace
                        .channels
                        .iter()
                        .filter_map(|channel| channel.name.as_deref())
                ),
                named(
                    workspace
                        .members
                        .iter()
                        .filter_map(|member| member.name.as_deref())
                ),
            )));
        }
        let organization = match &args.organization {
            Some(name) => name.clone(),
            None if terminal => ask("The organization's name", &workspace.name).await,
            None => workspace.name.clone(),
        };
        let channel = match &args.channel {
            Some(channel) => channel.clone(),
            None => ask("The channel where cards are posted", "approvals").await,
        };
        let administrators = match args.administrators.as_slice() {
            [] => parts(
                &ask(
                    "Who may change the configuration (handles, separated by commas)",
                    "",
                )
                .await,
            ),
            given => given.to_vec(),
        };
        let projects = match args.projects.as_slice() {
            [] => parts(&ask("Projects (separated by commas)", "app").await),
            given => given.to_vec(),
        };
        Ok(Self {
            organization,
            channel: workspace.channel(&channel)?,
            administrators: administrators
                .iter()
                .map(|who| workspace.member(who))
                .collect::<Result<_, _>>()?,
            projects: slugs(&projects)?,
        })
    }
}

impl Workspace {
    fn channel(&self, wanted: &str) -> Result<Channel, CliError> {
        let wanted = wanted.trim().trim_start_matches('#');
        let fits =
            |channel: &&Channel| channel.id == wanted || channel.name.as_deref() == Some(wanted);
        self.channels.iter().find(fits).cloned().ok_or_else(|| {
            let names = named(
                self.channels
                    .iter()
                    .filter_map(|channel| channel.name.as_deref()),
            );
            CliError::Usage(format!(
                "there is no channel {wanted} that the bot can see; there are: {names}"
            ))
        })
    }

    /// The Slack user id of a person that is named by handle or id.
    fn member(&self, wanted: &str) -> Result<String, CliError> {
        let wanted = wanted.trim().trim_start_matches('@');
        let fits =
            |member: &&SlackUser| member.id == wanted || member.name.as_deref() == Some(wanted);
        self.members
            .iter()
            .find(fits)
            .map(|member| member.id.clone())
            .ok_or_else(|| {
                let names = named(
                    self.members
                        .iter()
                        .filter_map(|member| member.name.as_deref()),
                );
                CliError::Usage(format!(
                    "there is no full member {wanted}; there are: {names}"
                ))
            })
    }
}

fn draft(args: &Args, workspace: &Workspace, answers: &Answers) -> Draft {
    let handles = workspace.members.iter().map(|member| {
        (
            member.id.as_str(),
            member.name.as_deref().unwrap_or_default(),
        )
    });
    let people_ids = ids(handles);
    let in_a_group = |id: &String| {
        workspace
            .groups
            .iter()
            .any(|group| group.users.iter().flatten().any(|user| user == id))
    };
    let listed = |member: &&SlackUser| {
        workspace.members.len() <= MANY
            || in_a_group(&member.id)
            || answers.administrators.contains(&member.id)
    };
    let people: Vec<Person> = workspace
        .members
        .iter()
        .filter(listed)
        .map(|member| {
            let id = people_ids[&member.id].clone();
            Person {
                name: name_of(member.real_name.as_deref().unwrap_or_default(), &id),
                user_id: member.id.clone(),
                id,
            }
        })
        .collect();
    let id_of_user = |user: &String| {
        people
            .iter()
            .find(|person| person.user_id == *user)
            .map(|person| person.id.clone())
    };
    let group_ids = ids(workspace.groups.iter().map(|group| {
        (
            group.id.as_str(),
            group.handle.as_deref().unwrap_or_default(),
        )
    }));
    let teams = workspace.groups.iter().map(|group| {
        let id = group_ids[&group.id].clone();
        Team {
            name: name_of(group.name.as_deref().unwrap_or_default(), &id),
            group_id: group.id.clone(),
            members: group
                .users
                .iter()
                .flatten()
                .filter_map(id_of_user)
                .collect(),
            id,
        }
    });
    Draft {
        organization: answers.organization.clone(),
        environments: args.environments.clone(),
        projects: answers.projects.clone(),
        team_id: workspace.team_id.clone(),
        teams: teams.collect(),
        channel: (
            answers.channel.id.clone(),
            answers.channel.name.clone().unwrap_or_default(),
        ),
        administrators: answers
            .administrators
            .iter()
            .filter_map(id_of_user)
            .collect(),
        people,
    }
}

fn slugs(names: &[String]) -> Result<Vec<String>, CliError> {
    let slug = |name: &String| {
        id_of(name).ok_or_else(|| {
            CliError::Usage(format!(
                "`{name}` is no id; take small letters, digits and hyphens"
            ))
        })
    };
    names.iter().map(slug).collect()
}

fn parts(text: &str) -> Vec<String> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// A few names, for a sentence.
fn named<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = names.collect();
    let more = all.len().saturating_sub(20);
    all.truncate(20);
    let listed = all.join(", ");
    if more == 0 {
        listed
    } else {
        format!("{listed} and {more} more")
    }
}

/// Asks a question; an empty line selects the default, which is shown in brackets.
async fn ask(question: &str, otherwise: &str) -> String {
    let prompt = if otherwise.is_empty() {
        format!("{question}: ")
    } else {
        format!("{question} [{otherwise}]: ")
    };
    let typed = tokio::task::spawn_blocking(move || {
        output::draw(&style::plain(&prompt));
        let mut line = String::new();
        std::io::stdin()
            .read_line(&mut line)
            .map(|_| line.trim().to_owned())
    });
    let typed = typed.await.ok().and_then(Result::ok).unwrap_or_default();
    if typed.is_empty() {
        otherwise.to_owned()
    } else {
        typed
    }
}

fn tell(file: &str, draft: &Draft, channel: &Channel) {
    let invite = if channel.is_member.unwrap_or(false) {
        String::new()
    } else {
        let name = channel.name.as_deref().unwrap_or(&channel.id);
        let name = style::plain(name);
        format!("  - Invite the bot to #{name}: /invite @Countersign\n")
    };
    output::tell(&format!(
        "{} {}: {} people, {} teams, one policy for {}.\n\nNext:\n  - Read it; each section says what it means.\n{}  - countersign doctor --config {file}\n  - countersign serve --config {file}",
        style::good("Wrote"),
        style::plain(file),
        draft.people.len(),
        draft.teams.len(),
        style::plain(draft.environments.last().map_or("", String::as_str)),
        invite
    ));
}
