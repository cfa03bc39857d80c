//! `countersign apply`: replaces the stored configuration by that of a file, through the API, and prints the difference first.

use super::client::{Call, Client, RETRY_PERIOD};
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::progress::headline;
use super::{output, style};
use crate::config::client::ClientArgs;
use crate::config::file::Source;
use crate::domain::compiled_config::ConfigError;
use crate::domain::conditions;
use crate::domain::diff::{Change, Difference, Line, diff};
use crate::domain::document::{ConfigDocument, PolicyTemplate};
use crate::http::problem::Problem;
use crate::http::view::RequestView;
use axum::http::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Arguments of `apply`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign apply -f countersign.yaml --dry-run\n  countersign apply -f countersign.yaml --reason 'new team for billing'\n  countersign apply -f countersign.yaml --json | jq -r .outcome\n\nExit status: 0 it holds now, or nothing differs; 7 it has become a request that waits for its approvers."
)]
pub struct Args {
    /// The configuration file
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    /// Show the difference without applying it
    #[arg(long)]
    dry_run: bool,
    /// Reason, for the people who decide
    #[arg(long)]
    reason: Option<String>,
    /// Print the difference and the outcome as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ClientArgs,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// `unchanged`, `dry-run`, `applied` or `requested`.
    outcome: &'static str,
    changes: &'a [Line],
    weakens: &'a [String],
    /// The request that the change became, where a policy gates it.
    request: Option<&'a RequestView>,
}

/// Runs `countersign apply`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let client = Client::open(&args.server)?;
    let source = Source::open(&args.file).map_err(|faults| CliError::Usage(faults.to_string()))?;
    // compiled here first, so that config errors have their lines and are reported before the server is called, also in a dry run
    if let Err(faults) = source.compile(0, &BTreeMap::new()) {
        return Err(CliError::Usage(faults.to_string()));
    }
    let stored = client.call(&Call::get("/v1/config"), RETRY_PERIOD).await?;
    let before: ConfigDocument = serde_json::from_slice(&stored.body).map_err(|error| {
        CliError::NoAnswer(format!("the stored configuration is unreadable: {error}"))
    })?;
    let difference = diff(&before, source.document());
    let report = |outcome, request| {
        let Difference { lines, weakens, .. } = &difference;
        let report = Report {
            outcome,
            changes: lines,
            weakens,
            request,
        };
        if args.json {
            super::show::print_json(&report)?;
        }
        Ok::<_, CliError>(())
    };
    if difference.lines.is_empty() {
        output::tell("Nothing differs.");
        report("unchanged", None)?;
        return Ok(ExitStatus::Done);
    }
    if !args.json {
        output::text(&text(&difference))?;
        output::text(&weeks(&before, source.document()))?;
    }
    if args.dry_run {
        report("dry-run", None)?;
        return Ok(ExitStatus::Done);
    }
    let version = stored.etag.ok_or_else(|| {
        CliError::NoAnswer("the configuration came without its version".to_owned())
    })?;
    let call = change(source.document(), version, args.reason.as_deref())?;
    let answer = match client.call(&call, RETRY_PERIOD).await {
        Err(CliError::Refused(problem)) => return Err(located(&source, problem)),
        other => other?,
    };
    if answer.status != StatusCode::ACCEPTED {
        output::tell(&style::good("It holds now."));
        report("applied", None)?;
        return Ok(ExitStatus::Done);
    }
    let view: RequestView = serde_json::from_slice(&answer.body)
        .map_err(|error| CliError::NoAnswer(format!("the answer is unreadable: {error}")))?;
    output::tell(&format!("It needs approvals: {}", headline(&view)));
    if !args.json {
        output::exact(format!("{}\n", view.id))?;
    }
    report("requested", Some(&view))?;
    Ok(ExitStatus::Pending)
}

fn change(
    document: &ConfigDocument,
    version: String,
    reason: Option<&str>,
) -> Result<Call, CliError> {
    let unsent =
        |error: &dyn std::fmt::Display| CliError::Usage(format!("this cannot be sent: {error}"));
    let body = serde_json::to_string(document).map_err(|error| unsent(&error))?;
    let query = match reason {
        None => String::new(),
        Some(reason) => {
            let pair = serde_urlencoded::to_string([("reason", reason)]);
            format!("?{}", pair.map_err(|error| unsent(&error))?)
        }
    };
    Ok(Call::put(format!("/v1/config{query}"), body, version))
}

/// The config errors that the server found, with the lines of the file.
fn located(source: &Source, problem: Problem) -> CliError {
    if problem.problems.is_empty() {
        return CliError::Refused(problem);
    }
    let flaws: Vec<ConfigError> = problem
        .problems
        .iter()
        .map(|wrong| ConfigError {
            path: wrong.path.clone(),
            message: wrong.message.clone(),
        })
        .collect();
    CliError::Usage(source.locate(&flaws).to_string())
}

/// The difference in colours, followed by what it weakens.
pub(super) fn text(difference: &Difference) -> String {
    let mut lines = Vec::new();
    for line in &difference.lines {
        let plain = style::plain(&format!("{} {}", line.change.sign(), line.text));
        lines.push(match line.change {
            Change::Added => style::good(&plain),
            Change::Removed => style::bad(&plain),
            Change::Changed => style::waiting(&plain),
        });
    }
    for sentence in &difference.weakens {
        let weaker = style::bad("weaker");
        lines.push(format!("{weaker}: {}", style::plain(sentence)));
    }
    lines.join("\n") + "\n"
}

/// The week of each policy whose hours are new or have changed.
fn weeks(before: &ConfigDocument, after: &ConfigDocument) -> String {
    let same = |policy: &&PolicyTemplate| {
        let old = before.policies.iter().find(|old| old.id == policy.id);
        old.is_some_and(|old| old.conditions == policy.conditions)
    };
    let timed = |policy: &&PolicyTemplate| conditions::is_timed(&policy.conditions);
    let mut lines = Vec::new();
    for policy in after.policies.iter().filter(timed).filter(|p| !same(p)) {
        let name = style::strong(&style::plain(&policy.name));
        lines.push(format!("{name} gates in these hours:\n"));
        let week = conditions::week_picture(&policy.conditions);
        lines.extend(
            week.lines()
                .map(|line| format!("  {}\n", style::plain(line))),
        );
    }
    lines.concat()
}
