//! `countersign execute` and `complete`, for people who run an approved operation by hand.

use super::client::{Call, Client, RETRY_PERIOD, fresh_key};
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::output;
use super::progress::headline;
use super::show::{self, print_json, request_id};
use crate::config::client::ClientArgs;
use crate::http::ExecutedView;
use crate::http::view::RequestView;
use serde_json::{Map, json};

/// Arguments of `execute`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign execute 42 > content.json\n  countersign complete 42 succeeded\n\nPrints {action, payload, target} in canonical form: do this, and nothing else. It is handed out once."
)]
pub struct ExecuteArgs {
    /// The request's number or id
    #[arg(value_parser = request_id)]
    id: String,
    /// Digest of what you are about to do (default: that of the request)
    #[arg(long)]
    digest: Option<String>,
    /// Idempotency key: retrying with the same key returns the same response
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Print the whole response as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

/// Runs `countersign execute`.
pub async fn execute(args: ExecuteArgs) -> Result<ExitStatus, CliError> {
    let client = Client::open(&args.server)?;
    let digest = match args.digest {
        Some(digest) => digest,
        None => show::read(&client, &args.id).await?.digest,
    };
    let key = args.idempotency_key.unwrap_or_else(fresh_key);
    let path = format!("/v1/requests/{}/execute", args.id);
    let call = Call::post(path, &json!({"digest": digest}), key.clone());
    let executed: ExecutedView = client.read(&call, RETRY_PERIOD).await?;
    if args.json {
        print_json(&executed).inspect_err(|_| tell_again(&executed, &key))?;
    } else {
        output::tell(&headline(&executed.request));
        output::exact(format!("{}\n", executed.content.get()))
            .inspect_err(|_| tell_again(&executed, &key))?;
    }
    Ok(ExitStatus::Done)
}

/// Prints the command that repeats this execution: the same idempotency key returns content that could not be printed.
fn tell_again(executed: &ExecutedView, key: &str) {
    output::tell(&format!(
        "#{number} counts as executed, but its content could not be printed. Print it again with:\n  \
         countersign execute {number} --digest {} --idempotency-key {key}",
        executed.digest,
        number = executed.request.number,
    ));
}

/// Arguments of `complete`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign complete 42 succeeded\n  countersign complete 42 failed --message 'rolled back'"
)]
pub struct CompleteArgs {
    /// The request's number or id
    #[arg(value_parser = request_id)]
    id: String,
    /// Outcome of the execution
    #[arg(value_parser = ["succeeded", "failed"])]
    outcome: String,
    /// Details about the outcome
    #[arg(long, short)]
    message: Option<String>,
    /// Print the request as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

/// Runs `countersign complete`.
pub async fn complete(args: CompleteArgs) -> Result<ExitStatus, CliError> {
    let client = Client::open(&args.server)?;
    let mut body = Map::new();
    body.insert("outcome".to_owned(), args.outcome.into());
    if let Some(message) = args.message {
        body.insert("message".to_owned(), message.into());
    }
    let path = format!("/v1/requests/{}/complete", args.id);
    let call = Call::post(path, &body.into(), fresh_key());
    let view: RequestView = client.read(&call, RETRY_PERIOD).await?;
    if args.json {
        print_json(&view)?;
    } else {
        output::line(&headline(&view))?;
    }
    Ok(ExitStatus::Done)
}
