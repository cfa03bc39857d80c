//! `countersign manifest`: the Slack app's manifest.

use super::ending::Ending;
use crate::config::manifest;
use crate::config::settings::BaseUrl;

/// Arguments of `manifest`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  countersign manifest --url https://countersign.example.com > manifest.yaml\n\nPaste it at https://api.slack.com/apps: Create New App, From a manifest."
)]
pub struct Args {
    /// Where Slack reaches the bot; /slack/events is added
    #[arg(long, value_parser = BaseUrl::parse)]
    url: BaseUrl,
}

/// Prints the manifest.
pub fn main(args: &Args) -> Ending {
    print!("{}", manifest::over_http(&args.url));
    Ending::Done
}
