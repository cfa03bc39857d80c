//! `countersign token`: creates, lists and revokes API tokens, directly in the database.

use super::error::CliError;
use super::exit_status::ExitStatus;
use super::{output, style};
use crate::app::{App, AppError, Clock, NewToken};
use crate::config::settings::{database_url, environment};
use crate::domain::decision::Via;
use crate::domain::id::TokenId;
use crate::domain::principal::{Caller, Principal};
use crate::domain::time::Timestamp;
use crate::domain::token::{Scope, Token};
use crate::store::Db;
use clap::Subcommand;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

const CREATE: &str = "\
Examples:
  countersign token create --name laptop --user alice --scopes requests:read,decisions:write
  countersign token create --name ci --service ci --owner bob \\
    --scopes requests:read,requests:write,requests:execute

Keep what is printed: only its hash is stored. A person's token speaks for that person. A service
never decides; its owners cannot approve what it asks for, and without owners it may only ask for a
person, with requests:act-for. Give a token the scopes it needs and no more.";

/// Arguments of `token`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  countersign token create --name laptop --user alice --scopes requests:read,decisions:write\n  countersign token create --name ci --service ci --owner bob --scopes requests:read,requests:write,requests:execute\n  countersign token list\n  countersign token revoke tok_01k8z0v3c5d7e9f1g2h3j4k5m6\n\nThese open the database named by DATABASE_URL, also while `countersign serve` runs."
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a token; only the token is printed on standard output, and only once
    Create(Create),
    /// List all tokens without their secrets: principal, scopes and last use
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token at once, on every replica
    Revoke {
        /// The token's id, as `list` prints it
        id: TokenId,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = CREATE)]
#[command(group = clap::ArgGroup::new("whose").required(true).args(["user", "service"]))]
struct Create {
    /// Name that says what the token is for
    #[arg(long)]
    name: String,
    /// Person that the token acts as
    #[arg(long)]
    user: Option<String>,
    /// Service that the token acts as
    #[arg(long)]
    service: Option<String>,
    /// Owner of the service, who therefore cannot approve its requests (repeatable)
    #[arg(long = "owner", requires = "service")]
    owners: Vec<String>,
    /// Scopes, separated by commas: requests:read, requests:write, requests:execute, requests:act-for, decisions:write, config:read,
    /// config:write, audit:read, break-glass:write
    #[arg(long, value_delimiter = ',', required = true)]
    scopes: Vec<Scope>,
}

/// Runs a subcommand of `countersign token`.
pub async fn main(args: Args) -> Result<ExitStatus, CliError> {
    let app = open().await?;
    let done = run(&app, args.command).await;
    app.close().await;
    done.map(|()| ExitStatus::Done)
}

/// Opens the use cases on the database that the environment names.
pub(super) async fn open() -> Result<App, CliError> {
    App::start(database().await?, Clock::System)
        .await
        .map_err(failed)
}

/// The same for the operator only: it opens even if the stored configuration cannot be read.
pub(super) async fn open_past_rules() -> Result<App, CliError> {
    App::open(database().await?, Clock::System)
        .await
        .map_err(failed)
}

async fn database() -> Result<Db, CliError> {
    let url =
        database_url(environment).map_err(|complaints| CliError::Usage(complaints.to_string()))?;
    Db::open(url.expose_secret())
        .await
        .map_err(|error| CliError::Usage(error.to_string()))
}

/// Turns an error of a use case into a command line error.
pub(super) fn failed(error: AppError) -> CliError {
    CliError::Usage(match error {
        AppError::Refused(refusal) => format!("{}\n  {}", refusal.title(), refusal.detail()),
        other => other.to_string(),
    })
}

async fn run(app: &App, command: Command) -> Result<(), CliError> {
    let operator = Caller::operator(Via::Cli);
    match command {
        Command::Create(create) => {
            let created = app.create_token(&operator, create.into()).await;
            let (token, secret) = created.map_err(failed)?;
            output::exact(format!("{secret}\n")).inspect_err(|_| {
                let revoke = format!("countersign token revoke {}", token.id);
                output::tell(&format!(
                    "{} was made, but nobody saw it; revoke it: {revoke}",
                    token.id
                ));
            })?;
            output::tell(&format!(
                "{} {} for {}; it is shown this once.",
                style::dim("token"),
                token.id,
                token.principal
            ));
        }
        Command::List { json } => {
            let tokens = app.tokens().await.map_err(failed)?;
            if json {
                let tokens: Vec<Value> = tokens.iter().map(document).collect();
                output::exact(format!("{:#}\n", Value::from(tokens)))?;
                return Ok(());
            }
            for token in tokens {
                output::line(&line(&token))?;
            }
        }
        Command::Revoke { id } => {
            let revoked = app.revoke_token(&operator, &id).await;
            revoked.map_err(failed)?;
            output::tell(&format!("Revoked {id}."));
        }
    }
    Ok(())
}

impl From<Create> for NewToken {
    fn from(create: Create) -> Self {
        let principal = match (create.user, create.service) {
            (Some(user), _) => Principal::Person(user.as_str().into()),
            (None, service) => Principal::Service(service.unwrap_or_default().as_str().into()),
        };
        let owners = create
            .owners
            .iter()
            .map(|owner| owner.as_str().into())
            .collect();
        Self {
            name: create.name,
            principal,
            owners,
            scopes: create.scopes,
        }
    }
}

/// A token in the form that the API uses.
fn document(token: &Token) -> Value {
    let moment = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
    json!({
        "id": token.id,
        "name": token.name,
        "for": token.principal,
        "owners": token.owners,
        "scopes": scopes(token),
        "createdAt": token.created_at.rfc3339(),
        "lastUsedAt": moment(token.last_used_at),
        "revokedAt": moment(token.revoked_at),
    })
}

fn scopes(token: &Token) -> Vec<&'static str> {
    token.scopes.iter().map(|scope| scope.as_str()).collect()
}

fn line(token: &Token) -> String {
    let state = match (token.revoked_at, token.last_used_at) {
        (Some(at), _) => style::bad(&format!("revoked {}", at.rfc3339())),
        (None, Some(at)) => style::good(&format!("last used {}", at.rfc3339())),
        (None, None) => style::dim("never used"),
    };
    format!(
        "{}  {}  {}  {}  {state}",
        token.id,
        style::plain(&token.name),
        token.principal,
        scopes(token).join(",")
    )
}
