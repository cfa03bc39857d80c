//! `countersign manifest`: prints the Slack app's manifest.

use super::error::CliError;
use super::exit_status::ExitStatus;
use super::output;
use crate::config::manifest;
use crate::config::settings::BaseUrl;

/// Arguments of `manifest`.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("door").required(true).args(["url", "socket_mode"]),
    after_help = "Examples:\n  countersign manifest --url https://countersign.example.com > manifest.yaml\n  countersign manifest --socket-mode > manifest.yaml\n\nPaste it at https://api.slack.com/apps: Create New App, From a manifest."
)]
pub struct Args {
    /// Base URL where Slack reaches the bot; /slack/events is appended
    #[arg(long, value_parser = BaseUrl::parse)]
    url: Option<BaseUrl>,
    /// For a server that Slack cannot reach: the bot opens the connection
    #[arg(long)]
    socket_mode: bool,
}

/// Runs `countersign manifest`.
pub fn main(args: &Args) -> Result<ExitStatus, CliError> {
    let text = args
        .url
        .as_ref()
        .map_or_else(manifest::over_sockets, manifest::over_http);
    output::exact(text)?;
    Ok(ExitStatus::Done)
}
