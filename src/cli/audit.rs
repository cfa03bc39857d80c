//! `countersign audit`: reads and verifies the audit log, directly in the database.

use super::error::CliError;
use super::exit_status::ExitStatus;
use super::token::{failed, open};
use super::{output, style};
use crate::app::{App, AppError, AuditLine, Verified};
use clap::Subcommand;
use serde_json::Value;

/// Audit rows per query.
const BATCH_SIZE: u32 = 1_000;

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign audit verify\n  countersign audit show\n  countersign audit export > audit.jsonl\n\nThese open the database named by DATABASE_URL, also while `countersign serve` runs."
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify the whole chain; exit 1 if a row does not match
    Verify,
    /// Print every sealed row as JSON Lines; exit 1 if a row does not match
    Export,
    /// Print the latest events; exit 1 if a row of the log does not match
    Show {
        /// Number of events
        #[arg(long, short = 'n', default_value_t = 20)]
        last: u32,
    },
}

/// Runs a subcommand of `countersign audit`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let app = open().await?;
    let done = match args.command {
        Command::Verify => verify(&app).await,
        Command::Export => export(&app).await,
        Command::Show { last } => show(&app, last).await,
    };
    app.close().await;
    done
}

async fn verify(app: &App) -> Result<ExitStatus, CliError> {
    let found = app.verify_audit().await.map_err(failed)?;
    if let Some(ending) = broken(&found) {
        return Ok(ending);
    }
    output::line(&format!(
        "{} {} rows, and {} that wait for their seal.",
        style::good("unbroken:"),
        found.sealed,
        found.unsealed
    ))?;
    Ok(ExitStatus::Done)
}

/// Reports the changed row, if any, on standard error. The exit status reports it too, for scripts that read nothing else.
fn broken(found: &Verified) -> Option<ExitStatus> {
    let (place, id) = found.broken_at.as_ref()?;
    output::tell(&format!(
        "{} row {place} ({id}) does not fit; the {} rows before it do. Row {place} or the chain was changed after it had been sealed: \
         do not trust this row or anything after it, and compare the log with a back-up.",
        style::bad("broken:"),
        found.sealed
    ));
    Some(ExitStatus::Refused)
}

/// Prints every row, even of a log that was changed: the rows are evidence.
async fn export(app: &App) -> Result<ExitStatus, CliError> {
    let found = app.verify_audit().await.map_err(failed)?;
    let mut after = 0;
    loop {
        let lines = app.audit(after, BATCH_SIZE).await.map_err(failed)?;
        let Some(last) = lines.last() else {
            return Ok(broken(&found).unwrap_or(ExitStatus::Done));
        };
        after = last.seal;
        let mut text = Vec::new();
        for line in &lines {
            serde_json::to_writer(&mut text, line)
                .map_err(|error| failed(AppError::Internal(error.to_string())))?;
            text.push(b'\n');
        }
        output::exact(text)?;
    }
}

async fn show(app: &App, last: u32) -> Result<ExitStatus, CliError> {
    let found = app.verify_audit().await.map_err(failed)?;
    let broken_at = found
        .broken_at
        .as_ref()
        .map_or(i64::MAX, |(place, _)| *place);
    let end = app.last_sealed().await.map_err(failed)?;
    let from = end.saturating_sub(i64::from(last)).max(0);
    for line in app.audit(from, last).await.map_err(failed)? {
        let mark = if line.seal >= broken_at {
            style::bad("UNVERIFIED ")
        } else {
            String::new()
        };
        output::line(&format!("{mark}{}", text(&line)))?;
    }
    Ok(broken(&found).unwrap_or(ExitStatus::Done))
}

/// One event as text; a break-glass event is marked by a word and a colour.
fn text(line: &AuditLine) -> String {
    let part = |key: &str| line.event[key].as_str().unwrap_or("-").to_owned();
    let event = part("event");
    let mark = match (&line.event["prominent"], event.as_str()) {
        (Value::Bool(true), "operator.recovered") => style::bad("RECOVERY "),
        (Value::Bool(true), _) => style::bad("BREAK-GLASS "),
        _ => String::new(),
    };
    format!(
        "{}  {mark}{}  {}  {}",
        style::dim(&part("at")),
        style::strong(&event),
        style::plain(&part("actor")),
        part("request")
    )
}
