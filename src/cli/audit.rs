//! `countersign audit`: the log, read and checked at the database.

use super::error::CliError;
use super::exit_status::ExitStatus;
use super::token::{open, told};
use super::{output, style};
use crate::app::{App, AppError, AuditLine, Verified};
use clap::Subcommand;
use serde_json::Value;

/// Lines that are read at once.
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
    /// Check the whole chain; exit 1 where a row does not fit
    Verify,
    /// Print every sealed row as JSON Lines; exit 1 where a row does not fit
    Export,
    /// Print the latest events; exit 1 where a row of the log does not fit
    Show {
        /// How many
        #[arg(long, short = 'n', default_value_t = 20)]
        last: u32,
    },
}

/// Carries out a command.
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
    let found = app.verify_audit().await.map_err(told)?;
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

/// Says on standard error which row was changed, if one was. Whoever reads only the exit status learns of it, too.
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

/// Prints every row, also those of a log that was changed: they are evidence.
async fn export(app: &App) -> Result<ExitStatus, CliError> {
    let found = app.verify_audit().await.map_err(told)?;
    let mut after = 0;
    loop {
        let lines = app.audit(after, BATCH_SIZE).await.map_err(told)?;
        let Some(last) = lines.last() else {
            return Ok(broken(&found).unwrap_or(ExitStatus::Done));
        };
        after = last.seal;
        let mut text = Vec::new();
        for line in &lines {
            serde_json::to_writer(&mut text, line)
                .map_err(|error| told(AppError::Internal(error.to_string())))?;
            text.push(b'\n');
        }
        output::exact(text)?;
    }
}

async fn show(app: &App, last: u32) -> Result<ExitStatus, CliError> {
    let found = app.verify_audit().await.map_err(told)?;
    let broken_at = found
        .broken_at
        .as_ref()
        .map_or(i64::MAX, |(place, _)| *place);
    let end = app.last_sealed().await.map_err(told)?;
    let from = end.saturating_sub(i64::from(last)).max(0);
    for line in app.audit(from, last).await.map_err(told)? {
        let mark = if line.seal >= broken_at {
            style::bad("UNVERIFIED ")
        } else {
            String::new()
        };
        output::line(&format!("{mark}{}", text(&line)))?;
    }
    Ok(broken(&found).unwrap_or(ExitStatus::Done))
}

/// One event for people; a break-glass event is marked in words and colour.
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
