//! `countersign cancel`: withdraws a request.

use super::client::{Call, Client, RETRY_PERIOD, fresh_key};
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::output;
use super::progress::headline;
use super::show::{print_json, request_id};
use crate::config::client::ClientArgs;
use crate::http::view::RequestView;
use serde_json::json;

/// Arguments of `cancel`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign cancel 42\n\nPossible until it is executed: for who asked, administrators and its eligible approvers."
)]
pub struct Args {
    /// The request's number or id
    #[arg(value_parser = request_id)]
    id: String,
    /// Print the request as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

/// Runs `countersign cancel`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let client = Client::open(&args.server)?;
    let path = format!("/v1/requests/{}/cancel", args.id);
    let call = Call::post(path, &json!({}), fresh_key());
    let view: RequestView = client.read(&call, RETRY_PERIOD).await?;
    if args.json {
        print_json(&view)?;
    } else {
        output::line(&headline(&view))?;
    }
    Ok(ExitStatus::Done)
}
