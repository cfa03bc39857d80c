//! `countersign break-glass`: starts, lists, ends and reviews break-glass sessions from a terminal.

use super::client::{Call, Client, RETRY_PERIOD, fresh_key};
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::show::print_json;
use super::{output, style};
use crate::config::client::ClientArgs;
use crate::http::{SessionList, SessionView};
use serde_json::{Map, Value, json};

/// Arguments of `break-glass`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  countersign break-glass start --action cluster.restart --cluster prod-eu-1 --for 1h \\
    --reason 'checkout is down'
  countersign break-glass status
  countersign break-glass revoke bg_01k8z0v3c5d7e9f1g2h3j4k5m6
  countersign break-glass review bg_01k8z0v3c5d7e9f1g2h3j4k5m6 --note 'needed; restart only'

While a session is active, what its responders ask for within its scope is allowed at once.
Everything is announced, recorded, and reviewed by somebody who took no part in it.";

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Start a session; exit status 7 if policies gate the start and it waits for approvals
    Start(StartArgs),
    /// List sessions, newest first
    Status(StatusArgs),
    /// End a session early
    Revoke(RevokeArgs),
    /// Mark an ended session as reviewed
    Review(ReviewArgs),
}

#[derive(Debug, clap::Args)]
struct StartArgs {
    /// Reason; everyone can read it
    #[arg(long)]
    reason: String,
    /// Action that the session covers, or one of the groups cluster and project (repeatable)
    #[arg(long = "action", value_name = "ACTION", required = true)]
    actions: Vec<String>,
    /// Limit the session to this cluster (repeatable)
    #[arg(long = "cluster", value_name = "CLUSTER")]
    clusters: Vec<String>,
    /// Limit the session to this environment (repeatable)
    #[arg(
        long = "environment",
        visible_alias = "env",
        value_name = "ENVIRONMENT"
    )]
    environments: Vec<String>,
    /// Limit the session to this project (repeatable)
    #[arg(long = "project", value_name = "PROJECT")]
    projects: Vec<String>,
    /// Duration, such as 1h (default: the shortest that is allowed)
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<String>,
    /// Responder: a person, or service:NAME (repeatable; default: you alone)
    #[arg(long = "responder", value_name = "WHO")]
    responders: Vec<String>,
    /// Print the session as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

#[derive(Debug, clap::Args)]
struct StatusArgs {
    /// Show only this session
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Number of sessions, 1 to 100
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

#[derive(Debug, clap::Args)]
struct RevokeArgs {
    /// The session's id
    #[arg(value_name = "ID", value_parser = session_id)]
    id: String,
    /// Print the session as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

#[derive(Debug, clap::Args)]
struct ReviewArgs {
    /// The session's id
    #[arg(value_name = "ID", value_parser = session_id)]
    id: String,
    /// Review note: what you found
    #[arg(long)]
    note: String,
    /// Print the session as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

/// Accepts nothing but a session id, because the id becomes part of a URL.
fn session_id(text: &str) -> Result<String, String> {
    text.parse::<crate::domain::id::SessionId>()
        .map(|id| id.to_string())
        .map_err(|_| "it begins with bg_; `countersign break-glass status` shows it".to_owned())
}

/// Runs a subcommand of `countersign break-glass`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    match args.verb {
        Verb::Start(args) => start(args).await,
        Verb::Status(args) => status(args).await,
        Verb::Revoke(args) => {
            let path = format!("/v1/break-glass/{}/revoke", args.id);
            change(&args.server, path, &json!({}), args.json).await
        }
        Verb::Review(args) => {
            let path = format!("/v1/break-glass/{}/review", args.id);
            change(&args.server, path, &json!({"note": args.note}), args.json).await
        }
    }
}

async fn start(args: StartArgs) -> Result<ExitStatus, CliError> {
    let client = Client::open(&args.server)?;
    let call = Call::post("/v1/break-glass", &body(&args), fresh_key());
    let view: SessionView = client.read(&call, RETRY_PERIOD).await?;
    print(&view, args.json)?;
    if view.status == "pending" {
        output::tell("It starts in the moment in which the request is approved.");
        return Ok(ExitStatus::Pending);
    }
    Ok(ExitStatus::Done)
}

fn body(args: &StartArgs) -> Value {
    let mut scope = Map::new();
    scope.insert("actions".to_owned(), json!(args.actions));
    for (name, list) in [
        ("clusters", &args.clusters),
        ("environments", &args.environments),
        ("projects", &args.projects),
    ] {
        if !list.is_empty() {
            scope.insert(name.to_owned(), json!(list));
        }
    }
    json!({
        "reason": args.reason, "scope": scope, "duration": args.duration, "responders": args.responders,
    })
}

async fn status(args: StatusArgs) -> Result<ExitStatus, CliError> {
    let client = Client::open(&args.server)?;
    if let Some(id) = &args.id {
        let id = session_id(id).map_err(|why| CliError::Usage(format!("{id}: {why}")))?;
        let call = Call::get(format!("/v1/break-glass/{id}"));
        let view: SessionView = client.read(&call, RETRY_PERIOD).await?;
        print(&view, args.json)?;
        return Ok(ExitStatus::Done);
    }
    let call = Call::get(format!("/v1/break-glass?limit={}", args.limit));
    let list: SessionList = client.read(&call, RETRY_PERIOD).await?;
    if args.json {
        print_json(&list)?;
        return Ok(ExitStatus::Done);
    }
    if list.items.is_empty() {
        output::tell("There was never a break-glass session.");
    }
    for view in &list.items {
        output::text(&text(view))?;
    }
    Ok(ExitStatus::Done)
}

async fn change(
    server: &ClientArgs,
    path: String,
    body: &Value,
    as_json: bool,
) -> Result<ExitStatus, CliError> {
    let client = Client::open(server)?;
    let call = Call::post(path, body, fresh_key());
    let view: SessionView = client.read(&call, RETRY_PERIOD).await?;
    print(&view, as_json)?;
    Ok(ExitStatus::Done)
}

fn print(view: &SessionView, as_json: bool) -> Result<(), CliError> {
    if as_json {
        return print_json(view);
    }
    output::text(&text(view))?;
    Ok(())
}

/// A session as text, several lines long.
fn text(view: &SessionView) -> String {
    let plain = |text: &str| style::plain(text);
    let stands = match (view.status.as_str(), &view.ends_at, &view.ended_by) {
        ("active", Some(end), _) => style::bad(&format!("ACTIVE until {end}")),
        ("ended", Some(end), Some(by)) => {
            let owed = style::waiting("a review is owed");
            format!("ended {end} ({}); {owed}", plain(by))
        }
        ("ended", None, Some(by)) => format!("never started ({})", plain(by)),
        (status, _, _) => plain(status),
    };
    let responders: Vec<String> = view.responders.iter().map(|who| plain(&who.name)).collect();
    let scope = plain(&view.scope.to_string());
    let mut lines = vec![
        format!("BREAK-GLASS {} {stands}", view.id),
        format!(
            "  by {}: {}",
            plain(&view.initiator.name),
            plain(&view.reason)
        ),
        format!("  covers {scope}; responders: {}", responders.join(", ")),
    ];
    if let Some(asked) = view.request.as_ref().filter(|_| view.status == "pending") {
        lines.push(format!("  waits for the approval of #{}", asked.number));
    }
    lines.extend(view.uses.iter().map(|one| {
        let outcome = one.outcome.as_deref().unwrap_or(&one.status);
        format!(
            "  #{} {} {} by {}: {outcome}",
            one.number,
            plain(&one.action),
            plain(&one.target.to_string()),
            plain(&one.by.name)
        )
    }));
    if let Some(review) = &view.review {
        lines.push(format!(
            "  reviewed by {}: {}",
            plain(&review.by.name),
            plain(&review.note)
        ));
    }
    lines.join("\n") + "\n"
}
