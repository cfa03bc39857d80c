//! `countersign demo`: the bot with a local Slack workspace in the browser; it needs no account and no configuration.

mod clock;
mod history;
mod host;
mod story;
mod tales;

use self::clock::DemoClock;
use self::host::{Host, WEBHOOK_SECRET};
use super::error::CliError;
use super::exit_status::ExitStatus;
use super::output;
use super::serve::{cannot_start, load};
use super::server;
use super::style;
use crate::app::Clock;
use crate::bot::Bot;
use crate::config::file::Source;
use crate::config::logging::{LogArgs, LogSettings};
use crate::config::setting_error::SettingErrors;
use crate::domain::time::Timestamp;
use crate::sandbox::{Sandbox, Seed, Setup};
use secrecy::SecretString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The configuration of the company with a history, and of the empty workspace.
const COMPANY: (&str, &str) = (
    "demo-company.yaml",
    include_str!("../../../manifests/demo-company.yaml"),
);
const EMPTY: (&str, &str) = ("demo.yaml", include_str!("../../../manifests/demo.yaml"));

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign demo\n  countersign demo --empty\n  countersign demo --database sqlite://demo.db\n  countersign demo --port 0 --slack-port 0"
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
    /// Start with an empty workspace of six people, without the two weeks of history
    #[arg(long)]
    empty: bool,
    #[command(flatten)]
    log: LogArgs,
}

/// Runs the demo until it is stopped.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let log = LogSettings::read(&args.log)
        .map_err(|complaints| CliError::Usage(SettingErrors(complaints).to_string()))?;
    log.start().map_err(cannot_start)?;
    let (database_url, _temporary) = database(&args)?;
    let now = Clock::System.now();
    let host = host(&args, database_url.clone(), now).await?;
    let bot = host.bot().await.map_err(|error| advise(error, &args))?;
    let is_new = bot.app.config().await.map_err(cannot_start)?.version == 0;
    Box::pin(fill(&host, &bot, &args, is_new.then_some(now))).await?;
    let ticking = tokio::spawn(host.clock.clone().run());
    if !is_new {
        // the workspace is empty at each start, but the database may hold pending requests
        bot.workers.post_anew().await.map_err(cannot_start)?;
    }
    let orders = host.sandbox.orders();
    let running = host.run(bot, local(args.port)).await?;
    tell(host.sandbox.url(), running.address, &args, &database_url)?;
    let ended = host.follow(running, orders).await;
    host.sandbox.stop().await;
    ticking.abort();
    ended.map(|()| ExitStatus::Done)
}

/// Starts the workspace. Both sides share new secrets in each run, so that nothing can be replayed into another run.
async fn host(args: &Args, database_url: String, now: Timestamp) -> Result<Host, CliError> {
    let (signing_secret, bot_token) = (secret(""), secret("xoxb-sandbox-"));
    let start = if args.empty {
        now
    } else {
        history::beginning(now)
    };
    let demo_clock = DemoClock::standing_at(start);
    let clock = demo_clock.clock.clone();
    let seed = if args.empty {
        Seed::example()
    } else {
        Seed::company()
    };
    let sandbox = Sandbox::start(Setup {
        listen: local(args.slack_port),
        seed,
        bot_url: None,
        signing_secret: signing_secret.clone(),
        bot_token: bot_token.clone(),
        app_token: None,
        clock: Arc::new(move || clock.now().0),
    })
    .await
    .map_err(|error| taken("--slack-port", args.slack_port, &error))?;
    Ok(Host {
        database_url,
        sandbox,
        clock: demo_clock,
        signing_secret,
        bot_token,
        metrics: server::metrics().map_err(cannot_start)?,
    })
}

/// Loads the configuration, and makes the history in a new database; then the clock shows the present.
async fn fill(
    host: &Host,
    bot: &Bot,
    args: &Args,
    new_at: Option<Timestamp>,
) -> Result<(), CliError> {
    let (name, text) = if args.empty { EMPTY } else { COMPANY };
    let text = format!("{text}\n{}", outside(host, bot, args).await?);
    let source = Source::read(name, &text).map_err(|faults| CliError::Usage(faults.to_string()))?;
    if new_at.is_none() {
        host.clock.catch_up(&bot.app).await.map_err(cannot_start)?;
    }
    load(bot, source, Path::new(name)).await?;
    if let Some(now) = new_at.filter(|_| !args.empty) {
        bot.learn_installation().await.map_err(cannot_start)?;
        let played = Box::pin(history::play(bot, &host.clock, now)).await;
        played.map_err(cannot_start)?;
    }
    host.clock.catch_up(&bot.app).await.map_err(cannot_start)
}

/// Starts the workspace's mail server; returns the part of the configuration that names it, and the receiver of webhooks. A kept database
/// knows their addresses, so that the configuration is the same at each start.
async fn outside(host: &Host, bot: &Bot, args: &Args) -> Result<String, CliError> {
    let stored = bot.app.config().await.map_err(cannot_start)?.document;
    let stored_mail = stored.email.as_ref().and_then(|email| port_of(&email.smtp));
    let stored_hooks = stored.webhooks.first().and_then(|hook| port_of(&hook.url));
    let above = |more: u16| {
        args.slack_port
            .checked_add(more)
            .filter(|_| args.slack_port > 0)
    };
    let mail = stored_mail.or(above(1)).unwrap_or(0);
    let mail = host.sandbox.serve_mail(mail).await.map_err(cannot_start)?;
    let hooks = stored_hooks.or(above(2)).unwrap_or(0);
    let hooks = host
        .sandbox
        .serve_hooks(hooks)
        .await
        .map_err(cannot_start)?;
    Ok(format!(
        "email: {{smtp: 'smtp://{mail}', from: 'Countersign <countersign@example.com>'}}
webhooks:
  - {{url: '{hooks}', name: demo, secretEnv: {WEBHOOK_SECRET}, allowPrivate: true,
     events: [request.decided, break_glass.started]}}
"
    ))
}

/// The port in `smtp://127.0.0.1:8091` or `http://127.0.0.1:8092/hooks`.
fn port_of(address: &str) -> Option<u16> {
    let (_, port) = address.rsplit_once(':')?;
    port.split('/').next()?.parse().ok()
}

fn advise(error: CliError, args: &Args) -> CliError {
    match (error, &args.database) {
        (CliError::Usage(text), Some(_)) => CliError::Usage(format!(
            "{text}; --database names it, for example sqlite://demo.db"
        )),
        (error, _) => error,
    }
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
    let name = format!("countersign-demo-{}", uuid::Uuid::new_v4().simple());
    let folder = create(&name).map_err(cannot_start)?;
    let url = format!("sqlite://{}", folder.join("demo.db").display());
    Ok((url, Some(Temporary(folder))))
}

/// Creates a folder for data that nobody keeps. If nobody has chosen a place for temporary files, it is in memory where the system
/// offers that: on a disk, half of the start is spent on making commits durable.
fn create(name: &str) -> std::io::Result<PathBuf> {
    let temporary = std::env::temp_dir();
    let in_memory = Path::new("/dev/shm").join(name);
    if temporary == Path::new("/tmp") && std::fs::create_dir(&in_memory).is_ok() {
        return Ok(in_memory);
    }
    let folder = temporary.join(name);
    std::fs::create_dir(&folder).map(|()| folder)
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
    let company = if args.empty {
        "It is empty"
    } else {
        "It has two weeks of history"
    };
    let ask = "/approval request release.deploy project=api-platform env=production release=v1.4.2 reason=\"hotfix for checkout\"";
    let explain = "/approval explain release.deploy project=api-platform env=production";
    output::line(&format!("{} is running. Open {} in your browser.
{company}, and you can act as anybody in it.

Three things to try there (the page helps with each):
  1. As Alice, ask for a release to production:
     {}
  2. In #prod-approvals, approve it as Bob; try to as Mallory, who may not; then as Carol, who completes it.
  3. Ask who would have to approve something, without asking them:
     {}

The web pages are at {}; a link on each card opens its page, signed in as whoever you are.

The API listens on {}. For a token, in another terminal:
  DATABASE_URL={database_url} {} token create --name try --user alice --scopes requests:read,requests:write,requests:execute

Ctrl-C ends it{ends}",
        style::strong("Countersign"),
        style::good(page),
        style::strong(ask),
        style::strong(explain),
        style::good(&format!("http://{api}/approvals")),
        style::good(&format!("http://{api}")),
        program()))
}
