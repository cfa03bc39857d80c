//! `countersign inbox`: lists requests, newest first.

use super::client::{Call, Client, RETRY_PERIOD};
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::progress::headline;
use super::show::print_json;
use super::{output, style};
use crate::config::client::ClientArgs;
use crate::http::RequestPage;

/// Arguments of `inbox`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign inbox\n  countersign inbox --type release --can-approve alice\n  countersign inbox --status approved,rejected --limit 50 --json"
)]
pub struct Args {
    /// Statuses, separated by commas
    #[arg(long, default_value = "pending")]
    status: String,
    /// Only requests of this type: release, promotion, rollback, project, cluster or security
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only requests that this person could approve now
    #[arg(long, value_name = "USER")]
    can_approve: Option<String>,
    /// Number of requests, 1 to 100
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Cursor of the next page, from the end of the previous one
    #[arg(long)]
    cursor: Option<String>,
    /// Print the page as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

/// Runs `countersign inbox`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let client = Client::open(&args.server)?;
    let path = path(&args)?;
    let page: RequestPage = client.read(&Call::get(path), RETRY_PERIOD).await?;
    if args.json {
        print_json(&page)?;
        return Ok(ExitStatus::Done);
    }
    if page.items.is_empty() {
        output::tell("Nothing here.");
    }
    for view in &page.items {
        let yours = if view.can_approve {
            style::waiting("  (you can approve it)")
        } else {
            String::new()
        };
        output::line(&format!("{}{yours}", headline(view)))?;
    }
    if let Some(next) = &page.next_cursor {
        output::tell(&style::dim(&format!(
            "More: --cursor {}",
            style::plain(next)
        )));
    }
    Ok(ExitStatus::Done)
}

fn path(args: &Args) -> Result<String, CliError> {
    let limit = args.limit.to_string();
    let parameters = [
        ("status", Some(&args.status)),
        ("type", args.kind.as_ref()),
        ("canApprove", args.can_approve.as_ref()),
        ("cursor", args.cursor.as_ref()),
        ("limit", Some(&limit)),
    ];
    let given: Vec<(&str, &String)> = parameters
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect();
    let query = serde_urlencoded::to_string(given)
        .map_err(|error| CliError::Usage(format!("this cannot be asked: {error}")))?;
    Ok(format!("/v1/requests?{query}"))
}
