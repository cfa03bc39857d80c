//! `countersign request`: creates a request, and waits for the decision with `--wait`.

use super::ask::Ask;
use super::client::{Call, Client, RETRY_PERIOD, fresh_key};
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::output;
use super::progress::{Progress, headline};
use super::wait::{self, Stops, Waited};
use crate::config::client::ClientArgs;
use crate::http::view::RequestView;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// Arguments of `request`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    ask: Ask,
    /// Wait for the decision
    #[arg(long)]
    wait: bool,
    /// Wait at most this long, such as 30m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, requires = "wait")]
    timeout: Option<Duration>,
    /// Idempotency key: retrying with the same key creates one request
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Print the request as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

const EXAMPLES: &str = "\
Examples:
  countersign request release.deploy --project api-platform --env production --reason 'fixes login'
  countersign request cluster.restart --cluster prod-eu-1 --reason 'new kernel' --wait --timeout 2h
  countersign request manifest.apply --cluster prod-eu-1 --reason 'more memory' --payload app.diff

A payload is JSON, or a text that people read line by line: .diff and .patch are
text/x-diff, .yaml and .yml application/yaml, .txt and what is no JSON text/plain.
--content-type says otherwise.

Exit status: 0 allowed, approved or bypassed; 1 rejected; 2 wrong call; 3 expired or timed out;
4 cancelled; 5 policy violations; 6 no answer from the server; 7 pending (without --wait).
0 alone is no licence to run anything: use `countersign run`, or `execute` and then `complete`.";

/// Runs `countersign request`.
pub async fn main(args: Args) -> ExitCode {
    let ending = ask(args).await.unwrap_or_else(|trouble| trouble.tell());
    ExitCode::from(ending.of_request())
}

async fn ask(args: Args) -> Result<ExitStatus, CliError> {
    let client = Client::open(&args.server)?;
    let body = args.ask.on.body(&args.ask.action, None)?;
    let key = args.idempotency_key.unwrap_or_else(fresh_key);
    let mut view = submit(&client, &body, key).await?;
    let mut ending = of_status(&view.status);
    if args.wait && ending == ExitStatus::Pending {
        ending = wait(&client, &mut view, args.timeout, args.json).await?;
    }
    print(&view, args.json)?;
    Ok(ending)
}

/// Creates a request; retries with the same key create it once.
pub async fn submit(
    client: &Client,
    body: &serde_json::Value,
    key: String,
) -> Result<RequestView, CliError> {
    client
        .read(&Call::post("/v1/requests", body, key), RETRY_PERIOD)
        .await
}

async fn wait(
    client: &Client,
    view: &mut RequestView,
    timeout: Option<Duration>,
    quiet: bool,
) -> Result<ExitStatus, CliError> {
    let mut stops = Stops::listen()?;
    let mut progress = Progress::new(quiet);
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let waited = wait::settle(client, view.clone(), deadline, &mut stops, &mut progress).await?;
    match waited {
        Waited::Settled(resolve_groups) => {
            *view = *resolve_groups;
            Ok(of_status(&view.status))
        }
        Waited::TimedOut => {
            progress.note(&format!(
                "#{} still waits; you do not any more",
                view.number
            ));
            Ok(ExitStatus::TooLate)
        }
        Waited::Stopped(stop) => {
            let cancelled = wait::wants_cancel(stop, view, &mut progress).await
                && wait::cancel(client, view, &mut progress).await;
            if !cancelled {
                return Ok(ExitStatus::Pending);
            }
            *view = super::show::read(client, &view.id).await?;
            Ok(ExitStatus::Cancelled)
        }
    }
}

fn print(view: &RequestView, json: bool) -> Result<(), CliError> {
    if json {
        return super::show::print_json(view);
    }
    output::tell(&headline(view));
    output::exact(format!("{}\n", view.id))?;
    Ok(())
}

/// The meaning of a status for the requester. An unknown status never reads as approved.
pub fn of_status(status: &str) -> ExitStatus {
    match status {
        // executed and completed requests were granted before
        "allowed" | "approved" | "bypassed" | "executed" | "completed" => ExitStatus::Done,
        "pending" => ExitStatus::Pending,
        "rejected" => ExitStatus::Rejected,
        "cancelled" => ExitStatus::Cancelled,
        "expired" => ExitStatus::TooLate,
        _ => ExitStatus::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::Status;

    #[test]
    fn every_status_has_an_exit_code_and_an_unknown_one_is_not_a_grant() {
        let codes = Status::ALL.map(|status| of_status(status.as_str()).of_request());
        assert_eq!(codes, [7, 0, 0, 0, 1, 4, 3, 0, 0]);
        for unknown in ["", "APPROVED", "approved ", "open"] {
            assert_ne!(of_status(unknown).of_request(), 0, "{unknown}");
        }
    }
}
