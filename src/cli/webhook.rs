//! `countersign webhook`: sends a test delivery, and switches an endpoint on again.

use super::error::CliError;
use super::exit_status::ExitStatus;
use super::token::{failed, open};
use super::{client, output, style};
use crate::app::{App, name_of_webhook};
use crate::config::settings::environment;
use crate::domain::decision::Via;
use crate::domain::document::Webhook;
use crate::domain::principal::Caller;
use crate::domain::webhook::accepted;
use crate::domain::webhook_signature::SigningKeys;
use crate::net::{Poster, Proxies, Reach};
use clap::Subcommand;
use serde_json::json;

/// Arguments of `webhook`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign webhook test deploys\n  countersign webhook test https://example.com/hooks\n  countersign webhook enable deploys\n\nThese read the database named by DATABASE_URL, and the secrets from the environment or .env."
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send one signed test delivery; exit status 1 if the endpoint does not accept it
    Test {
        /// The webhook's name or URL, as the configuration writes it
        webhook: String,
    },
    /// Switch an endpoint on again that was switched off, and send what was kept for it
    Enable {
        /// The webhook's name or URL, as the configuration writes it
        webhook: String,
    },
}

/// Runs a subcommand of `countersign webhook`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let app = open().await?;
    let done = run(&app, args.command).await;
    app.close().await;
    done
}

async fn run(app: &App, command: Command) -> Result<ExitStatus, CliError> {
    match command {
        Command::Test { webhook } => {
            let webhook = app.webhook(&webhook).await.map_err(failed)?;
            test(app, &webhook).await
        }
        Command::Enable { webhook } => {
            let webhook = app.webhook(&webhook).await.map_err(failed)?;
            let operator = Caller::operator(Via::Cli);
            let enabled = app.enable_webhook(&operator, &webhook).await;
            let name = name_of_webhook(&webhook);
            output::tell(&if enabled.map_err(failed)? {
                style::good(&format!("{name} is on again."))
            } else {
                style::plain(&format!("{name} was not switched off."))
            });
            Ok(ExitStatus::Done)
        }
    }
}

async fn test(app: &App, webhook: &Webhook) -> Result<ExitStatus, CliError> {
    let now = app.now();
    let variable = webhook.secret_env.as_str();
    let keys =
        SigningKeys::of_variable(variable, environment(variable)).map_err(CliError::Usage)?;
    let body = json!({"type": "webhook.test", "timestamp": now.rfc3339(), "data": {}}).to_string();
    let id = format!("test_{}", client::fresh_key());
    let reach = if webhook.allow_private {
        Reach::All
    } else {
        Reach::Public
    };
    let headers = keys.headers(&id, now, &body);
    let poster = Poster::new(&Proxies::from_env());
    let answer = poster.post(&webhook.url, &headers, body, reach).await;
    let outcome = match answer {
        Ok(answer) => accepted(answer.status, None, now).map_err(|failure| failure.why),
        Err(unreached) => Err(unreached.to_string()),
    };
    let name = name_of_webhook(webhook);
    match outcome {
        Ok(()) => {
            output::tell(&style::good(&format!(
                "{name} accepted the test delivery {id}."
            )));
            Ok(ExitStatus::Done)
        }
        Err(why) => {
            let text = format!("{name} did not accept the test delivery: {why}");
            output::tell(&format!("{}: {}", style::bad("error"), style::plain(&text)));
            Ok(ExitStatus::Refused)
        }
    }
}
