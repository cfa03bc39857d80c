//! `countersign doctor`: checks the installation and suggests fixes.

mod email;
mod named;
mod report;
mod server;
mod web;
mod workspace;

use super::error::CliError;
use super::exit_status::ExitStatus;
use super::output;
use super::token::failed;
use crate::app::{App, Clock};
use crate::config::file::Source;
use crate::config::settings::{ServeArgs, Settings, database_url, environment};
use crate::domain::document::ConfigDocument;
use crate::store::Db;
use named::Named;
use report::{Mark, Report};
use secrecy::ExposeSecret;
use std::path::Path;
use std::time::Duration;

/// The clock difference, in milliseconds, above which the report warns.
const APART: u64 = 1_000;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign doctor\n  countersign doctor --retry\n  countersign doctor --json\n\nIt reads what `countersign serve` reads: the environment, .env, and the database. If a server runs at the address of COUNTERSIGN_LISTEN, its /readyz is reported as well. Exit status 1: something does not work."
)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Retry everything that is undeliverable now
    #[arg(long)]
    retry: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

/// Runs `countersign doctor`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let mut report = Report::default();
    let settings = match Settings::read(&args.serve, environment) {
        Ok(settings) => {
            report.ok("environment", "complete");
            Some(settings)
        }
        Err(errors) => {
            for error in errors.0 {
                let found = format!("{} {}", error.variable, error.message);
                report.problem("environment", found, "see .env.example");
            }
            None
        }
    };
    let app = open(&mut report).await;
    let mut named = Named::default();
    if let Some(app) = &app {
        if let Some(document) = configuration(&mut report, app, args.serve.config.as_deref()).await
        {
            named = Named::of(&document);
            email::examine(&mut report, &document).await;
            let has_address = settings
                .as_ref()
                .is_some_and(|one| one.public_url.is_some());
            web::examine(&mut report, &document, has_address);
        }
        database_clock(&mut report, app).await;
        undelivered(&mut report, app, args.retry)
            .await
            .map_err(failed)?;
    }
    if let Some(settings) = &settings {
        server::examine(&mut report, settings.listen).await;
        workspace::examine(&mut report, &settings.slack, &Clock::System, &named).await;
    }
    if let Some(app) = app {
        app.close().await;
    }
    if args.json {
        output::exact(format!("{:#}\n", report.json()))?;
    } else {
        output::text(&report.text())?;
    }
    Ok(match report.worst() {
        Mark::Problem => ExitStatus::Refused,
        Mark::Ok | Mark::Warning => ExitStatus::Done,
    })
}

/// Opens the database as `serve` does: it migrates the database, and refuses one that could lose decisions.
async fn open(report: &mut Report) -> Option<App> {
    const AREA: &str = "database";
    let hint = "set DATABASE_URL to a file (sqlite://countersign.db) or a server (postgres://USER:PASSWORD@HOST/NAME) that works";
    let Ok(url) = database_url(environment) else {
        return None; // reported with the environment
    };
    let db = match Db::open(url.expose_secret()).await {
        Ok(db) => db,
        Err(error) => {
            report.problem(AREA, error.to_string(), hint);
            return None;
        }
    };
    let kind = if db.has_replicas() {
        "Postgres"
    } else {
        "SQLite"
    };
    let open_files = db.files_open_to_others();
    match App::start(db, Clock::System).await {
        Ok(app) => {
            writable(report, &app, kind).await;
            for file in open_files {
                let hint = format!("chmod 600 {}", file.display());
                report.warning(
                    AREA,
                    format!("{} can be read by other users", file.display()),
                    hint,
                );
            }
            unreadable_rows(report, &app).await;
            Some(app)
        }
        Err(error) => {
            report.problem(AREA, error.to_string(), hint);
            None
        }
    }
}

/// Checks that a commit succeeds, as `/readyz` does.
async fn writable(report: &mut Report, app: &App, kind: &str) {
    const AREA: &str = "database";
    match app.prove_writable().await {
        Ok(()) => report.ok(
            AREA,
            format!("{kind}, migrated, and keeps what it acknowledges"),
        ),
        Err(why) => report.problem(AREA, why, "see the database server's log"),
    }
}

/// Reports rows that a newer release has written, or that are damaged.
async fn unreadable_rows(report: &mut Report, app: &App) {
    const AREA: &str = "rows";
    if let Err(error) = app.look_through_rows().await {
        report.problem(AREA, error.to_string(), "see the database server's log");
    }
    for aside in app.unreadable_rows() {
        let found = format!(
            "{} of {} cannot be read by this release: {}",
            aside.rows, aside.table, aside.first
        );
        report.warning(
            AREA,
            found,
            "start the newer release again, or restore the row",
        );
    }
}

/// Checks the configuration in force; before the first start, the one that would be loaded.
async fn configuration(
    report: &mut Report,
    app: &App,
    file: Option<&Path>,
) -> Option<ConfigDocument> {
    const AREA: &str = "configuration";
    match app.config().await {
        Ok(config) if config.version > 0 => {
            report.ok(AREA, format!("version {} is stored", config.version));
            return Some(config.document);
        }
        Ok(_) => {}
        Err(error) => {
            report.problem(
                AREA,
                error.to_string(),
                "see the log of `countersign serve`",
            );
            return None;
        }
    }
    let Some(file) = file.filter(|path| !path.as_os_str().is_empty()) else {
        report.problem(
            AREA,
            "none is stored",
            "write one (`countersign init` begins it) and start with it: countersign serve --config countersign.yaml",
        );
        return None;
    };
    let source = Source::open(file);
    match source.and_then(|source| {
        source
            .compile(0, &std::collections::BTreeMap::new())
            .map(|_| source)
    }) {
        Ok(source) => {
            report.ok(
                AREA,
                format!("{} is well-formed, and not loaded yet", file.display()),
            );
            Some(source.into_document())
        }
        Err(faults) => {
            for fault in faults.0 {
                report.problem(AREA, fault.to_string(), "fix the file");
            }
            None
        }
    }
}

async fn database_clock(report: &mut Report, app: &App) {
    const AREA: &str = "clock";
    match app.ahead_of_database().await {
        Ok(None) => {}
        Ok(Some(ahead)) if ahead.0.unsigned_abs() <= APART => {
            report.ok(AREA, "agrees with the database server's");
        }
        Ok(Some(ahead)) => {
            let away = Duration::from_millis(ahead.0.unsigned_abs()).as_secs_f64();
            let side = if ahead.0 > 0 { "ahead of" } else { "behind" };
            let found = format!("{away:.1} s {side} the database server's");
            report.warning(AREA, found, "let NTP set the clocks of both machines");
        }
        Err(error) => report.problem(AREA, error.to_string(), "see the database server's log"),
    }
}

/// Reports messages and cards that could not be delivered.
async fn undelivered(
    report: &mut Report,
    app: &App,
    retry: bool,
) -> Result<(), crate::app::AppError> {
    const AREA: &str = "undelivered";
    let left = app.undelivered().await?;
    let hint = "fix the cause, then: countersign doctor --retry";
    for card in &left.cards {
        let found = format!(
            "the card of #{} in {}: {}",
            card.number, card.channel, card.trouble
        );
        report.warning(AREA, found, hint);
    }
    for message in &left.messages {
        let what = match message.lane {
            0 => "an alert",
            3 => "a webhook",
            4 => "an e-mail",
            _ => "a direct message",
        };
        let found = format!(
            "{what} of {}: {}",
            message.made_at.rfc3339(),
            message.trouble
        );
        report.warning(AREA, found, hint);
    }
    if left.cards.is_empty() && left.messages.is_empty() {
        report.ok(
            AREA,
            "nothing: every card and message has arrived or is on its way",
        );
    } else if retry {
        let due = app.retry_undelivered().await?;
        report.ok(
            AREA,
            format!("{due} due again now; a running `countersign serve` sends them"),
        );
    }
    Ok(())
}
