//! `countersign demo`: the bot with a local Slack workspace in the browser; it needs no account and no configuration.

use super::error::CliError;
use super::exit_status::ExitStatus;
use super::output;
use super::serve::{cannot_start, load};
use super::server::{self, Servers, Start};
use super::style;
use crate::app::Clock;
use crate::bot::Bot;
use crate::config::file::Source;
use crate::config::logging::{LogArgs, LogSettings};
use crate::config::setting_error::SettingErrors;
use crate::http::MetricsAddress;
use crate::sandbox::{Sandbox, Seed, Setup};
use crate::slack::inbound::signature::SigningSecrets;
use secrecy::SecretString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The configuration of the demo.
const CONFIGURATION: &str = include_str!("../../manifests/demo.yaml");

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign demo\n  countersign demo --database sqlite://demo.db\n  countersign demo --port 0 --slack-port 0"
)]
pub struct Args {
    /// Keep the data in this database instead of a temporary one
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The port of the bot's API on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The port of the workspace's page on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8090)]
    slack_port: u16,
    #[command(flatten)]
    log: LogArgs,
}

/// Runs the demo until it is stopped.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let log = LogSettings::read(&args.log)
        .map_err(|complaints| CliError::Usage(SettingErrors(complaints).to_string()))?;
    log.start().map_err(cannot_start)?;
    let (database_url, _temporary) = database(&args)?;
    // both sides share new secrets in each run, so that nothing can be replayed into another run
    let (signing_secret, bot_token) = (secret(""), secret("xoxb-sandbox-"));
    let clock = Clock::System;
    let sandbox = Sandbox::start(Setup {
        listen: local(args.slack_port),
        seed: Seed::example(),
        bot_url: None,
        signing_secret: signing_secret.clone(),
        bot_token: bot_token.clone(),
        app_token: None,
        clock: Arc::new(move || clock.now().0),
    })
    .await
    .map_err(|error| taken("--slack-port", args.slack_port, &error))?;
    let bot = server::bot(Start {
        database_url: &database_url,
        bot_token,
        slack_api_url: sandbox.api_url(),
        signing_secrets: Some(SigningSecrets::new(vec![signing_secret]).map_err(cannot_start)?),
        app_token: None,
        app_id: None,
        metrics_at: MetricsAddress::Public,
    })
    .await
    .map_err(|error| match &args.database {
        Some(_) => cannot_start(format!(
            "{error}; --database names it, for example sqlite://demo.db"
        )),
        None => cannot_start(error),
    })?;
    let source = Source::read("demo.yaml", CONFIGURATION)
        .map_err(|faults| CliError::Usage(faults.to_string()))?;
    load(&bot, source, Path::new("demo.yaml")).await?;
    let servers = Servers::new();
    let address = servers
        .serve(local(args.port), bot.router())
        .await
        .map_err(|error| taken("--port", args.port, &error))?;
    sandbox.set_bot_url(&format!("http://{address}"));
    // the workspace is empty at each start, but the database may hold pending requests
    bot.workers.post_anew().await.map_err(cannot_start)?;
    bot.start_work();
    bot.learn_installation().await.map_err(cannot_start)?;
    let told = tell(sandbox.url(), address, &args, &database_url);
    let stopped = match told {
        Ok(()) => server::told_to_stop().await.map_err(cannot_start),
        unread => unread,
    };
    stop(&servers, &bot, &sandbox).await;
    stopped.map(|()| ExitStatus::Done)
}

async fn stop(servers: &Servers, bot: &Bot, sandbox: &Sandbox) {
    bot.app.end_waits();
    servers.stop().await;
    bot.stop().await;
    sandbox.stop().await;
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn taken(flag: &str, port: u16, error: &std::io::Error) -> CliError {
    CliError::Usage(format!(
        "cannot listen on 127.0.0.1:{port}: {error}; choose another port with {flag}"
    ))
}

fn secret(prefix: &str) -> SecretString {
    format!("{prefix}{}", uuid::Uuid::new_v4().simple()).into()
}

/// A temporary folder that is removed when the demo ends, whatever the reason.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // the system empties the temporary folder
    }
}

/// The database, and the temporary folder to remove afterwards.
fn database(args: &Args) -> Result<(String, Option<Temporary>), CliError> {
    if let Some(named) = &args.database {
        return Ok((named.clone(), None));
    }
    let folder = std::env::temp_dir().join(format!(
        "countersign-demo-{}",
        uuid::Uuid::new_v4().simple()
    ));
    std::fs::create_dir(&folder).map_err(cannot_start)?;
    let url = format!("sqlite://{}", folder.join("demo.db").display());
    Ok((url, Some(Temporary(folder))))
}

/// How this program was called, so that the printed commands can be copied.
fn program() -> String {
    let called = std::env::args().next();
    called.unwrap_or_else(|| "countersign".to_owned())
}

fn tell(page: &str, api: SocketAddr, args: &Args, database_url: &str) -> Result<(), CliError> {
    let ends = if args.database.is_some() {
        "; the data stays."
    } else {
        " and throws the data away."
    };
    let ask = "/approval request release.deploy project=api-platform env=production release=v1.4.2 reason=\"hotfix for checkout\"";
    let explain = "/approval explain release.deploy project=api-platform env=production";
    output::line(&format!("{} is running. Open {} in your browser.

Three things to try there (the page helps with each):
  1. As Alice, ask for a release to production:
     {}
  2. In #prod-approvals, approve it as Bob; try to as Mallory, who may not; then as Carol, who completes it.
  3. Ask who would have to approve something, without asking them:
     {}

The API listens on {}. For a token, in another terminal:
  DATABASE_URL={database_url} {} token create --name try --user alice --scopes requests:read,requests:write

Ctrl-C ends it{ends}",
        style::strong("Countersign"),
        style::good(page),
        style::strong(ask),
        style::strong(explain),
        style::good(&format!("http://{api}")),
        program()))
}
