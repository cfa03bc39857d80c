//! `countersign serve`: runs the bot.

use super::error::CliError;
use super::exit_status::ExitStatus;
use super::server::{self, Servers};
use crate::app::{AppError, Changed, Clock};
use crate::bot::{Bot, CannotStart, Parts};
use crate::config::file::Source;
use crate::config::file_error::ConfigFileErrors;
use crate::config::settings::{ServeArgs, Settings, environment};
use crate::domain::refusal::Refusal;
use crate::http::MetricsAddress;
use crate::slack::inbound::signature::SigningSecrets;
use secrecy::ExposeSecret;
use std::path::Path;
use std::sync::Arc;

/// Serves until it receives a stop signal.
pub async fn main(args: ServeArgs) -> Result<ExitStatus, CliError> {
    let settings = Settings::read(&args, environment)
        .map_err(|complaints| CliError::Usage(complaints.to_string()))?;
    settings.log.start().map_err(cannot_start)?;
    let source = settings
        .config
        .as_deref()
        .map(Source::open)
        .transpose()
        .map_err(|faults| usage(&faults))?;
    let parts = Parts {
        clock: Clock::System,
        bot_token: settings.slack.bot_token.clone(),
        slack_api_url: settings
            .slack
            .api_url
            .at("")
            .trim_end_matches('/')
            .to_owned(),
        signing_secrets: signing_secrets(&settings)?,
        variables: Arc::new(environment),
        app_token: settings.slack.app_token.clone(),
        app_id: settings.slack.app_id.clone(),
        metrics: server::metrics().map_err(cannot_start)?,
        metrics_at: if settings.admin_listen.is_some() {
            MetricsAddress::Elsewhere
        } else {
            MetricsAddress::Public
        },
    };
    let bot = server::bot(settings.database_url.expose_secret(), parts)
        .await
        .map_err(cannot_start)?;
    if let Some(public) = &settings.public_url {
        bot.app.serve_pages_at(&public.to_string());
    }
    if let (Some(source), Some(path)) = (source, &settings.config) {
        load(&bot, source, path).await?;
    }
    bot.check_sockets().await.map_err(cannot_start)?;
    bot.recall_installation()
        .await
        .map_err(|error| cannot_start(CannotStart::App(error)))?;
    let servers = Servers::new();
    let address = servers
        .serve(settings.listen, bot.router())
        .await
        .map_err(|error| busy(&settings, &error))?;
    if let Some(admin) = settings.admin_listen {
        servers
            .serve_admin(admin, bot.admin_router())
            .await
            .map_err(|error| busy(&settings, &error))?;
    }
    bot.start_work();
    tracing::info!(%address, "serving");
    bot.learn_installation()
        .await
        .map_err(|error| cannot_start(CannotStart::App(error)))?;
    bot.open_sockets();
    server::told_to_stop().await.map_err(cannot_start)?;
    tracing::info!("stopping, finishing calls in flight");
    bot.app.end_waits();
    servers.stop().await;
    bot.stop().await;
    Ok(ExitStatus::Done)
}

/// The signing secrets; none if Slack sends through Socket Mode only.
fn signing_secrets(settings: &Settings) -> Result<Option<SigningSecrets>, CliError> {
    let secrets = settings.slack.signing_secrets.clone();
    if secrets.is_empty() && settings.slack.app_token.is_some() {
        return Ok(None);
    }
    SigningSecrets::new(secrets).map(Some).map_err(cannot_start)
}

/// Loads the file into an empty store, or applies it once; config errors are reported with their lines.
pub(super) async fn load(bot: &Bot, source: Source, path: &Path) -> Result<(), CliError> {
    let file = path.display().to_string();
    match bot.app.load_file(source.document().clone(), &file).await {
        Ok(Changed::Applied(config)) => {
            tracing::info!(file, version = config.version, "configuration loaded");
        }
        Ok(Changed::Unchanged(config)) => tracing::info!(
            file,
            version = config.version,
            "configuration file already applied"
        ),
        Ok(Changed::Requested(shown)) => {
            tracing::info!(
                file,
                request = shown.request.number,
                "configuration file waits for approval"
            );
        }
        Err(AppError::Refused(Refusal::Invalid(problems))) => {
            return Err(usage(&source.locate(&problems)));
        }
        Err(error) => return Err(cannot_start(error)),
    }
    Ok(())
}

fn usage(faults: &ConfigFileErrors) -> CliError {
    CliError::Usage(faults.to_string())
}

fn busy(settings: &Settings, error: &std::io::Error) -> CliError {
    CliError::Usage(format!(
        "cannot listen on {}: {error}; set COUNTERSIGN_LISTEN to another address",
        settings.listen
    ))
}

/// Turns what prevents the start into an error message.
pub(super) fn cannot_start(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(format!("Countersign cannot start: {error}"))
}
