//! `countersign approve` and `reject`. A decision is always about the content that was shown.

use super::client::{Call, Client, RETRY_PERIOD, fresh_key};
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::progress::{Progress, headline};
use super::show::{self, print_json, request_id};
use super::wait::ask;
use super::{output, style};
use crate::config::client::ClientArgs;
use crate::domain::decision::DecisionKind;
use crate::http::view::RequestView;
use serde_json::{Map, Value};
use std::io::IsTerminal as _;

/// Arguments of `approve` and `reject`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign approve 42 --comment 'looks right'\n  countersign reject 42 --comment 'not on a Friday'\n\nOn a terminal the request is shown first, and you are asked. You decide as the person of COUNTERSIGN_TOKEN."
)]
pub struct Args {
    /// The request's number or id
    #[arg(value_parser = request_id)]
    id: String,
    /// Comment, for everyone who sees the request
    #[arg(long, short)]
    comment: Option<String>,
    /// Decide only if the content has this digest
    #[arg(long)]
    digest: Option<String>,
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
    /// Print the request as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

/// Runs `countersign approve` or `reject`.
pub async fn main(args: Args, verdict: DecisionKind) -> Result<ExitStatus, CliError> {
    let client = Client::open(&args.server)?;
    let seen = show::read(&client, &args.id).await?;
    if !args.yes && std::io::stdin().is_terminal() && !confirmed(&seen, verdict).await {
        output::tell("Nothing was decided.");
        return Ok(ExitStatus::Refused);
    }
    let call = Call::post(
        format!("/v1/requests/{}/decisions", seen.id),
        &body(&args, verdict, &seen),
        fresh_key(),
    );
    let view: RequestView = client.read(&call, RETRY_PERIOD).await?;
    if args.json {
        print_json(&view)?;
    } else {
        output::line(&headline(&view))?;
        if view.status == "pending" {
            Progress::new(false).note(&format!(
                "still missing: {}",
                super::progress::missing(&view)
            ));
        }
    }
    Ok(ExitStatus::Done)
}

/// The body of the decision, with the digest of the request that was shown unless `--digest` names another one.
fn body(args: &Args, verdict: DecisionKind, seen: &RequestView) -> Value {
    let verdict = match verdict {
        DecisionKind::Approve => "approve",
        DecisionKind::Reject => "reject",
    };
    let digest = args.digest.as_ref().unwrap_or(&seen.digest);
    let mut body = Map::new();
    body.insert("verdict".to_owned(), verdict.into());
    body.insert("digest".to_owned(), digest.as_str().into());
    if let Some(comment) = &args.comment {
        body.insert("comment".to_owned(), comment.as_str().into());
    }
    Value::Object(body)
}

async fn confirmed(view: &RequestView, verdict: DecisionKind) -> bool {
    output::draw(&show::text(view));
    let verb = match verdict {
        DecisionKind::Approve => style::good("Approve"),
        DecisionKind::Reject => style::bad("Reject"),
    };
    let question = format!("{verb} it? [y/N] ");
    // no answer counts as no
    let answer = tokio::task::spawn_blocking(move || ask(&question)).await;
    matches!(answer.ok().flatten().as_deref(), Some("y" | "yes"))
}
