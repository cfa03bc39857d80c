//! `countersign run`: runs a risky command only after its approval.

use super::ask::On;
use super::child;
use super::client::{Call, Client, RETRY_PERIOD, fresh_key};
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::progress::Progress;
use super::request::{of_status, submit};
use super::wait::{self, Stop, Stops, Waited};
use super::{output, style};
use crate::config::client::ClientArgs;
use crate::domain::digest::Digest;
use crate::http::ExecutedView;
use crate::http::view::RequestView;
use futures::FutureExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The action, such as release.deploy
    #[arg(required_unless_present = "request")]
    action: Option<String>,
    #[command(flatten)]
    on: On,
    /// Use an existing request instead of creating one
    #[arg(long, value_name = "ID", conflicts_with = "action", value_parser = super::show::request_id)]
    request: Option<String>,
    /// Wait at most this long, such as 30m; then cancel
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// Idempotency key: retrying creates one request and never runs an executed one again
    #[arg(long, value_name = "KEY", conflicts_with = "request")]
    idempotency_key: Option<String>,
    /// Print nothing while waiting
    #[arg(long, short)]
    quiet: bool,
    /// The command, after --
    #[arg(last = true, value_name = "CMD", required_unless_present = "request")]
    command: Vec<String>,
    #[command(flatten)]
    server: ClientArgs,
}

/// After a stop signal, how long to wait for the response to a call in progress, so that its request can be cancelled.
const LAST_WORD: Duration = Duration::from_secs(2);
/// How long after a stop the answer to an execution is awaited: if the grant was taken, that nothing ran is to be reported.
const LAST_GRANT: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  countersign run release.deploy --project api-platform --env production --reason hotfix -- ./deploy
  countersign run --request 42

People approve the very command, and exactly that runs, once. It inherits the environment without
COUNTERSIGN_TOKEN, SLACK_BOT_TOKEN, SLACK_APP_TOKEN and SLACK_SIGNING_SECRET.
Exit status: the command's own (128+n for a signal). Not run: 120 rejected; 121 expired or
timed out; 122 cancelled; 123 policy violations; 124 no answer from the server; 125 the grant was
refused; 126, 127 as a shell.";

/// Creates a request, waits, runs the command and reports the outcome.
pub async fn main(args: Args) -> ExitCode {
    let status = match run(args).await {
        Ok(status) => status,
        Err(Not::CliError(trouble)) => trouble.tell().of_run(),
        Err(Not::Ended(ending, why)) => {
            output::tell(&format!(
                "{}: {}",
                style::bad("not run"),
                style::plain(&why)
            ));
            ending.of_run()
        }
    };
    ExitCode::from(status)
}

/// Why nothing ran.
enum Not {
    CliError(CliError),
    Ended(ExitStatus, String),
}

impl From<CliError> for Not {
    fn from(trouble: CliError) -> Self {
        Self::CliError(trouble)
    }
}

async fn run(args: Args) -> Result<u8, Not> {
    if args.on.reads_input() {
        let text = "--payload - would take standard input from the command; name a file";
        return Err(CliError::Usage(text.to_owned()).into());
    }
    let client = Client::open(&args.server)?;
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
    let mut progress = Progress::new(args.quiet);
    // from here on a stop signal cancels the request, even while it is being created
    let mut stops = Stops::listen()?;
    let view = begun(&client, &args, &mut stops, &mut progress).await?;
    let (executed, stopped) = grant(&client, view, deadline, &mut stops, &mut progress).await?;
    let approved = match command(&executed, &args.command) {
        Ok(approved) => approved,
        Err(why) => {
            report(
                &client,
                &executed.request,
                "failed",
                &format!("not run: {why}"),
            )
            .await;
            return Err(Not::Ended(ExitStatus::Refused, why));
        }
    };
    // a stop signal that arrived a moment ago still prevents the run
    if let Some(stop) = stopped.or_else(|| stops.next().now_or_never()) {
        report(
            &client,
            &executed.request,
            "failed",
            "not run: stopped before it began",
        )
        .await;
        return Ok(stop.status());
    }
    match child::run(&approved, &mut stops).await {
        Ok(ended) => {
            let status = child::status_of(ended);
            let outcome = if ended.success() {
                "succeeded"
            } else {
                "failed"
            };
            report(
                &client,
                &executed.request,
                outcome,
                &format!("exit status {status}"),
            )
            .await;
            Ok(status)
        }
        Err(why) => {
            output::tell(&format!("{}: {why}", style::bad("not run")));
            report(
                &client,
                &executed.request,
                "failed",
                &format!("not run: {why}"),
            )
            .await;
            Ok(why.status())
        }
    }
}

async fn begin(client: &Client, args: &Args) -> Result<RequestView, CliError> {
    if let Some(id) = &args.request {
        return super::show::read(client, id).await;
    }
    let action = args.action.as_deref().unwrap_or_default();
    let body = args.on.body(action, Some(&args.command))?;
    let key = args.idempotency_key.clone().unwrap_or_else(fresh_key);
    submit(client, &body, key).await
}

/// Creates the request, unless a stop signal comes first; a request that was created by then is cancelled.
async fn begun(
    client: &Client,
    args: &Args,
    stops: &mut Stops,
    progress: &mut Progress,
) -> Result<RequestView, Not> {
    let mut beginning = pin!(begin(client, args));
    tokio::select! {
        view = &mut beginning => return Ok(view?),
        _ = stops.next() => {}
    }
    let Ok(view) = tokio::time::timeout(LAST_WORD, beginning).await else {
        let why = "stopped before the server answered; if it was asked, it waits until it expires";
        return Err(Not::Ended(ExitStatus::Cancelled, why.to_owned()));
    };
    let view = view?;
    wait::cancel(client, &view, progress).await;
    let why = format!("#{} was cancelled", view.number);
    Err(Not::Ended(ExitStatus::Cancelled, why))
}

/// Waits for the grant and claims it. If the request becomes pending again, it waits again. Also returns a stop signal that arrived
/// while the grant was being claimed.
async fn grant(
    client: &Client,
    mut view: RequestView,
    deadline: Option<Instant>,
    stops: &mut Stops,
    progress: &mut Progress,
) -> Result<(ExecutedView, Option<Stop>), Not> {
    // random per process, so that another process's execution is never taken for this one's
    let key = fresh_key();
    loop {
        let number = view.number;
        match wait::settle(client, view.clone(), deadline, stops, progress).await? {
            Waited::Settled(resolve_groups) => view = *resolve_groups,
            Waited::TimedOut => {
                wait::cancel(client, &view, progress).await;
                let why = format!("nobody decided on #{number} in time");
                return Err(Not::Ended(ExitStatus::TooLate, why));
            }
            Waited::Stopped(stop) => return Err(stopped(client, &view, stop, progress).await),
        }
        ungranted(&view)?;
        let (answer, stop) = take(client, &view, &key, deadline, stops).await;
        match answer {
            Ok(executed) => return Ok((executed, stop)),
            Err(CliError::Refused(problem)) => {
                view = super::show::read(client, &view.id).await?;
                if problem.code != "requirements_changed" {
                    ungranted(&view)?;
                    return Err(CliError::Refused(problem).into());
                }
                if let Some(stop) = stop {
                    return Err(stopped(client, &view, stop, progress).await);
                }
                // the next round reads the current status, which may be approved again
                progress.note(&problem.detail);
            }
            Err(trouble) => return Err(trouble.into()),
        }
    }
}

/// Stops before anything was executed: the request is cancelled, too, unless the terminal says no.
async fn stopped(client: &Client, view: &RequestView, stop: Stop, progress: &mut Progress) -> Not {
    let number = view.number;
    if !wait::wants_cancel(stop, view, progress).await {
        let why = format!("#{number} still waits; go on with `countersign run --request {number}`");
        return Not::Ended(ExitStatus::Pending, why);
    }
    wait::cancel(client, view, progress).await;
    Not::Ended(ExitStatus::Cancelled, format!("#{number} was cancelled"))
}

/// Refuses to execute a request that is not granted, with the reason.
fn ungranted(view: &RequestView) -> Result<(), Not> {
    let ending = match view.status.as_str() {
        "allowed" | "approved" | "bypassed" => return Ok(()),
        "executed" | "completed" => ExitStatus::Refused,
        other => of_status(other),
    };
    let last = view
        .decisions
        .last()
        .filter(|decision| decision.verdict == "reject");
    let why = match last {
        Some(decision) => {
            let comment = decision.comment.as_deref().unwrap_or("no comment");
            format!(
                "#{} was rejected by {}: {comment}",
                view.number, decision.approver.name
            )
        }
        None => format!("#{} is {}", view.number, view.status),
    };
    Err(Not::Ended(ending, why))
}

/// Executes; also tells whether somebody wanted to stop meanwhile, from when on the answer is awaited for a short time only.
async fn take(
    client: &Client,
    view: &RequestView,
    key: &str,
    deadline: Option<Instant>,
    stops: &mut Stops,
) -> (Result<ExecutedView, CliError>, Option<Stop>) {
    let mut answer = pin!(execute(client, view, key, deadline));
    let stop = tokio::select! {
        answer = &mut answer => return (answer, None),
        stop = stops.next() => stop,
    };
    let in_time = tokio::time::timeout(LAST_GRANT, answer).await;
    let answer = in_time.unwrap_or_else(|_| {
        let number = view.number;
        Err(CliError::NoAnswer(format!(
            "stopped before the server answered; #{number} may count as executed"
        )))
    });
    (answer, Some(stop))
}

async fn execute(
    client: &Client,
    view: &RequestView,
    key: &str,
    deadline: Option<Instant>,
) -> Result<ExecutedView, CliError> {
    let call = Call::post(
        format!("/v1/requests/{}/execute", view.id),
        &json!({"digest": view.digest}),
        key.to_owned(),
    );
    let left = deadline.map_or(RETRY_PERIOD, |deadline| {
        deadline.saturating_duration_since(Instant::now())
    });
    client.read(&call, left.max(RETRY_PERIOD)).await
}

/// The part of the approved content that says what to run.
#[derive(Deserialize)]
struct Content {
    payload: Value,
}

/// The command to run. It comes from the content whose digest was approved, and must equal the command that was requested.
fn command(executed: &ExecutedView, asked: &[String]) -> Result<Vec<String>, String> {
    let content = executed.content.get();
    let digest = Digest::of(content.as_bytes());
    if digest.as_str() != executed.digest || executed.request.digest != executed.digest {
        return Err("the server's answer does not have the approved digest".to_owned());
    }
    let content: Content = serde_json::from_str(content).map_err(|error| error.to_string())?;
    let argv: Vec<String> = content
        .payload
        .get("command")
        .and_then(|argv| serde_json::from_value(argv.clone()).ok())
        .ok_or("the request names no command; use `countersign execute` for it")?;
    if asked.is_empty() || asked == argv {
        Ok(argv)
    } else {
        Err("another command was approved than this one".to_owned())
    }
}

/// Reports the outcome; a failed report does not change the outcome.
async fn report(client: &Client, view: &RequestView, outcome: &str, message: &str) {
    let call = Call::post(
        format!("/v1/requests/{}/complete", view.id),
        &json!({"outcome": outcome, "message": message}),
        fresh_key(),
    );
    if let Err(trouble) = client.call(&call, RETRY_PERIOD).await {
        trouble.tell();
        let again = format!("countersign complete {} {outcome}", view.number);
        output::tell(&format!(
            "  the outcome is not reported; do it with `{again}`"
        ));
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
